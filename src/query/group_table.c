// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/group_table.h"

#include <ctype.h>
#include <stdlib.h>

#include "src/util/csv_writer.h"
#include "src/util/escape.h"
#include "src/util/json_writer.h"
#include "src/util/readable.h"

#define MOST_COLUMNS (MOST_GROUP_KEYS + GROUP_COLUMNS + 1)

/* The cells of a row: first the keys, then the sums, then the percentile, if the order has one. */
static unsigned int count_columns(const struct groups *groups)
{
	return groups->keys.count + GROUP_COLUMNS + (groups->order.percent > 0);
}

static const char *column_heading(const struct groups *groups, unsigned int column)
{
	if (column < groups->keys.count)
		return groups->keys.keys[column].name;
	column -= groups->keys.count;
	return column < GROUP_COLUMNS ? group_column_names[column] : groups->order.name;
}

static void set_group_number(struct group_value *value, bool is_known, __s64 number)
{
	value->type = is_known ? GROUP_NUMBER : GROUP_UNKNOWN;
	value->number = number;
}

/* Calls `visit` for each cell. A value is valid during the call. */
static void for_each_cell(const struct groups *groups, const struct group *group,
			  void (*visit)(void *context, unsigned int column, const struct group_value *value),
			  void *context)
{
	const char *key = group->key;
	struct group_value value;
	unsigned int column = 0, i;

	for (; column < groups->keys.count; column++) {
		key = group_value_take(&value, key);
		visit(context, column, &value);
	}
	for (i = 0; i < GROUP_COLUMNS; i++) {
		set_group_number(&value, group_knows(group, i), (__s64)group->sums.sums[i]);
		visit(context, column++, &value);
	}
	if (groups->order.percent) {
		set_group_number(&value, group->has_percentile, group->percentile);
		visit(context, column, &value);
	}
}

/* ---- JSON ---- */

struct json_row {
	struct json_writer json;
	const struct groups *groups;
};

static void write_json_cell(void *context, unsigned int column, const struct group_value *value)
{
	struct json_row *row = context;

	if (value->type == GROUP_UNKNOWN)
		return;
	json_write_key(&row->json, column_heading(row->groups, column));
	if (value->type == GROUP_NUMBER)
		json_write_signed(&row->json, value->number);
	else
		json_write_string(&row->json, value->text, value->size);
}

static void append_json(struct text_buffer *text, const struct groups *groups, const struct group *group)
{
	struct json_row row = { .json = { .text = text }, .groups = groups };

	json_begin_object(&row.json);
	for_each_cell(groups, group, write_json_cell, &row);
	json_end_object(&row.json);
	text_char(text, '\n');
}

/* ---- CSV and TSV ---- */

struct csv_row {
	struct text_buffer *text;
	char separator;
};

static void write_csv_cell(void *context, unsigned int column, const struct group_value *value)
{
	const struct csv_row *row = context;

	if (column)
		text_char(row->text, row->separator);
	if (value->type == GROUP_NUMBER)
		text_signed(row->text, value->number);
	else if (value->type == GROUP_TEXT)
		csv_write_string(row->text, value->text, value->size, row->separator);
}

static void append_csv(struct text_buffer *text, const struct groups *groups, const struct group *group, char separator)
{
	struct csv_row row = { text, separator };

	for_each_cell(groups, group, write_csv_cell, &row);
	text_char(text, '\n');
}

static void append_csv_heading(struct text_buffer *text, const struct groups *groups, char separator)
{
	unsigned int i;

	for (i = 0; i < count_columns(groups); i++) {
		if (i)
			text_char(text, separator);
		text_string(text, column_heading(groups, i));
	}
	text_char(text, '\n');
}

/* ---- text ---- */

/* The widths are measured first. Then each cell is padded to its column's. */
struct text_rows {
	struct text_buffer *text;
	const struct groups *groups;
	struct text_buffer cell;
	size_t widths[MOST_COLUMNS];
};

static void print_duration(struct text_buffer *cell, __s64 ns)
{
	if (ns < 0)
		text_char(cell, '-');
	readable_duration(cell, ns < 0 ? -(__u64)ns : (__u64)ns);
}

/* Bytes and durations are readable, other numbers exact. */
static void print_group_number(const struct text_rows *rows, struct text_buffer *cell, unsigned int column,
			       __s64 number)
{
	unsigned int of_sums = column - rows->groups->keys.count;

	if (column < rows->groups->keys.count)
		text_signed(cell, number);
	else if (of_sums == GROUP_SENT || of_sums == GROUP_RECEIVED)
		readable_count(cell, (__u64)number);
	else if (of_sums == GROUP_COLUMNS && rows->groups->order.field.type == FILTER_DURATION)
		print_duration(cell, number * rows->groups->order.unit);
	else
		text_signed(cell, number);
}

static void print_cell(struct text_rows *rows, unsigned int column, const struct group_value *value)
{
	rows->cell.used = 0;
	if (value->type == GROUP_NUMBER)
		print_group_number(rows, &rows->cell, column, value->number);
	else if (value->type == GROUP_TEXT)
		escape_word(&rows->cell, value->text, value->size);
	else
		text_char(&rows->cell, '-');
}

static void measure_cell(void *context, unsigned int column, const struct group_value *value)
{
	struct text_rows *rows = context;

	print_cell(rows, column, value);
	if (rows->cell.used > rows->widths[column])
		rows->widths[column] = rows->cell.used;
}

/* Keys are aligned left, numbers right. */
static void append_padded(struct text_rows *rows, unsigned int column, const char *bytes, size_t size)
{
	size_t spaces = rows->widths[column] > size ? rows->widths[column] - size : 0;
	bool is_key = column < rows->groups->keys.count;

	if (column)
		text_char(rows->text, ' ');
	if (!is_key)
		text_spaces(rows->text, spaces);
	text_append(rows->text, bytes, size);
	if (is_key)
		text_spaces(rows->text, spaces);
}

static void write_text_cell(void *context, unsigned int column, const struct group_value *value)
{
	struct text_rows *rows = context;

	print_cell(rows, column, value);
	append_padded(rows, column, rows->cell.bytes, rows->cell.used);
}

static void append_text_heading(struct text_rows *rows)
{
	char heading[GROUP_SORT_SIZE];
	unsigned int column;
	size_t i;

	for (column = 0; column < count_columns(rows->groups); column++) {
		const char *name = column_heading(rows->groups, column);

		for (i = 0; name[i] && i < sizeof(heading); i++)
			heading[i] = (char)toupper((unsigned char)name[i]);
		append_padded(rows, column, heading, i);
	}
	text_char(rows->text, '\n');
}

static void append_text_rows(struct text_buffer *text, const struct groups *groups, size_t count, bool no_header)
{
	struct text_rows rows = { .text = text, .groups = groups };
	unsigned int column;
	size_t i;

	for (column = 0; column < count_columns(groups) && !no_header; column++)
		rows.widths[column] = strlen(column_heading(groups, column));
	for (i = 0; i < count; i++)
		for_each_cell(groups, groups->list[i], measure_cell, &rows);
	if (!no_header)
		append_text_heading(&rows);
	for (i = 0; i < count; i++) {
		for_each_cell(groups, groups->list[i], write_text_cell, &rows);
		text_char(text, '\n');
	}
	text->failed = text->failed || rows.cell.failed;
	text_free(&rows.cell);
}

void group_table_append(struct text_buffer *text, const struct groups *groups, size_t count,
			const struct format *format, bool no_header)
{
	char separator = format == &format_csv ? ',' : '\t';
	size_t i;

	if (format == &format_text) {
		append_text_rows(text, groups, count, no_header);
		return;
	}
	if (format != &format_json && !no_header)
		append_csv_heading(text, groups, separator);
	for (i = 0; i < count; i++) {
		if (format == &format_json)
			append_json(text, groups, groups->list[i]);
		else
			append_csv(text, groups, groups->list[i], separator);
	}
}
