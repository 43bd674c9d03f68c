/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the kernel side: plain structures, so that who fills them needs no header of libbpf. */
#ifndef NETRACKER_TRACKING_OPTIONS_H
#define NETRACKER_TRACKING_OPTIONS_H

#include "src/record/record_filter.h"

enum context_bit { CONTEXT_SOCKET = 1, CONTEXT_WIRE = 2 };

struct loader_options {
	unsigned int contexts; /* bits of enum context_bit; never 0 */
	bool scans_only;       /* iterators alone: nothing that can be attached */
	bool every_packet;
	bool reports_open; /* an event when a connection is established */
	const struct record_filter *filter;
	__u32 own_netns; /* inode number */
};

struct interface_names {
	const char **names;
	unsigned int count; /* 0: every interface that is up, and those to come */
};

#endif
