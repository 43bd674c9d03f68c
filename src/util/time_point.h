/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Times as users write them, in the words of journalctl. */
#ifndef NETRACKER_TIME_POINT_H
#define NETRACKER_TIME_POINT_H

#include <linux/types.h>
#include <stdbool.h>

/* In nanoseconds since the Unix epoch, both included: 14:05 is a minute, 2026-11-30 is a day, now is a nanosecond. */
struct time_span {
	__u64 first_ns, last_ns;
};

/* Parses the whole text: now, today, yesterday, -10m (before now), 14:05, 14:05:09 (today), 2026-11-30,
 * "2026-11-30 14:05:09" with or without seconds, a fraction of them, and Z or +01:00; without these in local time. Returns
 * false if it is none of these.
 */
bool time_point_parse(const char *text, struct time_span *span);

#endif
