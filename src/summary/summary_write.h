/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes the summary for programs: JSON, an object for each interval; CSV and TSV, a line for each row of a table. */
#ifndef NETRACKER_SUMMARY_WRITE_H
#define NETRACKER_SUMMARY_WRITE_H

#include <stdbool.h>

#include "src/summary/summary_lines.h"

/* Both write the current interval, after summary_settle(). Without memory `text` has failed. */
void summary_write_json(struct text_buffer *text, struct summary *summary, const struct summary_span *span);
void summary_write_csv(struct text_buffer *text, struct summary *summary, const struct summary_span *span,
		       char separator);

/* Writes the names of the columns. */
void summary_write_csv_header(struct text_buffer *text, char separator);

#endif
