/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the records of a history that a question is about: of each id the newest one in the span of time, if the filter
 * accepts it.
 *
 * Passes by several threads. The first finds the ids that may have several records, of which there are few, in several
 * rounds if the history is large. The second visits the records of other ids, and notes the newest ones of those, which are
 * visited at its end. So the records come in no order, and what the visitors make of them must not depend on it.
 *
 * Memory is bounded: query_scan_report() says if the bound left anything out. src/query/query_list.h and query_newest.h read
 * records in order.
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

struct query_server;

/* Set the first members. */
struct query_scan {
	const struct filter *filter;
	struct history_selection selection; /* `wanted` has at least what the filter needs */
	unsigned int most_threads;          /* 0: one for each CPU */
	bool quiet;                         /* no progress on a terminal */
	size_t most_ids;                    /* that have several records; 0: NEWEST_RECORDS_MOST */
	__u64 most_of_round;                /* records of which one round finds the ids; 0: as id_filter.h has it */

	struct query_server *server; /* NULL: the records of files */
	struct query_files files;    /* of a server none; what is incomplete is noted here */
	struct query_reader whole;   /* for query_scan_find() */
	struct query_piece *pieces;
	unsigned int piece_count;
	unsigned int threads;
	struct id_filter ids;
	struct newest_records repeated; /* ids that may have several records */
	pthread_mutex_t lock;           /* of `repeated`, while ids are added */
	bool no_memory, too_many_ids;
	struct progress progress;
	struct progress_view read; /* so far, of all passes over the files */
};

/* Lists the folder. Returns false after reporting the error. Call query_scan_close() either way. */
bool query_scan_open(struct query_scan *scan, const char *folder);
void query_scan_close(struct query_scan *scan);

/* Says on stderr why records are left out, if any are. Returns whether none are. */
bool query_scan_report(const struct query_scan *scan);

/* The records come from a server that was opened; of the functions below, query_scan_before() and query_scan_measure() are for
 * it too. */
void query_scan_open_server(struct query_scan *scan, struct query_server *server);

/* Returns the selection of the records before the span. */
struct history_selection query_scan_before(const struct query_scan *scan);

/* Sets which parts of the files are read, and by how many threads: the visitors' states are as many. Returns false without
 * memory. */
bool query_scan_measure(struct query_scan *scan);

/* The same for the records before the span. */
bool query_scan_measure_before(struct query_scan *scan);

/* Sets the parts of the files from a position on. Their extents are measured already. */
bool query_scan_measure_from(struct query_scan *scan, __u64 position);

/* Calls `visit` for each record, until it returns false or a signal asks to stop. Each thread has one of `states`, which have
 * `size` bytes each. */
void query_scan_run(struct query_scan *scan, bool (*visit)(void *state, struct nt_record *record, __u64 position),
		    void *states, size_t size);

/* After query_scan_measure_before(): the same for each record that the filter accepts, several of one id too. */
void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size);

/* Finds the newest records of the ids that have several, so that parts of the history can be visited one after another.
 * Returns false without memory, or if there are too many. */
bool query_scan_find_newest(struct query_scan *scan);

/* After query_scan_find_newest(): as query_scan_run(), for `count` of the scan's pieces from `first` on. */
void query_scan_run_pieces(struct query_scan *scan, unsigned int first, unsigned int count,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size);

/* Raises the position of each id to that of its newest record in the scan's pieces. */
void query_scan_raise(struct query_scan *scan, struct newest_records *newest);

/* A pass over `count` of the scan's pieces from `first` on. */
struct query_pass query_scan_pass(struct query_scan *scan, const struct history_selection *selection,
				  unsigned int first, unsigned int count);

/* So many calls of query_scan_find() follow: for the progress. */
void query_scan_expect(struct query_scan *scan, __u64 records);

/* Fills the whole record at a position that was visited. Returns false if it cannot be read, which is reported. */
bool query_scan_find(struct query_scan *scan, __u64 position, struct nt_record *record);

#endif
