// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/escape.h"

#include <ctype.h>
#include <string.h>

#define FIRST_PRINTABLE 0x20
#define LAST_PRINTABLE 0x7e
#define FIRST_BEYOND_CONTROLS 0xa0 /* U+0080 to U+009F are the control characters C1 */
#define HEX_ESCAPE_SIZE 4          /* "\\x1b" */

static void append_hex_escape(struct text_buffer *text, unsigned char byte)
{
	text_format(text, "\\x%02x", byte);
}

void escape_word(struct text_buffer *text, const char *string, size_t size)
{
	size_t length = strnlen(string, size), i;

	if (!length)
		text_string(text, "\"\"");
	for (i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)string[i];

		if (byte <= FIRST_PRINTABLE || byte > LAST_PRINTABLE || byte == '\\' || (byte == '-' && length == 1))
			append_hex_escape(text, byte);
		else
			text_char(text, (char)byte);
	}
}

void escape_message(struct text_buffer *text, const char *string, size_t size)
{
	size_t length = strnlen(string, size), i;

	for (i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)string[i];

		if (byte < FIRST_PRINTABLE || byte > LAST_PRINTABLE)
			append_hex_escape(text, byte);
		else
			text_char(text, (char)byte);
	}
}

/* Returns the length of a sequence with this first byte and sets its least code point (RFC 3629 section 3). 0 if the
 * byte begins none.
 */
static size_t utf8_length(unsigned char first, unsigned int *least)
{
	if (first >= 0xc2 && first <= 0xdf)
		return *least = 0x80, 2;
	if (first >= 0xe0 && first <= 0xef)
		return *least = 0x800, 3;
	if (first >= 0xf0 && first <= 0xf4)
		return *least = 0x10000, 4;
	return 0;
}

/* Decodes the code point at the start of the bytes. Returns its length in bytes, or 0 if they are not UTF-8. */
static size_t utf8_decode(const char *bytes, size_t size, unsigned int *code_point)
{
	unsigned char first = (unsigned char)bytes[0];
	unsigned int least, value;
	size_t length = utf8_length(first, &least), i;

	if (!length || length > size)
		return 0;
	value = first & (0x7fU >> length);
	for (i = 1; i < length; i++) {
		unsigned char next = (unsigned char)bytes[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (next & 0x3f);
	}
	if (value < least || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code_point = value;
	return length;
}

static void json_code_point(struct text_buffer *text, unsigned int value)
{
	if (value >= 0x10000)
		text_format(text, "\\u%04x\\u%04x", 0xd800 + ((value - 0x10000) >> 10),
			    0xdc00 + ((value - 0x10000) & 0x3ff));
	else
		text_format(text, "\\u%04x", value);
}

static void json_ascii(struct text_buffer *text, unsigned char byte)
{
	if (byte < FIRST_PRINTABLE || byte > LAST_PRINTABLE) {
		json_code_point(text, byte);
		return;
	}
	if (byte == '"' || byte == '\\')
		text_char(text, '\\');
	text_char(text, (char)byte);
}

/* Returns how many bytes at the start need no escaping in JSON. */
static size_t plain_run(const char *bytes, size_t size)
{
	size_t run = 0;

	while (run < size && bytes[run] >= FIRST_PRINTABLE && bytes[run] <= LAST_PRINTABLE && bytes[run] != '"' &&
	       bytes[run] != '\\')
		run++;
	return run;
}

void escape_json(struct text_buffer *text, const char *string, size_t size)
{
	size_t length = strnlen(string, size), i = 0;

	text_char(text, '"');
	while (i < length) {
		unsigned char byte = (unsigned char)string[i];
		size_t taken = plain_run(string + i, length - i);
		unsigned int code_point;

		if (taken) {
			text_append(text, string + i, taken);
			i += taken;
			continue;
		}
		taken = 1;
		if (byte < 0x80)
			json_ascii(text, byte);
		else if ((taken = utf8_decode(string + i, length - i, &code_point)))
			json_code_point(text, code_point);
		else {
			text_format(text, "\\\\x%02x", byte);
			taken = 1;
		}
		i += taken;
	}
	text_char(text, '"');
}

static bool is_printable(unsigned int code_point)
{
	return code_point >= FIRST_BEYOND_CONTROLS || (code_point >= FIRST_PRINTABLE && code_point <= LAST_PRINTABLE);
}

/* Returns the size of the printable character at the start. 0 if it must be escaped. */
static size_t printable_size(const char *bytes, size_t size)
{
	unsigned int code_point = (unsigned char)bytes[0];
	size_t taken = code_point < 0x80 ? 1 : utf8_decode(bytes, size, &code_point);

	return taken && is_printable(code_point) && code_point != '\\' ? taken : 0;
}

void escape_text(struct text_buffer *text, const char *string, size_t size)
{
	size_t length = strnlen(string, size), i = 0;

	while (i < length) {
		size_t taken = printable_size(string + i, length - i);

		if (taken)
			text_append(text, string + i, taken);
		else if (string[i] == '\\')
			text_string(text, "\\\\");
		else
			append_hex_escape(text, (unsigned char)string[i]);
		i += taken ? taken : 1;
	}
}

static unsigned int hex_value(char digit)
{
	return isdigit((unsigned char)digit) ? (unsigned int)(digit - '0') :
					       (unsigned int)(tolower((unsigned char)digit) - 'a' + 10);
}

size_t escape_text_undo(char *string, size_t size)
{
	size_t from = 0, to = 0;

	while (from < size) {
		const char *rest = string + from;
		size_t left = size - from;

		if (left >= HEX_ESCAPE_SIZE && rest[0] == '\\' && rest[1] == 'x' && isxdigit((unsigned char)rest[2]) &&
		    isxdigit((unsigned char)rest[3])) {
			string[to++] = (char)(hex_value(rest[2]) << 4 | hex_value(rest[3]));
			from += HEX_ESCAPE_SIZE;
			continue;
		}
		from += left > 1 && rest[0] == '\\' && rest[1] == '\\';
		string[to++] = string[from++];
	}
	return to;
}
