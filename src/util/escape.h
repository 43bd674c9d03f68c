/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Escapes hostile strings: process names, paths and interfaces may have any bytes. Escaped, they cannot break lines,
 * columns, terminals or JSON parsers. Each string ends at its first NUL or after `size` bytes.
 */
#ifndef NETRACKER_ESCAPE_H
#define NETRACKER_ESCAPE_H

#include "src/util/text_buffer.h"

/* For a column: appends one word without spaces. A byte outside 0x21..0x7e or a backslash becomes \xNN, the empty
 * string "", and a lone "-", which would mean absent, \x2d.
 */
void escape_word(struct text_buffer *text, const char *string, size_t size);

/* For a message: as escape_word(), but spaces, backslashes, a lone "-" and the empty string stay. */
void escape_message(struct text_buffer *text, const char *string, size_t size);

/* For JSON: appends a quoted string of pure ASCII. A character outside printable ASCII becomes \uNNNN (RFC 8259
 * section 7), a byte that is not UTF-8 (RFC 3629) the four characters \xNN.
 */
void escape_json(struct text_buffer *text, const char *string, size_t size);

/* For a text in a database: characters that are not printable, and bytes that are no UTF-8, become \xNN, a backslash
 * \\. */
void escape_text(struct text_buffer *text, const char *string, size_t size);

/* Takes back what escape_text() did, in place. Returns the new size; `string` ends with no NUL. */
size_t escape_text_undo(char *string, size_t size);

#endif
