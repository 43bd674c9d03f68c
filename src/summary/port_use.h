/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many ports of one address are in use for connections to one service: by those that are open, and by those that
 * this side closed first in the last PORT_USE_NS, which stay in TIME_WAIT. Pure and bounded: of more than PORT_USE_ROWS
 * addresses and services those with fewer connections give way.
 */
#ifndef NETRACKER_PORT_USE_H
#define NETRACKER_PORT_USE_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/summary/summary_item.h"

#define PORT_USE_ROWS 2048
#define PORT_USE_NS 60000000000ULL /* TCP_TIMEWAIT_LEN, include/net/tcp.h */
#define PORT_USE_SLOTS 16
#define PORT_USE_SLOT_NS (PORT_USE_NS / (PORT_USE_SLOTS - 1))

struct port_use_row {
	__u8 src_ip[16], dst_ip[16];
	__u16 dst_port;
	__u32 netns;
	__u32 open;                       /* in this interval */
	__u32 time_waits[PORT_USE_SLOTS]; /* by the time of their end, modulo the slots */
	__u64 latest;                     /* the last slot in use: time divided by PORT_USE_SLOT_NS */
};

struct port_use {
	void *tree; /* by the row's addresses, port and namespace: tsearch(3) */
	struct port_use_row rows[PORT_USE_ROWS];
	unsigned int count, victim;
};

void port_use_clear(struct port_use *use);

/* Adds a client's connection. */
void port_use_add(struct port_use *use, const struct summary_item *item);

/* Returns the number of ports in use at a time since the Unix epoch. */
__u64 port_use_count(const struct port_use_row *row, __u64 now_ns);

/* Begins an interval: the open connections are counted again. */
void port_use_begin_next(struct port_use *use);

#endif
