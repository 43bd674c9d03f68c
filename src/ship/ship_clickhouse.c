// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_clickhouse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/output/format.h"
#include "src/ship/ship_http.h"
#include "src/ship/ship_table.h"
#include "src/util/message.h"

#define DEFAULT_TABLE "conn"
#define HTTP_PORT 8123
#define HTTPS_PORT 8443
#define TLS_SCHEME "clickhouses"
/* The formats of time that records have; keys that the table has no column for. */
#define SETTINGS "&date_time_input_format=best_effort&input_format_skip_unknown_fields=1"
/* If the server collects inserts, it answers when they are written. Servers before 20.12 do not know it. */
#define WAIT_SETTING "wait_for_async_insert"

struct clickhouse {
	struct ship_http *http;
	struct ship_url url;
	struct ship_table table;
	char *insert; /* path and query */
	bool is_old;  /* it does not know WAIT_SETTING */
};

static bool is_clickhouse_tls(const struct ship_url *url)
{
	return !strcmp(url->scheme, TLS_SCHEME);
}

static bool is_name(const char *text, size_t size)
{
	return size && size < SHIP_NAME_SIZE && !memchr(text, '.', size) && !memchr(text, '-', size);
}

static const char *clickhouse_check(struct ship_url *url)
{
	size_t length = strcspn(url->path, "/");
	const char *table = url->path + length;

	if (!is_name(url->path, length))
		return "it needs a database after the host: letters, digits and _";
	if (*table == '/') {
		table++;
		if (!is_name(table, strlen(table)) || strchr(table, '/'))
			return "the table after the database may have letters, digits and _";
	} else {
		snprintf(url->path + length, sizeof(url->path) - length, "/" DEFAULT_TABLE);
	}
	if (!url->port)
		url->port = is_clickhouse_tls(url) ? HTTPS_PORT : HTTP_PORT;
	return NULL;
}

/* ---- open ---- */

static void clickhouse_close(void *connection)
{
	struct clickhouse *clickhouse = connection;

	if (!clickhouse)
		return;
	ship_http_close(clickhouse->http);
	free(clickhouse->insert);
	free(clickhouse);
}

static bool set_insert(struct clickhouse *clickhouse)
{
	char query[3 * SHIP_NAME_SIZE], *escaped;
	int size;

	snprintf(query, sizeof(query), "INSERT INTO %s.%s FORMAT JSONEachRow", clickhouse->table.database,
		 clickhouse->table.name);
	escaped = ship_http_escape(clickhouse->http, query);
	if (!escaped)
		return false;
	size = asprintf(&clickhouse->insert, "?query=%s" SETTINGS "%s", escaped,
			clickhouse->is_old ? "" : "&" WAIT_SETTING "=1");
	ship_http_free(escaped);
	if (size < 0)
		clickhouse->insert = NULL;
	return clickhouse->insert;
}

static bool add_credentials(struct ship_http *http, const struct ship_url *url, const struct ship_settings *settings)
{
	char header[SHIP_NAME_SIZE + 32];

	snprintf(header, sizeof(header), "X-ClickHouse-User: %s", url->user);
	if (*url->user && !ship_http_add_header(http, header))
		return false;
	if (settings->token_file)
		return ship_http_add_secret(http, "Authorization: Bearer ", settings->token_file);
	return !settings->password_file || ship_http_add_secret(http, "X-ClickHouse-Key: ", settings->password_file);
}

static void *clickhouse_open(const struct ship_url *url, const struct ship_settings *settings)
{
	struct clickhouse *clickhouse = calloc(1, sizeof(*clickhouse));
	size_t length = strcspn(url->path, "/");

	if (!clickhouse) {
		message_error("ship: out of memory");
		return NULL;
	}
	clickhouse->url = *url;
	memcpy(clickhouse->table.database, url->path, length);
	snprintf(clickhouse->table.name, sizeof(clickhouse->table.name), "%s", url->path + length + 1);
	clickhouse->http = ship_http_open(url, is_clickhouse_tls(url), settings);
	if (clickhouse->http && add_credentials(clickhouse->http, url, settings) && set_insert(clickhouse))
		return clickhouse;
	clickhouse_close(clickhouse);
	return NULL;
}

static int clickhouse_set_up(void *connection)
{
	struct clickhouse *clickhouse = connection;

	return ship_table_make(clickhouse->http, &clickhouse->table);
}

/* ---- send ---- */

static void clickhouse_encode(void *connection, struct text_buffer *bytes, const struct nt_record *record)
{
	static const struct format_view view;

	(void)connection;
	format_json.record(bytes, record, &view);
}

static bool is_unknown_setting(const struct ship_http_answer *http)
{
	return http->status && http->status != 200 && strstr(http->text, WAIT_SETTING);
}

/* The answer to a row that cannot be read names its place. */
static bool names_row(const struct ship_http_answer *http)
{
	return !strncmp(http->text, "Code: ", 6) && strstr(http->text, "(at row ");
}

/* ClickHouse has nothing to say to an INSERT that it did; other servers may take any request. */
static void judge(const struct ship_http_answer *http, struct ship_answer *answer)
{
	ship_http_judge(http, answer);
	answer->is_record = names_row(http);
	if (answer->verdict == SHIP_TAKEN && http->size) {
		answer->verdict = SHIP_REFUSED;
		ship_http_explain(http, "it is no ClickHouse server", answer);
	} else if (http->status == 404) {
		ship_http_explain(http, "the server has no such table; netracker ship --setup makes it", answer);
	}
}

/* Returns false after filling in the answer. */
static bool replace_insert(struct clickhouse *clickhouse, struct ship_answer *answer)
{
	free(clickhouse->insert);
	if (set_insert(clickhouse))
		return true;
	clickhouse->insert = NULL;
	answer->verdict = SHIP_REFUSED;
	snprintf(answer->reason, sizeof(answer->reason), "out of memory");
	return false;
}

static void clickhouse_send(void *connection, const struct ship_batch *batch, unsigned int first, unsigned int count,
			    struct ship_answer *answer)
{
	struct clickhouse *clickhouse = connection;
	struct ship_http_answer http;
	const char *rows;
	size_t size = ship_batch_bytes(batch, first, count, &rows);

	ship_http_post(clickhouse->http, clickhouse->insert, rows, size, true, &http);
	if (!clickhouse->is_old && is_unknown_setting(&http)) {
		clickhouse->is_old = true;
		if (!replace_insert(clickhouse, answer))
			return;
		ship_http_post(clickhouse->http, clickhouse->insert, rows, size, true, &http);
	}
	judge(&http, answer);
}

const struct ship_destination ship_clickhouse = {
	.name = "clickhouse",
	.schemes = { "clickhouse", TLS_SCHEME },
	.form = "clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE]",
	.options = SHIP_PASSWORD | SHIP_TOKEN | SHIP_CERTIFICATES,
	.check = clickhouse_check,
	.open = clickhouse_open,
	.close = clickhouse_close,
	.set_up = clickhouse_set_up,
	.encode = clickhouse_encode,
	.send = clickhouse_send,
};
