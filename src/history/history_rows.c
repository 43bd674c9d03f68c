// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_rows.h"

#include <errno.h>
#include <string.h>

#include "src/history/history_database.h"

static bool is_reference_to_wanted(const struct history_column *column, const struct history_columns *wanted)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < count; i++)
		if (columns[i].table == column->dictionary && history_columns_has(wanted, i))
			return true;
	return false;
}

static bool is_wanted(const struct history_columns *wanted, const struct history_column *column, unsigned int index)
{
	if (!wanted)
		return true;
	return column->field ? history_columns_has(wanted, index) : is_reference_to_wanted(column, wanted);
}

static void choose_column(struct history_rows *rows, const char *name, const struct history_columns *wanted)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < count; i++)
		if (columns[i].table == rows->table && !strcmp(columns[i].name, name) &&
		    is_wanted(wanted, &columns[i], i) && rows->count < HISTORY_MOST_COLUMNS)
			rows->index[rows->count++] = i;
}

int history_rows_choose(struct history_rows *rows, sqlite3 *db, enum history_table table,
			const struct history_columns *wanted)
{
	sqlite3_stmt *statement;
	int error = history_database_prepare(db, &statement, "SELECT name FROM pragma_table_info(?)"), result;

	rows->table = table;
	rows->count = 0;
	if (error)
		return error;
	sqlite3_bind_text(statement, 1, history_table_names[table], -1, SQLITE_STATIC);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(statement, 0);

		if (name)
			choose_column(rows, name, wanted);
	}
	sqlite3_finalize(statement);
	return history_database_errno(db, result);
}

void history_rows_append_names(struct text_buffer *sql, const struct history_rows *rows)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < rows->count; i++)
		text_format(sql, ",%s", columns[rows->index[i]].name);
}

bool history_rows_load(const struct history_rows *rows, struct nt_record *record)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < rows->count; i++) {
		const struct history_column *column = &columns[rows->index[i]];

		if (column->field && !history_column_load(column, record, rows->statement, (int)(rows->before + i)))
			return false;
	}
	return true;
}

sqlite3_int64 history_rows_reference(const struct history_rows *rows, enum history_table dictionary)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_all(&count);

	for (i = 0; i < rows->count; i++) {
		const struct history_column *column = &columns[rows->index[i]];

		if (!column->field && column->dictionary == dictionary)
			return sqlite3_column_int64(rows->statement, (int)(rows->before + i));
	}
	return 0;
}
