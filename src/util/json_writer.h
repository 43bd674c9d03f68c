/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Appends JSON (RFC 8259) to a text buffer: objects and lists, nested without limit. The writer sets the commas; the
 * caller pairs begin and end, and writes a key before each value of an object.
 */
#ifndef NETRACKER_JSON_WRITER_H
#define NETRACKER_JSON_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "src/util/escape.h"
#include "src/util/text_buffer.h"

/* Initialize with only .text set. */
struct json_writer {
	struct text_buffer *text;
	bool needs_comma; /* before the next key, or the next value of a list */
};

/* Inline for speed: a record takes some forty calls, and a writer whose address escapes to no other function stays in
 * registers.
 */
static inline void json_separate(struct json_writer *json)
{
	if (json->needs_comma)
		text_char(json->text, ',');
	json->needs_comma = true;
}

static inline void json_begin_object(struct json_writer *json)
{
	json_separate(json);
	text_char(json->text, '{');
	json->needs_comma = false;
}

static inline void json_end_object(struct json_writer *json)
{
	text_char(json->text, '}');
	json->needs_comma = true;
}

static inline void json_begin_list(struct json_writer *json)
{
	json_separate(json);
	text_char(json->text, '[');
	json->needs_comma = false;
}

static inline void json_end_list(struct json_writer *json)
{
	text_char(json->text, ']');
	json->needs_comma = true;
}

/* `key` needs no escaping. */
void json_write_key(struct json_writer *json, const char *key);

/* The same for a key that has its quotes and colon. `size` is its length; `readable`, at least `size`, is the number of
 * bytes that may be read: if it is a constant, the copy needs no call.
 */
static inline void json_write_quoted_key(struct json_writer *json, const char *key, size_t size, size_t readable)
{
	char *out;

	if (!text_reserve(json->text, 1 + readable))
		return;
	out = json->text->bytes + json->text->used;
	*out = ',';
	memcpy(out + json->needs_comma, key, readable);
	json->text->used += json->needs_comma + size;
	json->needs_comma = false;
}

/* The string ends at its first NUL or after `size` bytes, and is escaped (escape_json()). */
static inline void json_write_string(struct json_writer *json, const char *string, size_t size)
{
	json_separate(json);
	escape_json(json->text, string, size);
}

/* Writes a string of `size` bytes that needs no escaping. */
static inline void json_write_word(struct json_writer *json, const char *word, size_t size)
{
	char *out;

	json_separate(json);
	if (!text_reserve(json->text, size + 2))
		return;
	out = json->text->bytes + json->text->used;
	*out = '"';
	memcpy(out + 1, word, size);
	out[size + 1] = '"';
	json->text->used += size + 2;
}

static inline void json_write_integer(struct json_writer *json, unsigned long long integer)
{
	json_separate(json);
	text_integer(json->text, integer);
}

static inline void json_write_signed(struct json_writer *json, long long integer)
{
	json_separate(json);
	text_signed(json->text, integer);
}

static inline void json_write_boolean(struct json_writer *json, bool boolean)
{
	json_separate(json);
	text_string(json->text, boolean ? "true" : "false");
}

#endif
