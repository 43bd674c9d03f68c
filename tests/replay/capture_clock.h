/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the test of the kernel programs over captures tells them of each packet, in place of the kernel. */
#ifndef NETRACKER_TESTS_CAPTURE_CLOCK_H
#define NETRACKER_TESTS_CAPTURE_CLOCK_H

#define CAPTURE_CLOCK_MAP ".data.clock"

struct capture_clock {
	__u64 now;    /* ns since the Unix epoch, by the capture */
	__u32 length; /* bytes that the frame had, of which fewer may have been captured */
	__u32 padding;
};

#endif
