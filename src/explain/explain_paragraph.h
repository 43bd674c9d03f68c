/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A paragraph about one record: words are added to it, and paragraph_finish() wraps them to lines. */
#ifndef NETRACKER_EXPLAIN_PARAGRAPH_H
#define NETRACKER_EXPLAIN_PARAGRAPH_H

#include <linux/types.h>

#include "core/record.h"
#include "src/explain/explain_record.h"
#include "src/util/resolver.h"

struct paragraph {
	const json_t *record;
	struct text_buffer *out;
	unsigned int width;       /* of a line, in characters */
	struct resolver *names;   /* of addresses; NULL: none */
	struct text_buffer words; /* of the paragraph so far */
};

/* Adds at most 255 bytes, unescaped: no strings from the record. A space separates them from the words before, unless
 * they begin with a punctuation mark.
 */
void paragraph_add(struct paragraph *paragraph, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds a string of the record: escaped, and in quotes unless it is a plain name. */
void paragraph_add_name(struct paragraph *paragraph, const char *name);

/* Like paragraph_add_name(), without a space before the name. */
void paragraph_append_name(struct paragraph *paragraph, const char *name);

void paragraph_add_duration(struct paragraph *paragraph, __u64 ns);

/* Appends the label and the wrapped words to `out`, and empties `words`. Appends nothing if there are no words. */
void paragraph_finish(struct paragraph *paragraph, const char *label);

/* Returns "the client" for NT_SRC, "the server" for NT_DST. */
const char *paragraph_side_name(enum nt_side side);

/* Returns whether the record is the account of this side's socket. */
bool paragraph_is_local_side(const struct paragraph *paragraph, enum nt_side side);

#endif
