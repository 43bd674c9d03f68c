/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_TABLE_H
#define NETRACKER_SHIP_TABLE_H

#include <stdbool.h>

#include "src/ship/ship_http.h"
#include "src/util/text_buffer.h"

#define SHIP_TABLE_VERSION 1 /* of its columns and its key */

struct ship_table {
	char database[SHIP_NAME_SIZE], name[SHIP_NAME_SIZE];
};

/* Appends the statement that makes the table: a column for each key of the record. `reduced`: for servers before 20.5,
 * which have no types for addresses and nanoseconds. */
void ship_table_append(struct text_buffer *sql, const struct ship_table *table, bool reduced);

/* Makes database and table unless they are there. Returns the exit status, after reporting the result. */
int ship_table_make(struct ship_http *http, const struct ship_table *table);

#endif
