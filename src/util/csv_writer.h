/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cells of CSV (RFC 4180) and TSV. */
#ifndef NETRACKER_CSV_WRITER_H
#define NETRACKER_CSV_WRITER_H

#include "src/util/text_buffer.h"

/* Writes a string of any bytes, which ends at its first NUL or after `size` bytes, as printable ASCII. In CSV it is
 * quoted if it has a comma or a quotation mark. The empty string is "", so it differs from an empty cell.
 */
void csv_write_string(struct text_buffer *text, const char *string, size_t size, char separator);

#endif
