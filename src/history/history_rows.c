// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_rows.h"

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

	for (i = 0; i < count; i++) {
		if (columns[i].table != rows->table || strcmp(columns[i].name, name) != 0 ||
		    !is_wanted(wanted, &columns[i], i) || rows->count == HISTORY_MOST_COLUMNS)
			continue;
		if (!columns[i].field)
			rows->reference[columns[i].dictionary] = (int)rows->count;
		rows->columns[rows->count++] = &columns[i];
	}
}

int history_rows_choose(struct history_rows *rows, sqlite3 *db, enum history_table table,
			const struct history_columns *wanted)
{
	sqlite3_stmt *statement;
	int error = history_database_prepare(db, &statement, "SELECT name FROM pragma_table_info(?)"), result;

	rows->table = table;
	rows->count = 0;
	memset(rows->reference, -1, sizeof(rows->reference));
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
	unsigned int i;

	for (i = 0; i < rows->count; i++)
		text_format(sql, ",%s", rows->columns[i]->name);
}

void history_rows_take(const struct history_rows *rows, sqlite3_value *values[HISTORY_MOST_COLUMNS])
{
	unsigned int i;

	for (i = 0; i < rows->count; i++)
		values[i] = sqlite3_column_value(rows->statement, (int)i + 1);
}

int history_rows_load(const struct history_rows *rows, struct nt_record *record, sqlite3_value *const *values)
{
	unsigned int i;
	int error = 0;

	for (i = 0; i < rows->count && !error; i++)
		if (rows->columns[i]->field)
			error = history_column_load(rows->columns[i], record, values[i]);
	return error;
}

sqlite3_int64 history_rows_reference(const struct history_rows *rows, enum history_table dictionary,
				     sqlite3_value *const *values)
{
	int index = rows->reference[dictionary];

	return index < 0 ? 0 : sqlite3_value_int64(values[index]);
}
