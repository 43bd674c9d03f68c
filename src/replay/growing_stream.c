// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/growing_stream.h"

#include <string.h>

#define FEWEST_HOLES 4

void growing_stream_add_hole(struct growing_stream *stream, struct nt_range hole)
{
	__u32 room = stream->room ? stream->room * 2 : FEWEST_HOLES;
	struct nt_holes holes;

	if (!stream->hole) {
		stream->core.flags |= NT_STREAM_OVERFLOW;
		return;
	}
	/* Each packet searches all of the room, so it grows no faster than needed. */
	memset(stream->hole + stream->room, 0, (room - stream->room) * sizeof(*stream->hole));
	stream->room = room;
	holes = growing_stream_holes(stream);
	nt_stream_add_pending(&stream->core, &holes, hole);
}
