/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder that is written: which file is the current one, when it is replaced and what is removed. Time is a parameter:
 * nanoseconds since the Unix epoch. Writes at once, without a queue and a thread, which history_writer.h adds.
 */
#ifndef NETRACKER_HISTORY_STORE_H
#define NETRACKER_HISTORY_STORE_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/history/history_file.h"
#include "src/history/history_folder.h"
#include "src/history/history_queue.h"

/* A file is replaced when it has this many bytes, or a quarter of what all may have, or at midnight (UTC). */
#define HISTORY_MOST_OF_FILE (256ULL << 20)

/* Strings are not copied. */
struct history_options {
	const char *folder;  /* NULL: no history is written */
	__u64 most_age_ns;   /* --keep: files of days that ended longer ago are removed; 0: any age */
	__u64 most_bytes;    /* --keep: the oldest files are removed beyond it; 0: any size */
	const char *command; /* for the run's row: live, record or replay */
	bool is_replay;      /* waits for room in the queue instead of losing records; runs last as the records do */
};

struct history_store {
	const struct history_options *options;
	struct history_writing writing;
	char boot[40];
	int lock_fd;
	struct history_file *file;    /* NULL: the next batch begins one */
	struct history_entry current; /* the file's name */
	__u32 day;                    /* of the clock when the file was begun or continued */
	__u64 most_of_file;
	bool is_abandoned;  /* the file was closed after an error, and may go on */
	__u64 doubtful_seq; /* not 0: a commit failed, and yet it is there if the file's next record has this number */
};

/* Makes and locks the folder, finishes the files that a crash left, removes what is too old or too much, and opens a file.
 * Returns 0, or -errno after reporting the error. Call history_store_close() either way. */
int history_store_open(struct history_store *store, const struct history_options *options, __u64 now_ns);

/* Tracking began later than the run of the file: at this time. */
void history_store_set_begin(struct history_store *store, __u64 ns);

/* Commits a batch, which may be empty, in a new file if it is time for one. `lost` is what was lost since the last batch
 * that was committed. Returns 0, or -errno; nothing is reported. After an error pass the same batch again, which finds out
 * whether the commit has reached the file after all, or call history_store_give_up(). */
int history_store_write(struct history_store *store, const struct history_block *batch, __u64 now_ns,
			const __u64 lost[ACCOUNTING_LOSSES]);

void history_store_give_up(struct history_store *store);

/* Removes the oldest file, to make room, unless it is the current one. Returns its size; 0 if none was removed. It is
 * reported. */
__u64 history_store_drop_oldest(struct history_store *store);

/* Ends the run and completes the file. Returns 0, or -errno after reporting the error: not if a reader has the file, and not
 * without room, as nothing is lost then, and the next start completes it. */
int history_store_finish(struct history_store *store, __u64 now_ns);

void history_store_close(struct history_store *store);

#endif
