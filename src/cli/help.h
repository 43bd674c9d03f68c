/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --help: a command's usage, its options from the table, its notes and examples, in 80 columns. */
#ifndef NETRACKER_HELP_H
#define NETRACKER_HELP_H

#include "src/cli/options.h"
#include "src/util/text_buffer.h"

void help_append(struct text_buffer *text, enum command_bit command);

#endif
