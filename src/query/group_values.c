// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/group_values.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

static bool take_of_budget(struct values_budget *budget, __u64 bytes)
{
	if (__atomic_add_fetch(&budget->used, bytes, __ATOMIC_RELAXED) <= budget->most)
		return true;
	__atomic_sub_fetch(&budget->used, bytes, __ATOMIC_RELAXED);
	return false;
}

static __u64 values_bytes(const struct group_values *values)
{
	return (__u64)values->capacity * sizeof(*values->values) + (values->more ? sizeof(*values->more) : 0);
}

void group_values_free(struct group_values *values, struct values_budget *budget)
{
	__atomic_sub_fetch(&budget->used, values_bytes(values), __ATOMIC_RELAXED);
	free(values->values);
	free(values->more);
	*values = (struct group_values){ .is_cut = values->is_cut };
}

enum reservation { VALUES_RESERVED, VALUES_BEYOND_BUDGET, VALUES_WITHOUT_MEMORY };

static enum reservation reserve_values(struct group_values *values, struct values_budget *budget, __u32 count)
{
	__u32 capacity = values->capacity ? values->capacity : FIRST_CAPACITY;
	__s64 *larger;

	while (capacity < values->count + count)
		capacity *= 2;
	if (capacity == values->capacity)
		return VALUES_RESERVED;
	if (!take_of_budget(budget, (__u64)(capacity - values->capacity) * sizeof(*larger)))
		return VALUES_BEYOND_BUDGET;
	larger = reallocarray(values->values, capacity, sizeof(*larger));
	if (!larger) {
		__atomic_sub_fetch(&budget->used, (__u64)(capacity - values->capacity) * sizeof(*larger),
				   __ATOMIC_RELAXED);
		return VALUES_WITHOUT_MEMORY;
	}
	values->values = larger;
	values->capacity = capacity;
	return VALUES_RESERVED;
}

static void add_to_histogram(struct group_histogram *histogram, __s64 value)
{
	if (value < 0)
		percentiles_add(&histogram->negative, -(__u64)value);
	else
		percentiles_add(&histogram->others, (__u64)value);
}

/* Puts the values into a histogram. The budget does not limit it, since it takes less than they do. */
static bool begin_histogram(struct group_values *values, struct values_budget *budget)
{
	struct group_histogram *more = calloc(1, sizeof(*more));
	__u32 i;

	if (!more)
		return false;
	for (i = 0; i < values->count; i++)
		add_to_histogram(more, values->values[i]);
	group_values_free(values, budget);
	values->more = more;
	__atomic_add_fetch(&budget->used, sizeof(*more), __ATOMIC_RELAXED);
	return true;
}

/* Has room for more values, or a histogram, or no values any more. Returns false without memory. */
static bool make_room_for_values(struct group_values *values, struct values_budget *budget, __u32 count)
{
	bool are_many = (__u64)values->count + count > GROUP_VALUES_EXACT;
	enum reservation reservation = are_many ? VALUES_BEYOND_BUDGET : reserve_values(values, budget, count);

	if (reservation != VALUES_BEYOND_BUDGET)
		return reservation == VALUES_RESERVED;
	if (are_many || values_bytes(values) > sizeof(*values->more))
		return begin_histogram(values, budget);
	values->is_cut = true;
	group_values_free(values, budget);
	return true;
}

bool group_values_add(struct group_values *values, struct values_budget *budget, __s64 value)
{
	if (!values->more && !values->is_cut && !make_room_for_values(values, budget, 1))
		return false;
	if (values->more)
		add_to_histogram(values->more, value);
	else if (!values->is_cut)
		values->values[values->count++] = value;
	return true;
}

static void append_values(struct group_values *values, const struct group_values *other)
{
	__u32 i;

	for (i = 0; i < other->count; i++) {
		if (values->more)
			add_to_histogram(values->more, other->values[i]);
		else
			values->values[values->count++] = other->values[i];
	}
}

static void merge_histograms(struct group_histogram *more, const struct group_histogram *other)
{
	percentiles_merge(&more->negative, &other->negative);
	percentiles_merge(&more->others, &other->others);
}

bool group_values_merge(struct group_values *values, struct values_budget *budget, struct group_values *other)
{
	bool done = true;

	values->is_cut = values->is_cut || other->is_cut;
	if (values->is_cut)
		group_values_free(values, budget);
	else if (other->more && !values->more)
		done = begin_histogram(values, budget);
	else if (!values->more && other->count)
		done = make_room_for_values(values, budget, other->count);
	if (done && !values->is_cut) {
		append_values(values, other);
		if (other->more)
			merge_histograms(values->more, other->more);
	}
	group_values_free(other, budget);
	return done;
}

static int order_group_values(const void *left, const void *right)
{
	const __s64 *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

__s64 group_values_percentile(struct group_values *values, unsigned int percent)
{
	__u64 rank = (group_values_count(values) * percent + 99) / 100;
	struct group_histogram *more = values->more;

	if (more && rank <= more->negative.count)
		return -(__s64)percentiles_get_rank(&more->negative, more->negative.count - rank + 1);
	if (more)
		return (__s64)percentiles_get_rank(&more->others, rank - more->negative.count);
	qsort(values->values, values->count, sizeof(*values->values), order_group_values);
	return values->values[rank - 1];
}
