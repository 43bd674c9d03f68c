// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/clickhouse/clickhouse_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/clickhouse/clickhouse_server.h"
#include "src/record/record_fields.h"
#include "src/util/message.h"

#define FIRST_FULL_MAJOR 20 /* DateTime64 of a table's key, and LowCardinality by default */
#define FIRST_FULL_MINOR 5
#define VERSION_COLUMN "schema_version"

/* ---- the statement ---- */

static bool name_ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), size = strlen(end);

	return length >= size && !strcmp(text + length - size, end);
}

static bool is_record_id(const char *name)
{
	return !strcmp(name, "id");
}

/* `list`: names with commas between. */
static bool has_column(const char *list, const char *name)
{
	size_t size = strlen(name);

	while (*list) {
		if (!strncmp(list, name, size) && (list[size] == ',' || !list[size]))
			return true;
		list += strcspn(list, ",");
		list += *list == ',';
	}
	return false;
}

/* Returns the type of a column, and whether NULL is its unknown value: text and lists have the empty one. Some times are
 * negative (docs/record.md). */
static const char *type_of(const struct record_field *field, const char *name, bool reduced, bool *has_null)
{
	enum field_kind kind = record_field_kind(field);

	*has_null = field->present >= 0;
	if (kind == FIELD_KIND_TIME && !reduced)
		return "DateTime64(9, 'UTC')";
	if (kind == FIELD_KIND_ADDRESS && !reduced)
		return "IPv6";
	if (field->type == FIELD_BOOLEAN)
		return "UInt8";
	if (field->type == FIELD_INTEGER && !name_ends_with(name, "_ns"))
		return "UInt64";
	if (field->type == FIELD_INTEGER || field->type == FIELD_SIGNED)
		return "Int64";
	*has_null = false;
	if (field->type == FIELD_LIST)
		return reduced ? "Array(String)" : "Array(LowCardinality(String))";
	return reduced || is_record_id(name) || kind == FIELD_KIND_TIME ? "String" : "LowCardinality(String)";
}

/* Appends the columns, but for those that are in the list `there`; `before` stands before each. */
static void append_columns(struct text_buffer *sql, const char *before, const char *there, bool reduced)
{
	char name[FIELD_KEY_SIZE];
	const char *type;
	unsigned int i;
	bool has_null;

	for (i = 0; i < record_field_count; i++) {
		record_field_name(i, name);
		/* A quarter of the table's size, and the tuple gives it. */
		if (!strcmp(name, "community_id") || has_column(there, name))
			continue;
		type = type_of(&record_fields[i], name, reduced, &has_null);
		text_format(sql, has_null ? "%s`%s` Nullable(%s), " : "%s`%s` %s, ", before, name, type);
	}
}

void clickhouse_table_append(struct text_buffer *sql, const struct clickhouse_table *table, bool reduced)
{
	text_format(sql, "CREATE TABLE IF NOT EXISTS %s.%s (", table->database, table->name);
	append_columns(sql, "", "", reduced);
	if (reduced)
		text_string(sql, "day Date MATERIALIZED toDate(substring(time, 1, 10)), ");
	text_format(sql, VERSION_COLUMN " UInt16 MATERIALIZED %d) ENGINE = ReplacingMergeTree() ",
		    CLICKHOUSE_TABLE_VERSION);
	text_string(sql, reduced ? "PARTITION BY day ORDER BY (day, host, comm, time, id, event)" :
				   "PARTITION BY toDate(time) "
				   "ORDER BY (toStartOfTenMinutes(time), host, comm, time, id, event)");
}

/* ---- ask ---- */

static bool report_answer(const struct clickhouse_server *server, const struct http_answer *answer)
{
	if (answer->refusal)
		message_error("%s: %s: %s", server->command, answer->refusal, answer->text);
	else if (!answer->status)
		message_error("%s: no answer: %s", server->command, answer->text);
	else if (answer->status == 401 || answer->status == 403)
		message_error("%s: the server refuses this user or password (status %ld); see --password-file and "
			      "--token-file: %.300s",
			      server->command, answer->status, answer->text);
	else
		message_error("%s: the server refuses (status %ld): %.300s", server->command, answer->status,
			      answer->text);
	return false;
}

/* Returns false after reporting why the server did not do it. */
static bool ask_server(const struct clickhouse_server *server, const char *query, struct http_answer *answer)
{
	http_client_post(server->http, "", query, strlen(query), false, answer);
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	return answer->status == 200 || report_answer(server, answer);
}

/* Its answer is empty if there is no such table. */
#define COLUMNS_QUERY "SELECT %s FROM system.columns WHERE database='%s' AND table='%s'"

/* Returns false after reporting the error. */
static bool ask_about_column(const struct clickhouse_server *server, const char *what, const char *column,
			     struct http_answer *answer)
{
	char query[512];

	snprintf(query, sizeof(query), COLUMNS_QUERY " AND name='%s'", what, server->table.database, server->table.name,
		 column);
	return ask_server(server, query, answer);
}

static bool ask_for_columns(const struct clickhouse_server *server, struct http_answer *answer)
{
	char query[512];

	snprintf(query, sizeof(query), COLUMNS_QUERY, "arrayStringConcat(groupArray(name), ',')",
		 server->table.database, server->table.name);
	return ask_server(server, query, answer);
}

static int read_version(const char *expression)
{
	const char *digits = expression + strcspn(expression, "0123456789"); /* older servers write CAST(1, 'UInt16') */

	return *digits ? atoi(digits) : CLICKHOUSE_NO_VERSION;
}

int clickhouse_table_ask_version(const struct clickhouse_server *server, struct http_answer *answer)
{
	char query[512];

	snprintf(query, sizeof(query), COLUMNS_QUERY " AND name='" VERSION_COLUMN "'", "default_expression",
		 server->table.database, server->table.name);
	http_client_post(server->http, "", query, strlen(query), false, answer);
	return answer->status == 200 ? read_version(answer->text) : CLICKHOUSE_NO_VERSION;
}

/* Returns false after reporting that the table is of another version, or not of --setup. */
static bool check_table(const struct clickhouse_server *server)
{
	struct http_answer answer;

	if (!ask_about_column(server, "default_expression", VERSION_COLUMN, &answer))
		return false;
	if (read_version(answer.text) == CLICKHOUSE_TABLE_VERSION)
		return true;
	message_error("%s: %s.%s is there, and is not the table of this version (%d); name another one in the URL",
		      server->command, server->table.database, server->table.name, CLICKHOUSE_TABLE_VERSION);
	return false;
}

bool clickhouse_table_inspect(const struct clickhouse_server *server, bool *is_reduced)
{
	struct http_answer answer;

	if (!ask_about_column(server, "type", "time", &answer))
		return false;
	*is_reduced = !strcmp(answer.text, "String");
	if (*is_reduced || !strncmp(answer.text, "DateTime64", strlen("DateTime64")))
		return check_table(server);
	if (*answer.text)
		message_error("%s: it is no ClickHouse server, or %s.%s is another table", server->command,
			      server->table.database, server->table.name);
	else
		message_error("%s: %s.%s: the server has no such table, or this user may not read it; netracker ship "
			      "--setup makes it",
			      server->command, server->table.database, server->table.name);
	return false;
}

/* ---- make ---- */

/* A server that is newer than the table does not change the types of its columns. Servers before 19 have no IF NOT EXISTS
 * here. */
static bool append_changes(const struct clickhouse_server *server, struct text_buffer *sql)
{
	struct http_answer time, there;

	if (!ask_about_column(server, "type", "time", &time) || !ask_for_columns(server, &there))
		return false;
	text_format(sql, "ALTER TABLE %s.%s ", server->table.database, server->table.name);
	append_columns(sql, "ADD COLUMN ", there.text, !strcmp(time.text, "String"));
	text_format(sql, "MODIFY COLUMN " VERSION_COLUMN " UInt16 MATERIALIZED %d", CLICKHOUSE_TABLE_VERSION);
	text_char(sql, '\0');
	return !sql->failed;
}

/* Adds the columns that an earlier version of the table lacks. Returns false after reporting the error. */
static bool renew_table(const struct clickhouse_server *server)
{
	struct text_buffer sql = { 0 };
	struct http_answer answer;
	bool is_renewed;
	int version;

	if (!ask_about_column(server, "default_expression", VERSION_COLUMN, &answer))
		return false;
	version = read_version(answer.text);
	if (version == CLICKHOUSE_NO_VERSION || version >= CLICKHOUSE_TABLE_VERSION)
		return true;
	is_renewed = append_changes(server, &sql) && ask_server(server, sql.bytes, &answer);
	text_free(&sql);
	if (is_renewed)
		message_note("%s: %s.%s had version %d; it has the columns of version %d now", server->command,
			     server->table.database, server->table.name, version, CLICKHOUSE_TABLE_VERSION);
	return is_renewed;
}

static bool make_table(const struct clickhouse_server *server, bool reduced)
{
	const struct clickhouse_table *table = &server->table;
	struct http_answer answer;
	struct text_buffer sql = { 0 };
	bool is_made;

	text_format(&sql, "CREATE DATABASE IF NOT EXISTS %s", table->database);
	text_char(&sql, '\0');
	is_made = !sql.failed && ask_server(server, sql.bytes, &answer);
	sql.used = 0;
	clickhouse_table_append(&sql, table, reduced);
	text_char(&sql, '\0');
	is_made = is_made && !sql.failed && ask_server(server, sql.bytes, &answer) && renew_table(server) &&
		  check_table(server);
	text_free(&sql);
	return is_made;
}

int clickhouse_table_make(const struct clickhouse_server *server)
{
	struct http_answer answer;
	unsigned int major = 0, minor = 0;
	bool reduced;

	if (!ask_server(server, "SELECT version()", &answer))
		return EXIT_STATUS_BROKEN;
	if (sscanf(answer.text, "%u.%u", &major, &minor) != 2) {
		message_error("%s: it is no ClickHouse server: it has no version", server->command);
		return EXIT_STATUS_BROKEN;
	}
	reduced = major < FIRST_FULL_MAJOR || (major == FIRST_FULL_MAJOR && minor < FIRST_FULL_MINOR);
	if (!make_table(server, reduced))
		return EXIT_STATUS_BROKEN;
	message_note("%s: %s.%s is there, on ClickHouse %s%s", server->command, server->table.database,
		     server->table.name, answer.text, reduced ? ": times and addresses are text" : "");
	return EXIT_STATUS_DONE;
}
