/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that a capture names for a packet: the local one of the machine that captured. Any bytes are possible. */
#ifndef NETRACKER_CAPTURE_PROCESS_H
#define NETRACKER_CAPTURE_PROCESS_H

#include <linux/types.h>
#include <stddef.h>

#include "core/record.h"

struct capture_process {
	__u32 pid;               /* 0: unknown, as is all else */
	char comm[NT_COMM_SIZE]; /* empty: unknown */
};

/* Sets the process, unless another one is set already; adds the name of the same one. Ignores a pid that no process has.
 * name: ends at its first NUL, or after `length` bytes.
 */
void capture_process_set(struct capture_process *process, __u32 pid, const void *name, size_t length);

/* Sets the process that a packet's comment names, if it does: "PID: 12" or "PID=12" on its first line, as ptcpdump and
 * etl2pcapng write it; on another line, "Cmd: " and the path of its program.
 */
void capture_process_from_comment(struct capture_process *process, const char *comment, size_t length);

#endif
