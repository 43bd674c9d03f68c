/* The books: every view of a connection that was begun is accounted for (docs/record.md, "The books balance"). */
#ifndef NETRACKER_BOOKS_H
#define NETRACKER_BOOKS_H

#include <linux/types.h>
#include <stdio.h>

enum books_filter { BOOKS_FILTERED_OPTION, BOOKS_FILTERED_FORWARDED, BOOKS_FILTERS };

/* Of the tables and the ring buffer each cause has its own, in the order of enum nt_failure. */
enum books_loss {
	BOOKS_LOST_HALF_OPEN_FULL,
	BOOKS_LOST_HALF_OPEN_NO_MEMORY,
	BOOKS_LOST_HALF_OPEN_LOCK,
	BOOKS_LOST_HALF_OPEN_OTHER,
	BOOKS_LOST_ESTABLISHED_FULL,
	BOOKS_LOST_ESTABLISHED_NO_MEMORY,
	BOOKS_LOST_ESTABLISHED_LOCK,
	BOOKS_LOST_ESTABLISHED_OTHER,
	BOOKS_LOST_SOCKETS_FULL,
	BOOKS_LOST_SOCKETS_NO_MEMORY,
	BOOKS_LOST_SOCKETS_LOCK,
	BOOKS_LOST_SOCKETS_OTHER,
	BOOKS_LOST_RING_FULL,
	BOOKS_LOST_RING_LOCK,
	BOOKS_LOST_EVICTED,
	BOOKS_LOST_SINK_FAILED,
	BOOKS_LOST_NO_MEMORY,
	BOOKS_LOSSES
};

/* Counts of views. Each counts once: `written` are close records only, a view with an exit record is `open`. */
struct books {
	__u64 opened, found; /* began while tracking; were there at the start */
	__u64 written, open;
	__u64 filtered[BOOKS_FILTERS];
	__u64 lost[BOOKS_LOSSES];
	__u64 recursion_misses; /* events the kernel skipped; stands beside the balance */
};

/* What is accounted for less what began: 0 when the books balance. */
__s64 books_difference(const struct books *books);

/* Two lines or three, and whether they balance. */
void books_print(const struct books *books, FILE *stream);

#endif
