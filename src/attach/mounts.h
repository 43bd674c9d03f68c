/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file systems that hold pinned programs (bpffs) and the kernel's trace (tracefs). */
#ifndef NETRACKER_MOUNTS_H
#define NETRACKER_MOUNTS_H

#include <stdbool.h>

#define BPFFS "/sys/fs/bpf"

/* Moves this process into the mount namespace of process 1. Pins in another one may end with this command and are
 * invisible elsewhere: `ip netns exec`, for example, creates a mount namespace with its own /sys. Changes nothing
 * if process 1's namespace cannot be read. Returns an exit status; any but EXIT_STATUS_DONE is reported.
 */
int mounts_enter_init_namespace(void);

bool mounts_has_bpffs(void);

/* Mounts bpffs unless it is mounted. Returns an exit status; any but EXIT_STATUS_DONE is reported. */
int mounts_ensure_bpffs(void);

/* Returns the directory where tracefs is mounted, NULL if it is not. */
const char *mounts_find_tracefs(void);

/* Mounts tracefs unless it is mounted. A failure is only reported: the programs work without it. */
void mounts_try_tracefs(void);

#endif
