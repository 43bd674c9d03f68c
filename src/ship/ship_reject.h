/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_REJECT_H
#define NETRACKER_SHIP_REJECT_H

#include "src/ship/ship_batch.h"
#include "src/ship/ship_cursor.h"

/* Appends records of the batch at the cursor, by their numbers in it, as JSON objects, a line each: a batch has them in the
 * form of its destination, so they come from the history again. Returns how many were still there, or -errno after
 * reporting the error. */
int ship_reject_read(struct text_buffer *lines, const struct ship_cursor *cursor, const struct ship_batch *batch,
		     const unsigned int *bad, unsigned int count);

/* Appends lines to the file of rejected records, and syncs. Returns 0 or -errno: -EFBIG if the file would be too large. */
int ship_reject_append(const char *path, const struct text_buffer *lines);

#endif
