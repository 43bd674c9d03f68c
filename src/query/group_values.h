/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of a group, for a percentile: exact up to GROUP_VALUES_EXACT of them, then a histogram. */
#ifndef NETRACKER_GROUP_VALUES_H
#define NETRACKER_GROUP_VALUES_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/summary/percentiles.h"

#define GROUP_VALUES_EXACT 1000000

/* All zero is empty. */
struct group_values {
	__s64 *values;
	__u32 count, capacity;
	struct percentiles *more; /* of all values, if there are too many for `values`; negative ones as 0 */
};

/* Returns false without memory. */
bool group_values_add(struct group_values *values, __s64 value);
void group_values_free(struct group_values *values);

/* Moves the values of another group here. Returns false without memory. */
bool group_values_merge(struct group_values *values, struct group_values *other);

static inline __u64 group_values_count(const struct group_values *values)
{
	return values->more ? values->more->count : values->count;
}

static inline bool group_values_are_approximate(const struct group_values *values)
{
	return values->more;
}

/* Returns the smallest value that at least `percent` of all do not exceed (nearest rank). There is at least one. May change
 * the order of `values`. */
__s64 group_values_percentile(struct group_values *values, unsigned int percent);

#endif
