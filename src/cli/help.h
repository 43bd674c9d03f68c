/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --help: usage, options from the option table, notes and examples of a command, in 80 columns. */
#ifndef NETRACKER_HELP_H
#define NETRACKER_HELP_H

#include "src/cli/options.h"
#include "src/util/text_buffer.h"

void help_append(struct text_buffer *text, enum command_bit command);

#endif
