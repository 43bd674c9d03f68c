// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/group_values.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 16

static bool reserve_values(struct group_values *values, __u32 count)
{
	__u32 capacity = values->capacity ? values->capacity : FIRST_CAPACITY;
	__s64 *larger;

	while (capacity < values->count + count)
		capacity *= 2;
	if (capacity == values->capacity)
		return true;
	larger = reallocarray(values->values, capacity, sizeof(*larger));
	if (!larger)
		return false;
	values->values = larger;
	values->capacity = capacity;
	return true;
}

static void add_to_histogram(struct group_values *values, __s64 value)
{
	percentiles_add(values->more, value > 0 ? (__u64)value : 0);
}

static bool begin_histogram(struct group_values *values)
{
	__u32 i;

	values->more = calloc(1, sizeof(*values->more));
	if (!values->more)
		return false;
	for (i = 0; i < values->count; i++)
		add_to_histogram(values, values->values[i]);
	free(values->values);
	values->values = NULL;
	values->capacity = values->count = 0;
	return true;
}

bool group_values_add(struct group_values *values, __s64 value)
{
	if (!values->more && values->count == GROUP_VALUES_EXACT && !begin_histogram(values))
		return false;
	if (values->more) {
		add_to_histogram(values, value);
		return true;
	}
	if (!reserve_values(values, 1))
		return false;
	values->values[values->count++] = value;
	return true;
}

static bool merge_histograms(struct group_values *values, struct group_values *other)
{
	if ((!values->more && !begin_histogram(values)) || (!other->more && !begin_histogram(other)))
		return false;
	percentiles_merge(values->more, other->more);
	return true;
}

static bool append_values(struct group_values *values, const struct group_values *other)
{
	if (!other->count)
		return true;
	if (!reserve_values(values, other->count))
		return false;
	memcpy(values->values + values->count, other->values, other->count * sizeof(*other->values));
	values->count += other->count;
	return true;
}

bool group_values_merge(struct group_values *values, struct group_values *other)
{
	bool are_many = values->more || other->more || values->count + other->count > GROUP_VALUES_EXACT;
	bool done = are_many ? merge_histograms(values, other) : append_values(values, other);

	group_values_free(other);
	return done;
}

void group_values_free(struct group_values *values)
{
	free(values->values);
	free(values->more);
	*values = (struct group_values){ 0 };
}

static int order_group_values(const void *left, const void *right)
{
	const __s64 *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

__s64 group_values_percentile(struct group_values *values, unsigned int percent)
{
	__u64 rank = (group_values_count(values) * percent + 99) / 100;

	if (values->more)
		return (__s64)percentiles_get(values->more, percent);
	qsort(values->values, values->count, sizeof(*values->values), order_group_values);
	return values->values[rank - 1];
}
