/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The filter options: -4 -6 -p -c -u --cgroup --container --netns --net -L -D --role --outcome -x --min-duration.
 *
 * -L and -D select the local and the remote port of a client or server, the source and the destination port of an
 * observer. An unknown value matches no filter.
 */
#ifndef NETRACKER_RECORD_FILTER_H
#define NETRACKER_RECORD_FILTER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/filter.h"
#include "core/record.h"

/* All zero accepts every record. Strings belong to the caller. */
struct record_filter {
	bool ipv4_only, ipv6_only; /* never both */
	__u32 pid;                 /* 0: any */
	const char *comm;          /* NULL: any */
	bool uid_given;
	__u32 uid;
	__u32 netns;           /* inode number; 0: any */
	const char *cgroup;    /* a path from its hierarchy's root; NULL: any */
	size_t cgroup_length;  /* of that path without trailing slashes */
	const char *container; /* beginning of the id; NULL: any */
	struct nt_port_set local_ports, remote_ports;
	struct nt_network_set networks;
	unsigned int roles;    /* bits 1 << NT_ROLE_*; 0: any */
	unsigned int outcomes; /* bits 1 << NT_OUTCOME_*; 0: any */
	__u64 min_duration_ns; /* 0: any */
};

bool record_filter_accepts(const struct record_filter *filter, const struct nt_record *record);

/* Fills the part that the kernel side can test. If packets are watched, it tests neither owner nor namespace (struct
 * nt_filter). Returns false if there is nothing for it to test.
 */
bool record_filter_for_kernel(struct nt_filter *kernel, const struct record_filter *filter, bool packets_watched);

#endif
