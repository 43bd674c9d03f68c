/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One file of a history, while it is written. */
#ifndef NETRACKER_HISTORY_FILE_H
#define NETRACKER_HISTORY_FILE_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/record/accounting.h"

struct history_file;

/* A time, since the Unix epoch. */
struct history_span {
	__u64 begin_ns, end_ns;
};

/* The program that writes. Strings and spans are not copied. */
struct history_writing {
	const char *command, *boot;
	bool is_replay; /* the run lasts as its records do, not as the program */
	__u64 begin_ns;
	const struct history_span *spans; /* of a replay: the runs that replace the one of its records at the end */
	unsigned int span_count;
};

/* Makes a file with the tables, or with `exists` continues one of this schema's version, in which a run begins. Returns 0,
 * or -errno; nothing is reported. Call history_file_close() either way. */
int history_file_open(struct history_file **file, const char *path, bool exists, const struct history_writing *writing);

/* Returns the version of the file's schema, or -errno: -EINVAL if it is no history. */
int history_file_version(const char *path);

/* Returns whether a crash, or a reader at the wrong moment, left the file with a log beside it. */
bool history_file_has_log(const char *path);

/* Puts the log's commits into the file, and makes it one that needs no log. Returns 0 or -errno. */
int history_file_complete(const char *path);

/* The run begins at this time, if that is later than when the file was opened. */
void history_file_set_begin(struct history_file *file, __u64 ns);

/* A batch: begin, add any number of records, commit. After any error call history_file_undo(); the batch may then be
 * repeated. Return 0 or -errno. `lost` is what was lost since the last commit, by cause. */
int history_file_begin(struct history_file *file);
int history_file_add(struct history_file *file, const struct nt_record *record);
int history_file_commit(struct history_file *file, __u64 now_ns, const __u64 lost[ACCOUNTING_LOSSES]);
void history_file_undo(struct history_file *file);

/* Returns whether records were added whose commit failed: they may be there all the same. Call it before the undo. */
bool history_file_is_doubtful(const struct history_file *file);

/* Returns the number that the next record gets. */
__u64 history_file_next_seq(const struct history_file *file);

/* Returns the size of the file without its log. */
__u64 history_file_bytes(const struct history_file *file);

/* Returns whether the path still leads to this file: nobody removed it. */
bool history_file_is_there(const struct history_file *file);

/* Ends the run, and makes the file one that needs no log beside it. A reader may prevent the latter: -EBUSY. Returns 0 or
 * -errno. */
int history_file_finish(struct history_file *file, __u64 now_ns);

/* NULL is allowed. */
void history_file_close(struct history_file *file);

#endif
