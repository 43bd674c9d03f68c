/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_SHIP_REJECT_H
#define NETRACKER_SHIP_REJECT_H

#include "src/ship/ship_batch.h"
#include "src/ship/ship_cursor.h"

/* Appends records of the batch at the cursor, by their numbers in it, to the file of rejected ones: a JSON object a line,
 * synced. Returns false after reporting the error. */
bool ship_reject_write(const struct ship_cursor *cursor, const struct ship_batch *batch, const unsigned int *bad,
		       unsigned int count);

#endif
