// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/packet_record.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/first_payload.h"
#include "core/verdict.h"
#include "src/record/record_id.h"

/* Does nothing if either time is unknown, or if the capture's clock ran backwards in between. */
static void packet_set_span(struct nt_record *record, int bit, __u64 *member, __u64 from, __u64 to)
{
	if (!from || !to || to < from)
		return;
	*member = to - from;
	nt_record_set(record, bit);
}

/* A longer span backwards is no disorder of the capture: the clock was wrong at one of the packets. */
#define MOST_DISORDER_NS (60 * 1000000000ULL)

/* The same for two packets: negative if the capture has them in another order than they were sent in. */
static void set_signed_span(struct nt_record *record, int bit, long long *member, __u64 from, __u64 to)
{
	if (!from || !to || to + MOST_DISORDER_NS < from)
		return;
	*member = (long long)(to - from);
	nt_record_set(record, bit);
}

/* first_ns may be the answer's time: the SYN may have been captured after it. */
static __u64 packet_start_ns(const struct nt_connection *connection)
{
	return connection->syn_ns ? connection->syn_ns : connection->first_ns;
}

static int side_index(const struct nt_connection *connection, enum nt_side side)
{
	if (connection->marks & NT_MARK_SELF)
		return connection->src_index;
	return side == NT_SRC ? connection->src_index : 1 - connection->src_index;
}

static void fill_handshake(struct nt_record *record, const struct nt_connection *connection)
{
	__u64 syn = connection->syn_ns, synack = connection->synack_ns, ack = connection->ack_ns;

	set_signed_span(record, NT_HAS_SYN_SYNACK, &record->syn_synack_ns, syn, synack);
	/* In a simultaneous open a SYN-ACK completes the handshake, and no ACK follows it. */
	if (!(connection->marks & (NT_MARK_SELF | NT_MARK_SIMULTANEOUS)))
		set_signed_span(record, NT_HAS_SYNACK_ACK, &record->synack_ack_ns, synack, ack);
	set_signed_span(record, NT_HAS_HANDSHAKE, &record->handshake_ns, syn, ack);
	set_signed_span(record, NT_HAS_SYN_FINACK, &record->syn_finack_ns, syn,
			connection->fin_ns[side_index(connection, NT_DST)]);
}

/* Without the SYN the start is unknown. */
void record_add_first_payloads(struct nt_record *record, const struct nt_connection *connection, __u64 start)
{
	if (!connection->syn_ns)
		return;
	packet_set_span(record, NT_HAS_REQUEST, &record->request_ns, start,
			nt_first_payload_ns(connection, side_index(connection, NT_SRC)));
	packet_set_span(record, NT_HAS_RESPONSE, &record->response_ns, start,
			nt_first_payload_ns(connection, side_index(connection, NT_DST)));
}

/* A connection to itself has no exchange. */
void record_add_last_exchange(struct nt_record *record, const struct nt_connection *connection,
			      const struct nt_last_exchange *exchange, __u64 start)
{
	int dst = side_index(connection, NT_DST);

	if (!connection->syn_ns || connection->marks & NT_MARK_SELF || !nt_last_exchange_is_later(exchange))
		return;
	packet_set_span(record, NT_HAS_LAST_REQUEST, &record->last_request_ns, start,
			exchange->ns[side_index(connection, NT_SRC)]);
	if (nt_last_exchange_has_response(exchange, dst))
		packet_set_span(record, NT_HAS_LAST_RESPONSE, &record->last_response_ns, start, exchange->ns[dst]);
}

void record_add_wire(struct nt_record *record, const struct nt_connection *connection)
{
	_Static_assert(NT_CONNECTION_HISTORY < NT_HISTORY_SIZE, "a history and its NUL fit into a record");

	record->seen |= NT_SEEN_WIRE;
	fill_handshake(record, connection);
	packet_set_span(record, NT_HAS_WIRE_DURATION, &record->wire_duration_ns, packet_start_ns(connection),
			connection->last_change_ns);
	strncpy(record->conn_state, nt_connection_conn_state(connection), sizeof(record->conn_state) - 1);
	record->conn_state[sizeof(record->conn_state) - 1] = 0;
	nt_record_set(record, NT_HAS_CONN_STATE);
	memcpy(record->history, connection->history, connection->history_length);
	record->history[connection->history_length] = 0;
	nt_record_set(record, NT_HAS_HISTORY);
}

static void fill_side(struct nt_record *record, enum nt_side side, const struct packet_traffic *traffic, bool has_sent)
{
	static const struct {
		int bytes, packets, retransmits;
	} bits[] = {
		[NT_SRC] = { NT_HAS_SRC_BYTES, NT_HAS_SRC_PACKETS, NT_HAS_SRC_RETRANSMITS },
		[NT_DST] = { NT_HAS_DST_BYTES, NT_HAS_DST_PACKETS, NT_HAS_DST_RETRANSMITS },
	};

	record->packets[side] = traffic->packets;
	nt_record_set(record, bits[side].packets);
	if (!traffic->packets && has_sent) {
		record->gaps |= NT_GAP_PACKETS;
		return;
	}
	record->bytes[side] = traffic->bytes;
	record->retransmits[side] = traffic->retransmits;
	nt_record_set(record, bits[side].bytes);
	nt_record_set(record, bits[side].retransmits);
	if (!traffic->complete)
		record->gaps |= NT_GAP_PACKETS;
}

void record_add_traffic(struct nt_record *record, const struct nt_connection *connection,
			const struct packet_traffic traffic[2])
{
	/* After a complete handshake both sides have sent packets, even if they took another path. */
	bool has_sent = nt_connection_is_established(connection);

	record->seen |= NT_SEEN_PACKETS;
	fill_side(record, NT_SRC, &traffic[side_index(connection, NT_SRC)], has_sent);
	fill_side(record, NT_DST, &traffic[side_index(connection, NT_DST)], has_sent);
}

struct packet_traffic traffic_of_stream_core(const struct nt_stream_core *stream, bool is_incomplete)
{
	return (struct packet_traffic){
		.packets = stream->packets,
		.bytes = stream->bytes,
		.retransmits = stream->retransmits,
		.complete = !is_incomplete,
	};
}

struct packet_traffic traffic_of_stream(const struct nt_stream *stream)
{
	return traffic_of_stream_core(&stream->core, nt_stream_is_incomplete(stream));
}

void record_add_streams(struct nt_record *record, const struct nt_connection *connection,
			const struct nt_streams *streams)
{
	const struct packet_traffic traffic[2] = {
		traffic_of_stream(&streams->of[0]),
		traffic_of_stream(&streams->of[1]),
	};

	record_add_traffic(record, connection, traffic);
}

/* Sets the payload bytes by sequence numbers, unless the count may have wrapped (4 GiB). */
static void fill_bytes(struct nt_record *record, const struct packet_account *account)
{
	__u64 limit = nt_connection_most_bytes(account->connection);
	int side;
	__u32 bytes;

	if (account->most_bytes && account->most_bytes < limit)
		limit = account->most_bytes;
	for (side = NT_SRC; side <= NT_DST; side++) {
		if (nt_connection_bytes(account->connection, side_index(account->connection, side), &bytes) ==
		    NT_KNOWN_NOT)
			continue;
		if (limit >= NT_SEQUENCE_NUMBERS) {
			record->gaps |= NT_GAP_BYTES_MOD_4G;
			continue;
		}
		record->bytes[side] = bytes;
		nt_record_set(record, side == NT_SRC ? NT_HAS_SRC_BYTES : NT_HAS_DST_BYTES);
	}
}

static void packet_fill_tuple(struct nt_record *record, const struct nt_key *key,
			      const struct nt_connection *connection)
{
	int src = side_index(connection, NT_SRC), dst = side_index(connection, NT_DST);

	memcpy(record->src_ip, key->address[src], sizeof(record->src_ip));
	memcpy(record->dst_ip, key->address[dst], sizeof(record->dst_ip));
	record->src_port = key->port[src];
	record->dst_port = key->port[dst];
	if (key->netns) {
		record->netns = key->netns;
		nt_record_set(record, NT_HAS_NETNS);
	}
}

void record_add_place(struct nt_record *record, const struct nt_connection *connection, const char *interface)
{
	if (interface) {
		snprintf(record->ifname, sizeof(record->ifname), "%s", interface);
		nt_record_set(record, NT_HAS_IFNAME);
	}
	if (connection->vlan != NT_NO_VLAN) {
		record->vlan = connection->vlan;
		nt_record_set(record, NT_HAS_VLAN);
	}
}

static void packet_fill_owner(struct nt_record *record, const struct packet_account *account)
{
	if (!account->pid)
		return;
	record->pid = account->pid;
	nt_record_set(record, NT_HAS_PID);
	record->owner_by = NT_OWNER_CAPTURE;
	nt_record_set(record, NT_HAS_OWNER_BY);
	if (!account->comm[0])
		return;
	snprintf(record->comm, sizeof(record->comm), "%s", account->comm);
	nt_record_set(record, NT_HAS_COMM);
}

static void packet_fill_times(struct nt_record *record, const struct packet_account *account)
{
	const struct nt_connection *connection = account->connection;
	__u64 start = packet_start_ns(connection);
	__u64 end = record->event == NT_EVENT_CLOSE ? connection->last_change_ns : account->now;

	record->end_ns = end + account->to_utc_ns;
	record->start_ns = start + account->to_utc_ns;
	nt_record_set(record, NT_HAS_START);
	if (!connection->syn_ns)
		record->gaps |= NT_GAP_START;
	packet_set_span(record, NT_HAS_DURATION, &record->duration_ns, start, end);
	packet_set_span(record, NT_HAS_FIRST_FIN, &record->first_fin_ns, start,
			nt_connection_first_fin_or_rst(connection));
}

void record_set_reason(struct nt_record *record, const char *word)
{
	size_t i;

	for (i = 0; word[i] && i < sizeof(record->reason) - 1; i++)
		record->reason[i] = tolower((unsigned char)word[i]);
	nt_record_set(record, NT_HAS_REASON);
}

/* Packets that ended the attempt, or established the connection, count more than an ICMP error. */
static void packet_fill_error(struct nt_record *record, int error)
{
	bool is_evicted_attempt = record->gaps & NT_GAP_EVICTED && record->outcome == NT_OUTCOME_UNANSWERED;

	if (!error || (record->outcome != NT_OUTCOME_TIMEOUT && !is_evicted_attempt))
		return;
	record->outcome = NT_OUTCOME_UNREACHABLE;
	record_set_reason(record, strerrorname_np(error));
}

/* Its outcome as known so far: packets that would have come later are unknown. */
static void packet_fill_evicted(struct nt_record *record, const struct nt_connection *connection, int *ended_by)
{
	record->gaps |= NT_GAP_EVICTED;
	record->outcome = nt_connection_outcome(connection, ended_by);
	if (record->outcome == NT_OUTCOME_OPEN)
		record->outcome = nt_connection_exit_outcome(connection);
}

static void packet_fill_outcome(struct nt_record *record, const struct packet_account *account)
{
	int ended_by = -1;

	record->event = account->cause == NT_WIRE_EXIT ? NT_EVENT_EXIT : NT_EVENT_CLOSE;
	if (account->cause == NT_WIRE_EXIT)
		record->outcome = nt_connection_exit_outcome(account->connection);
	else if (account->cause == NT_WIRE_EVICTED)
		packet_fill_evicted(record, account->connection, &ended_by);
	else
		record->outcome = nt_connection_idle_outcome(account->connection, &ended_by);
	packet_fill_error(record, account->error);
	if (ended_by < 0)
		return;
	record->ended_by = ended_by;
	nt_record_set(record, NT_HAS_ENDED_BY);
}

/* Returns whether the difference of two times is known; enum packet_time_bit, 0: now. */
static bool is_span_known(const struct packet_doubt *doubt, __u16 from, __u16 to)
{
	return !(doubt->unknown & (from | to)) && !(doubt->former & from) == !(doubt->former & to);
}

/* Removes the differences of times of which one is unknown, or between which the clock was set back. */
static void remove_doubtful_spans(struct nt_record *record, const struct packet_account *account)
{
	const struct nt_connection *connection = account->connection;
	__u16 start = connection->syn_ns ? PACKET_TIME_SYN : PACKET_TIME_FIRST;
	__u16 end = record->event == NT_EVENT_CLOSE ? PACKET_TIME_CHANGE : 0;
	__u16 dst_fin = side_index(connection, NT_DST) ? PACKET_TIME_FIN_1 : PACKET_TIME_FIN_0;
	__u16 request = side_index(connection, NT_SRC) ? PACKET_TIME_PAYLOAD_1 : PACKET_TIME_PAYLOAD_0;
	__u16 response = side_index(connection, NT_DST) ? PACKET_TIME_PAYLOAD_1 : PACKET_TIME_PAYLOAD_0;
	__u16 last_request = side_index(connection, NT_SRC) ? PACKET_TIME_EXCHANGE_1 : PACKET_TIME_EXCHANGE_0;
	__u16 last_response = side_index(connection, NT_DST) ? PACKET_TIME_EXCHANGE_1 : PACKET_TIME_EXCHANGE_0;
	__u16 fins = PACKET_TIME_RST | PACKET_TIME_FIN_0 | PACKET_TIME_FIN_1;
	const struct {
		int bit;
		__u16 from, to;
	} spans[] = {
		{ NT_HAS_SYN_SYNACK, PACKET_TIME_SYN, PACKET_TIME_SYNACK },
		{ NT_HAS_SYNACK_ACK, PACKET_TIME_SYNACK, PACKET_TIME_ACK },
		{ NT_HAS_HANDSHAKE, PACKET_TIME_SYN, PACKET_TIME_ACK },
		{ NT_HAS_SYN_FINACK, PACKET_TIME_SYN, dst_fin },
		{ NT_HAS_REQUEST, PACKET_TIME_SYN, request },
		{ NT_HAS_RESPONSE, PACKET_TIME_SYN, response },
		{ NT_HAS_LAST_REQUEST, PACKET_TIME_SYN, last_request },
		{ NT_HAS_LAST_RESPONSE, PACKET_TIME_SYN, last_response },
		{ NT_HAS_DURATION, start, end },
		{ NT_HAS_WIRE_DURATION, start, PACKET_TIME_CHANGE },
		/* Which of them was first is not known if the time of one is not. */
		{ NT_HAS_FIRST_FIN, start, (account->doubt->unknown | account->doubt->former) & fins },
	};
	unsigned int i;

	for (i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
		if (!is_span_known(account->doubt, spans[i].from, spans[i].to))
			nt_record_unset(record, spans[i].bit);
}

void record_fill_from_packets(struct nt_record *record, const struct packet_account *account)
{
	memset(record, 0, sizeof(*record));
	record->role = NT_ROLE_OBSERVER;
	if (account->connection->marks & (NT_MARK_MIDSTREAM | NT_MARK_SIMULTANEOUS))
		record->gaps |= NT_GAP_DIRECTION;
	packet_fill_outcome(record, account);
	if (nt_connection_end_is_doubtful(account->connection))
		record->gaps |= NT_GAP_DOUBTFUL_END;
	packet_fill_tuple(record, account->key, account->connection);
	record_add_place(record, account->connection, account->interface);
	packet_fill_owner(record, account);
	packet_fill_times(record, account);
	record_add_wire(record, account->connection);
	record_add_first_payloads(record, account->connection, packet_start_ns(account->connection));
	if (account->exchange)
		record_add_last_exchange(record, account->connection, account->exchange,
					 packet_start_ns(account->connection));
	if (account->traffic)
		record_add_traffic(record, account->connection, account->traffic);
	else
		fill_bytes(record, account);
	if (account->doubt && (account->doubt->unknown | account->doubt->former))
		remove_doubtful_spans(record, account);
	record_id_observer(record);
}
