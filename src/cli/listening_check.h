/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks that a filter and --sort ask for values that the records have: those of listeners (`netracker list --listening`)
 * or those of connections.
 */
#ifndef NETRACKER_LISTENING_CHECK_H
#define NETRACKER_LISTENING_CHECK_H

#include <stdbool.h>

#include "src/cli/options.h"

/* Returns false after reporting the error. Call it when the options and the filter are parsed. */
bool listening_check_fields(const struct options *options);

#endif
