// SPDX-License-Identifier: GPL-2.0-or-later
/* The native kernel side, with clock and frame length taken from capture_clock: BPF_PROG_TEST_RUN takes no times, and no
 * frame longer than about a page. Only kernel_replay.c runs it.
 */
#include <linux/types.h>

#include "tests/replay/capture_clock.h"

extern volatile struct capture_clock capture_clock;

#define NT_NOW() (capture_clock.now)
#define NT_FRAME_LENGTH(skb) (capture_clock.length)

#include "bpf/netracker.bpf.c"

volatile struct capture_clock capture_clock SEC(CAPTURE_CLOCK_MAP) = {};
