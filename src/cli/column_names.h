/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_COLUMN_NAMES_H
#define NETRACKER_COLUMN_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "src/cli/options.h"

/* Adds the columns of a list of names, separated by commas. The format must have columns. Returns false after writing
 * the reason: a name is empty, or unknown (the nearest one is given), or there are too many.
 */
bool column_names_add(struct column_choice *choice, const struct format *format, const char *names, char *reason,
		      size_t size);

#endif
