/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of the columns in which a history keeps a record. The schema, the writer and the reader come from it. */
#ifndef NETRACKER_HISTORY_COLUMNS_H
#define NETRACKER_HISTORY_COLUMNS_H

#include <linux/types.h>
#include <sqlite3.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/record/record_fields.h"
#include "src/util/text_buffer.h"

#define HISTORY_MOST_COLUMNS 128

/* `conn` has a row for each record. `more` has what few records have, by the same seq. The others are dictionaries: a
 * column of `conn` with the dictionary's name refers to its `id`. */
enum history_table { HISTORY_CONN, HISTORY_MORE, HISTORY_PROG, HISTORY_PLACE, HISTORY_KIND, HISTORY_TABLES };

extern const char *const history_table_names[HISTORY_TABLES];

static inline bool history_table_is_dictionary(enum history_table table)
{
	return table >= HISTORY_PROG;
}

struct history_column {
	enum history_table table;
	const char *name;                 /* in SQL */
	const struct record_field *field; /* NULL: it refers to a dictionary */
	enum field_kind kind;
	enum history_table dictionary; /* if it refers to one */
};

/* Returns all columns; those of one table are in its order. May be called from any thread. */
const struct history_column *history_columns_all(unsigned int *count);

/* Returns those of one table. */
const struct history_column *history_columns_of(enum history_table table, unsigned int *count);

/* A set of columns, as indices into history_columns_all(): what a reader needs of each record. All zero is empty. */
struct history_columns {
	__u64 bits[HISTORY_MOST_COLUMNS / 64];
};

/* Adds the columns that a key of docs/record.md comes from: `complete` comes from that of `gaps`. Returns false if there is
 * no such key. */
bool history_columns_add(struct history_columns *columns, const char *key);

static inline void history_columns_set(struct history_columns *columns, unsigned int index)
{
	columns->bits[index / 64] |= 1ULL << index % 64;
}

static inline bool history_columns_has(const struct history_columns *columns, unsigned int index)
{
	return columns->bits[index / 64] >> index % 64 & 1;
}

/* Returns whether the record has a value for the column. */
bool history_column_is_present(const struct history_column *column, const struct nt_record *record);

/* Binds the record's value, or NULL, to a parameter. The record must stay until the statement is reset. `scratch` is for
 * text that has to be escaped. Returns SQLite's result. */
int history_column_bind(const struct history_column *column, const struct nt_record *record, sqlite3_stmt *statement,
			int parameter, struct text_buffer *scratch);

/* Appends the record's value, or that there is none, so that two records append the same bytes if they have the same
 * values. */
void history_column_append(const struct history_column *column, const struct nt_record *record,
			   struct text_buffer *bytes);

/* Takes a value out of a row; NULL leaves the field absent. A string that struct nt_record points to is allocated. Returns
 * 0, -EUCLEAN if NeTracker writes no such value, that is, if the file is damaged, or -ENOMEM. Call history_column_free()
 * either way. */
int history_column_load(const struct history_column *column, struct nt_record *record, sqlite3_value *value);
void history_column_free(const struct history_column *column, struct nt_record *record);

/* Copies the value of a record that was loaded; a string is shared. */
void history_column_copy(const struct history_column *column, struct nt_record *to, const struct nt_record *from);

#endif
