// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/list/list_rows.h"

#include <stdlib.h>
#include <string.h>

struct list_row {
	struct nt_record record;
	char *exe, *cgroup, *netns_name; /* owned; the record points to them */
	size_t number;                   /* place before sorting */
};

struct sort_order {
	const struct filter_field *key;
	bool reversed;
};

static bool copy_string(struct nt_record *record, int present, const char **string, char **copy)
{
	*copy = nt_record_has(record, present) && *string ? strdup(*string) : NULL;
	if (nt_record_has(record, present) && *string && !*copy)
		return false;
	*string = *copy;
	return true;
}

static void free_row(struct list_row *row)
{
	free(row->exe);
	free(row->cgroup);
	free(row->netns_name);
}

static bool reserve_row(struct list_rows *rows)
{
	size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
	struct list_row *larger;

	if (rows->count < rows->capacity)
		return true;
	larger = reallocarray(rows->rows, capacity, sizeof(*larger));
	if (!larger)
		return false;
	rows->rows = larger;
	rows->capacity = capacity;
	return true;
}

bool list_rows_add(struct list_rows *rows, const struct nt_record *record)
{
	struct list_row *row;

	if (!reserve_row(rows))
		return false;
	row = &rows->rows[rows->count];
	*row = (struct list_row){ .record = *record, .number = rows->count };
	if (!copy_string(&row->record, NT_HAS_EXE, &row->record.exe, &row->exe) ||
	    !copy_string(&row->record, NT_HAS_CGROUP, &row->record.cgroup, &row->cgroup) ||
	    !copy_string(&row->record, NT_HAS_NETNS_NAME, &row->record.netns_name, &row->netns_name)) {
		free_row(row);
		return false;
	}
	rows->count++;
	return true;
}

static int order_sizes(size_t one, size_t other)
{
	return (one > other) - (one < other);
}

static int order_texts(const char *one, size_t size, const char *other, size_t other_size)
{
	int order = memcmp(one, other, size < other_size ? size : other_size);

	return order ? order : order_sizes(size, other_size);
}

static int order_names(const struct field_names *names, __u64 one, __u64 other)
{
	const char *name = field_name(names, (unsigned int)__builtin_ctzll(one | 1ULL << 63));
	const char *other_name = field_name(names, (unsigned int)__builtin_ctzll(other | 1ULL << 63));

	return strcmp(name ? name : "", other_name ? other_name : "");
}

/* Compares two known values: below 0 if `one` comes first. */
static int order_values(const struct filter_field *key, const struct filter_operand *one,
			const struct filter_operand *other)
{
	switch (key->type) {
	case FILTER_ADDRESS:
		return memcmp(one->address[0], other->address[0], 16);
	case FILTER_NAME:
		return order_names(key->names, one->bits, other->bits);
	case FILTER_NAMES:
		return __builtin_popcountll(other->bits) - __builtin_popcountll(one->bits);
	default:
		if (one->text && other->text)
			return order_texts(one->text, one->size, other->text, other->size);
		return (one->number[0] < other->number[0]) - (one->number[0] > other->number[0]);
	}
}

static int order_rows(const void *left, const void *right, void *context)
{
	const struct list_row *one = left, *other = right;
	const struct sort_order *order = context;
	struct filter_operand of_one, of_other;
	int result;

	filter_field_get(order->key, &one->record, &of_one);
	filter_field_get(order->key, &other->record, &of_other);
	if (of_one.count && of_other.count)
		result = order_values(order->key, &of_one, &of_other) * (order->reversed ? -1 : 1);
	else
		result = !of_one.count - !of_other.count;
	return result ? result : order_sizes(one->number, other->number);
}

void list_rows_sort(struct list_rows *rows, const struct filter_field *key, bool reversed)
{
	struct sort_order order = { key, reversed };

	if (rows->count)
		qsort_r(rows->rows, rows->count, sizeof(*rows->rows), order_rows, &order);
}

struct nt_record *list_rows_get(struct list_rows *rows, size_t place)
{
	return &rows->rows[place].record;
}

void list_rows_clear(struct list_rows *rows)
{
	size_t i;

	for (i = 0; i < rows->count; i++)
		free_row(&rows->rows[i]);
	free(rows->rows);
	*rows = (struct list_rows){ 0 };
}
