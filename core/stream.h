/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one side sent, for hosts that follow every packet: packets, payload bytes, retransmissions.
 *
 * Bytes are the union of the sequence ranges seen: each byte once, in 64 bits, however often the 32-bit sequence
 * numbers went round. What is kept is the highest sequence number seen and the holes below it; everything else below
 * it was seen. The number of holes is bounded: where there are more, the oldest is forgotten (NT_STREAM_OVERFLOW), and
 * its bytes count as a retransmission if they come after all.
 *
 * The same packet may be seen on several interfaces, and leaving as well as coming in (lo): a side's packets count only
 * from the interface and the direction that its first was seen on. That one sees each before the others do. So what is
 * new on another has not passed there: the path has changed, and the side counts on the other from then on.
 *
 * struct nt_stream keeps a fixed number of holes. The functions above it work on struct nt_stream_core and on any array
 * of holes: a host whose memory can grow keeps the two elsewhere (src/replay/growing_stream.h).
 */
#ifndef NETRACKER_CORE_STREAM_H
#define NETRACKER_CORE_STREAM_H

#include "connection.h"

#define NT_STREAM_RANGES 4

/* What is farther ahead is behind. */
#define NT_MOST_AHEAD 0x80000000

enum nt_stream_flag {
	NT_STREAM_BEGUN = 1,       /* interface and direction are set */
	NT_STREAM_BASED = 2,       /* base and highest are set */
	NT_STREAM_SYN = 4,         /* a SYN was seen: base is where the payload begins */
	NT_STREAM_FIN = 8,
	NT_STREAM_OVERFLOW = 16,   /* more holes than are kept: bytes may be too few, retransmissions too many */
	NT_STREAM_INCOMPLETE = 32, /* a hole was given up, a fragment's length is not known, or the path has changed */
};

struct nt_range {
	__u32 start, end; /* [start, end); empty where equal */
};

struct nt_stream_core {
	__u64 packets;
	__u64 bytes;
	__u64 retransmits;
	__u32 base;    /* the lowest sequence number of the payload, while the holes can tell */
	__u32 highest; /* one beyond the highest seen */
	__u32 fin_sequence;
	__u32 interface;
	__u32 far_end; /* one beyond the last segment that was too far behind */
	__u8 direction;
	__u8 flags; /* enum nt_stream_flag */
	__u8 zero[2];
};

/* The holes of a stream, for as long as a function works on them. */
struct nt_holes {
	struct nt_range *hole;
	int room;                 /* of hole[] */
	int most;                 /* the room that hole[] may grow to */
	struct nt_range homeless; /* a hole that found no room while room < most; empty: none */
};

/* The packet holds what comes after all that was seen. */
NT_INLINE int nt_stream_is_ahead(const struct nt_stream_core *stream, const struct nt_packet *packet)
{
	int first_fin = (packet->flags & NT_FIN) && !(stream->flags & NT_STREAM_FIN);
	__u32 end = packet->sequence + !!(packet->flags & NT_SYN) + packet->payload_length + first_fin;

	return (stream->flags & NT_STREAM_BASED) && !(packet->flags & NT_RST) && nt_sequence_after(end, stream->highest);
}

/* The packet belongs to what is counted for this side. interface: any number that tells interfaces apart. */
NT_INLINE int nt_stream_counts(struct nt_stream_core *stream, const struct nt_packet *packet, __u32 interface,
			       __u8 direction)
{
	if ((stream->flags & NT_STREAM_BEGUN) && stream->interface == interface && stream->direction == direction)
		return 1;
	if (stream->flags & NT_STREAM_BEGUN) {
		if (!nt_stream_is_ahead(stream, packet))
			return 0;
		/* Who knows how many without payload passed here before. */
		stream->flags |= NT_STREAM_INCOMPLETE;
	}
	stream->interface = interface;
	stream->direction = direction;
	stream->flags |= NT_STREAM_BEGUN;
	return 1;
}

/* How far behind the hole begins that is furthest behind. */
NT_INLINE __u32 nt_stream_furthest_hole(const struct nt_stream_core *stream, const struct nt_holes *holes)
{
	__u32 furthest = 0;
	int i;

	for (i = 0; i < holes->room; i++)
		if (stream->highest - holes->hole[i].start > furthest)
			furthest = stream->highest - holes->hole[i].start;
	return furthest;
}

/* Where no room is left, the hole furthest behind is given up. */
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
		holes->homeless = added;
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

/* What lies too far behind can be no hole any more: sequence numbers would be ambiguous. */
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

/* Takes [start, end), which lies below the highest, out of one hole. Returns how many bytes of it were in the hole;
 * sets *rest where the hole was split in two.
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

/* New bytes in [start, end), which lies between base and highest. Here and below, *split is the hole that comes to be. */
NT_INLINE __u32 nt_stream_fill(struct nt_holes *holes, __u32 start, __u32 end, struct nt_range *split)
{
	__u32 bytes = 0;
	int i;

	for (i = 0; i < holes->room; i++)
		bytes += nt_stream_fill_hole(&holes->hole[i], start, end, split);
	return bytes;
}

/* New bytes in [start, end), which reaches beyond the highest. */
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

/* New bytes in [start, end), which begins below the lowest. */
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

/* New bytes in [start, end), which begins below the highest and does not reach beyond it. */
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

/* What was seen is [base, highest) from now on, without holes. */
NT_INLINE void nt_stream_begin_at(struct nt_stream_core *stream, struct nt_holes *holes, __u32 base, __u32 highest)
{
	int i;

	stream->base = base;
	stream->highest = highest;
	for (i = 0; i < holes->room; i++)
		holes->hole[i].end = holes->hole[i].start;
}

/* New bytes in [start, end), which is farther behind than any window: garbage, or what came before was, or the capture has
 * a gap of over 2 GiB. Where the next segment follows it, the stream goes on from there.
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

/* Adds a range to the union. Returns how many of its bytes are new. One hole at most comes to be. */
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

/* A SYN: 1 where it was sent before. A SYN-ACK is not counted then, as the kernel counts none for the socket that it
 * will become.
 */
NT_INLINE int nt_stream_syn(struct nt_stream_core *stream, struct nt_holes *holes, const struct nt_packet *packet)
{
	__u32 base = packet->sequence + 1;
	int same = (stream->flags & NT_STREAM_SYN) && stream->base == base;

	/* Another sequence number before any payload: a SYN cookie's changes with time. */
	if (!same && !stream->bytes)
		nt_stream_begin_at(stream, holes, base, base);
	stream->flags |= NT_STREAM_SYN | NT_STREAM_BASED;
	return same && !(packet->flags & NT_ACK);
}

/* A FIN: 1 where it was sent before. */
NT_INLINE int nt_stream_fin(struct nt_stream_core *stream, __u32 sequence)
{
	int again = (stream->flags & NT_STREAM_FIN) && stream->fin_sequence == sequence;

	stream->flags |= NT_STREAM_FIN;
	stream->fin_sequence = sequence;
	return again;
}

/* One byte or none, the one before the next: a probe whether the peer is there (RFC 1122 4.2.3.6). Its byte is no payload;
 * where nothing was sent yet it has the SYN's own number.
 */
NT_INLINE int nt_stream_is_keepalive(const struct nt_stream_core *stream, const struct nt_packet *packet)
{
	return (stream->flags & NT_STREAM_BASED) && !(packet->flags & (NT_SYN | NT_FIN)) &&
	       packet->payload_length <= 1 && packet->sequence + 1 == stream->highest;
}

NT_INLINE void nt_stream_payload(struct nt_stream_core *stream, struct nt_holes *holes, const struct nt_packet *packet)
{
	__u32 start = packet->sequence + !!(packet->flags & NT_SYN);
	__u32 bytes = 0, again = 0;
	int keepalive = nt_stream_is_keepalive(stream, packet);

	if (packet->flags & NT_SYN)
		again = nt_stream_syn(stream, holes, packet);
	if (keepalive && stream->base == stream->highest && (stream->flags & NT_STREAM_SYN))
		return;
	if (packet->payload_length || (packet->flags & NT_FIN)) {
		bytes = nt_stream_add(stream, holes, start, start + packet->payload_length);
		stream->bytes += bytes;
		again |= bytes < packet->payload_length && !keepalive;
	}
	if (packet->flags & NT_FIN)
		again |= nt_stream_fin(stream, start + packet->payload_length);
	/* Where some bytes are new, how many of the segments hold old ones cannot be told. */
	if (again)
		stream->retransmits += bytes ? 1 : packet->segments;
}

/* Takes one packet of this side. Where a hole is homeless after that, the host makes room and adds it by
 * nt_stream_add_homeless(), or gives it up by NT_STREAM_OVERFLOW.
 */
NT_INLINE void nt_stream_step_core(struct nt_stream_core *stream, struct nt_holes *holes,
				   const struct nt_packet *packet, __u32 interface, __u8 direction)
{
	if (!nt_stream_counts(stream, packet, interface, direction))
		return;
	stream->packets += packet->segments;
	if (packet->marks & NT_PACKET_FIRST_FRAGMENT)
		stream->flags |= NT_STREAM_INCOMPLETE;
	/* What a RST carries is no part of the stream (RFC 9293 3.5.3). */
	if (!(packet->flags & NT_RST))
		nt_stream_payload(stream, holes, packet);
}

/* holes: the same in the same order, then at least one empty range more. */
NT_INLINE void nt_stream_add_homeless(struct nt_stream_core *stream, struct nt_holes *holes, struct nt_range homeless)
{
	nt_stream_add_hole(stream, holes, homeless);
	nt_stream_drop_old(stream, holes);
}

/* Bytes that were sent were not seen, or are counted wrong. */
NT_INLINE int nt_stream_is_incomplete_core(const struct nt_stream_core *stream, const struct nt_holes *holes)
{
	int i;

	for (i = 0; i < holes->room; i++)
		if (holes->hole[i].start != holes->hole[i].end)
			return 1;
	return !!(stream->flags & (NT_STREAM_OVERFLOW | NT_STREAM_INCOMPLETE));
}

struct nt_stream {
	struct nt_stream_core core;
	struct nt_range hole[NT_STREAM_RANGES];
};
NT_STATIC_ASSERT(sizeof(struct nt_stream) == 48 + 8 * NT_STREAM_RANGES, "struct nt_stream has no hidden padding");

NT_INLINE void nt_stream_step(struct nt_stream *stream, const struct nt_packet *packet, __u32 interface,
			      __u8 direction)
{
	struct nt_holes holes = { .hole = stream->hole, .room = NT_STREAM_RANGES, .most = NT_STREAM_RANGES };

	nt_stream_step_core(&stream->core, &holes, packet, interface, direction);
}

NT_INLINE int nt_stream_is_incomplete(const struct nt_stream *stream)
{
	const struct nt_holes holes = { .hole = (struct nt_range *)stream->hole, .room = NT_STREAM_RANGES };

	return nt_stream_is_incomplete_core(&stream->core, &holes);
}

#endif
