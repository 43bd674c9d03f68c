/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes metrics in Prometheus' text format, version 0.0.4, or as OpenMetrics 1.0. */
#ifndef NETRACKER_METRICS_TEXT_H
#define NETRACKER_METRICS_TEXT_H

#include "src/metrics/metrics.h"
#include "src/util/text_buffer.h"

#define METRICS_TEXT_TYPE "text/plain"
#define METRICS_TEXT_VERSION "0.0.4"
#define METRICS_OPENMETRICS_TYPE "application/openmetrics-text"
#define METRICS_OPENMETRICS_VERSION "1.0.0"

enum metrics_format { METRICS_TEXT, METRICS_OPENMETRICS };

/* The tracker's own use of the machine. */
struct metrics_process {
	__u64 cpu_ns;
	__u64 resident_bytes; /* 0: unknown */
};

/* The value of the header Content-Type. */
const char *metrics_content_type(enum metrics_format format);

/* Appends all metrics. `text->failed` is set if memory is short. */
void metrics_text_append(struct text_buffer *text, enum metrics_format format, const struct metrics_snapshot *snapshot,
			 const struct metrics_process *process);

#endif
