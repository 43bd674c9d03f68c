/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers in readable units. */
#ifndef NETRACKER_READABLE_H
#define NETRACKER_READABLE_H

#include <linux/types.h>

#include "src/util/text_buffer.h"

/* 950ns, 66.7us, 1.82s, 12m34s, 3h05m, 2d07h: three significant digits, at most six characters. */
void readable_duration(struct text_buffer *text, __u64 ns);

/* 240, 1.22M, 19.1G: three significant digits, K is 1024. */
void readable_count(struct text_buffer *text, __u64 count);

#endif
