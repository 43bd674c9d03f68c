// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker query: questions to a history. */
#include "src/query/query.h"

#include <stdlib.h>
#include <time.h>

#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/query/coverage.h"
#include "src/query/follow.h"
#include "src/query/group_answer.h"
#include "src/query/query_columns.h"
#include "src/query/query_scan.h"
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
	__u64 *positions; /* with -n: of the newest records, the newest first */
	size_t position_count, position_capacity;
	__u64 latest_ns; /* of the records that were written */
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

	query->scan.folder = options->from;
	query->scan.filter = options->delivery.filter;
	query->scan.quiet = options->delivery.quiet;
	query->scan.newest_first = options->reverse || options->delivery.max_records;
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

static bool visit_to_write(void *context, struct nt_record *record, __u64 position)
{
	struct query *query = context;

	(void)record;
	write_position(query, position);
	return !delivery_is_over(&query->delivery);
}

static bool visit_to_keep(void *context, struct nt_record *record, __u64 position)
{
	struct query *query = context;
	size_t capacity = query->position_capacity ? 2 * query->position_capacity : 128;
	__u64 *larger;

	(void)record;
	if (query->position_count == query->position_capacity) {
		larger = reallocarray(query->positions, capacity, sizeof(*larger));
		if (!larger) {
			query->scan.no_memory = true;
			return false;
		}
		query->positions = larger;
		query->position_capacity = capacity;
	}
	query->positions[query->position_count++] = position;
	return query->position_count < query->options->delivery.max_records;
}

/* The newest ones are found from the end of the history, and written in the order of time. */
static void write_newest(struct query *query)
{
	query_scan_run(&query->scan, visit_to_keep, query);
	while (query->position_count && !delivery_is_over(&query->delivery))
		write_position(query, query->positions[--query->position_count]);
}

static void write_records(struct query *query)
{
	const struct options *options = query->options;

	if (!options->delivery.max_records)
		query_scan_find_newest(&query->scan);
	if (options->delivery.max_records && !options->reverse)
		write_newest(query);
	else
		query_scan_run(&query->scan, visit_to_write, query);
}

static void follow_records(struct query *query)
{
	struct follow follow = { 0 };

	if (query->options->since.last_ns)
		write_records(query);
	else
		query->coverage.from_ns = query->coverage.to_ns;
	follow_begin(&follow, &query->scan);
	query_scan_close_files(&query->scan);
	follow_run(&follow, &query->delivery);
	query->scan.is_incomplete = query->scan.is_incomplete || follow.is_incomplete;
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
	struct query_scan *scan = &query->scan;
	struct text_buffer text = { 0 };
	unsigned int i;

	for (i = 0; i < scan->names.count; i++) {
		struct history_reader *reader = query_scan_reader(scan, i);

		if (reader && coverage_add_file(&query->coverage, reader))
			scan->is_incomplete = true;
	}
	if (history_folder_has_writer(scan->folder))
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
	report_coverage(query);
	if (scan->no_memory)
		message_error("query: out of memory; the answer is not complete: narrow the time with -S and -U");
	return scan->is_incomplete || scan->no_memory ? EXIT_STATUS_BROKEN : status;
}

static void query_clean_up(struct query *query)
{
	delivery_close(&query->delivery);
	groups_free(&query->groups);
	query_scan_close(&query->scan);
	coverage_free(&query->coverage);
	free(query->positions);
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
	} else if (query_scan_open(&query.scan)) {
		status = answer(&query);
	}
	query_clean_up(&query);
	return status;
}
