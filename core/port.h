/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the core needs from its host, and nothing else.
 *
 * The core is included by five hosts: the native BPF object, the eunomia-bpf program, the BCC program, user-space
 * replay, and the tests and fuzzers. So it includes no header of any system, has no globals and no tables (BCC cannot
 * load .rodata), calls nothing that is not inlined (BCC has no BPF-to-BPF calls), and reads no clock.
 * The includer provides __u8, __u16, __u32 and __u64 before it includes any header of core/.
 */
#ifndef NETRACKER_CORE_PORT_H
#define NETRACKER_CORE_PORT_H

#define NT_INLINE static inline __attribute__((always_inline, unused))

#define NT_STATIC_ASSERT(condition, text) _Static_assert(condition, text)

/* The compiler forgets what it knows of an integer, and keeps the test of its bounds that follows: the kernel's verifier
 * wants to see it. */
#define NT_FORGET(integer) __asm__ volatile("" : "+r"(integer))

#endif
