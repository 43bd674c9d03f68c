/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the records of a history: a folder of SQLite files (docs/history.md). May run while another process writes it,
 * needs no more than permission to read, and changes nothing; a file that a crash left is the exception: if its folder
 * may be written, SQLite finishes it.
 *
 *	if (history_folder_list(&files, folder))
 *		return ...;
 *	for (i = files.count; i > 0; i--) {                    // the newest file first
 *		if (history_reader_open(&reader, folder, files.entries[i - 1].name))
 *			continue;                              // reported; the others are read
 *		if (!history_reader_select(reader, &selection))
 *			while ((result = history_reader_next(reader, &record)) == 1)
 *				...
 *		history_reader_close(reader);
 *	}
 *
 * A reader has one connection to one file, and no state that it shares: several may run, each in one thread.
 */
#ifndef NETRACKER_HISTORY_READER_H
#define NETRACKER_HISTORY_READER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/history/history_columns.h"
#include "src/history/history_folder.h"

struct history_reader;

/* The records that a span of time selects. */
enum history_match {
	HISTORY_TIME_IN, /* records whose `time` is in it: of a close record the end of the connection */
	HISTORY_ALIVE_IN, /* records of connections that were open at some time in it: `start` to `time` overlaps it. Without
			   * `start` a connection counts as open since before the history */
};

struct history_selection {
	enum history_match match;
	__u64 from_ns, to_ns; /* since the Unix epoch, both included; 0 and ~0ULL: unlimited */
	__u64 after_seq;      /* only records that were written after this one of the same file; 0: all */
	__u64 last_seq;       /* and not after this one; 0: all */
	bool newest_first;    /* else in the order in which they were written */
	const struct history_columns *wanted; /* the fields that are needed; NULL: all. Others are absent, or zero */
};

/* Opens one file of a folder. Returns 0, or -errno after reporting the error with the name of the file: it is damaged, of
 * a later schema, not a history at all (-EINVAL), or may not be read (-EACCES). -ENOENT is not reported: the retention may
 * have removed the file since the folder was listed. Files of earlier schemas are read; what they have no column for is
 * absent. Call history_reader_close() either way.
 */
int history_reader_open(struct history_reader **reader, const char *folder, const char *name);

/* Begins to return the selected records; may be called again, and sees then what was committed meanwhile. From the first
 * history_reader_next() until that returns 0 or the next call of this function, all is read from one state of the file.
 * Keep that time short: meanwhile SQLite cannot reuse the log beside the file. Whole batches are skipped by the span of
 * time without a look at their records. Returns 0, or -errno after reporting the error.
 */
int history_reader_select(struct history_reader *reader, const struct history_selection *selection);

/* Fills the next record. Its strings are valid until the next call for this reader. Returns 1; 0 after the last one; or
 * -errno after reporting that the rest of the file is damaged.
 */
int history_reader_next(struct history_reader *reader, struct nt_record *record);

/* Ends the selection before its last record, so that the writer's log may be used again. */
void history_reader_stop(struct history_reader *reader);

/* Extent of a selection in a file, as the marks say: `last_seq` is the last record of the file; at most `records` are
 * selected, from `first_seq` on. */
struct history_extent {
	__u64 last_seq, first_seq, records; /* 0: none */
};

/* Returns 0, or -errno; history_reader_report() reports it. */
int history_reader_measure(struct history_reader *reader, const struct history_selection *selection,
			   struct history_extent *extent);

/* The number of a record in its file, and its id: as a number, or if it is not 16 digits as a text and 0. */
struct history_row {
	__u64 seq, id;
	const char *other_id; /* "" if `id` is it */
};

/* Calls `visit` for each selected record until it returns false; faster than history_reader_next(). Without any wanted
 * column the record is not set. All is read from one state of the file. Ends what history_reader_select() began. Returns
 * 0, or -errno; history_reader_report() reports it. */
int history_reader_scan(struct history_reader *reader, const struct history_selection *selection,
			bool (*visit)(void *context, const struct history_row *row, struct nt_record *record),
			void *context);

/* Reports that the file, or its rest, cannot be read. Returns the error. */
int history_reader_report(const struct history_reader *reader, int error);

/* Fills the record of this number, whatever span of time the selection has; what history_reader_next() would return next
 * changes. Returns as history_reader_next(): 0 if there is no such record. */
int history_reader_find(struct history_reader *reader, __u64 seq, struct nt_record *record);

/* The same without the report: a damaged page may hold many records. */
int history_reader_fetch(struct history_reader *reader, __u64 seq, struct nt_record *record);

/* Returns the number of the record that was read last in its file: 1 or more, ascending in the order of writing, without
 * gaps. */
__u64 history_reader_seq(const struct history_reader *reader);

/* One run of a program that wrote into the file, from its start, or from the file's begin, to the last commit. Between
 * runs nobody tracked. */
struct history_run {
	__u64 begin_ns, end_ns; /* since the Unix epoch. Of a replay: the times of its records */
	bool is_finished;       /* it ended in order, or went on in the next file; false also while it goes on */
	const char *command;    /* live, record or replay */
	const char *boot;       /* the kernel's boot id */
	const char *version;    /* of netracker */
};

/* Records that the writer, or the tracker before it, could not keep. */
struct history_loss {
	__u64 time_ns; /* of the commit after it */
	__u64 records;
	const char *cause; /* accounting_loss_name() */
};

/* Call `visit` for each run, or each loss, of the file in the order of time. Strings are valid during the call. Return 0,
 * or -errno after reporting the error. */
int history_reader_runs(struct history_reader *reader, void (*visit)(void *context, const struct history_run *run),
			void *context);
int history_reader_losses(struct history_reader *reader, void (*visit)(void *context, const struct history_loss *loss),
			  void *context);

/* NULL is allowed. */
void history_reader_close(struct history_reader *reader);

#endif
