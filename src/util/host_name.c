// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/host_name.h"

#include <ctype.h>
#include <string.h>

#include "src/util/text_buffer.h"

static bool is_host_name_byte(unsigned char byte)
{
	return byte < 0x80 && (isalnum(byte) || byte == '-' || byte == '_' || byte == '.');
}

/* Returns whether the label is a number as inet_aton(3) reads them: 18, 022, 0x12. */
static bool is_number_label(const char *label, size_t length)
{
	size_t i;

	if (length >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X')) {
		for (i = 2; i < length && isxdigit((unsigned char)label[i]); i++)
			;
		return i == length;
	}
	for (i = 0; i < length && isdigit((unsigned char)label[i]); i++)
		;
	return length && i == length;
}

static bool is_like_address(const char *name, size_t length)
{
	size_t last = length;

	while (last && name[last - 1] != '.')
		last--;
	return memchr(name, ':', length) || is_number_label(name + last, length - last);
}

/* Returns the length of the character or escape at this place. */
static size_t escaped_piece(const char *escaped)
{
	return *escaped == '\\' ? sizeof("\\xNN") - 1 : 1;
}

/* Copies both ends of a name that is too long, and cuts within no escape. */
static void cut_middle(char shown[HOST_NAME_SIZE], const struct text_buffer *escaped)
{
	size_t most = HOST_NAME_SHOWN / 2, head = 0, tail;

	while (head + escaped_piece(escaped->bytes + head) <= most)
		head += escaped_piece(escaped->bytes + head);
	for (tail = head; escaped->used - tail > most;)
		tail += escaped_piece(escaped->bytes + tail);
	memcpy(shown, escaped->bytes, head);
	shown[head] = '~';
	memcpy(shown + head + 1, escaped->bytes + tail, escaped->used - tail);
	shown[head + 1 + escaped->used - tail] = '\0';
}

bool host_name_escape(char shown[HOST_NAME_SIZE], const char *name, size_t size)
{
	size_t length = strnlen(name, size), i;
	struct text_buffer escaped = { 0 };

	shown[0] = '\0';
	while (length && name[length - 1] == '.')
		length--;
	if (!length || is_like_address(name, length))
		return false;
	for (i = 0; i < length; i++)
		if (is_host_name_byte((unsigned char)name[i]) && !(name[i] == '-' && length == 1))
			text_char(&escaped, name[i]);
		else
			text_format(&escaped, "\\x%02x", (unsigned char)name[i]);
	if (!escaped.failed && escaped.used <= HOST_NAME_SHOWN) {
		memcpy(shown, escaped.bytes, escaped.used);
		shown[escaped.used] = '\0';
	} else if (!escaped.failed)
		cut_middle(shown, &escaped);
	text_free(&escaped);
	return shown[0];
}
