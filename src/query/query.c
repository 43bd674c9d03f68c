// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker query: questions to a history. */
#include "src/query/query.h"

#include <time.h>

#include "src/cli/options.h"
#include "src/delivery/delivery.h"
#include "src/query/coverage.h"
#include "src/query/follow.h"
#include "src/query/group_answer.h"
#include "src/query/query_columns.h"
#include "src/query/query_list.h"
#include "src/query/query_newest.h"
#include "src/query/query_scan.h"
#include "src/query/query_server.h"
#include "src/query/query_sql.h"
#include "src/query/server_answer.h"
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

/* Returns whether to go on. */
static bool write_position(void *context, __u64 position)
{
	struct query *query = context;
	struct nt_record record;

	if (!query_scan_find(&query->scan, position, &record))
		return true;
	if (record.end_ns > query->latest_ns)
		query->latest_ns = record.end_ns;
	delivery_write(&query->delivery, &record);
	return !delivery_is_over(&query->delivery);
}

/* -n: the newest records are found from the end of the history. */
static void write_newest(struct query *query)
{
	struct position_list list = { 0 };
	size_t i;

	query_newest_find(&query->scan, query->options->delivery.max_records, 0, &list);
	query_scan_expect(&query->scan, list.count);
	for (i = 0; i < list.count && !stop_is_requested(); i++)
		if (!write_position(query, list.positions[query->options->reverse ? i : list.count - 1 - i]))
			break;
	position_list_free(&list);
}

static void write_records(struct query *query)
{
	if (query->options->delivery.max_records)
		write_newest(query);
	else
		query_list_run(&query->scan, query->options->reverse, write_position, query);
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

/* Returns whether a server's answer was cut, so that sums would be those of a part. */
static bool has_partial_sums(const struct query *query)
{
	return query->scan.server && query->scan.files.is_incomplete && query->options->delivery.output.summary;
}

/* Returns the exit status. */
static int answer_with_records(struct query *query)
{
	if (!delivery_open(&query->delivery, &query->options->delivery))
		return EXIT_STATUS_BROKEN;
	if (query->options->follows)
		follow_records(query);
	else if (query->scan.server)
		query->latest_ns = server_answer_write_records(&query->scan, query->options, &query->delivery);
	else
		write_records(query);
	if (has_partial_sums(query))
		return EXIT_STATUS_BROKEN;
	delivery_finish(&query->delivery, query->latest_ns, 0);
	return delivery_status(&query->delivery);
}

/* ---- what the answer covers ---- */

static void print_coverage(const struct query *query, struct text_buffer *text)
{
	if (!text->failed && !query->coverage.failed)
		message_note("%.*s", (int)text->used, text->bytes);
	text_free(text);
}

static void report_coverage_of_server(struct query *query)
{
	struct text_buffer text = { 0 };

	coverage_append_of_server(&query->coverage, &text);
	print_coverage(query, &text);
}

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
	print_coverage(query, &text);
}

/* Returns the exit status. */
static int answer(struct query *query)
{
	struct query_scan *scan = &query->scan;
	bool is_complete;
	int status;

	if (query->options->group_by)
		status = group_answer_write(&query->groups, query->options, scan);
	else
		status = answer_with_records(query);
	if (stop_is_requested() && !query->options->follows) {
		message_error("query: interrupted; the answer is not complete");
		return EXIT_STATUS_BROKEN;
	}
	if (scan->server)
		report_coverage_of_server(query);
	else
		report_coverage(query);
	is_complete = query_scan_report(scan) && !scan->files.is_incomplete;
	return is_complete ? status : EXIT_STATUS_BROKEN;
}

/* Returns the exit status. */
static int answer_from_server(struct query *query)
{
	struct query_server server = { 0 };
	int status = query_server_open(&server, query->options);

	query_scan_open_server(&query->scan, &server);
	if (status == EXIT_STATUS_DONE)
		status = query->options->prints_sql ?
				 server_answer_print(&query->scan, query->options,
						     query->options->group_by ? &query->groups : NULL) :
				 answer(query);
	query_server_close(&server);
	return status;
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
	} else if (clickhouse_is_url(options->from)) {
		status = answer_from_server(&query);
	} else if (options->prints_sql) {
		status = query_sql_print(options, &query.scan.selection, options->group_by ? &query.groups : NULL);
	} else if (query_scan_open(&query.scan, options->from)) {
		status = answer(&query);
	}
	query_clean_up(&query);
	return status;
}
