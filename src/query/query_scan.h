/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the records of a history that a question is about: of each id the newest one in the span of time, if the filter
 * accepts it.
 *
 * Two passes by several threads. The first finds the ids that may have several records, of which there are few. The second
 * visits the records of other ids, and notes the newest ones of those, which are visited at its end. So the records come
 * in no order, and what the visitors make of them must not depend on it.
 */
#ifndef NETRACKER_QUERY_SCAN_H
#define NETRACKER_QUERY_SCAN_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/filter/filter.h"
#include "src/query/id_filter.h"
#include "src/query/newest_records.h"
#include "src/query/query_files.h"
#include "src/query/query_pass.h"

/* Set the first members. */
struct query_scan {
	const struct filter *filter;
	struct history_selection selection; /* `wanted` has at least what the filter needs */
	unsigned int most_threads;          /* 0: one for each CPU */
	bool quiet;                         /* no progress on a terminal */

	struct query_files files;
	struct query_reader whole; /* for query_scan_find() */
	struct query_piece *pieces;
	unsigned int piece_count;
	unsigned int threads;
	struct id_filter ids;
	struct newest_records repeated; /* ids that may have several records */
	bool no_memory;
	struct progress progress;
	struct progress_view read; /* so far, of all passes over the files */
};

/* Lists the folder. Returns false after reporting the error. Call query_scan_close() either way. */
bool query_scan_open(struct query_scan *scan, const char *folder);
void query_scan_close(struct query_scan *scan);

/* Sets which parts of the files are read, and by how many threads: the visitors' states are as many. Returns false without
 * memory. */
bool query_scan_measure(struct query_scan *scan);

/* Calls `visit` for each record, until it returns false or a signal asks to stop. Each thread has one of `states`, which have
 * `size` bytes each. */
void query_scan_run(struct query_scan *scan, bool (*visit)(void *state, struct nt_record *record, __u64 position),
		    void *states, size_t size);

/* After query_scan_measure(): the same for each record before the span that the filter accepts, several of one id too. */
void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size);

/* Calls `visit` for each record, the newest first, by this thread alone, until it returns false or a signal asks to stop.
 * Without query_scan_measure(). */
void query_scan_run_back(struct query_scan *scan,
			 bool (*visit)(void *context, struct nt_record *record, __u64 position), void *context);

/* So many calls of query_scan_find() follow: for the progress. */
void query_scan_expect(struct query_scan *scan, __u64 records);

/* Fills the whole record at a position that was visited. Returns false if it cannot be read, which is reported. */
bool query_scan_find(struct query_scan *scan, __u64 position, struct nt_record *record);

#endif
