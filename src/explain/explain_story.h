/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sentences about one record, wrapped to paragraphs: what explain_course.c, explain_end.c and explain_describe.c use. */
#ifndef NETRACKER_EXPLAIN_STORY_H
#define NETRACKER_EXPLAIN_STORY_H

#include <linux/types.h>

#include "core/record.h"
#include "src/explain/explain_record.h"

struct story {
	const json_t *record;
	struct text_buffer *out;
	unsigned int width;       /* of a line, in characters */
	struct text_buffer words; /* the paragraph that is being said */
};

/* At most 255 bytes, none of them a stranger's. A space goes before each, unless it begins with a punctuation mark. */
void story_say(struct story *story, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A string of the system's or of whoever wrote the record: escaped, in quotes where its end could be mistaken. */
void story_say_name(struct story *story, const char *name);

/* The same without a space before it. */
void story_put_name(struct story *story, const char *name);

void story_say_duration(struct story *story, __u64 ns);

/* What was said becomes a paragraph. */
void story_end_paragraph(struct story *story, const char *label);

/* "the client", "the server": who opened the connection, who answered. */
const char *story_side(enum nt_side side);

/* Whether this side's socket is the one that the record is the view of. */
bool story_is_local(const struct story *story, enum nt_side side);

#endif
