/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces that are watched: which, and the programs on them.
 *
 * tcx links where the kernel has them (6.6): they live beside others' programs and go with the process. clsact
 * elsewhere (src/kernel/clsact.h).
 */
#ifndef NETRACKER_INTERFACES_H
#define NETRACKER_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>

#include "src/kernel/loader.h"
#include "src/kernel/tracking_options.h"

/* From linux/bpf.h of 6.6; libbpf passes attach types on as numbers. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47

struct interface {
	unsigned int index;
	char name[IF_NAMESIZE];
	bool attached; /* false once it is gone: its name is still needed */
	int link_fds[2]; /* tcx, ingress and egress; -1 with clsact */
	struct interface *next;
};

struct interfaces {
	struct loader *loader;
	struct interface_names asked_for;
	struct interface *list;
	int notices_fd; /* readable when links come, change or go */
	bool without_tcx;
	__u64 none_left_ns; /* since when all that were asked for are gone; 0: they are not */
};

/* Attaches to those there are. Returns EXIT_STATUS_DONE, or another after having said why. interfaces_close() either
 * way. */
int interfaces_open(struct interfaces *interfaces, struct loader *loader, const struct interface_names *asked_for);

/* To be called when notices_fd is readable: attaches to what came up or is back, lets go of what vanished, and says so.
 * now: CLOCK_BOOTTIME, ns. */
void interfaces_update(struct interfaces *interfaces, __u64 now);

/* A link that is made anew is back within that time. */
#define INTERFACES_GRACE_SECONDS 3

/* All that were asked for have been gone for so long. */
bool interfaces_are_gone(const struct interfaces *interfaces, __u64 now);

/* NULL: never watched, or gone long ago. */
const char *interfaces_name(const struct interfaces *interfaces, unsigned int index);

/* No more packets after this; the names are still known. */
void interfaces_detach(struct interfaces *interfaces);

void interfaces_close(struct interfaces *interfaces);

/* What comes in by loopback has left by it just before: one look is enough. */
bool interface_is_loopback(const char *name);

#endif
