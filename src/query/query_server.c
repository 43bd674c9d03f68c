// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_server.h"

#include <signal.h>
#include <string.h>

#include "src/clickhouse/clickhouse_rows.h"
#include "src/filter/filter_implied.h"
#include "src/record/record_reader.h"
#include "src/util/message.h"

#define NS_PER_MS 1000000ULL
#define DEFAULT_TIMEOUT_MS 60000

/* ---- open ---- */

static int report_server_url(const char *text, const char *reason)
{
	message_error("--from %.200s: %s; valid: %s, or a folder", server_url_without_user(text), reason,
		      CLICKHOUSE_URL_FORM);
	return EXIT_STATUS_USAGE;
}

static bool connect_server(struct query_server *server, const struct server_url *url, const struct options *options)
{
	const struct http_settings settings = {
		.command = "query",
		.password_file = options->password_file,
		.token_file = options->token_file,
		.ca_file = options->ca_file,
		.cert_file = options->cert_file,
		.key_file = options->key_file,
		.timeout_ms = options->timeout_ns ? (long)(options->timeout_ns / NS_PER_MS) : DEFAULT_TIMEOUT_MS,
	};

	signal(SIGPIPE, SIG_IGN); /* a connection that ends is an error of the request */
	record_reader_begin("query");
	return clickhouse_server_open(&server->clickhouse, url, &settings);
}

/* Returns whether the server tests the whole filter. */
static bool server_tests_filter(const struct query_server *server)
{
	struct text_buffer sql = { 0 };
	bool tests_all = filter_append_implied(server->filter, FILTER_OF_RECORD, server->is_reduced, &sql) &&
			 !sql.failed;

	text_free(&sql);
	return tests_all;
}

int query_server_open(struct query_server *server, const struct options *options)
{
	struct server_url url;
	const char *reason = server_url_parse(&url, options->from);

	if (!reason)
		reason = clickhouse_check_url(&url);
	if (reason)
		return report_server_url(options->from, reason);
	server->id = options->id;
	server->filter = options->delivery.filter;
	if (!connect_server(server, &url, options) ||
	    !clickhouse_table_inspect(&server->clickhouse, &server->is_reduced))
		return EXIT_STATUS_BROKEN;
	server->tests_filter = server_tests_filter(server);
	return EXIT_STATUS_DONE;
}

void query_server_close(struct query_server *server)
{
	clickhouse_server_close(&server->clickhouse);
}

/* ---- rows ---- */

bool query_server_run(struct query_server *server, struct text_buffer *sql,
		      bool (*visit)(void *context, const char *row, size_t size), void *context)
{
	bool is_complete = false;

	text_char(sql, '\0');
	if (sql->failed)
		message_error("query: out of memory");
	else
		is_complete = clickhouse_rows_read(&server->clickhouse, sql->bytes, visit, context);
	text_free(sql);
	return is_complete;
}

struct row_taker {
	bool (*take)(void *context, struct nt_record *record, const json_t *row);
	void *context;
	bool is_called;
};

static bool take_record(void *context, struct nt_record *record, const json_t *row)
{
	struct row_taker *taker = context;

	taker->is_called = true;
	return taker->take(taker->context, record, row);
}

static void report_bad_row(struct query_server *server, const struct text_buffer *reason)
{
	if (!server->bad_rows++)
		message_error("query: a row of the server is not a record and is left out: %.*s", (int)reason->used,
			      reason->bytes ? reason->bytes : "");
}

bool query_server_take(struct query_server *server, const char *row, size_t size,
		       bool (*take)(void *context, struct nt_record *record, const json_t *row), void *context)
{
	struct row_taker taker = { .take = take, .context = context };
	struct text_buffer reason = { 0 };
	bool goes_on = clickhouse_rows_take(row, size, take_record, &taker, &reason);

	if (!taker.is_called)
		report_bad_row(server, &reason);
	text_free(&reason);
	return goes_on || !taker.is_called;
}
