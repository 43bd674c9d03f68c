/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that are there already when tracking starts, and those that still are when it ends, in every network
 * namespace that can be found (those of processes, and those named in /run/netns).
 */
#ifndef NETRACKER_SOCKET_SCAN_H
#define NETRACKER_SOCKET_SCAN_H

#include <linux/types.h>

#include "src/kernel/loader.h"

/* drain(context) empties the ring buffer: it is called before that can be full. */
void socket_scan_existing(struct loader *loader, void (*drain)(void *context), void *context);

/* Has the kernel side tell of every socket that is open. */
void socket_scan_report_open(struct loader *loader, void (*drain)(void *context), void *context);

/* How many there are in the kernel side's table. */
__u64 socket_scan_count_open(const struct loader *loader);

#endif
