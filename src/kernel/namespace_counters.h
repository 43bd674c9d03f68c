/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads from /proc what the kernel counts for a network namespace as a whole: the overflows of listen queues; and its
 * range of ephemeral ports.
 */
#ifndef NETRACKER_NAMESPACE_COUNTERS_H
#define NETRACKER_NAMESPACE_COUNTERS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>

/* Looks up a counter in the text of /proc/net/netstat: a line of names, then a line of values, both beginning with the
 * group: "TcpExt:". Returns false if it is not there.
 */
bool namespace_counter_find(FILE *netstat, const char *group, const char *name, __u64 *value);

/* Read those of the namespace that this thread is in. Return false if they are unknown. */
bool namespace_counters_read_listen(__u64 *overflows, __u64 *drops);
bool namespace_counters_read_ports(__u16 *first, __u16 *last);

#endif
