// SPDX-License-Identifier: GPL-2.0-or-later
/* The values of groups: exact, in a histogram, and beyond the budget of memory. */
#include "src/query/group_values.h"
#include "tests/unit/check.h"

#define MANY 100000

static struct values_budget budget;

/* -MANY to MANY - 1, in no order: 7919 has no factor of 2 and 5. */
static __s64 value_at(unsigned int i)
{
	return (__s64)(i * 7919ULL % (2 * MANY)) - MANY;
}

static void add_many(struct group_values *values, unsigned int from, unsigned int to)
{
	unsigned int i;

	for (i = from; i < to; i++)
		CHECK(group_values_add(values, &budget, value_at(i)));
}

static void check_near(__s64 value, __s64 wanted)
{
	__s64 most = (wanted < 0 ? -wanted : wanted) / 128 + 1;

	CHECK(value >= wanted - most && value <= wanted + most);
}

/* The value at 5 % is the 10,000th of 200,000. */
static void check_percentiles(struct group_values *values)
{
	CHECK_EQUAL(group_values_count(values), 2 * MANY);
	check_near(group_values_percentile(values, 5), -MANY + MANY / 10 - 1);
	check_near(group_values_percentile(values, 50), -1);
	check_near(group_values_percentile(values, 51), MANY / 50 - 1);
	check_near(group_values_percentile(values, 95), MANY - MANY / 10 - 1);
}

static void test_exact(void)
{
	struct group_values values = { 0 };

	budget = (struct values_budget){ .most = GROUP_VALUES_BUDGET };
	add_many(&values, 0, 2 * MANY);
	CHECK(!group_values_are_approximate(&values));
	CHECK_EQUAL(group_values_percentile(&values, 5), -MANY + MANY / 10 - 1);
	CHECK_EQUAL(group_values_percentile(&values, 100), MANY - 1);
	check_percentiles(&values);
	group_values_free(&values, &budget);
	CHECK_EQUAL(budget.used, 0);
}

/* Beyond the budget a group has a histogram if that takes less than its values, and else nothing. */
static void test_histogram(void)
{
	struct group_values values = { 0 };

	budget = (struct values_budget){ .most = MANY };
	add_many(&values, 0, 2 * MANY);
	CHECK(values.is_cut);
	CHECK_EQUAL(group_values_count(&values), 0);
	CHECK_EQUAL(budget.used, 0);
	values.is_cut = false;
	budget.most = 4 * MANY;
	add_many(&values, 0, 2 * MANY);
	CHECK(group_values_are_approximate(&values));
	check_percentiles(&values);
	CHECK(budget.used <= budget.most);
	group_values_free(&values, &budget);
	CHECK_EQUAL(budget.used, 0);
}

static void test_more_than_exact(void)
{
	struct group_values values = { 0 };
	unsigned int i;

	budget = (struct values_budget){ .most = GROUP_VALUES_BUDGET };
	for (i = 0; i < GROUP_VALUES_EXACT; i++)
		CHECK(group_values_add(&values, &budget, -(__s64)i));
	CHECK(!group_values_are_approximate(&values));
	CHECK_EQUAL(group_values_percentile(&values, 50), -GROUP_VALUES_EXACT / 2);
	CHECK(group_values_add(&values, &budget, -GROUP_VALUES_EXACT));
	CHECK(group_values_are_approximate(&values));
	check_near(group_values_percentile(&values, 50), -GROUP_VALUES_EXACT / 2);
	group_values_free(&values, &budget);
}

/* Parts of a group, of which each has values, a histogram, or nothing any more. */
static void test_merge(void)
{
	struct group_values one = { 0 }, other = { 0 }, cut = { .is_cut = true };

	budget = (struct values_budget){ .most = GROUP_VALUES_BUDGET };
	add_many(&one, 0, MANY);
	add_many(&other, MANY, 2 * MANY);
	CHECK(group_values_merge(&one, &budget, &other));
	CHECK(!group_values_are_approximate(&one));
	check_percentiles(&one);
	group_values_free(&one, &budget);
	add_many(&one, 0, MANY);
	budget.most = budget.used + 4 * MANY;
	add_many(&other, MANY, 2 * MANY);
	CHECK(!group_values_are_approximate(&one) && group_values_are_approximate(&other));
	CHECK(group_values_merge(&one, &budget, &other));
	check_percentiles(&one);
	CHECK(group_values_merge(&one, &budget, &cut));
	CHECK(one.is_cut);
	CHECK_EQUAL(group_values_count(&one), 0);
	group_values_free(&one, &budget);
	group_values_free(&other, &budget);
	CHECK_EQUAL(budget.used, 0);
}

/* Small groups beyond the budget have no values; those before keep theirs. */
static void test_small_groups(void)
{
	struct group_values first = { 0 }, second = { 0 };
	int i;

	budget = (struct values_budget){ .most = 16 * sizeof(__s64) };
	for (i = 0; i < 16; i++) {
		CHECK(group_values_add(&first, &budget, i));
		CHECK(group_values_add(&second, &budget, i));
	}
	CHECK(!first.is_cut);
	CHECK_EQUAL(group_values_percentile(&first, 100), 15);
	CHECK(second.is_cut);
	CHECK(group_values_add(&first, &budget, 16));
	CHECK(first.is_cut);
	CHECK_EQUAL(budget.used, 0);
}

int main(void)
{
	test_exact();
	test_histogram();
	test_more_than_exact();
	test_merge();
	test_small_groups();
	return check_finish();
}
