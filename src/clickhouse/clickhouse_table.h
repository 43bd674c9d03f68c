/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_CLICKHOUSE_TABLE_H
#define NETRACKER_CLICKHOUSE_TABLE_H

#include <stdbool.h>

#include "src/http/server_url.h"
#include "src/util/text_buffer.h"

#define CLICKHOUSE_TABLE_VERSION 1 /* of its columns and its key */

#define CLICKHOUSE_NO_VERSION (-1)

struct clickhouse_server;
struct http_answer;

struct clickhouse_table {
	char database[SERVER_NAME_SIZE], name[SERVER_NAME_SIZE];
};

/* Appends the statement that makes the table: a column for each key of the record. `reduced`: for servers before 20.5,
 * which have no types for addresses and nanoseconds. */
void clickhouse_table_append(struct text_buffer *sql, const struct clickhouse_table *table, bool reduced);

/* Makes database and table unless they are there, and adds the columns that a table of an earlier version lacks. Returns the
 * exit status, after reporting the result. */
int clickhouse_table_make(const struct clickhouse_server *server);

/* Returns the version of the table; CLICKHOUSE_NO_VERSION if the server's answer names none, as if there is no table. Reports
 * nothing. */
int clickhouse_table_ask_version(const struct clickhouse_server *server, struct http_answer *answer);

/* Sets whether the table is a reduced one. Returns false after reporting that the server does not answer, or that it has
 * no such table of this version. */
bool clickhouse_table_inspect(const struct clickhouse_server *server, bool *is_reduced);

#endif
