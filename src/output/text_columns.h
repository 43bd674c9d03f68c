/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of the text format: for a terminal, and for files and pipes. */
#ifndef NETRACKER_TEXT_COLUMNS_H
#define NETRACKER_TEXT_COLUMNS_H

#include <linux/types.h>

#include "core/record.h"
#include "src/util/text_buffer.h"

enum alignment { LEFT, RIGHT };

struct text_column {
	const char *heading;
	unsigned int width;
	enum alignment alignment;
	unsigned int drop; /* order of removal on a narrow terminal: 1 first; 0: never */
	void (*print)(struct text_buffer *cell, const struct nt_record *record);
	void (*print_short)(struct text_buffer *cell, const struct nt_record *record); /* beyond the width; or NULL */
	const char *(*colour)(const struct nt_record *record); /* an escape sequence or NULL; or NULL */
};

struct text_table {
	const struct text_column *columns;
	unsigned int count;
	const struct text_table *when_too_wide; /* used if even the columns with drop 0 do not fit; or NULL */
	const struct text_table *second_line;   /* of each record; or NULL */
};

/* Values in readable units; all columns fit into 132 characters with IPv4. */
extern const struct text_table terminal_table;

/* The same for open connections. */
extern const struct text_table list_table;

/* Exact values in all columns; no cell has a space. */
extern const struct text_table file_table;

#endif
