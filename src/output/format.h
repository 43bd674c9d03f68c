/* The formats a sink can write. Each appends one line, with its newline; Zeek's header has eight, and text has two on a
 * narrow terminal. */
#ifndef NETRACKER_SINK_FORMAT_H
#define NETRACKER_SINK_FORMAT_H

#include "src/record/record_fields.h"
#include "src/util/text_buffer.h"

/* Who reads. */
struct sink_view {
	unsigned int width; /* of the terminal, in characters; 0: no terminal */
	bool colour;
	bool lists; /* connections that are open */
};

void sink_json_record(struct text_buffer *text, const struct nt_record *record);

void sink_csv_header(struct text_buffer *text);
void sink_csv_record(struct text_buffer *text, const struct nt_record *record);

void sink_tsv_header(struct text_buffer *text);
void sink_tsv_record(struct text_buffer *text, const struct nt_record *record);

/* Whether it has a line there: the last record of a connection that has the figure. */
bool sink_trace_tells(const struct nt_record *record);
void sink_trace_record(struct text_buffer *text, const struct nt_record *record);

void sink_text_header(struct text_buffer *text, const struct sink_view *view);
void sink_text_record(struct text_buffer *text, const struct nt_record *record, const struct sink_view *view);

void sink_zeek_header(struct text_buffer *text);
void sink_zeek_record(struct text_buffer *text, const struct nt_record *record);
void sink_zeek_footer(struct text_buffer *text);

#endif
