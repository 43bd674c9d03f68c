/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The start-up scan of pre-existing sockets, and the report of open sockets at the end: iterators, read by user space.
 *
 * iter/tcp iterates over the sockets of its reader's network namespace, listeners first, including sockets that nobody
 * has accepted yet. iter/task_file shows which processes hold which sockets.
 */
#ifndef NETRACKER_BPF_STARTUP_SCAN_H
#define NETRACKER_BPF_STARTUP_SCAN_H

#include "socket_context.h"

static __always_inline void scan_listener(struct sock *sk)
{
	struct nt_listener listener = {};
	struct nt_listener_key key;

	fill_listener_key(&key, sk, sk->__sk_common.skc_num);
	check_details(bpf_map_update_elem(&listeners, &key, &listener, BPF_NOEXIST));
}

static __always_inline void scan_fins(struct nt_socket *socket)
{
	switch (socket->state) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
		socket->flags |= NT_SOCKET_LOCAL_FIN;
		break;
	case TCP_CLOSE_WAIT:
		socket->flags |= NT_SOCKET_REMOTE_FIN | NT_SOCKET_REMOTE_FIRST;
		break;
	case TCP_LAST_ACK:
		socket->flags |= NT_SOCKET_LOCAL_FIN | NT_SOCKET_REMOTE_FIN | NT_SOCKET_REMOTE_FIRST;
		break;
	case TCP_CLOSING:
		socket->flags |= NT_SOCKET_LOCAL_FIN | NT_SOCKET_REMOTE_FIN;
		break;
	}
}

/* Returns how many sequence numbers the peer acknowledges, or has yet to, beyond the payload and the FIN: one, the
 * SYN's, if this socket connected. The SYN of a server's socket was acknowledged before that socket existed. */
static __always_inline __u64 count_own_syns(struct tcp_sock *tp, const struct nt_socket *socket)
{
	__u64 sent = tp->bytes_acked + (__u32)(tp->snd_nxt - tp->snd_una);
	bool fin_was_sent = socket->flags & NT_SOCKET_LOCAL_FIN && tp->snd_nxt == tp->write_seq;

	return sent - (tp->bytes_sent - tp->bytes_retrans) - fin_was_sent;
}

/* Infers which side opened the connection, so that two sockets of this machine agree on it. The counts of a socket that
 * was restored in repair mode, or whose device refused data, show nothing; then a listener on the local port means that
 * the other side opened it. */
static __always_inline __u8 infer_role(struct tcp_sock *tp, const struct nt_socket *socket)
{
	__u64 syns = count_own_syns(tp, socket);

	if (socket->state == TCP_SYN_SENT || syns == 1)
		return NT_ROLE_CLIENT;
	return !syns || find_listener(socket) ? NT_ROLE_SERVER : NT_ROLE_CLIENT;
}

static __always_inline void scan_connection(struct sock *sk, struct tcp_sock *tp)
{
	struct nt_socket socket = { .flags = NT_SOCKET_PREEXISTING };
	__u64 address = (__u64)sk;
	int error;

	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	socket.state = sk->__sk_common.skc_state;
	read_tuple(&socket, tp);
	scan_fins(&socket);
	socket.role = infer_role(tp, &socket);
	error = bpf_map_update_elem(&sockets, &address, &socket, BPF_NOEXIST);
	if (!error)
		count(NT_COUNT_SOCKETS_PREEXISTING);
	else if (error != -EEXIST)
		count_failure(NT_COUNT_SOCKETS_FAILED, error);
}

/* Returns the iterator's current socket. NULL for a request or time-wait socket, and at the end. */
static __always_inline struct tcp_sock *read_iterated_socket(struct bpf_iter__tcp *ctx)
{
	struct sock_common *common = ctx->sk_common;

	return common ? bpf_skc_to_tcp_sock(common) : NULL;
}

SEC("iter/tcp")
int scan_sockets(struct bpf_iter__tcp *ctx)
{
	struct tcp_sock *tp = read_iterated_socket(ctx);
	struct sock *sk;

	if (!tp)
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	switch (sk->__sk_common.skc_state) {
	case TCP_LISTEN:
		scan_listener(sk);
		break;
	case TCP_CLOSE: /* bound, not connected */
		break;
	default:
		scan_connection(sk, tp);
	}
	return 0;
}

/* Writes a byte, so that the reader's read() returns now and then and it can drain the ring buffer. */
static __always_inline void wake_reader(struct bpf_iter_meta *meta)
{
	static const char byte = 1;

	bpf_seq_write(meta->seq, &byte, sizeof(byte));
}

static __always_inline void scan_owner_of_listener(struct sock *sk, struct task_struct *task)
{
	struct nt_listener_key key = {};
	struct nt_listener *listener;

	key.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	key.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6)
		BPF_CORE_READ_INTO(&key.address, sk, __sk_common.skc_v6_rcv_saddr);
	else if (BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr))
		socket_put_ipv4(key.address, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
	listener = bpf_map_lookup_elem(&listeners, &key);
	/* the first of the processes that share it called listen() */
	if (listener && !listener->owner.process.pid)
		owner_from_task(&listener->owner, task, NT_OWNER_LISTEN);
}

/* If several processes hold a socket, the youngest one serves the connection: a parent passed it on. */
static __always_inline void scan_owner(struct nt_socket *socket, struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);

	if (socket->owner.process.pid && (socket->owner.by != NT_OWNER_SCAN || socket->owner.process.start_ns >= start))
		return;
	owner_from_task(&socket->owner, task, NT_OWNER_SCAN);
}

SEC("iter/task_file")
int scan_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct nt_socket *socket;
	struct socket *holder;
	struct sock *sk;
	__u64 address;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	holder = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(holder, sk);
	address = (__u64)sk;
	socket = bpf_map_lookup_elem(&sockets, &address);
	if (socket && socket->flags & NT_SOCKET_PREEXISTING)
		scan_owner(socket, task);
	else if (BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN &&
		 BPF_CORE_READ(sk, sk_protocol) == IPPROTO_TCP)
		scan_owner_of_listener(sk, task);
	else
		return 0;
	wake_reader(ctx->meta);
	return 0;
}

/* Emits the status of every open socket. */
SEC("iter/tcp")
int report_open_sockets(struct bpf_iter__tcp *ctx)
{
	struct tcp_sock *tp = read_iterated_socket(ctx);
	struct nt_socket *socket;
	struct sock *sk;
	__u64 address;
	__u8 state;

	if (!tp)
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	address = (__u64)sk;
	state = sk->__sk_common.skc_state; /* read once: before 5.15 (04c7820b776f) the socket is not locked here */
	socket = bpf_map_lookup_elem(&sockets, &address);
	if (!socket || socket->state == TCP_CLOSE || !has_record(socket))
		return 0;
	/* changes since tracking ended did not update the entry */
	if (state == TCP_CLOSE || (socket->cookie && socket->cookie != read_cookie(sk)))
		return 0;
	socket->state = state;
	if (!socket->established_ns)
		read_tuple(socket, tp);
	copy_listener_owner(socket);
	emit_socket(NT_EVENT_TYPE_SOCKET_STATUS, address, socket, tp, socket->state, bpf_ktime_get_boot_ns());
	wake_reader(ctx->meta);
	return 0;
}

#endif
