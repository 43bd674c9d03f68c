/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The columns of the text format: what a terminal shows, and what everything else gets. */
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
	unsigned int drop; /* on a terminal too narrow for all, 1 goes first; 0 never goes */
	void (*print)(struct text_buffer *cell, const struct nt_record *record);
	void (*print_short)(struct text_buffer *cell, const struct nt_record *record); /* past the edge; or NULL */
	const char *(*colour)(const struct nt_record *record); /* an escape sequence or NULL; or NULL */
};

struct text_table {
	const struct text_column *columns;
	unsigned int count;
	const struct text_table *when_too_wide; /* instead, where not even what never goes fits; or NULL */
	const struct text_table *second_line;	/* of each record; or NULL */
};

/* Values shortened for people; all columns fit into 132 characters with IPv4. */
extern const struct text_table terminal_table;

/* The same of connections that are open. */
extern const struct text_table list_table;

/* Exact values, never shortened, never left out, and no cell holds a space. */
extern const struct text_table file_table;

#endif
