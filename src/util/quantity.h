/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parsers of numbers, durations and sizes as users write them. Each takes the whole text, or returns false. */
#ifndef NETRACKER_QUANTITY_H
#define NETRACKER_QUANTITY_H

#include <linux/types.h>
#include <stdbool.h>

/* Accepts decimal digits only. Returns false unless least <= number <= most. */
bool quantity_number(const char *text, __u64 least, __u64 most, __u64 *number);

/* Accepts a number, possibly with a fraction, and a unit: ns, us, ms, s, m, h or d. A number alone counts units of
 * `bare_ns` nanoseconds. At most 100 years.
 */
bool quantity_duration(const char *text, __u64 bare_ns, __u64 *ns);

/* Accepts a number of bytes, possibly with K, M, G or T (of 1024), and a fraction before these. Returns false unless
 * least <= bytes <= most. */
bool quantity_size(const char *text, __u64 least, __u64 most, __u64 *bytes);

#endif
