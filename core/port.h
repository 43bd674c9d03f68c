/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core's requirements on its host.
 *
 * The core is compiled into five hosts: the native BPF object, the eunomia-bpf program, the BCC program, user-space
 * replay, and the tests and fuzzers. So it includes no system header, has no globals and no tables (BCC cannot load
 * .rodata), inlines every function (BCC has no BPF-to-BPF calls), and reads no clock.
 * The includer provides __u8, __u16, __u32 and __u64 before it includes any header of core/.
 */
#ifndef NETRACKER_CORE_PORT_H
#define NETRACKER_CORE_PORT_H

#define NT_INLINE static inline __attribute__((always_inline, unused))

#define NT_STATIC_ASSERT(condition, text) _Static_assert(condition, text)

/* Hides an integer's value from the compiler, so that it keeps a following check of its bounds: the kernel's verifier
 * needs that check. */
#define NT_FORGET(integer) __asm__ volatile("" : "+r"(integer))

#endif
