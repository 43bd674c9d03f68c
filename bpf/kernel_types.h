/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's structures, reduced to the members that are read. CO-RE relocates every access to the running kernel's
 * layout (preserve_access_index), so only the names of members matter here, and the build needs no vmlinux.h.
 * A flavour (name___suffix, which libbpf strips) describes the layout of kernels whose layout differs.
 */
#ifndef NETRACKER_BPF_KERNEL_TYPES_H
#define NETRACKER_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

struct list_head {
	struct list_head *next;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct in6_addr {
	union {
		__u8 u6_addr8[16];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only : 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
};

typedef struct {
	unsigned int val;
} kuid_t;

typedef struct {
	int owned;
} socket_lock_t;

struct socket;

struct sk_buff {
	char cb[48];
};

struct sk_buff_head {
	struct sk_buff *prev;
	__u32 qlen;
};

struct sock_extended_err {
	__u32 ee_errno;
	__u8 ee_origin;
};

/* In an error queue sk_buff.cb holds this. */
struct sock_exterr_skb {
	struct sock_extended_err ee;
};

struct sock {
	struct sock_common __sk_common;
	int sk_err, sk_err_soft;
	struct sk_buff_head sk_error_queue;
	struct socket *sk_socket;
	socket_lock_t sk_lock;
	__u8 sk_shutdown;
	__u8 sk_kern_sock : 1;
	__u16 sk_protocol;
	__u32 sk_ack_backlog, sk_max_ack_backlog;
	atomic_t sk_drops;
	kuid_t sk_uid;
	void *sk_user_data;
};

struct sk_psock {
	struct sock *sk;
};

struct inet_sock {
	struct sock sk;
	__be32 inet_saddr;
	__be16 inet_sport;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_retransmits;
	__u8 icsk_probes_out;
	void *icsk_ulp_data;
	struct {
		__u32 lrcvtime;
	} icsk_ack;
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 segs_out, segs_in;
	__u64 bytes_sent, bytes_received, bytes_retrans, bytes_acked;
	__u32 write_seq, snd_una, snd_nxt, rcv_nxt, copied_seq, snd_cwnd;
	__u32 total_retrans;
	__u32 lsndtime;
	int linger2;     /* TCP_LINGER2 in jiffies; less than 0: do not wait in FIN_WAIT2 */
	__u8 repair : 1; /* TCP_REPAIR */
	__u32 srtt_us;
	struct minmax rtt_min;
	__u8 chrono_type; /* a bit field on older kernels */
	__u32 chrono_start;
	__u32 chrono_stat[3];
	struct request_sock *fastopen_rsk; /* a child of TCP Fast Open has it until the handshake's ACK */
	bool is_mptcp;                     /* with CONFIG_MPTCP */
	struct list_head tsq_node;
};

struct mptcp_subflow_context {
	struct sock *conn;
};

struct mptcp_sock {
	struct sock *first; /* the first subflow; a listener has no other */
};

struct socket {
	struct sock *sk;
	struct file *file;
};

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct inode {
	__u16 i_mode;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct mm_struct {
	struct file *exe_file;
};

struct kernfs_node {
	struct kernfs_node *parent; /* until 6.14 */
	const char *name;
	__u64 id;
};

struct kernfs_node___rcu {
	struct kernfs_node *__parent; /* 633488947ef6, 6.15 */
};

struct cgroup_root {
	unsigned int subsys_mask;
	char name[64];
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

struct css_set {
	struct cgroup *dfl_cgrp;
	struct list_head cgrp_links;
};

/* Links a css_set to one of its cgroups; it has one in each hierarchy. */
struct cgrp_cset_link {
	struct cgroup *cgrp;
	struct list_head cgrp_link;
};

enum cgroup_subsys_id___any { memory_cgrp_id___any };

struct cred {
	kuid_t uid;
};

struct signal_struct {
	atomic_t live;
};

struct task_struct {
	unsigned int flags;
	int tgid;
	__u64 start_boottime;
	__u64 self_exec_id;
	char comm[16];
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct task_struct *group_leader;
	const struct cred *cred;
	struct css_set *cgroups;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct file *file;
};

/* Used only to probe which helpers this kernel has. bpf_get_socket_cookie() came to tracing programs in 5.12, the same
 * release as bpf_check_mtu() (c5dbb89fc2ac, 34b2021cc616). */
enum bpf_func_id___since_5_12 {
	BPF_FUNC_check_mtu___since_5_12 = 163,
};

enum bpf_func_id___since_5_11 {
	BPF_FUNC_get_current_task_btf___since_5_11 = 158,
};

#pragma clang attribute pop

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define IPPROTO_TCP 6
#define IPPROTO_MPTCP 262

#define PF_KTHREAD 0x00200000

#define RCV_SHUTDOWN 1
#define SHUTDOWN_MASK 3

#define SO_EE_ORIGIN_ICMP 2
#define SO_EE_ORIGIN_ICMP6 3

#define SOCK_DEAD 0 /* bits of skc_flags (enum sock_flags) */
#define SOCK_DONE 1

#define E2BIG 7
#define ENOMEM 12
#define EBUSY 16
#define EDEADLK 35
#define EEXIST 17
#define ECONNRESET 104
#define ETIMEDOUT 110
#define EDQUOT 122
#define EHOSTUNREACH 113
#define ENETUNREACH 101

static inline __attribute__((always_inline)) bool is_unreachable_error(int error)
{
	return error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH;
}

#define S_IFMT 0170000
#define S_IFSOCK 0140000

enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

#endif
