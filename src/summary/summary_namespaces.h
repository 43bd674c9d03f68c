/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts that the kernel keeps for each network namespace as a whole: overflows of listen queues; and the range of its
 * ephemeral ports. Pure and bounded.
 */
#ifndef NETRACKER_SUMMARY_NAMESPACES_H
#define NETRACKER_SUMMARY_NAMESPACES_H

#include <linux/types.h>
#include <stdbool.h>

#define SUMMARY_NAMESPACES 4096
#define NAMESPACE_NAME_SIZE 64 /* a longer one is cut */

/* As the kernel has it at one moment. */
struct namespace_counts {
	__u32 netns;                    /* inode number */
	char name[NAMESPACE_NAME_SIZE]; /* in /run/netns; empty: none */
	__u64 overflows;                /* TcpExt ListenOverflows: the queue of accepted connections was full */
	__u64 drops; /* TcpExt ListenDrops: SYNs and handshakes that a listener dropped, for that or another reason */
	__u16 first_port, last_port; /* net.ipv4.ip_local_port_range; 0: unknown */
};

struct summary_namespace {
	struct namespace_counts now;
	__u64 overflows_before, drops_before; /* at the begin of the interval */
	bool is_seen;                         /* in the last scan */
};

/* All zero is empty. */
struct summary_namespaces {
	struct summary_namespace *list;
	unsigned int count, capacity, last_found;
};

void summary_namespaces_free(struct summary_namespaces *namespaces);

/* Sets the counts of a namespace. `begins`: tracking begins, so what was counted before belongs to no interval; a
 * namespace that comes later was made since.
 */
void summary_namespaces_set(struct summary_namespaces *namespaces, const struct namespace_counts *counts, bool begins);

/* Begins an interval; forgets the namespaces that were not set since the last one began. */
void summary_namespaces_begin_next(struct summary_namespaces *namespaces);

/* Returns NULL if the namespace is unknown. */
const struct summary_namespace *summary_namespaces_find(struct summary_namespaces *namespaces, __u32 netns);

#endif
