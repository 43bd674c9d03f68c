/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks. Durations are differences of CLOCK_BOOTTIME; the offset of CLOCK_REALTIME is read again when that clock is
 * stepped. */
#ifndef NETRACKER_CLOCK_H
#define NETRACKER_CLOCK_H

#include <linux/types.h>

/* Returns CLOCK_BOOTTIME, nanoseconds. */
__u64 clock_boot_ns(void);

/* Returns CLOCK_REALTIME less CLOCK_BOOTTIME, nanoseconds. */
__s64 clock_boot_to_utc(void);

/* Returns the length of a tick (jiffy), nanoseconds. */
__u64 clock_tick_ns(void);

/* Returns a hash of the boot id, which differs on every boot. */
__u64 clock_boot_hash(void);

/* Returns a descriptor that becomes readable when CLOCK_REALTIME is stepped, or -1. The caller closes it, and calls
 * clock_await_step() after each step. */
int clock_open_steps(void);
void clock_await_step(int fd);

#endif
