/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What becomes of the lines that programs print into the kernel's trace; known only where tracefs is mounted. */
#ifndef NETRACKER_KERNEL_TRACE_H
#define NETRACKER_KERNEL_TRACE_H

#include <stdbool.h>
#include <stddef.h>

/* Entries, of whichever program, that were overwritten before anybody read them. False: not known. */
bool kernel_trace_overrun(unsigned long long *entries);

/* Whether somebody turned off what such lines pass, and by which file. */
bool kernel_trace_is_off(char *path, size_t size);

#endif
