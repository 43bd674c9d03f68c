/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The start-up scan of pre-existing sockets, and the reports of open sockets and of listeners: iterators, read by user
 * space.
 *
 * iter/tcp iterates over the sockets of its reader's network namespace, listeners first, including sockets that nobody
 * has accepted yet. iter/task_file shows which processes hold which sockets.
 */
#ifndef NETRACKER_BPF_STARTUP_SCAN_H
#define NETRACKER_BPF_STARTUP_SCAN_H

#include "socket_context.h"

/* The listeners that the scan finds, by the tuples that they accept. They distinguish servers from clients among
 * pre-existing connections, and show which listener a server's connection most likely came from. */
struct scanned_tuple {
	__u8 address[16]; /* any: all zero for IPv6, ::ffff:0.0.0.0 for IPv4 */
	__u32 netns;
	__u32 ifindex; /* of the device that the socket is bound to; 0: none */
	__u16 port;
	__u8 padding[6];
};

struct scanned_listener {
	__u64 address; /* of the struct sock; 0: several listeners have this tuple (SO_REUSEPORT) */
	__u64 ipv6_only;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct scanned_tuple);
	__type(value, struct scanned_listener);
} scanned_listeners SEC(".maps");

static __always_inline void fill_scanned_tuple(struct scanned_tuple *tuple, struct sock *sk)
{
	tuple->netns = sk->__sk_common.skc_net.net->ns.inum;
	tuple->ifindex = sk->__sk_common.skc_bound_dev_if;
	tuple->port = sk->__sk_common.skc_num;
	if (sk->__sk_common.skc_family == AF_INET6)
		bpf_probe_read_kernel(tuple->address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	else
		socket_put_ipv4(tuple->address, sk->__sk_common.skc_rcv_saddr);
}

static __always_inline void scan_listener(struct sock *sk)
{
	struct scanned_listener scanned = { .address = (__u64)sk };
	struct nt_listener listener = {};
	struct scanned_tuple tuple = {};
	int error;

	check_details(bpf_map_update_elem(&listeners, &scanned.address, &listener, BPF_NOEXIST));
	fill_scanned_tuple(&tuple, sk);
	if (sk->__sk_common.skc_family == AF_INET6)
		scanned.ipv6_only = BPF_CORE_READ_BITFIELD(sk, __sk_common.skc_ipv6only);
	error = bpf_map_update_elem(&scanned_listeners, &tuple, &scanned, BPF_NOEXIST);
	if (error == -EEXIST) {
		scanned.address = 0;
		error = bpf_map_update_elem(&scanned_listeners, &tuple, &scanned, BPF_ANY);
	}
	check_details(error);
}

/* Like the kernel, prefers the listener that is bound to the connection's device. */
static __always_inline struct scanned_listener *find_scanned_tuple(struct scanned_tuple *tuple, __u32 ifindex)
{
	struct scanned_listener *found;

	tuple->ifindex = ifindex;
	found = bpf_map_lookup_elem(&scanned_listeners, tuple);
	if (found || !ifindex)
		return found;
	tuple->ifindex = 0;
	return bpf_map_lookup_elem(&scanned_listeners, tuple);
}

static __always_inline struct scanned_listener *find_scanned_listener(const struct nt_socket *socket, __u32 ifindex)
{
	struct scanned_tuple tuple = { .netns = socket->netns, .port = socket->local_port };
	struct scanned_listener *found;

	__builtin_memcpy(tuple.address, socket->local, 16);
	found = find_scanned_tuple(&tuple, ifindex);
	if (!found && nt_address_family(socket->local) == 4) {
		socket_put_ipv4(tuple.address, 0);
		found = find_scanned_tuple(&tuple, ifindex);
	}
	if (found)
		return found;
	__builtin_memset(tuple.address, 0, 16);
	found = find_scanned_tuple(&tuple, ifindex);
	return found && found->ipv6_only && nt_address_family(socket->local) == 4 ? NULL : found;
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
static __always_inline __u8 infer_role(struct tcp_sock *tp, const struct nt_socket *socket, bool is_listened_on)
{
	__u64 syns = count_own_syns(tp, socket);

	if (socket->state == TCP_SYN_SENT || syns == 1)
		return NT_ROLE_CLIENT;
	return !syns || is_listened_on ? NT_ROLE_SERVER : NT_ROLE_CLIENT;
}

static __always_inline void scan_connection(struct sock *sk, struct tcp_sock *tp)
{
	struct nt_socket socket = { .flags = NT_SOCKET_PREEXISTING };
	struct scanned_listener *scanned;
	__u64 address = (__u64)sk;
	int error;

	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	socket.state = sk->__sk_common.skc_state;
	read_tuple(&socket, tp);
	scan_fins(&socket);
	scanned = find_scanned_listener(&socket, sk->__sk_common.skc_bound_dev_if);
	socket.role = infer_role(tp, &socket, scanned);
	if (scanned && socket.role == NT_ROLE_SERVER)
		socket.listener = scanned->address;
	socket.share = read_share(sk);
	error = insert_socket(&address, &socket);
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
		if (!config.listeners_only)
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

static __always_inline void scan_owner_of_listener(__u64 address, struct task_struct *task)
{
	struct nt_listener *listener = bpf_map_lookup_elem(&listeners, &address);

	/* the first of the processes that share it called listen() */
	if (!listener || listener->owner.process.pid)
		return;
	if (owner_from_task(&listener->owner, task, NT_OWNER_LISTEN))
		follow_listening_process(&listener->owner.process);
}

/* If several processes hold a socket, the youngest one serves the connection: a parent passed it on. */
static __always_inline void scan_owner(struct nt_owner *owner, struct task_struct *task)
{
	__u64 start = BPF_CORE_READ(task, group_leader, start_boottime);

	if (owner->process.pid && (owner->by != NT_OWNER_SCAN || owner->process.start_ns >= start))
		return;
	owner_from_task(owner, task, NT_OWNER_SCAN);
}

/* A descriptor is that of the MPTCP socket, not of its subflows. */
static __always_inline void scan_owner_of_mptcp(struct sock *sk, bool listens, struct task_struct *task)
{
	struct mptcp_sock *mptcp = (void *)sk;
	__u64 address = (__u64)sk;
	struct nt_owner *owner;

	if (listens && bpf_core_field_exists(mptcp->first)) {
		scan_owner_of_listener((__u64)BPF_CORE_READ(mptcp, first), task);
		return;
	}
	check_details(bpf_map_update_elem(&mptcp_owners, &address, &empty_owner, BPF_NOEXIST));
	owner = bpf_map_lookup_elem(&mptcp_owners, &address);
	if (owner)
		scan_owner(owner, task);
}

static __always_inline bool scan_owner_of_socket(struct sock *sk, struct task_struct *task)
{
	bool listens = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_LISTEN;
	__u16 protocol = BPF_CORE_READ(sk, sk_protocol);
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (socket && socket->flags & NT_SOCKET_PREEXISTING)
		scan_owner(&socket->owner, task);
	else if (protocol == IPPROTO_TCP && listens)
		scan_owner_of_listener(address, task);
	else if (protocol == IPPROTO_MPTCP)
		scan_owner_of_mptcp(sk, listens, task);
	else
		return false;
	return true;
}

SEC("iter/task_file")
int scan_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct socket *holder;

	if (!task || !file || (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return 0;
	holder = BPF_CORE_READ(file, private_data);
	if (scan_owner_of_socket(BPF_CORE_READ(holder, sk), task))
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
	if (socket->state != state) {
		socket->state = state;
		socket->state_ns = 0;
	}
	record_sockmap(socket, sk);
	if (!socket->established_ns)
		read_tuple(socket, tp);
	copy_mptcp_owner(socket, tp);
	copy_listener_owner(socket);
	emit_socket(NT_EVENT_TYPE_SOCKET_STATUS, address, socket, tp, socket->state, 0, bpf_ktime_get_boot_ns());
	wake_reader(ctx->meta);
	return 0;
}

/* The scan of owners comes before the report of listeners. */
static __always_inline void copy_scanned_owner(struct nt_owner *owner, __u64 address)
{
	const struct nt_listener *listener = bpf_map_lookup_elem(&listeners, &address);

	if (listener)
		*owner = listener->owner;
}

static __always_inline void fill_listener_event(struct nt_listener_event *event, struct sock *sk)
{
	event->address = (__u64)sk;
	event->cookie = read_cookie(sk);
	event->netns = sk->__sk_common.skc_net.net->ns.inum;
	event->ifindex = sk->__sk_common.skc_bound_dev_if;
	event->local_port = sk->__sk_common.skc_num;
	if (sk->__sk_common.skc_family == AF_INET6) {
		bpf_probe_read_kernel(event->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		event->ipv6_only = BPF_CORE_READ_BITFIELD(sk, __sk_common.skc_ipv6only);
	} else {
		socket_put_ipv4(event->local, sk->__sk_common.skc_rcv_saddr);
	}
	event->backlog = sk->sk_ack_backlog;
	event->backlog_max = sk->sk_max_ack_backlog;
	if (bpf_core_field_exists(sk->sk_drops)) {
		event->drops = sk->sk_drops.counter;
		event->has_drops = 1;
	}
	copy_scanned_owner(&event->owner, event->address);
}

/* Emits every listener. */
SEC("iter/tcp")
int report_listeners(struct bpf_iter__tcp *ctx)
{
	struct tcp_sock *tp = read_iterated_socket(ctx);
	struct nt_listener_event *event;
	struct sock *sk;

	if (!tp)
		return 0;
	sk = &tp->inet_conn.icsk_inet.sk;
	if (sk->__sk_common.skc_state != TCP_LISTEN)
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		count(NT_COUNT_OPEN_RING_FAILED);
		return 0;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->header.type = NT_EVENT_TYPE_LISTENER;
	event->header.now = bpf_ktime_get_boot_ns();
	fill_listener_event(event, sk);
	bpf_ringbuf_submit(event, ring_flags());
	wake_reader(ctx->meta);
	return 0;
}

#endif
