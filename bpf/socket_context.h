/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The socket context: one entry a connection of a local TCP socket, from its first state to its change to CLOSE.
 *
 * Everything is read at that change: at tcp_destroy_sock the counts and sk_err of an aborted socket are gone or wrong.
 * The entry stays until the socket is destroyed, since a socket can live several connections and an owner can become
 * known after the end.
 */
#ifndef NETRACKER_BPF_SOCKET_CONTEXT_H
#define NETRACKER_BPF_SOCKET_CONTEXT_H

#include "owner.h"
#include "wire_of_socket.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64); /* address of the struct sock */
	__type(value, struct nt_socket);
} sockets SEC(".maps");

/* Listeners, for the owner of what nobody has read or closed yet, and to tell servers from clients among the
 * connections that were there before. They stay when they are closed, which ends what they have not accepted, until
 * another takes their place. */
struct nt_listener_key {
	__u8 address[16]; /* all zero: any */
	__u32 netns;
	__u16 port;
	__u16 padding;
};

struct nt_listener {
	struct nt_owner owner;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_listener_key);
	__type(value, struct nt_listener);
} listeners SEC(".maps");

/* Owners of MPTCP sockets, by address: their subflows are opened and closed by the kernel's workers. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct nt_owner);
} mptcp_owners SEC(".maps");

static const struct nt_socket empty_socket;

static __always_inline void put_ipv4(__u8 *address, __be32 ipv4)
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
		put_ipv4(socket->local, tp->inet_conn.icsk_inet.inet_saddr);
		put_ipv4(socket->remote, sk->__sk_common.skc_daddr);
	} else {
		bpf_probe_read_kernel(socket->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(socket->remote, 16, &sk->__sk_common.skc_v6_daddr);
	}
	/* skc_num is 0 at CLOSE, inet_sport is not */
	socket->local_port = bpf_ntohs(tp->inet_conn.icsk_inet.inet_sport);
	socket->remote_port = bpf_ntohs(sk->__sk_common.skc_dport);
	if (!socket->cookie)
		socket->cookie = read_cookie(sk);
}

/* The error that ended it, also where the application took it away before the end was noticed. */
static __always_inline int error_of(struct sock *sk, const struct nt_socket *socket)
{
	return socket->missed_end && socket->error ? socket->error : sk->sk_err;
}

/* What the application wrote: acknowledged, or not yet. Less SYN and FIN, which take sequence numbers too; a child's SYN
 * is acknowledged before it is born. */
static __always_inline __u64 bytes_written(struct tcp_sock *tp, const struct nt_socket *socket)
{
	__u64 written = tp->bytes_acked + (__u32)(tp->write_seq - tp->snd_una);
	__u64 flags = (socket->role == NT_ROLE_CLIENT) + !!(socket->flags & NT_SOCKET_LOCAL_FIN);

	return written > flags ? written - flags : 0;
}

static __always_inline __u64 bytes_transmitted(struct tcp_sock *tp, const struct nt_socket *socket)
{
	__u64 transmitted = tp->bytes_sent - tp->bytes_retrans, written;

	/* What a device refuses is new data again at the next try, and counted again: the case of a peer out of reach. */
	if (!is_out_of_reach(error_of(&tp->inet_conn.icsk_inet.sk, socket)))
		return transmitted;
	written = bytes_written(tp, socket);
	return transmitted < written ? transmitted : written;
}

/* Of one that was there before, how long it was idle is not known. It is told as if it had been busy but for now: true
 * while it is sending, and where it has been idle since for longer than it ever sent. Else nothing is told. */
static __always_inline __u32 least_lifetime(struct tcp_sock *tp, __u32 jiffies, __u32 sending)
{
	__u32 idle = jiffies - tp->lsndtime;

	if (BPF_CORE_READ_BITFIELD(tp, chrono_type))
		return sending;
	return idle > sending ? sending + idle : 0;
}

static __always_inline void read_counts(struct nt_socket_counts *counts, struct tcp_sock *tp,
					const struct nt_socket *socket)
{
	__u32 jiffies = bpf_jiffies64();
	__u32 busy = tp->chrono_stat[0], receiver = tp->chrono_stat[1], sndbuf = tp->chrono_stat[2];
	__u32 running = jiffies - tp->chrono_start;

	/* enum tcp_chrono: the one that is running is not in its sum yet */
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
	counts->lifetime_jiffies = socket->established_ns ? jiffies - socket->established_jiffies
							  : least_lifetime(tp, jiffies, busy + receiver + sndbuf);
	counts->bytes_sent = bytes_transmitted(tp, socket);
	counts->bytes_received = tp->bytes_received;
	if (socket->flags & NT_SOCKET_REMOTE_FIN && counts->bytes_received)
		counts->bytes_received--; /* the kernel counts the peer's FIN */
	counts->segments_out = tp->segs_out;
	counts->segments_in = tp->segs_in;
	counts->retransmits = tp->total_retrans;
	counts->srtt_us = tp->srtt_us >> 3;
	counts->min_rtt_us = tp->rtt_min.s[0].v;
	counts->error = error_of(&tp->inet_conn.icsk_inet.sk, socket);
	/* disconnected since: its counts are gone */
	counts->valid = !(socket->missed_end && !tp->segs_out);
}

/* Whether the process that is running is at work on this socket. A softirq takes a socket only where no process has
 * it; so the lock's owner flag tells them apart, also for an accepted socket (inet_csk_listen_stop() ends those that
 * nobody accepted without it). */
static __always_inline bool in_process(struct sock *sk)
{
	return sk->sk_lock.owned;
}

/* The last to read or close a server's connection is its owner; a client's is who connected. */
static __always_inline void record_owner(struct nt_socket *socket, struct sock *sk, __u8 by)
{
	if (socket->role == NT_ROLE_CLIENT && socket->owner.process.pid && socket->owner.by == NT_OWNER_CONNECT)
		return;
	if (!in_process(sk))
		return;
	if (socket->owner.process.pid == bpf_get_current_pid_tgid() >> 32 && socket->owner.by <= NT_OWNER_ACCEPT)
		return;
	owner_from_current(&socket->owner, by);
}

static __always_inline bool owner_is_known(const struct nt_socket *socket)
{
	return socket->owner.process.pid && socket->owner.by != NT_OWNER_LISTEN;
}

static __always_inline void record_mptcp_owner(struct nt_socket *socket, struct sock *sk)
{
	struct mptcp_subflow_context *subflow;
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	struct nt_owner *owner;
	__u64 connection;

	if (!tp || !bpf_core_field_exists(tp->is_mptcp) || !tp->is_mptcp)
		return;
	subflow = tp->inet_conn.icsk_ulp_data;
	connection = (__u64)BPF_CORE_READ(subflow, conn);
	owner = bpf_map_lookup_elem(&mptcp_owners, &connection);
	if (owner)
		socket->owner = *owner;
}

static __always_inline void mptcp_socket_changed(struct sock *sk, int new_state)
{
	struct nt_owner owner = {};
	__u64 address = (__u64)sk;

	if (new_state != TCP_SYN_SENT && new_state != TCP_FIN_WAIT1 && new_state != TCP_LAST_ACK &&
	    new_state != TCP_CLOSE)
		return;
	if (in_process(sk) && owner_from_current(&owner, new_state == TCP_SYN_SENT ? NT_OWNER_CONNECT : NT_OWNER_CLOSE))
		check_details(bpf_map_update_elem(&mptcp_owners, &address, &owner, BPF_ANY));
}

static __always_inline void listener_key(struct nt_listener_key *key, struct sock *sk, __u16 port)
{
	__builtin_memset(key, 0, sizeof(*key));
	key->netns = sk->__sk_common.skc_net.net->ns.inum;
	key->port = port;
	if (sk->__sk_common.skc_family == AF_INET6)
		bpf_probe_read_kernel(key->address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	else if (sk->__sk_common.skc_rcv_saddr)
		put_ipv4(key->address, sk->__sk_common.skc_rcv_saddr);
}

static __always_inline void listener_begins(struct sock *sk)
{
	struct nt_listener listener = {};
	struct nt_listener_key key;

	listener_key(&key, sk, sk->__sk_common.skc_num);
	owner_from_current(&listener.owner, NT_OWNER_LISTEN);
	check_details(bpf_map_update_elem(&listeners, &key, &listener, BPF_ANY));
}

static __always_inline struct nt_listener *listener_find(const struct nt_socket *socket)
{
	struct nt_listener_key key = {.netns = socket->netns, .port = socket->local_port};
	struct nt_listener *listener;

	__builtin_memcpy(key.address, socket->local, 16);
	listener = bpf_map_lookup_elem(&listeners, &key);
	if (listener)
		return listener;
	__builtin_memset(key.address, 0, 16);
	return bpf_map_lookup_elem(&listeners, &key);
}

/* A function of its own: the verifier would go through it in place of each call too often. */
static __noinline int is_filtered(const struct nt_socket *socket, __u32 type)
{
	bool awaits_owner = type == NT_EVENT_TYPE_SOCKET_CLOSE && socket->flags & NT_SOCKET_AWAITS_OWNER;

	return !nt_filter_has_socket(filter(), socket, awaits_owner);
}

/* Of a socket's end that nobody asked for; nothing that comes after it is told either. Not inlined, for the caller's
 * stack. */
static __noinline int leave_untold(struct nt_socket *socket, int error, __u8 old_state)
{
	struct wire_found found = {};
	struct nt_key key;
	int end;

	count(NT_COUNT_SOCKETS_FILTERED);
	socket->flags &= ~(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON);
	if (!config.wire_enabled)
		return 0;
	end = wire_of_socket(&found, socket);
	if (!found.wire)
		return 0;
	nt_key_of_socket(&key, socket, config.own_netns);
	return wire_loses_socket(&found, &key, end, old_state, error);
}

/* Tells of a socket, with what the wire knows of its connection where that is not told yet. tp: NULL where the socket
 * itself is gone. */
static __always_inline void emit_socket(__u32 type, __u64 address, struct nt_socket *socket, struct tcp_sock *tp,
					__u8 old_state, __u64 now)
{
	struct nt_socket_event *event;
	struct wire_found found = {};
	__u32 status = NT_WIRE_ABSENT;
	int end = 0;

	if (config.filters && is_filtered(socket, type)) {
		if (type == NT_EVENT_TYPE_SOCKET_CLOSE)
			leave_untold(socket, tp ? error_of(&tp->inet_conn.icsk_inet.sk, socket) : socket->error,
				     old_state);
		return;
	}
	if (config.wire_enabled && type == NT_EVENT_TYPE_SOCKET_CLOSE && wire_has_ended(socket))
		status = NT_WIRE_NOT_ASKED;
	else if (config.wire_enabled)
		end = wire_of_socket(&found, socket);
	if (found.wire)
		event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	else
		event = bpf_ringbuf_reserve(&events, NT_SOCKET_EVENT_SHORT, 0);
	if (!event) {
		count_ring_failure(NT_COUNT_SOCKET_RING_FAILED);
		return;
	}
	__builtin_memset(event, 0, NT_SOCKET_EVENT_SHORT);
	event->header.type = type;
	event->header.now = now;
	event->address = address;
	event->socket = *socket;
	event->wire_status = status;
	event->counts.old_state = old_state;
	if (tp)
		read_counts(&event->counts, tp, socket);
	else
		event->counts.error = socket->error;
	/* An ICMP error that came while connect() was at work: the reason why the application gave up. */
	if (tp && old_state == TCP_SYN_SENT && !event->counts.error)
		event->counts.error = tp->inet_conn.icsk_inet.sk.sk_err_soft;
	if (found.wire)
		emit_wire_of_socket(event, &found, end);
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

static __always_inline void record_listener(struct nt_socket *socket)
{
	struct nt_listener *listener;

	if (socket->owner.process.pid || socket->role != NT_ROLE_SERVER)
		return;
	listener = listener_find(socket);
	if (!listener)
		return;
	socket->owner = listener->owner;
	socket->owner.by = NT_OWNER_LISTEN;
}

/* The change to this state was done before: no socket comes to it twice in a row. */
static __always_inline bool is_repeated(const struct nt_socket *socket, __u8 state)
{
	return socket->state == state;
}

/* FIN_WAIT2 is not noted, and the way that a softirq ends what had come to FIN_WAIT1. */
static __always_inline __u8 state_before_missed_close(const struct nt_socket *socket)
{
	return socket->state == TCP_FIN_WAIT1 && !socket->error ? TCP_FIN_WAIT2 : socket->state;
}

/* A server's child is a view once it is established. */
static __always_inline bool is_a_view(const struct nt_socket *socket)
{
	return socket->role == NT_ROLE_CLIENT || socket->established_ns || socket->flags & NT_SOCKET_PREEXISTING;
}

static __always_inline void count_replaced(const struct nt_socket *before)
{
	__u32 state = before->state;

	count(NT_COUNT_SOCKETS_REPLACED + (state < NT_TCP_STATES ? state : 0));
	shared.replaced_role = before->role;
	shared.replaced_state = state;
	shared.replaced_flags = before->flags;
}

/* Another connection begins at the address of one whose change to CLOSE and whose destruction were both missed. It is
 * reported by what was seen of it: its counts are gone, and the time of its end is known of an error only. Returns whether
 * there is something to report. Not inlined, as are the two functions after it, for the stack of their callers: before
 * Linux 6.13 (a76ab5731e32) the stacks of nested calls may add up to 512 bytes. */
static __noinline int close_replaced(struct nt_socket *before)
{
	__u64 end = before->error ? before->error_ns : bpf_ktime_get_boot_ns();

	if (before->state == TCP_CLOSE || !is_a_view(before))
		return 0;
	count_replaced(before);
	if (!before->remote_port) { /* read when it is established, or in error */
		count(NT_COUNT_SOCKETS_EVICTED);
		return 0;
	}
	before->missed_end = before->error ? NT_END_MISSED : NT_END_MISSED_UNTIMED;
	nt_socket_changes(before, TCP_CLOSE, end);
	before->flags &= ~(NT_SOCKET_AWAITS_OWNER | NT_SOCKET_AWAITS_REASON);
	record_listener(before);
	return 1;
}

/* User space looks up its packets: see NT_WIRE_NOT_ASKED. */
static __noinline int emit_replaced(__u64 address, const struct nt_socket *before, __u8 old_state)
{
	struct nt_socket_event *event = bpf_ringbuf_reserve(&events, NT_SOCKET_EVENT_SHORT, 0);

	if (!event) {
		count_ring_failure(NT_COUNT_SOCKET_RING_FAILED);
		return 0;
	}
	__builtin_memset(event, 0, NT_SOCKET_EVENT_SHORT);
	event->header.type = NT_EVENT_TYPE_SOCKET_CLOSE;
	event->header.now = before->close_ns;
	event->address = address;
	event->socket = *before;
	event->wire_status = config.wire_enabled ? NT_WIRE_NOT_ASKED : NT_WIRE_ABSENT;
	event->counts.old_state = old_state;
	event->counts.error = before->error;
	bpf_ringbuf_submit(event, ring_flags());
	return 0;
}

static __always_inline void socket_replaced(__u64 address, struct nt_socket *before)
{
	__u8 old_state = state_before_missed_close(before);

	if (!close_replaced(before))
		return;
	if (config.filters && is_filtered(before, NT_EVENT_TYPE_SOCKET_CLOSE))
		leave_untold(before, before->error, old_state);
	else
		emit_replaced(address, before, old_state);
}

/* Something is there already: an earlier connection of the same descriptor, or of one whose end was missed. False: it is
 * this very connection. */
static __always_inline bool client_reconnects(__u64 address, struct nt_socket *socket)
{
	struct nt_socket *before = bpf_map_lookup_elem(&sockets, &address);

	if (!before)
		return true;
	if (is_repeated(before, TCP_SYN_SENT) && before->cookie == socket->cookie)
		return false;
	socket_replaced(address, before);
	if (before->cookie == socket->cookie)
		socket->nth = before->nth + 1;
	return true;
}

static __always_inline void client_begins(__u64 address, struct sock *sk, __u64 now)
{
	struct nt_socket socket = {.role = NT_ROLE_CLIENT, .state = TCP_SYN_SENT, .start_ns = now};
	int error;

	socket.cookie = read_cookie(sk);
	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	if (!owner_from_current(&socket.owner, NT_OWNER_CONNECT))
		record_mptcp_owner(&socket, sk);
	error = bpf_map_update_elem(&sockets, &address, &socket, BPF_NOEXIST);
	if (error == -EEXIST && client_reconnects(address, &socket))
		error = bpf_map_update_elem(&sockets, &address, &socket, BPF_ANY);
	else if (error == -EEXIST)
		return;
	if (error)
		count_failure(NT_COUNT_SOCKETS_FAILED, error);
	else
		count(NT_COUNT_SOCKETS_OPENED);
}

/* The kernel gives the child its addresses, and an older one its cookie, only after this change: they are read when it
 * is established. */
static __always_inline void server_begins(__u64 address, struct sock *sk, __u64 now)
{
	struct nt_socket socket = {.role = NT_ROLE_SERVER, .state = TCP_SYN_RECV, .start_ns = now}, *before;
	int error;

	socket.netns = sk->__sk_common.skc_net.net->ns.inum;
	error = bpf_map_update_elem(&sockets, &address, &socket, BPF_NOEXIST);
	if (!error)
		return;
	before = bpf_map_lookup_elem(&sockets, &address);
	if (!before) {
		count_failure(NT_COUNT_SOCKETS_FAILED, error);
		return;
	}
	if (is_repeated(before, TCP_SYN_RECV))
		return;
	socket_replaced(address, before);
	*before = socket;
}

static __always_inline void socket_established(__u64 address, struct nt_socket *socket, struct tcp_sock *tp, __u64 now)
{
	read_tuple(socket, tp);
	nt_socket_changes(socket, TCP_ESTABLISHED, now);
	socket->established_jiffies = bpf_jiffies64();
	/* a RST in SYN_SENT was for an older connection of the peer (RFC 9293 figure 9) */
	socket->flags &= ~NT_SOCKET_RESET_SENT;
	socket->reset_reason = 0;
	if (socket->role == NT_ROLE_SERVER)
		count(NT_COUNT_SOCKETS_OPENED);
	if (!config.open_events)
		return;
	record_listener(socket);
	emit_socket(NT_EVENT_TYPE_SOCKET_OPEN, address, socket, tp, TCP_SYN_SENT, now);
}

static __always_inline void record_closer(struct nt_socket *socket, struct sock *sk)
{
	record_owner(socket, sk, NT_OWNER_CLOSE);
	if (!owner_is_known(socket))
		record_mptcp_owner(socket, sk);
}

/* A process ended it in one step: no FIN completed the close, and no RST or error came (those set sk_err first). From
 * FIN_WAIT2 a socket also leaves in order: orphaned, or when the peer's FIN came. */
static __always_inline bool is_local_abort(struct sock *sk, __u8 old_state, int error)
{
	unsigned long flags = sk->__sk_common.skc_flags;

	switch (old_state) {
	case TCP_SYN_SENT:
	case TCP_LAST_ACK:
	case TCP_CLOSING:
		return false;
	case TCP_FIN_WAIT2:
		return !error && !(flags & (1 << SOCK_DEAD | 1 << SOCK_DONE));
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

/* A client that could not get its port or route sent no SYN (connect() sets SYN_SENT first); a child that its listener
 * could not keep was nobody's connection, but for one of TCP Fast Open, which serves before it is established. */
static __always_inline bool never_was(const struct nt_socket *socket, struct tcp_sock *tp, __u8 old_state)
{
	if (old_state == TCP_SYN_SENT)
		return !tp->segs_out;
	return old_state == TCP_SYN_RECV && socket->role == NT_ROLE_SERVER && !tp->fastopen_rsk;
}

static __always_inline void take_back(__u64 address, struct nt_socket *socket)
{
	if (socket->role == NT_ROLE_SERVER) {
		bpf_map_delete_elem(&sockets, &address);
		return;
	}
	count(NT_COUNT_SOCKETS_NOT_BEGUN);
	socket->state = TCP_CLOSE;
	socket->nth--;
}

static __always_inline void socket_closes(__u64 address, struct nt_socket *socket, struct sock *sk, struct tcp_sock *tp,
					  __u8 old_state, __u64 now)
{
	int error = error_of(sk, socket);

	/* connect() that waits disconnects a socket in error: then its counts are gone before a missed end is noticed */
	if (!(socket->missed_end && socket->error) && never_was(socket, tp, old_state))
		return take_back(address, socket);
	if (socket->role == NT_ROLE_SERVER && !socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING))
		count(NT_COUNT_SOCKETS_OPENED);
	if (!socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING) && !socket->error)
		read_tuple(socket, tp);
	nt_socket_changes(socket, TCP_CLOSE, now);
	if (sk->__sk_common.skc_flags & (1 << SOCK_DONE) && !(socket->flags & NT_SOCKET_REMOTE_FIN))
		nt_socket_receives_fin(socket, bpf_ktime_get_boot_ns());
	if (!socket->missed_end && is_local_abort(sk, old_state, error)) {
		record_owner(socket, sk, NT_OWNER_CLOSE);
		socket->flags |= NT_SOCKET_AWAITS_REASON;
	} else if (error == ECONNRESET && is_unreadable(sk, old_state)) {
		/* RFC 9293 3.10.7.4: tcp_reset() sets the same error for data that nobody can read as for a RST received */
		socket->flags |= NT_SOCKET_AWAITS_REASON;
	}
	if (!socket->first_fin_ns && old_state != TCP_SYN_SENT)
		socket->first_fin_ns = now;
	if (!owner_is_known(socket))
		record_mptcp_owner(socket, sk);
	record_listener(socket);
	if (socket->role == NT_ROLE_SERVER && !owner_is_known(socket))
		socket->flags |= NT_SOCKET_AWAITS_OWNER;
	emit_socket(NT_EVENT_TYPE_SOCKET_CLOSE, address, socket, tp, old_state, now);
}

/* Who reads or closes it after its end. */
static __always_inline void emit_awaited_owner(__u64 address, struct nt_socket *socket, struct sock *sk, __u8 by)
{
	if (!(socket->flags & NT_SOCKET_AWAITS_OWNER))
		return;
	socket->flags &= ~NT_SOCKET_AWAITS_OWNER;
	record_owner(socket, sk, by);
	emit_socket_more(address, socket);
}

/* The change to CLOSE was missed. Where no descriptor is left, a softirq makes it in one go with the destruction; else
 * the time of the error that ended it is known, or none. */
static __always_inline void emit_missed_close(__u64 address, struct nt_socket *socket, struct sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 end = bpf_ktime_get_boot_ns();

	if (!tp)
		return;
	socket->missed_end = in_process(sk) && !socket->error ? NT_END_MISSED_UNTIMED : NT_END_MISSED;
	if (socket->error)
		end = socket->error_ns;
	socket_closes(address, socket, sk, tp, state_before_missed_close(socket), end);
}

static __always_inline void socket_destroyed(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket)
		return;
	if (socket->state != TCP_CLOSE && shared.ended) /* it was open then */
		return;
	if (socket->state != TCP_CLOSE && is_a_view(socket))
		emit_missed_close(address, socket, sk);
	emit_awaited_owner(address, socket, sk, NT_OWNER_CLOSE);
	bpf_map_delete_elem(&sockets, &address);
}

/* Of use where the change to CLOSE that goes with it is missed: the application takes the error away when it asks, and
 * connect() that waits the addresses too. */
static __always_inline void socket_reports_error(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);
	struct tcp_sock *tp;

	if (!socket || socket->state == TCP_CLOSE || socket->error || !sk->sk_err)
		return;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp && !socket->established_ns && !(socket->flags & NT_SOCKET_PREEXISTING))
		read_tuple(socket, tp);
	socket->error = sk->sk_err;
	socket->error_ns = bpf_ktime_get_boot_ns();
}

/* Before tcp_reset() sets the error and ends the connection. */
static __always_inline void socket_receives_reset(__u64 address)
{
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (socket)
		socket->reset_received = 1;
}

static __always_inline void socket_sends_reset(__u64 address, __u8 reason)
{
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket)
		return;
	socket->flags |= NT_SOCKET_RESET_SENT;
	socket->reset_reason = reason;
	if (socket->flags & NT_SOCKET_AWAITS_REASON) {
		socket->flags &= ~NT_SOCKET_AWAITS_REASON;
		emit_socket_more(address, socket);
	}
}

static __always_inline void socket_read(struct sock *sk)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket = bpf_map_lookup_elem(&sockets, &address);

	if (!socket)
		return;
	record_owner(socket, sk, NT_OWNER_IO);
	emit_awaited_owner(address, socket, sk, NT_OWNER_IO);
}

/* What needs the socket's own counts, and the helper call that makes them readable. */
static __always_inline void tcp_changes_state(__u64 address, struct nt_socket *socket, struct sock *sk, int old_state,
					      int new_state)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	__u64 now = bpf_ktime_get_boot_ns();

	if (!tp)
		return;
	if (new_state == TCP_ESTABLISHED)
		socket_established(address, socket, tp, now);
	else
		socket_closes(address, socket, sk, tp, old_state, now);
}

static __always_inline void socket_changes_state(__u64 address, struct nt_socket *socket, struct sock *sk, int old_state,
						 int new_state)
{
	switch (new_state) {
	case TCP_SYN_RECV:
		socket->flags |= NT_SOCKET_SIMULTANEOUS;
		break;
	case TCP_ESTABLISHED:
	case TCP_CLOSE:
		if (!is_repeated(socket, new_state))
			tcp_changes_state(address, socket, sk, old_state, new_state);
		break;
	case TCP_FIN_WAIT1:
	case TCP_LAST_ACK:
		nt_socket_changes(socket, new_state, bpf_ktime_get_boot_ns());
		record_closer(socket, sk);
		break;
	case TCP_CLOSE_WAIT:
	case TCP_CLOSING:
		nt_socket_changes(socket, new_state, bpf_ktime_get_boot_ns());
		break;
	}
}

static __always_inline void state_changed(struct sock *sk, int old_state, int new_state)
{
	__u64 address = (__u64)sk;
	struct nt_socket *socket;

	if (new_state == TCP_FIN_WAIT2 || new_state == TCP_TIME_WAIT || shared.ended)
		return;
	/* MPTCP's own sockets come here too, and are no struct tcp_sock (IPPROTO_MPTCP is not 6) */
	if (sk->sk_protocol == IPPROTO_MPTCP)
		return mptcp_socket_changed(sk, new_state);
	if (sk->sk_protocol != IPPROTO_TCP)
		return;
	if (new_state == TCP_SYN_SENT)
		return client_begins(address, sk, bpf_ktime_get_boot_ns());
	if (new_state == TCP_LISTEN)
		return listener_begins(sk);
	if (old_state == TCP_LISTEN) {
		if (new_state == TCP_SYN_RECV)
			server_begins(address, sk, bpf_ktime_get_boot_ns());
		return;
	}
	socket = bpf_map_lookup_elem(&sockets, &address);
	if (socket)
		socket_changes_state(address, socket, sk, old_state, new_state);
}

/* The kernel does not run a program that is running on the same CPU already: a softirq that comes in between loses us
 * every change of state it makes. Where that has happened (src/kernel/loader.c), a second copy, attached after the first, does
 * from then on what the first left undone: each change that the first one did not leave its mark for. Not before, since
 * two programs on this tracepoint cost a web server 3 % of its connection rate (docs/architecture.md). Where a softirq
 * comes between the two, it takes the mark away and a change is done twice, which changes nothing (is_repeated() and the
 * like see to that). */
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

static __always_inline __u64 states_of(int old_state, int new_state)
{
	return (__u64)old_state << 32 | (__u32)new_state;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state, struct sock *sk, int old_state, int new_state)
{
	struct change_mark *mark;
	__u32 zero = 0;

	state_changed(sk, old_state, new_state);
	mark = bpf_map_lookup_elem(&change_marks, &zero);
	if (mark) {
		mark->address = (__u64)sk;
		mark->states = states_of(old_state, new_state);
	}
	return 0;
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(socket_set_state_again, struct sock *sk, int old_state, int new_state)
{
	__u32 zero = 0;
	struct change_mark *mark = bpf_map_lookup_elem(&change_marks, &zero);

	if (!mark)
		return 0;
	if (mark->address == (__u64)sk && mark->states == states_of(old_state, new_state)) {
		mark->address = 0;
		return 0;
	}
	count(NT_COUNT_RECURSION_CAUGHT);
	state_changed(sk, old_state, new_state);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(socket_destroy, struct sock *sk)
{
	socket_destroyed(sk);
	return 0;
}

SEC("tp_btf/inet_sk_error_report")
int BPF_PROG(socket_error, struct sock *sk)
{
	socket_reports_error(sk);
	return 0;
}

SEC("tp_btf/tcp_rcv_space_adjust")
int BPF_PROG(socket_receive, struct sock *sk)
{
	socket_read(sk);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(socket_receive_reset, struct sock *sk)
{
	socket_receives_reset((__u64)sk);
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
	socket_sends_reset((__u64)sk, reason);
	return 0;
}

#endif
