/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that records are written in. */
#ifndef NETRACKER_FORMAT_H
#define NETRACKER_FORMAT_H

#include <time.h>

#include "src/record/record_fields.h"
#include "src/util/resolver.h"
#include "src/util/text_buffer.h"

#define MOST_CHOSEN_COLUMNS 128

/* The columns of --columns, in their order: indices that the format's column_name() takes. */
struct column_choice {
	unsigned int count;
	unsigned int index[MOST_CHOSEN_COLUMNS];
};

enum format_rows { ROWS_ENDED, ROWS_OPEN, ROWS_LISTENERS };

/* Properties of the output that the formats with columns depend on. */
struct format_view {
	unsigned int width; /* text: of a line, in characters */
	bool wraps;         /* text: a line that long addresses make wider than that continues in the next one */
	bool colour;
	enum format_rows rows;              /* text: which table of columns */
	const struct column_choice *chosen; /* NULL: the format's own columns */
	struct resolver *names;             /* text: of addresses, which it shows instead; NULL: none */
	unsigned int day;                   /* text: of the record before, as format_day(); 0: none */
};

/* Each function appends whole lines with their newlines. NULL if the format has no such lines. */
struct format {
	const char *name;   /* the value of -f */
	bool follows_width; /* the header is repeated when the terminal's width changes */
	bool always_header; /* even if the file has records already: a Zeek log has ended, so another one begins */
	bool (*accepts)(const struct nt_record *record); /* NULL: every record */
	bool limits_integers; /* leaves out integers of 2^53 and more: record_limit_integers() */
	/* Writes the name of a column that --columns takes. Returns false beyond the last. NULL: it has no columns. */
	bool (*column_name)(unsigned int index, char name[FIELD_KEY_SIZE]);
	void (*header)(struct text_buffer *text, const struct format_view *view);
	/* Lines between the record before and this one. */
	void (*before_record)(struct text_buffer *text, const struct nt_record *record, struct format_view *view);
	void (*record)(struct text_buffer *text, const struct nt_record *record, const struct format_view *view);
	void (*footer)(struct text_buffer *text);
};

/* Returns the number of the local day of a time since the Unix epoch, above 0. */
unsigned int format_day(time_t seconds);

/* format_trace accepts only a connection's last record, and only with syn_finack_ns: its `[TC]` line has no other
 * value.
 */
extern const struct format format_text, format_json, format_csv, format_tsv, format_trace;

#endif
