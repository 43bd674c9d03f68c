// SPDX-License-Identifier: GPL-2.0-or-later
/* core/socket.h, and what core/result.h makes of it: sockets whose changes of state are given. */
#include <linux/types.h>

#include "core/buffer.h"
#include "core/result.h"

#include "tests/unit/check.h"

#define T0 1000000000ULL
#define NOT_KNOWN (-1)

static struct nt_socket sock;
static struct nt_result summary;

static void change(__u64 at, __u8 state)
{
	nt_socket_changes(&sock, state, T0 + at);
}

static void begin(enum nt_role role)
{
	sock = (struct nt_socket){.role = role, .start_ns = T0};
	change(20, NT_TCP_ESTABLISHED);
}

/* From the state that it was in. */
static void close_it(__u64 at, __u8 reset_received)
{
	__u8 old_state = sock.state;

	change(at, NT_TCP_CLOSE);
	sock.reset_received = reset_received;
	nt_result_fill_from_socket(&summary, &sock, old_state);
}

static void closed_by_client(void)
{
	begin(NT_ROLE_CLIENT);
	change(40, NT_TCP_FIN_WAIT1);
	change(45, NT_TCP_FIN_WAIT2);
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.ended_by, NT_SRC);
	CHECK_EQUAL(summary.start_ns, T0);
	CHECK_EQUAL(summary.duration_ns, 60);
	CHECK_EQUAL(summary.first_fin_ns, 40);
	CHECK_EQUAL(summary.handshake_ns, 20);
	CHECK_EQUAL(summary.syn_finack_ns, NOT_KNOWN);
	CHECK_EQUAL(summary.bytes[NT_DST], NOT_KNOWN);
}

/* The same, as the server's socket sees it. */
static void closed_by_peer(void)
{
	begin(NT_ROLE_SERVER);
	change(40, NT_TCP_CLOSE_WAIT);
	change(50, NT_TCP_LAST_ACK);
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.ended_by, NT_SRC);
	CHECK_EQUAL(summary.first_fin_ns, 40);
	CHECK_EQUAL(summary.handshake_ns, NOT_KNOWN);
}

/* Both FINs cross: FIN_WAIT1, CLOSING; a RST after both changes nothing. */
static void closed_at_once(void)
{
	begin(NT_ROLE_SERVER);
	change(40, NT_TCP_FIN_WAIT1);
	change(41, NT_TCP_CLOSING);
	close_it(60, 1);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.ended_by, NT_DST);
}

static void reset_by_peer(void)
{
	begin(NT_ROLE_CLIENT);
	close_it(60, 1);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_RESET);
	CHECK_EQUAL(summary.ended_by, NT_DST);
	CHECK_EQUAL(summary.first_fin_ns, 60);
	begin(NT_ROLE_CLIENT);
	change(40, NT_TCP_FIN_WAIT1);
	change(45, NT_TCP_FIN_WAIT2);
	close_it(60, 1); /* or from here, by data that came when nobody could read any more */
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_RESET);
	CHECK_EQUAL(summary.ended_by, NOT_KNOWN);
	CHECK_EQUAL(summary.first_fin_ns, 40);
}

static void refused(void)
{
	sock = (struct nt_socket){.role = NT_ROLE_CLIENT, .start_ns = T0};
	change(0, NT_TCP_SYN_SENT);
	close_it(5, 1);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_REFUSED);
	CHECK_EQUAL(summary.ended_by, NT_DST);
	CHECK_EQUAL(summary.handshake_ns, NOT_KNOWN);
	CHECK_EQUAL(summary.first_fin_ns, 5);
}

/* A time-out, an abort, an attempt given up: the states are the same. */
static void not_told_by_states(void)
{
	begin(NT_ROLE_CLIENT);
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NOT_KNOWN);
	CHECK_EQUAL(summary.ended_by, NOT_KNOWN);
	CHECK_EQUAL(summary.first_fin_ns, NOT_KNOWN);
	sock = (struct nt_socket){.role = NT_ROLE_CLIENT, .start_ns = T0};
	change(0, NT_TCP_SYN_SENT);
	close_it(5, 0);
	CHECK_EQUAL(summary.outcome, NOT_KNOWN);
	CHECK_EQUAL(summary.duration_ns, 5);
}

/* The kernel may skip a program where it interrupts another. What comes after shows what was not seen. */
static void changes_missed(void)
{
	begin(NT_ROLE_SERVER);
	change(50, NT_TCP_LAST_ACK); /* no CLOSE_WAIT */
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.ended_by, NT_SRC);
	begin(NT_ROLE_CLIENT);
	change(50, NT_TCP_CLOSING); /* no FIN_WAIT1 */
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.ended_by, NT_SRC);
	begin(NT_ROLE_CLIENT);
	change(50, NT_TCP_FIN_WAIT2); /* no FIN_WAIT1: when it was is not known */
	close_it(60, 0);
	CHECK_EQUAL(summary.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(summary.first_fin_ns, NOT_KNOWN);
}

/* Who knows that no error ended it knows that it reset itself. */
static void reset_here(void)
{
	int ended_by;

	begin(NT_ROLE_SERVER);
	CHECK_EQUAL(nt_socket_outcome(&sock, NT_TCP_ESTABLISHED, 0, &ended_by), NT_OUTCOME_RESET);
	CHECK_EQUAL(ended_by, NT_DST);
	sock.flags = NT_SOCKET_LOCAL_FIN | NT_SOCKET_RESET_SENT;
	CHECK_EQUAL(nt_socket_outcome(&sock, NT_TCP_FIN_WAIT2, 0, &ended_by), NT_OUTCOME_RESET);
}

int main(void)
{
	closed_by_client();
	closed_by_peer();
	closed_at_once();
	reset_by_peer();
	refused();
	not_told_by_states();
	changes_missed();
	reset_here();
	return check_finish();
}
