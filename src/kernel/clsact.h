/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attaches programs to interfaces of kernels without tcx (before 6.6), as filters of the clsact qdisc with a priority
 * of our own.
 *
 * Such filters outlive a process that is killed. So each tracker writes a state file under /run/netracker for what it
 * attached, with its pid and start time; the next start removes the filters of trackers that no longer run, and no
 * others.
 */
#ifndef NETRACKER_CLSACT_H
#define NETRACKER_CLSACT_H

#include <bpf/libbpf.h>

/* Returns 0, or -errno. */
int clsact_attach(unsigned int ifindex, struct bpf_program *ingress, struct bpf_program *egress);

/* Removes this process's filters from the interface. */
void clsact_detach(unsigned int ifindex);

/* Removes the filters that trackers of this network namespace left which no longer run. */
void clsact_clean_up(void);

/* Removes the interface's clsact qdisc, which this process created. If it still has filters, another tracker that uses
 * it becomes responsible for removing it. */
void clsact_release_qdisc(unsigned int ifindex);

#endif
