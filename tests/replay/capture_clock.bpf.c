// SPDX-License-Identifier: GPL-2.0-or-later
/* The native kernel side, with clock, frame length and interface taken from capture_clock: BPF_PROG_TEST_RUN takes no
 * times, no frame longer than about a page, and only interfaces that exist. Only kernel_replay.c runs it.
 */
#include <linux/types.h>

#include "tests/replay/capture_clock.h"

extern volatile struct capture_clock capture_clock;

#define NT_NOW() (capture_clock.now)
#define NT_FRAME_LENGTH(skb) (capture_clock.length)
/* Linux refuses a global function that does not use its argument, so the packet's own interface stays in the sum. */
#define NT_INTERFACE(skb) ((skb)->ifindex + capture_clock.interface)

#include "bpf/netracker.bpf.c"

volatile struct capture_clock capture_clock SEC(CAPTURE_CLOCK_MAP) = {};
