/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rows of `netracker list` where they are sorted, or wait for names: copies of records. The table of sockets bounds their number. */
#ifndef NETRACKER_LIST_ROWS_H
#define NETRACKER_LIST_ROWS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"
#include "src/filter/filter_field.h"

struct list_row;

/* All zero is empty. Caller calls list_rows_clear(). */
struct list_rows {
	struct list_row *rows;
	size_t count, capacity;
};

/* Copies the record with its strings. Returns false without memory. */
bool list_rows_add(struct list_rows *rows, const struct nt_record *record);

/* Numbers and times sort largest first, words and addresses in ascending order; `reversed` turns both round. A row whose
 * value is unknown comes last in any case. Equal rows keep their order.
 */
void list_rows_sort(struct list_rows *rows, const struct filter_field *key, bool reversed);

/* Returns the record at a place below `count`. */
struct nt_record *list_rows_get(struct list_rows *rows, size_t place);

/* Frees all rows. */
void list_rows_clear(struct list_rows *rows);

#endif
