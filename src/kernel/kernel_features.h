/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probes the features of the running kernel. Its version proves little: distributions backport features. */
#ifndef NETRACKER_KERNEL_FEATURES_H
#define NETRACKER_KERNEL_FEATURES_H

#include <stdbool.h>

struct kernel_features {
	/* Hash tables of tracing programs may allocate as they fill. Before Linux 6.1 their allocator deadlocks in such
	 * programs (kernel commit ee53cbfb1ebf). */
	bool tables_may_grow;
	/* The tracepoint inet_sk_error_report, since 5.14 (e6a3e4434000). */
	bool reports_socket_errors;
	/* Kernel code is preempted, so the kernel often skips calls of a program that already runs on the CPU. True if
	 * unknown. */
	bool is_preemptible;
	/* Control groups of version 1 are in use: cgroups(7). */
	bool has_cgroup_v1;
};

/* Fills in *features. A feature that cannot be probed counts as absent, except for is_preemptible. */
void kernel_features_probe(struct kernel_features *features);

/* Returns whether the preemption model is lazy or full, by the kernel's configuration (lines NAME=VALUE) and its
 * command line, which overrides it. Public for tests. */
bool kernel_features_preempts(const char *configuration, const char *command_line);

#endif
