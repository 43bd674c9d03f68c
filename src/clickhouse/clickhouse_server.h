/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ClickHouse server's HTTP interface, and one table of it. */
#ifndef NETRACKER_CLICKHOUSE_SERVER_H
#define NETRACKER_CLICKHOUSE_SERVER_H

#include <stdbool.h>

#include "src/clickhouse/clickhouse_table.h"
#include "src/http/http_client.h"
#include "src/http/server_url.h"

#define CLICKHOUSE_SCHEME "clickhouse"
#define CLICKHOUSE_TLS_SCHEME "clickhouses"
#define CLICKHOUSE_URL_FORM "clickhouse://[USER@]HOST[:PORT]/DATABASE[/TABLE]"

struct clickhouse_server {
	const char *command; /* for messages */
	struct http_client *http;
	struct clickhouse_table table;
};

/* Returns whether the text begins as such a URL. */
bool clickhouse_is_url(const char *text);

/* Checks the path, and sets port and table if they were left out. Returns NULL, or why it is no such URL. */
const char *clickhouse_check_url(struct server_url *url);

/* Sets the server; connects at the first request. `url` was checked. Returns false after reporting the error; call
 * clickhouse_server_close() either way. */
bool clickhouse_server_open(struct clickhouse_server *server, const struct server_url *url,
			    const struct http_settings *settings);
void clickhouse_server_close(struct clickhouse_server *server);

#endif
