/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shows the progress of reading files: one line on the terminal, which is overwritten, and removed at the end. */
#ifndef NETRACKER_PROGRESS_H
#define NETRACKER_PROGRESS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct progress {
	bool wanted;
	__u64 start_ns, next_ns; /* CLOCK_MONOTONIC */
};

struct progress_view {
	__u64 count;
	__u64 position, size; /* bytes; size 0: unknown */
	__u64 elapsed_ns;
	const char *unit; /* of `count`: packets */
};

#define PROGRESS_TEXT_SIZE 96

/* Formats the line: with percentage and time left if size and position are known. */
void progress_text(char text[PROGRESS_TEXT_SIZE], const struct progress_view *view);

/* With quiet, or if stderr is no terminal, progress_is_due() will never be true. */
void progress_begin(struct progress *progress, bool quiet);

/* True if progress_show() should be called: after the first second, four times a second. */
bool progress_is_due(struct progress *progress);

/* Sets view->elapsed_ns itself. */
void progress_show(const struct progress *progress, struct progress_view *view);

#endif
