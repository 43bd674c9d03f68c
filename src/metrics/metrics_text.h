/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes metrics in Prometheus' text format, version 0.0.4. */
#ifndef NETRACKER_METRICS_TEXT_H
#define NETRACKER_METRICS_TEXT_H

#include "src/metrics/metrics.h"
#include "src/util/text_buffer.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* The tracker's own use of the machine. */
struct metrics_process {
	__u64 cpu_ns;
	__u64 resident_bytes; /* 0: unknown */
};

/* Appends all metrics. `text->failed` is set if memory is short. */
void metrics_text_append(struct text_buffer *text, const struct metrics_snapshot *snapshot,
			 const struct metrics_process *process);

#endif
