// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_clickhouse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/clickhouse/clickhouse_server.h"
#include "src/output/format.h"
#include "src/ship/ship_judge.h"
#include "src/util/message.h"

/* The formats of time that records have; keys that the table has no column for. */
#define SETTINGS "&date_time_input_format=best_effort&input_format_skip_unknown_fields=1"
/* The server collects inserts of few records into one part, and answers when that is written. What it does else depends on its
 * version and the user's profile. Servers before 20.12 do not know these settings. */
#define ASYNC_SETTINGS "&wait_for_async_insert=1&async_insert="
#define UNKNOWN_SETTING "Code: 115"
#define FEW_RECORDS 1000 /* a tenth of a batch */

struct clickhouse {
	struct clickhouse_server server;
	char *insert; /* path and query, without ASYNC_SETTINGS */
	bool is_old;  /* it does not know ASYNC_SETTINGS */
	bool is_checked;
	bool is_foreign; /* the table was not made by --setup, which is to be said */
};

/* ---- open ---- */

static void clickhouse_close(void *connection)
{
	struct clickhouse *clickhouse = connection;

	if (!clickhouse)
		return;
	clickhouse_server_close(&clickhouse->server);
	free(clickhouse->insert);
	free(clickhouse);
}

static bool set_insert(struct clickhouse *clickhouse)
{
	char query[3 * SERVER_NAME_SIZE], *escaped;
	int size;

	snprintf(query, sizeof(query), "INSERT INTO %s.%s FORMAT JSONEachRow", clickhouse->server.table.database,
		 clickhouse->server.table.name);
	escaped = http_client_escape(clickhouse->server.http, query);
	if (!escaped)
		return false;
	size = asprintf(&clickhouse->insert, "?query=%s" SETTINGS, escaped);
	http_client_free(escaped);
	if (size < 0)
		clickhouse->insert = NULL;
	return clickhouse->insert;
}

static void *clickhouse_open(const struct server_url *url, const struct ship_settings *settings)
{
	struct clickhouse *clickhouse = calloc(1, sizeof(*clickhouse));

	if (!clickhouse) {
		message_error("ship: out of memory");
		return NULL;
	}
	if (clickhouse_server_open(&clickhouse->server, url, &settings->http) && set_insert(clickhouse))
		return clickhouse;
	clickhouse_close(clickhouse);
	return NULL;
}

static int clickhouse_set_up(void *connection)
{
	struct clickhouse *clickhouse = connection;

	return clickhouse_table_make(&clickhouse->server);
}

/* ---- send ---- */

static void clickhouse_encode(void *connection, struct text_buffer *bytes, const struct nt_record *record)
{
	static const struct format_view view;

	(void)connection;
	format_json.record(bytes, record, &view);
}

static bool is_unknown_setting(const struct http_answer *http)
{
	return http->status >= 400 && !strncmp(http->text, UNKNOWN_SETTING, sizeof(UNKNOWN_SETTING) - 1) &&
	       strstr(http->text, "async_insert");
}

/* The answer to a row that cannot be read names its place. */
#define PLACE_OF_ROW "(at row "

static bool names_row(const struct http_answer *http)
{
	return !strncmp(http->text, "Code: ", 6) && strstr(http->text, PLACE_OF_ROW);
}

static unsigned int row_of(const struct http_answer *http)
{
	const char *place = strstr(http->text, PLACE_OF_ROW);
	unsigned long row = strtoul(place + sizeof(PLACE_OF_ROW) - 1, NULL, 10);

	return row <= SHIP_MOST_RECORDS ? (unsigned int)row : 0;
}

/* ClickHouse has nothing to say to an INSERT that it did; other servers may take any request. */
static void judge(const struct http_answer *http, struct ship_answer *answer)
{
	ship_judge_http(http, answer);
	answer->is_record = names_row(http);
	answer->bad_row = answer->is_record ? row_of(http) : 0;
	if (answer->verdict == SHIP_TAKEN && http->size) {
		answer->verdict = SHIP_REFUSED;
		ship_judge_explain(http, "it is no ClickHouse server", answer);
	} else if (http->status == 404) {
		ship_judge_explain(http, "the server has no such table; netracker ship --setup makes it", answer);
	}
}

static void insert_rows(const struct clickhouse *clickhouse, const char *rows, size_t size, unsigned int count,
			struct http_answer *http)
{
	char target[1024];

	snprintf(target, sizeof(target), "%s%s%s", clickhouse->insert, clickhouse->is_old ? "" : ASYNC_SETTINGS,
		 clickhouse->is_old  ? "" :
		 count < FEW_RECORDS ? "1" :
				       "0");
	http_client_post(clickhouse->server.http, target, rows, size, true, http);
}

/* Keys that the table has no column for would be lost, so its version is asked before the first records are sent. What a
 * server answers that does not say it, as to a user who may only insert, is no reason to send nothing. Returns false after
 * filling in the answer. */
static bool check_table_version(struct clickhouse *clickhouse, struct ship_answer *answer)
{
	struct http_answer http;
	int version;

	if (clickhouse->is_checked)
		return true;
	version = clickhouse_table_ask_version(&clickhouse->server, &http);
	if (!http.status) {
		judge(&http, answer);
		return false;
	}
	clickhouse->is_foreign = http.status == 200 && version == CLICKHOUSE_NO_VERSION;
	clickhouse->is_checked = version >= CLICKHOUSE_TABLE_VERSION ||
				 (version == CLICKHOUSE_NO_VERSION && http.status < 500);
	if (version == CLICKHOUSE_NO_VERSION || clickhouse->is_checked)
		return true;
	answer->verdict = SHIP_REFUSED;
	snprintf(answer->reason, sizeof(answer->reason),
		 "the table has version %d and lacks keys of version %d; netracker ship --setup adds them", version,
		 CLICKHOUSE_TABLE_VERSION);
	return false;
}

static void say_foreign(struct clickhouse *clickhouse)
{
	if (clickhouse->is_foreign)
		message_note("ship: %s.%s was not made by --setup; keys that it has no column for are not stored",
			     clickhouse->server.table.database, clickhouse->server.table.name);
	clickhouse->is_foreign = false;
}

static void clickhouse_send(void *connection, const struct ship_batch *batch, unsigned int first, unsigned int count,
			    struct ship_answer *answer)
{
	struct clickhouse *clickhouse = connection;
	struct http_answer http;
	const char *rows;
	size_t size = ship_batch_bytes(batch, first, count, &rows);

	if (!check_table_version(clickhouse, answer))
		return;
	insert_rows(clickhouse, rows, size, count, &http);
	if (!clickhouse->is_old && is_unknown_setting(&http)) {
		clickhouse->is_old = true;
		insert_rows(clickhouse, rows, size, count, &http);
	}
	judge(&http, answer);
	if (answer->verdict == SHIP_TAKEN)
		say_foreign(clickhouse);
}

const struct ship_destination ship_clickhouse = {
	.name = "clickhouse",
	.schemes = { CLICKHOUSE_SCHEME, CLICKHOUSE_TLS_SCHEME },
	.form = CLICKHOUSE_URL_FORM,
	.options = SHIP_PASSWORD | SHIP_TOKEN | SHIP_CERTIFICATES | SHIP_COMPRESSION,
	.check = clickhouse_check_url,
	.open = clickhouse_open,
	.close = clickhouse_close,
	.set_up = clickhouse_set_up,
	.encode = clickhouse_encode,
	.send = clickhouse_send,
};
