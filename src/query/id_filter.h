/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which ids may have several records. Most have one; finding that out takes two bytes for each record. Any thread may add
 * ids. */
#ifndef NETRACKER_ID_FILTER_H
#define NETRACKER_ID_FILTER_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/history/history_reader.h"

#define ID_FILTER_ROUND_SHIFT 57 /* the bits above are not used otherwise */
#define ID_FILTER_MOST_ROUNDS (1U << (64 - ID_FILTER_ROUND_SHIFT))

/* All zero is empty. */
struct id_filter {
	__u64 *words;
	__u64 count; /* a power of two */
};

/* Returns a number for a record's id; of ids of 16 digits no two are the same. 0 for an empty id, which is no other
 * record's. */
__u64 id_filter_number(const struct history_row *row);

/* Ids may be added in several rounds, each with a filter of its own, so that its memory is bounded. Returns how many rounds
 * so many records need, of `most` records each (0: of as many as one filter takes). */
unsigned int id_filter_count_rounds(__u64 records, __u64 most);

/* Returns the round to which the number belongs. */
static inline unsigned int id_filter_round(__u64 number, unsigned int rounds)
{
	return (unsigned int)((number >> ID_FILTER_ROUND_SHIFT) * rounds >> (64 - ID_FILTER_ROUND_SHIFT));
}

/* For so many records; more make it less exact. Returns false without memory. Call id_filter_free() either way. */
bool id_filter_init(struct id_filter *filter, __u64 records);
void id_filter_free(struct id_filter *filter);

/* Loads what id_filter_add() will need of memory. */
static inline void id_filter_prefetch(const struct id_filter *filter, __u64 number)
{
	__builtin_prefetch(&filter->words[number >> 32 & (filter->count - 1)], 1);
}

/* Adds the number. Returns whether it may have been added before: always if it was, else in less than 1 of 100 cases. */
bool id_filter_add(struct id_filter *filter, __u64 number);

#endif
