/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers that a kprobe sees, with the names that BCC's PT_REGS_ macros use. The installed header uses the
 * names of user space on x86, and those of the kernel on arm64.
 */
#ifndef NETRACKER_PTRACE_H
#define NETRACKER_PTRACE_H

#ifdef __x86_64__
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};
#else
#include <asm/ptrace.h>
#endif

#endif
