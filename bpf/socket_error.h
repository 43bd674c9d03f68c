/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error that ended a connection. sk_err alone does not show it: the application may have taken it by SO_ERROR, and
 * with IP_RECVERR an ICMP error stays in sk_err although the connection goes on. */
#ifndef NETRACKER_BPF_SOCKET_ERROR_H
#define NETRACKER_BPF_SOCKET_ERROR_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "kernel_types.h"

#include "../core/socket.h"

/* Returns the error of the last ICMP message in the error queue, 0 if there is none. tcp_v4_err() queues the messages
 * that come during connect(), also without IP_RECVERR (45af29ca761c, 5.8). tcp_v6_err() does so with IPV6_RECVERR. */
static __always_inline __u16 read_queued_icmp_error(struct sock *sk)
{
	struct sock_exterr_skb *last;
	__u8 origin;

	if (!BPF_CORE_READ(sk, sk_error_queue.qlen))
		return 0;
	last = (struct sock_exterr_skb *)&BPF_CORE_READ(sk, sk_error_queue.prev)->cb;
	origin = BPF_CORE_READ(last, ee.ee_origin);
	if (origin != SO_EE_ORIGIN_ICMP && origin != SO_EE_ORIGIN_ICMP6)
		return 0;
	return BPF_CORE_READ(last, ee.ee_errno);
}

static __always_inline void record_attempt_error(struct nt_socket *socket, struct sock *sk)
{
	__u16 error = read_queued_icmp_error(sk);

	if (error)
		socket->attempt_error = error;
}

/* Returns the error of an attempt: ICMP errors that come while a process uses the socket go to sk_err_soft only, and
 * getsockopt(SO_ERROR) clears it and sk_err. */
static __always_inline int find_attempt_error(struct nt_socket *socket, struct sock *sk)
{
	if (sk->sk_err)
		return sk->sk_err;
	if (socket->error)
		return socket->error;
	if (sk->sk_err_soft)
		return sk->sk_err_soft;
	record_attempt_error(socket, sk);
	return socket->attempt_error;
}

/* Returns whether close() is closing the socket: it shuts both directions down first, and orphans the socket later. */
static __always_inline bool is_in_close(struct sock *sk)
{
	return sk->sk_lock.owned && (sk->sk_shutdown & SHUTDOWN_MASK) == SHUTDOWN_MASK &&
	       !(sk->__sk_common.skc_flags & (1 << SOCK_DEAD));
}

/* Returns whether sk_err is an ICMP error that did not end the connection. One that did comes from a timer, after
 * retransmissions or probes without an answer (tcp_write_err()). */
static __always_inline bool is_leftover_error(struct tcp_sock *tp)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (!nt_is_icmp_error(sk->sk_err))
		return false;
	return is_in_close(sk) || (!tp->inet_conn.icsk_retransmits && !tp->inet_conn.icsk_probes_out);
}

/* Returns the error that ended the connection, 0 if none did. After a missed end the stored one counts: the application
 * may have taken sk_err since. Not inlined, to save the caller's stack. */
static __noinline int find_end_error(struct nt_socket *socket, struct tcp_sock *tp, __u8 old_state)
{
	struct sock *sk = &tp->inet_conn.icsk_inet.sk;

	if (socket->missed_end && socket->error)
		return socket->error;
	if (nt_is_attempt(socket, old_state))
		return find_attempt_error(socket, sk);
	return is_leftover_error(tp) ? 0 : sk->sk_err;
}

/* Returns whether sk_err, which is reported to the application now, ends the connection. Before 6.10 the report precedes
 * the change to CLOSE. */
static __always_inline bool is_final_error(const struct nt_socket *socket, struct sock *sk)
{
	return sk->__sk_common.skc_state == TCP_CLOSE || nt_is_attempt(socket, sk->__sk_common.skc_state) ||
	       !nt_is_icmp_error(sk->sk_err);
}

#endif
