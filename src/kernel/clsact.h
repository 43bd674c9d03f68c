/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs on interfaces of kernels without tcx (before 6.6): filters of the clsact qdisc, with a priority of our own.
 *
 * Such filters outlive a process that is killed. So each tracker leaves a note of what it attached under
 * /run/netracker, with its pid and start time; the next start takes off what the dead left, and only that.
 */
#ifndef NETRACKER_CLSACT_H
#define NETRACKER_CLSACT_H

#include <bpf/libbpf.h>

/* 0, or -errno. */
int clsact_attach(unsigned int ifindex, struct bpf_program *ingress, struct bpf_program *egress);

void clsact_detach(unsigned int ifindex);

/* Takes off what trackers of this network namespace left that are dead. */
void clsact_clean_up(void);

/* Removes the interface's clsact qdisc, which was made for us, unless there are filters on it; then the last tracker
 * that uses it is to. */
void clsact_release_qdisc(unsigned int ifindex);

#endif
