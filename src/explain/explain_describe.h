/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The description of one record: a heading, then the paragraphs of explain_course.h and explain_end.h. */
#ifndef NETRACKER_EXPLAIN_DESCRIBE_H
#define NETRACKER_EXPLAIN_DESCRIBE_H

#include "src/explain/explain_record.h"
#include "src/util/resolver.h"

/* Appends to out. record: from record_reader_parse(). width: of a line, in characters. names: of addresses; NULL: none.
 * The only control characters in the text are newlines.
 */
void explain_describe(struct text_buffer *out, const json_t *record, unsigned int width, struct resolver *names);

#endif
