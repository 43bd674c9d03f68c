/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of the text format, and the tables that they make by width. No cell has a space. */
#ifndef NETRACKER_TEXT_COLUMNS_H
#define NETRACKER_TEXT_COLUMNS_H

#include <linux/types.h>

#include "core/record.h"
#include "src/util/resolver.h"
#include "src/util/text_buffer.h"

#define TEXT_ENDPOINT_WIDTH 21 /* an IPv4 address and a port */
#define TEXT_NAMED_WIDTH 28    /* in the tables of one line, if there are names of addresses */

enum alignment { LEFT, RIGHT };

struct text_column {
	const char *heading;
	unsigned int width;
	enum alignment alignment, heading_alignment;
	void (*print)(struct text_buffer *cell, const struct nt_record *record);
	void (*print_short)(struct text_buffer *cell, const struct nt_record *record); /* beyond the width; or NULL */
	const char *(*colour)(const struct nt_record *record); /* an escape sequence or NULL; or NULL */
	/* Takes the place of print() if there are names of addresses; or NULL. */
	void (*print_named)(struct text_buffer *cell, const struct nt_record *record, struct resolver *names);
	unsigned int named_width; /* then; 0: `width` */
};

/* A column in a table. The level is the least at which the columns of that level fit into the width. */
struct table_column {
	const struct text_column *column;
	unsigned int drop;    /* the level from which it is left out: 1 goes first; 0: never */
	unsigned int appears; /* the level from which it takes the place of a wider one; 0: always there */
};

struct text_table {
	const struct table_column *columns;
	unsigned int count;
	const struct text_table *when_too_wide; /* used if the columns do not fit at any level; or NULL */
	const struct text_table *second_line;   /* of each record; or NULL */
};

/* For live tracking and replay; for open connections and for listeners (`netracker list`). */
extern const struct text_table text_ended_table, text_open_table, text_listener_table;

/* Local time without the date. */
extern const struct text_column text_time_column;

/* The columns of all tables, each heading once. */
extern const struct text_column *const text_named_columns[];
extern const unsigned int text_named_column_count;

#endif
