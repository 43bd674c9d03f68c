/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of a group, for a percentile: exact up to GROUP_VALUES_EXACT of them, then a histogram. All groups together have
 * a budget of memory. Beyond it a group with many values has a histogram early, and one with few has no percentile.
 */
#ifndef NETRACKER_GROUP_VALUES_H
#define NETRACKER_GROUP_VALUES_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/summary/percentiles.h"

#define GROUP_VALUES_EXACT 1000000
#define GROUP_VALUES_BUDGET (1ULL << 30)

/* Bytes of all groups. Any thread may use it. */
struct values_budget {
	__u64 used, most;
};

struct group_histogram {
	struct percentiles negative; /* the magnitudes of negative values */
	struct percentiles others;
};

/* All zero is empty. */
struct group_values {
	__s64 *values;
	__u32 count, capacity;
	bool is_cut;                  /* there was no memory for all: there are no values any more */
	struct group_histogram *more; /* of all values, if there are too many for `values` */
};

/* Returns false without memory. */
bool group_values_add(struct group_values *values, struct values_budget *budget, __s64 value);
void group_values_free(struct group_values *values, struct values_budget *budget);

/* Moves the values of another group here. Returns false without memory. */
bool group_values_merge(struct group_values *values, struct values_budget *budget, struct group_values *other);

static inline __u64 group_values_count(const struct group_values *values)
{
	return values->more ? values->more->negative.count + values->more->others.count : values->count;
}

static inline bool group_values_are_approximate(const struct group_values *values)
{
	return values->more;
}

/* Returns the smallest value that at least `percent` of all do not exceed (nearest rank). There is at least one. May change
 * the order of `values`. */
__s64 group_values_percentile(struct group_values *values, unsigned int percent);

#endif
