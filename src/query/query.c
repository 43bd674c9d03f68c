// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker query: questions to a history. */
#include "src/query/query.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/query/coverage.h"
#include "src/query/follow.h"
#include "src/query/group_answer.h"
#include "src/query/query_columns.h"
#include "src/query/query_scan.h"
#include "src/query/query_sql.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define NS_PER_SECOND 1000000000ULL

struct query {
	const struct options *options;
	struct query_scan scan;
	struct coverage coverage;
	struct history_columns wanted;
	struct groups groups; /* with --by */
	struct delivery delivery;
	__u64 latest_ns; /* of the records that were written */
};

/* Positions of records that one thread has found. */
struct position_list {
	__u64 *positions;
	size_t count, capacity, most; /* 0: any number */
	bool failed;                  /* no memory */
};

static __u64 query_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

/* Sets the span of time: -S and -U as journalctl has them, or --at. */
static void set_span(struct query *query)
{
	const struct options *options = query->options;
	struct history_selection *selection = &query->scan.selection;

	selection->match = options->at.last_ns ? HISTORY_ALIVE_IN : HISTORY_TIME_IN;
	selection->from_ns = options->at.last_ns ? options->at.first_ns : options->since.first_ns;
	selection->to_ns = query_now_ns();
	if (options->at.last_ns)
		selection->to_ns = options->at.last_ns;
	else if (options->until.last_ns)
		selection->to_ns = options->until.first_ns;
	query->coverage.from_ns = selection->from_ns;
	query->coverage.to_ns = selection->to_ns;
	if (options->follows) /* no record may come between the scan and what follows */
		selection->to_ns = ~0ULL;
}

static void prepare_scan(struct query *query)
{
	const struct options *options = query->options;

	query->scan.filter = options->delivery.filter;
	query->scan.most_threads = options->threads;
	query->scan.quiet = options->delivery.quiet;
	set_span(query);
	query_columns_add_filter(&query->wanted, options->delivery.filter);
	query->scan.selection.wanted = &query->wanted;
}

/* ---- records ---- */

static void write_position(struct query *query, __u64 position)
{
	struct nt_record record;

	if (!query_scan_find(&query->scan, position, &record))
		return;
	if (record.end_ns > query->latest_ns)
		query->latest_ns = record.end_ns;
	delivery_write(&query->delivery, &record);
}

static bool reserve_positions(struct position_list *list, size_t count)
{
	size_t capacity = list->capacity ? list->capacity : 128;
	__u64 *larger;

	while (capacity < list->count + count)
		capacity *= 2;
	if (capacity == list->capacity)
		return true;
	larger = reallocarray(list->positions, capacity, sizeof(*larger));
	if (!larger) {
		list->failed = true;
		return false;
	}
	list->positions = larger;
	list->capacity = capacity;
	return true;
}

static bool visit_to_keep(void *state, struct nt_record *record, __u64 position)
{
	struct position_list *list = state;

	(void)record;
	if (!reserve_positions(list, 1))
		return false;
	list->positions[list->count++] = position;
	return list->count != list->most;
}

/* Moves the positions of all lists to the first one. */
static void join_positions(struct position_list *lists, unsigned int count)
{
	unsigned int i;

	for (i = 1; i < count; i++) {
		if (lists[i].count && reserve_positions(&lists[0], lists[i].count)) {
			memcpy(lists[0].positions + lists[0].count, lists[i].positions,
			       lists[i].count * sizeof(*lists[i].positions));
			lists[0].count += lists[i].count;
		}
		lists[0].failed = lists[0].failed || lists[i].failed;
		free(lists[i].positions);
	}
}

static int order_positions(const void *left, const void *right)
{
	const __u64 *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

/* Writes the records in the order in which the history has them, or the last one first. */
static void write_positions(struct query *query, struct position_list *list)
{
	size_t i;

	query->scan.no_memory = query->scan.no_memory || list->failed;
	query_scan_expect(&query->scan, list->count);
	if (list->count)
		qsort(list->positions, list->count, sizeof(*list->positions), order_positions);
	for (i = 0; i < list->count && !delivery_is_over(&query->delivery) && !stop_is_requested(); i++)
		write_position(query, list->positions[query->options->reverse ? list->count - 1 - i : i]);
}

/* -n: the newest records are found from the end of the history. */
static void write_newest(struct query *query)
{
	struct position_list list = { .most = query->options->delivery.max_records };

	query_scan_run_back(&query->scan, visit_to_keep, &list);
	write_positions(query, &list);
	free(list.positions);
}

static void write_all(struct query *query)
{
	struct query_scan *scan = &query->scan;
	struct position_list *lists = query_scan_measure(scan) ? calloc(scan->threads, sizeof(*lists)) : NULL;

	if (!lists) {
		scan->no_memory = true;
		return;
	}
	query_scan_run(scan, visit_to_keep, lists, sizeof(*lists));
	join_positions(lists, scan->threads);
	write_positions(query, &lists[0]);
	free(lists[0].positions);
	free(lists);
}

static void write_records(struct query *query)
{
	if (query->options->delivery.max_records)
		write_newest(query);
	else
		write_all(query);
}

static void follow_records(struct query *query)
{
	struct follow follow = { 0 };

	if (query->options->since.last_ns)
		write_records(query);
	else
		query->coverage.from_ns = query->coverage.to_ns;
	follow_begin(&follow, &query->scan);
	query_reader_close(&query->scan.whole);
	follow_run(&follow, &query->delivery);
	query->scan.files.is_incomplete = query->scan.files.is_incomplete || follow.is_incomplete;
	query->coverage.to_ns = query_now_ns();
}

/* Returns the exit status. */
static int answer_with_records(struct query *query)
{
	if (!delivery_open(&query->delivery, &query->options->delivery))
		return EXIT_STATUS_BROKEN;
	if (query->options->follows)
		follow_records(query);
	else
		write_records(query);
	delivery_finish(&query->delivery, query->latest_ns, 0);
	return delivery_status(&query->delivery);
}

/* ---- what the answer covers ---- */

static void report_coverage(struct query *query)
{
	struct query_files *files = &query->scan.files;
	struct query_reader reader = { 0 };
	struct text_buffer text = { 0 };
	unsigned int i;

	for (i = 0; i < files->names.count; i++)
		if (query_files_open(files, i, &reader) && coverage_add_file(&query->coverage, reader.open))
			files->is_incomplete = true;
	query_reader_close(&reader);
	query->coverage.removed_files = files->removed;
	if (history_folder_has_writer(files->folder))
		coverage_extend(&query->coverage, query_now_ns());
	coverage_append(&query->coverage, &text);
	if (!text.failed && !query->coverage.failed)
		message_note("%.*s", (int)text.used, text.bytes);
	text_free(&text);
}

/* Returns the exit status. */
static int answer(struct query *query)
{
	struct query_scan *scan = &query->scan;
	int status;

	if (query->options->group_by)
		status = group_answer_write(&query->groups, query->options, scan);
	else
		status = answer_with_records(query);
	if (stop_is_requested() && !query->options->follows) {
		message_error("query: interrupted; the answer is not complete");
		return EXIT_STATUS_BROKEN;
	}
	report_coverage(query);
	if (scan->no_memory)
		message_error("query: out of memory; the answer is not complete: narrow the time with -S and -U");
	return scan->files.is_incomplete || scan->no_memory ? EXIT_STATUS_BROKEN : status;
}

static void query_clean_up(struct query *query)
{
	delivery_close(&query->delivery);
	groups_free(&query->groups);
	query_scan_close(&query->scan);
	coverage_free(&query->coverage);
}

int query_run(const struct options *options)
{
	struct query query = { .options = options };
	int status = EXIT_STATUS_BROKEN;

	stop_on_signals();
	prepare_scan(&query);
	if (query.scan.selection.from_ns > query.scan.selection.to_ns) {
		message_error("-S: the time is yet to come; name an earlier one; see: netracker query --help");
		status = EXIT_STATUS_USAGE;
	} else if (options->group_by && !group_answer_begin(&query.groups, options, &query.wanted)) {
		status = EXIT_STATUS_USAGE;
	} else if (options->prints_sql) {
		status = query_sql_print(options, &query.scan.selection, options->group_by ? &query.groups : NULL);
	} else if (query_scan_open(&query.scan, options->from)) {
		status = answer(&query);
	}
	query_clean_up(&query);
	return status;
}
