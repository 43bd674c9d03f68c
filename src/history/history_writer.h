/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes records into a history: a folder of SQLite files (docs/history.md).
 *
 * A thread of its own writes, behind a queue of at most 64 MiB. Records are committed in batches, at least once a second:
 * what was committed survives a crash of the process at any moment, and of the machine as far as SQLite promises it
 * (PRAGMA synchronous=FULL). While the disk is slow, full or broken, records wait in the queue, and the thread tries again
 * once a second. If the queue is full, a record is lost, and counted by the cause that kept the thread from writing.
 *
 * One process writes a folder at a time. Each may be read meanwhile (history_reader.h).
 */
#ifndef NETRACKER_HISTORY_WRITER_H
#define NETRACKER_HISTORY_WRITER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/history/history_store.h"
#include "src/record/accounting.h"

#define HISTORY_DEFAULT_AGE_NS (30ULL * 24 * 3600 * 1000000000)
#define HISTORY_DEFAULT_BYTES (10ULL << 30)

struct history_writer;

/* Opens the folder, and makes it if only its last name is missing (of the default folder also /var/lib/netracker),
 * finishes the files that a crash left, removes what --keep does not keep, opens a file and starts the thread. Returns 0, or
 * -errno after reporting the error: -EBUSY if another process writes this folder, -EACCES if it is not permitted. Call
 * history_writer_close() either way.
 */
int history_writer_open(struct history_writer **writer, const struct history_options *options);

/* Adds one record of a connection; copies all that it points to. Does not wait, except for a replay. A record that finds no room is
 * counted as lost. */
void history_writer_add(struct history_writer *writer, const struct nt_record *record);

/* Says that tracking began at this time, since the Unix epoch: while the programs were attached before, nobody tracked. */
void history_writer_set_begin(struct history_writer *writer, __u64 ns);

/* Sets the times that a replay's captures cover, instead of those of its records. They stay until
 * history_writer_close(). */
void history_writer_set_spans(struct history_writer *writer, const struct history_span *spans, unsigned int count);

/* Passes what the tracker has lost so far, by enum accounting_loss: what is new is stored with the time of the next
 * commit. */
void history_writer_set_losses(struct history_writer *writer, const __u64 lost[ACCOUNTING_LOSSES]);

/* Waits until all records are committed, 30 s at most if the disk takes nothing, and makes the file one that needs no
 * other beside it. The counts below are exact after it. Returns 0, or -errno if the end of the file could not be written.
 */
int history_writer_finish(struct history_writer *writer);

/* The records of one event at one moment; those of neither count are committed. */
struct history_counts {
	__u64 waiting;                 /* not committed yet, and not lost */
	__u64 lost[ACCOUNTING_LOSSES]; /* ACCOUNTING_LOST_HISTORY_SLOW (the queue was full), _DISK_FULL, _FAILED, or
					* ACCOUNTING_LOST_NO_MEMORY */
};
struct history_counts history_writer_count(struct history_writer *writer, enum nt_event_kind event);

/* Returns how many records of all events were lost for one cause. */
__u64 history_writer_lost_of_all(struct history_writer *writer, enum accounting_loss cause);

/* Does not wait; records that are not committed are lost. NULL is allowed. */
void history_writer_close(struct history_writer *writer);

#endif
