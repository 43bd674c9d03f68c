/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the kernel side's table of sockets, which programs in the kernel change meanwhile. For any thread. */
#ifndef NETRACKER_SOCKET_TABLE_H
#define NETRACKER_SOCKET_TABLE_H

#include <linux/types.h>

#include "core/event.h"
#include "src/kernel/loader.h"

typedef void (*socket_table_visitor)(void *context, __u64 address, const struct nt_socket *socket);

/* Calls `visit`, which may delete the entry, for each socket. Returns 0, or -errno if not all were read. */
int socket_table_visit(const struct loader *loader, socket_table_visitor visit, void *context);

/* Sets the counts of open connections by the state of their socket. Returns 0, or -errno if not all were read. */
int socket_table_count_states(const struct loader *loader, __u64 counts[NT_TCP_STATES]);

/* Returns how many connections are open, as far as they can be read. */
__u64 socket_table_count_open(const struct loader *loader);

#endif
