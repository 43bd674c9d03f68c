/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces, identified by their inode numbers. Not thread-safe. */
#ifndef NETRACKER_NET_NAMESPACE_H
#define NETRACKER_NET_NAMESPACE_H

#include <linux/types.h>

/* Return an inode number, or 0 if unknown. */
__u32 net_namespace_own(void);
__u32 net_namespace_of_process_1(void);

/* Returns EXIT_STATUS_DONE, or EXIT_STATUS_KERNEL after reporting that /proc shows no namespaces. action: for the
 * message. */
int net_namespace_check_proc(const char *action);

/* Enters the namespace, which must be that of a process or be mounted. Returns a descriptor of the former namespace for
 * net_namespace_return(), or -1 if the namespace was not found or cannot be entered. */
int net_namespace_enter(__u32 inode);
/* Enters the former namespace and closes its descriptor. */
void net_namespace_return(int before);

/* Returns the name of an interface in the namespace, valid until the next call; NULL if unknown. */
const char *net_namespace_interface_name(__u32 inode, __u32 ifindex);

#endif
