// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
#define FIRST_AFTER_NS NS_PER_SECOND
#define EVERY_NS (NS_PER_SECOND / 4)

static __u64 now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (__u64)time.tv_sec * NS_PER_SECOND + (__u64)time.tv_nsec;
}

static double read_fraction(const struct progress_view *view)
{
	double part = (double)view->position / (double)view->size;

	return part < 1 ? part : 1; /* the file may have grown */
}

void progress_text(char text[PROGRESS_TEXT_SIZE], const struct progress_view *view)
{
	double millions = (double)view->count / 1e6, seconds = (double)view->elapsed_ns / (double)NS_PER_SECOND, part;

	if (!view->size || !view->position) {
		snprintf(text, PROGRESS_TEXT_SIZE, "%.1f million %s", millions, view->unit);
		return;
	}
	part = read_fraction(view);
	snprintf(text, PROGRESS_TEXT_SIZE, "%.0f %%, %.1f million %s, %.0f s left", part * 100, millions, view->unit,
		 seconds / part - seconds);
}

void progress_begin(struct progress *progress, bool quiet)
{
	progress->wanted = !quiet && isatty(STDERR_FILENO);
	if (!progress->wanted)
		return;
	progress->start_ns = now_ns();
	progress->next_ns = progress->start_ns + FIRST_AFTER_NS;
}

bool progress_is_due(struct progress *progress)
{
	__u64 now;

	if (!progress->wanted)
		return false;
	now = now_ns();
	if (now < progress->next_ns)
		return false;
	progress->next_ns = now + EVERY_NS;
	return true;
}

void progress_show(const struct progress *progress, struct progress_view *view)
{
	char text[PROGRESS_TEXT_SIZE];

	view->elapsed_ns = now_ns() - progress->start_ns;
	progress_text(text, view);
	message_transient("%s", text);
}
