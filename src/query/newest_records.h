/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The newest records of ids. Not thread-safe. */
#ifndef NETRACKER_NEWEST_RECORDS_H
#define NETRACKER_NEWEST_RECORDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct newest_place {
	__u64 id;       /* id_filter_number(); 0: empty */
	__u64 position; /* of the id's newest record */
};

/* All zero is empty. Some 32 bytes for each id. */
struct newest_records {
	struct newest_place *places;
	size_t capacity, count; /* a power of two, or 0 */
	bool failed;            /* no memory */
};

void newest_records_free(struct newest_records *newest);

/* Notes a record of an id. Of several the last position stays. Returns whether the id is new. */
bool newest_records_note(struct newest_records *newest, __u64 id, __u64 position);

/* Notes all that the other one has. */
void newest_records_merge(struct newest_records *newest, const struct newest_records *other);

bool newest_records_has(const struct newest_records *newest, __u64 id);

#endif
