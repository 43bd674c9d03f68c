// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/clock.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/timerfd.h>
#include <time.h>

#include "src/record/record_id.h"

#define TRIES 8

static __u64 read_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

__u64 clock_boot_ns(void)
{
	return read_ns(CLOCK_BOOTTIME);
}

/* An interruption between the readings falsifies the offset by its length: the try with the shortest time between them
 * counts. */
__s64 clock_boot_to_utc(void)
{
	__u64 least = ~0ULL;
	__s64 offset = 0;
	int i;

	for (i = 0; i < TRIES; i++) {
		__u64 before = clock_boot_ns(), utc = read_ns(CLOCK_REALTIME), gap_ns = clock_boot_ns() - before;

		if (gap_ns >= least)
			continue;
		least = gap_ns;
		offset = utc - (before + gap_ns / 2);
	}
	return offset;
}

/* The coarse clocks are those that the tick advances. */
__u64 clock_tick_ns(void)
{
	struct timespec resolution;

	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	return (__u64)resolution.tv_nsec;
}

__u64 clock_boot_hash(void)
{
	char boot_id[64] = "";
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file) {
		if (!fgets(boot_id, sizeof(boot_id), file))
			boot_id[0] = '\0';
		fclose(file);
	}
	return record_id_hash(boot_id, sizeof(boot_id));
}

/* Sets a timer that never expires and is cancelled when the clock is set (timerfd_create(2)). */
void clock_await_step(int fd)
{
	struct itimerspec never = { .it_value.tv_sec = INT32_MAX };

	timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

int clock_open_steps(void)
{
	int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd >= 0)
		clock_await_step(fd);
	return fd;
}
