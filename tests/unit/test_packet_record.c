// SPDX-License-Identifier: GPL-2.0-or-later
/* src/record/packet_record.c: records that are made from packets only (docs/record.md). */
#include "src/record/packet_record.h"

#include <stdlib.h>

#include "core/first_payload.h"

#include "tests/unit/check.h"

#define MS 1000000ULL
#define T0 1000000000ULL /* the clock of the connection, not UTC */
#define UTC 1700000000000000000LL

static struct nt_connection connection;
static struct nt_key key;
static struct nt_record record;
static struct packet_traffic traffic[2];
static __u64 now;

/* The client is 198.18.0.9:40000, index 1; the server 198.18.0.1:80. */
static struct nt_packet segment(bool from_client, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	static const __u8 client[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 9 };
	static const __u8 server[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 1 };
	struct nt_packet packet = { .flags = flags,
				    .sequence = sequence,
				    .acknowledgement = acknowledgement,
				    .payload_length = length,
				    .vlan = 12 };

	memcpy(packet.source, from_client ? client : server, 16);
	memcpy(packet.destination, from_client ? server : client, 16);
	packet.source_port = from_client ? 40000 : 80;
	packet.destination_port = from_client ? 80 : 40000;
	return packet;
}

static void take(__u64 at, bool from_client, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = segment(from_client, flags, sequence, acknowledgement, length);
	int source = nt_key_from_packet(&key, &packet, 4026531840U);

	now = T0 + at;
	if (connection.first_ns)
		nt_connection_step(&connection, &packet, source, now);
	else
		nt_connection_begin(&connection, &packet, source, now);
	nt_first_payload_add(&connection, &packet, source, now);
}

static void clear(void)
{
	memset(&connection, 0, sizeof(connection));
	memset(traffic, 0, sizeof(traffic));
}

static void handshake(void)
{
	clear();
	take(0, true, NT_SYN, 100, 0, 0);
	take(20 * MS, false, NT_SYN | NT_ACK, 500, 101, 0);
	take(21 * MS, true, NT_ACK, 101, 501, 0);
}

static void fill(enum nt_wire_cause cause, bool with_traffic)
{
	const struct packet_account account = {
		.key = &key,
		.connection = &connection,
		.traffic = with_traffic ? traffic : NULL,
		.interface = "eth0",
		.cause = cause,
		.now = now + 5 * MS,
		.to_utc_ns = UTC,
	};

	record_fill_from_packets(&record, &account);
}

static void check_absent(int bit)
{
	CHECK(!nt_record_has(&record, bit));
}

static void check_span(int bit, __u64 value, __u64 expected)
{
	CHECK(nt_record_has(&record, bit));
	CHECK_EQUAL(value, expected);
}

static void closed_connection(void)
{
	handshake();
	take(30 * MS, false, NT_FIN | NT_ACK, 501, 111, 30);
	take(33 * MS, true, NT_FIN | NT_ACK, 111, 532, 0);
	take(40 * MS, false, NT_ACK, 532, 112, 0);
	fill(NT_WIRE_ENDED, false);
	CHECK_EQUAL(record.event, NT_EVENT_CLOSE);
	CHECK_EQUAL(record.role, NT_ROLE_OBSERVER);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_CLOSED);
	check_span(NT_HAS_ENDED_BY, record.ended_by, NT_DST);
	CHECK_EQUAL(record.src_port, 40000);
	CHECK_EQUAL(record.dst_port, 80);
	CHECK_EQUAL(record.src_ip[15], 9);
	CHECK_EQUAL(record.dst_ip[15], 1);
	check_span(NT_HAS_START, record.start_ns, UTC + T0);
	CHECK_EQUAL(record.end_ns, UTC + T0 + 33 * MS); /* the last change, not the last packet */
	check_span(NT_HAS_DURATION, record.duration_ns, 33 * MS);
	check_span(NT_HAS_WIRE_DURATION, record.wire_duration_ns, 33 * MS);
	check_span(NT_HAS_FIRST_FIN, record.first_fin_ns, 30 * MS);
	check_span(NT_HAS_SYN_SYNACK, record.syn_synack_ns, 20 * MS);
	check_span(NT_HAS_SYNACK_ACK, record.synack_ack_ns, 1 * MS);
	check_span(NT_HAS_HANDSHAKE, record.handshake_ns, 21 * MS);
	check_span(NT_HAS_SYN_FINACK, record.syn_finack_ns, 30 * MS);
	check_span(NT_HAS_NETNS, record.netns, 4026531840U);
	check_span(NT_HAS_VLAN, record.vlan, 12);
	check_span(NT_HAS_SRC_BYTES, record.bytes[NT_SRC], 10);
	check_span(NT_HAS_DST_BYTES, record.bytes[NT_DST], 30);
	CHECK_STRING(record.ifname, "eth0");
	CHECK_STRING(record.conn_state, "SF");
	CHECK_STRING(record.history, "ShfF");
	CHECK_EQUAL(record.seen, NT_SEEN_WIRE);
	CHECK_EQUAL(record.gaps, 0);
	CHECK_EQUAL(strlen(record.id), 16);
	check_absent(NT_HAS_PID);
	check_absent(NT_HAS_SRC_PACKETS);
}

static void open_connection(void)
{
	handshake();
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.event, NT_EVENT_EXIT);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
	CHECK_EQUAL(record.end_ns, UTC + T0 + 26 * MS); /* the time of the record */
	check_span(NT_HAS_DURATION, record.duration_ns, 26 * MS);
	check_span(NT_HAS_WIRE_DURATION, record.wire_duration_ns, 21 * MS);
	check_absent(NT_HAS_ENDED_BY);
	check_absent(NT_HAS_FIRST_FIN);
	check_absent(NT_HAS_SYN_FINACK);
	check_absent(NT_HAS_SRC_BYTES);
}

static void refused_and_unanswered(void)
{
	clear();
	take(0, true, NT_SYN, 100, 0, 0);
	take(1 * MS, false, NT_RST | NT_ACK, 0, 101, 0);
	fill(NT_WIRE_ENDED, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_REFUSED);
	check_span(NT_HAS_ENDED_BY, record.ended_by, NT_DST);
	check_span(NT_HAS_SRC_BYTES, record.bytes[NT_SRC], 0);
	check_absent(NT_HAS_HANDSHAKE);
	CHECK_STRING(record.conn_state, "REJ");

	clear();
	take(0, true, NT_SYN, 100, 0, 0);
	take(1000 * MS, true, NT_SYN, 100, 0, 0);
	fill(NT_WIRE_IDLE, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_TIMEOUT);
	check_span(NT_HAS_DURATION, record.duration_ns, 0); /* the retransmitted SYN changes nothing */
	check_absent(NT_HAS_ENDED_BY);
}

/* At the end of a file an attempt is unanswered until a SYN-ACK answers it; a challenge ACK is no answer. */
static void waiting_at_exit(void)
{
	clear();
	take(0, true, NT_SYN, 100, 0, 0);
	take(1 * MS, false, NT_ACK, 9000, 7000, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.event, NT_EVENT_EXIT);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_UNANSWERED);
	check_absent(NT_HAS_ENDED_BY);
	take(2 * MS, false, NT_SYN | NT_ACK, 500, 101, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);

	clear();
	take(0, false, NT_SYN | NT_ACK, 500, 101, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
}

static void expired(void)
{
	handshake();
	fill(NT_WIRE_IDLE, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_EXPIRED);
	check_absent(NT_HAS_ENDED_BY);
	take(25 * MS, true, NT_FIN | NT_ACK, 101, 501, 0);
	fill(NT_WIRE_IDLE, false);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_EXPIRED);
	check_span(NT_HAS_ENDED_BY, record.ended_by, NT_SRC);
	handshake();
	fill(NT_WIRE_REPLACED, false);
	CHECK_EQUAL(record.event, NT_EVENT_CLOSE);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_EXPIRED);
}

static void gaps(void)
{
	clear();
	take(0, true, NT_ACK, 100, 200, 10);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.gaps, NT_GAP_START | NT_GAP_DIRECTION);
	check_span(NT_HAS_START, record.start_ns, UTC + T0);

	clear();
	take(0, false, NT_SYN | NT_ACK, 500, 101, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.gaps, NT_GAP_START);
	CHECK_EQUAL(record.src_port, 40000);

	clear();
	take(0, true, NT_SYN, 100, 0, 0);
	take(0, false, NT_SYN, 500, 0, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK_EQUAL(record.gaps, NT_GAP_DIRECTION);
}

/* At 800 Gb/s a connection moves 4 GiB in 43 ms, so after a second the byte counts are ambiguous. */
static void bytes_modulo_four_gigabytes(void)
{
	handshake();
	take(1000 * MS, false, NT_FIN | NT_ACK, 501, 111, 30);
	take(1001 * MS, true, NT_FIN | NT_ACK, 111, 532, 0);
	fill(NT_WIRE_ENDED, false);
	CHECK_EQUAL(record.gaps, NT_GAP_BYTES_MOD_4G);
	check_absent(NT_HAS_SRC_BYTES);
	check_absent(NT_HAS_DST_BYTES);
}

static void every_packet_followed(void)
{
	handshake();
	traffic[1] = (struct packet_traffic){ .packets = 5, .bytes = 1ULL << 33, .retransmits = 2, .complete = true };
	traffic[0] = (struct packet_traffic){ .packets = 3, .bytes = 7, .complete = true };
	fill(NT_WIRE_EXIT, true);
	CHECK_EQUAL(record.seen, NT_SEEN_WIRE | NT_SEEN_PACKETS);
	check_span(NT_HAS_SRC_PACKETS, record.packets[NT_SRC], 5);
	check_span(NT_HAS_SRC_BYTES, record.bytes[NT_SRC], 1ULL << 33);
	check_span(NT_HAS_SRC_RETRANSMITS, record.retransmits[NT_SRC], 2);
	check_span(NT_HAS_DST_PACKETS, record.packets[NT_DST], 3);
	check_span(NT_HAS_DST_BYTES, record.bytes[NT_DST], 7);
	CHECK_EQUAL(record.gaps, 0);
	traffic[0].complete = false;
	fill(NT_WIRE_EXIT, true);
	CHECK_EQUAL(record.gaps, NT_GAP_PACKETS);
}

/* Packets of one direction only: the bytes of the other side are unknown, not 0. */
static void one_direction(void)
{
	handshake();
	traffic[1] = (struct packet_traffic){ .packets = 2, .complete = true };
	fill(NT_WIRE_EXIT, true);
	CHECK_EQUAL(record.gaps, NT_GAP_PACKETS);
	check_span(NT_HAS_DST_PACKETS, record.packets[NT_DST], 0);
	check_absent(NT_HAS_DST_BYTES);
	check_absent(NT_HAS_DST_RETRANSMITS);
}

static void clock_that_runs_backwards(void)
{
	clear();
	take(100 * MS, true, NT_SYN, 100, 0, 0);
	take(50 * MS, false, NT_SYN | NT_ACK, 500, 101, 0);
	take(101 * MS, true, NT_ACK, 101, 501, 0);
	fill(NT_WIRE_EXIT, false);
	CHECK(nt_record_has(&record, NT_HAS_SYN_SYNACK));
	CHECK_EQUAL(record.syn_synack_ns, -50 * (int64_t)MS);
	check_span(NT_HAS_SYNACK_ACK, record.synack_ack_ns, 51 * MS);
	check_span(NT_HAS_HANDSHAKE, record.handshake_ns, 1 * MS);
}

static void first_payloads(void)
{
	handshake();
	fill(NT_WIRE_EXIT, false);
	check_absent(NT_HAS_REQUEST);
	check_absent(NT_HAS_RESPONSE);
	take(22 * MS, true, NT_ACK, 101, 501, 10);
	fill(NT_WIRE_EXIT, false);
	check_span(NT_HAS_REQUEST, record.request_ns, 22 * MS);
	check_absent(NT_HAS_RESPONSE);
	take(90 * MS, false, NT_ACK, 501, 111, 10);
	fill(NT_WIRE_EXIT, false);
	check_span(NT_HAS_RESPONSE, record.response_ns, 90 * MS);
	connection.syn_ns = 0; /* the start is unknown */
	fill(NT_WIRE_EXIT, false);
	check_absent(NT_HAS_REQUEST);
	check_absent(NT_HAS_RESPONSE);
}

int main(void)
{
	first_payloads();
	closed_connection();
	open_connection();
	refused_and_unanswered();
	waiting_at_exit();
	expired();
	gaps();
	bytes_modulo_four_gigabytes();
	every_packet_followed();
	one_direction();
	clock_that_runs_backwards();
	return check_finish();
}
