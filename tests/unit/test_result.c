// SPDX-License-Identifier: GPL-2.0-or-later
/* core/result.h: the results of connections with given packets and times. */
#include <linux/types.h>

#include "core/buffer.h"
#include "core/key.h"
#include "core/result.h"

#include "tests/unit/check.h"

#define T0 1000000000ULL
#define CLIENT 1 /* indexes in the key */
#define SERVER 0

static struct nt_connection connection;
static struct nt_result result;

/* Takes a packet `at` nanoseconds after T0, and fills the result. */
static void take(__u64 at, int source, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = { .flags = flags,
				    .sequence = sequence,
				    .acknowledgement = acknowledgement,
				    .payload_length = length,
				    .vlan = NT_NO_VLAN };

	packet.source[15] = source;
	packet.destination[15] = 1 - source;
	if (flags == NT_SYN)
		nt_connection_begin(&connection, &packet, source, T0 + at);
	else
		nt_connection_step(&connection, &packet, source, T0 + at);
	nt_result_fill(&result, &connection);
}

static void handshake(void)
{
	take(0, CLIENT, NT_SYN, 100, 0, 0);
	take(20, SERVER, NT_SYN | NT_ACK, 500, 101, 0);
	take(25, CLIENT, NT_ACK, 101, 501, 0);
}

static void unanswered(void)
{
	take(0, CLIENT, NT_SYN, 100, 0, 0);
	CHECK_EQUAL(result.start_ns, T0);
	CHECK_EQUAL(result.duration_ns, 0);
	CHECK_EQUAL(result.first_fin_ns, -1);
	CHECK_EQUAL(result.syn_synack_ns, -1);
	CHECK_EQUAL(result.synack_ack_ns, -1);
	CHECK_EQUAL(result.handshake_ns, -1);
	CHECK_EQUAL(result.syn_finack_ns, -1);
	CHECK_EQUAL(result.bytes[NT_SRC], 0); /* no payload without a handshake */
	CHECK_EQUAL(result.outcome, NT_OUTCOME_TIMEOUT);
	CHECK_EQUAL(result.ended_by, -1);
	CHECK_EQUAL(result.index[NT_SRC], CLIENT);
	CHECK_EQUAL(result.index[NT_DST], SERVER);
}

static void closed(void)
{
	handshake();
	CHECK_EQUAL(result.outcome, NT_OUTCOME_EXPIRED); /* if nothing more came */
	CHECK_EQUAL(result.bytes[NT_SRC], -1);
	take(60, SERVER, NT_FIN | NT_ACK, 501 + 7, 101 + 3, 0);
	take(90, CLIENT, NT_FIN | NT_ACK, 101 + 3, 502 + 7, 0);
	CHECK_EQUAL(result.duration_ns, 90);
	CHECK_EQUAL(result.first_fin_ns, 60);
	CHECK_EQUAL(result.syn_synack_ns, 20);
	CHECK_EQUAL(result.synack_ack_ns, 5);
	CHECK_EQUAL(result.handshake_ns, 25);
	CHECK_EQUAL(result.syn_finack_ns, 60);
	CHECK_EQUAL(result.bytes[NT_SRC], 3);
	CHECK_EQUAL(result.bytes[NT_DST], 7);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_DST);
}

static void refused(void)
{
	take(0, CLIENT, NT_SYN, 100, 0, 0);
	take(8, SERVER, NT_RST | NT_ACK, 0, 101, 0);
	CHECK_EQUAL(result.duration_ns, 8);
	CHECK_EQUAL(result.first_fin_ns, 8);
	CHECK_EQUAL(result.syn_finack_ns, -1);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_REFUSED);
	CHECK_EQUAL(result.ended_by, NT_DST);
}

/* RFC 9293 figure 8: the SYN-ACKs complete the handshake, and no ACK follows. */
static void simultaneous(void)
{
	struct nt_packet crossing = { .flags = NT_SYN, .sequence = 500, .destination = { [15] = CLIENT } };

	take(0, CLIENT, NT_SYN, 100, 0, 0);
	nt_connection_step(&connection, &crossing, SERVER, T0 + 5);
	take(20, SERVER, NT_SYN | NT_ACK, 500, 101, 0);
	take(30, CLIENT, NT_SYN | NT_ACK, 100, 501, 0);
	CHECK_EQUAL(result.synack_ack_ns, -1);
	CHECK_EQUAL(result.handshake_ns, 30);
}

/* Without a handshake the sequence number of a FIN proves nothing. */
static void fin_out_of_place(void)
{
	take(0, CLIENT, NT_SYN, 100, 0, 0);
	take(10, CLIENT, NT_FIN, 0x80000000, 0, 0);
	CHECK_EQUAL(result.bytes[NT_SRC], -1);
}

/* A socket connected to itself: every packet has index 0. */
static void self(void)
{
	struct nt_packet packet = { .flags = NT_SYN, .sequence = 100 };

	nt_connection_begin(&connection, &packet, 0, T0);
	nt_result_fill(&result, &connection);
	CHECK_EQUAL(result.index[NT_SRC], 0);
	CHECK_EQUAL(result.index[NT_DST], 0);
}

/* Sequence numbers wrap around after 4 GiB, which takes 43 ms at 100 bytes per nanosecond. */
static void bounds(void)
{
	take(0, CLIENT, NT_SYN, 100, 0, 0);
	take(63000000000, CLIENT, NT_SYN, 100, 0, 0);
	CHECK(result.most_bytes < NT_SEQUENCE_NUMBERS);
	CHECK_EQUAL(result.idle_limit_ns, 70000000000);
	handshake();
	CHECK_EQUAL(result.idle_limit_ns, 7200000000000);
	take(42000000, SERVER, NT_FIN | NT_ACK, 501, 101, 0);
	CHECK_EQUAL(result.most_bytes, 4200000000);
	take(43000000, CLIENT, NT_FIN | NT_ACK, 101, 502, 0);
	CHECK_EQUAL(result.most_bytes, NT_SEQUENCE_NUMBERS);
}

int main(void)
{
	bounds();
	unanswered();
	closed();
	refused();
	simultaneous();
	self();
	fin_out_of_place();
	return check_finish();
}
