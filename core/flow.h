/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flow of one side: the sequence numbers and the window that its packets show, and which segments of its peer it
 * refuses (RFC 9293 3.10.7.4, RFC 5961).
 *
 * A segment that follows directly on all that its sender sent before is never refused: whoever guesses a sequence number
 * does not hit that one. Everything else is measured by bounds that hold although the scale of the window is unknown
 * and packets may be missing from the capture: the window is taken for as large as the largest scale makes it.
 *
 * The numbers of a side change only with its own packets. They are set only for hosts that pass in every packet.
 */
#ifndef NETRACKER_CORE_FLOW_H
#define NETRACKER_CORE_FLOW_H

#include "packet.h"

/* The largest distance of two sequence numbers that are valid at one time: the largest window (RFC 7323, 2.3). */
#define NT_MOST_WINDOW 0x40000000
#define NT_MOST_WINDOW_SCALE 14 /* RFC 7323 2.3 */
/* A sequence number farther ahead than this is behind. */
#define NT_MOST_AHEAD 0x80000000

enum nt_flow_flag {
	NT_FLOW_SENT = 1,         /* next is set */
	NT_FLOW_ACKNOWLEDGED = 2, /* acknowledged and edge are set */
	NT_FLOW_SYNCHRONISED = 4, /* the same by a packet without SYN */
	NT_FLOW_STRANGE = 8,      /* strange and strange_end are set */
	NT_FLOW_RST_FITS = 16,    /* its RST has the one sequence number that RFC 5961 accepts */
	NT_FLOW_RST_AGAIN = 32,   /* it sent more RSTs, as an endpoint without a connection does */
	NT_FLOW_ALIVE = 64,       /* it sent data or a FIN after its own RST; alive_end is set */
	NT_FLOW_WENT_ON = 128,    /* it sent something after the RST of its peer */
	NT_FLOW_PRUNED = 256,     /* it acknowledged more than a window that was not seen: nothing can be refused */
	NT_FLOW_OPENED = 512,     /* its SYN was seen */
};

struct nt_flow {
	__u32 flags;        /* enum nt_flow_flag */
	__u32 next;         /* one beyond all that it sent */
	__u32 acknowledged; /* its highest acknowledgement */
	__u32 edge;         /* one beyond the window that it announced, at most */
	__u32 strange;      /* its latest refused segments that follow on each other: [strange, strange_end) */
	__u32 strange_end;
	__u32 reset;     /* the sequence number of its RST */
	__u32 alive_end; /* one beyond what it sent after that, the lowest */
};

/* Returns whether a is after b, modulo 2^32 (RFC 9293 section 3.4). */
NT_INLINE int nt_sequence_after(__u32 a, __u32 b)
{
	return (int)(a - b) > 0;
}

NT_INLINE __u32 nt_sequence_later(__u32 a, __u32 b)
{
	return nt_sequence_after(a, b) ? a : b;
}

/* Returns whether a is behind b by more than any window. */
NT_INLINE int nt_sequence_is_far_behind(__u32 a, __u32 b)
{
	return b - a >= NT_MOST_WINDOW && b - a < NT_MOST_AHEAD;
}

/* Returns the sequence number behind the packet: SYN and FIN take one each. */
NT_INLINE __u32 nt_packet_end_sequence(const struct nt_packet *packet)
{
	return packet->sequence + packet->payload_length + !!(packet->flags & NT_SYN) + !!(packet->flags & NT_FIN);
}

/* Returns one beyond all that the side sent, as far as it or its peer's acknowledgements show it. */
NT_INLINE __u32 nt_flow_next(const struct nt_flow *own, const struct nt_flow *peer)
{
	if (!(peer->flags & NT_FLOW_ACKNOWLEDGED))
		return own->next;
	return own->flags & NT_FLOW_SENT ? nt_sequence_later(own->next, peer->acknowledged) : peer->acknowledged;
}

/* Returns whether the acknowledgement lies beyond what the peer may have sent, or farther back than any window. */
NT_INLINE int nt_flow_refuses_ack(const struct nt_flow *own, const struct nt_flow *peer, __u32 acknowledgement)
{
	if (!(own->flags & NT_FLOW_SYNCHRONISED) || !(peer->flags & NT_FLOW_SENT))
		return 0;
	return nt_sequence_after(acknowledgement, nt_sequence_later(own->edge, nt_flow_next(peer, own))) ||
	       nt_sequence_is_far_behind(acknowledgement, own->acknowledged);
}

/* Returns the highest sequence number that the peer may accept. As long as it has only sent its SYN, it may be that the
 * capture has nothing else of it: then the side's own numbers move the limit.
 */
NT_INLINE __u32 nt_flow_limit(const struct nt_flow *own, const struct nt_flow *peer)
{
	__u32 next = nt_flow_next(own, peer);

	if (!(peer->flags & NT_FLOW_ACKNOWLEDGED))
		return next + NT_MOST_WINDOW;
	if (!(peer->flags & NT_FLOW_SYNCHRONISED))
		return next + (peer->edge - peer->acknowledged);
	return nt_sequence_later(peer->edge, next);
}

/* Returns whether the receiver of a packet without SYN and RST drops it, in a connection in which both sides have sent
 * a SYN. own: the sender's flow, peer: the receiver's.
 */
NT_INLINE int nt_flow_refuses(const struct nt_flow *own, const struct nt_flow *peer, const struct nt_packet *packet)
{
	__u32 next = nt_flow_next(own, peer);

	if (!(packet->flags & NT_ACK))
		return 1;
	if (!(own->flags & NT_FLOW_SENT) || packet->sequence == own->next || packet->sequence == next ||
	    peer->flags & NT_FLOW_PRUNED)
		return 0;
	if (!(peer->flags & NT_FLOW_ACKNOWLEDGED) && !(own->flags & NT_FLOW_OPENED))
		return 0;
	return nt_sequence_after(packet->sequence, nt_flow_limit(own, peer)) ||
	       ((peer->flags & NT_FLOW_ACKNOWLEDGED) &&
		nt_sequence_is_far_behind(packet->sequence, peer->acknowledged)) ||
	       nt_flow_refuses_ack(own, peer, packet->acknowledgement);
}

/* Returns whether the side acknowledges refused segments of its peer: then it did not refuse them, and the packets that
 * would have shown it are missing. */
NT_INLINE int nt_flow_takes_strange(const struct nt_flow *peer, __u32 acknowledgement)
{
	return (peer->flags & NT_FLOW_STRANGE) &&
	       acknowledgement - peer->strange - 1 < peer->strange_end - peer->strange;
}

NT_INLINE void nt_flow_acknowledge(struct nt_flow *own, const struct nt_flow *peer, const struct nt_packet *packet)
{
	__u32 ack = packet->acknowledgement, edge = ack + ((__u32)packet->window << NT_MOST_WINDOW_SCALE);
	int follows = !(own->flags & NT_FLOW_SENT) || packet->sequence == own->next;

	if (!(own->flags & NT_FLOW_ACKNOWLEDGED)) {
		own->flags |= NT_FLOW_ACKNOWLEDGED;
		own->acknowledged = ack;
		own->edge = edge;
	} else if (follows && nt_flow_takes_strange(peer, ack)) {
		own->acknowledged = ack;
	} else if (nt_sequence_after(ack, own->acknowledged) &&
		   (follows || !nt_sequence_after(ack, nt_flow_next(peer, own)))) {
		if (nt_sequence_after(ack, own->edge) && (own->flags & NT_FLOW_SYNCHRONISED))
			own->flags |= NT_FLOW_PRUNED;
		own->acknowledged = ack;
	}
	if (ack == own->acknowledged && (nt_sequence_after(edge, own->edge) || own->edge - ack > NT_MOST_WINDOW))
		own->edge = edge;
	if (!(packet->flags & NT_SYN))
		own->flags |= NT_FLOW_SYNCHRONISED;
}

/* Takes a packet without RST that its receiver does not refuse. */
NT_INLINE void nt_flow_take(struct nt_flow *own, const struct nt_flow *peer, const struct nt_packet *packet)
{
	__u32 end = nt_packet_end_sequence(packet);

	if (packet->flags & NT_ACK)
		nt_flow_acknowledge(own, peer, packet);
	/* A SYN-ACK with another SYN cookie begins anew. */
	if (!(own->flags & NT_FLOW_SENT) || nt_sequence_after(end, own->next) ||
	    (packet->flags & NT_SYN && !(own->flags & NT_FLOW_SYNCHRONISED)))
		own->next = end;
	own->flags |= packet->flags & NT_SYN ? NT_FLOW_SENT | NT_FLOW_OPENED : NT_FLOW_SENT;
}

/* Takes what the side sent after its own RST. Of a forged segment and a true one the lower counts: whoever acknowledges
 * the true one is then taken to have gone on. */
NT_INLINE void nt_flow_go_on(struct nt_flow *own, const struct nt_packet *packet)
{
	__u32 end = nt_packet_end_sequence(packet);

	if (!(own->flags & NT_FLOW_ALIVE) || nt_sequence_after(own->alive_end, end))
		own->alive_end = end;
	own->flags |= NT_FLOW_ALIVE;
}

/* Takes a packet that its receiver refuses. */
NT_INLINE void nt_flow_take_refused(struct nt_flow *own, const struct nt_packet *packet)
{
	if (!packet->payload_length || packet->flags & (NT_SYN | NT_RST))
		return;
	if (!(own->flags & NT_FLOW_STRANGE) || packet->sequence != own->strange_end)
		own->strange = packet->sequence;
	own->strange_end = packet->sequence + packet->payload_length;
	own->flags |= NT_FLOW_STRANGE;
}

#endif
