/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of --summary, in 80 columns. */
#ifndef NETRACKER_SUMMARY_PRINT_H
#define NETRACKER_SUMMARY_PRINT_H

#include "src/summary/summary.h"
#include "src/util/text_buffer.h"

/* `from` and `to`: nanoseconds since the Unix epoch; 0: no heading says which time this is of. */
void summary_print(struct text_buffer *text, const struct summary *summary, __u64 from_ns, __u64 to_ns);

#endif
