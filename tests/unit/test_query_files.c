// SPDX-License-Identifier: GPL-2.0-or-later
/* The files that a question reads and their extents; and the files that the retention removes meanwhile. */
#include "src/query/query_files.h"
#include "src/query/query_scan.h"
#include "src/util/message.h"
#include "tests/unit/history_files.h"

#define RECORDS 2500 /* three marks, of 1024 records at most */

static const struct history_selection all = { .to_ns = ~0ULL };

/* Two files, of two days. */
static void make_history(void)
{
	struct history_options options;
	struct history_store store;

	make_test_folder();
	options = test_options(test_folder);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 0, RECORDS, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, RECORDS, 1, NOON_NS + DAY_NS), 0);
	CHECK_EQUAL(history_store_finish(&store, NOON_NS + DAY_NS), 0);
	history_store_close(&store);
}

static void remove_first(void)
{
	CHECK_EQUAL(history_folder_remove(test_folder, "2024-10-04-0001.db"), 0);
}

static void test_extents(void)
{
	struct history_selection selection = { .to_ns = ~0ULL, .after_seq = 1500, .last_seq = 1600 };
	struct query_reader reader = { 0 };
	struct query_files files = { 0 };
	struct history_extent extent;

	make_history();
	CHECK(query_files_list(&files, test_folder));
	query_files_measure(&files, &all);
	CHECK_EQUAL(files.names.count, 2);
	CHECK_EQUAL(files.files[0].extent.first_seq, 1);
	CHECK_EQUAL(files.files[0].extent.last_seq, RECORDS);
	CHECK_EQUAL(files.files[0].extent.records, RECORDS);
	CHECK_EQUAL(files.files[1].extent.records, 1);
	CHECK(query_files_open(&files, 0, &reader) != NULL);
	CHECK_EQUAL(history_reader_measure(reader.open, &selection, &extent), 0);
	CHECK_EQUAL(extent.first_seq, 1025);
	CHECK_EQUAL(extent.records, 1024);
	selection = (struct history_selection){ .from_ns = NOON_NS + DAY_NS, .to_ns = ~0ULL };
	query_files_measure(&files, &selection);
	CHECK_EQUAL(files.files[0].extent.records, 0);
	CHECK_EQUAL(files.files[0].extent.last_seq, RECORDS);
	CHECK_EQUAL(files.files[1].extent.records, 1);
	query_reader_close(&reader);
	query_files_free(&files);
	remove_test_folder();
}

struct seen_rows {
	__u64 first_seq, last_seq, count, most;
};

static bool see_row(void *context, const struct history_row *row, struct nt_record *record)
{
	struct seen_rows *seen = context;

	CHECK_EQUAL(row->id, row->seq - 1); /* numbered_record() */
	CHECK_EQUAL(record->src_port, row->seq - 1);
	seen->first_seq = seen->count++ ? seen->first_seq : row->seq;
	seen->last_seq = row->seq;
	return seen->count != seen->most;
}

static struct seen_rows scan_first(const struct history_selection *selection, __u64 most)
{
	struct seen_rows seen = { .most = most };
	struct history_reader *reader;

	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_scan(reader, selection, see_row, &seen), 0);
	history_reader_close(reader);
	return seen;
}

static void check_rows(struct seen_rows seen, __u64 first_seq, __u64 last_seq, __u64 count)
{
	CHECK_EQUAL(seen.first_seq, first_seq);
	CHECK_EQUAL(seen.last_seq, last_seq);
	CHECK_EQUAL(seen.count, count);
}

static void test_scan(void)
{
	struct history_selection part = { .to_ns = ~0ULL, .after_seq = 1000, .last_seq = 1100 };
	const struct history_selection back = { .to_ns = ~0ULL, .newest_first = true };
	const struct history_selection before = { .to_ns = NOON_NS - 1 },
				       since = { .from_ns = NOON_NS, .to_ns = NOON_NS };
	const struct history_selection alive = { .match = HISTORY_ALIVE_IN,
						 .from_ns = NOON_NS - 1,
						 .to_ns = NOON_NS - 1 };

	make_history();
	check_rows(scan_first(&all, 0), 1, RECORDS, RECORDS);
	check_rows(scan_first(&all, 7), 1, 7, 7);
	check_rows(scan_first(&part, 0), 1001, 1100, 100);
	check_rows(scan_first(&back, 0), RECORDS, 1, RECORDS);
	check_rows(scan_first(&back, 1100), RECORDS, RECORDS - 1099, 1100);
	check_rows(scan_first(&before, 0), 0, 0, 0);
	check_rows(scan_first(&since, 0), 1, RECORDS, RECORDS);
	check_rows(scan_first(&alive, 0), 1, RECORDS, RECORDS);
	remove_test_folder();
}

static void test_removed_file(void)
{
	struct query_reader reader = { 0 };
	struct query_files files = { 0 };

	make_history();
	CHECK(query_files_list(&files, test_folder));
	remove_first();
	query_files_measure(&files, &all);
	CHECK(!query_files_open(&files, 0, &reader));
	CHECK(query_files_open(&files, 1, &reader) != NULL);
	CHECK_EQUAL(files.removed, 1);
	CHECK(!files.is_incomplete);
	query_reader_close(&reader);
	query_files_free(&files);
	remove_test_folder();
}

static bool count_visit(void *state, struct nt_record *record, __u64 position)
{
	(void)record;
	(void)position;
	++*(unsigned int *)state;
	return true;
}

/* After the records were counted. */
static void test_removed_between_passes(void)
{
	struct query_scan scan = { .selection = all, .most_threads = 1, .quiet = true };
	struct history_columns none = { { 0 } };
	unsigned int count = 0;

	make_history();
	scan.selection.wanted = &none;
	CHECK(query_scan_open(&scan, test_folder));
	CHECK(query_scan_measure(&scan));
	remove_first();
	query_scan_run(&scan, count_visit, &count, sizeof(count));
	CHECK_EQUAL(count, 1);
	CHECK_EQUAL(scan.files.removed, 1);
	CHECK(!scan.files.is_incomplete);
	query_scan_close(&scan);
	remove_test_folder();
}

int main(void)
{
	message_set_levels(true, false);
	test_extents();
	test_scan();
	test_removed_file();
	test_removed_between_passes();
	return check_finish();
}
