// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/text_buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool text_grow(struct text_buffer *text, size_t size)
{
	size_t capacity = text->capacity ? text->capacity : 256;
	char *bytes;

	if (text->failed)
		return false;
	while (capacity - text->used < size)
		capacity *= 2;
	bytes = realloc(text->bytes, capacity);
	if (!bytes) {
		text->failed = true;
		return false;
	}
	text->bytes = bytes;
	text->capacity = capacity;
	return true;
}

void text_string(struct text_buffer *text, const char *string)
{
	text_append(text, string, strlen(string));
}

static size_t count_digits(unsigned long long integer)
{
	size_t digits = 1;

	for (; integer >= 10000; integer /= 10000)
		digits += 4;
	return digits + (integer >= 10) + (integer >= 100) + (integer >= 1000);
}

void text_integer(struct text_buffer *text, unsigned long long integer)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324"
				    "25262728293031323334353637383940414243444546474849"
				    "50515253545556575859606162636465666768697071727374"
				    "75767778798081828384858687888990919293949596979899";
	size_t size = count_digits(integer);
	char *end;

	if (!text_reserve(text, size))
		return;
	text->used += size;
	end = text->bytes + text->used;
	for (; integer >= 100; integer /= 100)
		memcpy(end -= 2, pairs + integer % 100 * 2, 2);
	if (integer >= 10)
		memcpy(end - 2, pairs + integer * 2, 2);
	else
		end[-1] = (char)('0' + integer);
}

void text_spaces(struct text_buffer *text, size_t count)
{
	if (!count || !text_reserve(text, count))
		return;
	memset(text->bytes + text->used, ' ', count);
	text->used += count;
}

void text_format(struct text_buffer *text, const char *format, ...)
{
	char formatted[256];
	va_list arguments;
	int size;

	va_start(arguments, format);
	size = vsnprintf(formatted, sizeof(formatted), format, arguments);
	va_end(arguments);
	if (size > 0)
		text_append(text, formatted, (size_t)size < sizeof(formatted) ? (size_t)size : sizeof(formatted) - 1);
}

void text_free(struct text_buffer *text)
{
	free(text->bytes);
	*text = (struct text_buffer){ 0 };
}

void text_signed(struct text_buffer *text, long long integer)
{
	if (integer < 0)
		text_char(text, '-');
	text_integer(text, integer < 0 ? 0 - (unsigned long long)integer : (unsigned long long)integer);
}
