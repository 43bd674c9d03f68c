/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which record of an id is its newest one. Most ids have one record: they need two bytes each, the others some 32. */
#ifndef NETRACKER_NEWEST_RECORDS_H
#define NETRACKER_NEWEST_RECORDS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"

struct newest_place {
	__u64 id;       /* 0: empty */
	__u64 position; /* of the id's newest record */
};

/* All zero is empty. */
struct newest_records {
	struct newest_place *places; /* of ids that may have several records */
	size_t capacity, count;      /* a power of two, or 0 */
	__u64 *bits;                 /* by hash: whether an id was noted; NULL: each id gets a place */
	__u64 bit_count;             /* a power of two */
	bool failed;                 /* no memory */
};

/* For at most so many records. Returns false without memory. Call newest_records_free() either way. */
bool newest_records_init(struct newest_records *newest, __u64 records);
void newest_records_free(struct newest_records *newest);

/* Return a number for an id, the same for both forms of it: the record's text; and as history_reader_next_id() sets it. 0
 * for an empty id, which is no other record's. */
__u64 newest_records_number(const char *id);
__u64 newest_records_mix(__u64 id, const char *other);

/* Notes a record. Positions must ascend from call to call. */
void newest_records_note(struct newest_records *newest, __u64 number, __u64 position);

/* After all were noted: returns whether the record at this position is the newest of its id. */
bool newest_records_has(const struct newest_records *newest, __u64 number, __u64 position);

/* For records that come the newest first, without newest_records_init(): returns whether this one is the first of its id. */
bool newest_records_add(struct newest_records *newest, __u64 number);

#endif
