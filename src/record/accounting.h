/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting: every view of a connection that was begun is accounted for (docs/record.md, "The books balance"). */
#ifndef NETRACKER_ACCOUNTING_H
#define NETRACKER_ACCOUNTING_H

#include <linux/types.h>
#include <stdio.h>

enum accounting_filter { ACCOUNTING_FILTERED_OPTION, ACCOUNTING_FILTERED_FORWARDED, ACCOUNTING_FILTERS };

/* Of the tables and the ring buffer each cause has its own, in the order of enum nt_failure. */
enum accounting_loss {
	ACCOUNTING_LOST_HALF_OPEN_FULL,
	ACCOUNTING_LOST_HALF_OPEN_NO_MEMORY,
	ACCOUNTING_LOST_HALF_OPEN_LOCK,
	ACCOUNTING_LOST_HALF_OPEN_OTHER,
	ACCOUNTING_LOST_ESTABLISHED_FULL,
	ACCOUNTING_LOST_ESTABLISHED_NO_MEMORY,
	ACCOUNTING_LOST_ESTABLISHED_LOCK,
	ACCOUNTING_LOST_ESTABLISHED_OTHER,
	ACCOUNTING_LOST_SOCKETS_FULL,
	ACCOUNTING_LOST_SOCKETS_NO_MEMORY,
	ACCOUNTING_LOST_SOCKETS_LOCK,
	ACCOUNTING_LOST_SOCKETS_OTHER,
	ACCOUNTING_LOST_RING_FULL,
	ACCOUNTING_LOST_RING_LOCK,
	ACCOUNTING_LOST_EVICTED,
	ACCOUNTING_LOST_SINK_FAILED,
	ACCOUNTING_LOST_NO_MEMORY,
	ACCOUNTING_LOSSES
};

/* Counts of views. Each counts once: `written` are close records only, a view with an exit record is `open`. */
struct accounting {
	__u64 opened, preexisting; /* began while tracking; were there at the start */
	__u64 written, open;
	__u64 filtered[ACCOUNTING_FILTERS];
	__u64 lost[ACCOUNTING_LOSSES];
	__u64 recursion_misses; /* events the kernel skipped; stands beside the balance */
};

/* What is accounted for less what began: 0 when the books balance. */
__s64 accounting_difference(const struct accounting *accounting);

/* Two lines or three, and whether they balance. */
void accounting_print(const struct accounting *accounting, FILE *stream);

#endif
