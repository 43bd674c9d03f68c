/* Another netracker that runs on this machine: what it knows of a socket, from its table in the kernel. */
#ifndef NETRACKER_RUNNING_TRACKER_H
#define NETRACKER_RUNNING_TRACKER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

/* A descriptor of the table of the tracker that has run longest, to be closed by the caller; -1: none runs that can be
 * read. To be called before an own table is made. Takes CAP_SYS_ADMIN. */
int running_tracker_open(void);

/* Whether it knows the socket at this address, and as the same connection. */
bool running_tracker_find(int fd, __u64 address, const struct nt_socket *as, struct nt_socket *socket);

#endif
