// SPDX-License-Identifier: GPL-2.0-or-later
/* src/record/record_wait.c: the table of docs/record.md, "Whose time it was". */
#include "src/record/record_wait.h"

#include "tests/unit/check.h"

#define MS 1000000ULL

static struct nt_record record;

/* A client's record: a round trip of 20 ms, the request at 25 ms, the answer at 345 ms. */
static void set_client(void)
{
	record = (struct nt_record){
		.role = NT_ROLE_CLIENT,
		.syn_synack_ns = 20 * MS,
		.handshake_ns = 21 * MS,
		.request_ns = 25 * MS,
		.response_ns = 345 * MS,
		.duration_ns = 1000 * MS,
		.present = NT_PRESENT(NT_HAS_SYN_SYNACK) | NT_PRESENT(NT_HAS_HANDSHAKE) | NT_PRESENT(NT_HAS_REQUEST) |
			   NT_PRESENT(NT_HAS_RESPONSE) | NT_PRESENT(NT_HAS_DURATION),
	};
}

static void check_parts(int network, int server, int rest)
{
	struct record_wait wait = record_wait_compute(&record);

	CHECK_EQUAL(wait.network.known ? (int)(wait.network.ns / MS) : -1, network);
	CHECK_EQUAL(wait.server.known ? (int)(wait.server.ns / MS) : -1, server);
	CHECK_EQUAL(wait.rest.known ? (int)(wait.rest.ns / MS) : -1, rest);
}

static const char *rest_name(enum nt_limited_by limit)
{
	record.limited_by = limit;
	nt_record_set(&record, NT_HAS_LIMITED_BY);
	return record_wait_rest_name(record_wait_compute(&record).rest_is);
}

int main(void)
{
	set_client();
	check_parts(41, 300, 659);
	CHECK_STRING(record_wait_server_name(&record), "peer");
	CHECK_STRING(record_wait_rest_name(record_wait_compute(&record).rest_is), "idle");
	CHECK_STRING(rest_name(NT_LIMITED_RECEIVER), "reader");
	CHECK_STRING(rest_name(NT_LIMITED_SNDBUF), "writer");
	CHECK_STRING(rest_name(NT_LIMITED_NETWORK), "network");
	record.min_rtt_us = 10000; /* the SYN was retransmitted: the socket knows better */
	nt_record_set(&record, NT_HAS_MIN_RTT);
	check_parts(31, 310, 659);

	set_client(); /* the server speaks first, or alone */
	record.request_ns = 500 * MS;
	check_parts(41, 304, 655);
	nt_record_unset(&record, NT_HAS_REQUEST);
	check_parts(41, 304, 655);

	set_client();
	record.response_ns = 30 * MS;
	check_parts(41, 0, 959);
	record.duration_ns = 30 * MS;
	check_parts(41, 0, 0);

	set_client(); /* the place of capture is at the server */
	record.role = NT_ROLE_SERVER;
	record.syn_synack_ns = 0;
	check_parts(21, 320, 659);
	CHECK_STRING(record_wait_server_name(&record), "local");

	set_client();
	record.role = NT_ROLE_OBSERVER;
	check_parts(41, 300, -1);

	set_client(); /* an unknown input */
	nt_record_unset(&record, NT_HAS_RESPONSE);
	check_parts(41, -1, -1);
	set_client();
	nt_record_unset(&record, NT_HAS_DURATION);
	check_parts(41, 300, -1);
	set_client();
	nt_record_unset(&record, NT_HAS_SYN_SYNACK);
	check_parts(-1, -1, -1);
	set_client();
	record.handshake_ns = -1; /* a capture whose packets are out of order */
	check_parts(-1, -1, -1);
	return check_finish();
}
