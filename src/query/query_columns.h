/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of a history that a question needs. */
#ifndef NETRACKER_QUERY_COLUMNS_H
#define NETRACKER_QUERY_COLUMNS_H

#include "src/filter/filter.h"
#include "src/filter/filter_field.h"
#include "src/history/history_columns.h"

/* Adds `event` and what the filter tests. */
void query_columns_add_filter(struct history_columns *columns, const struct filter *filter);

/* Adds what a field of the filter language is computed from. */
void query_columns_add_field(struct history_columns *columns, const struct filter_field *field);

/* Adds keys of the record, separated by spaces. */
void query_columns_add_keys(struct history_columns *columns, const char *keys);

#endif
