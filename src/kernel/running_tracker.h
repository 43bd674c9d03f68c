/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up sockets in the kernel tables of other netracker processes on this machine. */
#ifndef NETRACKER_RUNNING_TRACKER_H
#define NETRACKER_RUNNING_TRACKER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

#define MAX_RUNNING_TRACKERS 16

struct running_trackers {
	int tables[MAX_RUNNING_TRACKERS]; /* descriptors of their socket tables, the oldest first */
	unsigned int count;
};

/* Opens all socket tables that can be read, which may be none. Call it before this process creates its own table. Needs
 * CAP_SYS_ADMIN. */
void running_trackers_open(struct running_trackers *trackers);
void running_trackers_close(struct running_trackers *trackers);

/* Looks up the socket at this address of the kernel. Returns whether a tracker has it with the same connection as *as,
 * after copying its entry to *socket. A tracker that saw the socket begin is preferred to one for which it was
 * pre-existing: that one may have started only now, be about to end, or track packets only. */
bool running_trackers_find(const struct running_trackers *trackers, __u64 address, const struct nt_socket *as,
			   struct nt_socket *socket);

/* Calls `found` with what each tracker of this version has published. Needs CAP_SYS_ADMIN. */
void running_trackers_read(void (*found)(void *context, const struct nt_publication *publication), void *context);

#endif
