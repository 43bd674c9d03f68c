// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/replay_tracker.h"

#include <errno.h>
#include <stdlib.h>

#include "core/first_payload.h"
#include "core/verdict.h"
#include "src/record/packet_record.h"
#include "src/replay/doubted_answer.h"

#define NS_PER_SECOND 1000000000ULL
/* Last ACKs and retransmitted FINs still belong to the ended connection. 2 MSL is four minutes in RFC 9293, one minute
 * in most systems.
 */
#define ENDED_NS (120 * NS_PER_SECOND)
/* At most this many ended connections are kept, so that memory grows only with open ones. */
#define MOST_ENDED 65536

struct replay_tracker *replay_tracker_new(const struct replay_tracker_host *host, __u64 most_bytes)
{
	struct replay_tracker *tracker = calloc(1, sizeof(*tracker));

	if (!tracker)
		return NULL;
	tracker->host = *host;
	tracker->table = replay_table_new(most_bytes);
	tracker->early = early_packets_new();
	tracker->withheld = withheld_new();
	tracker->doubted = doubted_answers_new();
	if (tracker->table && tracker->early && tracker->withheld && tracker->doubted)
		return tracker;
	replay_tracker_free(tracker);
	return NULL;
}

void replay_tracker_free(struct replay_tracker *tracker)
{
	if (!tracker)
		return;
	replay_table_free(tracker->table);
	early_packets_free(tracker->early);
	withheld_free(tracker->withheld);
	doubted_answers_free(tracker->doubted);
	free(tracker);
}

static struct packet_traffic traffic_of(const struct growing_stream *stream)
{
	return traffic_of_stream_core(&stream->core, growing_stream_is_incomplete(stream));
}

/* Returns enum packet_time_bit: the times that the connection has. */
static __u16 known_times(const struct replay_entry *entry)
{
	const struct nt_connection *connection = &entry->connection;

	return PACKET_TIME_FIRST | PACKET_TIME_CHANGE | (connection->syn_ns ? PACKET_TIME_SYN : 0) |
	       (connection->synack_ns ? PACKET_TIME_SYNACK : 0) | (connection->ack_ns ? PACKET_TIME_ACK : 0) |
	       (connection->fin_ns[0] ? PACKET_TIME_FIN_0 : 0) | (connection->fin_ns[1] ? PACKET_TIME_FIN_1 : 0) |
	       (connection->rst_ns[0] | connection->rst_ns[1] ? PACKET_TIME_RST : 0) |
	       (nt_first_payload_ns(connection, 0) ? PACKET_TIME_PAYLOAD_0 : 0) |
	       (nt_first_payload_ns(connection, 1) ? PACKET_TIME_PAYLOAD_1 : 0) |
	       (entry->exchange.ns[0] ? PACKET_TIME_EXCHANGE_0 : 0) |
	       (entry->exchange.ns[1] ? PACKET_TIME_EXCHANGE_1 : 0);
}

/* Returns whether the packet comes too late or too early for a handshake, and nothing shows yet whose time is wrong. */
static bool is_handshake_in_doubt(const struct replay_entry *entry, const struct packet_time *time)
{
	__u64 last = entry->connection.last_seen_ns;

	return time->is_pending && entry->queue == REPLAY_HALF_OPEN &&
	       (time->own > last ? time->own - last : last - time->own) > PACKET_CLOCK_FAR_NS;
}

/* If the clock was set back since the last packet, the times so far cannot be compared with those that follow. */
static void follow_clock(struct replay_entry *entry, const struct packet_time *time)
{
	if (entry->epoch == time->epoch && !is_handshake_in_doubt(entry, time))
		return;
	entry->epoch = time->epoch;
	entry->doubt.unknown |= entry->doubt.former;
	entry->doubt.former = known_times(entry);
}

/* before: the times before this packet. */
static void doubt_times(struct replay_entry *entry, const struct packet_time *time, __u16 before, bool changed)
{
	__u16 set = known_times(entry) & ~before;

	if (changed) {
		set |= PACKET_TIME_CHANGE;
		entry->doubt.former &= ~PACKET_TIME_CHANGE;
		entry->doubt.unknown &= ~PACKET_TIME_CHANGE;
	}
	if (time->is_wrong)
		entry->doubt.unknown |= set;
}

static void fill_tracker_record(const struct replay_tracker *tracker, struct nt_record *record,
				struct replay_entry *entry, enum nt_wire_cause cause)
{
	const struct packet_traffic traffic[2] = {
		traffic_of(&entry->streams[0]),
		traffic_of(&entry->streams[1]),
	};
	const struct packet_account account = {
		.key = &entry->key,
		.connection = &entry->connection,
		.traffic = traffic,
		.exchange = &entry->exchange,
		.interface = entry->ifname,
		.pid = entry->process.pid,
		.comm = entry->process.comm,
		.error = entry->error,
		.cause = cause,
		.now = tracker->time.now,
		.doubt = &entry->doubt,
	};

	if (cause == NT_WIRE_EXIT)
		follow_clock(entry, &tracker->time);
	record_fill_from_packets(record, &account);
}

/* Both sides of a self-connection are one. */
static const struct growing_stream *peer_stream(const struct replay_entry *entry, int source)
{
	return &entry->streams[entry->connection.marks & NT_MARK_SELF ? source : 1 - source];
}

/* Returns whether nothing that was seen contradicts that the side sent this payload. */
static bool is_unopposed(const struct replay_entry *entry, const struct replay_located *kept)
{
	const struct nt_connection *connection = &entry->connection;
	const struct nt_packet *packet = &kept->segment.packet;
	__u32 end = packet->sequence + packet->payload_length;
	__u8 side = connection->side[kept->source];

	if (packet->flags & (NT_SYN | NT_FIN | NT_RST) || !packet->payload_length)
		return false;
	if ((side & NT_SIDE_FIN && nt_sequence_after(end, connection->fin_sequence[kept->source])) ||
	    (side & NT_SIDE_RST && nt_sequence_after(end, connection->flow[kept->source].reset)))
		return false;
	return growing_stream_has_missed(&entry->streams[kept->source], packet->sequence, end);
}

/* Takes back the count of a kept segment that is about to be taken. */
static void uncount(struct growing_stream *stream, const struct replay_located *kept)
{
	if (kept->is_counted)
		stream->core.packets -= kept->segment.packet.segments;
}

static void add_to_exchange(struct replay_entry *entry, const struct replay_located *located)
{
	__u16 bit = located->source & 1 ? PACKET_TIME_EXCHANGE_1 : PACKET_TIME_EXCHANGE_0;

	if (!nt_last_exchange_add(&entry->exchange, located->source, located->segment.ns))
		return;
	entry->doubt.former &= ~bit;
	entry->doubt.unknown &= ~bit;
	if (located->time.is_wrong)
		entry->doubt.unknown |= bit;
}

/* The segment is counted late: it may lie within the last exchange, which then is unknown. */
static void add_late_to_exchange(struct replay_entry *entry, const struct replay_located *kept)
{
	if (nt_last_exchange_is_after(&entry->exchange, kept->segment.ns))
		return;
	if (kept->segment.ns >= entry->exchange.latest_ns)
		add_to_exchange(entry, kept);
	else
		entry->exchange = (struct nt_last_exchange){};
}

/* Counts the payload of a segment that was refused for its checksum, and not sent again: who sent it is unknown, but its
 * bytes were sent. It counts as a packet already.
 */
static void settle_withheld(struct replay_entry *entry, struct replay_located *kept)
{
	struct growing_stream *stream = &entry->streams[kept->source];
	const struct nt_place place = { .interface = stream->core.interface,
					.direction = stream->core.direction,
					.time = stream->core.seen };
	struct nt_range hole;

	if (!is_unopposed(entry, kept))
		return;
	kept->segment.packet.marks &= ~NT_PACKET_REFUSED;
	uncount(stream, kept);
	hole = growing_stream_step(stream, peer_stream(entry, kept->source), &kept->segment.packet, &place);
	if (hole.start != hole.end)
		stream->core.flags |= NT_STREAM_INCOMPLETE;
	add_late_to_exchange(entry, kept);
}

static bool has_withheld(const struct replay_entry *entry)
{
	return entry->sums[0].withheld || entry->sums[1].withheld;
}

static void count_withheld(const struct replay_tracker *tracker, struct replay_entry *entry)
{
	struct replay_located kept;

	while (has_withheld(entry) && withheld_take_any(tracker->withheld, entry, &kept)) {
		entry->sums[kept.source].withheld--;
		settle_withheld(entry, &kept);
	}
}

static void end_entry(struct replay_tracker *tracker, struct replay_entry *entry, enum nt_wire_cause cause)
{
	struct nt_record record;

	count_withheld(tracker, entry);
	fill_tracker_record(tracker, &record, entry, cause);
	tracker->host.ended(tracker->host.context, &record);
	replay_table_remove(tracker->table, entry);
}

/* Returns the entry to evict, or NULL if there is none but `kept`. */
static struct replay_entry *choose_evicted(struct replay_table *table, const struct replay_entry *kept)
{
	static const enum replay_queue order[] = { REPLAY_HALF_OPEN, REPLAY_ENDED, REPLAY_ESTABLISHED };
	struct replay_entry *entry;
	unsigned int i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] == REPLAY_ESTABLISHED && !table->orders_established)
			replay_table_order_established(table);
		entry = replay_table_oldest(table, order[i]);
		if (entry && entry == kept)
			entry = entry->newer;
		if (entry)
			return entry;
	}
	return NULL;
}

/* Evicts entries, but not `kept`, until nothing that `is_full` stands for needs memory beyond the limit. */
static void make_room(struct replay_tracker *tracker, bool (*is_full)(const struct replay_table *table),
		      const struct replay_entry *kept)
{
	struct replay_entry *entry;

	while (is_full(tracker->table) && (entry = choose_evicted(tracker->table, kept)))
		end_entry(tracker, entry, NT_WIRE_EVICTED);
}

static void add_hole(struct replay_tracker *tracker, const struct replay_entry *entry, struct growing_stream *stream,
		     struct nt_range hole)
{
	if (!stream->hole) {
		make_room(tracker, replay_table_is_full_for_holes, entry);
		replay_table_add_holes(tracker->table, stream);
	}
	growing_stream_add_hole(stream, hole);
}

static void report_established(const struct replay_tracker *tracker, struct replay_entry *entry)
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
	return entry && tracker->time.elapsed > entry->seen + limit;
}

void replay_tracker_clock(struct replay_tracker *tracker, const struct packet_time *time)
{
	const struct replay_table *table = tracker->table;
	struct replay_entry *entry;

	tracker->time = *time;
	if (time->is_after_pause)
		return;
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

/* The caller begins the connection. Returns NULL without memory. */
static struct replay_entry *add_replay_entry(struct replay_tracker *tracker, const struct replay_located *located)
{
	struct replay_entry *entry;

	make_room(tracker, replay_table_is_full, NULL);
	entry = replay_table_add(tracker->table, &located->key, located->hash, REPLAY_HALF_OPEN);
	if (!entry)
		return NULL;
	entry->epoch = located->time.epoch;
	entry->doubt = (struct packet_doubt){ .unknown = 0 };
	entry->likely_ns = 0;
	entry->error = 0;
	entry->has_failed = false;
	entry->ifname = located->segment.interface.name;
	entry->process = (struct capture_process){ 0 };
	entry->early = 0;
	entry->sums[0] = entry->sums[1] = (struct side_sums){ 0 };
	entry->is_suspected = false;
	side_sums_take(&entry->sums[located->source], located->checksum);
	if (tracker->taken_back)
		tracker->taken_back--;
	else
		tracker->host.began(tracker->host.context);
	return entry;
}

static void doubt_beginning(struct replay_entry *entry, const struct packet_time *time)
{
	if (!time->is_wrong)
		return;
	entry->doubt.unknown = known_times(entry);
	entry->likely_ns = time->ns;
}

/* Returns NULL without memory. */
static struct replay_entry *begin_entry(struct replay_tracker *tracker, const struct replay_located *located)
{
	struct replay_entry *entry = add_replay_entry(tracker, located);

	if (!entry)
		return NULL;
	nt_connection_begin(&entry->connection, &located->segment.packet, located->source, located->time.own);
	nt_first_payload_add(&entry->connection, &located->segment.packet, located->source, located->time.own);
	doubt_beginning(entry, &located->time);
	return entry;
}

/* Ends the entry's connection and begins the next one of its tuple, with a SYN or with the answer to a SYN that was
 * kept. Returns NULL without memory.
 */
static struct replay_entry *replace_entry(struct replay_tracker *tracker, struct replay_entry *entry,
					  const struct replay_located *located)
{
	const struct nt_packet *packet = &located->segment.packet;
	bool begins_with_syn = (packet->flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN;
	struct nt_connection previous = entry->connection;
	struct nt_stream_core opener = {};

	if (!begins_with_syn) {
		nt_stream_move_syn(&entry->streams[(previous.held_from - 1) & 1].core, &opener, previous.held_isn,
				   previous.held_count);
		nt_connection_release_syn(&entry->connection);
	}
	end_entry(tracker, entry, NT_WIRE_REPLACED);
	entry = add_replay_entry(tracker, located);
	if (!entry)
		return NULL;
	nt_connection_begin_next(&entry->connection, &previous, packet, located->source, located->time.own);
	nt_first_payload_add(&entry->connection, packet, located->source, located->time.own);
	if (!begins_with_syn)
		entry->streams[1 - located->source].core = opener;
	doubt_beginning(entry, &located->time);
	return entry;
}

/* A connection of one packet keeps that packet's own time, though it is wrong: nothing better is known. Packets that
 * follow are compared with its likely time.
 */
static void replace_first_time(struct replay_entry *entry)
{
	struct nt_connection *connection = &entry->connection;
	__u64 own = connection->first_ns;
	__u64 *const times[] = { &connection->first_ns,      &connection->last_change_ns, &connection->last_seen_ns,
				 &connection->syn_ns,        &connection->synack_ns,      &connection->fin_ns[0],
				 &connection->fin_ns[1],     &connection->rst_ns[0],      &connection->rst_ns[1],
				 &connection->payload_ns[0], &connection->payload_ns[1] };
	unsigned int i;

	for (i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (*times[i] == own)
			*times[i] = entry->likely_ns;
	entry->likely_ns = 0;
}

/* An answer does not come this late: the time of the SYN, or of the SYN-ACK with which the capture begins, is wrong. */
static bool is_beginning_wrong(const struct replay_entry *entry, const struct replay_located *located)
{
	const struct packet_time *time = &located->time;

	return time->is_after_pause && entry->queue == REPLAY_HALF_OPEN && !time->is_wrong &&
	       time->ns > entry->connection.last_seen_ns + PACKET_CLOCK_FAR_NS;
}

/* Returns enum nt_step bits. */
static __u32 step_entry(struct replay_entry *entry, struct replay_located *located)
{
	struct capture_segment *segment = &located->segment;
	struct nt_connection *connection = &entry->connection;
	__u16 before = 0;
	bool doubtful;
	__u32 step;

	if (is_beginning_wrong(entry, located)) {
		entry->doubt.unknown = known_times(entry);
		entry->likely_ns = located->time.ns;
	}
	if (entry->likely_ns)
		replace_first_time(entry);
	follow_clock(entry, &located->time);
	doubtful = located->time.is_wrong || entry->doubt.former || entry->doubt.unknown;
	if (doubtful)
		before = known_times(entry);
	if (located->time.is_wrong || entry->doubt.former)
		segment->packet.marks |= NT_PACKET_OTHER_CLOCK;
	step = nt_connection_step(connection, &segment->packet, located->source, segment->ns);
	if (!(step & (NT_STEP_NEW | NT_STEP_REFUSED)))
		nt_first_payload_add(connection, &segment->packet, located->source, segment->ns);
	/* Packets may be out of order in the capture. */
	if (segment->ns < connection->first_ns && !located->time.is_wrong && !entry->doubt.former)
		connection->first_ns = segment->ns;
	if (doubtful)
		doubt_times(entry, &located->time, before, step & NT_STEP_CHANGED);
	return step;
}

/* The clock may follow the packet's time later. */
static __u64 elapsed_at(const struct packet_time *time)
{
	return time->elapsed + (time->ns > time->now ? time->ns - time->now : 0);
}

/* Returns whether a SYN comes too late to be a retransmission, though the clock does not follow its time yet. */
static bool is_stale_attempt(const struct replay_entry *entry, const struct replay_located *located)
{
	if (entry->queue != REPLAY_HALF_OPEN || (located->segment.packet.flags & (NT_SYN | NT_ACK)) != NT_SYN)
		return false;
	if (located->time.is_after_pause)
		return elapsed_at(&located->time) > entry->seen + NT_HALF_OPEN_NS;
	return located->segment.ns > located->time.now &&
	       located->segment.ns - located->time.now > PACKET_CLOCK_FAR_NS &&
	       located->segment.ns > entry->connection.last_seen_ns + NT_HALF_OPEN_NS;
}

/* Returns whether a SYN that was refused comes again too late to belong to the same attempt. */
static bool is_stale_refusal(const struct replay_entry *entry, const struct replay_located *located)
{
	return nt_connection_is_retry(&entry->connection, &located->segment.packet, located->source) &&
	       elapsed_at(&located->time) > entry->seen + NT_HALF_OPEN_NS;
}

/* Returns the entry after the segment, or NULL if it begins one. Sets *step to enum nt_step bits. */
static struct replay_entry *step_found(struct replay_tracker *tracker, struct replay_entry *entry,
				       struct replay_located *located, __u32 *step)
{
	*step = 0;
	if (!entry)
		return NULL;
	if (!(located->segment.packet.marks & NT_PACKET_REFUSED)) {
		if (is_stale_attempt(entry, located) || is_stale_refusal(entry, located)) {
			end_entry(tracker, entry, NT_WIRE_IDLE);
			return NULL;
		}
		if (nt_connection_is_retry(&entry->connection, &located->segment.packet, located->source))
			nt_connection_retry(&entry->connection);
	}
	*step = step_entry(entry, located);
	return entry;
}

/* A SYN that comes again, or an answer, shows that the attempt goes on. */
static bool is_attempt_going_on(const struct replay_entry *entry, const struct replay_located *located)
{
	return located->source == entry->connection.src_index ||
	       nt_connection_state(&entry->connection) != NT_STATE_SYN_SENT;
}

/* Returns the entry whose packets so far, copied to early[], followed on this SYN or SYN-ACK; else NULL. */
static struct replay_entry *find_begun_early(const struct replay_tracker *tracker, const struct replay_located *first,
					     struct replay_located *early)
{
	struct replay_entry *entry;

	if (!(first->segment.packet.flags & NT_SYN) || first->segment.packet.flags & (NT_FIN | NT_RST))
		return NULL;
	entry = replay_table_find(tracker->table, &first->key, first->hash);
	if (!entry || !entry->early || entry->early > EARLY_PACKETS_MOST ||
	    !early_packets_find(tracker->early, first, entry->early, early))
		return NULL;
	return entry;
}

static void keep_early_packet(const struct replay_tracker *tracker, struct replay_entry *entry,
			      const struct replay_located *located)
{
	if (!(entry->connection.marks & NT_MARK_MIDSTREAM) || entry->early > EARLY_PACKETS_MOST)
		return;
	entry->early++;
	early_packets_keep(tracker->early, located);
}

static void step_stream(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *located)
{
	const struct capture_segment *segment = &located->segment;
	const struct nt_place place = nt_place_at(segment->interface.number, segment->direction, segment->ns);
	struct growing_stream *stream = &entry->streams[located->source];
	__u64 packets = stream->core.packets, bytes = stream->core.bytes;
	struct nt_range hole = growing_stream_step(stream, peer_stream(entry, located->source), &segment->packet,
						   &place);

	located->is_counted = stream->core.packets != packets;
	if (stream->core.bytes != bytes)
		add_to_exchange(entry, located);
	if (hole.start != hole.end)
		add_hole(tracker, entry, stream, hole);
}

/* Established connections never expire, so the order of their queue matters only where they are evicted. */
static void update_queue(struct replay_table *table, struct replay_entry *entry)
{
	enum replay_queue queue = queue_of(&entry->connection);

	if (queue != REPLAY_ESTABLISHED || entry->queue != queue || table->orders_established)
		replay_table_move(table, entry, queue);
}

/* A segment that was damaged on its way is sent again, and counts as a retransmission. */
static void count_repeat_of_damaged(struct replay_tracker *tracker, struct replay_entry *entry,
				    const struct replay_located *located)
{
	const struct nt_packet *packet = &located->segment.packet;

	if (!entry->sums[located->source].withheld || !packet->payload_length || packet->marks & NT_PACKET_REFUSED ||
	    !withheld_take_repeated(tracker->withheld, located))
		return;
	entry->sums[located->source].withheld--;
	if (located->is_counted)
		entry->streams[located->source].core.retransmits += packet->segments;
}

/* entry: the one found, or NULL. Returns 0, or -ENOMEM. */
static int take_found(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *located)
{
	struct capture_segment *segment = &located->segment;
	__u32 step;

	entry = step_found(tracker, entry, located, &step);
	if (!entry)
		entry = begin_entry(tracker, located);
	else if (step & NT_STEP_NEW)
		entry = replace_entry(tracker, entry, located);
	if (!entry)
		return -ENOMEM;
	entry->seen = elapsed_at(&located->time);
	if (segment->process && !entry->process.pid)
		entry->process = *segment->process;
	keep_early_packet(tracker, entry, located);
	if (step & NT_STEP_REFUSED)
		segment->packet.marks |= NT_PACKET_REFUSED;
	if (entry->has_failed && !(segment->packet.marks & NT_PACKET_REFUSED) && is_attempt_going_on(entry, located))
		entry->has_failed = false;
	nt_connection_add_packet(&entry->connection, &segment->packet, located->source);
	step_stream(tracker, entry, located);
	count_repeat_of_damaged(tracker, entry, located);
	update_queue(tracker->table, entry);
	if (step & NT_STEP_ESTABLISHED)
		report_established(tracker, entry);
	return 0;
}

/* The SYN of the next connection of the same ports leaves the history of the former one. */
static void remove_last_syn(struct nt_connection *connection, int source)
{
	char letter = 'S' + (source != connection->src_index) * 32;

	if (connection->history_length && connection->history[connection->history_length - 1] == letter)
		connection->history_length--;
}

/* Takes a segment that was refused for its checksum, at its own time. It counts as a packet, and has its letter, already.
 */
static int take_withheld(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *kept)
{
	struct nt_connection *connection = &entry->connection;
	struct growing_stream *stream = &entry->streams[kept->source];
	__u64 began = connection->first_ns;
	__u8 letters = connection->history_length;
	int error;

	kept->segment.packet.marks &= ~NT_PACKET_REFUSED;
	kept->segment.interface.number = stream->core.interface; /* so that it counts */
	kept->segment.direction = stream->core.direction;
	entry->sums[kept->source].is_taken = true;
	entry->sums[kept->source].withheld--;
	uncount(stream, kept);
	if (kept->segment.packet.flags & NT_SYN)
		remove_last_syn(connection, kept->source);
	error = take_found(tracker, entry, kept);
	entry = replay_table_find(tracker->table, &kept->key, kept->hash);
	if (!entry)
		return error;
	if (entry->connection.first_ns == began)
		entry->connection.history_length = letters;
	entry->sums[kept->source].is_taken = true;
	return error;
}

/* Takes the segments that were refused for their checksums, but that this one acknowledges. */
static int take_acknowledged(struct replay_tracker *tracker, struct replay_entry *entry,
			     const struct replay_located *located)
{
	struct replay_located kept;
	int error = 0;

	while (!error && entry && withheld_take_acknowledged(tracker->withheld, entry, located, &kept)) {
		error = take_withheld(tracker, entry, &kept);
		entry = replay_table_find(tracker->table, &located->key, located->hash);
	}
	return error;
}

static void withhold(struct replay_tracker *tracker, struct replay_entry *entry, const struct replay_located *located)
{
	struct replay_located replaced;

	entry->sums[located->source].withheld++;
	if (!withheld_keep(tracker->withheld, located, &replaced))
		return;
	entry = replay_table_find(tracker->table, &replaced.key, replaced.hash);
	if (!entry)
		return;
	entry->sums[replaced.source].withheld--;
	settle_withheld(entry, &replaced);
}

/* Forgets the kept segments of an entry whose packets are taken again. */
static void forget_withheld(const struct replay_tracker *tracker, struct replay_entry *entry)
{
	struct replay_located kept;

	while (has_withheld(entry) && withheld_take_any(tracker->withheld, entry, &kept))
		entry->sums[kept.source].withheld--;
}

bool replay_tracker_refuses_checksum(const struct replay_tracker *tracker, const struct replay_located *located)
{
	const struct replay_entry *entry = replay_table_find(tracker->table, &located->key, located->hash);

	return entry && side_sums_refuse(&entry->sums[located->source]);
}

/* Takes a segment that its receiver refuses for its checksum. */
static int take_refused(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *located)
{
	int error;

	located->segment.packet.marks |= NT_PACKET_REFUSED;
	error = take_found(tracker, entry, located);
	entry = replay_table_find(tracker->table, &located->key, located->hash);
	if (!error && entry)
		withhold(tracker, entry, located);
	return error;
}

/* Returns 0, or -ENOMEM. */
static int take_checked(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *located)
{
	int error = 0;

	if (entry && side_sums_take(&entry->sums[located->source], located->checksum))
		return take_refused(tracker, entry, located);
	if (entry && entry->sums[1 - located->source].withheld && located->segment.packet.flags & NT_ACK) {
		error = take_acknowledged(tracker, entry, located);
		entry = replay_table_find(tracker->table, &located->key, located->hash);
	}
	return error ? error : take_found(tracker, entry, located);
}

/* Takes the packets since the side's forged answer again, now that the side has shown a right checksum. */
static int take_without_answer(struct replay_tracker *tracker, struct replay_entry *entry, int side)
{
	struct replay_located packet[DOUBTED_ANSWER_MOST];
	int count = doubted_answers_restore(tracker->doubted, entry, packet), error = 0, i;

	if (count)
		forget_withheld(tracker, entry);
	entry->sums[side].doubted = false;
	entry->sums[side].is_right = true;
	for (i = 0; i < count && !error; i++) {
		entry = replay_table_find(tracker->table, &packet[i].key, packet[i].hash);
		error = take_checked(tracker, entry, &packet[i]);
	}
	return error;
}

/* Returns whether the first answer to a SYN has a wrong checksum, though nothing is known of those of its sender. */
static bool is_doubtful_answer(const struct replay_entry *entry, const struct replay_located *located)
{
	const struct nt_connection *connection = &entry->connection;

	return located->checksum == CHECKSUM_WRONG && located->source != connection->src_index &&
	       !(connection->side[located->source] & NT_SIDE_SEEN) &&
	       nt_connection_state(connection) == NT_STATE_SYN_SENT;
}

/* Returns 0, or -ENOMEM. */
static int take_doubted(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *located)
{
	int side = entry->sums[1].doubted, error = 0;

	if (located->source == side && located->checksum == CHECKSUM_RIGHT) {
		error = take_without_answer(tracker, entry, side);
		entry = replay_table_find(tracker->table, &located->key, located->hash);
	} else {
		entry->sums[side].doubted = doubted_answers_add(tracker->doubted, located);
	}
	return error ? error : take_checked(tracker, entry, located);
}

/* Not inline: it is rare, and its variables are large. Returns 0, or -ENOMEM. */
static __attribute__((noinline)) int take_suspected(struct replay_tracker *tracker, struct replay_entry *entry,
						    struct replay_located *located)
{
	entry->is_suspected = true;
	if (entry->sums[0].doubted || entry->sums[1].doubted)
		return take_doubted(tracker, entry, located);
	if (is_doubtful_answer(entry, located)) {
		entry->sums[located->source].doubted = true;
		doubted_answers_open(tracker->doubted, entry, located);
	}
	return take_checked(tracker, entry, located);
}

/* Returns 0, or -ENOMEM. */
static int take_in_order(struct replay_tracker *tracker, struct replay_located *located)
{
	struct replay_entry *entry = replay_table_find(tracker->table, &located->key, located->hash);

	if (entry && (located->checksum == CHECKSUM_WRONG || entry->is_suspected))
		return take_suspected(tracker, entry, located);
	if (entry)
		side_sums_take(&entry->sums[located->source], located->checksum);
	return take_found(tracker, entry, located);
}

/* Begins the connection of `entry` again, with `first`. */
static int take_before(struct replay_tracker *tracker, struct replay_entry *entry, struct replay_located *first,
		       struct replay_located *early)
{
	struct capture_process process = entry->process;
	int count = entry->early, error, i;

	forget_withheld(tracker, entry);
	replay_table_remove(tracker->table, entry);
	tracker->taken_back++;
	error = take_in_order(tracker, first);
	for (i = 0; i < count && !error; i++)
		error = take_in_order(tracker, &early[i]);
	entry = replay_table_find(tracker->table, &first->key, first->hash);
	if (entry && !entry->process.pid)
		entry->process = process;
	return error;
}

int replay_tracker_take(struct replay_tracker *tracker, struct replay_located *located)
{
	struct replay_located early[EARLY_PACKETS_MOST];
	struct replay_entry *entry = find_begun_early(tracker, located, early);

	return entry ? take_before(tracker, entry, located, early) : take_in_order(tracker, located);
}

void replay_tracker_take_copy(struct replay_tracker *tracker, const struct replay_located *located)
{
	struct replay_entry *entry = replay_table_find(tracker->table, &located->key, located->hash);

	if (entry)
		entry->streams[located->source].core.flags |= NT_STREAM_REPEATED;
}

static bool is_error_of_attempt(const struct replay_entry *entry, const struct replay_located *located)
{
	return !entry->has_failed &&
	       nt_connection_awaits_answer(&entry->connection, located->source, located->segment.packet.sequence);
}

/* The attempt is held like one that waits for an answer, because another SYN may follow. */
void replay_tracker_take_error(struct replay_tracker *tracker, const struct replay_located *located, int error)
{
	struct replay_entry *entry = replay_table_find(tracker->table, &located->key, located->hash);

	if (!entry || !is_error_of_attempt(entry, located))
		return;
	if (entry->likely_ns)
		replace_first_time(entry);
	follow_clock(entry, &located->time);
	doubt_times(entry, &located->time, known_times(entry), true);
	entry->connection.last_change_ns = located->segment.ns;
	entry->connection.last_seen_ns = located->segment.ns;
	entry->error = (__u16)error;
	entry->has_failed = true;
	entry->seen = elapsed_at(&located->time);
	replay_table_move(tracker->table, entry, REPLAY_HALF_OPEN);
}

static void end_all_of_queue(struct replay_tracker *tracker, enum replay_queue queue, enum nt_wire_cause cause)
{
	struct replay_entry *entry;

	while ((entry = replay_table_oldest(tracker->table, queue)))
		end_entry(tracker, entry, entry->has_failed ? NT_WIRE_ENDED : cause);
}

void replay_tracker_finish(struct replay_tracker *tracker)
{
	end_all_of_queue(tracker, REPLAY_ENDED, NT_WIRE_ENDED);
	end_all_of_queue(tracker, REPLAY_ESTABLISHED, NT_WIRE_EXIT);
	end_all_of_queue(tracker, REPLAY_HALF_OPEN, NT_WIRE_EXIT);
}
