/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chooses the interfaces to watch and attaches the wire context to them: by tcx links from Linux 6.6 on, which coexist
 * with other programs and disappear with the process; by clsact before (src/kernel/clsact.h).
 */
#ifndef NETRACKER_INTERFACES_H
#define NETRACKER_INTERFACES_H

#include <net/if.h>
#include <stdbool.h>

#include "src/kernel/loader.h"
#include "src/kernel/tcx_order.h"
#include "src/kernel/tracking_options.h"

struct interface {
	unsigned int index;
	char name[IF_NAMESIZE];
	bool attached;   /* false once it has vanished; records may still need its name */
	int link_fds[2]; /* tcx, ingress and egress; -1 with clsact */
	struct interface *next;
};

struct interfaces {
	struct loader *loader;
	struct interface_names requested;
	struct interface *list;
	int notifications_fd; /* rtnetlink: readable when an interface was added, changed or removed; -1: not open */
	bool without_tcx;
	bool out_of_descriptors; /* reported once */
	bool is_open;            /* those that existed at the start are attached */
	/* From when and until when another tcx program ran before ours on a watched interface. 0: never; ~0: still. */
	__u64 hidden_from_ns, hidden_until_ns;
	__u64 joined_ns; /* when the last interface was added after the start; 0: none */
	__u64 order_checked_ns, order_pause_ns;
	struct tcx_order order;
	__u64 none_left_ns; /* time since which no requested interface exists; 0: one does */
};

/* Attaches to the requested interfaces; *requested is copied, its strings are not. Returns EXIT_STATUS_DONE, or another
 * status after reporting the error. Call interfaces_close() in either case. */
int interfaces_open(struct interfaces *interfaces, struct loader *loader, const struct interface_names *requested);

/* Call it when notifications_fd is readable. Attaches to interfaces that came up or are back, detaches from those that
 * vanished, and reports both. now: CLOCK_BOOTTIME, ns. */
void interfaces_update(struct interfaces *interfaces, __u64 now);

/* Looks for tcx programs that run before ours, and reports the first one: if it last did so before the time `since`, or
 * half a second ago, but less often if that takes long. since: 0 if only the half second counts. */
void interfaces_check_order(struct interfaces *interfaces, __u64 now, __u64 since);

/* An interface that is being recreated is back within this time. */
#define INTERFACES_GRACE_SECONDS 3

/* Returns whether all requested interfaces have been gone for INTERFACES_GRACE_SECONDS. */
bool interfaces_are_gone(const struct interfaces *interfaces, __u64 now);

/* Returns how many are watched now. */
unsigned int interfaces_count(const struct interfaces *interfaces);

/* NULL if it was never watched, or vanished long ago. Valid until interfaces_update() or interfaces_close(). */
const char *interfaces_name(const struct interfaces *interfaces, unsigned int index);

/* No packet is tracked after this; interfaces_name() still works. */
void interfaces_detach(struct interfaces *interfaces);

void interfaces_close(struct interfaces *interfaces);

/* A packet that comes in by a loopback interface has just left by it: attaching to its egress is enough. */
bool interface_is_loopback(const char *name);

#endif
