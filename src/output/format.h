/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The formats that records are written in. */
#ifndef NETRACKER_FORMAT_H
#define NETRACKER_FORMAT_H

#include "src/record/record_fields.h"
#include "src/util/text_buffer.h"

/* Who reads the output. */
struct format_view {
	unsigned int width; /* of the terminal, in characters; 0: no terminal */
	bool colour;
	bool lists; /* connections that are open */
};

/* Each function appends whole lines, each with its newline. NULL where the format has no such lines. */
struct format {
	const char *name; /* the word that -f takes */
	bool follows_width;  /* a new header when the terminal changes its width */
	bool always_header;  /* also where it appends to a file that has records already */
	bool (*accepts)(const struct nt_record *record); /* NULL: it has a line for every record */
	void (*header)(struct text_buffer *text, const struct format_view *view);
	void (*record)(struct text_buffer *text, const struct nt_record *record, const struct format_view *view);
	void (*footer)(struct text_buffer *text);
};

/* The `[TC]` line of format_trace has one figure: only the last record of a connection that has it is accepted. */
extern const struct format format_text, format_json, format_csv, format_tsv, format_trace;

#endif
