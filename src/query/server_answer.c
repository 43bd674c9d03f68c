// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/server_answer.h"

#include <stdio.h>
#include <stdlib.h>

#include "src/query/server_statement.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define ROWS_BETWEEN_CLOCKS 256
#define NS_PER_MINUTE 60000000000ULL
#define FIRST_SPAN_NS (10 * NS_PER_MINUTE)
#define SPAN_GROWTH 6
#define MOST_IN_SPANS 10000 /* records that are looked for in a part of the span first */

/* Rows of the server, one after another. */
struct row_list {
	struct text_buffer bytes;
	size_t *ends; /* of the rows in `bytes` */
	size_t count, capacity;
};

struct server_writer {
	struct query_scan *scan;
	struct delivery *delivery;
	__u64 latest_ns;
	bool is_accepted;     /* the last row */
	struct row_list kept; /* -n: the newest first */
};

struct row_visit {
	struct query_scan *scan;
	bool (*visit)(void *context, const char *row, size_t size);
	void *context;
};

static bool visit_counted_row(void *context, const char *row, size_t size)
{
	struct row_visit *visit = context;
	struct query_scan *scan = visit->scan;

	if (++scan->read.count % ROWS_BETWEEN_CLOCKS == 0 && progress_is_due(&scan->progress))
		progress_show(&scan->progress, &scan->read);
	return visit->visit(visit->context, row, size);
}

void server_answer_read(struct query_scan *scan, struct text_buffer *sql,
			bool (*visit)(void *context, const char *row, size_t size), void *context)
{
	struct row_visit visits = { .scan = scan, .visit = visit, .context = context };
	__u64 bad_before = scan->server->bad_rows;
	bool is_complete = query_server_run(scan->server, sql, visit_counted_row, &visits);

	message_clear();                             /* the progress */
	if (scan->server->bad_rows > bad_before + 1) /* one has been named */
		message_error("query: %llu rows of the server are no records and are left out",
			      (unsigned long long)(scan->server->bad_rows - bad_before));
	if (!is_complete || scan->server->bad_rows)
		scan->files.is_incomplete = true;
}

/* ---- all records ---- */

static bool write_server_record(void *context, struct nt_record *record, const json_t *row)
{
	struct server_writer *writer = context;

	(void)row;
	writer->is_accepted = filter_accepts(writer->scan->filter, record);
	if (!writer->is_accepted)
		return true;
	if (record->end_ns > writer->latest_ns)
		writer->latest_ns = record->end_ns;
	delivery_write(writer->delivery, record);
	return !delivery_is_over(writer->delivery);
}

static bool write_server_row(void *context, const char *row, size_t size)
{
	struct server_writer *writer = context;

	return query_server_take(writer->scan->server, row, size, write_server_record, writer);
}

static void write_all_rows(struct server_writer *writer, bool newest_first)
{
	struct query_scan *scan = writer->scan;
	struct text_buffer sql = { 0 };

	server_statement_append_records(&sql, scan->server, &scan->selection, newest_first, 0);
	server_answer_read(scan, &sql, write_server_row, writer);
}

/* ---- the newest ones ---- */

static bool keep_row_text(struct row_list *list, const char *row, size_t size)
{
	size_t capacity = list->capacity ? 2 * list->capacity : 128;
	size_t *larger;

	if (list->count == list->capacity) {
		larger = reallocarray(list->ends, capacity, sizeof(*larger));
		if (!larger)
			return false;
		list->ends = larger;
		list->capacity = capacity;
	}
	text_append(&list->bytes, row, size);
	list->ends[list->count++] = list->bytes.used;
	return !list->bytes.failed;
}

static bool judge_record(void *context, struct nt_record *record, const json_t *row)
{
	struct server_writer *writer = context;

	(void)row;
	writer->is_accepted = filter_accepts(writer->scan->filter, record);
	return true;
}

static bool keep_server_row(void *context, const char *row, size_t size)
{
	struct server_writer *writer = context;
	struct row_list *kept = &writer->kept;

	writer->is_accepted = false;
	query_server_take(writer->scan->server, row, size, judge_record, writer);
	if (writer->is_accepted && !keep_row_text(kept, row, size)) {
		writer->scan->no_memory = true;
		return false;
	}
	return kept->count < writer->delivery->options->max_records;
}

/* The server sends no more than so many; if it does not test the whole filter, the answer is ended when they are found. */
static __u64 most_rows(const struct query_server *server, __u64 most)
{
	return server->tests_filter ? most : 0;
}

static void find_newest_of(struct server_writer *writer, const struct history_selection *selection)
{
	const struct query_server *server = writer->scan->server;
	struct text_buffer sql = { 0 };

	writer->kept.count = 0;
	writer->kept.bytes.used = 0;
	server_statement_append_records(&sql, server, selection, true,
					most_rows(server, writer->delivery->options->max_records));
	server_answer_read(writer->scan, &sql, keep_server_row, writer);
}

/* The newest records are looked for in the last ten minutes, then in the last hour and so on: a record that ended later
 * takes the place of one that ended before, so that a span that reaches to the end has all that it needs. */
static void find_newest_rows(struct server_writer *writer)
{
	const struct query_scan *scan = writer->scan;
	struct history_selection selection = scan->selection;
	__u64 most = writer->delivery->options->max_records, to_ns = selection.to_ns, span_ns = FIRST_SPAN_NS;
	bool has_spans = most <= MOST_IN_SPANS && selection.match == HISTORY_TIME_IN && !scan->server->id;

	for (; has_spans && to_ns > span_ns && to_ns - span_ns > selection.from_ns; span_ns *= SPAN_GROWTH) {
		struct history_selection last = selection;

		last.from_ns = to_ns - span_ns;
		find_newest_of(writer, &last);
		if (writer->kept.count >= most || scan->files.is_incomplete || stop_is_requested())
			return;
	}
	find_newest_of(writer, &selection);
}

static void write_kept_row(struct server_writer *writer, size_t index)
{
	const struct row_list *kept = &writer->kept;
	size_t begin = index ? kept->ends[index - 1] : 0;

	query_server_take(writer->scan->server, kept->bytes.bytes + begin, kept->ends[index] - begin,
			  write_server_record, writer);
}

static void write_newest_rows(struct server_writer *writer, bool newest_first)
{
	struct row_list *kept = &writer->kept;
	size_t i;

	find_newest_rows(writer);
	for (i = 0; !writer->scan->files.is_incomplete && i < kept->count && !delivery_is_over(writer->delivery) &&
		    !stop_is_requested();
	     i++)
		write_kept_row(writer, newest_first ? i : kept->count - 1 - i);
	text_free(&kept->bytes);
	free(kept->ends);
}

__u64 server_answer_write_records(struct query_scan *scan, const struct options *options, struct delivery *delivery)
{
	struct server_writer writer = { .scan = scan, .delivery = delivery };

	if (delivery->options->max_records)
		write_newest_rows(&writer, options->reverse);
	else
		write_all_rows(&writer, options->reverse);
	return writer.latest_ns;
}

/* ---- the statements ---- */

static void append_statements(struct text_buffer *sql, const struct query_scan *scan, const struct options *options,
			      const struct groups *groups)
{
	const struct history_selection before = query_scan_before(scan);
	const struct query_server *server = scan->server;
	__u64 most = options->delivery.max_records;

	if (groups)
		server_statement_append_groups(sql, server, &scan->selection, groups);
	else
		server_statement_append_records(sql, server, &scan->selection, options->reverse || most,
						most_rows(server, most));
	if (options->only_new) {
		text_string(sql, ";\n");
		server_statement_append_earlier(sql, server, &before, groups);
	}
	text_string(sql, ";\n");
}

int server_answer_print(const struct query_scan *scan, const struct options *options, const struct groups *groups)
{
	struct text_buffer sql = { 0 };
	bool is_printed;

	append_statements(&sql, scan, options, groups);
	is_printed = !sql.failed && fwrite(sql.bytes, 1, sql.used, stdout) == sql.used && !fflush(stdout);
	text_free(&sql);
	if (is_printed)
		return EXIT_STATUS_DONE;
	message_error("--print-sql: cannot write to standard output");
	return EXIT_STATUS_BROKEN;
}
