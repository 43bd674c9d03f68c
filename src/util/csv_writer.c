// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/csv_writer.h"

#define FIRST_PRINTABLE 0x20
#define LAST_PRINTABLE 0x7e

/* A spreadsheet interprets a cell that begins so as a formula. */
static bool begins_formula(char byte)
{
	return byte && strchr("=+-@", byte);
}

static void csv_escape_byte(struct text_buffer *text, char byte)
{
	switch (byte) {
	case '\t':
		return text_string(text, "\\t");
	case '\n':
		return text_string(text, "\\n");
	case '\\':
		return text_string(text, "\\\\");
	default:
		text_format(text, "\\x%02x", (unsigned char)byte);
	}
}

/* Writes printable ASCII for any bytes. In quotes each quote is doubled: RFC 4180 section 2, rule 7. */
static void print_escaped(struct text_buffer *text, const char *string, size_t length, bool in_quotes)
{
	size_t i;

	for (i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)string[i];

		if (byte < FIRST_PRINTABLE || byte > LAST_PRINTABLE || byte == '\\' ||
		    (!i && begins_formula(string[i])))
			csv_escape_byte(text, string[i]);
		else if (byte == '"' && in_quotes)
			text_string(text, "\"\"");
		else
			text_char(text, string[i]);
	}
}

void csv_write_string(struct text_buffer *text, const char *string, size_t size, char separator)
{
	size_t length = strnlen(string, size);
	bool quotes = separator == ',' && (memchr(string, ',', length) || memchr(string, '"', length));

	if (quotes || !length)
		text_char(text, '"');
	print_escaped(text, string, length, quotes);
	if (quotes || !length)
		text_char(text, '"');
}
