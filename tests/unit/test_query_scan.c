// SPDX-License-Identifier: GPL-2.0-or-later
/* Which records a question reads, with limits of memory so small that a history of some thousand records exceeds them. */
#include "src/query/query_list.h"
#include "src/query/query_newest.h"
#include "src/query/query_scan.h"
#include "src/util/message.h"
#include "tests/unit/history_files.h"

#define RECORDS 3000 /* with different ids, in the first file */
#define AGAIN 700    /* of them have a newer record, in the second file */
#define SECOND_FILE (1ULL << QUERY_POSITION_FILE_SHIFT)

static struct history_columns wanted;

/* The ids 0 to RECORDS - 1, and on the next day those from RECORDS - AGAIN on, and before them the ids 1 to 9 each twice. */
static void make_history(void)
{
	struct history_options options;
	struct history_store store;

	make_test_folder();
	options = test_options(test_folder);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 0, RECORDS, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 1, 9, NOON_NS + DAY_NS), 0);
	CHECK_EQUAL(write_records(&store, 1, 9, NOON_NS + DAY_NS), 0);
	CHECK_EQUAL(write_records(&store, RECORDS - AGAIN, AGAIN, NOON_NS + DAY_NS), 0);
	CHECK_EQUAL(history_store_finish(&store, NOON_NS + DAY_NS), 0);
	history_store_close(&store);
}

/* The position of the newest record of an id. An id of zeros is none. */
static __u64 position_of(unsigned int number)
{
	if (number >= 1 && number <= 9)
		return SECOND_FILE | (9 + number);
	return number < RECORDS - AGAIN ? number + 1 : SECOND_FILE | (18 + number - (RECORDS - AGAIN) + 1);
}

static int order_numbers(const void *left, const void *right)
{
	const __u64 *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

static __u64 expected[RECORDS];

static void set_expected(void)
{
	unsigned int i;

	for (i = 0; i < RECORDS; i++)
		expected[i] = position_of(i);
	qsort(expected, RECORDS, sizeof(*expected), order_numbers);
}

static struct query_scan open_scan(__u64 most_of_round, size_t most_ids)
{
	struct query_scan scan = { .selection = { .to_ns = ~0ULL },
				   .most_threads = 3,
				   .quiet = true,
				   .most_of_round = most_of_round,
				   .most_ids = most_ids };

	scan.selection.wanted = &wanted;
	CHECK(query_scan_open(&scan, test_folder));
	return scan;
}

static bool keep_position(void *list, struct nt_record *record, __u64 position)
{
	(void)record;
	return position_list_add(list, position);
}

static bool add_position(void *list, __u64 position)
{
	return position_list_add(list, position);
}

static void check_positions(struct position_list *found, unsigned int first, unsigned int count, bool reverse)
{
	unsigned int i;

	CHECK_EQUAL(found->count, count);
	for (i = 0; i < count && i < found->count; i++)
		CHECK_EQUAL(found->positions[i], expected[reverse ? first + count - 1 - i : first + i]);
	position_list_free(found);
}

static void test_groups_of(__u64 most_of_round)
{
	struct query_scan scan = open_scan(most_of_round, 0);
	struct position_list *lists;

	CHECK(query_scan_measure(&scan));
	lists = calloc(scan.threads, sizeof(*lists));
	query_scan_run(&scan, keep_position, lists, sizeof(*lists));
	position_lists_join(lists, scan.threads);
	CHECK(query_scan_report(&scan));
	check_positions(&lists[0], 0, RECORDS, false);
	free(lists);
	query_scan_close(&scan);
}

static void test_list_of(__u64 most_of_round, bool reverse)
{
	struct query_scan scan = open_scan(most_of_round, 0);
	struct position_list found = { 0 };

	query_list_run(&scan, reverse, add_position, &found);
	CHECK(query_scan_report(&scan));
	check_positions(&found, 0, RECORDS, reverse);
	query_scan_close(&scan);
}

static void test_newest_of(unsigned int most, size_t candidates)
{
	struct query_scan scan = open_scan(0, 0);
	struct position_list found = { 0 };
	unsigned int count = most < RECORDS ? most : RECORDS;

	query_newest_find(&scan, most, candidates, &found);
	CHECK(query_scan_report(&scan));
	check_positions(&found, RECORDS - count, count, true);
	query_scan_close(&scan);
}

/* More ids with several records than are held in memory: no answer, and it is said. */
static void test_too_many(void)
{
	struct query_scan scan = open_scan(0, AGAIN / 2);
	struct position_list found = { 0 };

	query_list_run(&scan, false, add_position, &found);
	CHECK_EQUAL(found.count, 0);
	CHECK(!query_scan_report(&scan));
	query_scan_close(&scan);
	scan = open_scan(0, AGAIN / 2);
	CHECK(query_scan_measure(&scan));
	query_scan_run(&scan, keep_position, &found, 0);
	CHECK_EQUAL(found.count, 0);
	CHECK(!query_scan_report(&scan));
	query_scan_close(&scan);
	position_list_free(&found);
}

int main(void)
{
	message_set_levels(true, false);
	freopen("/dev/null", "w", stderr); /* the reports */
	history_columns_add(&wanted, "src_port");
	make_history();
	set_expected();
	test_groups_of(0);
	test_groups_of(100);
	test_list_of(0, false);
	test_list_of(0, true);
	test_list_of(1, false);
	test_newest_of(1, 0);
	test_newest_of(AGAIN + 100, 0);
	test_newest_of(RECORDS + 5, 0);
	test_newest_of(1000, 7);
	test_newest_of(RECORDS + 5, 300);
	test_too_many();
	remove_test_folder();
	return check_finish();
}
