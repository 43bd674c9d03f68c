// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/replay_tracker.h"

#include <errno.h>
#include <stdlib.h>

#include "core/verdict.h"
#include "src/record/packet_record.h"

#define NS_PER_SECOND 1000000000ULL
/* Last ACKs and retransmitted FINs still belong to the ended connection. 2 MSL is four minutes in RFC 9293, one minute
 * in most systems.
 */
#define ENDED_NS (120 * NS_PER_SECOND)
/* At most this many ended connections are kept, so that memory grows only with open ones. */
#define MOST_ENDED 65536

struct replay_tracker *replay_tracker_new(const struct replay_tracker_host *host)
{
	struct replay_tracker *tracker = calloc(1, sizeof(*tracker));

	if (!tracker)
		return NULL;
	tracker->host = *host;
	tracker->table = replay_table_new();
	if (tracker->table)
		return tracker;
	free(tracker);
	return NULL;
}

void replay_tracker_free(struct replay_tracker *tracker)
{
	if (!tracker)
		return;
	replay_table_free(tracker->table);
	free(tracker);
}

static struct packet_traffic traffic_of(const struct growing_stream *stream)
{
	return traffic_of_stream_core(&stream->core, growing_stream_is_incomplete(stream));
}

static void fill_tracker_record(const struct replay_tracker *tracker, struct nt_record *record,
				const struct replay_entry *entry, enum nt_wire_cause cause)
{
	const struct packet_traffic traffic[2] = {
		traffic_of(&entry->streams[0]),
		traffic_of(&entry->streams[1]),
	};
	const struct packet_account account = {
		.key = &entry->key,
		.connection = &entry->connection,
		.traffic = traffic,
		.cause = cause,
		.now = tracker->now,
	};

	record_fill_from_packets(record, &account);
}

static void end_entry(struct replay_tracker *tracker, struct replay_entry *entry, enum nt_wire_cause cause)
{
	struct nt_record record;

	fill_tracker_record(tracker, &record, entry, cause);
	tracker->host.ended(tracker->host.context, &record);
	replay_table_remove(tracker->table, entry);
}

static void report_established(const struct replay_tracker *tracker, const struct replay_entry *entry)
{
	struct nt_record record;

	if (!tracker->host.established)
		return;
	fill_tracker_record(tracker, &record, entry, NT_WIRE_EXIT);
	record.event = NT_EVENT_OPEN;
	tracker->host.established(tracker->host.context, &record);
}

static bool is_idle(const struct replay_tracker *tracker, const struct replay_entry *entry, __u64 limit)
{
	return entry && tracker->now > entry->connection.last_seen_ns + limit;
}

void replay_tracker_clock(struct replay_tracker *tracker, __u64 ns)
{
	const struct replay_table *table = tracker->table;
	struct replay_entry *entry;

	if (ns > tracker->now)
		tracker->now = ns;
	while (entry = replay_table_oldest(table, REPLAY_HALF_OPEN), is_idle(tracker, entry, NT_HALF_OPEN_NS))
		end_entry(tracker, entry, NT_WIRE_IDLE);
	while (entry = replay_table_oldest(table, REPLAY_ENDED),
	       is_idle(tracker, entry, ENDED_NS) || replay_table_count(table, REPLAY_ENDED) > MOST_ENDED)
		end_entry(tracker, entry, NT_WIRE_ENDED);
}

static enum replay_queue queue_of(const struct nt_connection *connection)
{
	switch (nt_connection_state(connection)) {
	case NT_STATE_SYN_SENT:
	case NT_STATE_SYN_RECEIVED:
		return REPLAY_HALF_OPEN;
	case NT_STATE_CLOSED:
	case NT_STATE_RESET:
		return REPLAY_ENDED;
	default:
		return REPLAY_ESTABLISHED;
	}
}

/* Returns NULL without memory. */
static struct replay_entry *begin_entry(struct replay_tracker *tracker, const struct replay_located *located)
{
	struct replay_entry *entry = replay_table_add(tracker->table, &located->key, located->hash, REPLAY_HALF_OPEN);

	if (!entry)
		return NULL;
	nt_connection_begin(&entry->connection, &located->segment.packet, located->source, located->segment.ns);
	tracker->host.began(tracker->host.context);
	return entry;
}

/* Both sides of a self-connection are one. */
static const struct growing_stream *peer_stream(const struct replay_entry *entry, int source)
{
	return &entry->streams[entry->connection.marks & NT_MARK_SELF ? source : 1 - source];
}

int replay_tracker_take(struct replay_tracker *tracker, const struct replay_located *located)
{
	const struct capture_segment *segment = &located->segment;
	struct replay_entry *entry = replay_table_find(tracker->table, &located->key, located->hash);
	enum replay_queue queue;
	__u32 step = 0;

	if (entry)
		step = nt_connection_step(&entry->connection, &segment->packet, located->source, segment->ns);
	/* Packets may be out of order in the capture. */
	if (entry && segment->ns < entry->connection.first_ns)
		entry->connection.first_ns = segment->ns;
	if (step & NT_STEP_NEW)
		end_entry(tracker, entry, NT_WIRE_REPLACED);
	if (!entry || step & NT_STEP_NEW)
		entry = begin_entry(tracker, located);
	if (!entry)
		return -ENOMEM;
	nt_connection_add_packet(&entry->connection, &segment->packet, located->source);
	growing_stream_step(&entry->streams[located->source], peer_stream(entry, located->source), &segment->packet,
			    segment->interface, segment->direction);
	queue = queue_of(&entry->connection);
	/* Established connections never expire, so the order of their queue does not matter. */
	if (queue != REPLAY_ESTABLISHED || entry->queue != queue)
		replay_table_move(tracker->table, entry, queue);
	if (step & NT_STEP_ESTABLISHED)
		report_established(tracker, entry);
	return 0;
}

static void end_all_of_queue(struct replay_tracker *tracker, enum replay_queue queue, enum nt_wire_cause cause)
{
	struct replay_entry *entry;

	while ((entry = replay_table_oldest(tracker->table, queue)))
		end_entry(tracker, entry, cause);
}

void replay_tracker_finish(struct replay_tracker *tracker)
{
	end_all_of_queue(tracker, REPLAY_ENDED, NT_WIRE_ENDED);
	end_all_of_queue(tracker, REPLAY_ESTABLISHED, NT_WIRE_EXIT);
	end_all_of_queue(tracker, REPLAY_HALF_OPEN, NT_WIRE_EXIT);
}
