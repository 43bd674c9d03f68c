// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_schema.h"

#include <errno.h>

#include "src/history/history_database.h"

/* The tables that hold no records. */
static const char other_tables[] =
	"CREATE TABLE mark(first_seq INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, min_start_ns INTEGER NOT NULL,"
	" min_time_ns INTEGER NOT NULL, max_time_ns INTEGER NOT NULL) STRICT;\n"
	"CREATE TABLE run(id INTEGER PRIMARY KEY, begin_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL,"
	" finished INTEGER NOT NULL, command TEXT NOT NULL, boot TEXT NOT NULL, version TEXT NOT NULL) STRICT;\n"
	"CREATE TABLE loss(time_ns INTEGER NOT NULL, cause TEXT NOT NULL, records INTEGER NOT NULL) STRICT;\n";

static const char *key_name(enum history_table table)
{
	return history_table_is_dictionary(table) ? "id" : "seq";
}

/* An id is a number, or a text if it is none of netracker's. */
static const char *type_name(const struct history_column *column)
{
	if (!column->field)
		return "INTEGER";
	switch (column->kind) {
	case FIELD_KIND_INTEGER:
	case FIELD_KIND_ENUMERATOR:
	case FIELD_KIND_BITS:
	case FIELD_KIND_TIME:
		return "INTEGER";
	case FIELD_KIND_ADDRESS:
		return "BLOB";
	default:
		return column->field->offset == offsetof(struct nt_record, id) ? "ANY" : "TEXT";
	}
}

static void append_table(struct text_buffer *sql, enum history_table table)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	text_format(sql, "CREATE TABLE %s(%s INTEGER PRIMARY KEY", history_table_names[table], key_name(table));
	for (i = 0; i < count; i++)
		if (columns[i].table == table)
			text_format(sql, ", %s %s", columns[i].name, type_name(&columns[i]));
	text_string(sql, ") STRICT;\n");
}

int history_schema_create(sqlite3 *db)
{
	struct text_buffer sql = { 0 };
	enum history_table table;
	int error = -ENOMEM;

	text_format(&sql, "PRAGMA application_id=%d;\nPRAGMA user_version=%d;\nBEGIN;\n", HISTORY_APPLICATION_ID,
		    HISTORY_SCHEMA_VERSION);
	for (table = 0; table < HISTORY_TABLES; table++)
		append_table(&sql, table);
	text_string(&sql, other_tables);
	history_view_append(&sql);
	text_string(&sql, "COMMIT;\n");
	text_char(&sql, '\0');
	if (!sql.failed)
		error = history_database_run(db, sql.bytes);
	text_free(&sql);
	return error;
}

int history_schema_version(sqlite3 *db)
{
	sqlite3_int64 application, version = 0;
	int error = history_database_number(db, "PRAGMA application_id", &application);

	if (!error)
		error = history_database_number(db, "PRAGMA user_version", &version);
	if (error)
		return error;
	return application == HISTORY_APPLICATION_ID && version > 0 ? (int)version : -EINVAL;
}

void history_schema_append_insert(struct text_buffer *sql, enum history_table table)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	text_format(sql, "INSERT INTO %s(%s", history_table_names[table], key_name(table));
	for (i = 0; i < count; i++)
		if (columns[i].table == table)
			text_format(sql, ",%s", columns[i].name);
	text_string(sql, ") VALUES(?");
	for (i = 0; i < count; i++)
		if (columns[i].table == table)
			text_string(sql, ",?");
	text_char(sql, ')');
	text_char(sql, '\0');
}
