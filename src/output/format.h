/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that records are written in. */
#ifndef NETRACKER_FORMAT_H
#define NETRACKER_FORMAT_H

#include "src/record/record_fields.h"
#include "src/util/text_buffer.h"

/* Properties of the output that the text format depends on. */
struct format_view {
	unsigned int width; /* of the terminal, in characters; 0: no terminal */
	bool colour;
	bool lists; /* the columns of `netracker list`, for open connections */
};

/* Each function appends whole lines with their newlines. NULL if the format has no such lines. */
struct format {
	const char *name;   /* the value of -f */
	bool follows_width; /* the header is repeated when the terminal's width changes */
	bool always_header; /* even if the file has records already: a Zeek log has ended, so another one begins */
	bool (*accepts)(const struct nt_record *record); /* NULL: every record */
	bool limits_integers; /* leaves out integers of 2^53 and more: record_limit_integers() */
	void (*header)(struct text_buffer *text, const struct format_view *view);
	void (*record)(struct text_buffer *text, const struct nt_record *record, const struct format_view *view);
	void (*footer)(struct text_buffer *text);
};

/* format_trace accepts only a connection's last record, and only with syn_finack_ns: its `[TC]` line has no other
 * value.
 */
extern const struct format format_text, format_json, format_csv, format_tsv, format_trace;

#endif
