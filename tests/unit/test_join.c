// SPDX-License-Identifier: GPL-2.0-or-later
/* The join, without a kernel: which socket gets which packets, when it is told, and what makes no record.
 * What is expected is docs/record.md's "One socket, one record" and docs/architecture.md's account of the join.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "src/live/join.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

#define CAPACITY 64
#define MOST_TOLD 256

struct told_socket {
	struct nt_socket socket;
	bool has_wire, wire_ended, has_streams;
	__u64 wire_first_ns, dst_packets;
};

static struct {
	struct told_socket sockets[MOST_TOLD];
	unsigned int socket_count, observed, forwarded, claimed, lost;
} told;

static struct join *join;

static void take_socket(void *context, const struct joined_socket *joined)
{
	struct told_socket *taken = &told.sockets[told.socket_count++ % MOST_TOLD];

	CHECK(context == &told);
	*taken = (struct told_socket){
		.socket = joined->event->socket,
		.has_wire = joined->wire,
		.wire_ended = joined->wire_ended,
		.has_streams = joined->streams,
		.wire_first_ns = joined->wire ? joined->wire->connection.first_ns : 0,
		.dst_packets = joined->streams ? joined->streams[1].core.packets : 0,
	};
}

static void take_observer(void *context, const struct nt_wire_event *event, enum join_route passage)
{
	(void)context;
	CHECK(event->wire.connection.first_ns);
	told.observed += passage == JOIN_NO_SOCKET;
	told.forwarded += passage == JOIN_FORWARDED;
}

static void take_claimed(void *context)
{
	(void)context;
	told.claimed++;
}

static void take_loss(void *context)
{
	(void)context;
	told.lost++;
}

/* What the kernel's tables have: NULL: nothing. */
static const struct nt_wire *table;

static bool find_in_table(void *context, const struct nt_socket *socket, struct nt_wire *wire)
{
	CHECK(context == &told);
	CHECK(socket->cookie);
	if (table)
		*wire = *table;
	return table;
}

static void begin_with(unsigned int capacity, bool sockets_are_reported)
{
	const struct join_output output = {&told, take_socket, take_observer, take_claimed, take_loss, find_in_table, NULL};

	memset(&told, 0, sizeof(told));
	join = join_new(capacity, OWN_NETNS, sockets_are_reported, &output);
}

static void begin(void)
{
	begin_with(CAPACITY, true);
}

/* Nothing more comes: what is held is let go, and of wire ends there is no record but what was told by now. */
static void finish(void)
{
	join_finish(join);
	join_free(join);
	CHECK_EQUAL(told.lost, 0);
}

/* In room of its very length, so that a byte read beyond it is noticed. */
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

static const struct told_socket *last_told(void)
{
	return &told.sockets[(told.socket_count + MOST_TOLD - 1) % MOST_TOLD];
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
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(!last_told()->has_wire);
	CHECK_EQUAL(last_told()->socket.cookie, CLIENT_COOKIE);
	finish();
	CHECK_EQUAL(told.socket_count, 1);
}

/* ---- the kernel side did not look for the wire ---- */

static struct nt_socket_event close_of_both_fins(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.wire_status = NT_WIRE_NOT_ASKED;
	table = NULL;
	return event;
}

static void not_asked_and_told_before(void)
{
	struct nt_socket_event event = close_of_both_fins();

	begin();
	feed_wire(wire_end(clients_wire("ShAfF", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(last_told()->wire_first_ns, START + US);
	finish();
	CHECK_EQUAL(told.socket_count, 1);
	CHECK_EQUAL(told.claimed, 1);
}

static void not_asked_and_never_seen(void)
{
	struct nt_socket_event event = close_of_both_fins();

	begin();
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(!last_told()->has_wire);
	finish();
}

/* It passed our interfaces one way only: its end is waited for, as if the kernel side had told that it goes on. */
static void not_asked_and_still_open(void)
{
	struct nt_socket_event event = close_of_both_fins();
	struct nt_wire wire = clients_wire("ShAF", START + US);

	begin();
	table = &wire;
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 0);
	join_expire(join, START + SECOND + JOIN_WIRE_NS - 1);
	CHECK_EQUAL(told.socket_count, 0);
	join_expire(join, START + SECOND + JOIN_WIRE_NS);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->has_wire);
	CHECK(!last_told()->wire_ended);
	finish();
	table = NULL;
}

/* The table has another connection of the same tuple. */
static void not_asked_and_anothers(void)
{
	struct nt_socket_event event = close_of_both_fins();
	struct nt_wire wire = with_cookies(sample_wire("ShA", START + SECOND), 0x77, 0);

	begin();
	table = &wire;
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(!last_told()->has_wire);
	finish();
	table = NULL;
}

static void wire_ends_first(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	begin();
	feed_wire(wire_end(clients_wire("ShAfF", START + US), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(told.socket_count + told.claimed, 0);
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(last_told()->wire_first_ns, START + US);
	CHECK_EQUAL(told.claimed, 1);
	finish();
	CHECK_EQUAL(told.claimed + told.observed + told.forwarded, 1);
}

static void socket_ends_first(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_WIRE_NS - 1);
	CHECK_EQUAL(told.socket_count, 0);
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + 2 * SECOND));
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();
	CHECK_EQUAL(told.socket_count + told.observed + told.forwarded, 1);
}

static void wire_never_ends(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	join_expire(join, START + 3 * SECOND - 1);
	CHECK_EQUAL(told.socket_count, 0);
	join_expire(join, START + 3 * SECOND);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->has_wire && !last_told()->wire_ended);
	/* the packets' late end makes no record, now or ever */
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + 9 * SECOND));
	join_expire(join, START + 9 * SECOND + JOIN_CLAIM_NS - 1);
	CHECK_EQUAL(told.claimed, 0);
	join_expire(join, START + 9 * SECOND + JOIN_CLAIM_NS);
	CHECK_EQUAL(told.claimed, 1);
	finish();
	CHECK_EQUAL(told.socket_count + told.observed + told.forwarded, 1);
}

/* Two processors: the socket's event was begun before the wire's, and finished after it. */
static void ends_at_once(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	finish();
	CHECK_EQUAL(told.claimed, 1);
}

static void settled_at_once(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("S", START + US), NT_WIRE_SETTLED);

	begin();
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->has_wire && last_told()->wire_ended);
	finish();
	CHECK_EQUAL(told.claimed, 0);
}

static void wire_is_open_at_exit(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);

	begin();
	feed_socket(&event);
	feed_wire(wire_end(clients_wire("ShAF", START + US), NT_WIRE_EXIT, START + SECOND + MS));
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->has_wire && !last_told()->wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();
}

static void streams_come_with_the_wire(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_CLIENT, START, START + SECOND),
						 clients_wire("ShAF", START + US), NT_WIRE_OPEN);
	struct nt_wire_event end = wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND);

	event.has_streams = end.has_streams = 1;
	event.streams[1].core.packets = 5;
	end.streams[1].core.packets = 6;
	begin();
	feed_socket(&event);
	feed_wire(end);
	CHECK(last_told()->has_streams);
	CHECK_EQUAL(last_told()->dst_packets, 6);
	feed_socket(&event);
	finish();
	CHECK_EQUAL(told.socket_count, 2);
	CHECK_EQUAL(last_told()->dst_packets, 5);
}

/* ---- both sides on this machine ---- */

static void two_sockets_share_the_wire(void)
{
	static const char *const orders[] = {"cws", "wcs", "csw", "scw", "wsc", "swc"};
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
		CHECK_EQUAL(told.socket_count, 2);
		CHECK(told.sockets[0].wire_ended && told.sockets[1].wire_ended);
		CHECK_EQUAL(told.claimed, 1);
		finish();
		CHECK_EQUAL(told.socket_count + told.observed + told.forwarded, 2);
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
	begin();
	feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();
}

/* The side whose SYN was seen second connected after the first. */
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
	CHECK_EQUAL(told.socket_count, 2);
	CHECK(told.sockets[0].wire_ended && told.sockets[1].wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();
}

/* ---- whose the wire is ---- */

static void cookies_and_namespaces(void)
{
	static const struct {
		__u64 wire, socket;
		__u32 netns;
		bool joined;
	} cases[] = {
		{SERVER_COOKIE, SERVER_COOKIE, OWN_NETNS, true},
		{SERVER_COOKIE, SERVER_COOKIE, OTHER_NETNS, true},
		{SERVER_COOKIE, 0x99, OWN_NETNS, false},
		{SERVER_COOKIE, 0x99, OTHER_NETNS, false},
		{0, SERVER_COOKIE, OWN_NETNS, true}, /* SYN cookies */
		{0, SERVER_COOKIE, OTHER_NETNS, false},
		{SERVER_COOKIE, 0, OWN_NETNS, true}, /* a kernel that gives programs on sockets no cookie */
		{SERVER_COOKIE, 0, OTHER_NETNS, false},
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
		CHECK_EQUAL(told.socket_count, 1);
		CHECK_EQUAL(last_told()->has_wire, cases[i].joined);
		finish();
	}
}

static void another_tuple(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.socket.remote_port++; /* as where addresses are translated */
	begin();
	feed_wire(wire_end(clients_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&event);
	CHECK(!last_told()->has_wire);
	finish();
	CHECK_EQUAL(told.claimed, 1);
	CHECK_EQUAL(told.observed + told.forwarded, 0);
}

/* The wire's entry is another connection's: of the tuple's other direction, or of another time. */
static void role_and_life(void)
{
	static const struct {
		enum nt_role role;
		__u8 flags;
		__s64 first_after_start;
		bool joined;
	} cases[] = {
		{NT_ROLE_CLIENT, 0, 10 * 1000, true},
		{NT_ROLE_CLIENT, 0, -10 * 1000, false},
		{NT_ROLE_CLIENT, 0, 1000 * 1000 * 1000 + 1, false}, /* after its end */
		{NT_ROLE_SERVER, 0, -10 * 1000, true},
		{NT_ROLE_SERVER, 0, 10 * 1000, false},
		{NT_ROLE_CLIENT, NT_SOCKET_PREEXISTING, -10 * 1000, true},
		{NT_ROLE_SERVER, NT_SOCKET_PREEXISTING, 10 * 1000, true},
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nt_socket_event event = socket_close(cases[i].role, START, START + SECOND);

		event.socket.flags |= cases[i].flags;
		begin();
		feed_wire(wire_end(local_wire("ShAFf", START + cases[i].first_after_start), NT_WIRE_ENDED,
				   START + SECOND));
		feed_socket(&event);
		CHECK_EQUAL(last_told()->has_wire, cases[i].joined);
		finish();
	}
}

static void role_of_the_other_side(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_CLIENT, START, START + SECOND);

	event.socket.cookie = 0;
	begin();
	/* the peer had connected from its port 80 to our 40000 */
	feed_wire(wire_end(sample_wire_between(&sample_server, &sample_client, "ShAR", START + US), NT_WIRE_ENDED,
			   START + SECOND));
	feed_socket(&event);
	CHECK(!last_told()->has_wire);
	finish();
}

/* ---- again and again ---- */

#define TIMES 20

/* The same tuple, a connection each millisecond; by their cookies, and without them. All wires are told before all
 * sockets, and the other way round. */
static void same_tuple_again(void)
{
	unsigned int way, i, step;

	for (way = 0; way < 4; way++) {
		begin();
		for (step = 0; step < 2 * TIMES; step++) {
			bool wires = way & 1 ? step < TIMES : step >= TIMES;
			__u64 at = START + (step % TIMES) * MS, cookie = way & 2 ? 100 + step % TIMES : 0;
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
		CHECK_EQUAL(told.socket_count, TIMES);
		CHECK_EQUAL(told.claimed, TIMES);
		for (i = 0; i < told.socket_count; i++) {
			CHECK(told.sockets[i].wire_ended);
			CHECK_EQUAL(told.sockets[i].socket.start_ns - told.sockets[i].wire_first_ns, 20 * US);
		}
		finish();
	}
}

/* A socket that has its wire, and waits for its owner, takes no other. */
static void one_wire_is_enough(void)
{
	struct nt_socket_event event = socket_close(NT_ROLE_SERVER, START, START + SECOND);

	event.socket.flags |= NT_SOCKET_AWAITS_OWNER | NT_SOCKET_PREEXISTING;
	begin();
	feed_wire(wire_end(local_wire("ShAFf", START), NT_WIRE_REPLACED, START + MS));
	feed_socket(&event);
	feed_wire(wire_end(local_wire("ShAFf", START + US), NT_WIRE_ENDED, START + SECOND));
	finish();
	CHECK_EQUAL(told.socket_count, 1);
	CHECK_EQUAL(last_told()->wire_first_ns, START);
}

/* At the socket's end its tuple was another connection's already. */
static void next_connection_is_there(void)
{
	struct nt_socket_event event = with_wire(socket_close(NT_ROLE_SERVER, START + MS, START + SECOND),
						 sample_wire("S", START + SECOND - US), NT_WIRE_OPEN);

	begin();
	feed_wire(wire_end(local_wire("ShAR", START), NT_WIRE_ENDED, START + SECOND - 2 * US));
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(last_told()->wire_first_ns, START);
	/* its own end was lost */
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 2);
	CHECK(!last_told()->has_wire);
	finish();
}

/* One descriptor: refused twice, connected, disconnected and connected again, to the same place from the same port. */
static void one_descriptor(void)
{
	static const char *const letters[] = {"Sr", "Sr", "ShAR", "ShAFf"};
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
		CHECK_EQUAL(told.socket_count, nth + 1);
		CHECK_EQUAL(last_told()->socket.nth, nth);
		CHECK_EQUAL(last_told()->wire_first_ns, start + US);
		CHECK(last_told()->wire_ended);
	}
	finish();
	CHECK_EQUAL(told.claimed, 4);
	CHECK_EQUAL(told.observed + told.forwarded, 0);
}

/* ---- what no socket took part in ---- */

enum fate { OBSERVED, FORWARDED, CLAIMED };

/* docs/architecture.md, "whose a connection is" */
static const struct {
	const char *letters;
	__u64 client, server; /* cookies */
	bool syn_left;
	enum fate fate, without_socket_context;
} passages[] = {
	{"S", 0, 0, false, OBSERVED, OBSERVED},    /* unanswered, from outside */
	{"Sr", 0, 0, false, OBSERVED, OBSERVED},   /* a closed port */
	{"ShR", 0, SERVER_COOKIE, false, OBSERVED, OBSERVED}, /* a scan of an open one: no socket came to be */
	{"Sh", 0, SERVER_COOKIE, false, OBSERVED, OBSERVED},
	{"Sh", 0, 0, false, OBSERVED, OBSERVED},   /* the same under SYN cookies */
	{"S", 0, 0, true, FORWARDED, FORWARDED},
	{"ShR", 0, SERVER_COOKIE, true, FORWARDED, FORWARDED}, /* a scan of a container */
	{"ShAFf", 0, 0, true, FORWARDED, FORWARDED},
	{"ShAFf", 0, 0, false, FORWARDED, OBSERVED}, /* it left by an interface that is not watched */
	{"ShAR", 0, 0, false, FORWARDED, OBSERVED},
	{"ShAr", 0, 0, true, FORWARDED, FORWARDED},
	{"S", CLIENT_COOKIE, 0, true, CLAIMED, OBSERVED},
	{"Sr", CLIENT_COOKIE, 0, false, CLAIMED, OBSERVED}, /* a container's client */
	{"ShAFf", CLIENT_COOKIE, 0, true, CLAIMED, OBSERVED},
	{"ShAFf", 0, SERVER_COOKIE, false, CLAIMED, OBSERVED},
	{"ShAFf", 0, SERVER_COOKIE, true, CLAIMED, OBSERVED}, /* a container's server */
	{"ShAFf", CLIENT_COOKIE, SERVER_COOKIE, true, CLAIMED, OBSERVED},
};

static void check_fate(enum fate fate)
{
	CHECK_EQUAL(told.observed, fate == OBSERVED);
	CHECK_EQUAL(told.forwarded, fate == FORWARDED);
	CHECK_EQUAL(told.claimed, fate == CLAIMED);
}

static void no_socket_comes(void)
{
	static const enum nt_wire_cause whys[] = {NT_WIRE_ENDED, NT_WIRE_IDLE, NT_WIRE_REPLACED, NT_WIRE_EXIT};
	unsigned int i, j;

	for (i = 0; i < sizeof(passages) / sizeof(passages[0]); i++) {
		struct nt_wire wire = with_cookies(sample_wire(passages[i].letters, START), passages[i].client,
						   passages[i].server);

		wire.syn_left = passages[i].syn_left;
		for (j = 0; j < 4; j++) {
			begin();
			feed_wire(wire_end(wire, whys[j], START + SECOND));
			join_expire(join, START + SECOND +
						  (passages[i].fate == CLAIMED ? JOIN_CLAIM_NS : JOIN_UNCLAIMED_NS));
			check_fate(passages[i].fate);
			finish();
		}
		begin_with(CAPACITY, false);
		feed_wire(wire_end(wire, NT_WIRE_ENDED, START + SECOND));
		check_fate(passages[i].without_socket_context);
		finish();
	}
}

/* What is no socket's for sure is told at once. */
static void observers_do_not_wait(void)
{
	begin();
	feed_wire(wire_end(sample_wire("Sr", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShA", START), NT_WIRE_EXIT, START + MS));
	CHECK_EQUAL(told.observed, 1);
	CHECK_EQUAL(told.forwarded, 2);
	finish();
}

/* A server that used SYN cookies and was reset has sent nothing with its socket's cookie. */
static void syn_cookies(void)
{
	struct nt_socket_event client = socket_close(NT_ROLE_CLIENT, START, START + SECOND);
	struct nt_socket_event server = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

	begin(); /* a remote client's */
	feed_wire(wire_end(sample_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(told.forwarded, 0);
	feed_socket(&server);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();
	CHECK_EQUAL(told.forwarded + told.observed, 0);

	begin(); /* both here: the wire waits for the other, too */
	feed_wire(wire_end(clients_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&client);
	CHECK_EQUAL(told.claimed, 0);
	feed_socket(&server);
	CHECK_EQUAL(told.socket_count, 2);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(told.claimed, 1);
	finish();

	begin(); /* only the client is here: a second later all is known */
	feed_wire(wire_end(clients_wire("ShAR", START + US), NT_WIRE_ENDED, START + SECOND));
	feed_socket(&client);
	join_expire(join, START + 2 * SECOND - 1);
	CHECK_EQUAL(told.claimed, 0);
	join_expire(join, START + 2 * SECOND);
	CHECK_EQUAL(told.claimed, 1);
	finish();
}

/* ---- what becomes known after the change to CLOSE ---- */

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
		.header = {.type = NT_EVENT_TYPE_SOCKET_MORE, .now = START + SECOND + US},
		.address = event->address,
		.cookie = event->socket.cookie,
		.nth = event->socket.nth,
		.owner = {.process = {.pid = 99}, .by = NT_OWNER_CLOSE},
	};
}

static void owner_comes_later(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);
	struct nt_socket_more_event more = more_of(&event);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_OWNER_NS - 1);
	CHECK_EQUAL(told.socket_count, 0);
	join_add_socket_more(join, &more);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK_EQUAL(last_told()->socket.owner.process.pid, 99);
	CHECK_EQUAL(last_told()->socket.owner.by, NT_OWNER_CLOSE);
	join_add_socket_more(join, &more); /* and once more, for nobody */
	finish();
	CHECK_EQUAL(told.socket_count, 1);
}

static void owner_never_comes(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);
	struct nt_socket_more_event more = more_of(&event);

	begin();
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_OWNER_NS);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK_EQUAL(last_told()->socket.owner.by, NT_OWNER_LISTEN);
	CHECK(JOIN_OWNER_NS < SECOND); /* docs/record.md has it out within a second */
	join_add_socket_more(join, &more);
	CHECK_EQUAL(told.socket_count, 1);
	finish();
}

static void reason_comes_later(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_REASON);
	struct nt_socket_more_event more = more_of(&event);

	more.reset_sent = 1;
	more.reset_reason = 11;
	begin();
	feed_socket(&event);
	CHECK_EQUAL(told.socket_count, 0);
	join_add_socket_more(join, &more);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->socket.flags & NT_SOCKET_RESET_SENT);
	CHECK_EQUAL(last_told()->socket.reset_reason, 11);
	CHECK_EQUAL(last_told()->socket.owner.by, NT_OWNER_LISTEN); /* nobody waited for another */
	feed_socket(&event);
	join_expire(join, START + SECOND + JOIN_REASON_NS);
	CHECK_EQUAL(told.socket_count, 2);
	CHECK(!(last_told()->socket.flags & NT_SOCKET_RESET_SENT));
	finish();
}

/* Another connection of the same descriptor, another socket at the same address, another address. */
static void more_of_others(void)
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
	CHECK_EQUAL(told.socket_count, 0);
	finish();
	CHECK_EQUAL(last_told()->socket.owner.by, NT_OWNER_LISTEN);
}

/* All three are awaited: it goes out with the last, in whatever order they come or are given up. */
static void all_are_awaited(void)
{
	static const char *const orders[] = {"row", "wor", "orw", "ROW", "rwO", "wRO", "oRW"};
	const char *at;
	unsigned int i;

	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct nt_socket_event event = with_wire(awaiting(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON),
							 local_wire("ShA", START - MS), NT_WIRE_OPEN);
		struct nt_socket_more_event more = more_of(&event);

		begin();
		feed_socket(&event);
		for (at = orders[i]; *at; at++) {
			CHECK_EQUAL(told.socket_count, 0);
			more.reset_sent = *at == 'r';
			more.awaits_owner = *at != 'o';
			if (*at == 'r' || *at == 'o')
				join_add_socket_more(join, &more);
			else if (*at == 'w')
				feed_wire(wire_end(local_wire("ShAr", START - MS), NT_WIRE_ENDED, START + SECOND));
			else
				join_expire(join, START + SECOND + (*at == 'R' ? JOIN_REASON_NS
								    : *at == 'W' ? JOIN_WIRE_NS : JOIN_OWNER_NS));
		}
		CHECK_EQUAL(told.socket_count, 1);
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
		CHECK_EQUAL(told.socket_count, i < 4 ? 0 : i - 3);
	}
	CHECK_EQUAL(told.sockets[0].socket.nth, 0); /* the oldest first, as they are */
	CHECK_EQUAL(told.sockets[5].socket.nth, 5);
	finish();
	CHECK_EQUAL(told.socket_count, 10);
}

static void too_many_wires(void)
{
	unsigned int i;

	begin_with(4, true);
	for (i = 0; i < 10; i++) {
		feed_wire(wire_end(clients_wire("ShAFf", START + i * SECOND), NT_WIRE_ENDED, START + i * SECOND + MS));
		CHECK_EQUAL(told.claimed, i < 4 ? 0 : i - 3);
	}
	finish();
	CHECK_EQUAL(told.claimed, 10);
	CHECK_EQUAL(told.observed + told.forwarded, 0);
}

/* Different deadlines, not in the order they came in. */
static void wires_go_in_time(void)
{
	begin();
	join_expire(join, START);
	feed_wire(wire_end(clients_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	feed_wire(wire_end(sample_wire("ShAR", START), NT_WIRE_ENDED, START + 2 * MS));
	join_expire(join, START + MS + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(told.forwarded, 0);
	join_expire(join, START + 2 * MS + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(told.forwarded, 1);
	feed_wire(wire_end(sample_wire("ShAR", START), NT_WIRE_ENDED, START + 5 * SECOND));
	join_expire(join, START + 5 * SECOND + JOIN_UNCLAIMED_NS);
	CHECK_EQUAL(told.forwarded, 2);
	CHECK_EQUAL(told.claimed, 0);
	join_expire(join, START + MS + JOIN_CLAIM_NS);
	CHECK_EQUAL(told.claimed, 1);
	finish();
}

/* The kernel side filters the server's end: it never tells. */
static bool only_clients_are_told(void *context, const struct nt_wire *wire, int end)
{
	CHECK(context == &told);
	return end == wire->connection.src_index;
}

static void begin_filtered(void)
{
	const struct join_output output = {&told,     take_socket, take_observer,	  take_claimed,
					   take_loss, find_in_table, only_clients_are_told};

	memset(&told, 0, sizeof(told));
	join = join_new(CAPACITY, OWN_NETNS, true, &output);
}

/* It is not waited for, and its packets are no view of their own. */
static void filtered_sockets_are_not_awaited(void)
{
	struct nt_socket_event client = with_wire(socket_close(NT_ROLE_CLIENT, START - MS, START + SECOND),
						  local_wire("ShAFf", START), NT_WIRE_OPEN);

	begin_filtered();
	feed_wire(wire_end(with_cookies(sample_wire("ShAFf", START), 0, SERVER_COOKIE), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(told.claimed, 1); /* the client is on another machine */
	feed_wire(wire_end(local_wire("ShAFf", START), NT_WIRE_ENDED, START + SECOND));
	CHECK_EQUAL(told.claimed, 1); /* the client's record is still to come */
	feed_socket(&client);
	CHECK_EQUAL(told.claimed, 2);
	CHECK_EQUAL(told.socket_count, 1);
	CHECK(last_told()->wire_ended);
	CHECK_EQUAL(told.observed + told.forwarded, 0);
	finish();
}

static void freed_as_it_is(void)
{
	struct nt_socket_event event = awaiting(NT_SOCKET_AWAITS_OWNER);

	begin();
	feed_socket(&event);
	feed_wire(wire_end(clients_wire("ShAFf", START), NT_WIRE_ENDED, START + MS));
	join_free(join);
	join_free(NULL);
	CHECK_EQUAL(told.socket_count + told.claimed, 0);
}

int main(void)
{
	socket_without_wire();
	wire_ends_first();
	not_asked_and_told_before();
	not_asked_and_never_seen();
	not_asked_and_still_open();
	not_asked_and_anothers();
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
	role_and_life();
	role_of_the_other_side();
	same_tuple_again();
	one_wire_is_enough();
	next_connection_is_there();
	one_descriptor();
	no_socket_comes();
	observers_do_not_wait();
	syn_cookies();
	owner_comes_later();
	owner_never_comes();
	reason_comes_later();
	more_of_others();
	all_are_awaited();
	too_many_sockets();
	too_many_wires();
	wires_go_in_time();
	filtered_sockets_are_not_awaited();
	freed_as_it_is();
	return check_finish();
}
