/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verdict on a connection: outcome, Zeek's conn_state, bytes by sequence numbers. Pure functions of struct
 * nt_connection. */
#ifndef NETRACKER_CORE_VERDICT_H
#define NETRACKER_CORE_VERDICT_H

#include "conn_state.h"
#include "connection.h"
#include "record.h"

/* Returns the time of the first FIN or RST of either side, 0 if there is none. */
NT_INLINE __u64 nt_connection_first_fin_or_rst(const struct nt_connection *connection)
{
	__u64 first = 0;
	int i;

	for (i = 0; i < 2; i++) {
		if (nt_connection_side_reset(connection, i) && (!first || connection->rst_ns[i] < first))
			first = connection->rst_ns[i];
		if (connection->fin_ns[i] && (!first || connection->fin_ns[i] < first))
			first = connection->fin_ns[i];
	}
	return first;
}

NT_INLINE int nt_connection_reset_by_anyone(const struct nt_connection *connection)
{
	return nt_connection_side_reset(connection, 0) || nt_connection_side_reset(connection, 1);
}

/* Returns whether the end is that of a RST or FIN of which it is unknown whether its receiver took it: the packets that
 * would show it were not seen, or there was a sign that the connection went on, but no proof.
 */
NT_INLINE int nt_connection_end_is_doubtful(const struct nt_connection *connection)
{
	__u8 acknowledged = connection->side[0] & connection->side[1] & NT_SIDE_ACKNOWLEDGED_FIN;
	int by = nt_connection_side_reset(connection, 0) ? 0 : 1;
	__u32 flags = connection->flow[by].flags, peer = connection->flow[nt_connection_peer(connection, by)].flags;

	switch (nt_connection_state(connection)) {
	case NT_STATE_RESET:
		return nt_connection_is_established(connection) && !(flags & (NT_FLOW_RST_FITS | NT_FLOW_RST_AGAIN)) &&
		       (flags & NT_FLOW_ALIVE || peer & NT_FLOW_WENT_ON);
	case NT_STATE_CLOSED:
		return (connection->marks & NT_MARK_TWO_FINS) && !acknowledged;
	default:
		return 0;
	}
}

/* Converts an index in the key to a side of the connection. */
NT_INLINE enum nt_side nt_connection_role_side(const struct nt_connection *connection, int index)
{
	return index == connection->src_index ? NT_SRC : NT_DST;
}

NT_INLINE enum nt_outcome nt_connection_reset_outcome(const struct nt_connection *connection, int *ended_by)
{
	/* If both sides sent a RST, the first one counts. */
	int by = nt_connection_side_reset(connection, 0) ? 0 : 1;

	if (nt_connection_side_reset(connection, 0) && nt_connection_side_reset(connection, 1))
		by = connection->rst_ns[1] < connection->rst_ns[0];
	*ended_by = nt_connection_role_side(connection, by);
	if (*ended_by == NT_DST && !nt_connection_is_established(connection) && !nt_connection_has_synack(connection))
		return NT_OUTCOME_REFUSED;
	return NT_OUTCOME_RESET;
}

/* Returns the outcome by the packets so far: closed, reset, refused, or open if none of them ended the connection.
 * Sets *ended_by to an enum nt_side, -1 if absent.
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

/* Returns the outcome of a connection from which no more packets are expected: it has expired, or another one replaced
 * it. */
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

/* Returns the outcome of a connection that had not ended when tracking did. */
NT_INLINE enum nt_outcome nt_connection_exit_outcome(const struct nt_connection *connection)
{
	if (nt_connection_is_established(connection) || nt_connection_has_synack(connection))
		return NT_OUTCOME_OPEN;
	return NT_OUTCOME_UNANSWERED;
}

/* The longest interval between retransmissions of a SYN is 64 s (RFC 6298 5.5, tcp(7)); after that nobody answers. */
#define NT_HALF_OPEN_NS (70ULL * 1000000000)
#define NT_TRACKED_NS (2ULL * 3600 * 1000000000)

/* Returns the time without packets, in nanoseconds, after which a connection that is known by packets alone expires. */
NT_INLINE __u64 nt_connection_idle_limit(const struct nt_connection *connection)
{
	return nt_connection_is_established(connection) ? NT_TRACKED_NS : NT_HALF_OPEN_NS;
}

/* The precision of the payload of a side, counted by sequence numbers. */
enum nt_known {
	NT_KNOWN_NOT,
	NT_KNOWN_MODULO, /* exact, modulo 2^32 */
};

/* Sets *bytes to the payload that a side sent: the distance of its FIN from its SYN. side: index in the key. */
NT_INLINE enum nt_known nt_connection_bytes(const struct nt_connection *connection, int side, __u32 *bytes)
{
	__u8 sent = connection->side[side & 1];

	*bytes = 0;
	if ((sent & NT_SIDE_FIN) && (sent & NT_SIDE_SYN)) {
		*bytes = connection->fin_sequence[side & 1] - connection->isn[side & 1] - 1;
		/* Without a handshake the sender may choose any sequence number for the FIN. */
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

/* No link carries more than this: 800 Gb/s. If the product with the duration fits into 32 bits, it proves that the
 * sequence numbers did not wrap around. */
#define NT_MOST_BYTES_PER_NS 100
#define NT_SEQUENCE_NUMBERS (1ULL << 32)

/* Returns an upper limit of the payload that one side can have sent, in bytes; at most NT_SEQUENCE_NUMBERS, which
 * stands for that much or more. */
NT_INLINE __u64 nt_connection_most_bytes(const struct nt_connection *connection)
{
	__u64 start = connection->syn_ns ? connection->syn_ns : connection->first_ns;
	__u64 nanoseconds = connection->last_seen_ns - start;

	/* Without a handshake a side sends at most the payload of one packet. */
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

	/* If both sides sent a RST, the first one counts. */
	if (!nt_connection_side_reset(connection, side) ||
	    (nt_connection_side_reset(connection, peer) && connection->rst_ns[peer] < connection->rst_ns[side]))
		return 0;
	/* After a FIN, then a RST, then the peer's FIN, Zeek no longer counts the RST. */
	return !((connection->side[side] & connection->side[peer] & NT_SIDE_FIN) &&
		 !nt_connection_side_reset(connection, peer) && connection->fin_ns[side] <= connection->rst_ns[side]);
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
		return NT_ENDPOINT_ESTABLISHED; /* its ACK was seen, but not its SYN */
	if (side != connection->src_index && (peer & NT_SIDE_SYN) && !nt_connection_is_established(connection))
		return NT_ENDPOINT_INACTIVE;
	return NT_ENDPOINT_PARTIAL;
}

/* Returns Zeek's conn_state, a constant string; for user space only. */
NT_INLINE const char *nt_connection_conn_state(const struct nt_connection *connection)
{
	int self = !!(connection->marks & NT_MARK_SELF);
	struct nt_conn_sides sides = {
		.src = nt_connection_endpoint(connection, connection->src_index),
		.has_payload = (connection->letters[0] | connection->letters[1]) & NT_LETTER_DATA ||
			       nt_connection_is_established(connection),
		.history = connection->history,
		.history_length = connection->history_length,
	};

	sides.dst = self ? sides.src : nt_connection_endpoint(connection, 1 - connection->src_index);
	return nt_conn_state(&sides);
}

#endif
