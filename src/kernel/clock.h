/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clocks: durations are differences of CLOCK_BOOTTIME; the wall clock's offset is read again when it is stepped. */
#ifndef NETRACKER_CLOCK_H
#define NETRACKER_CLOCK_H

#include <linux/types.h>

__u64 clock_boot_ns(void);

/* CLOCK_REALTIME less CLOCK_BOOTTIME, nanoseconds. */
__s64 clock_boot_to_utc(void);

/* A hash of the boot id: other on every boot. */
__u64 clock_boot_hash(void);

/* A descriptor that becomes readable when the wall clock is stepped; -1 where that cannot be had. */
int clock_open_steps(void);
void clock_await_step(int fd);

#endif
