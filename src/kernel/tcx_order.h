/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the tcx programs that run before ours on an interface. One that ends with TCX_PASS, TCX_DROP or TCX_REDIRECT
 * hides the packet from those after it.
 */
#ifndef NETRACKER_TCX_ORDER_H
#define NETRACKER_TCX_ORDER_H

#include <stdbool.h>

#include <linux/bpf.h>

/* Values of linux/bpf.h of 6.6: older headers lack them, and libbpf passes any number to the kernel. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS 47
#define TCX_BEFORE_ALL 8 /* BPF_F_BEFORE without a program that it refers to */

#define MAX_KNOWN_TRACKERS 8

/* The ids of other trackers' programs, which the kernel does not use again. When it is full, the oldest is replaced. */
struct tcx_order {
	__u32 trackers[MAX_KNOWN_TRACKERS];
	unsigned int known;
};

/* Looks for a program that may hide packets from the one that link_fd attached; type is the hook's. The programs of
 * NeTracker pass every packet on. Returns whether there is one, and copies its name. */
bool tcx_order_find_hiding(struct tcx_order *order, unsigned int ifindex, int type, int link_fd,
			   char name[BPF_OBJ_NAME_LEN]);

#endif
