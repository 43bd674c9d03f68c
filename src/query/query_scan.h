/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the records of a history that a question is about: of each id the newest one in the span of time, if the filter
 * accepts it.
 *
 * The scan has two readers: one reads the few columns that decide, the other whole records one by one. Each has one file
 * open at a time, so that a history of many files needs no more memory and descriptors than one of a single file.
 */
#ifndef NETRACKER_QUERY_SCAN_H
#define NETRACKER_QUERY_SCAN_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/filter/filter.h"
#include "src/history/history_reader.h"
#include "src/query/newest_records.h"
#include "src/util/progress.h"

struct query_file {
	bool is_unreadable; /* reported; it is passed over */
	bool is_damaged;    /* reported; what was read before is an answer */
	__u64 last_seq;     /* of the records that query_scan_find_newest() saw */
};

struct query_reader {
	struct history_reader *open; /* NULL: no file is open */
	unsigned int file;           /* the one that is open */
};

/* Set the first members. */
struct query_scan {
	const char *folder;
	const struct filter *filter;
	struct history_selection selection; /* `wanted` has at least what the filter needs */
	bool newest_first;
	bool quiet; /* no progress on a terminal */

	struct history_files names;
	struct query_file *files;
	struct query_reader deciding, whole; /* `whole` is for query_scan_find() */
	struct newest_records newest;
	bool knows_newest;  /* query_scan_find_newest() was called */
	bool is_incomplete; /* a file could not be read, or not to its end */
	bool no_memory;
	struct progress progress;
	struct progress_view read; /* so far, of all passes over the files */
};

/* A place of a record in the history: later ones are greater. */
static inline __u64 query_position(unsigned int file, __u64 seq)
{
	return (__u64)file << 40 | seq;
}

/* Lists the folder. Returns false after reporting the error. Call query_scan_close() either way. */
bool query_scan_open(struct query_scan *scan);
void query_scan_close(struct query_scan *scan);

/* Closes the files, so that their writer need not wait. They are opened again when they are needed. */
void query_scan_close_files(struct query_scan *scan);

/* Returns a file's reader, valid until that of another file is asked for. NULL if it cannot be read, which is reported
 * once. */
struct history_reader *query_scan_reader(struct query_scan *scan, unsigned int file);

/* Reads which record of each id is the newest one. Only a scan with `newest_first` knows that without it. */
void query_scan_find_newest(struct query_scan *scan);

/* Calls `visit` for each record, in the scan's order, until it returns false or a signal asks to stop. */
void query_scan_run(struct query_scan *scan, bool (*visit)(void *context, struct nt_record *record, __u64 position),
		    void *context);

/* After query_scan_run(): calls `visit` for each record before the span that the filter accepts, several of one id too. */
void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *context, struct nt_record *record, __u64 position), void *context);

/* Fills the whole record at a position that the scan visited. Returns false if it cannot be read, which is reported. */
bool query_scan_find(struct query_scan *scan, __u64 position, struct nt_record *record);

#endif
