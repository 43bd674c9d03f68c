/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket context: programs that follow local TCP sockets. A connection has one entry in `sockets`, from the first
 * state change of its socket on.
 *
 * All values are read at the change to CLOSE: by tcp_destroy_sock, the counts and sk_err of an aborted socket are gone
 * or wrong. The entry stays until the socket is destroyed, because one socket can have several connections in turn and
 * because the owner may become known only after the connection has ended.
 */
#ifndef NETRACKER_BPF_SOCKET_CONTEXT_H
#define NETRACKER_BPF_SOCKET_CONTEXT_H

#include "fair_tables.h"
#include "owner.h"
#include "socket_error.h"
#include "wire_of_socket.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* address of the struct sock */
	__type(value, struct nt_socket);
} sockets SEC(".maps");

/* Listeners. Their owner stands in for that of a connection that no process has read from or closed yet. An entry is
 * deleted when the listener is destroyed, which is after the end of the connections that it has not accepted. */
struct nt_listener {
	struct nt_owner owner;
	__u64 since_ns; /* 0: since before the tracker started */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64); /* address of the struct sock */
	__type(value, struct nt_listener);
} listeners SEC(".maps");

/* Owners of MPTCP sockets. The kernel's workers open and close the subflows, so the running task is no owner there. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* address of the MPTCP socket's struct sock */
	__type(value, struct nt_owner);
} mptcp_owners SEC(".maps");

static __always_inline __u16 read_share(struct sock *sk)
{
	return nt_share_of_user(sk->__sk_common.skc_net.net->ns.inum, sk->sk_uid.val, config.share_multiplier);
}

static __always_inline int insert_socket(const __u64 *address, const struct nt_socket *socket)
{
	return insert_fairly(&sockets, NT_FAIR_SOCKETS, address, socket, socket->share);
}

static __always_inline void delete_socket(const __u64 *address, const struct nt_socket *socket)
{
	delete_fairly(&sockets, NT_FAIR_SOCKETS, address, socket->share);
}

static const struct nt_listener empty_listener;
static const struct nt_owner empty_owner;

static __always_inline void socket_put_ipv4(__u8 *address, __be32 ipv4)
{
	__builtin_memset(address, 0, 10);
	address[10] = address[11] = 0xff;
	__builtin_memcpy(address + 12, &ipv4, 4);
}

static __always_inline __u64 read_cookie(struct sock *sk)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id___since_5_12, BPF_FUNC_check_mtu___since_5_12))
		return bpf_get_socket_cookie(sk);
	return sk->__sk_common.skc_cookie.counter;
}

static __always_inline void read_tuple(struct nt_socket *socket, struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (sk->__sk_common.skc_family == AF_INET) {
		socket_put_ipv4(socket->local, tp->inet_conn.icsk_inet.inet_saddr);
		socket_put_ipv4(socket->remote, sk->__sk_common.skc_daddr);
	} else {
		bpf_probe_read_kernel(socket->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(socket->remote, 16, &sk->__sk_common.skc_v6_daddr);
		if (socket->remote[0] == 0xfe && (socket->remote[1] & 0xc0) == 0x80)
			socket->scope_ifindex = sk->__sk_common.skc_bound_dev_if;
	}
	/* skc_num is 0 at CLOSE, inet_sport is not */
	socket->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	socket->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (!socket->cookie)
		socket->cookie = read_cookie(sk);
}

/* Returns the bytes that the application wrote, acknowledged or not. SYN and FIN take sequence numbers and are
 * subtracted; the SYN of a server's socket is acknowledged before that socket exists. */
static __always_inline __u64 compute_bytes_written(struct tcp_sock *tp, const struct nt_socket *socket)
{
	__u64 written = tp->bytes_acked + (__u32)(tp->write_seq - tp->snd_una);
	__u64 syn_and_fin = (socket->role == NT_ROLE_CLIENT) + !!(socket->flags & NT_SOCKET_LOCAL_FIN);

	return written > syn_and_fin ? written - syn_and_fin : 0;
}

static __always_inline __u64 compute_bytes_sent(struct tcp_sock *tp, const struct nt_socket *socket, int error)
{
	__u64 transmitted = tp->bytes_sent - tp->bytes_retrans, written;

	/* The kernel counts data that a device refuses as new at each attempt. An unreachable peer has this effect. */
	if (!is_unreachable_error(error))
		return transmitted;
	written = compute_bytes_written(tp, socket);
	return transmitted < written ? transmitted : written;
}

/* Returns an estimate of the lifetime of a pre-existing connection in jiffies. It leaves out the idle periods before
 * the present one, which are unknown. Returns 0 if the connection is idle, but not for longer than it has spent
 * sending: the estimate would then be too uncertain to conclude what limited the connection. */
static __always_inline __u32 estimate_lifetime(struct tcp_sock *tp, __u32 jiffies, __u32 sending)
{
	__u32 idle = jiffies - tp->lsndtime;

	if (BPF_CORE_READ_BITFIELD(tp, chrono_type))
		return sending;
	return idle > sending ? sending + idle : 0;
}

static __always_inline void read_counts(struct nt_socket_counts *counts, struct tcp_sock *tp,
					const struct nt_socket *socket, int error)
{
	__u32 jiffies = bpf_jiffies64();
	__u32 busy = tp->chrono_stat[0], receiver = tp->chrono_stat[1], sndbuf = tp->chrono_stat[2];
	__u32 running = jiffies - tp->chrono_start;

	/* The period that is still running is not in its sum yet. The cases are those of enum tcp_chrono. */
	switch (BPF_CORE_READ_BITFIELD(tp, chrono_type)) {
	case 1:
		busy += running;
		break;
	case 2:
		receiver += running;
		break;
	case 3:
		sndbuf += running;
		break;
	}
	counts->busy_jiffies = busy;
	counts->receiver_limited_jiffies = receiver;
	counts->sndbuf_limited_jiffies = sndbuf;
	counts->lifetime_jiffies = socket->established_ns ? jiffies - socket->established_jiffies :
							    estimate_lifetime(tp, jiffies, busy + receiver + sndbuf);
	counts->bytes_sent = compute_bytes_sent(tp, socket, error);
	counts->bytes_received = tp->bytes_received;
	if (socket->flags & NT_SOCKET_REMOTE_FIN && counts->bytes_received)
		counts->bytes_received--; /* the kernel counts the peer's FIN */
	counts->segments_out = tp->segs_out;
	counts->segments_in = tp->segs_in;
	counts->retransmits = tp->total_retrans;
	counts->srtt_us = tp->srtt_us >> 3;
	counts->min_rtt_us = tp->rtt_min.s[0].v;
	counts->error = error;
	counts->fin_acknowledged = socket->flags & NT_SOCKET_LOCAL_FIN && tp->snd_una == tp->write_seq;
	counts->waited_for = tp->inet_conn.icsk_probes_out  ? NT_WAITED_FOR_PROBE :
			     tp->inet_conn.icsk_retransmits ? NT_WAITED_FOR_ACK :
							      NT_WAITED_FOR_NOTHING;
	/* without segments, the socket was disconnected after the missed end: its counts are gone */
	counts->valid = !(socket->missed_end && !tp->segs_out);
}

/* Before 5.15 (04c7820b776f) iterators do not lock the socket: a number can be behind the one that follows on it. */
static __always_inline __u32 bytes_between(__u32 behind, __u32 ahead)
{
	__s32 between = (__s32)(ahead - behind);

	return between > 0 ? between : 0;
}

static __always_inline void read_queues(struct nt_socket_queues *queues, struct tcp_sock *tp)
{
	__u32 sent = tp->lsndtime, jiffies;

	queues->unread = bytes_between(tp->copied_seq, tp->rcv_nxt);
	queues->unsent = bytes_between(tp->snd_nxt, tp->write_seq);
	queues->unacked = bytes_between(tp->snd_una, tp->snd_nxt);
	queues->cwnd = tp->snd_cwnd;
	if (bpf_core_field_exists(tp->inet_conn.icsk_ack.lrcvtime)) {
		queues->since_received = tp->inet_conn.icsk_ack.lrcvtime;
		queues->receipt_is_set = 1;
	}
	jiffies = bpf_jiffies64(); /* after the times, which another CPU may be setting */
	queues->since_sent = jiffies - sent;
	queues->since_received = jiffies - queues->since_received;
	queues->valid = 1;
}

/* Records whether the socket is in a sockmap or a sockhash. Its sk_user_data, which others use too, then points to a
 * struct sk_psock, and the lowest bits are flags. close() takes it out before the state changes. */
static __always_inline void record_sockmap(struct nt_socket *socket, struct sock *sk)
{
	struct sk_psock *psock = (struct sk_psock *)((__u64)sk->sk_user_data & ~7ULL);

	if (psock && bpf_core_field_exists(psock->sk) && BPF_CORE_READ(psock, sk) == sk)
		socket->in_sockmap = 1;
}

/* Returns whether the running process, and not a softirq, is using this socket. A softirq takes a socket only if no
 * process owns its lock, so the lock's owner flag distinguishes the two. A process that closes a listener does not
 * become the owner of the sockets that nobody accepted: inet_csk_listen_stop() closes them without setting the flag. */
static __always_inline bool is_in_process(struct sock *sk)
{
	return sk->sk_lock.owned;
}

/* Returns whether the running process, which reads (NT_OWNER_IO) or closes (NT_OWNER_CLOSE), becomes the owner. A process
 * that holds a copy of the descriptor and closes it last does not serve a connection that another one reads from. A
 * process that is the owner already may have called execve(), setuid() or prctl() since. */
static __always_inline bool becomes_owner(const struct nt_owner *owner, __u8 by)
{
	bool has_read = owner->process.pid && owner->by == NT_OWNER_IO;

	if (owner->process.pid == bpf_get_current_pid_tgid() >> 32)
		return owner->by > by || owner->by > NT_OWNER_ACCEPT || !is_owner_unchanged(owner);
	return by == NT_OWNER_IO || !has_read;
}

/* The owner of a server's connection is the last process that read from it, or else the one that closed it; that of a
 * client's is the process that connected. */
static __always_inline void record_owner(struct nt_socket *socket, struct sock *sk, __u8 by)
{
	struct nt_owner *owner = &socket->owner;

	if (socket->role == NT_ROLE_CLIENT && owner->process.pid && owner->by == NT_OWNER_CONNECT)
		return;
	if (!is_in_process(sk) || !becomes_owner(owner, by))
		return;
	if (owner->process.pid == bpf_get_current_pid_tgid() >> 32 && owner->by < by)
		by = owner->by; /* it has read before it closes */
	owner_from_current(owner, by);
}

static __always_inline bool has_owner(const struct nt_socket *socket)
{
	return socket->owner.process.pid && socket->owner.by != NT_OWNER_LISTEN;
}

static __always_inline bool is_subflow(struct tcp_sock *tp)
{
	return bpf_core_field_exists(tp->is_mptcp) && tp->is_mptcp;
}

static __always_inline struct sock *read_mptcp_socket(struct tcp_sock *tp)
{
	struct mptcp_subflow_context *subflow = tp->inet_conn.icsk_ulp_data;

	return BPF_CORE_READ(subflow, conn);
}

/* Gives a subflow the owner of its MPTCP socket. Returns whether the socket is a subflow: kernel workers, or a process
 * that configures MPTCP, open and close it, so the running process is never its owner. */
static __always_inline bool copy_mptcp_owner(struct nt_socket *socket, struct tcp_sock *tp)
{
	struct nt_owner *owner;
	__u64 connection;

	if (!is_subflow(tp))
		return false;
	connection = (__u64)read_mptcp_socket(tp);
	owner = bpf_map_lookup_elem(&mptcp_owners, &connection);
	if (owner && owner->process.pid)
		socket->owner = *owner;
	return true;
}

static __always_inline void set_mptcp_owner(__u64 address, __u8 by)
{
	struct nt_owner *owner;

	check_details(bpf_map_update_elem(&mptcp_owners, &address, &empty_owner, BPF_NOEXIST));
	owner = bpf_map_lookup_elem(&mptcp_owners, &address);
	if (owner)
		owner_from_current(owner, by);
}

static __always_inline void record_mptcp_closer(struct sock *sk, __u64 address)
{
	const struct nt_owner *known = bpf_map_lookup_elem(&mptcp_owners, &address);

	if (known && known->process.pid && known->by == NT_OWNER_CONNECT)
		return;
	if (is_in_process(sk))
		set_mptcp_owner(address, NT_OWNER_CLOSE);
}

/* A new MPTCP socket may have the address of an earlier one. A client's first change is to SYN_SENT; a server's is from
 * LISTEN, the state of the listener that it is a copy of. */
static __always_inline void begin_mptcp_owner(struct sock *sk, __u64 address, int new_state)
{
	bpf_map_delete_elem(&mptcp_owners, &address);
	if (new_state == TCP_SYN_SENT && is_in_process(sk))
		set_mptcp_owner(address, NT_OWNER_CONNECT);
}

/* Not inlined, to save the caller's stack. */
static __noinline int record_mptcp_owner(struct sock *sk, int old_state, int new_state)
{
	__u64 address = (__u64)sk;

	if (new_state == TCP_SYN_SENT || old_state == TCP_LISTEN)
		begin_mptcp_owner(sk, address, new_state);
	else if (new_state == TCP_FIN_WAIT1 || new_state == TCP_LAST_ACK || new_state == TCP_CLOSE)
		record_mptcp_closer(sk, address);
	return 0;
}

/* Returns whether the kernel uses the socket itself, as NFS does. A subflow counts as its MPTCP socket does. */
static __always_inline bool is_of_kernel(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct sock *connection;

	if (!tp || !is_subflow(tp))
		return BPF_CORE_READ_BITFIELD(sk, sk_kern_sock);
	connection = read_mptcp_socket(tp);
	return BPF_CORE_READ_BITFIELD_PROBED(connection, sk_kern_sock);
}

static __noinline int add_listener(struct sock *sk)
{
	struct nt_listener *listener;
	__u64 address = (__u64)sk;

	check_details(bpf_map_update_elem(&listeners, &address, &empty_listener, BPF_ANY));
	listener = bpf_map_lookup_elem(&listeners, &address);
	if (!listener)
		return 0;
	listener->since_ns = bpf_ktime_get_boot_ns();
	if (!is_of_kernel(sk) && owner_from_current(&listener->owner, NT_OWNER_LISTEN))
		follow_listening_process(&listener->owner.process);
	return 0;
}

/* Returns the address of the listener that a server's socket was just made by. At its change from LISTEN the socket is
 * still a copy of the listener: the kernel initialises its list head tsq_node only later (tcp_create_openreq_child()),
 * and that of a listener points to itself. Addresses and ports would not do: a listener may stand for many of them
 * (TPROXY, BPF_PROG_TYPE_SK_LOOKUP), or share them with others (SO_REUSEPORT). */
static __always_inline __u64 read_listener(struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	return tp ? (__u64)tp->tsq_node.next - bpf_core_field_offset(tp->tsq_node) : 0;
}

/* Not inlined, so that the verifier does not follow its paths again at each call. */
static __noinline int is_socket_filtered(const struct nt_socket *socket, __u32 type)
{
	bool awaits_owner = type == NT_EVENT_TYPE_SOCKET_CLOSE && socket->flags & NT_SOCKET_AWAITS_OWNER;

	return !nt_filter_has_socket(filter(), socket, awaits_owner);
}

/* Tells the wire context of a close that has no event: its entry would wait for the socket for days. Not inlined, to save
 * the caller's stack. */
static __noinline int close_wire_of_socket(const struct nt_socket *socket, int error, __u8 old_state)
{
	struct wire_found found = {};
	struct nt_key key;
	int side;

	if (!config.wire_enabled)
		return 0;
	side = find_wire_of_socket(&found, &key, socket);
	if (!found.wire)
		return 0;
	return wire_handle_socket_close(&found, &key, side, socket, old_state, error);
}

/* Counts the close of a socket that the filters exclude. Clears the flags that would cause a later event. */
static __always_inline void discard_socket(struct nt_socket *socket, int error, __u8 old_state)
{
	count(NT_COUNT_SOCKETS_FILTERED);
	socket->flags &= ~(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON);
	close_wire_of_socket(socket, error, old_state);
}

static __always_inline void count_lost_event(__u32 type, const struct nt_socket *socket, int error, __u8 old_state)
{
	if (type != NT_EVENT_TYPE_SOCKET_CLOSE) {
		count(NT_COUNT_OPEN_RING_FAILED);
		return;
	}
	count_ring_failure(NT_COUNT_SOCKET_RING_FAILED);
	if (socket->repair != NT_REPAIR_DUMPED) /* its packets go on */
		close_wire_of_socket(socket, error, old_state);
}

/* Emits an event of a socket, with the wire context's state of the connection unless that was emitted before. error:
 * the one that ended the connection, 0 if it is open. */
static __always_inline void emit_socket(__u32 type, __u64 address, struct nt_socket *socket, struct tcp_sock *tp,
					__u8 old_state, int error, __u64 now)
{
	struct nt_socket_event *event;
	struct wire_found found = {};
	__u32 status = NT_WIRE_ABSENT;
	struct nt_key key = {};
	int side = 0;

	if (config.filters && is_socket_filtered(socket, type)) {
		if (type == NT_EVENT_TYPE_SOCKET_CLOSE)
			discard_socket(socket, error, old_state);
		return;
	}
	if (config.wire_enabled && type == NT_EVENT_TYPE_SOCKET_CLOSE && is_wire_end_reported(socket))
		status = NT_WIRE_NOT_ASKED;
	else if (config.wire_enabled)
		side = find_wire_of_socket(&found, &key, socket);
	if (found.wire)
		event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	else
		event = bpf_ringbuf_reserve(&events, NT_SOCKET_EVENT_SHORT, 0);
	if (!event) {
		count_lost_event(type, socket, error, old_state);
		return;
	}
	__builtin_memset(event, 0, NT_SOCKET_EVENT_SHORT);
	event->header.type = type;
	event->header.now = now;
	event->address = address;
	event->socket = *socket;
	event->wire_status = status;
	event->counts.old_state = old_state;
	read_counts(&event->counts, tp, socket, error);
	if (type == NT_EVENT_TYPE_SOCKET_STATUS)
		read_queues(&event->queues, tp);
	if (found.wire)
		emit_wire_of_socket(event, &found, &key, side);
	bpf_ringbuf_submit(event, ring_flags());
}

static __always_inline void emit_socket_more(__u64 address, const struct nt_socket *socket)
{
	struct nt_socket_more_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);

	if (!event) {
		count(NT_COUNT_MORE_RING_FAILED);
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->header.type = NT_EVENT_TYPE_SOCKET_MORE;
	event->header.now = bpf_ktime_get_boot_ns();
	event->address = address;
	event->cookie = socket->cookie;
	event->nth = socket->nth;
	event->reset_sent = !!(socket->flags & NT_SOCKET_RESET_SENT);
	event->reset_reason = socket->reset_reason;
	event->awaits_owner = !!(socket->flags & NT_SOCKET_AWAITS_OWNER);
	event->owner = socket->owner;
	bpf_ringbuf_submit(event, ring_flags());
}

/* A listener that began to listen after its connection had begun is another one, at the same address. */
static __always_inline void copy_listener_owner(struct nt_socket *socket)
{
	struct nt_listener *listener;

	if (socket->role != NT_ROLE_SERVER || has_owner(socket))
		return;
	__builtin_memset(&socket->owner, 0, sizeof(socket->owner));
	listener = bpf_map_lookup_elem(&listeners, &socket->listener);
	if (!listener || listener->since_ns > socket->start_ns || has_exited(&listener->owner.process))
		return;
	socket->owner = listener->owner;
}

/* Returns whether the change to this state was handled before: no socket enters a state twice in a row. */
static __always_inline bool is_repeated(const struct nt_socket *socket, __u8 state)
{
	return socket->state == state;
}

/* The change to FIN_WAIT2 may have been missed too: a softirq that closes a socket last seen in FIN_WAIT1 closes it from
 * FIN_WAIT2, unless an error ended the connection. */
static __always_inline __u8 state_before_missed_close(const struct nt_socket *socket)
{
	return socket->state == TCP_FIN_WAIT1 && !socket->error ? TCP_FIN_WAIT2 : socket->state;
}

/* A server's socket has a record only once it is established. */
static __always_inline bool has_record(const struct nt_socket *socket)
{
	return socket->role == NT_ROLE_CLIENT || socket->established_ns || socket->flags & NT_SOCKET_PREEXISTING;
}

static __always_inline void count_replaced_socket(const struct nt_socket *previous)
{
	__u32 state = previous->state;

	count(NT_COUNT_SOCKETS_REPLACED + (state < NT_TCP_STATES ? state : 0));
	shared.replaced_role = previous->role;
	shared.replaced_state = state;
	shared.replaced_flags = previous->flags;
}

/* Closes the entry of a socket whose change to CLOSE and whose destruction were both missed: another connection begins
 * at its address. Its counts are gone, and the time of its end is known only if an error ended it. Returns whether
 * there is a record to report.
 *
 * Before Linux 6.13 (7d1cd70d4b16), the stack frames of nested calls may take at most 512 bytes together. Therefore
 * report_replaced_socket() is inlined and calls its steps, which are not, one after the other. */
static __noinline int close_replaced_socket(struct nt_socket *previous)
{
	__u64 end = previous->error ? previous->error_ns : bpf_ktime_get_boot_ns();

	if (previous->state == TCP_CLOSE || !has_record(previous))
		return 0;
	count(NT_COUNT_ENDS_MISSED);
	count_replaced_socket(previous);
	if (!previous->remote_port) { /* addresses are read when it is established, or at an error */
		count(NT_COUNT_SOCKETS_EVICTED);
		return 0;
	}
	previous->missed_end = previous->error ? NT_END_MISSED : NT_END_MISSED_UNTIMED;
	nt_socket_changes(previous, TCP_CLOSE, end);
	previous->flags &= ~(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON);
	copy_listener_owner(previous);
	return 1;
}

/* Leaves the look-up of the packets to user space (NT_WIRE_NOT_ASKED), since it would need too much stack here. */
static __noinline int emit_replaced_socket(__u64 address, const struct nt_socket *previous, __u8 old_state)
{
	struct nt_socket_event *event = bpf_ringbuf_reserve(&events, NT_SOCKET_EVENT_SHORT, 0);

	if (!event) {
		count_ring_failure(NT_COUNT_SOCKET_RING_FAILED);
		return 0;
	}
	__builtin_memset(event, 0, NT_SOCKET_EVENT_SHORT);
	event->header.type = NT_EVENT_TYPE_SOCKET_CLOSE;
	event->header.now = previous->close_ns;
	event->address = address;
	event->socket = *previous;
	event->wire_status = config.wire_enabled ? NT_WIRE_NOT_ASKED : NT_WIRE_ABSENT;
	event->counts.old_state = old_state;
	event->counts.error = previous->error ? previous->error : previous->attempt_error;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

static __always_inline void report_replaced_socket(__u64 address, struct nt_socket *previous)
{
	__u8 old_state = state_before_missed_close(previous);

	if (!close_replaced_socket(previous))
		return;
	if (config.filters && is_socket_filtered(previous, NT_EVENT_TYPE_SOCKET_CLOSE))
		discard_socket(previous, previous->error, old_state);
	else
		emit_replaced_socket(address, previous, old_state);
}

/* Deletes an existing entry: that of an earlier connection of the same socket, or of another socket whose end was missed.
 * Returns false if the entry is that of this very connection: an error would have ended it. */
static __always_inline bool remove_previous_client(__u64 address, struct nt_socket *socket)
{
	struct nt_socket *previous = bpf_map_lookup_elem(&sockets, &address);

	if (!previous)
		return true;
	if (is_repeated(previous, TCP_SYN_SENT) && previous->cookie == socket->cookie && !previous->error)
		return false;
	report_replaced_socket(address, previous);
	if (previous->cookie == socket->cookie)
		socket->nth = previous->nth + 1;
	delete_socket(&address, previous);
	return true;
}

static __always_inline void begin_client(__u64 address, struct sock *sk, __u64 now)
{
	struct nt_socket socket = { .role = NT_ROLE_CLIENT, .state = TCP_SYN_SENT, .start_ns = now, .state_ns = now };
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	int error;

	socket.cookie = read_cookie(sk);
	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	if (!tp || !copy_mptcp_owner(&socket, tp))
		owner_from_current(&socket.owner, NT_OWNER_CONNECT);
	socket.share = read_share(sk);
	error = insert_socket(&address, &socket);
	if (error == -EEXIST && remove_previous_client(address, &socket))
		error = insert_socket(&address, &socket);
	else if (error == -EEXIST)
		return;
	if (error)
		count_failure(NT_COUNT_SOCKETS_FAILED, error);
	else
		count(NT_COUNT_SOCKETS_OPENED);
}

/* Addresses and cookie are read later, when the socket is established: the kernel sets the addresses, and on older
 * kernels the cookie, only after this change. */
static __always_inline void begin_server(__u64 address, struct sock *sk, __u64 now)
{
	struct nt_socket socket = { .role = NT_ROLE_SERVER, .state = TCP_SYN_RECV, .start_ns = now }, *previous;
	int error;

	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	socket.listener = read_listener(sk);
	socket.share = read_share(sk);
	error = insert_socket(&address, &socket);
	if (!error)
		return;
	previous = bpf_map_lookup_elem(&sockets, &address);
	if (previous && is_repeated(previous, TCP_SYN_RECV))
		return;
	if (previous) {
		report_replaced_socket(address, previous);
		delete_socket(&address, previous);
		error = insert_socket(&address, &socket);
	}
	if (error)
		count_failure(NT_COUNT_SOCKETS_FAILED, error);
}

static __always_inline bool is_in_repair(struct tcp_sock *tp)
{
	return BPF_CORE_READ_BITFIELD(tp, repair);
}

/* In repair mode connect() sends nothing and establishes a connection that began before, on this machine or another. Of
 * two ports the lower one is most likely the server's. */
static __always_inline void mark_restored(struct nt_socket *socket)
{
	socket->repair = NT_REPAIR_RESTORED;
	socket->flags |= NT_SOCKET_PREEXISTING;
	socket->start_ns = 0;
	if (socket->local_port >= socket->remote_port)
		return;
	socket->role = NT_ROLE_SERVER;
	socket->owner.process.pid = 0; /* a server's owner reads or closes */
}

static __always_inline void socket_handle_established(__u64 address, struct nt_socket *socket, struct tcp_sock *tp,
						      __u64 now)
{
	read_tuple(socket, tp);
	nt_socket_changes(socket, TCP_ESTABLISHED, now);
	socket->established_jiffies = bpf_jiffies64();
	/* a RST in SYN_SENT was for an older connection of the peer (RFC 9293 figure 9) */
	socket->flags &= ~NT_SOCKET_RESET_SENT;
	socket->reset_reason = 0;
	socket->attempt_error = 0;
	if (socket->role == NT_ROLE_SERVER)
		count(NT_COUNT_SOCKETS_OPENED);
	if (config.wire_enabled && socket->role == NT_ROLE_SERVER)
		wire_add_socket(socket);
	if (is_in_repair(tp))
		mark_restored(socket);
	if (!config.open_events)
		return;
	copy_listener_owner(socket);
	emit_socket(NT_EVENT_TYPE_SOCKET_OPEN, address, socket, tp, TCP_SYN_SENT, 0, now);
}

/* Working memory for wire_add_lost_socket(), to save stack. Only a softirq establishes a server's socket. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_socket);
} lost_sockets SEC(".maps");

/* Tells the wire context of a socket that found no room in `sockets`: a listener did not fail to make one. */
static __always_inline void wire_add_lost_socket(struct sock *sk)
{
	__u32 zero = 0;
	struct nt_socket *socket = bpf_map_lookup_elem(&lost_sockets, &zero);
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!socket || !tp)
		return;
	__builtin_memset(socket, 0, sizeof(*socket));
	socket->role = NT_ROLE_SERVER;
	socket->netns = sk->__sk_common.skc_net.net->ns.inum;
	read_tuple(socket, tp);
	wire_add_socket(socket);
}

static __always_inline void record_closer(struct nt_socket *socket, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);

	if (!tp || !copy_mptcp_owner(socket, tp))
		record_owner(socket, sk, NT_OWNER_CLOSE);
}

/* A process that already is the owner may have changed its name or its user since it sent the FIN. */
static __always_inline void record_owner_at_close(struct nt_socket *socket, struct sock *sk, struct tcp_sock *tp,
						  bool aborted)
{
	bool owner_runs = socket->owner.process.pid == bpf_get_current_pid_tgid() >> 32;

	if (!copy_mptcp_owner(socket, tp) && (aborted || owner_runs))
		record_owner(socket, sk, NT_OWNER_CLOSE);
	copy_listener_owner(socket);
	if (socket->role == NT_ROLE_SERVER && !has_owner(socket))
		socket->flags |= NT_SOCKET_AWAITS_OWNER;
}

/* Returns whether a process aborted the connection: no FIN completed the close, and no RST or error came (those set
 * sk_err first). From FIN_WAIT2 a socket also closes in order: as an orphan, unless TCP_LINGER2 forbids that, or at the
 * peer's FIN. */
static __always_inline bool is_local_abort(struct sock *sk, struct tcp_sock *tp, __u8 old_state, int error)
{
	unsigned long flags = sk->__sk_common.skc_flags;

	switch (old_state) {
	case TCP_SYN_SENT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return false;
	case TCP_FIN_WAIT2:
		return !error && !(flags & (1 << SOCK_DONE)) && (!(flags & (1 << SOCK_DEAD)) || tp->linger2 < 0);
	default:
		return !error;
	}
}

static __always_inline bool is_unreadable(struct sock *sk, __u8 old_state)
{
	if (sk->__sk_common.skc_flags & (1 << SOCK_DEAD))
		return true;
	return (old_state == TCP_FIN_WAIT1 || old_state == TCP_FIN_WAIT2) && sk->sk_shutdown & RCV_SHUTDOWN;
}

/* Returns whether there was no connection to report. A client that got no port or no route sent no SYN (connect() sets
 * SYN_SENT first). A server's socket that its listener could not keep never served anyone, except with TCP Fast Open,
 * where it serves before it is established. */
static __always_inline bool has_not_begun(const struct nt_socket *socket, struct tcp_sock *tp, __u8 old_state)
{
	if (old_state == TCP_SYN_SENT)
		return !tp->segs_out;
	return old_state == TCP_SYN_RECV && socket->role == NT_ROLE_SERVER && !tp->fastopen_rsk;
}

static __always_inline void undo_begin_socket(__u64 address, struct nt_socket *socket, __u64 now)
{
	if (socket->role == NT_ROLE_SERVER) {
		delete_socket(&address, socket);
		return;
	}
	count(NT_COUNT_SOCKETS_NOT_BEGUN);
	socket->state = TCP_CLOSE;
	socket->close_ns = now;
	socket->nth--;
}

static __always_inline void socket_handle_close(__u64 address, struct nt_socket *socket, struct sock *sk,
						struct tcp_sock *tp, __u8 old_state, __u64 now)
{
	int error = find_end_error(socket, tp, old_state);
	bool aborted;

	/* a blocking connect() disconnects a failed socket: its counts are gone when a missed end is detected */
	if (!(socket->missed_end && socket->error) && has_not_begun(socket, tp, old_state))
		return undo_begin_socket(address, socket, now);
	if (socket->role == NT_ROLE_SERVER && !socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING))
		count(NT_COUNT_SOCKETS_OPENED);
	if (!socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING) && !socket->error)
		read_tuple(socket, tp);
	nt_socket_changes(socket, TCP_CLOSE, now);
	if (sk->__sk_common.skc_flags & (1 << SOCK_DONE) && !(socket->flags & NT_SOCKET_REMOTE_FIN))
		nt_socket_receives_fin(socket, bpf_ktime_get_boot_ns());
	aborted = !socket->missed_end && is_local_abort(sk, tp, old_state, error);
	if (!error && is_in_process(sk) && is_in_repair(tp)) {
		socket->repair = NT_REPAIR_DUMPED;
	} else if (aborted) {
		socket->flags |= NT_SOCKET_AWAITS_REASON;
	} else if (error == ECONNRESET && is_unreadable(sk, old_state)) {
		/* RFC 9293 3.10.7.4: tcp_reset() sets this error for a received RST and for data that no process can
		 * read */
		socket->flags |= NT_SOCKET_AWAITS_REASON;
	}
	if (!socket->first_fin_ns && old_state != TCP_SYN_SENT)
		socket->first_fin_ns = now;
	record_owner_at_close(socket, sk, tp, aborted);
	emit_socket(NT_EVENT_TYPE_SOCKET_CLOSE, address, socket, tp, old_state, error, now);
}

/* Emits the owner of a connection that is read from or closed only after its end. */
static __always_inline void emit_awaited_owner(__u64 address, struct nt_socket *socket, struct sock *sk, __u8 by)
{
	if (!(socket->flags & NT_SOCKET_AWAITS_OWNER))
		return;
	socket->flags &= ~NT_SOCKET_AWAITS_OWNER;
	if (by == NT_OWNER_CLOSE)
		record_closer(socket, sk);
	else
		record_owner(socket, sk, by);
	emit_socket_more(address, socket);
}

/* Reports a connection whose change to CLOSE was missed. If no descriptor is left, a softirq closes and destroys the
 * socket at once, so the present time is right. Otherwise the time is that of the error that ended it, or unknown. */
static __always_inline void emit_missed_close(__u64 address, struct nt_socket *socket, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 end = bpf_ktime_get_boot_ns();

	if (!tp)
		return;
	count(NT_COUNT_ENDS_MISSED);
	socket->missed_end = is_in_process(sk) && !socket->error ? NT_END_MISSED_UNTIMED : NT_END_MISSED;
	if (socket->error)
		end = socket->error_ns;
	socket_handle_close(address, socket, sk, tp, state_before_missed_close(socket), end);
}

/* Returns whether the RST follows the destruction: with TCP_LINGER2 < 0, tcp_rcv_state_process() destroys an orphan that
 * reaches FIN_WAIT2, and its caller sends the RST. */
static __always_inline bool is_reset_to_follow(const struct nt_socket *socket, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!(socket->flags & NT_SOCKET_AWAITS_REASON))
		return false;
	tp = bpf_skc_to_tcp_sock(sk);
	return tp && tp->linger2 < 0;
}

static __always_inline void socket_handle_destroy(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket) {
		bpf_map_delete_elem(&listeners, &address);
		return;
	}
	if (socket->state != TCP_CLOSE && shared.ended) /* it was open when tracking ended */
		return;
	if (socket->state != TCP_CLOSE && has_record(socket))
		emit_missed_close(address, socket, sk);
	emit_awaited_owner(address, socket, sk, NT_OWNER_CLOSE);
	if (!is_reset_to_follow(socket, sk))
		delete_socket(&address, socket);
}

/* Stores the error: the application clears sk_err by reading it, and a blocking connect() clears the addresses too, before
 * the change to CLOSE or, if that is missed, before its end is found. */
static __always_inline void socket_handle_error(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);
	struct tcp_sock *tp;

	if (!socket || socket->state == TCP_CLOSE || socket->error)
		return;
	if (nt_is_attempt(socket, socket->state))
		record_attempt_error(socket, sk);
	if (!sk->sk_err || !is_final_error(socket, sk))
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && !socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING))
		read_tuple(socket, tp);
	socket->error = sk->sk_err;
	socket->error_ns = bpf_ktime_get_boot_ns();
}

/* Runs before tcp_reset() sets the error and closes the connection. */
static __always_inline void socket_handle_reset(__u64 address)
{
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (socket)
		socket->reset_received = 1;
}

static __always_inline void socket_handle_own_reset(struct sock *sk, __u8 reason)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket || !sk)
		return;
	socket->flags |= NT_SOCKET_RESET_SENT;
	socket->reset_reason = reason;
	if (socket->flags & NT_SOCKET_AWAITS_REASON) {
		socket->flags &= ~NT_SOCKET_AWAITS_REASON;
		emit_socket_more(address, socket);
		if (sk->__sk_common.skc_flags & (1 << SOCK_DEAD) && !(socket->flags & NT_SOCKET_AWAITS_OWNER))
			delete_socket(&address, socket); /* it may be destroyed already */
	}
}

static __always_inline void socket_handle_read(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket)
		return;
	record_sockmap(socket, sk);
	record_owner(socket, sk, NT_OWNER_IO);
	emit_awaited_owner(address, socket, sk, NT_OWNER_IO);
}

/* Handles the changes that need members of struct tcp_sock. Only these pay for the helper that makes them readable. */
static __always_inline void socket_handle_tcp_state(__u64 address, struct nt_socket *socket, struct sock *sk,
						    int old_state, int new_state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 now = bpf_ktime_get_boot_ns();

	if (!tp)
		return;
	if (new_state == TCP_ESTABLISHED)
		socket_handle_established(address, socket, tp, now);
	else
		socket_handle_close(address, socket, sk, tp, old_state, now);
}

static __always_inline void socket_handle_state(__u64 address, struct nt_socket *socket, struct sock *sk, int old_state,
						int new_state)
{
	record_sockmap(socket, sk);
	if (new_state == TCP_CLOSE_WAIT && socket->in_sockmap && config.wire_enabled)
		wire_add_socket(socket);
	switch (new_state) {
	case TCP_SYN_RECV:
		socket->flags |= NT_SOCKET_SIMULTANEOUS;
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE:
		if (!is_repeated(socket, new_state))
			socket_handle_tcp_state(address, socket, sk, old_state, new_state);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		nt_socket_changes(socket, new_state, bpf_ktime_get_boot_ns());
		record_closer(socket, sk);
		break;
	case TCP_FIN_WAIT2:
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
		nt_socket_changes(socket, new_state, bpf_ktime_get_boot_ns());
		break;
	}
}

static __always_inline void handle_state_change(struct sock *sk, int old_state, int new_state)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket;

	if (new_state == TCP_TIME_WAIT || shared.ended)
		return;
	/* MPTCP sockets change state here too, but are no struct tcp_sock; their subflows are, with IPPROTO_TCP */
	if (sk->sk_protocol == IPPROTO_MPTCP) {
		record_mptcp_owner(sk, old_state, new_state);
		return;
	}
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (new_state == TCP_SYN_SENT)
		return begin_client(address, sk, bpf_ktime_get_boot_ns());
	if (new_state == TCP_LISTEN) {
		add_listener(sk);
		return;
	}
	if (old_state == TCP_LISTEN) {
		if (new_state == TCP_SYN_RECV)
			begin_server(address, sk, bpf_ktime_get_boot_ns());
		return;
	}
	socket = bpf_map_lookup_elem(&sockets, &address);
	if (socket)
		socket_handle_state(address, socket, sk, old_state, new_state);
	else if (config.wire_enabled && old_state == TCP_SYN_RECV && new_state == TCP_ESTABLISHED)
		wire_add_lost_socket(sk);
}

/* The mark that a program leaves for its stand-by program: the change that it has just handled.
 *
 * The kernel skips a program that is already running on the same CPU, so the state changes made by a softirq that
 * interrupts it are missed. Once that has happened (src/kernel/loader.c), the stand-by program is attached after the
 * first one and handles every change for which the first one left no mark. It is not attached earlier, because two
 * programs on this tracepoint cost a web server 3 % of its connection rate (docs/architecture.md). A softirq that runs
 * between the two overwrites the mark, and one change is handled twice; this has no effect, because the handlers check
 * for it (is_repeated() and others). */
struct change_mark {
	__u64 address;
	__u64 states;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct change_mark);
} change_marks SEC(".maps");

static __always_inline __u64 pack_states(int old_state, int new_state)
{
	return (__u64)old_state << 32 | (__u32)new_state;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state, struct sock *sk, int old_state, int new_state)
{
	struct change_mark *mark;
	__u32 zero = 0;

	handle_state_change(sk, old_state, new_state);
	mark = bpf_map_lookup_elem(&change_marks, &zero);
	if (mark) {
		mark->address = (__u64)sk;
		mark->states = pack_states(old_state, new_state);
	}
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state_standby, struct sock *sk, int old_state, int new_state)
{
	__u32 zero = 0;
	struct change_mark *mark = bpf_map_lookup_elem(&change_marks, &zero);

	if (!mark)
		return 0;
	if (mark->address == (__u64)sk && mark->states == pack_states(old_state, new_state)) {
		mark->address = 0;
		return 0;
	}
	count(NT_COUNT_RECURSION_CAUGHT);
	handle_state_change(sk, old_state, new_state);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroy, struct sock *sk)
{
	socket_handle_destroy(sk);
	return 0;
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(socket_error, struct sock *sk)
{
	socket_handle_error(sk);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(socket_receive, struct sock *sk)
{
	socket_handle_read(sk);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(socket_receive_reset, struct sock *sk)
{
	socket_handle_reset((__u64)sk);
	return 0;
}

enum sk_rst_reason___since_6_10 { SK_RST_REASON_TCP_STATE___since_6_10 = 14 };

SEC("tp_btf/tcp_send_reset")
int BPF_PROG(socket_send_reset, struct sock *sk)
{
	__u8 reason = 0;

	/* The third argument came with the enumeration (b533fb9cf4f7, 6.10). */
	if (bpf_core_enum_value_exists(enum sk_rst_reason___since_6_10, SK_RST_REASON_TCP_STATE___since_6_10))
		reason = ((volatile __u64 *)ctx)[2];
	socket_handle_own_reset(sk, reason);
	return 0;
}

#endif
