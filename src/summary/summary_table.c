// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_table.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* How many rows of a full table are kept by each of the three orders; the rest is added to `others`. */
#define ROWS_KEPT (SUMMARY_ROWS / 4)
#define ROW_ORDERS 3

typedef int (*row_order)(const void *one, const void *other);

static void free_nothing(void *row)
{
	(void)row;
}

void summary_table_clear(struct summary_table *table)
{
	struct summary_row *rows = table->rows;

	tdestroy(table->tree, free_nothing);
	*table = (struct summary_table){ .rows = rows };
}

bool summary_table_allocate(struct summary_table *table)
{
	table->rows = calloc(SUMMARY_ROWS, sizeof(struct summary_row));
	return table->rows;
}

void summary_table_free(struct summary_table *table)
{
	summary_table_clear(table);
	free(table->rows);
	table->rows = NULL;
}

/* ---- sums ---- */

void summary_sums_add_retransmits(struct summary_sums *sums, const struct summary_item *item, enum nt_side side)
{
	if (!item->moved.packets_known[side])
		return;
	sums->packets += item->moved.packets[side];
	sums->retransmits += item->moved.retransmits[side];
}

void summary_sums_add(struct summary_sums *sums, const struct summary_item *item)
{
	int direction;

	sums->connections++;
	if (item->outcome < SUMMARY_OUTCOMES)
		sums->outcomes[item->outcome]++;
	sums->hanging += item->is_hanging;
	for (direction = SUMMARY_SENT; direction <= SUMMARY_RECEIVED; direction++) {
		enum nt_side side = summary_item_sender(item, direction);

		sums->bytes[direction] += item->moved.bytes[side];
		sums->bytes_known[direction] += item->moved.known[side];
		summary_sums_add_retransmits(sums, item, side);
	}
}

static void merge_sums(struct summary_sums *sums, const struct summary_sums *more)
{
	int i;

	sums->connections += more->connections;
	for (i = 0; i < SUMMARY_OUTCOMES; i++)
		sums->outcomes[i] += more->outcomes[i];
	for (i = 0; i < 2; i++) {
		sums->bytes[i] += more->bytes[i];
		sums->bytes_known[i] += more->bytes_known[i];
	}
	sums->hanging += more->hanging;
	sums->packets += more->packets;
	sums->retransmits += more->retransmits;
}

__u64 summary_count_failures(const struct summary_sums *sums)
{
	__u64 failures = 0;
	int i;

	for (i = 0; i < SUMMARY_OUTCOMES; i++)
		if (i != NT_OUTCOME_CLOSED && i != NT_OUTCOME_OPEN)
			failures += sums->outcomes[i];
	return failures;
}

void summary_owner_add(struct summary_owner *owner, const struct summary_item *item)
{
	if (!item->has_comm)
		return;
	if (!owner->is_known) {
		*owner = (struct summary_owner){
			.is_known = true, .one_name = true, .one_pid = item->has_pid, .pid = item->pid
		};
		memcpy(owner->comm, item->comm, sizeof(owner->comm));
		return;
	}
	owner->one_name = owner->one_name && !memcmp(owner->comm, item->comm, sizeof(owner->comm));
	owner->one_pid = owner->one_pid && item->has_pid && owner->pid == item->pid;
}

/* ---- orders of rows: descending; equal rows in the order of insertion ---- */

static int by_number(__u64 one, __u64 other)
{
	return one < other ? 1 : one > other ? -1 : 0;
}

static const struct summary_row *row_at(const void *place)
{
	return *(const struct summary_row *const *)place;
}

static int by_place(const void *one, const void *other)
{
	return row_at(one) < row_at(other) ? -1 : row_at(one) > row_at(other);
}

static int by_connections(const void *one, const void *other)
{
	int order = by_number(row_at(one)->sums.connections, row_at(other)->sums.connections);

	return order ? order : by_place(one, other);
}

static int by_failures(const void *one, const void *other)
{
	int order = by_number(summary_count_failures(&row_at(one)->sums), summary_count_failures(&row_at(other)->sums));

	return order ? order : by_place(one, other);
}

static int by_bytes(const void *one, const void *other)
{
	const struct summary_sums *first = &row_at(one)->sums, *second = &row_at(other)->sums;
	int order = by_number(first->bytes[SUMMARY_SENT] + first->bytes[SUMMARY_RECEIVED],
			      second->bytes[SUMMARY_SENT] + second->bytes[SUMMARY_RECEIVED]);

	return order ? order : by_connections(one, other);
}

static const row_order row_orders[ROW_ORDERS] = { by_failures, by_connections, by_bytes };

static void sort_rows(const struct summary_table *table, const struct summary_row **rows, row_order order)
{
	unsigned int i;

	for (i = 0; i < table->count; i++)
		rows[i] = &table->rows[i];
	qsort(rows, table->count, sizeof(*rows), order);
}

static bool has_failures(const struct summary_row *row)
{
	return summary_count_failures(&row->sums) > 0;
}

/* Sets `is_chosen` of at most `most` rows. */
static void choose_in_turn(const struct summary_table *table, unsigned int each, unsigned int most, bool *is_chosen)
{
	const struct summary_row *rows[ROW_ORDERS][SUMMARY_ROWS];
	unsigned int i, order;

	for (order = 0; order < ROW_ORDERS; order++)
		sort_rows(table, rows[order], row_orders[order]);
	for (i = 0; i < each && i < table->count; i++)
		for (order = 0; order < ROW_ORDERS && most; order++) {
			const struct summary_row *row = rows[order][i];
			bool *chosen = &is_chosen[row - table->rows];

			if (*chosen || (row_orders[order] == by_failures && !has_failures(row)))
				continue;
			*chosen = true;
			most--;
		}
}

/* Keeps the chosen rows, in the order of `rows`, and sums up the others. */
static unsigned int split_rows(const struct summary_table *table, const struct summary_row *const *rows,
			       const bool *is_chosen, const struct summary_row **chosen, struct summary_sums *rest)
{
	unsigned int count = 0, i;

	*rest = table->others;
	for (i = 0; i < table->count; i++) {
		if (is_chosen[rows[i] - table->rows])
			chosen[count++] = rows[i];
		else
			merge_sums(rest, &rows[i]->sums);
	}
	return count;
}

unsigned int summary_choose_rows(const struct summary_table *table, unsigned int each, unsigned int most,
				 const struct summary_row **chosen, struct summary_sums *rest)
{
	const struct summary_row *rows[SUMMARY_ROWS];
	bool is_chosen[SUMMARY_ROWS] = { false };

	choose_in_turn(table, each, most, is_chosen);
	sort_rows(table, rows, by_bytes);
	return split_rows(table, rows, is_chosen, chosen, rest);
}

unsigned int summary_choose_failed(const struct summary_table *table, unsigned int most,
				   const struct summary_row **chosen, struct summary_sums *rest)
{
	const struct summary_row *rows[SUMMARY_ROWS];
	bool is_chosen[SUMMARY_ROWS] = { false };
	unsigned int i;

	sort_rows(table, rows, by_failures);
	for (i = 0; i < most && i < table->count && has_failures(rows[i]); i++)
		is_chosen[rows[i] - table->rows] = true;
	return split_rows(table, rows, is_chosen, chosen, rest);
}

/* ---- the rows ---- */

static int compare_keys(const void *one, const void *other)
{
	return memcmp(((const struct summary_row *)one)->key, ((const struct summary_row *)other)->key,
		      SUMMARY_KEY_SIZE);
}

static bool index_rows(struct summary_table *table)
{
	unsigned int i;

	tdestroy(table->tree, free_nothing);
	table->tree = NULL;
	for (i = 0; i < table->count; i++)
		if (!tsearch(&table->rows[i], &table->tree, compare_keys))
			return false;
	return true;
}

/* Reduces a full table to its chosen rows, in the order of insertion. Returns false without memory. */
static bool fold_rows(struct summary_table *table)
{
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums others;
	unsigned int count = summary_choose_rows(table, ROWS_KEPT, SUMMARY_ROWS, chosen, &others), i;

	qsort(chosen, count, sizeof(*chosen), by_place);
	for (i = 0; i < count; i++)
		table->rows[i] = *chosen[i];
	table->folded += table->count - count;
	table->count = count;
	table->others = others;
	return index_rows(table);
}

struct summary_row *summary_table_find(struct summary_table *table, const unsigned char key[SUMMARY_KEY_SIZE])
{
	struct summary_row wanted = { 0 }, *row;
	struct summary_row *const *found;

	memcpy(wanted.key, key, SUMMARY_KEY_SIZE);
	found = tfind(&wanted, &table->tree, compare_keys);
	if (found)
		return *found;
	if (table->count == SUMMARY_ROWS && !fold_rows(table))
		return NULL;
	row = &table->rows[table->count];
	*row = wanted;
	if (!tsearch(row, &table->tree, compare_keys))
		return NULL;
	table->count++;
	return row;
}

struct summary_row *summary_table_add(struct summary_table *table, const unsigned char key[SUMMARY_KEY_SIZE],
				      const struct summary_item *item)
{
	struct summary_row *row = summary_table_find(table, key);

	summary_sums_add(row ? &row->sums : &table->others, item);
	return row;
}
