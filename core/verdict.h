/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a connection came to: outcome, Zeek's conn_state, bytes by sequence numbers. Pure, over core/connection.h. */
#ifndef NETRACKER_CORE_VERDICT_H
#define NETRACKER_CORE_VERDICT_H

#include "conn_state.h"
#include "connection.h"
#include "record.h"

/* The first FIN or RST of either side; 0: none yet. */
NT_INLINE __u64 nt_connection_first_fin_or_rst(const struct nt_connection *connection)
{
	__u64 first = connection->rst_ns;
	int i;

	for (i = 0; i < 2; i++)
		if (connection->fin_ns[i] && (!first || connection->fin_ns[i] < first))
			first = connection->fin_ns[i];
	return first;
}

NT_INLINE int nt_connection_reset_by_anyone(const struct nt_connection *connection)
{
	return !!((connection->side[0] | connection->side[1]) & NT_SIDE_RST);
}

/* Which end of the connection a key's index is. */
NT_INLINE enum nt_side nt_connection_role_side(const struct nt_connection *connection, int index)
{
	return index == connection->src_index ? NT_SRC : NT_DST;
}

NT_INLINE enum nt_outcome nt_connection_reset_outcome(const struct nt_connection *connection, int *ended_by)
{
	/* Two RSTs cross: the first counts. */
	int by = connection->side[0] & NT_SIDE_RST ? 0 : 1;

	if ((connection->side[0] & connection->side[1] & NT_SIDE_RST) && connection->first_closer)
		by = connection->first_closer - 1;
	*ended_by = nt_connection_role_side(connection, by);
	if (*ended_by == NT_DST && !nt_connection_is_established(connection) && !nt_connection_has_synack(connection))
		return NT_OUTCOME_REFUSED;
	return NT_OUTCOME_RESET;
}

/* How the packets so far say that it ended: closed, reset, refused, or open where they do not.
 * *ended_by: enum nt_side, -1 where absent.
 */
NT_INLINE enum nt_outcome nt_connection_outcome(const struct nt_connection *connection, int *ended_by)
{
	*ended_by = -1;
	switch (nt_connection_state(connection)) {
	case NT_STATE_RESET:
		return nt_connection_reset_outcome(connection, ended_by);
	case NT_STATE_CLOSED:
		*ended_by = nt_connection_role_side(connection, connection->first_closer - 1);
		return NT_OUTCOME_CLOSED;
	default:
		return NT_OUTCOME_OPEN;
	}
}

/* The same for one that nothing more is expected of: silent beyond the limit, or replaced by another. */
NT_INLINE enum nt_outcome nt_connection_idle_outcome(const struct nt_connection *connection, int *ended_by)
{
	enum nt_outcome outcome = nt_connection_outcome(connection, ended_by);

	if (outcome != NT_OUTCOME_OPEN)
		return outcome;
	if (connection->first_closer)
		*ended_by = nt_connection_role_side(connection, connection->first_closer - 1);
	else if (!nt_connection_is_established(connection))
		return NT_OUTCOME_TIMEOUT;
	return NT_OUTCOME_EXPIRED;
}

/* A SYN's largest retransmission gap is 64 s (RFC 6298 5.5, tcp(7)): longer than that, nobody will answer. */
#define NT_HALF_OPEN_NS (70ULL * 1000000000)
#define NT_TRACKED_NS (2ULL * 3600 * 1000000000)

/* For how long one that packets alone tell of may be silent. */
NT_INLINE __u64 nt_connection_idle_limit(const struct nt_connection *connection)
{
	return nt_connection_is_established(connection) ? NT_TRACKED_NS : NT_HALF_OPEN_NS;
}

/* What sequence numbers tell of the payload that a side sent. */
enum nt_known {
	NT_KNOWN_NOT,
	NT_KNOWN_MODULO, /* exact, modulo 2^32 */
};

/* side: the key's index. From the SYN's and the FIN's sequence numbers, as neither takes part in the payload. */
NT_INLINE enum nt_known nt_connection_bytes(const struct nt_connection *connection, int side, __u32 *bytes)
{
	__u8 sent = connection->side[side & 1];

	*bytes = 0;
	if ((sent & NT_SIDE_FIN) && (sent & NT_SIDE_SYN)) {
		*bytes = connection->fin_sequence[side & 1] - connection->isn[side & 1] - 1;
		/* Without a handshake the FIN stands where the sender likes. */
		if (!nt_connection_is_established(connection) && *bytes > NT_MOST_SYN_PAYLOAD)
			return NT_KNOWN_NOT;
		return NT_KNOWN_MODULO;
	}
	/* Without a handshake only a SYN or a FIN can carry data. */
	if (!nt_connection_is_established(connection) && !(sent & NT_SIDE_FIN) &&
	    !(connection->marks & NT_MARK_SYN_PAYLOAD))
		return NT_KNOWN_MODULO;
	return NT_KNOWN_NOT;
}

/* No link carries more: 800 Gb/s. Where that fits into 32 bits it needs no other proof that the sequence numbers did not
 * go round. */
#define NT_MOST_BYTES_PER_NS 100
#define NT_SEQUENCE_NUMBERS (1ULL << 32)

/* No side can have sent more payload than this; NT_SEQUENCE_NUMBERS: than that much or more. */
NT_INLINE __u64 nt_connection_most_bytes(const struct nt_connection *connection)
{
	__u64 start = connection->syn_ns ? connection->syn_ns : connection->first_ns;
	__u64 nanoseconds = connection->last_seen_ns - start;

	/* Without a handshake it is what one packet holds. */
	if (!nt_connection_is_established(connection))
		return NT_MOST_SYN_PAYLOAD;
	/* A capture's clock may run backwards. */
	if (connection->last_seen_ns < start || nanoseconds >= NT_SEQUENCE_NUMBERS / NT_MOST_BYTES_PER_NS)
		return NT_SEQUENCE_NUMBERS;
	return nanoseconds * NT_MOST_BYTES_PER_NS;
}

NT_INLINE int nt_endpoint_was_reset(const struct nt_connection *connection, int side)
{
	int peer = 1 - side;

	if (!(connection->side[side] & NT_SIDE_RST))
		return 0;
	/* A FIN, then a RST, then the peer's FIN: Zeek takes the RST back. */
	return !((connection->side[side] & connection->side[peer] & NT_SIDE_FIN) &&
		 !(connection->side[peer] & NT_SIDE_RST) && connection->fin_ns[side] <= connection->rst_ns);
}

NT_INLINE enum nt_endpoint nt_connection_endpoint(const struct nt_connection *connection, int side)
{
	__u8 sent = connection->side[side], peer = connection->side[1 - side];

	if (nt_endpoint_was_reset(connection, side))
		return NT_ENDPOINT_RESET;
	if (sent & NT_SIDE_FIN)
		return NT_ENDPOINT_CLOSED;
	if (sent & NT_SIDE_SYN) {
		if (peer & NT_SIDE_SYN)
			return NT_ENDPOINT_ESTABLISHED;
		return sent & NT_SIDE_SYNACK ? NT_ENDPOINT_SYNACK_SENT : NT_ENDPOINT_SYN_SENT;
	}
	if (!(sent & NT_SIDE_SEEN))
		return NT_ENDPOINT_INACTIVE;
	if (side == connection->src_index && (peer & NT_SIDE_SYNACK))
		return NT_ENDPOINT_ESTABLISHED; /* its SYN was not seen, its ACK was */
	if (side != connection->src_index && (peer & NT_SIDE_SYN) && !nt_connection_is_established(connection))
		return NT_ENDPOINT_INACTIVE;
	return NT_ENDPOINT_PARTIAL;
}

/* Zeek's conn_state, for user space: the string is a constant. */
NT_INLINE const char *nt_connection_conn_state(const struct nt_connection *connection)
{
	int self = !!(connection->marks & NT_MARK_SELF);
	struct nt_conn_sides ends = {
		.src = nt_connection_endpoint(connection, connection->src_index),
		.has_payload = (connection->letters[0] | connection->letters[1]) & NT_LETTER_DATA ||
			       nt_connection_is_established(connection),
		.history = connection->history,
		.history_length = connection->history_length,
	};

	ends.dst = self ? ends.src : nt_connection_endpoint(connection, 1 - connection->src_index);
	return nt_conn_state(&ends);
}

#endif
