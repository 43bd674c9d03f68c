/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a server's table as records. */
#ifndef NETRACKER_CLICKHOUSE_ROWS_H
#define NETRACKER_CLICKHOUSE_ROWS_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"
#include "src/clickhouse/clickhouse_server.h"
#include "src/util/text_buffer.h"

/* Sends a SELECT of columns of the table, with FORMAT JSONEachRow. Calls `visit` for each row, a line of JSON, until it
 * returns false or a signal asks to stop. Memory is bounded by the longest row. Returns false after reporting the error, as
 * also if the answer ends before its last row. */
bool clickhouse_rows_read(const struct clickhouse_server *server, const char *sql,
			  bool (*visit)(void *context, const char *row, size_t size), void *context);

/* Calls `take` for the record of a row, whose strings are valid during the call, and returns what that returns. Returns
 * false with the reason appended if it is no record. */
bool clickhouse_rows_take(const char *row, size_t size,
			  bool (*take)(void *context, struct nt_record *record, const json_t *row), void *context,
			  struct text_buffer *reason);

/* Takes a number that is in no record. Returns false if it is unknown. */
bool clickhouse_rows_number(const json_t *row, const char *name, __u64 *number);

#endif
