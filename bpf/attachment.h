/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the classic mode's programs share with the commands that attach them, show them and take them off: the values of
 * its pinned maps, under /sys/fs/bpf/netracker/. They outlive the program that wrote them, so a change of any layout
 * raises ATTACH_LAYOUT. The includer provides __u32 and __u64.
 */
#ifndef NETRACKER_BPF_ATTACHMENT_H
#define NETRACKER_BPF_ATTACHMENT_H

#define ATTACH_LAYOUT 2

/* Indexes of the per-CPU books. */
enum attach_counter {
	ATTACH_COUNT_OPENED,      /* a SYN began it */
	ATTACH_COUNT_ENDED,       /* closed, reset, or replaced by another of the same addresses and ports */
	ATTACH_COUNT_NOT_BEGUN,   /* counted as opened, but its table gave no room */
	ATTACH_COUNT_PRINTED,     /* lines that the kernel's trace took */
	ATTACH_COUNT_NOT_PRINTED, /* lines that it did not take */
	ATTACH_COUNT_MALFORMED,   /* packets whose headers contradict each other or are cut off */
	ATTACH_COUNTERS,
};

enum attach_hook { ATTACH_HOOK_TCX = 1, ATTACH_HOOK_CLSACT };

/* Who attached the programs, where and how. Texts end with NUL. */
struct attachment_info {
	__u32 layout;
	__u32 hook;    /* enum attach_hook */
	__u32 ifindex;
	__u32 netns;   /* inode number */
	__u32 uid;
	__u32 login_uid; /* as who the user logged in, whoever sudo made of them; ~0: not known */
	__u32 pid, parent_pid;
	__u64 when_ns; /* CLOCK_REALTIME */
	__u32 made_qdisc; /* there was no clsact qdisc before */
	__u32 only_egress; /* loopback: what comes in has left just before */
	char interface[16];
	char comm[16], parent_comm[16];
	char version[16];
};

#endif
