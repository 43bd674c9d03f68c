/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing text buffer. All zero is empty. A failed allocation sets `failed`; later text is discarded. */
#ifndef NETRACKER_TEXT_BUFFER_H
#define NETRACKER_TEXT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct text_buffer {
	char *bytes; /* not NUL-terminated */
	size_t used, capacity;
	bool failed;
};

bool text_grow(struct text_buffer *text, size_t size);

/* Makes room for `size` more bytes. Inline for speed: a line has some hundred pieces, at thousands of lines a second.
 */
static inline bool text_reserve(struct text_buffer *text, size_t size)
{
	return text->capacity - text->used >= size || text_grow(text, size);
}

static inline void text_append(struct text_buffer *text, const char *bytes, size_t size)
{
	if (!size || !text_reserve(text, size))
		return;
	memcpy(text->bytes + text->used, bytes, size);
	text->used += size;
}

static inline void text_char(struct text_buffer *text, char byte)
{
	if (text_reserve(text, 1))
		text->bytes[text->used++] = byte;
}

void text_string(struct text_buffer *text, const char *string);
void text_integer(struct text_buffer *text, unsigned long long integer);
void text_signed(struct text_buffer *text, long long integer);
void text_spaces(struct text_buffer *text, size_t count);

/* Appends at most 255 bytes; the rest is truncated. */
void text_format(struct text_buffer *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

void text_free(struct text_buffer *text);

#endif
