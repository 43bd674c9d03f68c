// SPDX-License-Identifier: GPL-2.0-or-later
/* Records of live connections: name is expected is docs/record.md's, line by line; name the kernel sets sk_err and the
 * states to is Linux' net/ipv4/tcp_input.c, tcp_timer.c, tcp.c and icmp.c.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>

#include "src/record/socket_record.h"

#include "core/first_payload.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

#define PREEXISTING NT_SOCKET_PREEXISTING
#define LOCAL NT_SOCKET_LOCAL_FIN
#define REMOTE NT_SOCKET_REMOTE_FIN
#define REMOTE_FIRST (NT_SOCKET_REMOTE_FIN | NT_SOCKET_REMOTE_FIRST)
#define SENT NT_SOCKET_RESET_SENT
#define RECEIVED 256 /* reset_received */
#define ACKED 512    /* counts.fin_acknowledged */

#define BOTH_OPENED NT_SOCKET_SIMULTANEOUS

#define CLIENT NT_ROLE_CLIENT
#define SERVER NT_ROLE_SERVER

#define CLOSED NT_OUTCOME_CLOSED
#define RESET NT_OUTCOME_RESET
#define REFUSED NT_OUTCOME_REFUSED
#define TIMEOUT NT_OUTCOME_TIMEOUT
#define UNREACHABLE NT_OUTCOME_UNREACHABLE
#define SRC NT_SRC
#define DST NT_DST
#define NOBODY (-1)

static const char *name_of_interface(void *context, __u32 ifindex)
{
	(void)context;
	return ifindex == 2 ? "eth0" : NULL;
}

/* Numbers of Linux 6.18 */
static const char *name_of_reason(void *context, unsigned int reason)
{
	(void)context;
	switch (reason) {
	case 8:
		return "tcp_abort_on_data";
	case 11:
		return "tcp_abort_on_close";
	case 12:
		return "tcp_abort_on_linger";
	case 14:
		return "tcp_state";
	case 15:
		return "tcp_keepalive_timeout";
	default:
		return NULL;
	}
}

static struct record_lookups names = {
	.interface_name = name_of_interface,
	.reset_reason = name_of_reason,
	.boot_hash = 42,
	.boot_to_utc_ns = 1700000000 * (__s64)SECOND,
	.tick_ns = 4000000,
};

static struct nt_record record;

/* Fills the record of a socket's end; letters: the packets that the wire saw, NULL if none. */
static const struct nt_record *record_of(struct nt_socket_event *event, const char *letters, bool wire_ended)
{
	struct nt_wire wire = sample_wire(letters ? letters : "", START);
	struct joined_socket joined = { .event = event, .wire = letters ? &wire : NULL, .wire_ended = wire_ended };

	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, event->header.now);
	return &record;
}

/* ---- outcome, ended_by, reason ---- */

static const struct {
	const char *name;
	enum nt_role role;
	__u8 old_state;
	int error;
	unsigned int flags; /* the socket's, RECEIVED, ACKED */
	__u8 reset_reason;
	const char *letters;
	bool wire_open; /* the wire has not ended */
	enum nt_outcome outcome;
	int ended_by;
	const char *reason;
} endings[] = {
	{ "we closed first", CLIENT, TCP_FIN_WAIT2, 0, LOCAL, 0, NULL, 0, CLOSED, SRC, NULL },
	{ "and the wire saw all", CLIENT, TCP_FIN_WAIT2, 0, LOCAL, 0, "ShAFf", 0, CLOSED, SRC, NULL },
	{ "and the peer never did", CLIENT, TCP_FIN_WAIT2, 0, LOCAL, 0, "ShAF", 1, CLOSED, SRC, NULL },
	{ "server first", SERVER, TCP_FIN_WAIT2, 0, LOCAL, 0, NULL, 0, CLOSED, DST, NULL },
	{ "server first, wire", SERVER, TCP_FIN_WAIT2, 0, LOCAL | REMOTE, 0, "ShAfF", 0, CLOSED, DST, NULL },
	{ "peer first", CLIENT, TCP_LAST_ACK, 0, LOCAL | REMOTE_FIRST, 0, NULL, 0, CLOSED, DST, NULL },
	{ "peer first, wire", CLIENT, TCP_LAST_ACK, 0, LOCAL | REMOTE_FIRST, 0, "ShAfF", 0, CLOSED, DST, NULL },
	{ "client first", SERVER, TCP_LAST_ACK, 0, LOCAL | REMOTE_FIRST, 0, NULL, 0, CLOSED, SRC, NULL },
	{ "FINs cross", SERVER, TCP_CLOSING, 0, LOCAL | REMOTE, 0, NULL, 0, CLOSED, DST, NULL },
	{ "FINs cross, wire", SERVER, TCP_CLOSING, 0, LOCAL | REMOTE, 0, "ShAFf", 0, CLOSED, SRC, NULL },
	{ "RST after both FINs", SERVER, TCP_LAST_ACK, ECONNRESET, LOCAL | REMOTE_FIRST, 0, NULL, 0, CLOSED, SRC,
	  NULL },
	{ "the same, wire", SERVER, TCP_LAST_ACK, ECONNRESET, LOCAL | REMOTE_FIRST, 0, "ShAFfR", 0, CLOSED, SRC, NULL },
	{ "lost way after both FINs", CLIENT, TCP_CLOSING, EHOSTUNREACH, LOCAL | REMOTE | ACKED, 0, "ShAFf", 0, CLOSED,
	  SRC, NULL },
	{ "kTLS left an error", CLIENT, TCP_LAST_ACK, EBADMSG, LOCAL | REMOTE_FIRST, 0, NULL, 0, CLOSED, DST, NULL },

	{ "linger 0", CLIENT, TCP_ESTABLISHED, 0, SENT, 14, NULL, 0, RESET, SRC, "tcp_state" },
	{ "linger 0, wire", CLIENT, TCP_ESTABLISHED, 0, SENT, 14, "ShAR", 0, RESET, SRC, "tcp_state" },
	{ "no reasons before 6.10", CLIENT, TCP_ESTABLISHED, 0, SENT, 0, "ShAR", 0, RESET, SRC, NULL },
	{ "RST not seen", CLIENT, TCP_ESTABLISHED, 0, 0, 0, "ShA", 1, RESET, SRC, NULL },
	{ "unread data", SERVER, TCP_CLOSE_WAIT, 0, REMOTE_FIRST | SENT, 11, NULL, 0, RESET, DST,
	  "tcp_abort_on_close" },
	{ "linger 0 in FIN_WAIT2", CLIENT, TCP_FIN_WAIT2, 0, LOCAL | SENT, 14, NULL, 0, RESET, SRC, "tcp_state" },
	{ "TCP_LINGER2 < 0", CLIENT, TCP_FIN_WAIT2, 0, LOCAL | SENT | ACKED, 12, NULL, 0, RESET, SRC,
	  "tcp_abort_on_linger" },
	{ "TCP_LINGER2 < 0, wire", SERVER, TCP_FIN_WAIT2, 0, LOCAL | SENT | ACKED, 12, "ShAfr", 0, RESET, DST,
	  "tcp_abort_on_linger" },
	{ "data for a closed reader", CLIENT, TCP_FIN_WAIT1, ECONNRESET, LOCAL | SENT, 8, NULL, 0, RESET, SRC,
	  "tcp_abort_on_data" },
	{ "data for name has left", CLIENT, TCP_FIN_WAIT2, 0, LOCAL, 0, "ShAFR", 0, RESET, SRC, NULL },
	{ "ss -K", CLIENT, TCP_ESTABLISHED, ECONNABORTED, SENT, 14, NULL, 0, RESET, SRC, "tcp_state" },
	{ "peer resets", CLIENT, TCP_ESTABLISHED, ECONNRESET, 0, 0, NULL, 0, RESET, DST, NULL },
	{ "peer resets, wire", SERVER, TCP_ESTABLISHED, ECONNRESET, 0, 0, "ShAR", 0, RESET, SRC, NULL },
	{ "peer resets after its FIN", SERVER, TCP_CLOSE_WAIT, EPIPE, REMOTE_FIRST, 0, NULL, 0, RESET, SRC, NULL },
	{ "peer resets after our FIN", CLIENT, TCP_FIN_WAIT2, ECONNRESET, LOCAL, 0, NULL, 0, RESET, DST, NULL },
	{ "both reset, we first", CLIENT, TCP_ESTABLISHED, 0, SENT, 14, "ShARr", 0, RESET, SRC, "tcp_state" },
	{ "both reset, peer first", CLIENT, TCP_ESTABLISHED, ECONNRESET, 0, 0, "ShArR", 0, RESET, DST, NULL },
	{ "we reset, its RST came too late", CLIENT, TCP_ESTABLISHED, 0, SENT, 14, "ShArR", 0, RESET, SRC,
	  "tcp_state" },
	{ "its RST was refused", CLIENT, TCP_FIN_WAIT2, 0, LOCAL | REMOTE, 0, "ShArFf", 0, CLOSED, SRC, NULL },
	{ "a server refused a RST", SERVER, TCP_LAST_ACK, 0, LOCAL | REMOTE_FIRST, 0, "ShARFf", 0, CLOSED, SRC, NULL },
	{ "a RST that we did not send", CLIENT, TCP_FIN_WAIT2, 0, LOCAL | REMOTE, 0, "ShARFf", 0, CLOSED, SRC, NULL },
	{ "its FIN was refused", CLIENT, TCP_ESTABLISHED, ECONNRESET, 0, 0, "ShAf", 0, RESET, DST, NULL },
	{ "the same, then we closed", CLIENT, TCP_ESTABLISHED, 0, SENT, 14, "ShAf", 0, RESET, SRC, "tcp_state" },
	{ "a FIN that we did not send", SERVER, TCP_ESTABLISHED, ECONNRESET, 0, 0, "ShAf", 0, RESET, SRC, NULL },
	{ "Fast Open child reset", SERVER, TCP_SYN_RECV, ECONNRESET, 0, 0, NULL, 0, RESET, SRC, NULL },

	{ "refused", CLIENT, TCP_SYN_SENT, ECONNREFUSED, RECEIVED, 0, NULL, 0, REFUSED, DST, NULL },
	{ "refused, wire", CLIENT, TCP_SYN_SENT, ECONNREFUSED, RECEIVED, 0, "Sr", 0, REFUSED, DST, NULL },
	{ "refused, RST elsewhere", CLIENT, TCP_SYN_SENT, ECONNREFUSED, RECEIVED, 0, "S", 1, REFUSED, DST, NULL },
	{ "RST seen by the wire alone", CLIENT, TCP_SYN_SENT, ECONNREFUSED, 0, 0, "Sr", 0, REFUSED, DST, NULL },
	{ "refused as we gave up", CLIENT, TCP_SYN_SENT, 0, 0, 0, "Sr", 0, REFUSED, DST, NULL },
	{ "reset while both open", CLIENT, TCP_SYN_RECV, ECONNRESET, BOTH_OPENED, 0, NULL, 0, REFUSED, DST, NULL },

	{ "no answer", CLIENT, TCP_SYN_SENT, ETIMEDOUT, 0, 0, "SS", 0, TIMEOUT, NOBODY, "etimedout" },
	{ "given up", CLIENT, TCP_SYN_SENT, 0, 0, 0, "S", 0, TIMEOUT, NOBODY, "gave_up" },
	{ "given up, no wire", CLIENT, TCP_SYN_SENT, 0, 0, 0, NULL, 0, TIMEOUT, NOBODY, "gave_up" },
	{ "ss -K of an attempt", CLIENT, TCP_SYN_SENT, ECONNABORTED, 0, 0, "S", 0, TIMEOUT, NOBODY, "gave_up" },
	{ "data unanswered", CLIENT, TCP_ESTABLISHED, ETIMEDOUT, 0, 0, "ShA", 0, TIMEOUT, NOBODY, "etimedout" },
	{ "last FIN unanswered", SERVER, TCP_LAST_ACK, ETIMEDOUT, LOCAL | REMOTE_FIRST, 0, "ShAFf", 0, TIMEOUT, NOBODY,
	  "etimedout" },
	{ "crossing FIN unanswered", CLIENT, TCP_CLOSING, ETIMEDOUT, LOCAL | REMOTE, 0, NULL, 0, TIMEOUT, NOBODY,
	  "etimedout" },
	{ "keep-alive", SERVER, TCP_ESTABLISHED, ETIMEDOUT, SENT, 15, "ShAr", 0, TIMEOUT, NOBODY, "keepalive_timeout" },
	{ "keep-alive before 6.10", SERVER, TCP_ESTABLISHED, ETIMEDOUT, SENT, 0, NULL, 0, TIMEOUT, NOBODY,
	  "keepalive_timeout" },

	{ "no neighbour", CLIENT, TCP_SYN_SENT, EHOSTUNREACH, 0, 0, NULL, 0, UNREACHABLE, NOBODY, "ehostunreach" },
	{ "no way", CLIENT, TCP_SYN_SENT, ENETUNREACH, 0, 0, "S", 0, UNREACHABLE, NOBODY, "enetunreach" },
	{ "prohibited (ICMPv6 1.1)", CLIENT, TCP_SYN_SENT, EACCES, 0, 0, "S", 0, UNREACHABLE, NOBODY, "eacces" },
	{ "no protocol (ICMP 3.2)", CLIENT, TCP_SYN_SENT, ENOPROTOOPT, 0, 0, "S", 0, UNREACHABLE, NOBODY,
	  "enoprotoopt" },
	{ "no port (ICMP 3.3)", CLIENT, TCP_SYN_SENT, ECONNREFUSED, 0, 0, "S", 0, UNREACHABLE, NOBODY, "econnrefused" },
	{ "no port, no wire", CLIENT, TCP_SYN_SENT, ECONNREFUSED, 0, 0, NULL, 0, UNREACHABLE, NOBODY, "econnrefused" },
	{ "failed route (ICMP 3.5)", CLIENT, TCP_SYN_SENT, EOPNOTSUPP, 0, 0, "S", 0, UNREACHABLE, NOBODY,
	  "eopnotsupp" },
	{ "unknown host (ICMP 3.7)", CLIENT, TCP_SYN_SENT, EHOSTDOWN, 0, 0, "S", 0, UNREACHABLE, NOBODY, "ehostdown" },
	{ "isolated (ICMP 3.8)", CLIENT, TCP_SYN_SENT, ENONET, 0, 0, "S", 0, UNREACHABLE, NOBODY, "enonet" },
	{ "bad parameter (ICMP 12)", CLIENT, TCP_SYN_SENT, EPROTO, 0, 0, "S", 0, UNREACHABLE, NOBODY, "eproto" },
	{ "no way while both open", CLIENT, TCP_SYN_RECV, EHOSTUNREACH, BOTH_OPENED, 0, "Ss", 0, UNREACHABLE, NOBODY,
	  "ehostunreach" },
	{ "lost way before the last ACK", SERVER, TCP_LAST_ACK, EHOSTUNREACH, LOCAL | REMOTE_FIRST, 0, "ShAFf", 0,
	  UNREACHABLE, NOBODY, "ehostunreach" },
	{ "lost way", CLIENT, TCP_ESTABLISHED, EHOSTUNREACH, 0, 0, "ShA", 0, UNREACHABLE, NOBODY, "ehostunreach" },
	{ "lost way, then a RST", CLIENT, TCP_ESTABLISHED, ENETUNREACH, 0, 0, "ShAr", 0, UNREACHABLE, NOBODY,
	  "enetunreach" },
	{ "lost port", CLIENT, TCP_ESTABLISHED, ECONNREFUSED, 0, 0, NULL, 0, UNREACHABLE, NOBODY, "econnrefused" },
};

static void check_ending(unsigned int i)
{
	struct nt_socket_event event = socket_close(endings[i].role, START, START + SECOND);
	unsigned int failed = check_failed;

	event.socket.flags = endings[i].flags & ~(RECEIVED | ACKED);
	event.counts.fin_acknowledged = !!(endings[i].flags & ACKED);
	event.socket.reset_received = !!(endings[i].flags & RECEIVED);
	event.socket.reset_reason = endings[i].reset_reason;
	event.counts.old_state = endings[i].old_state;
	event.counts.error = endings[i].error;
	if (endings[i].letters)
		event.socket.first_fin_ns = START + 5 * MS;
	record_of(&event, endings[i].letters, !endings[i].wire_open || endings[i].flags & RECEIVED);
	CHECK_EQUAL(record.outcome, endings[i].outcome);
	CHECK_EQUAL(nt_record_has(&record, NT_HAS_ENDED_BY), endings[i].ended_by != NOBODY);
	if (endings[i].ended_by != NOBODY)
		CHECK_EQUAL(record.ended_by, endings[i].ended_by);
	CHECK_EQUAL(nt_record_has(&record, NT_HAS_REASON), !!endings[i].reason);
	CHECK_STRING(record.reason, endings[i].reason ? endings[i].reason : "");
	CHECK_EQUAL(record.gaps, (endings[i].wire_open ? NT_GAP_WIRE_END : 0) |
					 (endings[i].flags & NT_SOCKET_SIMULTANEOUS ? NT_GAP_DIRECTION : 0));
	if (check_failed > failed)
		printf("  in: %s\n", endings[i].name);
}

static void outcomes(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(endings) / sizeof(endings[0]); i++)
		check_ending(i);
}

/* ---- times ---- */

#define ABSENT (~0ULL)

static __u64 value(int bit, __u64 member)
{
	return nt_record_has(&record, bit) ? member : ABSENT;
}

/* The packets begin at START, 1 ms apart; the socket lives from socket_start to START + 1 s. */
static const struct {
	enum nt_role role;
	__u8 flags, old_state;
	__u64 socket_start;
	const char *letters;
	__u64 start, duration, first_fin, handshake;
} timings[] = {
	{ CLIENT, LOCAL, TCP_FIN_WAIT2, START - 5 * MS, NULL, START - 5 * MS, SECOND + 5 * MS, SECOND + 4 * MS, MS },
	{ CLIENT, LOCAL, TCP_FIN_WAIT2, START - 5 * MS, "ShAFf", START - 5 * MS, SECOND + 5 * MS, 8 * MS, 2 * MS },
	{ CLIENT, LOCAL, TCP_FIN_WAIT2, START - 5 * MS, "ShA", START - 5 * MS, SECOND + 5 * MS, SECOND + 4 * MS,
	  2 * MS },
	{ SERVER, LOCAL, TCP_FIN_WAIT2, START + 2 * MS, NULL, START + 2 * MS, SECOND - 2 * MS, SECOND - 3 * MS,
	  ABSENT },
	{ SERVER, LOCAL | REMOTE_FIRST, TCP_LAST_ACK, START + 2 * MS, "ShAFf", START, SECOND, 3 * MS, 2 * MS },
	{ SERVER, SENT, TCP_ESTABLISHED, START + 2 * MS, "ShAr", START, SECOND, 3 * MS, 2 * MS },
	/* the RST was sent at the change to CLOSE */
	{ SERVER, SENT, TCP_ESTABLISHED, START, NULL, START, SECOND, SECOND, ABSENT },
	/* pre-existing */
	{ CLIENT, PREEXISTING | LOCAL, TCP_FIN_WAIT2, 0, NULL, ABSENT, ABSENT, ABSENT, ABSENT },
	{ SERVER, PREEXISTING | LOCAL, TCP_FIN_WAIT2, 0, NULL, ABSENT, ABSENT, ABSENT, ABSENT },
};

static void times(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(timings) / sizeof(timings[0]); i++) {
		struct nt_socket_event event = socket_close(timings[i].role, timings[i].socket_start, START + SECOND);
		bool known = timings[i].start != ABSENT;

		event.socket.flags = timings[i].flags;
		if (!known)
			event.socket.established_ns = 0;
		event.counts.old_state = timings[i].old_state;
		record_of(&event, timings[i].letters, true);
		CHECK_EQUAL(value(NT_HAS_START, record.start_ns),
			    known ? timings[i].start + names.boot_to_utc_ns : ABSENT);
		CHECK_EQUAL(value(NT_HAS_DURATION, record.duration_ns), timings[i].duration);
		CHECK_EQUAL(record.end_ns, START + SECOND + names.boot_to_utc_ns);
		CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), timings[i].first_fin);
		CHECK_EQUAL(value(NT_HAS_HANDSHAKE, record.handshake_ns), timings[i].handshake);
		CHECK_EQUAL(record.gaps, known ? 0 : NT_GAP_START | NT_GAP_DIRECTION);
	}
}

/* It connected, so the direction is certain, whether it was established later or not. */
static void found_in_syn_sent(void)
{
	struct nt_socket_event event = socket_close(CLIENT, 0, START + SECOND);

	event.socket.flags = NT_SOCKET_PREEXISTING;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_START);
	event.socket.established_ns = 0;
	event.counts.old_state = TCP_SYN_SENT;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_START);
	event.counts.old_state = TCP_ESTABLISHED;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_START | NT_GAP_DIRECTION);
}

static void failed_attempt(int error, const char *letters)
{
	struct nt_socket_event event = socket_close(CLIENT, START - MS, START + SECOND);

	event.socket.established_ns = event.socket.first_fin_ns = 0;
	event.socket.flags = 0;
	event.socket.reset_received = error == ECONNREFUSED;
	event.counts.old_state = TCP_SYN_SENT;
	event.counts.error = error;
	record_of(&event, letters, true);
	CHECK_EQUAL(value(NT_HAS_DURATION, record.duration_ns), SECOND + MS);
	CHECK_EQUAL(value(NT_HAS_HANDSHAKE, record.handshake_ns), ABSENT);
}

/* first_fin_ns exists only if there was a FIN or a RST. */
static void ends_without_fin(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

	failed_attempt(ECONNREFUSED, NULL);
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), SECOND + MS);
	failed_attempt(ECONNREFUSED, "Sr");
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), 2 * MS);
	failed_attempt(ETIMEDOUT, "SS");
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), ABSENT);
	failed_attempt(0, NULL);
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), ABSENT);

	event.socket.flags = 0;
	event.socket.first_fin_ns = START + SECOND; /* the change to CLOSE */
	event.counts.old_state = TCP_ESTABLISHED;
	event.counts.error = ETIMEDOUT;
	record_of(&event, NULL, true);
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), ABSENT);
	event.socket.flags = SENT; /* keep-alive */
	record_of(&event, NULL, true);
	CHECK_EQUAL(value(NT_HAS_FIRST_FIN, record.first_fin_ns), SECOND);
}

/* A client's start is its connect(), which comes before the SYN; a server's is the SYN. */
static void first_payloads(void)
{
	static const enum nt_role roles[] = { CLIENT, SERVER };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		struct nt_socket_event event = socket_close(roles[i], START + 2 * MS, START + SECOND);
		struct nt_wire wire = sample_wire("ShA", START + MS);
		struct nt_streams streams = {};
		struct joined_socket joined = { .event = &event, .wire = &wire, .streams = &streams };
		int src = wire.connection.src_index;

		nt_last_exchange_add(&streams.exchange, src, START + 5 * MS);
		nt_last_exchange_add(&streams.exchange, 1 - src, START + 9 * MS);
		nt_last_exchange_add(&streams.exchange, src, START + 20 * MS);
		event.socket.start_ns = roles[i] == CLIENT ? START : START + 2 * MS;
		wire.connection.payload_ns[src] = START + 5 * MS;
		wire.connection.payload_ns[1 - src] = START + 9 * MS;
		wire.connection.payload_flags[0] = wire.connection.payload_flags[1] = NT_PAYLOAD_SEEN;
		record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, event.header.now);
		CHECK_EQUAL(value(NT_HAS_REQUEST, record.request_ns), (roles[i] == CLIENT ? 5 : 4) * MS);
		CHECK_EQUAL(value(NT_HAS_RESPONSE, record.response_ns), (roles[i] == CLIENT ? 9 : 8) * MS);
		CHECK_EQUAL(value(NT_HAS_LAST_REQUEST, record.last_request_ns), (roles[i] == CLIENT ? 20 : 19) * MS);
		CHECK(!nt_record_has(&record, NT_HAS_LAST_RESPONSE));
		event.socket.flags |= PREEXISTING;
		record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, event.header.now);
		CHECK(!nt_record_has(&record, NT_HAS_REQUEST) && !nt_record_has(&record, NT_HAS_RESPONSE));
		CHECK(!nt_record_has(&record, NT_HAS_LAST_REQUEST));
	}
}

static void values_of_the_wire(void)
{
	struct nt_socket_event event = socket_close(SERVER, START + 2 * MS, START + SECOND);

	event.socket.flags = LOCAL | REMOTE_FIRST;
	record_of(&event, "ShAFf", true);
	CHECK_EQUAL(record.seen, NT_SEEN_WIRE | NT_SEEN_SOCKET);
	CHECK_EQUAL(value(NT_HAS_SYN_SYNACK, record.syn_synack_ns), MS);
	CHECK_EQUAL(value(NT_HAS_SYNACK_ACK, record.synack_ack_ns), MS);
	CHECK_EQUAL(value(NT_HAS_SYN_FINACK, record.syn_finack_ns), 4 * MS);
	CHECK_EQUAL(value(NT_HAS_WIRE_DURATION, record.wire_duration_ns), 4 * MS);
	CHECK_STRING(record.conn_state, "SF");
	CHECK_STRING(record.history, "ShFf");
	CHECK_STRING(record.ifname, "eth0");
	CHECK(!nt_record_has(&record, NT_HAS_VLAN));
	CHECK(!nt_record_has(&record, NT_HAS_WIRE_SRC) && !nt_record_has(&record, NT_HAS_WIRE_DST));

	CHECK(!nt_record_has(&record, NT_HAS_REQUEST) && !nt_record_has(&record, NT_HAS_RESPONSE));

	event.socket.in_sockmap = 1;
	record_of(&event, "ShAFf", true);
	CHECK_EQUAL(record.gaps & NT_GAP_BYPASS, NT_GAP_BYPASS);
	CHECK(!nt_record_has(&record, NT_HAS_SRC_BYTES) && !nt_record_has(&record, NT_HAS_DST_BYTES));
	event.socket.in_sockmap = 0;

	event.socket.local_port = 8080; /* behind address translation */
	record_of(&event, "ShAFf", true);
	CHECK_EQUAL(record.dst_port, 8080);
	CHECK_EQUAL(value(NT_HAS_WIRE_DST, record.wire_dst_port), 80);
	CHECK(!memcmp(record.wire_dst_ip, sample_server.address, 16));
	CHECK(!nt_record_has(&record, NT_HAS_WIRE_SRC));
	event.socket.local_port = 80;

	record_of(&event, NULL, true);
	CHECK_EQUAL(record.seen, NT_SEEN_SOCKET);
	CHECK(!nt_record_has(&record, NT_HAS_WIRE_DURATION) && !nt_record_has(&record, NT_HAS_CONN_STATE) &&
	      !nt_record_has(&record, NT_HAS_HISTORY) && !nt_record_has(&record, NT_HAS_IFNAME));
}

static void vlan_and_interface(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);
	struct nt_wire wire = sample_wire("ShAFf", START);
	struct joined_socket joined = { .event = &event, .wire = &wire, .wire_ended = true };

	wire.connection.vlan = 100;
	wire.ifindex = 3; /* removed since */
	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	CHECK_EQUAL(value(NT_HAS_VLAN, record.vlan), 100);
	CHECK(!nt_record_has(&record, NT_HAS_IFNAME));
}

/* ---- tuple, owner, id ---- */

static void tuple_of_each_role(void)
{
	struct nt_socket_event client = socket_close(CLIENT, START, START + SECOND);
	struct nt_socket_event server = socket_close(SERVER, START, START + SECOND);
	const struct nt_socket_event *events[] = { &client, &server };
	unsigned int i;

	server.socket.netns = OTHER_NETNS;
	for (i = 0; i < 2; i++) {
		struct joined_socket joined = { .event = events[i] };

		record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
		CHECK_EQUAL(record.role, i ? SERVER : CLIENT);
		CHECK(!memcmp(record.src_ip, sample_client.address, 16) && record.src_port == sample_client.port);
		CHECK(!memcmp(record.dst_ip, sample_server.address, 16) && record.dst_port == sample_server.port);
		CHECK_EQUAL(value(NT_HAS_NETNS, record.netns), i ? OTHER_NETNS : OWN_NETNS);
	}
}

static const struct {
	__u32 pid;
	__u8 by;
	bool known, gap;
} owners[] = {
	{ 4711, NT_OWNER_CONNECT, true, false },
	{ 4711, NT_OWNER_IO, true, false },
	{ 4711, NT_OWNER_CLOSE, true, false },
	{ 4711, NT_OWNER_SCAN, true, false },
	{ 4711, NT_OWNER_LISTEN, true, true }, /* at best the owner of the listener */
	{ 0, 0, false, true },
};

static void owner_and_its_gap(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(owners) / sizeof(owners[0]); i++) {
		struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

		event.socket.owner.process.pid = owners[i].pid;
		event.socket.owner.process.exec_id = 77; /* no event has described it */
		event.socket.owner.by = owners[i].by;
		record_of(&event, NULL, true);
		CHECK_EQUAL(record.gaps,
			    (owners[i].gap ? NT_GAP_OWNER : 0) | (owners[i].known ? NT_GAP_OWNER_PARTIAL : 0));
		CHECK_EQUAL(value(NT_HAS_PID, record.pid), owners[i].known ? 4711 : ABSENT);
		CHECK_EQUAL(value(NT_HAS_UID, record.uid), owners[i].known ? 33 : ABSENT);
		CHECK_EQUAL(value(NT_HAS_OWNER_BY, record.owner_by), owners[i].known ? owners[i].by : ABSENT);
		CHECK_EQUAL(nt_record_has(&record, NT_HAS_COMM), owners[i].known);
		CHECK_STRING(record.comm, owners[i].known ? "worker" : "");
		CHECK(!nt_record_has(&record, NT_HAS_EXE) && !nt_record_has(&record, NT_HAS_CGROUP) &&
		      !nt_record_has(&record, NT_HAS_CONTAINER));
	}
}

static void describe(const struct nt_process_id *id, bool executable_known, bool cgroup_known)
{
	struct nt_process_event process = {
		.process = *id,
		.executable = { .count = 3, .known = executable_known, .component = { "nginx", "sbin", "usr" } },
		.cgroup = { .count = 1, .known = cgroup_known, .component = { "nginx.service" } },
	};

	process_table_add_long(names.processes, &process);
}

static void describe_sample_owner(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

	describe(&event.socket.owner.process, true, true);
}

static void owner_that_was_described(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

	record_of(&event, NULL, true);
	CHECK(nt_record_has(&record, NT_HAS_EXE) && !strcmp(record.exe, "/usr/sbin/nginx"));
	CHECK(nt_record_has(&record, NT_HAS_CGROUP) && !strcmp(record.cgroup, "/nginx.service"));
	CHECK(!nt_record_has(&record, NT_HAS_CONTAINER));
	CHECK_EQUAL(record.gaps, 0);
}

/* docs/record.md, gap `owner_partial`: exe or cgroup of a known owner is missing. */
static void owner_that_was_described_in_part(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);
	int i;

	for (i = 0; i < 3; i++) {
		event.socket.owner.process.exec_id = 80 + i;
		describe(&event.socket.owner.process, i == 1, i == 2);
		record_of(&event, NULL, true);
		CHECK_EQUAL(nt_record_has(&record, NT_HAS_EXE), i == 1);
		CHECK_EQUAL(nt_record_has(&record, NT_HAS_CGROUP), i == 2);
		CHECK_EQUAL(record.gaps, NT_GAP_OWNER_PARTIAL);
	}
}

/* docs/record.md, `id`: equal in all records of one endpoint's account of one connection, and unique to it. */
static void identities(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);
	struct joined_socket joined = { .event = &event };
	char first[NT_ID_SIZE];

	record_fill_from_socket(&record, NT_EVENT_OPEN, &joined, &names, START + MS);
	strcpy(first, record.id);
	CHECK_EQUAL(strspn(first, "0123456789abcdef"), 16);
	CHECK_STRING(record_of(&event, "ShAFf", true)->id, first);
	event.socket.nth = 1; /* the descriptor's next connection */
	CHECK(strcmp(record_of(&event, NULL, true)->id, first));
	event.socket.nth = 0;
	event.socket.cookie = SERVER_COOKIE;
	CHECK(strcmp(record_of(&event, NULL, true)->id, first));
	event.socket.cookie = 0; /* a kernel without cookies: the address is used instead */
	strcpy(first, record_of(&event, NULL, true)->id);
	event.address += 64;
	CHECK(strcmp(record_of(&event, NULL, true)->id, first));
	event.address -= 64;
	CHECK_STRING(record_of(&event, NULL, true)->id, first);
	event.socket.start_ns += MS; /* the next socket at this address */
	CHECK(strcmp(record_of(&event, NULL, true)->id, first));
}

/* ---- counts ---- */

static struct nt_socket_event counted(enum nt_role role)
{
	struct nt_socket_event event = socket_close(role, START, START + SECOND);

	event.counts = (struct nt_socket_counts){
		.bytes_sent = 5000000000,
		.bytes_received = 101,
		.segments_out = 30,
		.segments_in = 20,
		.retransmits = 3,
		.srtt_us = 400,
		.min_rtt_us = 300,
		.old_state = TCP_FIN_WAIT2,
		.valid = 1,
	};
	return event;
}

static void counts_of_each_side(void)
{
	struct nt_socket_event event = counted(CLIENT);

	record_of(&event, "ShAFf", true);
	CHECK_EQUAL(value(NT_HAS_SRC_BYTES, record.bytes[NT_SRC]), 5000000000);
	CHECK_EQUAL(value(NT_HAS_DST_BYTES, record.bytes[NT_DST]), 101);
	CHECK_EQUAL(value(NT_HAS_SRC_PACKETS, record.packets[NT_SRC]), 30);
	CHECK_EQUAL(value(NT_HAS_DST_PACKETS, record.packets[NT_DST]), 20);
	CHECK_EQUAL(value(NT_HAS_SRC_RETRANSMITS, record.retransmits[NT_SRC]), 3);
	CHECK_EQUAL(value(NT_HAS_DST_RETRANSMITS, record.retransmits[NT_DST]), ABSENT);
	CHECK_EQUAL(value(NT_HAS_RTT, record.rtt_us), 400);
	CHECK_EQUAL(value(NT_HAS_MIN_RTT, record.min_rtt_us), 300);

	event = counted(SERVER);
	record_of(&event, NULL, true);
	CHECK_EQUAL(value(NT_HAS_DST_BYTES, record.bytes[NT_DST]), 5000000000);
	CHECK_EQUAL(value(NT_HAS_SRC_BYTES, record.bytes[NT_SRC]), 101);
	CHECK_EQUAL(value(NT_HAS_DST_PACKETS, record.packets[NT_DST]), 30);
	CHECK_EQUAL(value(NT_HAS_DST_RETRANSMITS, record.retransmits[NT_DST]), 3);
	CHECK_EQUAL(value(NT_HAS_SRC_RETRANSMITS, record.retransmits[NT_SRC]), ABSENT);
}

static void unknown_counts(void)
{
	struct nt_socket_event event = counted(CLIENT);

	event.counts.valid = 0;
	record_of(&event, NULL, true);
	CHECK(!(record.present & (NT_PRESENT(NT_HAS_SRC_BYTES) | NT_PRESENT(NT_HAS_DST_BYTES) |
				  NT_PRESENT(NT_HAS_SRC_PACKETS) | NT_PRESENT(NT_HAS_RTT))));
	event.counts.valid = 1;
	event.counts.srtt_us = 0; /* no sample; min_rtt_us is left from an earlier connection of the descriptor */
	record_of(&event, NULL, true);
	CHECK_EQUAL(value(NT_HAS_RTT, record.rtt_us), ABSENT);
	CHECK_EQUAL(value(NT_HAS_MIN_RTT, record.min_rtt_us), ABSENT);
	CHECK_EQUAL(value(NT_HAS_DST_BYTES, record.bytes[NT_DST]), 101);
}

/* Bytes come from the socket, in 64 bits; packets and retransmits from the wire. */
static void every_packet_followed(void)
{
	struct nt_socket_event event = counted(SERVER);
	struct nt_wire wire = sample_wire("ShAFf", START);
	struct nt_streams streams = { .of = { { .core = { .packets = 41, .bytes = 7, .retransmits = 1 } },
					      { .core = { .packets = 42, .bytes = 8, .retransmits = 2 } } } };
	int client = wire.connection.src_index;
	struct joined_socket joined = { .event = &event, .wire = &wire, .streams = &streams, .wire_ended = true };

	names.every_packet = true;
	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	CHECK_EQUAL(record.seen, NT_SEEN_WIRE | NT_SEEN_PACKETS | NT_SEEN_SOCKET);
	CHECK_EQUAL(record.gaps, 0);
	CHECK_EQUAL(record.packets[NT_SRC], streams.of[client].core.packets);
	CHECK_EQUAL(record.packets[NT_DST], streams.of[!client].core.packets);
	CHECK_EQUAL(value(NT_HAS_SRC_RETRANSMITS, record.retransmits[NT_SRC]), streams.of[client].core.retransmits);
	CHECK_EQUAL(value(NT_HAS_DST_RETRANSMITS, record.retransmits[NT_DST]), streams.of[!client].core.retransmits);
	CHECK_EQUAL(record.bytes[NT_SRC], 101);
	CHECK_EQUAL(record.bytes[NT_DST], 5000000000);

	streams.of[0].core.flags = NT_STREAM_INCOMPLETE;
	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	CHECK_EQUAL(record.gaps, NT_GAP_PACKETS);
	record_of(&event, "ShAFf", true); /* --packets, and no packet was seen */
	CHECK_EQUAL(record.gaps, NT_GAP_PACKETS);
	names.every_packet = false;
}

static const struct {
	__u32 busy, receiver, sndbuf, lifetime;
	int limited_by; /* -1: absent */
} limits[] = {
	{ 0, 0, 0, 1000, -1 }, /* sent for less than a clock tick */
	{ 9, 0, 0, 0, -1 },    /* pre-existing */
	{ 90, 5, 5, 120, NT_LIMITED_NETWORK },
	{ 5, 90, 5, 120, NT_LIMITED_RECEIVER },
	{ 5, 5, 90, 120, NT_LIMITED_SNDBUF },
	{ 5, 5, 5, 120, NT_LIMITED_IDLE },
	{ 0, 10, 60, 129, NT_LIMITED_SNDBUF },
	{ 0, 10, 60, 131, NT_LIMITED_IDLE },
	{ 50, 0, 0, 40, NT_LIMITED_NETWORK }, /* the kernel reads these clocks one after the other */
};

static void limited_by(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct nt_socket_event event = counted(CLIENT);

		event.counts.busy_jiffies = limits[i].busy;
		event.counts.receiver_limited_jiffies = limits[i].receiver;
		event.counts.sndbuf_limited_jiffies = limits[i].sndbuf;
		event.counts.lifetime_jiffies = limits[i].lifetime;
		record_of(&event, NULL, true);
		CHECK_EQUAL(nt_record_has(&record, NT_HAS_LIMITED_BY), limits[i].limited_by >= 0);
		if (limits[i].limited_by >= 0)
			CHECK_EQUAL(record.limited_by, limits[i].limited_by);
	}
}

/* ---- events, gaps, observers ---- */

/* A connect() that waits at the end of tracking. A SYN-ACK on the wire that the socket did not get is an answer. */
static void waiting_to_connect(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, 0);
	struct nt_wire asked = sample_wire("S", START + US), answered = sample_wire("Sh", START + US);
	struct joined_socket joined = { .event = &event, .wire = &asked };

	event.socket.state = TCP_SYN_SENT;
	event.socket.established_ns = 0;
	event.socket.flags = 0;
	event.socket.first_fin_ns = 0;
	record_fill_from_socket(&record, NT_EVENT_EXIT, &joined, &names, START + SECOND);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_UNANSWERED);
	record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
	joined.wire = &answered;
	record_fill_from_socket(&record, NT_EVENT_EXIT, &joined, &names, START + SECOND);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
}

static void still_open(void)
{
	static const enum nt_event_kind kinds[] = { NT_EVENT_OPEN, NT_EVENT_UPDATE, NT_EVENT_EXIT, NT_EVENT_LISTED };
	struct nt_socket_event event = socket_close(CLIENT, START, 0);
	struct nt_wire wire = sample_wire("ShA", START + US);
	struct joined_socket joined = { .event = &event, .wire = &wire };
	unsigned int i;

	event.socket.state = TCP_ESTABLISHED;
	event.socket.flags = 0;
	event.socket.first_fin_ns = 0;
	for (i = 0; i < 4; i++) {
		record_fill_from_socket(&record, kinds[i], &joined, &names, START + 2 * SECOND);
		CHECK_EQUAL(record.event, kinds[i]);
		CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
		CHECK_EQUAL(value(NT_HAS_STATE, record.state), TCP_ESTABLISHED);
		CHECK_EQUAL(value(NT_HAS_DURATION, record.duration_ns), 2 * SECOND);
		CHECK_EQUAL(record.end_ns, START + 2 * SECOND + names.boot_to_utc_ns);
		CHECK(!nt_record_has(&record, NT_HAS_ENDED_BY) && !nt_record_has(&record, NT_HAS_FIRST_FIN));
		CHECK_EQUAL(record.gaps, 0);
	}
	CHECK(!nt_record_has(record_of(&event, NULL, true), NT_HAS_STATE));
}

static struct nt_listener_event listener_event(void)
{
	struct nt_listener_event event = {
		.header = { .type = NT_EVENT_TYPE_LISTENER, .now = START },
		.address = 0xffff888000000100,
		.cookie = 77,
		.owner = { .process = { .pid = 321, .start_ns = 5 },
			   .comm = "nginx",
			   .uid = 33,
			   .by = NT_OWNER_LISTEN },
		.local_port = 443,
		.has_drops = 1,
		.netns = 4026531840,
		.backlog = 2,
		.backlog_max = 128,
		.drops = 9,
	};

	return event;
}

static void listeners(void)
{
	struct nt_listener_event event = listener_event();
	struct nt_record first;

	record_fill_from_listener(&record, &event, &names);
	first = record;
	CHECK_EQUAL(record.event, NT_EVENT_LISTENER);
	CHECK_EQUAL(record.end_ns, START + names.boot_to_utc_ns);
	CHECK_EQUAL(record.dst_port, 443);
	CHECK_EQUAL(value(NT_HAS_NETNS, record.netns), 4026531840);
	CHECK_EQUAL(value(NT_HAS_PID, record.pid), 321);
	CHECK_EQUAL(value(NT_HAS_UID, record.uid), 33);
	CHECK(nt_record_has(&record, NT_HAS_COMM) && !strcmp(record.comm, "nginx"));
	CHECK_EQUAL(value(NT_HAS_BACKLOG, record.backlog), 2);
	CHECK_EQUAL(value(NT_HAS_BACKLOG_MAX, record.backlog_max), 128);
	CHECK_EQUAL(value(NT_HAS_DROPS, record.drops), 9);
	CHECK_EQUAL(value(NT_HAS_DUAL_STACK, record.dual_stack), 1);
	CHECK(!nt_record_has(&record, NT_HAS_OWNER_BY) && !nt_record_has(&record, NT_HAS_IFNAME));
	event.ipv6_only = 1;
	event.has_drops = 0;
	event.owner.process.pid = 0;
	record_fill_from_listener(&record, &event, &names);
	CHECK_EQUAL(value(NT_HAS_DUAL_STACK, record.dual_stack), 0);
	CHECK(!nt_record_has(&record, NT_HAS_DROPS) && !nt_record_has(&record, NT_HAS_PID));
	CHECK(!nt_record_has(&record, NT_HAS_COMM) && !nt_record_has(&record, NT_HAS_UID));
	CHECK_STRING(record.id, first.id);
	event.cookie = 78;
	event.local[15] = 1;
	record_fill_from_listener(&record, &event, &names);
	CHECK(!nt_record_has(&record, NT_HAS_DUAL_STACK));
	CHECK(strcmp(record.id, first.id) != 0);
}

/* A state's age is known if its change was seen: docs/record.md. */
static void state_ages(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, 0);
	struct joined_socket joined = { .event = &event };

	event.socket.state = TCP_CLOSE_WAIT;
	event.socket.state_ns = START + 3 * SECOND;
	record_fill_from_socket(&record, NT_EVENT_LISTED, &joined, &names, START + 65 * SECOND);
	CHECK_EQUAL(value(NT_HAS_STATE_AGE, record.state_age_ns), 62 * SECOND);
	event.socket.state_ns = 0;
	record_fill_from_socket(&record, NT_EVENT_LISTED, &joined, &names, START + 65 * SECOND);
	CHECK(!nt_record_has(&record, NT_HAS_STATE_AGE));
	event.socket.state_ns = START + SECOND;
	event.socket.state = TCP_CLOSE;
	CHECK(!nt_record_has(record_of(&event, NULL, true), NT_HAS_STATE_AGE));
	event.socket.repair = NT_REPAIR_DUMPED; /* state_ns is that of its close */
	record_fill_from_socket(&record, NT_EVENT_EXIT, &joined, &names, START + 65 * SECOND);
	CHECK(nt_record_has(&record, NT_HAS_STATE) && !nt_record_has(&record, NT_HAS_STATE_AGE));
}

/* The kernel counts sequence numbers, which SYN and FIN have too; the record has the payload. */
static const struct {
	enum nt_role role;
	__u8 state;
	__u32 unread, unsent, unacked;          /* of the kernel */
	__u32 to_read, to_send, to_acknowledge; /* of the record */
} queues[] = {
	{ CLIENT, TCP_ESTABLISHED, 0, 0, 0, 0, 0, 0 },
	{ SERVER, TCP_ESTABLISHED, 100, 200, 300, 100, 200, 300 },
	{ CLIENT, TCP_SYN_SENT, 0, 0, 1, 0, 0, 0 },
	{ CLIENT, TCP_SYN_SENT, 0, 0, 501, 0, 0, 500 }, /* TCP Fast Open */
	{ CLIENT, TCP_SYN_RECV, 0, 0, 1, 0, 0, 0 },
	{ SERVER, TCP_SYN_RECV, 500, 0, 0, 500, 0, 0 },
	{ SERVER, TCP_CLOSE_WAIT, 1, 0, 0, 0, 0, 0 },
	{ SERVER, TCP_CLOSE_WAIT, 0, 7, 7, 0, 7, 7 }, /* the application has read the end */
	{ CLIENT, TCP_CLOSE_WAIT, 71, 0, 0, 70, 0, 0 },
	{ CLIENT, TCP_FIN_WAIT1, 9, 0, 1, 9, 0, 0 },
	{ CLIENT, TCP_FIN_WAIT1, 9, 101, 60, 9, 100, 60 }, /* the FIN waits behind data */
	{ CLIENT, TCP_FIN_WAIT2, 9, 0, 0, 9, 0, 0 },
	{ SERVER, TCP_LAST_ACK, 1, 0, 41, 0, 0, 40 },
	{ SERVER, TCP_CLOSING, 0, 0, 1, 0, 0, 0 },
};

static void payload_in_queues(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
		struct nt_socket_event event = socket_close(queues[i].role, START, 0);
		struct joined_socket joined = { .event = &event };

		event.socket.state = queues[i].state;
		event.queues = (struct nt_socket_queues){ .unread = queues[i].unread,
							  .unsent = queues[i].unsent,
							  .unacked = queues[i].unacked,
							  .cwnd = 10,
							  .valid = 1 };
		record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
		CHECK_EQUAL(value(NT_HAS_RECV_QUEUE, record.recv_queue_bytes), queues[i].to_read);
		CHECK_EQUAL(value(NT_HAS_SEND_QUEUE, record.send_queue_bytes), queues[i].to_send);
		CHECK_EQUAL(value(NT_HAS_UNACKED, record.unacked_bytes), queues[i].to_acknowledge);
		CHECK_EQUAL(value(NT_HAS_CWND, record.cwnd), 10);
	}
	record_of(&(struct nt_socket_event){ .socket.role = CLIENT }, NULL, true);
	CHECK(!nt_record_has(&record, NT_HAS_RECV_QUEUE) && !nt_record_has(&record, NT_HAS_SEND_QUEUE));
	CHECK(!nt_record_has(&record, NT_HAS_UNACKED) && !nt_record_has(&record, NT_HAS_CWND));
}

/* Ticks of 4 ms. Before any payload the kernel's times are those of the handshake. */
static void last_payload(void)
{
	struct nt_socket_event event = counted(CLIENT);
	struct joined_socket joined = { .event = &event };

	event.socket.state = TCP_ESTABLISHED;
	event.queues = (struct nt_socket_queues){
		.since_sent = 5, .since_received = 250, .receipt_is_set = 1, .valid = 1
	};
	event.counts.bytes_sent = event.counts.bytes_received = 1;
	record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
	CHECK_EQUAL(value(NT_HAS_LAST_SENT, record.last_sent_ns), 20 * MS);
	CHECK_EQUAL(value(NT_HAS_LAST_RECEIVED, record.last_received_ns), SECOND);
	event.counts.bytes_sent = 0;
	record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
	CHECK(!nt_record_has(&record, NT_HAS_LAST_SENT) && nt_record_has(&record, NT_HAS_LAST_RECEIVED));
	event.queues.receipt_is_set = 0;
	record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
	CHECK(!nt_record_has(&record, NT_HAS_LAST_RECEIVED));
	event.queues.receipt_is_set = 1;
	event.counts.bytes_received = 0;
	record_fill_from_socket(&record, NT_EVENT_UPDATE, &joined, &names, START + SECOND);
	CHECK(!nt_record_has(&record, NT_HAS_LAST_RECEIVED));
}

static const char *name_of_netns(void *context, __u32 netns)
{
	(void)context;
	return netns == 77 ? "blue" : NULL;
}

static void names_of_namespaces(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);
	struct nt_wire_event wire = wire_end(sample_wire("ShAFf", START), NT_WIRE_ENDED, START + SECOND);

	names.netns_name = name_of_netns;
	event.socket.netns = wire.wire.key.netns = 77;
	CHECK_STRING(record_of(&event, NULL, true)->netns_name, "blue");
	CHECK(nt_record_has(&record, NT_HAS_NETNS_NAME));
	record_fill_from_wire(&record, &wire, &names);
	CHECK(nt_record_has(&record, NT_HAS_NETNS_NAME));
	event.socket.netns = wire.wire.key.netns = 78;
	CHECK(!nt_record_has(record_of(&event, NULL, true), NT_HAS_NETNS_NAME));
	record_fill_from_wire(&record, &wire, &names);
	CHECK(!nt_record_has(&record, NT_HAS_NETNS_NAME));
	names.netns_name = NULL;
	CHECK(!nt_record_has(record_of(&event, NULL, true), NT_HAS_NETNS_NAME));
}

/* TCP_REPAIR: the connection goes on elsewhere, and close() sent nothing. */
static void dumped(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);
	struct nt_wire wire = sample_wire("ShA", START);
	struct joined_socket joined = { .event = &event, .wire = &wire };

	event.socket.flags = 0;
	event.socket.repair = NT_REPAIR_DUMPED;
	event.counts.old_state = TCP_ESTABLISHED;
	record_fill_from_socket(&record, NT_EVENT_EXIT, &joined, &names, START + SECOND);
	CHECK_EQUAL(record.event, NT_EVENT_EXIT);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
	CHECK_STRING(record.reason, "repair");
	CHECK_EQUAL(value(NT_HAS_STATE, record.state), TCP_ESTABLISHED);
	CHECK_EQUAL(value(NT_HAS_DURATION, record.duration_ns), SECOND);
	CHECK(!nt_record_has(&record, NT_HAS_ENDED_BY) && !nt_record_has(&record, NT_HAS_FIRST_FIN));
	CHECK_EQUAL(record.gaps, 0);
}

/* The packets of a restored connection may have the SYN that another socket answered. */
static void restored(void)
{
	struct nt_socket_event event = socket_close(SERVER, 0, START + SECOND);

	event.socket.repair = NT_REPAIR_RESTORED;
	event.socket.flags = PREEXISTING | LOCAL | REMOTE;
	record_of(&event, "ShAfF", true);
	CHECK_EQUAL(record.outcome, CLOSED);
	CHECK_EQUAL(record.gaps, NT_GAP_START | NT_GAP_DIRECTION);
	CHECK(!nt_record_has(&record, NT_HAS_START) && !nt_record_has(&record, NT_HAS_DURATION));
}

/* The numbers of core/socket.h are those of <errno.h>: Linux' icmp_err_convert[] and icmpv6_err_convert(). */
static void icmp_errors(void)
{
	static const int errors[] = { EACCES,      ENONET,       EPROTO,    ENOPROTOOPT, EOPNOTSUPP,
				      ENETUNREACH, ECONNREFUSED, EHOSTDOWN, EHOSTUNREACH };
	unsigned int i, found = 0;
	int error;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		CHECK(nt_is_icmp_error(errors[i]));
	for (error = -1; error < 200; error++)
		found += nt_is_icmp_error(error);
	CHECK_EQUAL(found, sizeof(errors) / sizeof(errors[0]));
}

/* Another program took packets before ours did, for some time. */
static void hidden_packets(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);

	names.own_netns = OWN_NETNS;
	names.hidden_from_ns = START + MS;
	names.hidden_until_ns = START + 2 * MS;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_HIDDEN);
	CHECK_EQUAL(record_of(&event, "ShAFf", true)->gaps, NT_GAP_HIDDEN);
	event.socket.netns = OTHER_NETNS;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, 0);
	event = socket_close(CLIENT, START + 3 * MS, START + SECOND);
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, 0);
	names.hidden_from_ns = START + 2 * SECOND;
	names.hidden_until_ns = ~0ULL;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, 0);
	names.hidden_from_ns = names.hidden_until_ns = 0;
}

static void gaps(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);

	names.events_lost = true;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_EVENTS);
	names.events_lost = false;
	event.socket.flags |= NT_SOCKET_SIMULTANEOUS;
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, NT_GAP_DIRECTION);
	event.socket.remote_port = event.socket.local_port;
	memcpy(event.socket.remote, event.socket.local, 16);
	CHECK_EQUAL(record_of(&event, NULL, true)->gaps, 0); /* connected to itself: the opener is known */
}

/* Both sides are openers: each is src in its own record, whichever SYN was seen first. */
static void simultaneous_open(void)
{
	struct nt_wire wire = sample_wire("SsHhFf", START);
	struct nt_socket_event first = socket_close(CLIENT, START - MS, START + SECOND);
	struct nt_socket_event second = socket_close(SERVER, START - MS, START + SECOND);
	struct joined_socket joined = { .event = &first, .wire = &wire, .wire_ended = true };

	second.socket.role = CLIENT;
	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	CHECK_STRING(record.history, "SsHhFf");
	CHECK_EQUAL(record.ended_by, NT_SRC);
	CHECK_EQUAL(record.src_port, sample_client.port);

	second.socket.flags = LOCAL | REMOTE_FIRST;
	joined.event = &second;
	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	CHECK_STRING(record.history, "sShHfF");
	CHECK_EQUAL(record.ended_by, NT_DST);
	CHECK_EQUAL(record.src_port, sample_server.port);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_CLOSED);
}

static void observers(void)
{
	struct nt_wire_event event = wire_end(sample_wire("Sr", START), NT_WIRE_ENDED, START + SECOND);

	record_fill_from_wire(&record, &event, &names);
	CHECK_EQUAL(record.event, NT_EVENT_CLOSE);
	CHECK_EQUAL(record.role, NT_ROLE_OBSERVER);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_REFUSED);
	CHECK_EQUAL(record.ended_by, NT_DST);
	CHECK_EQUAL(record.seen, NT_SEEN_WIRE);
	CHECK_EQUAL(record.gaps, 0);
	CHECK_EQUAL(value(NT_HAS_NETNS, record.netns), OWN_NETNS);
	CHECK_STRING(record.ifname, "eth0");
	CHECK_EQUAL(value(NT_HAS_START, record.start_ns), START + names.boot_to_utc_ns);
	CHECK_EQUAL(value(NT_HAS_DURATION, record.duration_ns), MS);
	CHECK_EQUAL(record.end_ns, START + MS + names.boot_to_utc_ns);

	event = wire_end(sample_wire("Sh", START), NT_WIRE_EXIT, START + SECOND);
	names.events_lost = names.every_packet = true;
	record_fill_from_wire(&record, &event, &names);
	names.events_lost = names.every_packet = false;
	CHECK_EQUAL(record.event, NT_EVENT_EXIT);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_OPEN);
	CHECK_EQUAL(record.end_ns, START + SECOND + names.boot_to_utc_ns);
	CHECK_EQUAL(record.gaps, NT_GAP_PACKETS | NT_GAP_EVENTS);
}

/* ---- ends that the kernel side noticed late ---- */

/* The server closed second, but the packets show its FIN first: a forged one, so the time of the true one is unknown. */
static void own_fin_forged(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

	event.socket.flags = NT_SOCKET_LOCAL_FIN | NT_SOCKET_REMOTE_FIN | NT_SOCKET_REMOTE_FIRST;
	record_of(&event, "ShAfF", true);
	CHECK_EQUAL(record.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(record.ended_by, NT_SRC);
	CHECK_STRING(record.conn_state, "SF");
	CHECK(!nt_record_has(&record, NT_HAS_SYN_FINACK));
}

/* The application has taken the error. What the peer left unanswered is still there. */
static void missed_timeouts(void)
{
	struct nt_socket_event event = socket_close(SERVER, START, START + SECOND);

	event.socket.missed_end = NT_END_MISSED_UNTIMED;
	event.socket.flags = 0;
	event.counts.old_state = TCP_ESTABLISHED;
	event.counts.waited_for = NT_WAITED_FOR_ACK;
	CHECK_EQUAL(record_of(&event, NULL, false)->outcome, TIMEOUT);
	CHECK_STRING(record.reason, "etimedout");
	CHECK(!nt_record_has(&record, NT_HAS_ENDED_BY));

	/* A zero-window probe or a keep-alive */
	event.counts.waited_for = NT_WAITED_FOR_PROBE;
	CHECK_EQUAL(record_of(&event, NULL, false)->outcome, TIMEOUT);
	CHECK(!nt_record_has(&record, NT_HAS_REASON));

	event.socket.reset_received = 1;
	CHECK(record_of(&event, NULL, false)->outcome != TIMEOUT);
	event.socket.reset_received = 0;
	CHECK_EQUAL(record_of(&event, "ShR", true)->outcome, RESET);

	event = socket_close(CLIENT, START, START + SECOND);
	event.socket.missed_end = NT_END_MISSED;
	event.counts.old_state = TCP_SYN_SENT;
	event.counts.waited_for = NT_WAITED_FOR_ACK;
	CHECK_EQUAL(record_of(&event, NULL, false)->outcome, TIMEOUT);
	CHECK_STRING(record.reason, "etimedout");
}

static void missed_ends(void)
{
	struct nt_socket_event event = socket_close(CLIENT, START, START + SECOND);

	event.socket.missed_end = NT_END_MISSED;
	record_of(&event, NULL, false);
	CHECK(record.gaps & NT_GAP_EVENTS);
	CHECK(nt_record_has(&record, NT_HAS_DURATION));
	CHECK_EQUAL(record.duration_ns, SECOND);

	event.socket.missed_end = NT_END_MISSED_UNTIMED;
	record_of(&event, NULL, false);
	CHECK(record.gaps & NT_GAP_EVENTS);
	CHECK(!nt_record_has(&record, NT_HAS_DURATION));

	/* The attempt was abandoned, or SO_ERROR was read before. */
	event.counts.old_state = TCP_SYN_SENT;
	record_of(&event, NULL, false);
	CHECK_EQUAL(record.outcome, TIMEOUT);
	CHECK(!nt_record_has(&record, NT_HAS_REASON));

	/* Neither a local FIN nor a RST was seen, nor the end. */
	event.counts.old_state = TCP_CLOSE_WAIT;
	event.socket.flags = REMOTE_FIRST;
	record_of(&event, NULL, false);
	CHECK_EQUAL(record.outcome, CLOSED);
	CHECK_EQUAL(record.ended_by, DST);

	event.counts.error = ETIMEDOUT;
	record_of(&event, NULL, false);
	CHECK_EQUAL(record.outcome, TIMEOUT);

	event.counts.error = 0;
	event.socket.flags |= SENT;
	record_of(&event, NULL, false);
	CHECK_EQUAL(record.outcome, RESET);
	CHECK_EQUAL(record.ended_by, SRC);
}

int main(void)
{
	names.processes = process_table_new(8);
	describe_sample_owner();
	icmp_errors();
	outcomes();
	times();
	found_in_syn_sent();
	ends_without_fin();
	first_payloads();
	values_of_the_wire();
	vlan_and_interface();
	tuple_of_each_role();
	owner_and_its_gap();
	owner_that_was_described();
	owner_that_was_described_in_part();
	identities();
	counts_of_each_side();
	unknown_counts();
	every_packet_followed();
	limited_by();
	waiting_to_connect();
	still_open();
	listeners();
	state_ages();
	payload_in_queues();
	last_payload();
	names_of_namespaces();
	dumped();
	restored();
	gaps();
	hidden_packets();
	simultaneous_open();
	observers();
	missed_ends();
	missed_timeouts();
	own_fin_forged();
	process_table_free(names.processes);
	return check_finish();
}
