// SPDX-License-Identifier: GPL-2.0-or-later
/* The text format: a heading, then each record as one line of columns, or as two on a narrow terminal. */
#include "src/output/format.h"
#include "src/output/text_columns.h"

#define COLOUR_BOLD "\033[1m"
#define COLOUR_OFF "\033[0m"
#define MOST_PUSHED 26 /* characters that one unabbreviated IPv6 address is wider than its column */

/* One line while it is laid out. */
struct layout {
	struct text_buffer *text;
	const struct format_view *view;
	unsigned int position; /* characters in the current line */
	unsigned int planned;  /* the same if no cell had been wider than its column */
};

static bool is_dropped(const struct text_column *column, unsigned int level)
{
	return column->drop && column->drop <= level;
}

#define ALL_DROPPED (~0U)

static unsigned int table_width(const struct text_table *table, unsigned int level)
{
	unsigned int width = 0, i;

	for (i = 0; i < table->count; i++)
		if (!is_dropped(&table->columns[i], level))
			width += table->columns[i].width + (width ? 1 : 0);
	return width;
}

/* Returns the least level of dropped columns at which the rest fits. */
static unsigned int drop_level(const struct text_table *table, unsigned int width)
{
	unsigned int last = 0, level, i;

	for (i = 0; i < table->count; i++)
		if (table->columns[i].drop > last)
			last = table->columns[i].drop;
	for (level = 0; level < last && table_width(table, level) > width;)
		level++;
	return level;
}

/* On a terminal, a cell that two long addresses would push far from its heading, or past the edge, starts a new line at
 * its own column, or further left if it would not fit. Returns the position at which the cell should start.
 */
static unsigned int wrap_cell(struct layout *layout, unsigned int start, size_t used)
{
	unsigned int width = layout->view->width, at = layout->position + 1;

	if (!width || !layout->position || at <= start || (at <= start + MOST_PUSHED && at + used <= width))
		return start;
	text_char(layout->text, '\n');
	layout->position = 0;
	return start + used <= width ? start : used < width ? width - (unsigned int)used : 0;
}

/* A cell that is wider than its column takes space from the padding of the next ones, so that later columns are
 * aligned again.
 */
static void put_cell(struct layout *layout, const struct text_column *column, const struct text_buffer *cell,
		     const char *colour)
{
	unsigned int start = layout->planned ? layout->planned + 1 : 0, end = start + column->width;
	unsigned int at = wrap_cell(layout, start, cell->used);

	if (at == start && column->alignment == RIGHT && cell->used < column->width)
		at = end - (unsigned int)cell->used;
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
	return layout->position + 1 + cell->used > layout->view->width;
}

static void put_record_cell(struct layout *layout, const struct text_column *column, struct text_buffer *cell,
			    const struct nt_record *record)
{
	column->print(cell, record);
	if (column->print_short && layout->view->width && exceeds_width(layout, cell)) {
		cell->used = 0;
		column->print_short(cell, record);
	}
	put_cell(layout, column, cell, layout->view->colour && column->colour ? column->colour(record) : NULL);
}

static const struct text_table *choose_table(const struct format_view *view)
{
	const struct text_table *table = view->lists ? &list_table : &terminal_table;

	if (!view->width)
		return &file_table;
	return table_width(table, ALL_DROPPED) > view->width ? table->when_too_wide : table;
}

/* Prints the record's cells, or the headings if `record` is NULL. */
static void text_print_line(struct text_buffer *text, const struct text_table *table, const struct nt_record *record,
			    const struct format_view *view)
{
	unsigned int level = view->width ? drop_level(table, view->width) : 0, i;
	struct layout layout = { .text = text, .view = view };
	struct text_buffer cell = { 0 };

	for (i = 0; i < table->count; i++) {
		const struct text_column *column = &table->columns[i];

		if (is_dropped(column, level))
			continue;
		cell.used = 0;
		if (record) {
			put_record_cell(&layout, column, &cell, record);
			continue;
		}
		text_string(&cell, column->heading);
		put_cell(&layout, column, &cell, view->colour ? COLOUR_BOLD : NULL);
	}
	text_char(text, '\n');
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void text_print_lines(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	const struct text_table *table;

	for (table = choose_table(view); table; table = table->second_line)
		text_print_line(text, table, record, view);
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
	.header = text_header,
	.record = text_record,
};
