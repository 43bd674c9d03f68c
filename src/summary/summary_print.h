/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of --summary, in 80 columns. */
#ifndef NETRACKER_SUMMARY_PRINT_H
#define NETRACKER_SUMMARY_PRINT_H

#include "src/summary/summary.h"
#include "src/util/text_buffer.h"

/* Prints the current interval, after summary_settle(). `from_ns` and `to_ns` are times since the Unix epoch; from_ns 0
 * leaves out the line with both and the rates.
 */
void summary_print(struct text_buffer *text, struct summary *summary, __u64 from_ns, __u64 to_ns);

#endif
