/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads lines of text of bounded length. */
#ifndef NETRACKER_LINE_READER_H
#define NETRACKER_LINE_READER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

#include "src/util/text_buffer.h"

/* More than ten times the longest line that NeTracker writes: a path and a cgroup of 4096 bytes each, escaped to six
 * characters a byte.
 */
#define LINE_READER_MOST (1024 * 1024)

/* Set `input`; all else zero at first. */
struct line_reader {
	FILE *input;
	struct text_buffer line; /* without its newline; at most LINE_READER_MOST bytes */
	bool is_too_long;        /* the rest of the line was discarded */
	__u64 number;            /* of the line; the first is 1 */
};

/* Returns false at the end of the input, after an error (ferror()), and without memory (line.failed). */
bool line_reader_next(struct line_reader *reader);

/* Returns whether the line has only spaces, tabs and carriage returns. */
bool line_reader_is_blank(const struct line_reader *reader);

#endif
