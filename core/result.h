/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The result of a connection whose SYN was seen, for hosts that fill no struct nt_record. Times are nanoseconds since
 * the SYN. Unknown values are -1.
 */
#ifndef NETRACKER_CORE_RESULT_H
#define NETRACKER_CORE_RESULT_H

#include "socket.h"
#include "verdict.h"

struct nt_result {
	__u64 start_ns;
	long long duration_ns;  /* to the last packet that changed the state */
	long long first_fin_ns; /* to the first FIN or RST of either side */
	long long syn_synack_ns;
	long long synack_ack_ns; /* from the SYN-ACK, if an ACK answered it */
	long long handshake_ns;
	long long syn_finack_ns; /* to the first FIN of the side that answered */
	long long bytes[2];      /* payload by enum nt_side, modulo 2^32 */
	__u64 most_bytes;        /* no side can have sent more than this; 2^32: no such limit below 2^32 is known */
	__u64 idle_limit_ns;     /* the connection expires after this time without packets */
	__u32 index[2];          /* of the key, by enum nt_side */
	int outcome;             /* enum nt_outcome, as if no more packets came; -1: unknown */
	int ended_by;            /* enum nt_side */
};
NT_STATIC_ASSERT(sizeof(struct nt_result) == 104, "struct nt_result has no hidden padding");

NT_INLINE long long nt_span(__u64 from, __u64 to)
{
	return from && to >= from ? (long long)(to - from) : -1;
}

NT_INLINE void nt_result_fill_side(struct nt_result *result, const struct nt_connection *connection, enum nt_side side,
				   int index)
{
	__u32 bytes;

	result->index[side] = index;
	result->bytes[side] = nt_connection_bytes(connection, index, &bytes) == NT_KNOWN_NOT ? -1 : (long long)bytes;
}

NT_INLINE void nt_result_fill(struct nt_result *result, const struct nt_connection *connection)
{
	int src = connection->src_index & 1;
	int dst = connection->marks & NT_MARK_SELF ? src : 1 - src;
	/* No ACK follows a SYN-ACK that itself completes the handshake. */
	int has_own_ack = !(connection->marks & (NT_MARK_SELF | NT_MARK_SIMULTANEOUS));

	NT_FORGET(dst); /* the compiler makes an exclusive or of it, which verifiers before Linux 6.10 do not track */
	dst &= 1;
	result->start_ns = connection->syn_ns;
	result->duration_ns = nt_span(connection->syn_ns, connection->last_change_ns);
	result->first_fin_ns = nt_span(connection->syn_ns, nt_connection_first_fin_or_rst(connection));
	result->syn_synack_ns = nt_span(connection->syn_ns, connection->synack_ns);
	result->synack_ack_ns = has_own_ack ? nt_span(connection->synack_ns, connection->ack_ns) : -1;
	result->handshake_ns = nt_span(connection->syn_ns, connection->ack_ns);
	result->syn_finack_ns = nt_span(connection->syn_ns, connection->fin_ns[dst]);
	result->outcome = nt_connection_idle_outcome(connection, &result->ended_by);
	result->most_bytes = nt_connection_most_bytes(connection);
	result->idle_limit_ns = nt_connection_idle_limit(connection);
	nt_result_fill_side(result, connection, NT_SRC, src);
	nt_result_fill_side(result, connection, NT_DST, dst);
}

/* Fills the result of a socket's connection, for hosts that read nothing of the socket but its states. old_state: the
 * state before its change to CLOSE. If neither FINs nor a received RST ended the connection, the states do not show
 * whether it timed out, was unreachable, was given up or was reset locally; the outcome is then unknown.
 */
NT_INLINE void nt_result_fill_from_socket(struct nt_result *result, const struct nt_socket *socket, __u8 old_state)
{
	int ended_by;
	enum nt_outcome outcome = nt_socket_outcome(socket, old_state, socket->reset_received, &ended_by);

	__builtin_memset(result, 0xff, sizeof(*result)); /* -1 in every member */
	result->start_ns = socket->start_ns;
	result->duration_ns = nt_span(socket->start_ns, socket->close_ns);
	result->first_fin_ns = nt_span(socket->start_ns, socket->first_fin_ns);
	if (socket->role == NT_ROLE_CLIENT)
		result->handshake_ns = nt_span(socket->start_ns, socket->established_ns);
	if (outcome == NT_OUTCOME_RESET && !socket->reset_received)
		return;
	result->outcome = old_state == NT_TCP_SYN_SENT ? NT_OUTCOME_REFUSED : outcome;
	/* After the local FIN, the kernel handles data that no process can read like a RST (RFC 9293 3.10.7.4): the
	 * side that reset the connection is then unknown. */
	if (outcome != NT_OUTCOME_RESET || !(socket->flags & NT_SOCKET_LOCAL_FIN))
		result->ended_by = ended_by;
	if (result->first_fin_ns < 0 && socket->reset_received)
		result->first_fin_ns = result->duration_ns;
}

#endif
