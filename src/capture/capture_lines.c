// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_lines.h"

#include <string.h>

/* The first bytes of each other format that is read include one that no text has. */
#define TEXT_BYTES 16
/* A pipe is read in small steps: its writer may wait for the answer to its first record. */
#define STEP 64

static size_t skip_blanks(const __u8 *head, size_t size, size_t at)
{
	while (at < size && head[at] && strchr(" \t\r\n", head[at]))
		at++;
	return at;
}

/* Blank lines, and the byte order mark of UTF-8, may come before. */
static bool begins_with_object(const __u8 *head, size_t size)
{
	size_t at = size > 3 && !memcmp(head, "\xef\xbb\xbf", 3) ? 3 : 0;

	at = skip_blanks(head, size, at);
	if (at == size || head[at] != '{')
		return false;
	at = skip_blanks(head, size, at + 1);
	return at < size && head[at] == '"';
}

static bool has_text_only(const __u8 *head, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (head[i] < ' ' && (!head[i] || !strchr("\t\r\n", head[i])))
			return false;
	return true;
}

/* Returns whether an object begins after one of the line ends; *from: where the search goes on with more bytes. */
static bool find_object_line(const __u8 *head, size_t size, size_t *from)
{
	const __u8 *end;

	while ((end = memchr(head + *from, '\n', size - *from))) {
		if (begins_with_object(end + 1, (size_t)(head + size - (end + 1))))
			return true;
		if (head + size - end < STEP)
			return false;
		*from = (size_t)(end + 1 - head);
	}
	*from = size;
	return false;
}

bool capture_lines_begin(struct capture_stream *stream)
{
	const __u8 *head;
	size_t size = capture_stream_peek(stream, &head, TEXT_BYTES), wanted = size, from = 0;

	if (begins_with_object(head, size))
		return true;
	if (!has_text_only(head, size))
		return false;
	while (size == wanted && wanted + STEP <= CAPTURE_STREAM_MOST_PEEK) {
		wanted += STEP;
		size = capture_stream_peek(stream, &head, wanted);
		if (find_object_line(head, size, &from))
			return true;
	}
	return false;
}
