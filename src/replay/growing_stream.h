/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one side sent, as struct nt_stream has it, with holes in memory that grows: most streams never have one, and those
 * that have many are kept exact.
 */
#ifndef NETRACKER_GROWING_STREAM_H
#define NETRACKER_GROWING_STREAM_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/stream.h"

/* Memory is cheaper here than in the kernel: room for heavy reordering. */
#define GROWING_STREAM_MOST_HOLES 32

/* All zero: an empty stream. The owner frees hole. One cache line long. */
struct growing_stream {
	struct nt_stream_core core;
	__u32 room; /* of hole[] */
	struct nt_range *hole;
};

static inline struct nt_holes growing_stream_holes(const struct growing_stream *stream)
{
	return (struct nt_holes){
		.hole = stream->hole,
		.room = (int)stream->room,
		.most = GROWING_STREAM_MOST_HOLES,
	};
}

/* Adds a hole for which there is no room yet. Without memory the hole is given up: NT_STREAM_OVERFLOW. */
void growing_stream_add_hole(struct growing_stream *stream, struct nt_range hole);

/* Takes one packet of this side, as nt_stream_step() does. */
static inline void growing_stream_step(struct growing_stream *stream, const struct nt_packet *packet, __u32 interface,
				       __u8 direction)
{
	struct nt_holes holes = growing_stream_holes(stream);

	nt_stream_step_core(&stream->core, &holes, packet, interface, direction);
	if (holes.pending.start != holes.pending.end)
		growing_stream_add_hole(stream, holes.pending);
}

/* Bytes that were sent were not seen, or are counted wrong. */
static inline bool growing_stream_is_incomplete(const struct growing_stream *stream)
{
	struct nt_holes holes = growing_stream_holes(stream);

	return nt_stream_is_incomplete_core(&stream->core, &holes);
}

#endif
