/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where records go: to the sink, or with --summary into tables on standard output; with -o FILE into both. */
#ifndef NETRACKER_OUTPUT_H
#define NETRACKER_OUTPUT_H

#include <linux/types.h>

#include "src/output/sink.h"
#include "src/summary/summary.h"

struct output_options {
	struct sink_options sink;
	bool summary;      /* tables on standard output; records only where the sink has a path */
	__u64 interval_ns; /* between tables; 0: at the end alone */
};

struct output {
	struct sink *records; /* NULL: only tables are wanted */
	struct sink *tables;  /* NULL: only records are wanted */
	struct summary *summary;  /* of this interval */
	__u64 interval_ns;    /* 0: tables at the end alone */
	__u64 from_ns;        /* where this interval began */
	__u64 next_ns;        /* where it ends, or soon after; 0: not known before the first tick */
	bool told;            /* tables were written before */
	bool looks;           /* between output_begin_scan() and output_end_scan() */
	__u64 waiting;        /* close records in tables that have not got out */
	bool no_memory;       /* for the last tables */
};

/* 0, or -errno after having said why. output_close() either way. */
int output_open(struct output *output, const struct output_options *options);
void output_close(struct output *output);

/* As the sink's functions of these names. */
int output_write(struct output *output, const struct nt_record *record);
int output_flush(struct output *output);
__u64 output_lost(const struct output *output, enum nt_event_kind event);
__u64 output_lost_for_memory(const struct output *output, enum nt_event_kind event);
bool output_lost_any(const struct output *output);

/* With --summary. Open connections: update records where an interval is over, between output_begin_scan() and
 * output_end_scan(), exit records before the last; and those that were there before tracking, before the first. None
 * of these is written.
 */
void output_summarise(struct output *output, const struct nt_record *record);
void output_set_baseline(struct output *output, const struct nt_record *record);

/* A close record that is not written. */
void output_drop(struct output *output, const struct nt_record *record);

static inline bool output_has_tables(const struct output *output)
{
	return output->summary;
}

static inline bool output_interval_is_over(const struct output *output, __u64 now_ns)
{
	return output->interval_ns && now_ns >= output->next_ns;
}

/* Live: a look at what is open takes time. What ends meanwhile belongs to the next interval, as it was open when this
 * one ended. The tables are written at the look's end; `began_ns` is when it began. However late that was, it is where
 * the interval ends, and the next begins.
 */
void output_begin_scan(struct output *output);
void output_end_scan(struct output *output, __u64 began_ns, __s64 to_utc_ns);

/* The time, nanoseconds of a clock that never goes back, and what makes it the time since the Unix epoch. Where an
 * interval is over, its tables are written.
 */
void output_write_interval(struct output *output, __u64 now_ns, __s64 to_utc_ns);

static inline void output_tick(struct output *output, __u64 now_ns, __s64 to_utc_ns)
{
	if (output_interval_is_over(output, now_ns))
		output_write_interval(output, now_ns, to_utc_ns);
}

/* Writes the last tables, then what waits, as sink_finish(). */
int output_finish(struct output *output, __u64 now_ns, __s64 to_utc_ns);

#endif
