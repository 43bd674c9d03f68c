// SPDX-License-Identifier: GPL-2.0-or-later
/* core/connection.h: one function for each row of the table above the state machine; then core/verdict.h: outcomes
 * (docs/record.md) and Zeek's conn_state. Expected values come from RFC 9293 and Zeek's documentation.
 */
#include <linux/types.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "core/connection.h"
#include "core/verdict.h"

#include "tests/unit/check.h"
#include "tests/unit/side_segment.h"

#define CLIENT_ISN 0xfffffff0u /* the sequence numbers wrap around within the connection */
#define SERVER_ISN 7000u
#define MS 1000000ull

/* Offsets from an ISN: 0 is the SYN, 1 the first byte. */
#define C(offset) (CLIENT_ISN + (offset))
#define S(offset) (SERVER_ISN + (offset))

static struct nt_connection connection;
static __u64 now;

static __u32 begin(int source, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = side_segment(source, flags, sequence, acknowledgement, length);
	__u32 result;

	now = 1000 * MS;
	memset(&connection, 0xff, sizeof(connection));
	result = nt_connection_begin(&connection, &packet, source, now);
	nt_connection_add_packet(&connection, &packet, source);
	return result;
}

static __u32 step(int source, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = side_segment(source, flags, sequence, acknowledgement, length);
	__u32 result;

	now += MS;
	result = nt_connection_step(&connection, &packet, source, now);
	if (!(result & NT_STEP_NEW))
		nt_connection_add_packet(&connection, &packet, source);
	return result;
}

#define STATE() nt_connection_state(&connection)

/* Each brings the connection into one state, by the fewest packets. */
static void syn_sent(void)
{
	begin(CLIENT, NT_SYN, C(0), 0, 0);
}

static void syn_received(void)
{
	syn_sent();
	step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
}

static void established(void)
{
	syn_received();
	step(CLIENT, NT_ACK, C(1), S(1), 0);
}

static void half_closed(void)
{
	established();
	step(CLIENT, NT_FIN | NT_ACK, C(1), S(1), 0);
}

static void closed(void)
{
	half_closed();
	step(SERVER, NT_FIN | NT_ACK, S(1), C(2), 0);
}

static void reset(void)
{
	established();
	step(SERVER, NT_RST, S(1), 0, 0);
}

static void midstream(void)
{
	begin(CLIENT, NT_ACK | NT_PSH, 500, 600, 10);
}

typedef void (*setter)(void);
static const setter setters[] = { syn_sent, syn_received, established, half_closed, closed, reset };
#define SETTERS (sizeof(setters) / sizeof(setters[0]))

static const char *history(void)
{
	static char text[NT_CONNECTION_HISTORY + 1];

	memcpy(text, connection.history, connection.history_length);
	text[connection.history_length] = 0;
	return text;
}

/* ---- beginnings ---- */

static void begins_with_syn(void)
{
	CHECK_EQUAL(begin(CLIENT, NT_SYN, C(0), 0, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
	CHECK_EQUAL(connection.src_index, CLIENT);
	CHECK_EQUAL(connection.syn_ns, now);
	CHECK_EQUAL(connection.first_ns, now);
	CHECK_EQUAL(connection.marks, NT_MARK_FOLLOWED);
	CHECK_STRING(history(), "S");
}

static void begins_with_synack(void)
{
	CHECK_EQUAL(begin(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_RECEIVED);
	CHECK_EQUAL(connection.src_index, CLIENT);
	CHECK_EQUAL(connection.syn_ns, 0);
	CHECK_EQUAL(connection.synack_ns, now);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_STRING(history(), "^hA");
}

static void begins_midstream(void)
{
	CHECK_EQUAL(begin(CLIENT, NT_ACK, 500, 600, 10), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
	CHECK_EQUAL(connection.src_index, CLIENT);
	CHECK_EQUAL(connection.marks, NT_MARK_MIDSTREAM | NT_MARK_FOLLOWED);
	CHECK_EQUAL(begin(CLIENT, NT_FIN | NT_ACK, 500, 600, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
	CHECK_EQUAL(begin(CLIENT, NT_RST, 500, 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	CHECK_EQUAL(begin(CLIENT, 0, 500, 0, 0), NT_STEP_CHANGED); /* a null scan */
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
}

/* The sender is the server if its port is a system port and the other is not. */
static void begins_midstream_with_the_server(void)
{
	struct nt_packet packet = side_segment(SERVER, NT_ACK, 1, 1, 5);

	packet.source_port = 80;
	nt_connection_begin(&connection, &packet, SERVER, MS);
	CHECK_EQUAL(connection.src_index, CLIENT);
	CHECK_EQUAL(connection.marks, NT_MARK_MIDSTREAM | NT_MARK_FLIPPED);
	nt_connection_add_packet(&connection, &packet, SERVER);
	CHECK_STRING(history(), "^d");
	/* With all flags set the packet counts as a SYN-ACK, or without ACK as a SYN. */
	begin(SERVER, NT_SYN | NT_ACK | NT_RST | NT_FIN, S(0), C(1), 0);
	CHECK_EQUAL(connection.src_index, CLIENT);
	packet = side_segment(SERVER, NT_SYN | NT_RST, S(0), 0, 0);
	packet.source_port = 80;
	nt_connection_begin(&connection, &packet, SERVER, MS);
	CHECK_EQUAL(connection.src_index, SERVER);
}

/* ---- SYN_SENT ---- */

static void syn_sent_synack(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_RECEIVED);
	CHECK_EQUAL(connection.synack_ns, now);
	CHECK_EQUAL(connection.last_change_ns, now);
}

static void syn_sent_synack_of_another_connection(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(0), 0), NT_STEP_REFUSED);
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(0x20000), 0), NT_STEP_REFUSED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
	CHECK_EQUAL(connection.synack_ns, 0);
}

static void syn_sent_simultaneous_open(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_SYN, S(0), 0, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
	CHECK_EQUAL(connection.src_index, CLIENT);
	CHECK_EQUAL(step(CLIENT, NT_SYN | NT_ACK, C(0), S(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_RECEIVED);
	CHECK_EQUAL(step(CLIENT, NT_SYN | NT_ACK, C(0), S(1), 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, now);
	CHECK(connection.marks & NT_MARK_SIMULTANEOUS);
	CHECK_STRING(nt_connection_conn_state(&connection), "S1");
}

/* A SYN that the server answers with a SYN of its own, and the client then with a SYN-ACK. */
static void syn_sent_split_handshake(void)
{
	syn_sent();
	step(SERVER, NT_SYN, S(0), 0, 0);
	step(CLIENT, NT_SYN | NT_ACK, C(0), S(1), 0);
	CHECK_EQUAL(connection.synack_ns, 0);
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
}

static void syn_sent_simultaneous_synack_of_another_connection(void)
{
	syn_sent();
	step(SERVER, NT_SYN, S(0), 0, 0);
	CHECK_EQUAL(step(CLIENT, NT_SYN | NT_ACK, C(5), S(1), 0), NT_STEP_REFUSED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
}

static void syn_sent_refused(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_RST | NT_ACK, 0, C(1), 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	CHECK_EQUAL(connection.rst_ns[SERVER], now);
}

static void syn_sent_rst_of_another_connection(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_RST, 0, 0, 0), NT_STEP_REFUSED); /* acknowledges nothing */
	CHECK_EQUAL(step(SERVER, NT_RST | NT_ACK, 0, C(0), 0), NT_STEP_REFUSED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
	CHECK_STRING(history(), "Sr");
}

static void syn_sent_given_up(void)
{
	syn_sent();
	CHECK_EQUAL(step(CLIENT, NT_RST, C(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

/* RFC 9293 figure 9: the server is still in an old connection, and this RST ends that one. */
static void syn_sent_old_connection_reset(void)
{
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_ACK, 300, C(0) - 1000000, 0), 0);
	CHECK_EQUAL(step(CLIENT, NT_RST, C(0) - 1000000, 0, 0), NT_STEP_REFUSED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
	CHECK_EQUAL(step(CLIENT, NT_SYN, C(0), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_CHANGED);
}

static void syn_sent_synack_not_seen(void)
{
	syn_sent();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, 0);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 10), 0);

	syn_sent();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(0) - 40, S(1), 0), 0); /* an older connection's */
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);

	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(1), 10), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
	syn_sent();
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(0) - 3, 10), 0); /* an older connection's */
	CHECK_EQUAL(STATE(), NT_STATE_SYN_SENT);
}

/* The SYN-ACK was captured after the ACK that answers it. */
static void synack_captured_late(void)
{
	syn_sent();
	step(CLIENT, NT_ACK, C(1), S(1), 0);
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(connection.synack_ns, now);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
}

/* ---- SYN_RECEIVED ---- */

static void syn_received_ack(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, now);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 0), 0);
	CHECK_EQUAL(connection.ack_ns, now - MS);
}

static void syn_received_ack_with_data(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_ACK | NT_PSH, C(1), S(1), 100), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, now);
}

static void syn_received_later_ack(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(200), S(3000), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
}

static void syn_received_ack_of_another_connection(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(2), S(0), 0), 0);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(0), S(1), 0), 0);
	CHECK_EQUAL(step(CLIENT, 0, C(1), 0, 10), NT_STEP_REFUSED);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_RECEIVED);
}

/* The ACK answers a SYN-ACK with another SYN cookie, which was not seen. */
static void syn_received_ack_of_another_cookie(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(0) - 500000, 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, now);
	CHECK_EQUAL(connection.isn[SERVER], S(0));
}

static void syn_received_fin(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_FIN | NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
	syn_received();
	CHECK_EQUAL(step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
}

/* TCP Fast Open: the server may send before the ACK, which still completes the handshake. */
static void syn_received_fast_open(void)
{
	begin(CLIENT, NT_SYN, C(0), 0, 100);
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(101), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(step(SERVER, NT_ACK | NT_PSH, S(1), C(101), 50), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(connection.ack_ns, 0);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(101), S(51), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(connection.ack_ns, now);
}

static void syn_received_cookies(void)
{
	syn_received();
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, 99999, C(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(connection.synack_ns, now - MS);
	/* The ACK shows which SYN-ACK the client took, here the first. */
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(connection.isn[SERVER], SERVER_ISN);
	CHECK_STRING(history(), "ShhA");
}

static void syn_received_syn_captured_late(void)
{
	begin(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	CHECK_EQUAL(step(CLIENT, NT_SYN, C(0), 0, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(connection.syn_ns, now);
	CHECK_EQUAL(STATE(), NT_STATE_SYN_RECEIVED);
	CHECK_STRING(history(), "^hS");
	begin(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	CHECK_EQUAL(step(CLIENT, NT_SYN, C(9), 0, 0), NT_STEP_REFUSED);
}

static void syn_received_rst(void)
{
	syn_received();
	CHECK_EQUAL(step(CLIENT, NT_RST, C(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	syn_received();
	CHECK_EQUAL(step(SERVER, NT_RST, S(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

/* ---- ESTABLISHED and after ---- */

static void established_data(void)
{
	established();
	CHECK_EQUAL(step(CLIENT, NT_ACK | NT_PSH, C(1), S(1), 100), 0);
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(101), 0), 0);
	CHECK_EQUAL(connection.last_seen_ns, now);
	CHECK_EQUAL(connection.last_change_ns, connection.ack_ns);
}

static void established_fin(void)
{
	established();
	CHECK_EQUAL(step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
	CHECK_EQUAL(connection.fin_ns[SERVER], now);
	CHECK_EQUAL(connection.fin_ns[CLIENT], 0);
}

static void established_rst(void)
{
	established();
	CHECK_EQUAL(step(CLIENT, NT_RST | NT_ACK, C(1), S(1), 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

static void half_closed_fin(void)
{
	half_closed();
	CHECK_EQUAL(step(CLIENT, NT_FIN | NT_ACK, C(1), S(1), 0), NT_STEP_REPEAT);
	CHECK_EQUAL(connection.fin_ns[CLIENT], now - MS);
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(2), 5000), 0);
	CHECK_EQUAL(step(SERVER, NT_FIN | NT_ACK, S(5001), C(2), 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.last_change_ns, now);
}

static void half_closed_rst(void)
{
	half_closed();
	CHECK_EQUAL(step(SERVER, NT_RST, S(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

static void closed_is_final(void)
{
	__u64 end;

	closed();
	end = now;
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(2), S(2), 0), 0);
	CHECK_EQUAL(step(SERVER, NT_FIN | NT_ACK, S(1), C(2), 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(CLIENT, NT_RST, C(2), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(SERVER, NT_RST, S(2), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.last_change_ns, end);
	CHECK_EQUAL(connection.rst_ns[SERVER], 0);
	CHECK_STRING(history(), "ShAFfRr");
}

static void reset_is_final(void)
{
	__u64 end;

	reset();
	end = now;
	CHECK_EQUAL(step(CLIENT, NT_FIN | NT_ACK, C(1), S(1), 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(SERVER, NT_RST, S(1), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(SERVER, NT_RST, S(2), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step(CLIENT, NT_RST, C(2), 0, 0), NT_STEP_REPEAT);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	CHECK_EQUAL(connection.last_change_ns, end);
	CHECK_EQUAL(connection.rst_ns[SERVER], end);
	CHECK_STRING(history(), "ShArFrR"); /* another R only for another sequence number */
}

/* The client ignored a RST and the handshake follows it: only its times are recorded. */
static void reset_before_the_handshake(void)
{
	__u64 end;

	syn_sent();
	step(SERVER, NT_RST | NT_ACK, 0, C(1), 0);
	end = now;
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(5), 0) & ~NT_STEP_REPEAT, 0);
	CHECK_EQUAL(connection.synack_ns, now);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(5), S(1), 0), 0);
	CHECK_EQUAL(connection.ack_ns, now);
	CHECK_EQUAL(step(CLIENT, NT_ACK, C(5), S(1), 0), 0);
	CHECK_EQUAL(connection.ack_ns, now - MS);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	CHECK_EQUAL(connection.last_change_ns, end);
	CHECK_STRING(history(), "SrhA");
}

static void fin_without_handshake(void)
{
	syn_sent();
	CHECK_EQUAL(step(CLIENT, NT_FIN, C(1), 0, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
}

/* ---- SYN in every state ---- */

static void same_syn_is_the_same_connection(void)
{
	struct nt_connection before;
	__u32 i;

	for (i = 0; i < SETTERS; i++) {
		setters[i]();
		if (setters[i] == closed)
			continue;
		before = connection;
		now += 70000 * MS;
		CHECK_EQUAL(step(CLIENT, NT_SYN, C(0), 0, 0), NT_STEP_REPEAT);
		before.last_seen_ns = now;
		CHECK(!memcmp(&before, &connection, sizeof(before)));
	}
}

static void same_synack_changes_nothing(void)
{
	struct nt_connection before;
	__u32 i;

	for (i = 1; i < SETTERS; i++) {
		setters[i]();
		before = connection;
		CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0), NT_STEP_REPEAT);
		before.last_seen_ns = now;
		CHECK(!memcmp(&before, &connection, sizeof(before)));
	}
}

/* A living receiver refuses a SYN (RFC 5961 4.2), so only its answer shows that the connection had ended unseen. */
static void other_syn_in_each_state(void)
{
	struct nt_connection before;
	__u32 i;

	for (i = 0; i < SETTERS; i++) {
		int is_over = setters[i] == syn_sent || setters[i] == reset;

		setters[i]();
		before = connection;
		CHECK_EQUAL(step(CLIENT, NT_SYN, C(1234567), 0, 0), is_over ? NT_STEP_NEW : NT_STEP_REFUSED);
		if (is_over)
			CHECK(!memcmp(&before, &connection, sizeof(before)));
		CHECK_EQUAL(STATE(), nt_connection_state(&before));
		CHECK_EQUAL(connection.last_change_ns, before.last_change_ns);
		CHECK_EQUAL(connection.isn[CLIENT], before.isn[CLIENT]);
	}
	for (i = 1; i < SETTERS; i++) { /* in SYN_SENT it is a simultaneous open */
		setters[i]();
		CHECK_EQUAL(step(SERVER, NT_SYN, S(1234567), 0, 0),
			    setters[i] == reset ? NT_STEP_NEW : NT_STEP_REFUSED);
	}
	closed(); /* the server is in LAST_ACK */
	step(CLIENT, NT_ACK, C(2), S(2), 0);
	CHECK_EQUAL(step(CLIENT, NT_SYN, C(1234567), 0, 0), NT_STEP_NEW);
}

static __u32 begin_next(int source, __u8 flags, __u32 sequence, __u32 acknowledgement)
{
	struct nt_packet packet = side_segment(source, flags, sequence, acknowledgement, 0);
	struct nt_connection previous = connection;

	return nt_connection_begin_next(&connection, &previous, &packet, source, now);
}

static void answered_syn_is_another_connection(void)
{
	__u64 syn;

	established();
	CHECK_EQUAL(step(CLIENT, NT_SYN, 900000, 0, 0), NT_STEP_REFUSED);
	syn = now;
	CHECK_EQUAL(step(CLIENT, NT_SYN, 900000, 0, 0), NT_STEP_REFUSED);
	CHECK_STRING(history(), "ShAS");
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, 70, 900001, 0), NT_STEP_NEW);
	nt_connection_release_syn(&connection);
	CHECK_STRING(history(), "ShA");
	CHECK_EQUAL(begin_next(SERVER, NT_SYN | NT_ACK, 70, 900001), NT_STEP_CHANGED);
	CHECK_EQUAL(connection.syn_ns, syn);
	CHECK_EQUAL(connection.synack_ns, now);
	CHECK_STRING(history(), "Sh");
	CHECK_EQUAL(step(CLIENT, NT_ACK, 900001, 71, 0), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);

	established();
	step(CLIENT, NT_SYN, 900000, 0, 0);
	CHECK_EQUAL(step(SERVER, NT_RST | NT_ACK, 0, 900001, 0), NT_STEP_NEW);
	CHECK_EQUAL(begin_next(SERVER, NT_RST | NT_ACK, 0, 900001), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_STRING(history(), "Sr");
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

/* RFC 5961 4.2: the server's challenge ACK, and the RST by which a client that has restarted ends the connection. */
static void challenged_syn(void)
{
	established();
	CHECK_EQUAL(step(CLIENT, NT_SYN, 900000, 0, 0), NT_STEP_REFUSED);
	CHECK_EQUAL(step(SERVER, NT_ACK, S(1), C(1), 0), 0);
	CHECK_EQUAL(step(CLIENT, NT_RST, C(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(step(CLIENT, NT_SYN, 900000, 0, 0), NT_STEP_NEW);
}

static void same_syn_after_close_is_another_connection(void)
{
	closed();
	CHECK_EQUAL(step(CLIENT, NT_SYN, C(0), 0, 0), NT_STEP_NEW);
}

static void syn_after_midstream_is_another_connection(void)
{
	midstream();
	CHECK_EQUAL(step(CLIENT, NT_SYN, 9, 0, 0), NT_STEP_NEW);
	midstream();
	CHECK_EQUAL(step(SERVER, NT_SYN, 9, 0, 0), NT_STEP_REFUSED); /* the client may be in the connection still */
	midstream();
	CHECK_EQUAL(step(SERVER, NT_SYN | NT_ACK, 9, 9, 0), NT_STEP_REFUSED);
}

/* ---- a socket connected to itself ---- */

static struct nt_packet to_itself(__u8 flags, __u32 sequence, __u32 acknowledgement)
{
	struct nt_packet packet = side_segment(CLIENT, flags, sequence, acknowledgement, 0);

	memcpy(packet.destination, packet.source, 16);
	packet.destination_port = packet.source_port;
	return packet;
}

static __u32 step_to_itself(__u8 flags, __u32 sequence, __u32 acknowledgement)
{
	struct nt_packet packet = to_itself(flags, sequence, acknowledgement);

	now += MS;
	return nt_connection_step(&connection, &packet, 0, now);
}

static void connects_to_itself(void)
{
	struct nt_packet syn = to_itself(NT_SYN, C(0), 0);
	int ended_by;

	nt_connection_begin(&connection, &syn, 0, now = MS);
	CHECK_EQUAL(connection.marks, NT_MARK_SELF);
	CHECK_EQUAL(step_to_itself(NT_SYN, C(0), 0), NT_STEP_REPEAT);
	CHECK_EQUAL(step_to_itself(NT_SYN | NT_ACK, C(0), C(1)), NT_STEP_CHANGED | NT_STEP_ESTABLISHED);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);
	CHECK_EQUAL(step_to_itself(NT_ACK, C(1), C(1)), 0);
	CHECK_EQUAL(step_to_itself(NT_FIN | NT_ACK, C(1), C(1)), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(nt_connection_outcome(&connection, &ended_by), NT_OUTCOME_CLOSED);
	CHECK_STRING(nt_connection_conn_state(&connection), "SF");
}

/* ---- invalid flags, history ---- */

static void invalid_flags(void)
{
	CHECK_EQUAL(begin(CLIENT, NT_SYN | NT_FIN, C(0), 0, 0), NT_STEP_CHANGED);
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
	CHECK_STRING(history(), "Q");
	CHECK_EQUAL(begin(CLIENT, NT_SYN | NT_RST, C(0), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_STRING(history(), "Q");
	established();
	CHECK_EQUAL(step(CLIENT, NT_FIN | NT_RST, C(1), 0, 0), NT_STEP_CHANGED | NT_STEP_ENDED);
	CHECK_EQUAL(step(CLIENT, NT_FIN | NT_RST, C(2), 0, 0), NT_STEP_REPEAT);
	CHECK_STRING(history(), "ShAI");
}

static void history_of_a_whole_connection(void)
{
	established();
	step(CLIENT, NT_ACK | NT_PSH, C(1), S(1), 10);
	step(SERVER, NT_ACK, S(1), C(11), 0);
	step(SERVER, NT_ACK | NT_PSH, S(1), C(11), 20);
	step(CLIENT, NT_ACK, C(11), S(21), 0);
	step(CLIENT, NT_FIN | NT_ACK | NT_PSH, C(11), S(21), 5);
	step(SERVER, NT_FIN | NT_ACK, S(21), C(17), 0);
	step(CLIENT, NT_ACK, C(17), S(22), 0);
	CHECK_STRING(history(), "ShADadFf");
}

static void history_is_bounded(void)
{
	__u32 i;

	established();
	for (i = 0; i < 100; i++)
		step(CLIENT, NT_RST, C(i), 0, 0);
	CHECK_EQUAL(connection.history_length, NT_CONNECTION_HISTORY);
	CHECK_EQUAL(history()[NT_CONNECTION_HISTORY - 1], 'R');
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

/* ---- outcomes: docs/record.md ---- */

static void check_outcome(enum nt_outcome outcome, int ended_by)
{
	int by = 99;

	CHECK_EQUAL(nt_connection_outcome(&connection, &by), outcome);
	CHECK_EQUAL(by, ended_by);
}

static void check_idle_outcome(enum nt_outcome outcome, int ended_by)
{
	int by = 99;

	CHECK_EQUAL(nt_connection_idle_outcome(&connection, &by), outcome);
	CHECK_EQUAL(by, ended_by);
}

static void outcomes_of_ended_connections(void)
{
	closed();
	check_outcome(NT_OUTCOME_CLOSED, NT_SRC);
	check_idle_outcome(NT_OUTCOME_CLOSED, NT_SRC);
	established();
	step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0);
	step(CLIENT, NT_FIN | NT_ACK, C(1), S(2), 0);
	check_outcome(NT_OUTCOME_CLOSED, NT_DST);
	reset();
	check_outcome(NT_OUTCOME_RESET, NT_DST);
	half_closed();
	step(CLIENT, NT_RST, C(2), 0, 0);
	check_outcome(NT_OUTCOME_RESET, NT_SRC);
	syn_sent();
	step(SERVER, NT_RST | NT_ACK, 0, C(1), 0);
	check_outcome(NT_OUTCOME_REFUSED, NT_DST);
	syn_sent();
	step(CLIENT, NT_RST, C(1), 0, 0);
	check_outcome(NT_OUTCOME_RESET, NT_SRC);
	syn_received();
	step(CLIENT, NT_RST, C(1), 0, 0);
	check_outcome(NT_OUTCOME_RESET, NT_SRC);
	syn_received();
	step(SERVER, NT_RST, S(1), 0, 0);
	check_outcome(NT_OUTCOME_RESET, NT_DST);
	midstream();
	step(SERVER, NT_RST, 600, 0, 0);
	check_outcome(NT_OUTCOME_RESET, NT_DST);
}

static void outcomes_of_idle_connections(void)
{
	syn_sent();
	check_outcome(NT_OUTCOME_OPEN, -1);
	check_idle_outcome(NT_OUTCOME_TIMEOUT, -1);
	syn_received();
	check_idle_outcome(NT_OUTCOME_TIMEOUT, -1);
	established();
	check_outcome(NT_OUTCOME_OPEN, -1);
	check_idle_outcome(NT_OUTCOME_EXPIRED, -1);
	half_closed();
	check_outcome(NT_OUTCOME_OPEN, -1);
	check_idle_outcome(NT_OUTCOME_EXPIRED, NT_SRC);
}

static void first_closer(void)
{
	established();
	CHECK_EQUAL(nt_connection_first_fin_or_rst(&connection), 0);
	half_closed();
	CHECK_EQUAL(nt_connection_first_fin_or_rst(&connection), now);
	step(SERVER, NT_RST, S(1), 0, 0);
	CHECK_EQUAL(nt_connection_first_fin_or_rst(&connection), now - MS);
	CHECK(nt_connection_reset_by_anyone(&connection));
}

/* ---- conn_state: Zeek's documentation of conn.log ---- */

#define CHECK_CONN_STATE(expected) CHECK_STRING(nt_connection_conn_state(&connection), expected)

static void conn_states_of_attempts(void)
{
	syn_sent();
	CHECK_CONN_STATE("S0");
	step(SERVER, NT_RST | NT_ACK, 0, C(1), 0);
	CHECK_CONN_STATE("REJ");
	syn_sent();
	step(CLIENT, NT_RST, C(1), 0, 0);
	CHECK_CONN_STATE("RSTOS0");
	syn_sent();
	step(CLIENT, NT_FIN, C(1), 0, 0);
	CHECK_CONN_STATE("SH");
	syn_received();
	CHECK_CONN_STATE("S1");
	step(CLIENT, NT_RST, C(1), 0, 0);
	CHECK_CONN_STATE("RSTO");
	begin(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	step(SERVER, NT_RST, S(1), 0, 0);
	CHECK_CONN_STATE("RSTRH");
	begin(SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0);
	CHECK_CONN_STATE("SHR");
}

static void conn_states_of_connections(void)
{
	established();
	CHECK_CONN_STATE("S1");
	half_closed();
	CHECK_CONN_STATE("S2");
	established();
	step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0);
	CHECK_CONN_STATE("S3");
	closed();
	CHECK_CONN_STATE("SF");
	step(CLIENT, NT_RST, C(2), 0, 0);
	CHECK_CONN_STATE("SF");
	reset();
	CHECK_CONN_STATE("RSTR");
	established();
	step(CLIENT, NT_RST, C(1), 0, 0);
	CHECK_CONN_STATE("RSTO");
	half_closed();
	step(SERVER, NT_RST, S(1), 0, 0);
	CHECK_CONN_STATE("RSTR");
	half_closed(); /* FIN and RST of one side, then the other's FIN: Zeek takes the RST back */
	step(CLIENT, NT_RST, C(2), 0, 0);
	step(SERVER, NT_FIN | NT_ACK, S(1), C(2), 0);
	CHECK_CONN_STATE("SF");
	midstream();
	CHECK_CONN_STATE("OTH");
	step(CLIENT, NT_RST, 510, 0, 0);
	CHECK_CONN_STATE("OTH");
	midstream();
	step(SERVER, NT_RST, 600, 0, 0);
	CHECK_CONN_STATE("RSTRH");
}

/* ---- bytes by sequence numbers ---- */

static void check_bytes(int side, enum nt_known known, __u32 bytes)
{
	__u32 value;

	CHECK_EQUAL(nt_connection_bytes(&connection, side, &value), known);
	CHECK_EQUAL(value, bytes);
}

static void bytes_by_sequence_numbers(void)
{
	established();
	check_bytes(CLIENT, NT_KNOWN_NOT, 0);
	step(CLIENT, NT_FIN | NT_ACK, C(1 + 100), S(1), 20); /* wraps around 2^32 */
	check_bytes(CLIENT, NT_KNOWN_MODULO, 120);
	check_bytes(SERVER, NT_KNOWN_NOT, 0);
	step(SERVER, NT_FIN | NT_ACK, S(1), C(122), 0);
	check_bytes(SERVER, NT_KNOWN_MODULO, 0);
	syn_sent();
	check_bytes(CLIENT, NT_KNOWN_MODULO, 0);
	check_bytes(SERVER, NT_KNOWN_MODULO, 0);
	begin(CLIENT, NT_SYN, C(0), 0, 10);
	check_bytes(CLIENT, NT_KNOWN_NOT, 0);
	reset();
	check_bytes(CLIENT, NT_KNOWN_NOT, 0);
	midstream();
	step(CLIENT, NT_FIN | NT_ACK, 510, 600, 0);
	check_bytes(CLIENT, NT_KNOWN_NOT, 0);
}

/* ---- random packets ---- */

/* Whatever packets come, the bounds hold and an ended connection stays ended. */
static void random_packets(void)
{
	__u32 i, broken = 0;

	srand(7);
	begin(CLIENT, NT_SYN, C(0), 0, 0);
	for (i = 0; i < 200000; i++) {
		int source = rand() & 1;
		__u32 sequence = (source == CLIENT ? C(0) : S(0)) + rand() % 3;
		__u32 acknowledgement = (source == CLIENT ? S(0) : C(0)) + rand() % 3;
		__u8 flags = rand() & (NT_FIN | NT_SYN | NT_RST | NT_ACK);
		enum nt_state before = STATE();

		if (step(source, flags, sequence, acknowledgement, rand() % 2) & NT_STEP_NEW)
			begin(source, flags, sequence, acknowledgement, 0);
		else
			broken += before == NT_STATE_CLOSED && STATE() != before; /* a RST can be taken back */
		broken += connection.history_length > NT_CONNECTION_HISTORY || connection.src_index > 1;
	}
	CHECK_EQUAL(broken, 0);
}

/* A host that passes in SYN, FIN, RST and the ACKs that it waits for. */
static __u32 step_alone(int source, __u8 flags, __u32 sequence, __u32 acknowledgement)
{
	struct nt_packet packet = side_segment(source, flags, sequence, acknowledgement, 0);

	now += MS;
	return nt_connection_step(&connection, &packet, source, now);
}

static void established_alone(void)
{
	struct nt_packet packet = side_segment(CLIENT, NT_SYN, C(0), 0, 0);

	now = 1000 * MS;
	nt_connection_begin(&connection, &packet, CLIENT, now);
	step_alone(SERVER, NT_SYN | NT_ACK, S(0), C(1));
	step_alone(CLIENT, NT_ACK, C(1), S(1));
}

/* A forged RST on a connection that both sides then close in order; `forger` names its sender. */
static void check_forged_reset(int forger, int first)
{
	__u32 next[2] = { [CLIENT] = C(1), [SERVER] = S(1) };
	int second = 1 - first;

	established_alone();
	step_alone(forger, NT_RST, next[forger] + 0x30000000, 0);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
	step_alone(first, NT_FIN | NT_ACK, next[first], next[second]);
	step_alone(second, NT_ACK, next[second], next[first] + 1);
	step_alone(second, NT_FIN | NT_ACK, next[second], next[first] + 1);
	step_alone(first, NT_ACK, next[first] + 1, next[second] + 1);
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.first_closer, 1 + first);
}

static void reset_then_closed_in_order(void)
{
	check_forged_reset(CLIENT, CLIENT);
	check_forged_reset(CLIENT, SERVER);
	check_forged_reset(SERVER, CLIENT);
	check_forged_reset(SERVER, SERVER);
}

/* A FIN that is on its way when the RST comes is no sign of life. */
static void reset_while_a_fin_is_on_its_way(void)
{
	established_alone();
	step_alone(SERVER, NT_RST, S(1), 0);
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	step_alone(SERVER, NT_RST, S(1), 0);
	CHECK_EQUAL(STATE(), NT_STATE_RESET);
}

/* A forged FIN after the forged RST does not hide the true one. */
static void reset_and_fin_forged(void)
{
	established_alone();
	step_alone(SERVER, NT_RST, S(0x30000000), 0);
	step_alone(SERVER, NT_FIN | NT_ACK, S(0x30000000), C(1));
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(1));
	step_alone(CLIENT, NT_ACK, C(1), S(2));
	CHECK_EQUAL(STATE(), NT_STATE_HALF_CLOSED);
}

/* A forged FIN and the true one of the other side close nothing: a SYN is refused, and the true FIN counts. */
static void fin_forged_before_the_close(void)
{
	established_alone();
	step_alone(SERVER, NT_FIN | NT_ACK, S(0x30000000), C(1));
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	CHECK(!(step_alone(SERVER, NT_SYN, S(0x30000000), 0) & NT_STEP_NEW));
	CHECK(!(step_alone(SERVER, NT_SYN | NT_FIN, S(0x38000000), 0) & NT_STEP_NEW));
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(2));
	step_alone(CLIENT, NT_ACK, C(2), S(2));
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.first_closer, 1 + CLIENT);
	CHECK(step_alone(SERVER, NT_SYN, S(0x40000000), 0) & NT_STEP_NEW);
}

/* A forged FIN in the right place, whose checksum only its receiver verifies: the numbers of later packets show that it
 * was not sent, or not then.
 */
static void fin_forged_in_place(void)
{
	established(); /* every packet is passed in */
	step(SERVER, NT_FIN | NT_ACK, S(1), C(1), 0);
	step(CLIENT, NT_ACK, C(1), S(1), 100);
	step(SERVER, NT_ACK, S(1), C(101), 0);
	CHECK_EQUAL(STATE(), NT_STATE_ESTABLISHED);

	established_alone();
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(1));
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	step_alone(SERVER, NT_ACK, S(1), C(2));
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(2));
	step_alone(CLIENT, NT_ACK, C(2), S(2));
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.first_closer, 1 + CLIENT);

	established_alone(); /* behind the true one */
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	CHECK_EQUAL(step_alone(CLIENT, NT_FIN | NT_ACK, C(2), S(1)) & NT_STEP_REFUSED, NT_STEP_REFUSED);
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(2));
	CHECK_EQUAL(connection.first_closer, 1 + CLIENT);
}

/* Both FINs are true and cross each other: each is acknowledged with the number behind the FIN. */
static void fins_cross(void)
{
	established_alone();
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(1));
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	step_alone(SERVER, NT_ACK, S(2), C(2));
	step_alone(CLIENT, NT_ACK, C(2), S(2));
	CHECK_EQUAL(STATE(), NT_STATE_CLOSED);
	CHECK_EQUAL(connection.first_closer, 1 + SERVER);

	established_alone(); /* some hosts send the FIN again instead */
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(1));
	step_alone(CLIENT, NT_FIN | NT_ACK, C(1), S(1));
	step_alone(SERVER, NT_FIN | NT_ACK, S(1), C(2));
	step_alone(CLIENT, NT_ACK, C(2), S(2));
	CHECK_EQUAL(connection.first_closer, 1 + SERVER);
}

int main(void)
{
	static const setter rows[] = {
		begins_with_syn,
		begins_with_synack,
		begins_midstream,
		begins_midstream_with_the_server,
		syn_sent_synack,
		syn_sent_synack_of_another_connection,
		syn_sent_simultaneous_open,
		syn_sent_split_handshake,
		syn_sent_simultaneous_synack_of_another_connection,
		syn_sent_refused,
		reset_then_closed_in_order,
		reset_while_a_fin_is_on_its_way,
		reset_and_fin_forged,
		fin_forged_before_the_close,
		fin_forged_in_place,
		fins_cross,
		syn_sent_rst_of_another_connection,
		syn_sent_given_up,
		syn_sent_old_connection_reset,
		syn_sent_synack_not_seen,
		synack_captured_late,
		syn_received_ack,
		syn_received_ack_with_data,
		syn_received_later_ack,
		syn_received_ack_of_another_connection,
		syn_received_ack_of_another_cookie,
		syn_received_fin,
		syn_received_fast_open,
		syn_received_cookies,
		syn_received_syn_captured_late,
		syn_received_rst,
		established_data,
		established_fin,
		established_rst,
		half_closed_fin,
		half_closed_rst,
		closed_is_final,
		reset_is_final,
		reset_before_the_handshake,
		fin_without_handshake,
		same_syn_is_the_same_connection,
		same_synack_changes_nothing,
		other_syn_in_each_state,
		answered_syn_is_another_connection,
		challenged_syn,
		same_syn_after_close_is_another_connection,
		syn_after_midstream_is_another_connection,
		connects_to_itself,
		invalid_flags,
		history_of_a_whole_connection,
		history_is_bounded,
		outcomes_of_ended_connections,
		outcomes_of_idle_connections,
		first_closer,
		conn_states_of_attempts,
		conn_states_of_connections,
		bytes_by_sequence_numbers,
		random_packets,
	};
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		rows[i]();
	return check_finish();
}
