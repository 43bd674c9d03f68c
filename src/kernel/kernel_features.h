/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the running kernel has, asked of the kernel itself and not of its version: distributions carry features back. */
#ifndef NETRACKER_KERNEL_FEATURES_H
#define NETRACKER_KERNEL_FEATURES_H

#include <stdbool.h>

struct kernel_features {
	/* Hash tables of tracing programs may allocate as they fill. Before Linux 6.1 their allocator deadlocks in such
	 * programs (kernel commit ee53cbfb1ebf). */
	bool tables_may_grow;
	/* The tracepoint inet_sk_error_report, since 5.14 (e6a3e4434000). */
	bool reports_socket_errors;
	/* Kernel code is preempted, so that programs are often skipped on a CPU where they already run. True where that is
	 * unknown. */
	bool is_preemptible;
	/* Control groups of version 1 are in use: cgroups(7). */
	bool has_cgroup_v1;
};

void kernel_features_probe(struct kernel_features *features);

/* Whether the model of preemption is lazy or full, by the kernel's configuration (lines NAME=VALUE) and its command
 * line, which overrides it. For tests. */
bool kernel_features_preempts(const char *configuration, const char *command_line);

#endif
