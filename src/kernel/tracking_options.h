/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the kernel side. This header needs no header of libbpf, and neither do the files that fill in the
 * options. */
#ifndef NETRACKER_TRACKING_OPTIONS_H
#define NETRACKER_TRACKING_OPTIONS_H

#include "src/filter/filter.h"

enum context_bit { CONTEXT_SOCKET = 1, CONTEXT_WIRE = 2 };

struct loader_options {
	unsigned int contexts; /* bits of enum context_bit; never 0 */
	bool scans_only;       /* load the iterators only, and no program to attach */
	bool listeners_only;   /* the start-up scan leaves connections out */
	bool every_packet;
	bool reports_open;           /* emit an event when a connection becomes established */
	const struct filter *filter; /* NULL: every connection */
	__u32 own_netns;             /* inode number */
};

struct interface_names {
	const char **names;
	unsigned int count; /* 0: every interface that is up, now or later */
};

#endif
