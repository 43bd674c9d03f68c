/* SPDX-License-Identifier: GPL-2.0-or-later */
/* BCC includes this file before a program's text, in place of the kernel's configuration. NeTracker's programs read no
 * kernel structures, so they need no headers of the running kernel: the types that BCC's own headers use are enough.
 */
#ifndef NETRACKER_KCONFIG_H
#define NETRACKER_KCONFIG_H

#define CONFIG_BPF_SYSCALL 1

#define __always_inline inline __attribute__((__always_inline__))
#define NULL ((void *)0)

typedef _Bool bool;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef unsigned long size_t, uintptr_t;
typedef int pid_t;

#endif
