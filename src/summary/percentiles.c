// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/percentiles.h"

#include <stdlib.h>

/* Values below 2 * BUCKETS_EACH have a bucket of their own. */
#define BUCKETS_EACH (1U << PERCENTILES_BUCKET_BITS)

/* How many low bits of a value its bucket ignores. */
static unsigned int ignored_bits(__u64 value)
{
	unsigned int bits = 64 - (unsigned int)__builtin_clzll(value | 1);

	return bits > PERCENTILES_BUCKET_BITS + 1 ? bits - PERCENTILES_BUCKET_BITS - 1 : 0;
}

static unsigned int bucket_index(__u64 value)
{
	unsigned int ignored = ignored_bits(value);

	return ignored * BUCKETS_EACH + (unsigned int)(value >> ignored);
}

static __u64 bucket_middle(unsigned int index)
{
	unsigned int ignored = index < 2 * BUCKETS_EACH ? 0 : index / BUCKETS_EACH - 1;
	__u64 least = (__u64)(index - ignored * BUCKETS_EACH) << ignored;

	return least + ((1ULL << ignored) >> 1);
}

void percentiles_add(struct percentiles *percentiles, __u64 value)
{
	if (percentiles->count < PERCENTILES_EXACT)
		percentiles->values[percentiles->count] = value;
	percentiles->count++;
	percentiles->buckets[bucket_index(value)]++;
}

void percentiles_merge(struct percentiles *percentiles, const struct percentiles *other)
{
	__u64 i;

	for (i = 0; i < other->count && i < PERCENTILES_EXACT && percentiles->count + i < PERCENTILES_EXACT; i++)
		percentiles->values[percentiles->count + i] = other->values[i];
	percentiles->count += other->count;
	for (i = 0; i < PERCENTILES_BUCKETS; i++)
		percentiles->buckets[i] += other->buckets[i];
}

static int compare_values(const void *one, const void *other)
{
	__u64 first = *(const __u64 *)one, second = *(const __u64 *)other;

	return first < second ? -1 : first > second;
}

__u64 percentiles_get_rank(struct percentiles *percentiles, __u64 rank)
{
	__u64 seen = 0;
	unsigned int i;

	if (percentiles->count <= PERCENTILES_EXACT) {
		qsort(percentiles->values, percentiles->count, sizeof(__u64), compare_values);
		return percentiles->values[rank - 1];
	}
	for (i = 0; i < PERCENTILES_BUCKETS - 1; i++) {
		seen += percentiles->buckets[i];
		if (seen >= rank)
			break;
	}
	return bucket_middle(i);
}

__u64 percentiles_get(struct percentiles *percentiles, unsigned int percent)
{
	return percentiles_get_rank(percentiles, (percentiles->count * percent + 99) / 100);
}
