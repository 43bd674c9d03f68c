/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The names of network namespaces: those of the files in /run/netns, on which `ip netns` and others mount them. */
#ifndef NETRACKER_NAMESPACE_NAMES_H
#define NETRACKER_NAMESPACE_NAMES_H

#include <linux/types.h>
#include <time.h>

#define NAMED_NAMESPACES "/run/netns"

struct namespace_name;

/* The caller sets `directory` and clears the rest. */
struct namespace_names {
	const char *directory;
	struct namespace_name *names;
	unsigned int count;
	__u64 checked_ns, read_ns, cost_ns; /* of the last check and the last reading; what that took */
	struct timespec changed;            /* the directory's modification time at the last reading */
};

/* Returns the name of the namespace with this inode number, valid until the next call. NULL if it has none. now:
 * CLOCK_BOOTTIME; the names may be 20 ms old. */
const char *namespace_names_find(struct namespace_names *names, __u32 inode, __u64 now);

void namespace_names_free(struct namespace_names *names);

#endif
