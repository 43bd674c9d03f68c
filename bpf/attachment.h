/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values of the pinned maps under /sys/fs/bpf/netracker/, which the programs of bpf/attach.bpf.c share with the
 * commands attach, status and detach. They outlive the process that wrote them, so every change of a layout raises
 * ATTACH_LAYOUT. The includer provides __u32 and __u64.
 */
#ifndef NETRACKER_BPF_ATTACHMENT_H
#define NETRACKER_BPF_ATTACHMENT_H

#define ATTACH_LAYOUT 2

/* Indexes of the per-CPU counters. */
enum attach_counter {
	ATTACH_COUNT_OPENED,      /* connections that began with a SYN */
	ATTACH_COUNT_ENDED,       /* closed, reset, or replaced by another of the same addresses and ports */
	ATTACH_COUNT_NOT_BEGUN,   /* counted as opened, but the table had no room */
	ATTACH_COUNT_PRINTED,     /* lines that the kernel's trace took */
	ATTACH_COUNT_NOT_PRINTED, /* lines that it did not take */
	ATTACH_COUNT_MALFORMED,   /* packets whose headers contradict each other or are cut off */
	ATTACH_COUNTERS,
};

enum attach_hook { ATTACH_HOOK_TCX = 1, ATTACH_HOOK_CLSACT };

/* Describes who attached the programs, where and how. Texts end with NUL. */
struct attachment_info {
	__u32 layout;
	__u32 hook; /* enum attach_hook */
	__u32 ifindex;
	__u32 netns; /* inode number */
	__u32 uid;
	__u32 login_uid; /* the user who logged in, before sudo changed the uid; ~0: unknown */
	__u32 pid, parent_pid;
	__u64 when_ns;     /* CLOCK_REALTIME */
	__u32 made_qdisc;  /* there was no clsact qdisc before */
	__u32 only_egress; /* loopback: every incoming packet has left by it just before */
	char interface[16];
	char comm[16], parent_comm[16];
	char version[16];
};

#endif
