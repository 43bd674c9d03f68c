// SPDX-License-Identifier: GPL-2.0-or-later
/* Percentiles: exact for few values, within 1/128 for many, as against the sorted values. */
#include "src/summary/percentiles.h"

#include <stdlib.h>

#include "tests/unit/check.h"

static struct percentiles percentiles;

static void fill(const __u64 *values, size_t count)
{
	size_t i;

	memset(&percentiles, 0, sizeof(percentiles));
	for (i = 0; i < count; i++)
		percentiles_add(&percentiles, values[i]);
}

/* 1 to 100: the nearest rank of a percentile is its number. */
static void test_known_set(void)
{
	__u64 values[100];
	unsigned int i;

	for (i = 0; i < 100; i++)
		values[i] = (i * 37) % 100 + 1;
	fill(values, 100);
	CHECK_EQUAL(percentiles_get(&percentiles, 50), 50);
	CHECK_EQUAL(percentiles_get(&percentiles, 95), 95);
	CHECK_EQUAL(percentiles_get(&percentiles, 99), 99);
	percentiles_add(&percentiles, 1000);
	CHECK_EQUAL(percentiles_get(&percentiles, 99), 100);
	CHECK_EQUAL(percentiles_get(&percentiles, 50), 51);
}

static void test_few(void)
{
	const __u64 values[] = { 7, 5, 5 };

	fill(values, 1);
	CHECK(percentiles_get(&percentiles, 50) == 7 && percentiles_get(&percentiles, 99) == 7);
	fill(values, 3);
	CHECK(percentiles_get(&percentiles, 50) == 5 && percentiles_get(&percentiles, 95) == 7);
	fill((const __u64[]){ 0, ~0ULL }, 2);
	CHECK(percentiles_get(&percentiles, 50) == 0 && percentiles_get(&percentiles, 99) == ~0ULL);
}

static int compare(const void *one, const void *other)
{
	__u64 first = *(const __u64 *)one, second = *(const __u64 *)other;

	return first < second ? -1 : first > second;
}

/* Values over eleven powers of ten, from a fixed generator. */
static void test_many(void)
{
	enum { COUNT = 5 * PERCENTILES_EXACT };
	static const unsigned int percents[] = { 1, 50, 95, 99 };
	__u64 *values = calloc(COUNT, sizeof(*values)), state = 1, exact, got, error;
	unsigned int i;

	for (i = 0; i < COUNT; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		values[i] = (state >> 33) << (state >> 60);
	}
	fill(values, COUNT);
	qsort(values, COUNT, sizeof(*values), compare);
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		exact = values[(COUNT * percents[i] + 99) / 100 - 1];
		got = percentiles_get(&percentiles, percents[i]);
		error = got > exact ? got - exact : exact - got;
		CHECK(error <= exact / 128 + 1);
	}
	free(values);
}

/* Every bucket has its value: the smallest and the largest of each power of two. */
static void test_extremes(void)
{
	unsigned int i, j;

	for (i = 0; i < 64; i++) {
		__u64 value = 1ULL << i;

		memset(&percentiles, 0, sizeof(percentiles));
		for (j = 0; j <= PERCENTILES_EXACT; j++)
			percentiles_add(&percentiles, value);
		CHECK(percentiles_get(&percentiles, 50) - value <= value / 128 + 1);
	}
	memset(&percentiles, 0, sizeof(percentiles));
	for (j = 0; j <= PERCENTILES_EXACT; j++)
		percentiles_add(&percentiles, ~0ULL);
	CHECK(~0ULL - percentiles_get(&percentiles, 99) <= ~0ULL / 128);
}

int main(void)
{
	test_known_set();
	test_few();
	test_many();
	test_extremes();
	return check_finish();
}
