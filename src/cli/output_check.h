/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef NETRACKER_OUTPUT_CHECK_H
#define NETRACKER_OUTPUT_CHECK_H

#include "src/cli/options.h"

/* Returns whether no file is both input and output, else false after reporting the error: the command would read its
 * own output, or destroy its input. */
bool output_check_inputs(const struct options *options);

#endif
