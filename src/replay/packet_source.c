// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/packet_source.h"

#include <stdlib.h>
#include <string.h>

static struct held_packet *held_at(struct packet_source *source, int index)
{
	return &source->held[(source->first + index) % PACKET_CLOCK_WINDOW];
}

/* Copies the packet. Without memory it stays in the file's buffer, and no other can be read before it is returned. */
static void hold(struct packet_source *source, const struct capture_packet *packet)
{
	struct held_packet *held = held_at(source, source->count);
	__u8 *data = held->data;

	source->count++;
	held->packet = *packet;
	if (packet->process) {
		held->process = *packet->process;
		held->packet.process = &held->process;
	}
	if (!data || packet->captured > held->room) {
		data = realloc(data, packet->captured + 1UL);
		if (!data) {
			source->ended = true;
			source->end = 1;
			return;
		}
		held->data = data;
		held->room = packet->captured;
	}
	memcpy(data, packet->data, packet->captured);
	held->packet.data = data;
}

/* The clock follows the second if its fraction is corrupt. */
static int read_with_valid_time(struct capture_file *file, struct capture_packet *packet)
{
	int result = capture_file_next(file, packet);

	if (result == 1 && packet->second_ns)
		packet->ns = packet->second_ns;
	return result;
}

/* Holds as many packets as the decision needs, or as there are. */
static void read_on(struct packet_source *source, struct capture_file *file)
{
	struct capture_packet packet;

	while (!source->ended && source->count < PACKET_CLOCK_WINDOW) {
		source->end = read_with_valid_time(file, &packet);
		if (source->end == 1)
			hold(source, &packet);
		else
			source->ended = true;
	}
}

static void take_time(struct packet_source *source, const struct capture_packet *packet, struct packet_time *time)
{
	__u64 times[PACKET_CLOCK_WINDOW];
	int i;

	for (i = 0; i < source->count; i++)
		times[i] = held_at(source, i)->packet.ns;
	if (packet_clock_is_far(&source->clock, packet->ns))
		packet_clock_take_far(&source->clock, times, source->count, time);
	else
		packet_clock_take_near(&source->clock, packet->ns, time);
}

/* Returns the first packet held. */
static int next_held(struct packet_source *source, struct capture_file *file, struct capture_packet *packet,
		     struct packet_time *time)
{
	*packet = held_at(source, 0)->packet;
	if (packet_clock_is_far(&source->clock, packet->ns))
		read_on(source, file);
	take_time(source, packet, time);
	source->first = (source->first + 1) % PACKET_CLOCK_WINDOW;
	source->count--;
	return 1;
}

/* Returns 1 if a packet was read. */
static int read_one(struct packet_source *source, struct capture_file *file, struct capture_packet *packet)
{
	bool at_end = source->ended && source->end != 1;

	source->ended = false;
	return at_end ? source->end : read_with_valid_time(file, packet);
}

static int next_packet_with_time(struct packet_source *source, struct capture_file *file, bool may_wait,
				 struct capture_packet *packet, struct packet_time *time)
{
	int result;

	if (source->count)
		return next_held(source, file, packet, time);
	result = read_one(source, file, packet);
	if (result != 1)
		return result;
	if (!packet_clock_is_far(&source->clock, packet->ns)) {
		packet_clock_take_near(&source->clock, packet->ns, time);
		return 1;
	}
	if (!may_wait) {
		packet_clock_take_unseen(&source->clock, packet->ns, time);
		return 1;
	}
	hold(source, packet);
	return next_held(source, file, packet, time);
}

int packet_source_next(struct packet_source *source, struct capture_file *file, bool may_wait,
		       struct capture_packet *packet, struct packet_time *time)
{
	int result = next_packet_with_time(source, file, may_wait, packet, time);

	if (result == 1 && packet->second_ns)
		packet_clock_doubt(&source->clock, time);
	return result;
}

void packet_source_free(struct packet_source *source)
{
	int i;

	for (i = 0; i < PACKET_CLOCK_WINDOW; i++)
		free(source->held[i].data);
}
