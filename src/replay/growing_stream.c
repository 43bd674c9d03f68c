// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/growing_stream.h"

#include <string.h>

#define FEWEST_HOLES 4

void growing_stream_add_hole(struct growing_stream *stream, struct nt_range hole)
{
	__u32 room = stream->core.room ? stream->core.room * 2 : FEWEST_HOLES;
	struct nt_holes holes;

	if (!stream->hole) {
		stream->core.flags |= NT_STREAM_OVERFLOW;
		return;
	}
	/* Each packet searches all of the room, so it grows no faster than needed. */
	memset(stream->hole + stream->core.room, 0, (room - stream->core.room) * sizeof(*stream->hole));
	stream->core.room = (__u8)room;
	holes = growing_stream_holes(stream);
	nt_stream_add_pending(&stream->core, &holes, hole);
}

/* whole: all of the range is in one hole; else a part of it is in any. */
static bool is_in_hole(const struct growing_stream *stream, __u32 start, __u32 end, bool whole)
{
	const struct nt_range *hole;
	__u32 i;

	for (i = 0; i < stream->core.room; i++) {
		hole = &stream->hole[i];
		if (hole->start == hole->end)
			continue;
		if (whole ? !nt_sequence_after(hole->start, start) && !nt_sequence_after(end, hole->end) :
			    nt_sequence_after(end, hole->start) && nt_sequence_after(hole->end, start))
			return true;
	}
	return false;
}

bool growing_stream_has_seen(const struct growing_stream *stream, __u32 start, __u32 end)
{
	return (stream->core.flags & NT_STREAM_BASED) && !nt_sequence_after(end, nt_stream_next(&stream->core)) &&
	       !is_in_hole(stream, start, end, false);
}

bool growing_stream_has_missed(const struct growing_stream *stream, __u32 start, __u32 end)
{
	return !(stream->core.flags & NT_STREAM_BASED) || !nt_sequence_after(nt_stream_next(&stream->core), start) ||
	       is_in_hole(stream, start, end, true);
}
