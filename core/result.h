/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a connection whose SYN was seen, worked out beside it: for hosts without a record of their own to
 * fill. Times are nanoseconds since the SYN. What is not known is -1.
 */
#ifndef NETRACKER_CORE_RESULT_H
#define NETRACKER_CORE_RESULT_H

#include "socket.h"
#include "verdict.h"

struct nt_result {
	__u64 start_ns;
	long long duration_ns;   /* to the last packet that changed the state */
	long long first_fin_ns;  /* to the first FIN or RST of either side */
	long long syn_synack_ns;
	long long synack_ack_ns; /* from the SYN-ACK, where an ACK answered it */
	long long handshake_ns;
	long long syn_finack_ns; /* to the first FIN of the side that answered */
	long long bytes[2];      /* payload by enum nt_side, modulo 2^32 */
	__u64 most_bytes;        /* no side can have sent more; 2^32: than that much or more */
	__u64 idle_limit_ns;     /* for how long it may be silent */
	__u32 index[2];          /* of the key, by enum nt_side */
	int outcome;             /* enum nt_outcome, as if nothing more came; -1: not known */
	int ended_by;            /* enum nt_side */
};
NT_STATIC_ASSERT(sizeof(struct nt_result) == 104, "struct nt_result has no hidden padding");

NT_INLINE long long nt_span(__u64 from, __u64 to)
{
	return from && to >= from ? (long long)(to - from) : -1;
}

NT_INLINE void nt_result_fill_side(struct nt_result *summary, const struct nt_connection *connection, enum nt_side end,
				int index)
{
	__u32 bytes;

	summary->index[end] = index;
	summary->bytes[end] = nt_connection_bytes(connection, index, &bytes) == NT_KNOWN_NOT ? -1 : (long long)bytes;
}

NT_INLINE void nt_result_fill(struct nt_result *summary, const struct nt_connection *connection)
{
	int src = connection->src_index & 1;
	int dst = connection->marks & NT_MARK_SELF ? src : 1 - src;
	/* A SYN-ACK that itself completes the handshake is followed by no ACK. */
	int has_own_ack = !(connection->marks & (NT_MARK_SELF | NT_MARK_SIMULTANEOUS));

	NT_FORGET(dst); /* verifiers before Linux 6.10 do not follow the exclusive or that this becomes */
	dst &= 1;
	summary->start_ns = connection->syn_ns;
	summary->duration_ns = nt_span(connection->syn_ns, connection->last_change_ns);
	summary->first_fin_ns = nt_span(connection->syn_ns, nt_connection_first_fin_or_rst(connection));
	summary->syn_synack_ns = nt_span(connection->syn_ns, connection->synack_ns);
	summary->synack_ack_ns = has_own_ack ? nt_span(connection->synack_ns, connection->ack_ns) : -1;
	summary->handshake_ns = nt_span(connection->syn_ns, connection->ack_ns);
	summary->syn_finack_ns = nt_span(connection->syn_ns, connection->fin_ns[dst]);
	summary->outcome = nt_connection_idle_outcome(connection, &summary->ended_by);
	summary->most_bytes = nt_connection_most_bytes(connection);
	summary->idle_limit_ns = nt_connection_idle_limit(connection);
	nt_result_fill_side(summary, connection, NT_SRC, src);
	nt_result_fill_side(summary, connection, NT_DST, dst);
}

/* The same of a socket's connection, for hosts that read nothing of the socket but its states. old_state: before its change
 * to CLOSE. Whether what neither FINs nor a received RST ended timed out, was unreachable, given up or reset from here,
 * states do not tell.
 */
NT_INLINE void nt_result_fill_from_socket(struct nt_result *summary, const struct nt_socket *socket, __u8 old_state)
{
	int ended_by;
	enum nt_outcome outcome = nt_socket_outcome(socket, old_state, socket->reset_received, &ended_by);

	__builtin_memset(summary, 0xff, sizeof(*summary)); /* -1 in every member */
	summary->start_ns = socket->start_ns;
	summary->duration_ns = nt_span(socket->start_ns, socket->close_ns);
	summary->first_fin_ns = nt_span(socket->start_ns, socket->first_fin_ns);
	if (socket->role == NT_ROLE_CLIENT)
		summary->handshake_ns = nt_span(socket->start_ns, socket->established_ns);
	if (outcome == NT_OUTCOME_RESET && !socket->reset_received)
		return;
	summary->outcome = old_state == NT_TCP_SYN_SENT ? NT_OUTCOME_REFUSED : outcome;
	/* After an own FIN the kernel does the same as for a RST where data comes that nobody can read (RFC 9293 3.10.7.4):
	 * who reset it is not known then. */
	if (outcome != NT_OUTCOME_RESET || !(socket->flags & NT_SOCKET_LOCAL_FIN))
		summary->ended_by = ended_by;
	if (summary->first_fin_ns < 0 && socket->reset_received)
		summary->first_fin_ns = summary->duration_ns;
}

#endif
