/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The note when live tracking begins: on a terminal, nothing else may appear for long. */
#ifndef NETRACKER_START_NOTE_H
#define NETRACKER_START_NOTE_H

#include "src/cli/options.h"
#include "src/util/text_buffer.h"

/* Appends what is followed, the filter, where records go and what ends it, as one line without a newline. */
void start_note_append(struct text_buffer *text, const struct options *options, unsigned int interfaces);

/* Prints the note if stderr is a terminal, unless quiet. Otherwise prints "tracking" if verbose. */
void start_note_print(const struct options *options, unsigned int interfaces);

#endif
