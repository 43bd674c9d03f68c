/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a history's tables, as a reader takes them out: of one table, the columns that are wanted and that the file
 * has. */
#ifndef NETRACKER_HISTORY_ROWS_H
#define NETRACKER_HISTORY_ROWS_H

#include <sqlite3.h>

#include "src/history/history_columns.h"
#include "src/util/text_buffer.h"

/* The columns that a statement returns, after its first one, which is the row's number. */
struct history_rows {
	enum history_table table;
	sqlite3_stmt *statement;
	unsigned int count;
	const struct history_column *columns[HISTORY_MOST_COLUMNS];
	int reference[HISTORY_TABLES]; /* which of them refers to this dictionary; -1: none */
};

/* Sets the columns of a table that are wanted and exist. Returns 0 or -errno. */
int history_rows_choose(struct history_rows *rows, sqlite3 *db, enum history_table table,
			const struct history_columns *wanted);

/* Appends the chosen columns' names, each after a comma. */
void history_rows_append_names(struct text_buffer *sql, const struct history_rows *rows);

/* Sets `values` to those of the statement's row, without its number. They are valid until the statement's next step. */
void history_rows_take(const struct history_rows *rows, sqlite3_value *values[HISTORY_MOST_COLUMNS]);

/* Takes a row's values into the record. Returns 0, -EUCLEAN if the file is damaged, or -ENOMEM. */
int history_rows_load(const struct history_rows *rows, struct nt_record *record, sqlite3_value *const *values);

/* Returns the number of the dictionary's row that a row refers to. 0 if it refers to none. */
sqlite3_int64 history_rows_reference(const struct history_rows *rows, enum history_table dictionary,
				     sqlite3_value *const *values);

#endif
