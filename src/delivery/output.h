/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Directs records to the sink, or with --summary to tables on standard output; with --summary and -o FILE to both. */
#ifndef NETRACKER_OUTPUT_H
#define NETRACKER_OUTPUT_H

#include <linux/types.h>

#include "src/output/sink.h"
#include "src/record/accounting.h"
#include "src/summary/summary.h"

/* Without a path of the sink its format is that of the summary: text, json, csv or tsv. */
struct output_options {
	struct sink_options sink;
	bool summary;      /* tables on standard output; records only if the sink has a path */
	__u64 interval_ns; /* between tables; 0: only at the end */
	__u32 top;         /* rows of each table; 0: the default */
	struct summary_origin origin;
	bool resolves; /* text: names of addresses */
	bool nowhere;  /* neither records nor tables: a history takes the records */
};

struct output {
	struct sink *records;                /* NULL: only tables, or nothing */
	struct sink *tables;                 /* NULL: no tables */
	struct summary *summary;             /* of this interval */
	struct resolver *names;              /* of addresses; NULL: none */
	bool waits_for_names;                /* before tables: not while live tracking has to go on */
	const struct accounting *accounting; /* its losses go into the tables; NULL: none are known */
	const struct format *table_format;
	const char *host;  /* of the tables in JSON, CSV and TSV; NULL: none */
	__u64 interval_ns; /* 0: tables only at the end */
	__u64 from_ns;     /* begin of this interval */
	__u64 next_ns;     /* end of this interval; 0 before the first tick */
	bool has_written_tables;
	bool is_scanning; /* between output_begin_scan() and output_end_scan() */
	__u64 waiting;    /* close records in tables that are not written yet */
	bool no_memory;   /* the last tables could not be formatted */
	bool gone;        /* the reader of the tables has closed the pipe */
};

/* Returns 0, or -errno after reporting the error. Call output_close() either way. */
int output_open(struct output *output, const struct output_options *options);
void output_close(struct output *output);

/* As the functions of the same names in src/output/sink.h; without a records' sink, for the records in the tables. */
int output_write(struct output *output, const struct nt_record *record);
int output_flush(struct output *output);
__u64 output_lost(const struct output *output, enum nt_event_kind event);
__u64 output_lost_for_memory(const struct output *output, enum nt_event_kind event);
__u64 output_unwanted(const struct output *output, enum nt_event_kind event);
__u64 output_waiting(const struct output *output, enum nt_event_kind event);
bool output_lost_any(const struct output *output);
bool output_has_failed(const struct output *output);

/* Only with --summary: adds an open connection to the tables without writing its record. Pass an update record at an
 * interval's end, between output_begin_scan() and output_end_scan(), and an exit record before output_finish().
 */
void output_summarise(struct output *output, const struct nt_record *record);

/* Only with --summary: sets what a pre-existing connection had moved before tracking. Call it before the first
 * interval.
 */
void output_set_baseline(struct output *output, const struct nt_record *record);

/* Live tracking: it begins at this time. */
void output_set_begin(struct output *output, __u64 epoch_ns);

/* Only with --summary: sets what the kernel counts for a network namespace, as summary_namespaces_set(). Call it when
 * tracking begins, and before the tables of each interval are written.
 */
void output_set_namespace(struct output *output, const struct namespace_counts *counts, bool begins);

/* Asks for the names of a record's addresses, if there are names, so that its record need not wait for them. */
void output_ask_names(struct output *output, const struct nt_record *record);

/* Removes the byte baseline of a connection whose close record is filtered. */
void output_remove_baseline(struct output *output, const struct nt_record *record);

static inline bool output_has_tables(const struct output *output)
{
	return output->summary;
}

static inline bool output_interval_is_over(const struct output *output, __u64 now_ns)
{
	return output->interval_ns && now_ns >= output->next_ns;
}

/* Live tracking: a scan of the open connections takes time. A connection that ends during the scan belongs to the next
 * interval, as it was open at the end of this one. The tables are written after the scan; the interval ends, and the
 * next begins, at `began_ns`, when the scan began, however late that was.
 */
void output_begin_scan(struct output *output);
void output_end_scan(struct output *output, __u64 began_ns, __s64 to_utc_ns);

/* Writes the tables of an interval that is over. `now_ns` is of a monotonic clock; adding `to_utc_ns` makes it the time
 * since the Unix epoch.
 */
void output_write_interval(struct output *output, __u64 now_ns, __s64 to_utc_ns);

static inline void output_tick(struct output *output, __u64 now_ns, __s64 to_utc_ns)
{
	if (output_interval_is_over(output, now_ns))
		output_write_interval(output, now_ns, to_utc_ns);
}

/* Writes the last tables, then all that waits. Returns as sink_finish(). */
int output_finish(struct output *output, __u64 now_ns, __s64 to_utc_ns);

#endif
