/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The schema of a history's file, made from history_columns.h (docs/history.md). */
#ifndef NETRACKER_HISTORY_SCHEMA_H
#define NETRACKER_HISTORY_SCHEMA_H

#include <sqlite3.h>

#include "src/history/history_columns.h"
#include "src/util/text_buffer.h"

#define HISTORY_APPLICATION_ID 0x4e544b48 /* "NTKH" */
#define HISTORY_SCHEMA_VERSION 1

/* Makes the tables and the view in an empty file. Returns 0 or -errno. */
int history_schema_create(sqlite3 *db);

/* Returns the file's version, 1 or more; -EINVAL if it is no history; or another -errno. */
int history_schema_version(sqlite3 *db);

/* Appends the statement that inserts a row of the table: first its key (`seq` or `id`), then its columns. */
void history_schema_append_insert(struct text_buffer *sql, enum history_table table);

/* Appends the statement that makes the view `record`. */
void history_view_append(struct text_buffer *sql);

/* Appends an expression for the text of an address, whose 8 or 32 hexadecimal digits `hex` is an expression for. */
void history_view_append_address(struct text_buffer *sql, const char *hex);

#endif
