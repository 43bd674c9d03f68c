/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A filter as a condition in SQLite's SQL, on the view `record` of a history (docs/history.md). */
#ifndef NETRACKER_FILTER_SQL_H
#define NETRACKER_FILTER_SQL_H

#include "src/filter/filter.h"
#include "src/filter/filter_field.h"
#include "src/util/text_buffer.h"

/* Appends the condition; NULL in SQL is unknown, as in a filter. Returns false if SQL cannot say it, with the reason. */
bool filter_append_sql(const struct filter *filter, struct text_buffer *sql, char *reason, size_t size);

/* Appends an expression for the field's number, as the key counts it. Returns false if there is none. */
bool filter_field_append_sql(const struct filter_field *field, struct text_buffer *sql);

/* Returns the operator of an order; "=" for any other relation. */
const char *filter_relation_sql(enum filter_operator relation);

/* Appends an expression for the bytes of a text: a character for each, U+0000 to U+00FF. The column has escapes
 * (util/escape.h), in which a part of a text could be found, and which have another order. */
void filter_append_sql_bytes(struct text_buffer *sql, const char *column, int size);

#endif
