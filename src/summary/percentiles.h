/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Percentiles of a stream of integers in bounded memory: exact for the first PERCENTILES_EXACT values; of more, within
 * 1/128 (0.8 %), from a histogram with 64 buckets for each power of two.
 */
#ifndef NETRACKER_PERCENTILES_H
#define NETRACKER_PERCENTILES_H

#include <linux/types.h>

#define PERCENTILES_EXACT 4096
#define PERCENTILES_BUCKET_BITS 6
#define PERCENTILES_BUCKETS ((64 - PERCENTILES_BUCKET_BITS + 1) << PERCENTILES_BUCKET_BITS)

/* All zero is empty. */
struct percentiles {
	__u64 count;
	__u64 values[PERCENTILES_EXACT]; /* the first ones */
	__u64 buckets[PERCENTILES_BUCKETS];
};

void percentiles_add(struct percentiles *percentiles, __u64 value);

/* Adds the values of another one, which is not changed. */
void percentiles_merge(struct percentiles *percentiles, const struct percentiles *other);

/* Returns the smallest value that at least `percent` of all values do not exceed (nearest rank). `percentiles` is not
 * empty; may change the order of `values`.
 */
__u64 percentiles_get(struct percentiles *percentiles, unsigned int percent);

/* The same for the value of this rank, from 1 to `count`. */
__u64 percentiles_get_rank(struct percentiles *percentiles, __u64 rank);

#endif
