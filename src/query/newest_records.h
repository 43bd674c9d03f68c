/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest records of ids, in bounded memory. Not thread-safe, but for newest_records_raise(). */
#ifndef NETRACKER_NEWEST_RECORDS_H
#define NETRACKER_NEWEST_RECORDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct newest_place {
	__u64 id;       /* id_filter_number(); 0: empty */
	__u64 position; /* of the id's newest record */
};

#define NEWEST_RECORDS_MOST (1U << 24) /* 512 MiB, and half of it more while the places move to larger memory */

/* Set the limit; else all zero is empty. 24 to 48 bytes for each id. */
struct newest_records {
	size_t most; /* ids */
	struct newest_place *places;
	size_t capacity, count; /* a power of two, or 0 */
	bool failed;            /* no memory */
	bool is_full;           /* there are more ids than `most` */
};

void newest_records_free(struct newest_records *newest);

/* Adds an id with the position of a record, unless it is there. Returns whether it was not, also if it could not be added. */
bool newest_records_add(struct newest_records *newest, __u64 id, __u64 position);

/* Notes a record of the id, if that is there: of several the last position stays. Several threads may call it, while none
 * adds ids. Returns whether the id is there. */
bool newest_records_raise(const struct newest_records *newest, __u64 id, __u64 position);

/* Returns the position of the id's newest record. 0 if the id is not there. */
__u64 newest_records_position(const struct newest_records *newest, __u64 id);

#endif
