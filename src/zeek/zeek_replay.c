// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/zeek/zeek_replay.h"

#include <errno.h>
#include <stdlib.h>

#include "src/zeek/zeek_table.h"

#include "src/zeek/zeek_step.h"
#include "src/capture/checksum.h"
#include "src/zeek/zeek_record.h"

#define NS_PER_US 1000
#define LATEST_NS (1ULL << 63) /* the sum of a time and a timer's delay stays below 2^64 */

struct zeek_replay {
	struct zeek_replay_host host;
	struct zeek_table *table;
	__u64 now;   /* time of the current packet, in nanoseconds since the Unix epoch */
	__u64 clock; /* highest time of all packets so far */
};

struct zeek_replay *zeek_replay_new(const struct zeek_replay_host *host)
{
	struct zeek_replay *replay = calloc(1, sizeof(*replay));

	if (!replay)
		return NULL;
	replay->host = *host;
	replay->table = zeek_table_new(host->most_bytes);
	if (replay->table)
		return replay;
	free(replay);
	return NULL;
}

void zeek_replay_free(struct zeek_replay *replay)
{
	if (!replay)
		return;
	zeek_table_free(replay->table);
	free(replay);
}

static void end_connection(struct zeek_replay *replay, struct zeek_entry *entry, enum nt_wire_cause cause)
{
	struct nt_record record;

	record_fill_from_zeek(&record, entry, cause);
	replay->host.ended(replay->host.context, &record);
	zeek_table_remove(replay->table, entry);
}

/* Zeek's times have microseconds. */
void zeek_replay_clock(struct zeek_replay *replay, __u64 ns)
{
	struct zeek_entry *entry;

	replay->now = ns < LATEST_NS ? ns - ns % NS_PER_US : LATEST_NS;
	if (replay->now > replay->clock)
		replay->clock = replay->now;
	while ((entry = zeek_table_first(replay->table)) && entry->due <= replay->clock) {
		if (nt_zeek_timer(&entry->connection, replay->clock))
			end_connection(replay, entry, NT_WIRE_ENDED);
		else
			zeek_table_schedule(replay->table, entry);
	}
}

/* With segmentation offload the length is 0 and the checksum is wrong. */
static bool has_right_header(const struct nt_buffer *frame, __u32 offset)
{
	__u16 length;

	if (NT_LOAD(frame, offset + 2, &length, sizeof(length)) == 0 && !length)
		return false;
	return checksum_ipv4_header_is_right(frame, offset);
}

bool zeek_replay_accepts(const struct zeek_replay *replay, const struct nt_buffer *frame, __u32 offset)
{
	__u8 version;

	if (replay->host.ignore_checksums || NT_LOAD(frame, offset, &version, sizeof(version)) < 0)
		return true;
	return version >> 4 != 4 || has_right_header(frame, offset);
}

/* Returns the header's length in bytes, or 0 if its length field was not captured. */
static __u32 tcp_header_length(const struct nt_buffer *frame, const struct nt_packet *packet)
{
	__u8 offset;

	if (NT_LOAD(frame, packet->transport_offset + 12, &offset, sizeof(offset)) < 0)
		return 0;
	return (offset >> 4) * 4;
}

/* Returns enum nt_zeek_mark bits. */
static __u32 marks_of(const struct zeek_replay *replay, struct capture_segment *segment)
{
	const struct nt_buffer *frame = segment->frame;
	struct nt_packet *packet = &segment->packet;
	__u32 length = tcp_header_length(frame, packet), captured = frame->length - packet->transport_offset;

	if (segment->result != NT_PACKET_TCP || !length || captured < length)
		return NT_ZEEK_BAD_HEADER;
	/* The IP header has no length: use the captured length. */
	if (!packet->network_length)
		packet->payload_length = captured - length;
	if (!replay->host.ignore_checksums && !checksum_tcp_is_right(frame, packet, length + packet->payload_length))
		return NT_ZEEK_BAD_CHECKSUM;
	return captured < length + packet->payload_length && !segment->reassembled ? NT_ZEEK_CUT_PAYLOAD : 0;
}

/* Evicts connections until memory is within its limit, or until `kept` would be next. */
static void evict_excess(struct zeek_replay *replay, const struct zeek_entry *kept)
{
	struct zeek_entry *entry;

	while ((entry = zeek_table_excess(replay->table)) && entry != kept)
		end_connection(replay, entry, NT_WIRE_EVICTED);
}

static struct zeek_entry *begin_zeek_connection(struct zeek_replay *replay, const struct nt_key *key,
						const struct nt_packet *packet, int source)
{
	struct zeek_entry *entry;

	evict_excess(replay, NULL);
	entry = zeek_table_add(replay->table, key);
	if (!entry)
		return NULL;
	entry->vlan = packet->vlan;
	nt_zeek_begin(&entry->connection, packet, source, nt_key_is_self(key), replay->now, replay->clock);
	replay->host.began(replay->host.context);
	return entry;
}

/* Checks the innermost IP header. Reassembly writes a header without a checksum. */
static bool is_network_header_accepted(const struct zeek_replay *replay, const struct capture_segment *segment)
{
	__u32 offset = segment->packet.network_offset;

	return (segment->reassembled && !offset) || zeek_replay_accepts(replay, segment->frame, offset);
}

int zeek_replay_take(struct zeek_replay *replay, struct capture_segment *segment)
{
	struct nt_packet *packet = &segment->packet;
	struct zeek_entry *entry;
	struct nt_key key;
	__u32 marks;
	int source;

	if (!is_network_header_accepted(replay, segment))
		return 0;
	marks = marks_of(replay, segment);
	source = nt_key_from_packet(&key, packet, 0);
	entry = zeek_table_find(replay->table, &key);
	if (entry && nt_zeek_is_reuse(&entry->connection, packet)) {
		end_connection(replay, entry, NT_WIRE_ENDED);
		entry = NULL;
	}
	if (!entry)
		entry = begin_zeek_connection(replay, &key, packet, source);
	if (!entry)
		return -ENOMEM;
	nt_zeek_take(&entry->connection, packet, source, marks, replay->now);
	zeek_table_schedule(replay->table, entry);
	zeek_table_update(replay->table, entry);
	evict_excess(replay, entry);
	return 0;
}

void zeek_replay_finish(struct zeek_replay *replay)
{
	struct zeek_entry *entry;

	while ((entry = zeek_table_first(replay->table)))
		end_connection(replay, entry, NT_WIRE_EXIT);
}
