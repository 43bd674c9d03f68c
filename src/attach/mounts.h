/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file systems through which the kernel keeps pinned programs (bpffs) and shows its trace (tracefs). */
#ifndef NETRACKER_MOUNTS_H
#define NETRACKER_MOUNTS_H

#include <stdbool.h>

#define BPFFS "/sys/fs/bpf"

/* Moves this process into the mount namespace of process 1. What is pinned in another may end with this very command,
 * and is seen by nobody else: `ip netns exec` makes one, with another /sys. Where process 1 cannot be looked at, all
 * stays as it is. An exit status, told of where it is not EXIT_STATUS_DONE. */
int mounts_enter_lasting(void);

bool mounts_has_bpffs(void);

/* Mounts it where it is not. An exit status, as above. */
int mounts_need_bpffs(void);

/* Where tracefs is mounted; NULL: nowhere. */
const char *mounts_tracefs(void);

/* Mounts it where it is not, and says how where that fails. */
void mounts_want_tracefs(void);

#endif
