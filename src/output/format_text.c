// SPDX-License-Identifier: GPL-2.0-or-later
/* The text format: a heading, then each record as one line of columns, or as two if the width is small. */
#include "src/output/format.h"

#include <ctype.h>
#include <time.h>

#include "src/output/text_columns.h"
#include "src/util/escape.h"

#define COLOUR_BOLD "\033[1m"
#define COLOUR_OFF "\033[0m"
#define MOST_PUSHED 26 /* characters that one unabbreviated IPv6 address is wider than its column */
#define NS_PER_SECOND 1000000000ULL
#define WORD_WIDTH 15
#define NUMBER_WIDTH 10

/* One line while it is laid out. */
struct layout {
	struct text_buffer *text;
	const struct format_view *view;
	unsigned int position; /* characters in the current line */
	unsigned int planned;  /* the same if no cell had been wider than its column */
};

/* Into a file or pipe, names of addresses leave out no columns: the line gets longer. */
static unsigned int available_width(const struct format_view *view)
{
	return view->width + (view->names && !view->wraps ? 2 * (TEXT_NAMED_WIDTH - TEXT_ENDPOINT_WIDTH) : 0);
}

static bool is_shown(const struct table_column *place, unsigned int level)
{
	return place->appears <= level && !(place->drop && place->drop <= level);
}

static unsigned int text_column_width(const struct text_column *column, const struct format_view *view)
{
	return view->names && column->named_width ? column->named_width : column->width;
}

static unsigned int table_width(const struct text_table *table, unsigned int level, const struct format_view *view)
{
	unsigned int width = 0, i;

	for (i = 0; i < table->count; i++)
		if (is_shown(&table->columns[i], level))
			width += text_column_width(table->columns[i].column, view) + (width ? 1 : 0);
	return width;
}

static unsigned int last_level(const struct text_table *table)
{
	unsigned int last = 0, i;

	for (i = 0; i < table->count; i++)
		if (table->columns[i].drop > last)
			last = table->columns[i].drop;
	return last;
}

/* Returns the least level at which the columns fit, or else the last one. */
static unsigned int fitting_level(const struct text_table *table, const struct format_view *view)
{
	unsigned int last = last_level(table), level;

	for (level = 0; level < last && table_width(table, level, view) > available_width(view);)
		level++;
	return level;
}

static const struct text_table *choose_table(const struct format_view *view)
{
	static const struct text_table *const tables[] = {
		[ROWS_ENDED] = &text_ended_table,
		[ROWS_OPEN] = &text_open_table,
		[ROWS_LISTENERS] = &text_listener_table,
	};
	const struct text_table *table = tables[view->rows];

	return table_width(table, last_level(table), view) > available_width(view) ? table->when_too_wide : table;
}

/* A cell that two long addresses would push far from its heading, or past the edge, starts a new line at its own
 * column, or further left if it would not fit. Into a file or pipe a record has one line, however long. Returns the
 * position at which the cell should start.
 */
static unsigned int wrap_cell(struct layout *layout, unsigned int start, size_t used)
{
	unsigned int width = layout->view->width, at = layout->position + 1;

	if (!layout->view->wraps || !layout->position || at <= start ||
	    (at <= start + MOST_PUSHED && at + used <= width))
		return start;
	text_char(layout->text, '\n');
	layout->position = 0;
	return start + used <= width ? start : used < width ? width - (unsigned int)used : 0;
}

/* A cell that is wider than its column takes space from the padding of the next ones, so that later columns are
 * aligned again; one that is aligned right takes it from the padding before it first.
 */
static void put_cell(struct layout *layout, unsigned int width, enum alignment alignment,
		     const struct text_buffer *cell, const char *colour)
{
	unsigned int start = layout->planned ? layout->planned + 1 : 0, end = start + width;
	unsigned int at = wrap_cell(layout, start, cell->used);

	if (at == start && alignment == RIGHT)
		at = cell->used < end ? end - (unsigned int)cell->used : 0;
	if (layout->position && at <= layout->position)
		at = layout->position + 1;
	text_spaces(layout->text, at - layout->position);
	if (colour)
		text_string(layout->text, colour);
	text_append(layout->text, cell->bytes, cell->used);
	if (colour)
		text_string(layout->text, COLOUR_OFF);
	layout->position = at + (unsigned int)cell->used;
	layout->planned = end;
}

static bool exceeds_width(const struct layout *layout, const struct text_buffer *cell)
{
	unsigned int before = layout->position > layout->planned ? layout->position : layout->planned;

	return before + 1 + cell->used > available_width(layout->view);
}

static void put_column(struct layout *layout, const struct text_column *column, struct text_buffer *cell,
		       const struct nt_record *record)
{
	unsigned int width = text_column_width(column, layout->view);

	cell->used = 0;
	if (!record) {
		text_string(cell, column->heading);
		put_cell(layout, width, column->heading_alignment, cell, layout->view->colour ? COLOUR_BOLD : NULL);
		return;
	}
	if (layout->view->names && column->print_named)
		column->print_named(cell, record, layout->view->names);
	else
		column->print(cell, record);
	if (column->print_short && exceeds_width(layout, cell)) {
		cell->used = 0;
		column->print_short(cell, record);
	}
	put_cell(layout, width, column->alignment, cell,
		 layout->view->colour && column->colour ? column->colour(record) : NULL);
}

static void end_line(struct text_buffer *text, struct text_buffer *cell)
{
	text_char(text, '\n');
	text->failed = text->failed || cell->failed;
	text_free(cell);
}

/* Prints the record's cells, or the headings if `record` is NULL. */
static void text_print_line(struct text_buffer *text, const struct text_table *table, const struct nt_record *record,
			    const struct format_view *view)
{
	unsigned int level = fitting_level(table, view), i;
	struct layout layout = { .text = text, .view = view };
	struct text_buffer cell = { 0 };

	for (i = 0; i < table->count; i++)
		if (is_shown(&table->columns[i], level))
			put_column(&layout, table->columns[i].column, &cell, record);
	end_line(text, &cell);
}

/* The headings of the tables, in lower case, come before the record's keys: of `time` and `netns`, which are both, the
 * column of the table is meant. */
static bool text_column_name(unsigned int index, char name[FIELD_KEY_SIZE])
{
	const char *heading;
	unsigned int i;

	if (index >= text_named_column_count)
		return record_field_name(index - text_named_column_count, name);
	heading = text_named_columns[index]->heading;
	for (i = 0; heading[i]; i++)
		name[i] = (char)tolower((unsigned char)heading[i]);
	name[i] = '\0';
	return true;
}

static void print_list_of_words(struct text_buffer *cell, const struct field_value *value)
{
	unsigned int i;

	if (!value->list_count)
		text_char(cell, '-');
	for (i = 0; i < value->list_count; i++)
		text_format(cell, "%s%s", i ? "+" : "", value->list[i]);
}

static void print_exact_value(struct text_buffer *cell, const struct record_field *field,
			      const struct nt_record *record)
{
	struct field_value value;

	if (!record_field_get(field, record, &value))
		return text_char(cell, '-');
	switch (field->type) {
	case FIELD_INTEGER:
		return text_integer(cell, value.integer);
	case FIELD_SIGNED:
		return text_signed(cell, (long long)value.integer);
	case FIELD_BOOLEAN:
		return text_string(cell, value.integer ? "true" : "false");
	case FIELD_LIST:
		return print_list_of_words(cell, &value);
	case FIELD_STRING:
	case FIELD_WORD:
		return escape_word(cell, value.string, value.string_size);
	}
}

/* Puts a cell of a key of the record, or its heading if `record` is NULL. */
static void put_field(struct layout *layout, const struct record_field *field, const char *name,
		      struct text_buffer *cell, const struct nt_record *record)
{
	bool is_number = field->type == FIELD_INTEGER || field->type == FIELD_SIGNED;
	unsigned int width = is_number ? NUMBER_WIDTH : WORD_WIDTH, length = (unsigned int)strlen(name), i;

	cell->used = 0;
	if (record)
		print_exact_value(cell, field, record);
	else
		for (i = 0; i < length; i++)
			text_char(cell, (char)toupper((unsigned char)name[i]));
	put_cell(layout, width > length ? width : length, is_number ? RIGHT : LEFT, cell,
		 !record && layout->view->colour ? COLOUR_BOLD : NULL);
}

static void put_chosen_column(struct layout *layout, unsigned int index, struct text_buffer *cell,
			      const struct nt_record *record)
{
	char name[FIELD_KEY_SIZE];
	struct text_column wide;

	text_column_name(index, name);
	if (index >= text_named_column_count)
		return put_field(layout, &record_fields[index - text_named_column_count], name, cell, record);
	wide = *text_named_columns[index]; /* the column before it may have no room for the heading */
	wide.heading_alignment = wide.alignment;
	wide.print_short = NULL;
	if (wide.width < strlen(name))
		wide.width = (unsigned int)strlen(name);
	put_column(layout, &wide, cell, record);
}

/* Prints the columns of --columns in one line, whatever the width. */
static void text_print_chosen(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	struct format_view unbroken = *view;
	struct layout layout = { .text = text, .view = &unbroken };
	struct text_buffer cell = { 0 };
	unsigned int i;

	unbroken.wraps = false;
	for (i = 0; i < view->chosen->count; i++)
		put_chosen_column(&layout, view->chosen->index[i], &cell, record);
	end_line(text, &cell);
}

static void text_print_lines(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	const struct text_table *table;

	if (view->chosen)
		return text_print_chosen(text, record, view);
	for (table = choose_table(view); table; table = table->second_line)
		text_print_line(text, table, record, view);
}

static bool table_has_time(const struct text_table *table, const struct format_view *view)
{
	unsigned int level = fitting_level(table, view), i;

	for (i = 0; i < table->count; i++)
		if (table->columns[i].column == &text_time_column && is_shown(&table->columns[i], level))
			return true;
	return table->second_line && table_has_time(table->second_line, view);
}

static bool shows_time(const struct format_view *view)
{
	unsigned int i;

	if (!view->chosen)
		return table_has_time(choose_table(view), view);
	for (i = 0; i < view->chosen->count; i++)
		if (view->chosen->index[i] < text_named_column_count &&
		    text_named_columns[view->chosen->index[i]] == &text_time_column)
			return true;
	return false;
}

unsigned int format_day(time_t seconds)
{
	struct tm local;

	localtime_r(&seconds, &local);
	return (unsigned int)(local.tm_year * 366 + local.tm_yday + 1);
}

/* Prints the date if the record is of another day than the one before: TIME has none. */
static void text_date_line(struct text_buffer *text, const struct nt_record *record, struct format_view *view)
{
	time_t seconds = (time_t)(record->end_ns / NS_PER_SECOND);
	unsigned int day = format_day(seconds);
	struct tm local;

	if (!record->end_ns || day == view->day || !shows_time(view))
		return;
	view->day = day;
	localtime_r(&seconds, &local);
	text_format(text, "-- %d-%02d-%02d --\n", local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
}

static void text_header(struct text_buffer *text, const struct format_view *view)
{
	text_print_lines(text, NULL, view);
}

static void text_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	text_print_lines(text, record, view);
}

const struct format format_text = {
	.name = "text",
	.follows_width = true,
	.column_name = text_column_name,
	.header = text_header,
	.before_record = text_date_line,
	.record = text_record,
};
