/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Network namespaces by their inode numbers. */
#ifndef NETRACKER_NET_NAMESPACE_H
#define NETRACKER_NET_NAMESPACE_H

#include <linux/types.h>

/* 0: not known. */
__u32 net_namespace_own(void);
__u32 net_namespace_of_process_1(void);

/* Enters one that a process is in or that is mounted. Returns a descriptor of the one before for
 * net_namespace_return(), -1 where it is not found or cannot be entered. */
int net_namespace_enter(__u32 inode);
void net_namespace_return(int before);

#endif
