/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strings of the system (process names, paths, interfaces) are any bytes: escaped, they can break no line, no column,
 * no terminal and no JSON parser. Each string ends at its first NUL or after `size` bytes.
 */
#ifndef NETRACKER_ESCAPE_H
#define NETRACKER_ESCAPE_H

#include "src/util/text_buffer.h"

/* For a column: one word without spaces. Every byte outside 0x21..0x7e, and the backslash, is written \xNN; the empty
 * string as "", and a lone "-", which stands for absent, as \x2d.
 */
void escape_word(struct text_buffer *text, const char *string, size_t size);

/* For a message: as a word, but spaces and backslashes stay. */
void escape_message(struct text_buffer *text, const char *string, size_t size);

/* For JSON, with the quotes: pure ASCII. A character outside printable ASCII is written \uNNNN (RFC 8259 section 7), a
 * byte that is not UTF-8 (RFC 3629) becomes the four characters \xNN.
 */
void escape_json(struct text_buffer *text, const char *string, size_t size);

#endif
