// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/early_packets.h"

#include <stdlib.h>

#include "src/replay/replay_tracker.h"

#define KEPT 256
/* Longer than the disorder of a capture, and shorter than a port is used again after its connection was closed. */
#define MOST_DISORDER_NS 1000000000ULL
/* A side sends no more than this in that time after its SYN: several initial windows (RFC 6928). */
#define MOST_BYTES 0xffffU

struct early_packets {
	struct replay_located packet[KEPT];
	unsigned int next;
};

struct early_packets *early_packets_new(void)
{
	return calloc(1, sizeof(struct early_packets));
}

void early_packets_free(struct early_packets *early)
{
	free(early);
}

void early_packets_keep(struct early_packets *early, const struct replay_located *located)
{
	struct replay_located *kept = &early->packet[early->next++ % KEPT];

	*kept = *located;
	kept->segment.frame = NULL;
	kept->segment.process = NULL;
}

static bool is_behind(__u32 number, __u32 isn)
{
	return number - isn - 1 <= MOST_BYTES;
}

static bool follows(const struct replay_located *packet, const struct replay_located *first)
{
	const struct nt_packet *later = &packet->segment.packet, *syn = &first->segment.packet;
	__u64 from = first->segment.ns, to = packet->segment.ns;

	if ((from < to ? to - from : from - to) > MOST_DISORDER_NS)
		return false;
	if (packet->source == first->source)
		return is_behind(later->sequence, syn->sequence);
	return (later->flags & NT_ACK) && is_behind(later->acknowledgement, syn->sequence) &&
	       (!(syn->flags & NT_ACK) || is_behind(later->sequence, syn->acknowledgement - 1));
}

bool early_packets_find(const struct early_packets *early, const struct replay_located *first, int count,
			struct replay_located *found)
{
	unsigned int i;

	for (i = 1; i <= KEPT && count; i++) {
		const struct replay_located *packet = &early->packet[(early->next - i) % KEPT];

		if (packet->hash != first->hash || !nt_key_equals(&packet->key, &first->key))
			continue;
		if (!follows(packet, first))
			return false;
		found[--count] = *packet;
	}
	return !count;
}
