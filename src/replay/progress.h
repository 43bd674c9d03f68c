/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far the reading of a capture has come: one line on the terminal that is replaced, and gone at the end. */
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
	__u64 packets;
	__u64 position, size; /* bytes; size 0: not known */
	__u64 elapsed_ns;
};

#define PROGRESS_TEXT_SIZE 96

void progress_text(char text[PROGRESS_TEXT_SIZE], const struct progress_view *view);

/* Nothing is ever shown where stderr is no terminal, or with quiet. */
void progress_begin(struct progress *progress, bool quiet);

/* True from the first second on, a few times a second: progress_show() is due. */
bool progress_is_due(struct progress *progress);

/* Sets view->elapsed_ns itself. */
void progress_show(const struct progress *progress, struct progress_view *view);

#endif
