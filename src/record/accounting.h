/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting: every record that was begun is written, filtered, open or lost (docs/record.md, "Accounting"). */
#ifndef NETRACKER_ACCOUNTING_H
#define NETRACKER_ACCOUNTING_H

#include <linux/types.h>
#include <stdio.h>

#include "src/util/text_buffer.h"

enum accounting_filter { ACCOUNTING_FILTERED_OPTION, ACCOUNTING_FILTERED_FORWARDED, ACCOUNTING_FILTERS };

/* Each table and the ring buffer has one cause for each failure, in the order of enum nt_failure. */
enum accounting_loss {
	ACCOUNTING_LOST_HALF_OPEN_FULL,
	ACCOUNTING_LOST_HALF_OPEN_SHARE,
	ACCOUNTING_LOST_HALF_OPEN_NO_MEMORY,
	ACCOUNTING_LOST_HALF_OPEN_LOCK,
	ACCOUNTING_LOST_HALF_OPEN_OTHER,
	ACCOUNTING_LOST_ESTABLISHED_FULL,
	ACCOUNTING_LOST_ESTABLISHED_SHARE,
	ACCOUNTING_LOST_ESTABLISHED_NO_MEMORY,
	ACCOUNTING_LOST_ESTABLISHED_LOCK,
	ACCOUNTING_LOST_ESTABLISHED_OTHER,
	ACCOUNTING_LOST_SOCKETS_FULL,
	ACCOUNTING_LOST_SOCKETS_SHARE,
	ACCOUNTING_LOST_SOCKETS_NO_MEMORY,
	ACCOUNTING_LOST_SOCKETS_LOCK,
	ACCOUNTING_LOST_SOCKETS_OTHER,
	ACCOUNTING_LOST_RING_FULL,
	ACCOUNTING_LOST_RING_LOCK,
	ACCOUNTING_LOST_EVICTED,
	ACCOUNTING_LOST_SINK_FAILED,
	ACCOUNTING_LOST_NO_MEMORY,
	ACCOUNTING_LOST_HISTORY_SLOW, /* its queue was full: the disk took nothing for too long */
	ACCOUNTING_LOST_HISTORY_DISK_FULL,
	ACCOUNTING_LOST_HISTORY_FAILED,
	ACCOUNTING_LOSSES
};

/* Counts of records. One endpoint's account of one connection counts once: its close record as `written`, its exit
 * record as `open`.
 */
struct accounting {
	__u64 opened, preexisting; /* began during tracking; open before it */
	__u64 written, open;
	__u64 filtered[ACCOUNTING_FILTERS];
	__u64 lost[ACCOUNTING_LOSSES];
	__u64 recursion_misses; /* events the kernel skipped; no part of the difference */
};

const char *accounting_loss_name(enum accounting_loss cause);
const char *accounting_filter_name(enum accounting_filter cause);
__u64 accounting_lost(const struct accounting *accounting);
__u64 accounting_filtered(const struct accounting *accounting);

/* Returns written, filtered, open and lost less opened and pre-existing. 0 unless the accounting is wrong. */
__s64 accounting_difference(const struct accounting *accounting);

/* Appends "12 records: 10 written, ..." without a newline. */
void accounting_format(struct text_buffer *text, const struct accounting *accounting);

/* Prints one line, and a second one if the difference is not 0. */
void accounting_print(const struct accounting *accounting, FILE *stream);

#endif
