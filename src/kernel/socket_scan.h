/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scans for open sockets by BPF iterators, at the start for pre-existing ones and later for reports, in every network
 * namespace that can be found: those of processes and those named in /run/netns.
 */
#ifndef NETRACKER_SOCKET_SCAN_H
#define NETRACKER_SOCKET_SCAN_H

#include <linux/types.h>

#include "src/kernel/loader.h"

/* The start-up scan: fills the kernel side's tables with the pre-existing sockets and their owners. drain(context) must
 * empty the ring buffer; it is called before the ring buffer can be full. */
void socket_scan_existing(struct loader *loader, void (*drain)(void *context), void *context);

/* Makes the kernel side emit a status event for every open socket. drain: as above. */
void socket_scan_report_open(struct loader *loader, void (*drain)(void *context), void *context);

/* The same; also calls `visit` in each network namespace, with its inode number, while this thread is in it. NULL: no
 * call. */
void socket_scan_visit_open(struct loader *loader, void (*drain)(void *context),
			    void (*visit)(void *context, __u32 netns), void *context);

/* Makes the kernel side emit every listener, with the owner that socket_scan_existing() has found. drain: as above. */
void socket_scan_report_listeners(struct loader *loader, void (*drain)(void *context), void *context);

#endif
