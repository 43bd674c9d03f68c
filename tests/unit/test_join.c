// SPDX-License-Identifier: GPL-2.0-or-later
/* The join, without a kernel: which socket gets which packets, when it is reported, and which packets make no record.
 * Expected results follow docs/record.md, "One socket, one record", and docs/architecture.md on the join.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "src/live/join.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

#define CAPACITY 64
#define REPORTED_CAPACITY 256

struct reported_socket {
	struct nt_socket socket;
	bool has_wire, wire_ended, has_streams;
	__u64 wire_first_ns, dst_packets;
};

static struct {
	struct reported_socket sockets[REPORTED_CAPACITY];
	unsigned int socket_count, observed, unaccepted, forwarded, claimed, lost;
} reported;

static struct join *join;

static void take_socket(void *context, const struct joined_socket *joined)
{
	struct reported_socket *taken = &reported.sockets[reported.socket_count++ % REPORTED_CAPACITY];

	CHECK(context == &reported);
	*taken = (struct reported_socket){
		.socket = joined->event->socket,
		.has_wire = joined->wire,
		.wire_ended = joined->wire_ended,
		.has_streams = joined->streams,
		.wire_first_ns = joined->wire ? joined->wire->connection.first_ns : 0,
		.dst_packets = joined->streams ? joined->streams->of[1].core.packets : 0,
	};
}

static void take_observer(void *context, const struct nt_wire_event *event, enum join_route route)
{
	(void)context;
	CHECK(event->wire.connection.first_ns);
	reported.observed += route == JOIN_OBSERVED;
	reported.unaccepted += route == JOIN_NO_SOCKET;
	reported.forwarded += route == JOIN_FORWARDED;
}

static void take_claimed(void *context)
{
	(void)context;
	reported.claimed++;
}

static void take_loss(void *context)
{
	(void)context;
	reported.lost++;
}

/* The only connection in the kernel's tables; NULL: they are empty. */
static const struct nt_wire *table;

static bool find_in_table(void *context, const struct nt_socket *socket, struct nt_wire *wire)
{
	CHECK(context == &reported);
	CHECK(socket->cookie);
	if (table)
		*wire = *table;
	return table;
}

static void begin_with(unsigned int capacity, bool sockets_are_reported)
{
	const struct join_output output = { &reported, take_socket,   take_observer, take_claimed,
					    take_loss, find_in_table, NULL };

	memset(&reported, 0, sizeof(reported));
	join = join_new(capacity, OWN_NETNS, sockets_are_reported, &output);
}

static void begin(void)
{
	begin_with(CAPACITY, true);
}

/* Reports all held sockets. A held wire that no socket claimed makes no record. */
static void finish(void)
{
	join_finish(join);
	join_free(join);
	CHECK_EQUAL(reported.lost, 0);
}

/* Copies the event to a block of its exact length, so that the sanitizer finds a read beyond it. */
static void feed_socket(const struct nt_socket_event *event)
{
	bool has_wire = event->wire_status == NT_WIRE_OPEN || event->wire_status == NT_WIRE_SETTLED;
	size_t length = has_wire ? sizeof(*event) : NT_SOCKET_EVENT_SHORT;
	struct nt_socket_event *copy = malloc(length);

	memcpy(copy, event, length);
	join_add_socket(join, copy, length);
	free(copy);
}

static void feed_wire(struct nt_wire_event event)
{
	join_add_wire(join, &event);
}

static const struct reported_socket *last_reported(void)
{
	return &reported.sockets[(reported.socket_count + REPORTED_CAPACITY - 1) % REPORTED_CAPACITY];
}

static struct nt_wire local_wire(const char *letters, __u64 first_ns)
{
	return with_cookies(sample_wire(letters, first_ns), CLIENT_COOKIE, SERVER_COOKIE);
}

static struct nt_wire clients_wire(const char *letters, __u64 first_ns)
{
	return with_cookies(sample_wire(letters, first_ns), CLIENT_COOKIE, 0);
}

/* ---- one socket, one wire ---- */

static void socket_without_wire(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	begin();
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(!last_reported()->has_wire);
	CHECK_EQUAL(last_reported()->socket.cookie, CLIENT_COOKIE);
	finish();
	CHECK_EQUAL(reported.socket_count, 1);
}

/* ---- the kernel side did not look up the wire ---- */

static struct nt_socket_event close_of_both_fins(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.wire_status = NT_WIRE_NOT_ASKED;
	table = NULL;
	return event;
}

/* The socket's record comes without values of packets once no wire event can come any more. */
static void expect_without_wire(void)
{
	join_expire(join, START + SECOND + JOIN_LATE_WIRE_NS - 1);
	CHECK_EQUAL(reported.socket_count, 0);
	join_expire(join, START + SECOND + JOIN_LATE_WIRE_NS);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(!last_reported()->has_wire);
}

static void not_asked_and_reported_before(void)
{
	struct nt_socket_event event = close_of_both_fins();

	begin();
	feed_wire(wire_end(clients_wire("ShAfF", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(last_reported()->wire_first_ns, START + US);
	finish();
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK_EQUAL(reported.claimed, 1);
}

static void not_asked_and_never_seen(void)
{
	struct nt_socket_event event = close_of_both_fins();

	begin();
	feed_socket(&event);
	expect_without_wire();
	finish();
}

/* A refused RST delayed the end of the packets behind that of the socket. */
static void not_asked_and_reported_after(void)
{
	struct nt_socket_event event = close_of_both_fins();

	begin();
	feed_socket(&event);
	feed_wire(wire_end(clients_wire("ShAfF", START + US), NT_WIRE_ENDED, START + SECOND + MS));
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	finish();
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK_EQUAL(reported.claimed, 1);
}

/* Its packets were seen in one direction only: the join waits for their end, as if the kernel side had reported the
 * wire as open.
 */
static void not_asked_and_still_open(void)
{
	struct nt_socket_event event = close_of_both_fins();
	struct nt_wire wire = clients_wire("ShAF", START + US);

	begin();
	table = &wire;
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 0);
	join_expire(join, START + SECOND + JOIN_WIRE_NS - 1);
	CHECK_EQUAL(reported.socket_count, 0);
	join_expire(join, START + SECOND + JOIN_WIRE_NS);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->has_wire);
	CHECK(!last_reported()->wire_ended);
	finish();
	table = NULL;
}

/* The kernel's table holds another connection of the same tuple. */
static void not_asked_and_another_connection(void)
{
	struct nt_socket_event event = close_of_both_fins();
	struct nt_wire wire = with_cookies(sample_wire("ShA", START + SECOND), 0x77, 0);

	begin();
	table = &wire;
	feed_socket(&event);
	expect_without_wire();
	finish();
	table = NULL;
}

static void wire_ends_first(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	begin();
	feed_wire(wire_end(clients_wire("ShAfF", START + US), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.socket_count + reported.claimed, 0);
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(last_reported()->wire_first_ns, START + US);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
	CHECK_EQUAL(reported.claimed + reported.observed + reported.forwarded, 1);
}

static void socket_ends_first(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_WIRE_NS - 1);
	CHECK_EQUAL(reported.socket_count, 0);
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + 2 * SECOND));
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
	CHECK_EQUAL(reported.socket_count + reported.observed + reported.forwarded, 1);
}

static void wire_never_ends(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	join_expire(join, START + 3 * SECOND - 1);
	CHECK_EQUAL(reported.socket_count, 0);
	join_expire(join, START + 3 * SECOND);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->has_wire && !last_reported()->wire_ended);
	/* The late end of the packets makes no record. */
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + 9 * SECOND));
	join_expire(join, START + 9 * SECOND + JOIN_CLAIM_NS - 1);
	CHECK_EQUAL(reported.claimed, 0);
	join_expire(join, START + 9 * SECOND + JOIN_CLAIM_NS);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
	CHECK_EQUAL(reported.socket_count + reported.observed + reported.forwarded, 1);
}

/* Two CPUs: the socket's event was filled before the wire's event and submitted after it. */
static void ends_at_once(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	finish();
	CHECK_EQUAL(reported.claimed, 1);
}

static void settled_at_once(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("S", START + US), NT_WIRE_SETTLED);

	begin();
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->has_wire && last_reported()->wire_ended);
	finish();
	CHECK_EQUAL(reported.claimed, 0);
}

static void wire_is_open_at_exit(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	feed_wire(wire_end(clients_wire("ShAF", START + US), NT_WIRE_EXIT, START + SECOND + MS));
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->has_wire && !last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
}

static void streams_come_with_the_wire(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);
	struct nt_wire_event end = wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND);

	event.has_streams = end.has_streams = 1;
	event.streams.of[1].core.packets = 5;
	end.streams.of[1].core.packets = 6;
	begin();
	feed_socket(&event);
	feed_wire(end);
	CHECK(last_reported()->has_streams);
	CHECK_EQUAL(last_reported()->dst_packets, 6);
	feed_socket(&event);
	finish();
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK_EQUAL(last_reported()->dst_packets, 5);
}

/* ---- both sides on this machine ---- */

static void two_sockets_share_the_wire(void)
{
	static const char *const orders[] = { "cws", "wcs", "csw", "scw", "wsc", "swc" };
	struct nt_socket_event client = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						  local_wire("ShAF", START + US), NT_WIRE_OPEN);
	struct nt_socket_event server = with_wire(socket_close(NT_ROLE_SERVER, START + 3 * US, START + SECOND),
						  local_wire("ShAF", START + US), NT_WIRE_OPEN);
	const char *at;
	unsigned int i;

	server.socket.netns = OTHER_NETNS; /* a container's, over a veth pair */
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		begin();
		for (at = orders[i]; *at; at++) {
			if (*at == 'w')
				feed_wire(wire_end(local_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
			else
				feed_socket(*at == 'c' ? &client : &server);
		}
		CHECK_EQUAL(reported.socket_count, 2);
		CHECK(reported.sockets[0].wire_ended && reported.sockets[1].wire_ended);
		CHECK_EQUAL(reported.claimed, 1);
		finish();
		CHECK_EQUAL(reported.socket_count + reported.observed + reported.forwarded, 2);
	}
}

static void socket_connected_to_itself(void)
{
	struct nt_wire wire = sample_wire_between(&sample_client, &sample_client, "SHAF", START + US);
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.socket.remote_port = event.socket.local_port;
	memcpy(event.socket.remote, event.socket.local, 16);
	event.socket.flags |= NT_SOCKET_SIMULTANEOUS;
	wire.cookie[0] = CLIENT_COOKIE;
	wire.has_socket[0] = 1;
	begin();
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
}

/* The side whose SYN came second connected later. */
static void simultaneous_open(void)
{
	struct nt_wire wire = local_wire("SsHhFf", START + US);
	struct nt_socket_event first = socket_close(NT_ROLE_CLIENT, START, START + SECOND);
	struct nt_socket_event second = socket_close(NT_ROLE_SERVER, START + 500 * US, START + SECOND);

	CHECK(wire.connection.marks & NT_MARK_SIMULTANEOUS);
	second.socket.role = NT_ROLE_CLIENT;
	begin();
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	feed_socket(&first);
	feed_socket(&second);
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK(reported.sockets[0].wire_ended && reported.sockets[1].wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
}

/* ---- match of wire and socket ---- */

static void cookies_and_namespaces(void)
{
	static const struct {
		__u64 wire, socket;
		__u32 netns;
		bool joined;
	} cases[] = {
		{ SERVER_COOKIE, SERVER_COOKIE, OWN_NETNS, true },
		{ SERVER_COOKIE, SERVER_COOKIE, OTHER_NETNS, true },
		{ SERVER_COOKIE, 0x99, OWN_NETNS, false },
		{ SERVER_COOKIE, 0x99, OTHER_NETNS, false },
		{ 0, SERVER_COOKIE, OWN_NETNS, true }, /* SYN cookies */
		{ 0, SERVER_COOKIE, OTHER_NETNS, false },
		{ SERVER_COOKIE, 0, OWN_NETNS, true }, /* a kernel without cookies in programs on sockets */
		{ SERVER_COOKIE, 0, OTHER_NETNS, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nt_socket_event event = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

		event.socket.cookie = cases[i].socket;
		event.socket.netns = cases[i].netns;
		begin();
		feed_wire(wire_end(with_cookies(sample_wire("ShAR", START), 0, cases[i].wire), NT_WIRE_ENDED,
				   START + SECOND));
		feed_socket(&event);
		CHECK_EQUAL(reported.socket_count, 1);
		CHECK_EQUAL(last_reported()->has_wire, cases[i].joined);
		finish();
	}
}

static void another_tuple(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.socket.remote_port++;
	begin();
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK(!last_reported()->has_wire);
	finish();
	CHECK_EQUAL(reported.claimed, 1);
	CHECK_EQUAL(reported.observed + reported.forwarded, 0);
}

/* The packets of the client have another tuple (address translation); the cookie joins them, whichever ends first. */
static void translated_client(void)
{
	struct nt_wire wire = clients_wire("ShAFf", START + US);
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	wire.translated[wire.connection.src_index] = 1;
	event.socket.remote_port++;
	event.wire_status = NT_WIRE_NOT_ASKED;
	begin();
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();

	begin();
	event = with_wire(event, wire, NT_WIRE_OPEN);
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 0);
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	finish();
	CHECK_EQUAL(reported.observed + reported.forwarded + reported.unaccepted, 0);
}

/* Two sockets of this machine with a translation in between: the packets have the tuple of the server's socket. */
static void translated_between_sockets(void)
{
	struct nt_wire wire = local_wire("ShAFf", START + US);
	struct nt_socket_event client = socket_close(NT_ROLE_CLIENT, START, START + SECOND);
	struct nt_socket_event server = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

	wire.translated[wire.connection.src_index] = 1;
	client.socket.remote_port++;
	client = with_wire(client, wire, NT_WIRE_OPEN);
	server = with_wire(server, wire, NT_WIRE_OPEN);
	begin();
	feed_socket(&client);
	feed_socket(&server);
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK(reported.sockets[0].wire_ended && reported.sockets[1].wire_ended);
	finish();
	CHECK_EQUAL(reported.claimed, 1);
}

/* One socket uses one translated tuple again and again: each close gets the packets of its own time. */
static void translated_tuple_reused(void)
{
	__u32 nth;

	begin();
	for (nth = 0; nth < 2; nth++) {
		struct nt_wire wire = clients_wire("Sr", START + nth * MS + US);

		wire.translated[wire.connection.src_index] = 1;
		feed_wire(wire_end(wire, NT_WIRE_ENDED, START + nth * MS + 2 * US));
	}
	for (nth = 0; nth < 2; nth++) {
		struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START + nth * MS,
							    START + nth * MS + 3 * US);

		event.socket.remote_port++;
		event.socket.nth = nth;
		event.wire_status = NT_WIRE_NOT_ASKED;
		feed_socket(&event);
		CHECK_EQUAL(last_reported()->wire_first_ns, START + nth * MS + US);
	}
	finish();
	CHECK_EQUAL(reported.claimed, 2);
}

/* The wire belongs to another connection if its direction or its time does not fit the socket. */
static void role_and_life(void)
{
	static const struct {
		enum nt_role role;
		__u8 flags;
		__s64 first_after_start;
		bool joined;
	} cases[] = {
		{ NT_ROLE_CLIENT, 0, 10 * 1000, true },
		{ NT_ROLE_CLIENT, 0, -10 * 1000, false },
		{ NT_ROLE_CLIENT, 0, 1000 * 1000 * 1000 + 1, false }, /* after the socket's end */
		{ NT_ROLE_SERVER, 0, -10 * 1000, true },
		{ NT_ROLE_SERVER, 0, 10 * 1000, false },
		{ NT_ROLE_CLIENT, NT_SOCKET_PREEXISTING, -10 * 1000, true },
		{ NT_ROLE_SERVER, NT_SOCKET_PREEXISTING, 10 * 1000, true },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nt_socket_event event = socket_close(cases[i].role, START, START + SECOND);

		event.socket.flags |= cases[i].flags;
		begin();
		feed_wire(wire_end(local_wire("ShAFf", START + cases[i].first_after_start), NT_WIRE_ENDED,
				   START + SECOND));
		feed_socket(&event);
		CHECK_EQUAL(last_reported()->has_wire, cases[i].joined);
		finish();
	}
}

static void role_of_the_other_side(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.socket.cookie = 0;
	begin();
	/* The peer connected from its port 80 to the local port 40000. */
	feed_wire(wire_end(sample_wire_between(&sample_server, &sample_client, "ShAR", START + US), NT_WIRE_ENDED,
			   START + SECOND));
	feed_socket(&event);
	CHECK(!last_reported()->has_wire);
	finish();
}

/* ---- one tuple many times ---- */

#define TIMES 20

/* One connection of the same tuple each millisecond, with and without cookies. Either all wires are reported before all
 * sockets, or the reverse.
 */
static void same_tuple_many_times(void)
{
	unsigned int variant, i, step;

	for (variant = 0; variant < 4; variant++) {
		begin();
		for (step = 0; step < 2 * TIMES; step++) {
			bool wires = variant & 1 ? step < TIMES : step >= TIMES;
			__u64 at = START + (step % TIMES) * MS, cookie = variant & 2 ? 100 + step % TIMES : 0;
			struct nt_wire wire = with_cookies(sample_wire("ShA", at), 0, cookie);
			struct nt_socket_event event = socket_close(NT_ROLE_SERVER, at + 20 * US, at + 500 * US);

			event.socket.cookie = cookie;
			event.address += step;
			wire.connection.side[wire.connection.src_index] |= NT_SIDE_RST;
			if (wires) {
				feed_wire(wire_end(wire, NT_WIRE_ENDED, at + 500 * US));
			} else {
				event = with_wire(event, sample_wire("ShA", at), NT_WIRE_OPEN);
				feed_socket(&event);
			}
		}
		CHECK_EQUAL(reported.socket_count, TIMES);
		CHECK_EQUAL(reported.claimed, TIMES);
		for (i = 0; i < reported.socket_count; i++) {
			CHECK(reported.sockets[i].wire_ended);
			CHECK_EQUAL(reported.sockets[i].socket.start_ns - reported.sockets[i].wire_first_ns, 20 * US);
		}
		finish();
	}
}

/* A socket that has its wire and waits for its owner takes no other wire. */
static void one_wire_is_enough(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_SERVER, START, START + SECOND);

	event.socket.flags |= NT_SOCKET_AWAITS_OWNER | NT_SOCKET_PREEXISTING;
	begin();
	feed_wire(wire_end(local_wire("ShAFf", START), NT_WIRE_REPLACED, START + MS));
	feed_socket(&event);
	feed_wire(wire_end(local_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	finish();
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK_EQUAL(last_reported()->wire_first_ns, START);
}

/* When the socket ended, its tuple already belonged to the next connection. */
static void tuple_already_reused(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_SERVER, START + MS, START + SECOND),
						 sample_wire("S", START + SECOND - US), NT_WIRE_OPEN);

	begin();
	feed_wire(wire_end(local_wire("ShAR", START), NT_WIRE_ENDED, START + SECOND - 2 * US));
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(last_reported()->wire_first_ns, START);
	/* The event of its own wire was lost. */
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK(!last_reported()->has_wire);
	finish();
}

/* One descriptor connects four times between the same ports: refused twice, reset, closed. */
static void one_descriptor_many_connections(void)
{
	static const char *const letters[] = { "Sr", "Sr", "ShAR", "ShAFf" };
	__u32 nth;

	begin();
	for (nth = 0; nth < 4; nth++) {
		__u64 start = START + nth * MS;
		struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, start, start + 900 * US);

		event.socket.nth = nth;
		if (nth >= 2) {
			event = with_wire(event, clients_wire("ShA", start + US), NT_WIRE_OPEN);
			feed_socket(&event);
		}
		feed_wire(wire_end(clients_wire(letters[nth], start + US), NT_WIRE_ENDED, start + 890 * US));
		if (nth < 2)
			feed_socket(&event);
		CHECK_EQUAL(reported.socket_count, nth + 1);
		CHECK_EQUAL(last_reported()->socket.nth, nth);
		CHECK_EQUAL(last_reported()->wire_first_ns, start + US);
		CHECK(last_reported()->wire_ended);
	}
	finish();
	CHECK_EQUAL(reported.claimed, 4);
	CHECK_EQUAL(reported.observed + reported.forwarded, 0);
}

/* ---- no local socket ---- */

enum fate { OBSERVED, NO_SOCKET, FORWARDED, CLAIMED };

#define REQUEST 0x33 /* the cookie of a listener's request; no socket has it */

/* docs/architecture.md, "whose a connection is" */
static const struct {
	const char *letters;
	__u64 client, server; /* cookies */
	bool syn_left;
	enum fate fate, without_socket_context;
} routes[] = {
	{ "S", 0, 0, false, OBSERVED, OBSERVED },         /* unanswered, from outside */
	{ "Sr", 0, 0, false, OBSERVED, OBSERVED },        /* a closed port */
	{ "ShR", 0, REQUEST, false, OBSERVED, OBSERVED }, /* a scan of an open port: no socket was created */
	{ "Sh", 0, REQUEST, false, OBSERVED, OBSERVED },
	{ "Sh", 0, 0, false, OBSERVED, OBSERVED }, /* the same under SYN cookies */
	{ "S", 0, 0, true, FORWARDED, FORWARDED },
	{ "ShR", 0, REQUEST, true, FORWARDED, OBSERVED }, /* a scan of a container */
	{ "ShAFf", 0, 0, true, FORWARDED, FORWARDED },
	{ "ShAFf", 0, 0, false, FORWARDED, OBSERVED }, /* forwarded to an interface that is not watched */
	{ "ShAR", 0, 0, false, FORWARDED, OBSERVED },
	{ "ShAr", 0, 0, true, FORWARDED, FORWARDED },
	{ "ShAR", 0, REQUEST, false, NO_SOCKET, OBSERVED }, /* a full listen queue */
	{ "ShAr", 0, REQUEST, true, NO_SOCKET, OBSERVED },  /* that of a container */
	{ "ShAF", CLIENT_COOKIE, REQUEST, true, CLAIMED, OBSERVED },
	{ "S", CLIENT_COOKIE, 0, true, CLAIMED, OBSERVED },
	{ "Sr", CLIENT_COOKIE, 0, false, CLAIMED, OBSERVED }, /* a container's client */
	{ "ShAFf", CLIENT_COOKIE, 0, true, CLAIMED, OBSERVED },
	{ "ShAFf", 0, SERVER_COOKIE, false, CLAIMED, OBSERVED },
	{ "ShAFf", 0, SERVER_COOKIE, true, CLAIMED, OBSERVED }, /* a container's server */
	{ "ShAFf", CLIENT_COOKIE, SERVER_COOKIE, true, CLAIMED, OBSERVED },
};

static void check_fate(enum fate fate)
{
	CHECK_EQUAL(reported.observed, fate == OBSERVED);
	CHECK_EQUAL(reported.unaccepted, fate == NO_SOCKET);
	CHECK_EQUAL(reported.forwarded, fate == FORWARDED);
	CHECK_EQUAL(reported.claimed, fate == CLAIMED);
}

static void no_socket_comes(void)
{
	static const enum nt_wire_cause causes[] = { NT_WIRE_ENDED, NT_WIRE_IDLE, NT_WIRE_REPLACED, NT_WIRE_EXIT };
	unsigned int i, j;

	for (i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		struct nt_wire wire = with_cookies(sample_wire(routes[i].letters, START), routes[i].client,
						   routes[i].server);

		wire.syn_left = routes[i].syn_left;
		wire.has_socket[!wire.connection.src_index] = routes[i].server == SERVER_COOKIE;
		for (j = 0; j < 4; j++) {
			begin();
			feed_wire(wire_end(wire, causes[j], START + SECOND));
			join_expire(join,
				    START + SECOND + (routes[i].fate == CLAIMED ? JOIN_CLAIM_NS : JOIN_UNCLAIMED_NS));
			check_fate(routes[i].fate);
			finish();
		}
		begin_with(CAPACITY, false);
		wire.has_socket[!wire.connection.src_index] = !!routes[i].server; /* as the kernel side has it then */
		feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
		check_fate(routes[i].without_socket_context);
		finish();
	}
}

/* A wire that surely belongs to no local socket is reported immediately. */
static void observers_are_reported_immediately(void)
{
	begin();
	feed_wire(wire_end(sample_wire("Sr", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShA", START), NT_WIRE_EXIT, START + MS));
	CHECK_EQUAL(reported.observed, 1);
	CHECK_EQUAL(reported.forwarded, 2);
	finish();
}

/* A server that used SYN cookies and was reset has sent no packet with its socket's cookie. */
static void syn_cookies(void)
{
	struct nt_socket_event client = socket_close(NT_ROLE_CLIENT, START, START + SECOND);
	struct nt_socket_event server = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

	begin(); /* the client is remote */
	feed_wire(wire_end(sample_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.forwarded, 0);
	feed_socket(&server);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
	CHECK_EQUAL(reported.forwarded + reported.observed, 0);

	begin(); /* both are local: the wire waits for both */
	feed_wire(wire_end(clients_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&client);
	CHECK_EQUAL(reported.claimed, 0);
	feed_socket(&server);
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();

	begin(); /* only the client is local: the wire waits a second for a server */
	feed_wire(wire_end(clients_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&client);
	join_expire(join, START + 2 * SECOND - 1);
	CHECK_EQUAL(reported.claimed, 0);
	join_expire(join, START + 2 * SECOND);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
}

/* A deferred accept: the data of the client makes the socket, whose beginning the kernel side missed. */
static void socket_comes_late(void)
{
	struct nt_wire wire = sample_wire("ShAR", START);
	struct nt_socket_event server = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

	wire.cookie[!wire.connection.src_index] = SERVER_COOKIE;
	begin();
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	join_expire(join, START + SECOND + JOIN_UNCLAIMED_NS - 1);
	CHECK_EQUAL(reported.unaccepted, 0);
	feed_socket(&server);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
	CHECK_EQUAL(reported.unaccepted + reported.observed + reported.forwarded, 0);
}

/* ---- facts that follow after the change to CLOSE ---- */

static struct nt_socket_event awaiting(__u8 flags)
{
	struct nt_socket_event event = socket_close(NT_ROLE_SERVER, START, START + SECOND);

	event.socket.flags = flags;
	event.socket.nth = 3;
	event.socket.owner.by = NT_OWNER_LISTEN;
	return event;
}

static struct nt_socket_more_event more_of(const struct nt_socket_event *event)
{
	return (struct nt_socket_more_event){
		.header = { .type = NT_EVENT_TYPE_SOCKET_MORE, .now = START + SECOND + US },
		.address = event->address,
		.cookie = event->socket.cookie,
		.nth = event->socket.nth,
		.owner = { .process = { .pid = 99 }, .by = NT_OWNER_CLOSE },
	};
}

static void owner_follows(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);
	struct nt_socket_more_event more = more_of(&event);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_OWNER_NS - 1);
	CHECK_EQUAL(reported.socket_count, 0);
	join_add_socket_more(join, &more);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK_EQUAL(last_reported()->socket.owner.process.pid, 99);
	CHECK_EQUAL(last_reported()->socket.owner.by, NT_OWNER_CLOSE);
	join_add_socket_more(join, &more); /* the second one has no socket */
	finish();
	CHECK_EQUAL(reported.socket_count, 1);
}

static void owner_never_comes(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);
	struct nt_socket_more_event more = more_of(&event);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_OWNER_NS);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK_EQUAL(last_reported()->socket.owner.by, NT_OWNER_LISTEN);
	CHECK(JOIN_OWNER_NS < SECOND); /* docs/record.md: written within a second */
	join_add_socket_more(join, &more);
	CHECK_EQUAL(reported.socket_count, 1);
	finish();
}

static void reason_follows(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_REASON);
	struct nt_socket_more_event more = more_of(&event);

	more.reset_sent = 1;
	more.reset_reason = 11;
	begin();
	feed_socket(&event);
	CHECK_EQUAL(reported.socket_count, 0);
	join_add_socket_more(join, &more);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->socket.flags & NT_SOCKET_RESET_SENT);
	CHECK_EQUAL(last_reported()->socket.reset_reason, 11);
	CHECK_EQUAL(last_reported()->socket.owner.by, NT_OWNER_LISTEN); /* this event awaits no owner */
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_REASON_NS);
	CHECK_EQUAL(reported.socket_count, 2);
	CHECK(!(last_reported()->socket.flags & NT_SOCKET_RESET_SENT));
	finish();
}

/* Ignored: another connection of the descriptor, another socket at the same address, another address. */
static void more_of_other_sockets(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);
	struct nt_socket_more_event more[3];
	unsigned int i;

	begin();
	feed_socket(&event);
	for (i = 0; i < 3; i++) {
		more[i] = more_of(&event);
		more[i].nth += i == 0;
		more[i].cookie += i == 1;
		more[i].address += i == 2;
		join_add_socket_more(join, &more[i]);
	}
	CHECK_EQUAL(reported.socket_count, 0);
	finish();
	CHECK_EQUAL(last_reported()->socket.owner.by, NT_OWNER_LISTEN);
}

/* Reason, owner and wire are awaited: the socket is reported with the last, in any order of arrival (lower case) and
 * expiry (upper case).
 */
static void all_are_awaited(void)
{
	static const char *const orders[] = { "row", "wor", "orw", "ROW", "rwO", "wRO", "oRW" };
	const char *at;
	unsigned int i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct nt_socket_event event = with_wire(awaiting(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON),
							 local_wire("ShA", START - MS), NT_WIRE_OPEN);
		struct nt_socket_more_event more = more_of(&event);

		begin();
		feed_socket(&event);
		for (at = orders[i]; *at; at++) {
			CHECK_EQUAL(reported.socket_count, 0);
			more.reset_sent = *at == 'r';
			more.awaits_owner = *at != 'o';
			if (*at == 'r' || *at == 'o')
				join_add_socket_more(join, &more);
			else if (*at == 'w')
				feed_wire(wire_end(local_wire("ShAr", START - MS), NT_WIRE_ENDED, START + SECOND));
			else
				join_expire(join, START + SECOND +
							  (*at == 'R' ? JOIN_REASON_NS :
							   *at == 'W' ? JOIN_WIRE_NS :
									JOIN_OWNER_NS));
		}
		CHECK_EQUAL(reported.socket_count, 1);
		finish();
	}
}

/* ---- bounds ---- */

static void too_many_sockets(void)
{
	unsigned int i;

	begin_with(4, true);
	for (i = 0; i < 10; i++) {
		struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);

		event.address += i;
		event.socket.nth = i;
		feed_socket(&event);
		CHECK_EQUAL(reported.socket_count, i < 4 ? 0 : i - 3);
	}
	CHECK_EQUAL(reported.sockets[0].socket.nth, 0); /* the oldest first, incomplete */
	CHECK_EQUAL(reported.sockets[5].socket.nth, 5);
	finish();
	CHECK_EQUAL(reported.socket_count, 10);
}

static void too_many_wires(void)
{
	unsigned int i;

	begin_with(4, true);
	for (i = 0; i < 10; i++) {
		feed_wire(wire_end(clients_wire("ShAFf", START + i * SECOND), NT_WIRE_ENDED, START + i * SECOND + MS));
		CHECK_EQUAL(reported.claimed, i < 4 ? 0 : i - 3);
	}
	finish();
	CHECK_EQUAL(reported.claimed, 10);
	CHECK_EQUAL(reported.observed + reported.forwarded, 0);
}

/* Wires have different deadlines, which are not in the order of arrival. */
static void wires_expire_in_time(void)
{
	begin();
	join_expire(join, START);
	feed_wire(wire_end(clients_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShAR", START), NT_WIRE_ENDED, START + 2 * MS));
	join_expire(join, START + MS + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(reported.forwarded, 0);
	join_expire(join, START + 2 * MS + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(reported.forwarded, 1);
	feed_wire(wire_end(sample_wire("ShAR", START), NT_WIRE_ENDED, START + 5 * SECOND));
	join_expire(join, START + 5 * SECOND + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(reported.forwarded, 2);
	CHECK_EQUAL(reported.claimed, 0);
	join_expire(join, START + MS + JOIN_CLAIM_NS);
	CHECK_EQUAL(reported.claimed, 1);
	finish();
}

/* The kernel side filters out the server's socket, and so never reports it. */
static bool is_client_side(void *context, const struct nt_wire *wire, int side)
{
	CHECK(context == &reported);
	return side == wire->connection.src_index;
}

static void begin_filtered(void)
{
	const struct join_output output = { &reported, take_socket,   take_observer, take_claimed,
					    take_loss, find_in_table, is_client_side };

	memset(&reported, 0, sizeof(reported));
	join = join_new(CAPACITY, OWN_NETNS, true, &output);
}

/* The join does not wait for it, and its packets make no observer's record. */
static void filtered_sockets_are_not_awaited(void)
{
	struct nt_socket_event client = with_wire(socket_close(NT_ROLE_CLIENT, START - MS, START + SECOND),
						  local_wire("ShAFf", START), NT_WIRE_OPEN);

	begin_filtered();
	feed_wire(wire_end(with_cookies(sample_wire("ShAFf", START), 0, SERVER_COOKIE), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.claimed, 1); /* the client is on another machine */
	feed_wire(wire_end(local_wire("ShAFf", START), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(reported.claimed, 1); /* the client's record is still to come */
	feed_socket(&client);
	CHECK_EQUAL(reported.claimed, 2);
	CHECK_EQUAL(reported.socket_count, 1);
	CHECK(last_reported()->wire_ended);
	CHECK_EQUAL(reported.observed + reported.forwarded, 0);
	finish();
}

static void freed_while_events_are_held(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);

	begin();
	feed_socket(&event);
	feed_wire(wire_end(clients_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	join_free(join);
	join_free(NULL);
	CHECK_EQUAL(reported.socket_count + reported.claimed, 0);
}

int main(void)
{
	socket_without_wire();
	wire_ends_first();
	not_asked_and_reported_before();
	not_asked_and_never_seen();
	not_asked_and_reported_after();
	not_asked_and_still_open();
	not_asked_and_another_connection();
	socket_ends_first();
	wire_never_ends();
	ends_at_once();
	settled_at_once();
	wire_is_open_at_exit();
	streams_come_with_the_wire();
	two_sockets_share_the_wire();
	socket_connected_to_itself();
	simultaneous_open();
	cookies_and_namespaces();
	another_tuple();
	translated_client();
	translated_between_sockets();
	translated_tuple_reused();
	role_and_life();
	role_of_the_other_side();
	same_tuple_many_times();
	one_wire_is_enough();
	tuple_already_reused();
	one_descriptor_many_connections();
	no_socket_comes();
	observers_are_reported_immediately();
	syn_cookies();
	socket_comes_late();
	owner_follows();
	owner_never_comes();
	reason_follows();
	more_of_other_sockets();
	all_are_awaited();
	too_many_sockets();
	too_many_wires();
	wires_expire_in_time();
	filtered_sockets_are_not_awaited();
	freed_while_events_are_held();
	return check_finish();
}
