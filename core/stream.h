/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stream of one side, for hosts that follow every packet: counts packets, payload bytes and retransmissions.
 *
 * Bytes are the union of the sequence ranges seen: each byte once, in 64 bits, however often the 32-bit sequence
 * numbers wrapped around. The stream stores the highest sequence number seen and the holes below it; all other bytes
 * below it were seen. The number of holes is limited: if there are more, the oldest is given up (NT_STREAM_OVERFLOW),
 * and its bytes count as a retransmission if they arrive later.
 *
 * The same packet may be seen on several interfaces, and on ingress as well as on egress (lo). Then a side's packets
 * count only from the interface and direction of the first one, which sees each packet before the others do; what has
 * nothing new elsewhere is a copy. New bytes, a new FIN or a new acknowledgement elsewhere did not cross the first: the
 * path has changed, and the other interface counts from then on. The rule begins with the first copy: before it, packets
 * count on every interface, because the packets of one side may take several paths. If both happen, the counts are in
 * doubt (NT_STREAM_MOVED, NT_STREAM_SKIPPED).
 *
 * struct nt_stream keeps a fixed number of holes. The functions above it work on struct nt_stream_core and on any array
 * of holes, for a host whose memory can grow (src/replay/growing_stream.h).
 */
#ifndef NETRACKER_CORE_STREAM_H
#define NETRACKER_CORE_STREAM_H

#include "connection.h"

#define NT_STREAM_RANGES 4

enum nt_stream_flag {
	NT_STREAM_BEGUN = 1, /* interface and direction are set */
	NT_STREAM_BASED = 2, /* base and highest are set */
	NT_STREAM_SYN = 4,   /* a SYN was seen: base is where the payload begins */
	NT_STREAM_FIN = 8,
	NT_STREAM_OVERFLOW = 16,      /* more holes than are kept: bytes may be too low, retransmissions too high */
	NT_STREAM_INCOMPLETE = 32,    /* a hole was given up, or a fragment's length is unknown */
	NT_STREAM_CLOSED_WINDOW = 64, /* its last packet announced a window of 0 */
	NT_STREAM_PROBED = 128,       /* the last byte below `highest` was sent as a zero-window probe */
	NT_STREAM_ACKNOWLEDGED = 256, /* acknowledged is set */
	NT_STREAM_REPEATED = 512,     /* its packets are seen in several places */
	NT_STREAM_MOVED = 1024,       /* packets counted in several places */
	NT_STREAM_SKIPPED = 2048,     /* a packet did not count: it looked like a copy of one seen in another place */
};

/* Copies of a packet are seen in less than this (docs/record.md, "Packets that count once"). */
#define NT_COPY_NS 10000000
/* 512 ns: times 9,999 and 10,000 microseconds apart differ by a different number of units, wherever they lie. */
#define NT_COPY_UNIT_BITS 9
#define NT_COPY_UNITS (NT_COPY_NS >> NT_COPY_UNIT_BITS)

/* The place and the time at which a packet was seen. */
struct nt_place {
	__u32 interface; /* any number that distinguishes interfaces */
	__u32 time;      /* by any clock, in units of 512 ns, modulo 2^32 */
	__u8 direction;
};

NT_INLINE struct nt_place nt_place_at(__u32 interface, __u8 direction, __u64 ns)
{
	return (struct nt_place){ .interface = interface,
				  .time = (__u32)(ns >> NT_COPY_UNIT_BITS),
				  .direction = direction };
}

struct nt_range {
	__u32 start, end; /* [start, end); empty where equal */
};

struct nt_stream_core {
	__u64 packets;
	__u64 bytes;
	__u64 retransmits;
	__u32 base;    /* the lowest sequence number of the payload, at most NT_MOST_WINDOW below `highest` */
	__u32 highest; /* one beyond the highest seen */
	__u32 fin_sequence;
	__u32 interface;
	__u32 far_end;      /* one beyond the last segment that was too far behind */
	__u32 acknowledged; /* the highest acknowledgement */
	__u32 seen;         /* nt_place's time of the last packet that counted */
	__u16 flags;        /* enum nt_stream_flag */
	__u8 direction;
	__u8 room; /* of the holes of src/replay/growing_stream.h; else 0 */
};

/* The holes of a stream; valid only during a call. */
struct nt_holes {
	struct nt_range *hole;
	int room;                /* elements of hole[] */
	int most;                /* elements that hole[] may grow to */
	struct nt_range pending; /* a hole that found no room while room < most; empty: none */
};

/* Returns the sequence number that follows everything seen so far: a FIN takes one. */
NT_INLINE __u32 nt_stream_next(const struct nt_stream_core *stream)
{
	return stream->highest + ((stream->flags & NT_STREAM_FIN) && stream->fin_sequence == stream->highest);
}

/* Returns whether the packet is a keep-alive (RFC 1122 4.2.3.6): at most one byte, with the sequence number before the
 * next one. This byte is no payload; if nothing was sent yet, it has the SYN's sequence number, after a FIN the FIN's.
 */
NT_INLINE int nt_stream_is_keepalive(const struct nt_stream_core *stream, const struct nt_packet *packet)
{
	return (stream->flags & NT_STREAM_BASED) && !(packet->flags & (NT_SYN | NT_FIN)) &&
	       packet->payload_length <= 1 && packet->sequence + 1 == nt_stream_next(stream);
}

/* Returns whether the packet holds bytes or a FIN beyond everything seen so far. */
NT_INLINE int nt_stream_is_ahead(const struct nt_stream_core *stream, const struct nt_packet *packet)
{
	int first_fin = (packet->flags & NT_FIN) && !(stream->flags & NT_STREAM_FIN);
	__u32 end = packet->sequence + !!(packet->flags & NT_SYN) + packet->payload_length + first_fin;

	if ((packet->flags & NT_RST) || packet->marks & NT_PACKET_REFUSED)
		return 0;
	if (!(packet->payload_length || first_fin || packet->flags & NT_SYN))
		return 0;
	if (!(stream->flags & NT_STREAM_BASED))
		return 1;
	return !nt_stream_is_keepalive(stream, packet) && nt_sequence_after(end, stream->highest);
}

/* Returns whether the packet acknowledges more than all packets before it. */
NT_INLINE int nt_stream_acknowledges_more(const struct nt_stream_core *stream, const struct nt_packet *packet)
{
	if ((packet->flags & (NT_ACK | NT_RST)) != NT_ACK || packet->marks & NT_PACKET_REFUSED)
		return 0;
	return !(stream->flags & NT_STREAM_ACKNOWLEDGED) ||
	       nt_sequence_after(packet->acknowledgement, stream->acknowledged);
}

/* Returns whether a packet that has nothing new may be a copy of one that counted. */
NT_INLINE int nt_stream_may_be_copy(const struct nt_stream_core *stream, const struct nt_packet *packet, __u32 time)
{
	if (stream->flags & NT_STREAM_REPEATED)
		return 1;
	return !(packet->marks & NT_PACKET_SINGLE) &&
	       (time - stream->seen < NT_COPY_UNITS || stream->seen - time < NT_COPY_UNITS);
}

/* Returns whether a packet in another place than the last one counts. */
NT_INLINE int nt_stream_counts_elsewhere(struct nt_stream_core *stream, const struct nt_packet *packet, __u32 time)
{
	if (nt_stream_is_ahead(stream, packet) || nt_stream_acknowledges_more(stream, packet) ||
	    !nt_stream_may_be_copy(stream, packet, time)) {
		stream->flags |= NT_STREAM_MOVED;
		return 1;
	}
	stream->flags |= NT_STREAM_REPEATED | NT_STREAM_SKIPPED;
	return 0;
}

/* Returns whether the packet counts for this side. */
NT_INLINE int nt_stream_counts(struct nt_stream_core *stream, const struct nt_packet *packet,
			       const struct nt_place *place)
{
	int is_elsewhere = stream->interface != place->interface || stream->direction != place->direction;

	if ((stream->flags & NT_STREAM_BEGUN) && is_elsewhere &&
	    !nt_stream_counts_elsewhere(stream, packet, place->time))
		return 0;
	stream->interface = place->interface;
	stream->direction = place->direction;
	stream->seen = place->time;
	stream->flags |= NT_STREAM_BEGUN;
	return 1;
}

NT_INLINE void nt_stream_acknowledge(struct nt_stream_core *stream, const struct nt_packet *packet)
{
	if (!nt_stream_acknowledges_more(stream, packet))
		return;
	stream->acknowledged = packet->acknowledgement;
	stream->flags |= NT_STREAM_ACKNOWLEDGED;
}

/* Returns the distance from `highest` back to the start of the hole that is furthest behind. */
NT_INLINE __u32 nt_stream_furthest_hole(const struct nt_stream_core *stream, const struct nt_holes *holes)
{
	__u32 furthest = 0;
	int i;

	for (i = 0; i < holes->room; i++)
		if (stream->highest - holes->hole[i].start > furthest)
			furthest = stream->highest - holes->hole[i].start;
	return furthest;
}

/* Adds a hole. If there is no room, it replaces the hole that is furthest behind. */
NT_INLINE void nt_stream_add_hole(struct nt_stream_core *stream, struct nt_holes *holes, struct nt_range added)
{
	__u32 furthest;
	int i;

	for (i = 0; i < holes->room; i++) {
		if (holes->hole[i].start == holes->hole[i].end) {
			holes->hole[i] = added;
			return;
		}
	}
	if (holes->room < holes->most) {
		holes->pending = added;
		return;
	}
	stream->flags |= NT_STREAM_OVERFLOW;
	furthest = nt_stream_furthest_hole(stream, holes);
	for (i = 0; i < holes->room; i++) {
		if (stream->highest - holes->hole[i].start == furthest) {
			holes->hole[i] = added;
			return;
		}
	}
}

/* Gives up holes that are too far behind: their sequence numbers would be ambiguous. */
NT_INLINE void nt_stream_drop_old(struct nt_stream_core *stream, struct nt_holes *holes)
{
	int i;

	for (i = 0; i < holes->room; i++) {
		if (holes->hole[i].start == holes->hole[i].end ||
		    stream->highest - holes->hole[i].start < NT_MOST_WINDOW)
			continue;
		holes->hole[i].end = holes->hole[i].start;
		stream->flags |= NT_STREAM_INCOMPLETE;
	}
	if (stream->highest - stream->base >= NT_MOST_WINDOW)
		stream->base = stream->highest - NT_MOST_WINDOW;
}

/* Removes [start, end), which lies below the highest, from one hole. Returns the number of its bytes that were in the
 * hole; sets *rest if the hole was split in two.
 */
NT_INLINE __u32 nt_stream_fill_hole(struct nt_range *hole, __u32 start, __u32 end, struct nt_range *rest)
{
	__u32 from = nt_sequence_after(start, hole->start) ? start : hole->start;
	__u32 to = nt_sequence_after(hole->end, end) ? end : hole->end;

	if (hole->start == hole->end || !nt_sequence_after(to, from))
		return 0;
	if (from == hole->start) {
		hole->start = to;
	} else {
		if (to != hole->end) {
			rest->start = to;
			rest->end = hole->end;
		}
		hole->end = from;
	}
	return to - from;
}

/* Returns the new bytes in [start, end), which lies between base and highest. Here and below, *split is set to the hole
 * that arises, if one does. */
NT_INLINE __u32 nt_stream_fill(struct nt_holes *holes, __u32 start, __u32 end, struct nt_range *split)
{
	__u32 bytes = 0;
	int i;

	for (i = 0; i < holes->room; i++)
		bytes += nt_stream_fill_hole(&holes->hole[i], start, end, split);
	return bytes;
}

/* Returns the new bytes in [start, end), which extends beyond the highest. */
NT_INLINE __u32 nt_stream_extend_up(struct nt_stream_core *stream, __u32 start, __u32 end, struct nt_range *split)
{
	__u32 highest = stream->highest;

	stream->highest = end;
	if (!nt_sequence_after(start, highest))
		return end - highest;
	split->start = highest;
	split->end = start;
	return end - start;
}

/* Returns the new bytes in [start, end), which begins below the lowest. */
NT_INLINE __u32 nt_stream_extend_down(struct nt_stream_core *stream, __u32 start, __u32 end, struct nt_range *split)
{
	__u32 base = stream->base;

	stream->base = start;
	if (!nt_sequence_after(base, end))
		return base - start;
	split->start = end;
	split->end = base;
	return end - start;
}

/* Returns the new bytes in [start, end), which begins below the highest and does not extend beyond it. */
NT_INLINE __u32 nt_stream_add_below(struct nt_stream_core *stream, struct nt_holes *holes, __u32 start, __u32 end,
				    struct nt_range *split)
{
	__u32 bytes = 0;

	if (nt_sequence_after(stream->base, start)) {
		bytes = nt_stream_extend_down(stream, start, end, split);
		start = stream->base;
	}
	if (nt_sequence_after(end, start))
		bytes += nt_stream_fill(holes, start, end, split);
	return bytes;
}

/* Restarts the stream: [base, highest) counts as seen from now on, without holes. */
NT_INLINE void nt_stream_begin_at(struct nt_stream_core *stream, struct nt_holes *holes, __u32 base, __u32 highest)
{
	int i;

	stream->base = base;
	stream->highest = highest;
	for (i = 0; i < holes->room; i++)
		holes->hole[i].end = holes->hole[i].start;
}

/* Returns the new bytes in [start, end), which is farther behind than any window. Either this segment is garbage, or
 * the earlier ones were, or the capture has a gap of over 2 GiB. If the next segment follows this one, the stream
 * continues from there.
 */
NT_INLINE __u32 nt_stream_add_far(struct nt_stream_core *stream, struct nt_holes *holes, __u32 start, __u32 end)
{
	stream->flags |= NT_STREAM_INCOMPLETE;
	if (start == stream->far_end)
		nt_stream_begin_at(stream, holes, start, end);
	stream->far_end = end;
	return end - start;
}

NT_INLINE int nt_stream_is_far(const struct nt_stream_core *stream, __u32 start)
{
	__u32 behind = stream->highest - start;

	return (stream->flags & NT_STREAM_BASED) && behind >= NT_MOST_WINDOW && behind <= NT_MOST_AHEAD;
}

/* Adds a range to the union. Returns the number of its new bytes. At most one hole arises. */
NT_INLINE __u32 nt_stream_add(struct nt_stream_core *stream, struct nt_holes *holes, __u32 start, __u32 end)
{
	struct nt_range split = { 0, 0 };
	__u32 highest, bytes = 0;

	if (nt_stream_is_far(stream, start))
		return nt_stream_add_far(stream, holes, start, end);
	if (!(stream->flags & NT_STREAM_BASED)) {
		stream->base = start;
		stream->highest = start;
		stream->flags |= NT_STREAM_BASED;
	}
	highest = stream->highest;
	if (nt_sequence_after(end, highest)) {
		bytes = nt_stream_extend_up(stream, start, end, &split);
		end = highest;
	}
	if (nt_sequence_after(highest, start))
		bytes += nt_stream_add_below(stream, holes, start, end, &split);
	if (split.start != split.end)
		nt_stream_add_hole(stream, holes, split);
	nt_stream_drop_old(stream, holes);
	return bytes;
}

/* Handles a SYN. Returns 1 if it is a retransmission. A retransmitted SYN-ACK returns 0, because the kernel does not
 * count it for the socket that the handshake creates.
 */
NT_INLINE int nt_stream_syn(struct nt_stream_core *stream, struct nt_holes *holes, const struct nt_packet *packet)
{
	__u32 base = packet->sequence + 1;
	int same = (stream->flags & NT_STREAM_SYN) && stream->base == base;

	/* The sequence number may change before any payload: SYN cookies change with time. */
	if (!same && !stream->bytes)
		nt_stream_begin_at(stream, holes, base, base);
	stream->flags |= NT_STREAM_SYN | NT_STREAM_BASED;
	return same && !(packet->flags & NT_ACK);
}

/* Handles a FIN. Returns 1 if it is a retransmission. */
NT_INLINE int nt_stream_fin(struct nt_stream_core *stream, __u32 sequence)
{
	int is_retransmit = (stream->flags & NT_STREAM_FIN) && stream->fin_sequence == sequence;

	stream->flags |= NT_STREAM_FIN;
	stream->fin_sequence = sequence;
	return is_retransmit;
}

/* Returns whether a keep-alive's byte has the sequence number of the SYN or of the FIN, and was never payload. */
NT_INLINE int nt_stream_is_empty_keepalive(const struct nt_stream_core *stream)
{
	return nt_stream_next(stream) != stream->highest ||
	       (stream->base == stream->highest && (stream->flags & NT_STREAM_SYN));
}

/* Returns how many bytes of the packet were sent before without being a retransmission: the byte of a zero-window probe
 * (RFC 9293 3.8.6.1) is sent again with the segment that follows. The window of 0 distinguishes probes from data.
 */
NT_INLINE __u32 nt_stream_probed_bytes(struct nt_stream_core *stream, const struct nt_stream_core *peer,
				       const struct nt_packet *packet)
{
	int again = (stream->flags & NT_STREAM_PROBED) && packet->sequence + 1 == stream->highest;

	if (packet->payload_length != 1 || !(peer->flags & NT_STREAM_CLOSED_WINDOW)) {
		stream->flags &= ~NT_STREAM_PROBED;
		return again;
	}
	if (packet->sequence == stream->highest)
		stream->flags |= NT_STREAM_PROBED;
	return 1;
}

NT_INLINE void nt_stream_payload(struct nt_stream_core *stream, const struct nt_stream_core *peer,
				 struct nt_holes *holes, const struct nt_packet *packet)
{
	__u32 start = packet->sequence + !!(packet->flags & NT_SYN);
	__u32 bytes = 0, probed = 0, is_retransmit = 0;
	int keepalive = nt_stream_is_keepalive(stream, packet);

	if (packet->flags & NT_SYN)
		is_retransmit = nt_stream_syn(stream, holes, packet);
	if (keepalive && nt_stream_is_empty_keepalive(stream))
		return;
	if (packet->payload_length || (packet->flags & NT_FIN)) {
		probed = nt_stream_probed_bytes(stream, peer, packet);
		bytes = nt_stream_add(stream, holes, start, start + packet->payload_length);
		stream->bytes += bytes;
		is_retransmit |= bytes + probed < packet->payload_length && !keepalive;
	}
	if (packet->flags & NT_FIN)
		is_retransmit |= nt_stream_fin(stream, start + packet->payload_length);
	/* If some bytes are new, the number of merged segments with old ones is unknown; one is counted. */
	if (is_retransmit)
		stream->retransmits += bytes ? 1 : packet->segments;
}

NT_INLINE void nt_stream_window(struct nt_stream_core *stream, const struct nt_packet *packet)
{
	if (packet->flags & NT_RST || packet->marks & NT_PACKET_REFUSED || !(packet->flags & NT_ACK))
		return;
	if (packet->window)
		stream->flags &= ~NT_STREAM_CLOSED_WINDOW;
	else
		stream->flags |= NT_STREAM_CLOSED_WINDOW;
}

/* Takes one packet of this side. peer: the other side's stream. If holes->pending is not empty afterwards, the host makes room and adds it with
 * nt_stream_add_pending(), or gives it up and sets NT_STREAM_OVERFLOW.
 */
NT_INLINE void nt_stream_step_core(struct nt_stream_core *stream, const struct nt_stream_core *peer,
				   struct nt_holes *holes, const struct nt_packet *packet, const struct nt_place *place)
{
	if (!nt_stream_counts(stream, packet, place))
		return;
	stream->packets += packet->segments;
	nt_stream_acknowledge(stream, packet);
	nt_stream_window(stream, packet);
	if (packet->marks & NT_PACKET_FIRST_FRAGMENT)
		stream->flags |= NT_STREAM_INCOMPLETE;
	/* The payload of a RST is no part of the stream (RFC 9293 3.5.3). */
	if (!(packet->flags & NT_RST) && !(packet->marks & NT_PACKET_REFUSED))
		nt_stream_payload(stream, peer, holes, packet);
}

/* holes: the same holes in the same order, followed by at least one empty range. */
NT_INLINE void nt_stream_add_pending(struct nt_stream_core *stream, struct nt_holes *holes, struct nt_range pending)
{
	nt_stream_add_hole(stream, holes, pending);
	nt_stream_drop_old(stream, holes);
}

NT_INLINE int nt_stream_has_moved(const struct nt_stream_core *stream)
{
	return stream->flags & NT_STREAM_MOVED;
}

/* Returns whether bytes that were sent were not seen, or are counted wrongly. */
NT_INLINE int nt_stream_is_incomplete_core(const struct nt_stream_core *stream, const struct nt_holes *holes)
{
	const int doubtful = NT_STREAM_MOVED | NT_STREAM_SKIPPED;
	int i;

	for (i = 0; i < holes->room; i++)
		if (holes->hole[i].start != holes->hole[i].end)
			return 1;
	return stream->flags & (NT_STREAM_OVERFLOW | NT_STREAM_INCOMPLETE) || (stream->flags & doubtful) == doubtful;
}

/* Moves a SYN, sent `count` times, to the stream of the connection that it began. Until it was answered, it counted as a
 * packet that was refused.
 */
NT_INLINE void nt_stream_move_syn(struct nt_stream_core *from, struct nt_stream_core *to, __u32 isn, __u32 count)
{
	to->packets = count;
	to->retransmits = count ? count - 1 : 0;
	to->base = isn + 1;
	to->highest = isn + 1;
	to->interface = from->interface;
	to->direction = from->direction;
	to->seen = from->seen;
	to->flags = NT_STREAM_BEGUN | NT_STREAM_BASED | NT_STREAM_SYN | (from->flags & NT_STREAM_REPEATED);
	from->packets -= count < from->packets ? count : from->packets;
}

struct nt_stream {
	struct nt_stream_core core;
	struct nt_range hole[NT_STREAM_RANGES];
};
NT_STATIC_ASSERT(sizeof(struct nt_stream) == 56 + 8 * NT_STREAM_RANGES, "struct nt_stream has no hidden padding");

NT_INLINE void nt_stream_step(struct nt_stream *stream, const struct nt_stream *peer, const struct nt_packet *packet,
			      const struct nt_place *place)
{
	struct nt_holes holes = { .hole = stream->hole, .room = NT_STREAM_RANGES, .most = NT_STREAM_RANGES };

	nt_stream_step_core(&stream->core, &peer->core, &holes, packet, place);
}

NT_INLINE int nt_stream_is_incomplete(const struct nt_stream *stream)
{
	const struct nt_holes holes = { .hole = (struct nt_range *)stream->hole, .room = NT_STREAM_RANGES };

	return nt_stream_is_incomplete_core(&stream->core, &holes);
}

#endif
