/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Other netrackers that run on this machine: what they know of a socket, from their tables in the kernel. */
#ifndef NETRACKER_RUNNING_TRACKER_H
#define NETRACKER_RUNNING_TRACKER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

#define RUNNING_TRACKERS_MOST 16

struct running_trackers {
	int tables[RUNNING_TRACKERS_MOST]; /* descriptors, the one that has run longest first */
	unsigned int count;
};

/* Those that can be read, which none need be. To be called before an own table is made. Takes CAP_SYS_ADMIN. */
void running_trackers_open(struct running_trackers *trackers);
void running_trackers_close(struct running_trackers *trackers);

/* Whether one knows the socket at this address, and as the same connection. One that saw it begin is asked before those
 * that found it there: a tracker may have begun only now, be about to end, or watch packets alone. */
bool running_trackers_find(const struct running_trackers *trackers, __u64 address, const struct nt_socket *as,
			   struct nt_socket *socket);

#endif
