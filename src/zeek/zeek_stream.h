/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One endpoint's payload by Zeek's rules. A missing range becomes a gap once the peer acknowledges beyond it. An
 * endpoint closes only when everything before its FIN or RST was delivered or counted as a gap (TCP_Reassembler,
 * Reassembler).
 *
 * Blocks are bounded: beyond the limits, or without memory, the stream is skipped. Zeek does so beyond its limit of
 * bytes.
 */
#ifndef NETRACKER_ZEEK_STREAM_H
#define NETRACKER_ZEEK_STREAM_H

#include <stdlib.h>

#include "zeek_endpoint.h"

#define NT_ZEEK_MOST_UNACKNOWLEDGED 16384    /* tcp_max_initial_window, tcp_max_above_hole_without_any_acks */
#define NT_ZEEK_MOST_HELD (10 * 1024 * 1024) /* tcp_excessive_data_without_further_acks */
#define NT_ZEEK_MOST_BLOCKS 16384

/* Called for each gap of `length` bytes. */
typedef void (*nt_zeek_gap)(void *context, __u64 length);

static inline void nt_zeek_clear_blocks(struct nt_zeek_stream *stream)
{
	stream->first = stream->end = 0;
	stream->held = 0;
}

static inline void nt_zeek_skip_stream(struct nt_zeek_stream *stream)
{
	nt_zeek_clear_blocks(stream);
	stream->skipped = 1;
}

/* Returns the index of the oldest block that ends after `sequence`, or stream->end. */
static inline __u32 nt_zeek_find_block(const struct nt_zeek_stream *stream, __u64 sequence)
{
	__u32 low = stream->first, high = stream->end;

	if (low < high && stream->blocks[high - 1].end <= sequence)
		return high;
	while (low < high) {
		__u32 middle = low + (high - low) / 2;

		if (stream->blocks[middle].end > sequence)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/* Makes room for one more block after the last. Returns 1, or 0 beyond the limit or without memory. */
static inline int nt_zeek_make_room(struct nt_zeek_stream *stream)
{
	__u32 room = stream->room ? stream->room * 2 : 4;
	struct nt_zeek_block *blocks;

	if (stream->end < stream->room)
		return 1;
	if (stream->first > stream->room / 2) {
		stream->end -= stream->first;
		__builtin_memmove(stream->blocks, stream->blocks + stream->first, stream->end * sizeof(*blocks));
		stream->first = 0;
		return 1;
	}
	if (room > NT_ZEEK_MOST_BLOCKS)
		return 0;
	blocks = realloc(stream->blocks, room * sizeof(*blocks));
	if (!blocks)
		return 0;
	stream->blocks = blocks;
	stream->room = room;
	return 1;
}

/* Inserts a block `at` places after the oldest. Returns 1; 0 without room, after skipping the stream. */
static inline int nt_zeek_add_block(struct nt_zeek_stream *stream, __u32 at, __u64 begin, __u64 end)
{
	struct nt_zeek_block *block;

	if (!nt_zeek_make_room(stream)) {
		nt_zeek_skip_stream(stream);
		return 0;
	}
	block = stream->blocks + stream->first + at;
	__builtin_memmove(block + 1, block, (stream->end - stream->first - at) * sizeof(*block));
	*block = (struct nt_zeek_block){ begin, end };
	stream->end++;
	stream->held += end - begin;
	return 1;
}

/* Inserts the parts of [begin, end) that no block covers. */
static inline void nt_zeek_insert(struct nt_zeek_stream *stream, __u64 begin, __u64 end)
{
	__u32 at = nt_zeek_find_block(stream, begin) - stream->first;
	__u64 next;

	while (begin < end && stream->first + at < stream->end) {
		next = stream->blocks[stream->first + at].begin;
		if (end <= next)
			break;
		if (begin < next && !nt_zeek_add_block(stream, at++, begin, next))
			return;
		begin = stream->blocks[stream->first + at++].end;
	}
	if (begin < end)
		nt_zeek_add_block(stream, at, begin, end);
}

static inline void nt_zeek_drop_blocks(struct nt_zeek_stream *stream, __u64 up_to)
{
	while (stream->first < stream->end && stream->blocks[stream->first].end <= up_to) {
		stream->held -= stream->blocks[stream->first].end - stream->blocks[stream->first].begin;
		stream->first++;
	}
	if (up_to > stream->trimmed)
		stream->trimmed = up_to;
}

/* Delivers the blocks that are in order (BlockInserted). */
static inline void nt_zeek_deliver(struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer)
{
	struct nt_zeek_stream *stream = &endpoint->stream;
	__u32 i = nt_zeek_find_block(stream, stream->delivered);

	if (i == stream->end || stream->blocks[i].begin != stream->delivered)
		return;
	for (; i < stream->end && stream->blocks[i].begin == stream->delivered; i++)
		stream->delivered = stream->blocks[i].end;
	/* The peer's acknowledgements seem to take another path: do not keep blocks for them. */
	if (nt_zeek_is_unacknowledged(endpoint) && nt_zeek_size(endpoint, peer) > NT_ZEEK_MOST_UNACKNOWLEDGED)
		nt_zeek_drop_blocks(stream, stream->delivered);
}

/* Counts everything that is missing before `up_to` as gaps (Undelivered). */
static inline void nt_zeek_give_up(struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer, __u64 up_to,
				   nt_zeek_gap gap, void *context)
{
	struct nt_zeek_stream *stream = &endpoint->stream;
	__u64 next;
	__u32 i;

	while (!stream->skipped && stream->delivered < up_to) {
		for (i = nt_zeek_find_block(stream, stream->delivered); i < stream->end; i++)
			if (stream->blocks[i].begin >= stream->delivered)
				break;
		next = i == stream->end || stream->blocks[i].begin > up_to ? up_to : stream->blocks[i].begin;
		gap(context, next - stream->delivered);
		stream->delivered = next;
		nt_zeek_deliver(endpoint, peer);
	}
	if (stream->delivered < up_to)
		stream->delivered = up_to;
}

static inline void nt_zeek_trim(struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer, __u64 up_to,
				int partial, nt_zeek_gap gap, void *context)
{
	/* In a partial connection the first byte, or that of a keep-alive before it, is no gap. */
	if (up_to > endpoint->stream.delivered && !(partial && up_to <= 2))
		nt_zeek_give_up(endpoint, peer, up_to, gap, context);
	nt_zeek_drop_blocks(&endpoint->stream, up_to);
	nt_zeek_deliver(endpoint, peer);
}

/* The peer acknowledged everything before `up_to` (AckReceived). partial: the connection is partial (IsPartial).
 * Returns 1 if the acknowledgement is new.
 */
static inline int nt_zeek_acknowledge(struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer,
				      __u64 up_to, int partial, nt_zeek_gap gap, void *context)
{
	if (endpoint->sent_fin && up_to >= endpoint->fin)
		up_to = endpoint->fin - 1;
	if (up_to <= endpoint->stream.trimmed)
		return 0;
	nt_zeek_trim(endpoint, peer, up_to, partial, gap, context);
	return 1;
}

/* Adds payload that was captured whole (DataSent). */
static inline void nt_zeek_send(struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer, __u64 begin,
				__u32 length)
{
	struct nt_zeek_stream *stream = &endpoint->stream;
	__u64 acknowledged = nt_zeek_unwrapped(endpoint->acknowledged, endpoint->acknowledged_wraps) - endpoint->start;
	__u64 end = begin + length;

	if (stream->skipped)
		return;
	if (begin < acknowledged)
		begin = acknowledged;
	if (begin < stream->trimmed)
		begin = stream->trimmed;
	if (end < length || begin >= end)
		return;
	nt_zeek_insert(stream, begin, end);
	nt_zeek_deliver(endpoint, peer);
	if (nt_zeek_is_unacknowledged(endpoint) && stream->first < stream->end &&
	    stream->blocks[stream->end - 1].end - stream->delivered > NT_ZEEK_MOST_UNACKNOWLEDGED)
		nt_zeek_skip_stream(stream);
	if (stream->held > NT_ZEEK_MOST_HELD)
		nt_zeek_skip_stream(stream);
}

/* True if payload before the endpoint's FIN or RST is still missing (DataPending). */
static inline int nt_zeek_is_pending(const struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer)
{
	__u64 delivered = endpoint->start + endpoint->stream.delivered;
	__u64 last = nt_zeek_unwrapped(endpoint->last, endpoint->last_wraps);

	if (endpoint->stream.skipped || last < delivered)
		return 0;
	/* A FIN takes a sequence number, a RST does not. */
	if (delivered != last - 1 && delivered != last)
		return 1;
	/* An endpoint that sent a RST acknowledges nothing any more. */
	return endpoint->state != NT_ENDPOINT_RESET && peer->stream.first < peer->stream.end;
}

#endif
