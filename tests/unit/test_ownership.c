// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables of core/ownership.h, case by case. The values follow from "Whose connection is it?" in
 * docs/architecture.md.
 */
#include <linux/types.h>
#include <stdbool.h>

#include "core/ownership.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

/* ---- does a side belong to a socket? ---- */

static const struct {
	const char *letters;
	__u64 opener_cookie, answerer_cookie;
	enum nt_ownership opener, answerer;
	bool wire; /* a socket owns the connection */
} sides[] = {
	/* SYN sent */
	{ "S", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "S", 1, 0, NT_OWNED_OPENING, NT_OWNED_NONE, true },
	{ "Sr", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "Sr", 1, 0, NT_OWNED_OPENING, NT_OWNED_NONE, true },
	/* SYN-ACK seen */
	{ "Sh", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "Sh", 1, 0, NT_OWNED_OPENING, NT_OWNED_NONE, true },
	/* TCP Fast Open: the SYN made the server's socket */
	{ "Sh", 0, 2, NT_OWNED_NONE, NT_OWNED_OPENING, true },
	{ "Sh", 1, 2, NT_OWNED_OPENING, NT_OWNED_OPENING, true },
	{ "ShR", 0, 2, NT_OWNED_NONE, NT_OWNED_OPENING, true },
	/* established */
	{ "ShA", 0, 0, NT_OWNED_NONE, NT_OWNED_MAYBE, false },
	{ "ShA", 1, 0, NT_OWNED_SOCKET, NT_OWNED_MAYBE, true },
	{ "ShA", 0, 2, NT_OWNED_NONE, NT_OWNED_SOCKET, true },
	{ "ShA", 1, 2, NT_OWNED_SOCKET, NT_OWNED_SOCKET, true },
	{ "ShAR", 0, 0, NT_OWNED_NONE, NT_OWNED_MAYBE, false },
	{ "ShAr", 1, 0, NT_OWNED_SOCKET, NT_OWNED_MAYBE, true },
	/* FIN of the opener only */
	{ "ShAF", 0, 0, NT_OWNED_NONE, NT_OWNED_MAYBE, false },
	{ "ShAF", 1, 0, NT_OWNED_SOCKET, NT_OWNED_MAYBE, true },
	{ "ShAF", 0, 2, NT_OWNED_NONE, NT_OWNED_SOCKET, true },
	/* FIN of the answerer */
	{ "ShAf", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "ShAf", 1, 0, NT_OWNED_SOCKET, NT_OWNED_NONE, true },
	{ "ShAf", 0, 2, NT_OWNED_NONE, NT_OWNED_SOCKET, true },
	{ "ShAFf", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "ShAFf", 1, 2, NT_OWNED_SOCKET, NT_OWNED_SOCKET, true },
	/* simultaneous open: the second SYN's sender is the answerer */
	{ "Ss", 0, 0, NT_OWNED_NONE, NT_OWNED_NONE, false },
	{ "Ss", 1, 0, NT_OWNED_OPENING, NT_OWNED_NONE, true },
	{ "Ss", 0, 2, NT_OWNED_NONE, NT_OWNED_OPENING, true },
	{ "SsHh", 1, 0, NT_OWNED_SOCKET, NT_OWNED_MAYBE, true },
	{ "SsHh", 1, 2, NT_OWNED_SOCKET, NT_OWNED_SOCKET, true },
};

static void check_sides(const struct sample_endpoint *client, const struct sample_endpoint *server)
{
	unsigned int i;

	for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		struct nt_wire wire = with_cookies(sample_wire_between(client, server, sides[i].letters, START),
						   sides[i].opener_cookie, sides[i].answerer_cookie);
		int opener = wire.connection.src_index;

		if (!CHECK_EQUAL(nt_ownership_of_side(&wire, opener), sides[i].opener) ||
		    !CHECK_EQUAL(nt_ownership_of_side(&wire, !opener), sides[i].answerer))
			printf("  case %u: %s\n", i, sides[i].letters);
		CHECK_EQUAL(nt_side_has_socket(&wire, opener), sides[i].opener >= NT_OWNED_OPENING);
		CHECK_EQUAL(nt_side_has_socket(&wire, !opener), sides[i].answerer >= NT_OWNED_OPENING);
		CHECK_EQUAL(nt_wire_has_socket(&wire), sides[i].wire);
	}
}

/* Either side of the key can be the opener. */
static void ownership_of_sides(void)
{
	check_sides(&sample_client, &sample_server);
	check_sides(&sample_server, &sample_client);
}

static void self_connection(void)
{
	static const struct {
		const char *letters;
		__u64 cookie;
		enum nt_ownership ownership;
	} cases[] = {
		{ "S", 0, NT_OWNED_NONE },     { "S", 1, NT_OWNED_OPENING }, { "SHA", 0, NT_OWNED_NONE },
		{ "SHA", 1, NT_OWNED_SOCKET }, { "SHAF", 0, NT_OWNED_NONE }, { "SHAF", 1, NT_OWNED_SOCKET },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nt_wire wire = sample_wire_between(&sample_client, &sample_client, cases[i].letters, START);

		wire.cookie[0] = cases[i].cookie;
		wire.has_socket[0] = !!cases[i].cookie;
		CHECK(wire.connection.marks & NT_MARK_SELF);
		CHECK_EQUAL(nt_ownership_of_side(&wire, 0), cases[i].ownership);
		CHECK_EQUAL(nt_ownership_of_side(&wire, 1), NT_OWNED_NONE);
		CHECK_EQUAL(nt_wire_has_socket(&wire), cases[i].cookie != 0);
	}
}

/* ---- does the connection belong to a given socket? ---- */

static void side_of_socket(void)
{
	struct nt_wire wire = sample_wire("S", START);
	struct nt_wire self = sample_wire_between(&sample_client, &sample_client, "S", START);
	struct nt_socket client = socket_close(NT_ROLE_CLIENT, START, START + SECOND).socket;
	struct nt_socket server = socket_close(NT_ROLE_SERVER, START, START + SECOND).socket;

	CHECK_EQUAL(nt_side_of_socket(&wire, &client), wire.connection.src_index);
	CHECK_EQUAL(nt_side_of_socket(&wire, &server), !wire.connection.src_index);
	CHECK_EQUAL(nt_side_of_socket(&self, &client), -1);

	client.netns = OTHER_NETNS; /* has no influence */
	CHECK_EQUAL(nt_side_of_socket(&wire, &client), wire.connection.src_index);
	server.local_port++;
	CHECK_EQUAL(nt_side_of_socket(&wire, &server), -1);
	client.remote[15]++;
	CHECK_EQUAL(nt_side_of_socket(&wire, &client), -1);

	client.remote_port = client.local_port;
	memcpy(client.remote, client.local, sizeof(client.remote));
	CHECK_EQUAL(nt_side_of_socket(&self, &client), 0);
}

/* Address translation: the socket has another tuple than the packets, and the cookie decides. */
static void side_of_translated_socket(void)
{
	struct nt_wire wire = with_cookies(sample_wire("ShA", START), CLIENT_COOKIE, SERVER_COOKIE);
	struct nt_socket client = socket_close(NT_ROLE_CLIENT, START, START + SECOND).socket;
	struct nt_socket server = socket_close(NT_ROLE_SERVER, START, START + SECOND).socket;
	int opener = wire.connection.src_index;

	client.remote_port++;
	CHECK_EQUAL(nt_side_of_socket(&wire, &client), -1);
	wire.translated[opener] = 1;
	CHECK_EQUAL(nt_side_of_socket(&wire, &client), opener);
	CHECK_EQUAL(nt_side_of_socket(&wire, &server), !opener);
	client.cookie++;
	CHECK_EQUAL(nt_side_of_socket(&wire, &client), -1);
}

static void claims(void)
{
	static const struct {
		__u64 wire, socket; /* cookies */
		__u32 netns;
		enum nt_claim claim;
	} cases[] = {
		{ 1, 1, OWN_NETNS, NT_CLAIM_COOKIE }, { 1, 1, OTHER_NETNS, NT_CLAIM_COOKIE },
		{ 1, 2, OWN_NETNS, NT_CLAIM_NONE },   { 1, 2, OTHER_NETNS, NT_CLAIM_NONE },
		{ 1, 0, OWN_NETNS, NT_CLAIM_TUPLE }, /* a kernel without cookies in programs on sockets */
		{ 1, 0, OTHER_NETNS, NT_CLAIM_NONE }, { 0, 2, OWN_NETNS, NT_CLAIM_TUPLE }, /* SYN cookies */
		{ 0, 2, OTHER_NETNS, NT_CLAIM_NONE }, { 0, 0, OWN_NETNS, NT_CLAIM_TUPLE },
		{ 0, 0, OTHER_NETNS, NT_CLAIM_NONE },
	};
	unsigned int i;
	int side;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (side = 0; side < 2; side++) {
			struct nt_wire wire = sample_wire("ShA", START);
			struct nt_socket socket = { .cookie = cases[i].socket, .netns = cases[i].netns };

			wire.cookie[side] = cases[i].wire;
			wire.cookie[!side] = 7; /* the other side's cookie proves nothing */
			CHECK_EQUAL(nt_claim_of_socket(&wire, side, &socket, OWN_NETNS), cases[i].claim);
		}
	}
}

/* ---- does the connection fall into the life of the socket? ---- */

/* The first packet is at START. Times are relative to it. */
static const struct {
	enum nt_role role;
	__u8 flags; /* of the socket */
	const char *letters;
	bool opener; /* the socket is on that side */
	__s64 start, close;
	bool of_life; /* any connection of the tuple, a closed socket */
	bool latest;  /* matched by tuple */
} lives[] = {
	/* closed before the first packet: only the sequence of events excludes it from being the latest */
	{ NT_ROLE_CLIENT, 0, "S", true, -2 * MS, -1, false, true },
	{ NT_ROLE_CLIENT, NT_SOCKET_PREEXISTING, "S", true, -2 * MS, -1, false, true },
	{ NT_ROLE_CLIENT, 0, "S", true, 0, 0, true, true },
	/* pre-existing */
	{ NT_ROLE_CLIENT, NT_SOCKET_PREEXISTING, "ShA", true, MS, SECOND, true, true },
	{ NT_ROLE_CLIENT, NT_SOCKET_PREEXISTING, "ShA", false, MS, SECOND, true, true },
	{ NT_ROLE_SERVER, NT_SOCKET_PREEXISTING, "ShA", true, MS, SECOND, true, true },
	/* a server's socket is made after the SYN */
	{ NT_ROLE_SERVER, 0, "ShA", false, 2 * MS, SECOND, true, true },
	{ NT_ROLE_SERVER, 0, "ShA", false, 0, SECOND, true, true },
	{ NT_ROLE_SERVER, 0, "ShA", false, -1, SECOND, false, false },
	{ NT_ROLE_SERVER, 0, "ShA", true, 2 * MS, SECOND, false, true },
	/* connect() precedes the SYN */
	{ NT_ROLE_CLIENT, 0, "ShA", true, -MS, SECOND, true, true },
	{ NT_ROLE_CLIENT, 0, "ShA", true, 0, SECOND, true, true },
	{ NT_ROLE_CLIENT, 0, "ShA", true, 1, SECOND, false, true },
	/* a client is the answerer in a simultaneous open only, as the wire or the socket saw it */
	{ NT_ROLE_CLIENT, 0, "ShA", false, -MS, SECOND, false, true },
	{ NT_ROLE_CLIENT, 0, "SsHh", false, -MS, SECOND, true, true },
	{ NT_ROLE_CLIENT, 0, "SsHh", false, MS, SECOND, true, true },
	{ NT_ROLE_CLIENT, NT_SOCKET_SIMULTANEOUS, "ShA", false, -MS, SECOND, true, true },
};

static void lives_of_sockets(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(lives) / sizeof(lives[0]); i++) {
		struct nt_wire wire = sample_wire(lives[i].letters, START);
		int side = lives[i].opener ? wire.connection.src_index : !wire.connection.src_index;
		struct nt_socket socket = {
			.cookie = 1,
			.start_ns = START + lives[i].start,
			.close_ns = START + lives[i].close,
			.netns = OWN_NETNS,
			.role = lives[i].role,
			.flags = lives[i].flags,
		};

		if (!CHECK_EQUAL(nt_life_has_connection(&wire.connection, side, &socket), lives[i].of_life) ||
		    !CHECK_EQUAL(nt_socket_owns_latest(&wire, side, &socket, OWN_NETNS), lives[i].latest))
			printf("  case %u\n", i);
		CHECK_EQUAL(nt_socket_owns(&wire, side, &socket, OWN_NETNS), lives[i].of_life);
		CHECK_EQUAL(nt_socket_owns(&wire, side, &socket, OTHER_NETNS), false);
		CHECK_EQUAL(nt_socket_owns_latest(&wire, side, &socket, OTHER_NETNS), false);

		wire.cookie[side] = 1; /* proves the socket, not the life */
		CHECK_EQUAL(nt_socket_owns(&wire, side, &socket, OTHER_NETNS), lives[i].of_life);
		CHECK_EQUAL(nt_socket_owns_latest(&wire, side, &socket, OTHER_NETNS), true);
		wire.cookie[side] = 2;
		CHECK_EQUAL(nt_socket_owns(&wire, side, &socket, OWN_NETNS), false);
		CHECK_EQUAL(nt_socket_owns_latest(&wire, side, &socket, OWN_NETNS), false);
	}
}

/* The kernel side also checks open sockets, without close_ns, and pre-existing servers, without start_ns. */
static void open_sockets(void)
{
	struct nt_wire wire = sample_wire("ShA", START);
	struct nt_socket server = { .role = NT_ROLE_SERVER, .flags = NT_SOCKET_PREEXISTING, .netns = OWN_NETNS };

	CHECK(nt_socket_owns_latest(&wire, !wire.connection.src_index, &server, OWN_NETNS));
}

/* ---- did no socket come of a completed handshake? ---- */

/* The request of a listener has the cookie 2. */
static const struct {
	const char *letters;
	__u64 request;
	bool answered_here, client, server, unaccepted; /* client, server: a socket is there */
} handshakes[] = {
	{ "ShA", 2, false, false, false, true },
	{ "ShA", 2, false, true, false, true },   /* a local client; the packets are its socket's */
	{ "ShA", 0, true, false, false, true },   /* SYN cookies */
	{ "ShA", 0, false, false, false, false }, /* forwarded */
	{ "ShA", 0, false, true, false, false },  /* a client of a remote server */
	{ "ShA", 2, false, false, true, false },  /* the socket came */
	{ "ShA", 0, true, false, true, false },
	{ "ShAF", 2, false, false, false, true }, /* the client closed, and still no socket came */
	{ "ShAR", 2, false, false, false, true },
	{ "ShAr", 2, false, false, false, true },  /* tcp_abort_on_overflow */
	{ "ShAf", 2, false, false, false, false }, /* a listener sends no FIN */
	{ "Sh", 2, false, false, false, false },   /* half-open */
	{ "ShR", 2, false, false, false, false },
	{ "S", 0, false, false, false, false },
};

static void unaccepted(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(handshakes) / sizeof(handshakes[0]); i++) {
		struct nt_wire wire = sample_wire(handshakes[i].letters, START);
		int opener = wire.connection.src_index;

		wire.cookie[!opener] = handshakes[i].request;
		wire.answered_here = handshakes[i].answered_here;
		wire.has_socket[opener] = handshakes[i].client;
		wire.has_socket[!opener] = handshakes[i].server;
		if (!CHECK_EQUAL(nt_is_unaccepted(&wire), handshakes[i].unaccepted))
			printf("  case %u: %s\n", i, handshakes[i].letters);
		CHECK_EQUAL(nt_wire_has_socket(&wire), handshakes[i].client || handshakes[i].server);
	}
}

/* ---- was the connection forwarded? ---- */

static void forwarded(void)
{
	static const struct {
		const char *letters;
		bool syn_left, with_sockets, without;
	} cases[] = {
		{ "S", false, false, false },   { "S", true, true, true },     { "Sh", false, false, false },
		{ "ShR", true, true, true },    { "ShA", false, true, false }, { "ShAFf", true, true, true },
		{ "ShAR", false, true, false },
	};
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nt_wire wire = sample_wire(cases[i].letters, START);

		wire.syn_left = cases[i].syn_left;
		CHECK_EQUAL(nt_is_forwarded(&wire, true), cases[i].with_sockets);
		CHECK_EQUAL(nt_is_forwarded(&wire, false), cases[i].without);
	}
}

int main(void)
{
	ownership_of_sides();
	self_connection();
	side_of_socket();
	side_of_translated_socket();
	claims();
	lives_of_sockets();
	open_sockets();
	unaccepted();
	forwarded();
	return check_finish();
}
