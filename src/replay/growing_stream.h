/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The stream of one side, like struct nt_stream, but with memory for holes only on demand: most streams never have a
 * hole, and streams with many holes stay exact.
 */
#ifndef NETRACKER_GROWING_STREAM_H
#define NETRACKER_GROWING_STREAM_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/stream.h"

/* More than NT_STREAM_RANGES, since memory is cheaper here than in the kernel: enough for heavy reordering. */
#define GROWING_STREAM_MOST_HOLES 32

/* An empty stream is all zero. The size is one cache line. */
struct growing_stream {
	struct nt_stream_core core;
	/* The owner's memory for GROWING_STREAM_MOST_HOLES, of which core.room were used; NULL: none yet. */
	struct nt_range *hole;
};

static inline struct nt_holes growing_stream_holes(const struct growing_stream *stream)
{
	return (struct nt_holes){
		.hole = stream->hole,
		.room = (int)stream->core.room,
		.most = GROWING_STREAM_MOST_HOLES,
	};
}

/* Adds a hole for which there was no room. If the owner has set no memory, drops it and sets NT_STREAM_OVERFLOW. */
void growing_stream_add_hole(struct growing_stream *stream, struct nt_range hole);

/* Applies one packet of this side, as nt_stream_step() does. Returns a hole that needs growing_stream_add_hole(); empty:
 * none.
 */
static inline struct nt_range growing_stream_step(struct growing_stream *stream, const struct growing_stream *peer,
						  const struct nt_packet *packet, const struct nt_place *place)
{
	struct nt_holes holes = growing_stream_holes(stream);

	nt_stream_step_core(&stream->core, &peer->core, &holes, packet, place);
	return holes.pending;
}

/* Returns whether all of [start, end) was seen. A FIN takes one number, as a byte does. */
bool growing_stream_has_seen(const struct growing_stream *stream, __u32 start, __u32 end);

/* Returns whether nothing of [start, end) was seen. */
bool growing_stream_has_missed(const struct growing_stream *stream, __u32 start, __u32 end);

/* True if sent bytes were not seen, or the counts may be wrong. */
static inline bool growing_stream_is_incomplete(const struct growing_stream *stream)
{
	struct nt_holes holes = growing_stream_holes(stream);

	return nt_stream_is_incomplete_core(&stream->core, &holes);
}

#endif
