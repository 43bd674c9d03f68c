/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of the kernel's trace, into which the attached programs print. It is known only while tracefs is
 * mounted.
 */
#ifndef NETRACKER_KERNEL_TRACE_H
#define NETRACKER_KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* Counts the entries, from all programs, that were overwritten before anybody read them. Returns false if unknown. */
bool kernel_trace_read_overrun(unsigned long long *entries);

/* Returns whether the trace, or its bpf_trace_printk event, is switched off. If so, `path` is the file that switches it
 * on.
 */
bool kernel_trace_is_off(char *path, size_t size);

#endif
