/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first payload of each side: the time of the first packet that holds the byte after the side's SYN. That byte
 * decides, so no later payload is taken for the first, and what was not seen stays unknown. A segment that comes before
 * the first byte (out of order, or after a loss) sets no time.
 *
 * Call nt_first_payload_add() after nt_connection_step() or nt_connection_begin(), with packets that were not refused.
 * A host need not pass in every packet, but it must not begin again after it left packets out: the first byte may be
 * sent again.
 */
#ifndef NETRACKER_CORE_FIRST_PAYLOAD_H
#define NETRACKER_CORE_FIRST_PAYLOAD_H

#include "connection.h"

/* Payload captured this long after its acknowledgement is a retransmission of payload that the capture does not have;
 * before that, capture has the two in the wrong order. */
#define NT_PAYLOAD_DISORDER_NS 10000000ULL

enum nt_payload_flag {
	NT_PAYLOAD_SEEN = 1,          /* payload_ns is the time of the first payload */
	NT_PAYLOAD_PROBED = 2,        /* the first byte was sent as a zero-window probe */
	NT_PAYLOAD_CLOSED_WINDOW = 4, /* the last packet of the side announced a window of 0 */
	NT_PAYLOAD_EARLY = 8,         /* payload_ns and payload_sequence are those of payload captured before the SYN */
};

/* Returns the time of the side's first payload; 0: unknown. */
NT_INLINE __u64 nt_first_payload_ns(const struct nt_connection *connection, int side)
{
	return connection->payload_flags[side & 1] & NT_PAYLOAD_SEEN ? connection->payload_ns[side & 1] : 0;
}

/* Returns whether the side's first payload was seen, or none can follow. */
NT_INLINE int nt_first_payload_is_settled(const struct nt_connection *connection, int side)
{
	return connection->payload_flags[side] & NT_PAYLOAD_SEEN || connection->side[side] & NT_SIDE_FIN;
}

NT_INLINE int nt_first_payloads_are_settled(const struct nt_connection *connection)
{
	return nt_first_payload_is_settled(connection, 0) && nt_first_payload_is_settled(connection, 1);
}

NT_INLINE int nt_packet_holds(const struct nt_packet *packet, __u32 sequence)
{
	return sequence - packet->sequence - !!(packet->flags & NT_SYN) < packet->payload_length;
}

/* Returns whether isn[] has the number of the side's SYN. The SYN-ACK shows it of a SYN that was captured after it. */
NT_INLINE int nt_first_payload_has_isn(const struct nt_connection *connection, int side)
{
	return connection->side[side] & NT_SIDE_SYN ||
	       (side == connection->src_index && !(connection->marks & NT_MARK_MIDSTREAM));
}

/* Takes the acknowledgement of the other side's first payload. A SYN-ACK that acknowledges only the SYN shows that
 * payload in the SYN was not taken (RFC 7413 4.2); it is sent again.
 */
NT_INLINE void nt_first_payload_acknowledge(struct nt_connection *connection, const struct nt_packet *packet,
					    int source, __u64 now)
{
	int peer = nt_connection_peer(connection, source);
	__u32 beyond = packet->acknowledgement - connection->isn[peer] - 1;

	if (!nt_first_payload_has_isn(connection, peer))
		return;
	if (packet->flags & NT_SYN && !beyond && connection->marks & NT_MARK_SYN_PAYLOAD &&
	    !nt_connection_is_established(connection)) {
		connection->payload_flags[peer] &= ~NT_PAYLOAD_SEEN;
		connection->payload_ns[peer] = 0;
	}
	if (beyond && beyond < NT_MOST_WINDOW && !connection->payload_ns[peer] &&
	    !(connection->payload_flags[peer] & NT_PAYLOAD_PROBED))
		connection->payload_ns[peer] = now;
}

/* Returns whether the packet holds the first byte of its side and is no probe. If the receiver took a probe's byte, the
 * payload continues behind it.
 */
NT_INLINE int nt_first_payload_is_in(struct nt_connection *connection, const struct nt_packet *packet, int source)
{
	__u32 first = connection->isn[source] + 1;
	int peer = nt_connection_peer(connection, source);

	if (!packet->payload_length || !nt_first_payload_has_isn(connection, source))
		return 0;
	if (!nt_packet_holds(packet, first))
		return connection->payload_flags[source] & NT_PAYLOAD_PROBED && connection->marks & NT_MARK_FOLLOWED &&
		       nt_packet_holds(packet, first + 1);
	if (packet->payload_length == 1 && connection->payload_flags[peer] & NT_PAYLOAD_CLOSED_WINDOW) {
		connection->payload_flags[source] |= NT_PAYLOAD_PROBED;
		return 0;
	}
	/* A host that does not pass in every packet does not know which acknowledgements are refused. */
	return connection->marks & NT_MARK_FOLLOWED || !(packet->flags & NT_ACK) ||
	       !(connection->side[peer] & NT_SIDE_SYN) ||
	       packet->acknowledgement - connection->isn[peer] - 1 < NT_MOST_WINDOW;
}

/* Sets the time, unless the other side acknowledged the payload long before. */
NT_INLINE void nt_first_payload_set(struct nt_connection *connection, const struct nt_packet *packet, int source,
				    __u64 now)
{
	__u64 *ns = &connection->payload_ns[source];

	if (connection->payload_flags[source] & NT_PAYLOAD_SEEN) {
		nt_connection_set_earlier(ns, packet, now);
		return;
	}
	if (*ns && (packet->marks & NT_PACKET_OTHER_CLOCK || now > *ns + NT_PAYLOAD_DISORDER_NS))
		return;
	*ns = now;
	connection->payload_flags[source] |= NT_PAYLOAD_SEEN;
}

/* Keeps the lowest payload that was captured before the side's SYN-ACK. */
NT_INLINE void nt_first_payload_keep_early(struct nt_connection *connection, const struct nt_packet *packet, int source,
					   __u64 now)
{
	if (!packet->payload_length || connection->marks & NT_MARK_MIDSTREAM)
		return;
	if (connection->payload_flags[source] & NT_PAYLOAD_EARLY &&
	    !nt_sequence_after(connection->payload_sequence[source], packet->sequence))
		return;
	connection->payload_flags[source] |= NT_PAYLOAD_EARLY;
	connection->payload_sequence[source] = packet->sequence;
	connection->payload_ns[source] = now;
}

/* Judges the payload that was kept, now that the side's SYN is known. */
NT_INLINE void nt_first_payload_settle_early(struct nt_connection *connection, int source)
{
	if (!(connection->payload_flags[source] & NT_PAYLOAD_EARLY))
		return;
	connection->payload_flags[source] &= ~NT_PAYLOAD_EARLY;
	if (connection->payload_sequence[source] == connection->isn[source] + 1)
		connection->payload_flags[source] |= NT_PAYLOAD_SEEN;
	else
		connection->payload_ns[source] = 0;
}

/* source: the index of the sender. */
NT_INLINE void nt_first_payload_add(struct nt_connection *connection, const struct nt_packet *packet, int source,
				    __u64 now)
{
	source &= 1;
	if (packet->flags & NT_RST || !(packet->flags & (NT_SYN | NT_ACK)))
		return;
	if (packet->flags & NT_ACK)
		nt_first_payload_acknowledge(connection, packet, source, now);
	if (!nt_first_payload_has_isn(connection, source))
		nt_first_payload_keep_early(connection, packet, source, now);
	else if (packet->flags & NT_SYN)
		nt_first_payload_settle_early(connection, source);
	if (nt_first_payload_is_in(connection, packet, source))
		nt_first_payload_set(connection, packet, source, now);
	if (packet->window)
		connection->payload_flags[source] &= ~NT_PAYLOAD_CLOSED_WINDOW;
	else
		connection->payload_flags[source] |= NT_PAYLOAD_CLOSED_WINDOW;
}

#endif
