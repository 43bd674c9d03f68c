/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The coverage of an answer: the time that was asked about, when nobody tracked in it, and what was lost. */
#ifndef NETRACKER_COVERAGE_H
#define NETRACKER_COVERAGE_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/history/history_reader.h"
#include "src/util/text_buffer.h"

#define COVERAGE_CAUSES 32
#define COVERAGE_CAUSE_SIZE 64

struct coverage_run {
	__u64 begin_ns, end_ns;
};

/* Set the times, the rest all zero. */
struct coverage {
	__u64 from_ns, to_ns; /* 0: since the first run */
	struct coverage_run *runs;
	unsigned int run_count, run_capacity;
	struct {
		char name[COVERAGE_CAUSE_SIZE];
		__u64 records;
	} causes[COVERAGE_CAUSES];
	unsigned int cause_count;
	unsigned int removed_files; /* by the retention, while the question was answered */
	bool failed;                /* no memory */
};

/* Adds the runs and the losses of a file. Returns 0, or -errno after reporting the error. */
int coverage_add_file(struct coverage *coverage, struct history_reader *reader);

/* The run that ended last goes on: it covers all up to this time. */
void coverage_extend(struct coverage *coverage, __u64 now_ns);

/* Appends "searched 2026-11-30 09:00:00 to 2026-11-30 10:00:00; not tracking ...; 31 records lost (...)". */
void coverage_append(struct coverage *coverage, struct text_buffer *text);

/* The same of a server, which knows the span alone. */
void coverage_append_of_server(const struct coverage *coverage, struct text_buffer *text);

void coverage_free(struct coverage *coverage);

#endif
