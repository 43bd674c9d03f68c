// SPDX-License-Identifier: GPL-2.0-or-later
/* core/socket.h and the results of core/result.h, for sockets that go through given states. */
#include <linux/types.h>

#include "core/buffer.h"
#include "core/result.h"

#include "tests/unit/check.h"

#define T0 1000000000ULL
#define UNKNOWN (-1)

static struct nt_socket sock;
static struct nt_result result;

static void change(__u64 at, __u8 state)
{
	nt_socket_changes(&sock, state, T0 + at);
}

static void begin(enum nt_role role)
{
	sock = (struct nt_socket){ .role = role, .start_ns = T0 };
	change(20, NT_TCP_ESTABLISHED);
}

/* Closes the socket from its current state. */
static void close_socket(__u64 at, __u8 reset_received)
{
	__u8 old_state = sock.state;

	change(at, NT_TCP_CLOSE);
	sock.reset_received = reset_received;
	nt_result_fill_from_socket(&result, &sock, old_state);
}

static void closed_by_client(void)
{
	begin(NT_ROLE_CLIENT);
	change(40, NT_TCP_FIN_WAIT1);
	change(45, NT_TCP_FIN_WAIT2);
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_SRC);
	CHECK_EQUAL(result.start_ns, T0);
	CHECK_EQUAL(result.duration_ns, 60);
	CHECK_EQUAL(result.first_fin_ns, 40);
	CHECK_EQUAL(result.handshake_ns, 20);
	CHECK_EQUAL(result.syn_finack_ns, UNKNOWN);
	CHECK_EQUAL(result.bytes[NT_DST], UNKNOWN);
}

/* The same connection at the server's socket. */
static void closed_by_peer(void)
{
	begin(NT_ROLE_SERVER);
	change(40, NT_TCP_CLOSE_WAIT);
	change(50, NT_TCP_LAST_ACK);
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_SRC);
	CHECK_EQUAL(result.first_fin_ns, 40);
	CHECK_EQUAL(result.handshake_ns, UNKNOWN);
}

/* The FINs cross: FIN_WAIT1, CLOSING. A RST after both FINs changes nothing. */
static void closed_at_once(void)
{
	begin(NT_ROLE_SERVER);
	change(40, NT_TCP_FIN_WAIT1);
	change(41, NT_TCP_CLOSING);
	close_socket(60, 1);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_DST);
}

static void reset_by_peer(void)
{
	begin(NT_ROLE_CLIENT);
	close_socket(60, 1);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_RESET);
	CHECK_EQUAL(result.ended_by, NT_DST);
	CHECK_EQUAL(result.first_fin_ns, 60);
	begin(NT_ROLE_CLIENT);
	change(40, NT_TCP_FIN_WAIT1);
	change(45, NT_TCP_FIN_WAIT2);
	close_socket(60, 1); /* data arrived after the local close */
	CHECK_EQUAL(result.outcome, NT_OUTCOME_RESET);
	CHECK_EQUAL(result.ended_by, UNKNOWN);
	CHECK_EQUAL(result.first_fin_ns, 40);
}

static void refused(void)
{
	sock = (struct nt_socket){ .role = NT_ROLE_CLIENT, .start_ns = T0 };
	change(0, NT_TCP_SYN_SENT);
	close_socket(5, 1);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_REFUSED);
	CHECK_EQUAL(result.ended_by, NT_DST);
	CHECK_EQUAL(result.handshake_ns, UNKNOWN);
	CHECK_EQUAL(result.first_fin_ns, 5);
}

/* A timeout, an abort and an abandoned attempt have the same states. */
static void unknown_from_states(void)
{
	begin(NT_ROLE_CLIENT);
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, UNKNOWN);
	CHECK_EQUAL(result.ended_by, UNKNOWN);
	CHECK_EQUAL(result.first_fin_ns, UNKNOWN);
	sock = (struct nt_socket){ .role = NT_ROLE_CLIENT, .start_ns = T0 };
	change(0, NT_TCP_SYN_SENT);
	close_socket(5, 0);
	CHECK_EQUAL(result.outcome, UNKNOWN);
	CHECK_EQUAL(result.duration_ns, 5);
}

/* The kernel may skip a program that interrupts another. Later states show the change that was missed. */
static void changes_missed(void)
{
	begin(NT_ROLE_SERVER);
	change(50, NT_TCP_LAST_ACK); /* no CLOSE_WAIT */
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_SRC);
	begin(NT_ROLE_CLIENT);
	change(50, NT_TCP_CLOSING); /* no FIN_WAIT1 */
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.ended_by, NT_SRC);
	begin(NT_ROLE_CLIENT);
	change(50, NT_TCP_FIN_WAIT2); /* no FIN_WAIT1: its time is unknown */
	close_socket(60, 0);
	CHECK_EQUAL(result.outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(result.first_fin_ns, UNKNOWN);
}

/* If no error ended the socket, it sent the RST itself. */
static void reset_here(void)
{
	int ended_by;

	begin(NT_ROLE_SERVER);
	CHECK_EQUAL(nt_socket_outcome(&sock, NT_TCP_ESTABLISHED, 0, &ended_by), NT_OUTCOME_RESET);
	CHECK_EQUAL(ended_by, NT_DST);
	sock.flags = NT_SOCKET_LOCAL_FIN | NT_SOCKET_RESET_SENT;
	CHECK_EQUAL(nt_socket_outcome(&sock, NT_TCP_FIN_WAIT2, 0, &ended_by), NT_OUTCOME_RESET);
}

static void time_of_state(void)
{
	begin(NT_ROLE_CLIENT);
	CHECK_EQUAL(sock.state_ns, T0 + 20);
	change(40, NT_TCP_FIN_WAIT1);
	change(45, NT_TCP_FIN_WAIT2);
	CHECK_EQUAL(sock.state_ns, T0 + 45);
	CHECK_EQUAL(sock.first_fin_ns, T0 + 40);
}

int main(void)
{
	closed_by_client();
	closed_by_peer();
	closed_at_once();
	reset_by_peer();
	refused();
	unknown_from_states();
	changes_missed();
	reset_here();
	time_of_state();
	return check_finish();
}
