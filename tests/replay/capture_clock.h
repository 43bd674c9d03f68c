/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Set by kernel_replay.c for each packet: values that the kernel provides otherwise. */
#ifndef NETRACKER_TESTS_CAPTURE_CLOCK_H
#define NETRACKER_TESTS_CAPTURE_CLOCK_H

#define CAPTURE_CLOCK_MAP ".data.clock"

struct capture_clock {
	__u64 now;    /* ns since the Unix epoch, from the capture */
	__u32 length; /* bytes of the frame on the wire; fewer may have been captured */
	__u32 interface;
};

#endif
