/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection as seen by its local socket: follows the changes of the socket's state, with time as a parameter. */
#ifndef NETRACKER_CORE_SOCKET_H
#define NETRACKER_CORE_SOCKET_H

#include "record.h"

/* The kernel's numbers (include/net/tcp_states.h) of the states that are used here. */
enum nt_tcp_state {
	NT_TCP_ESTABLISHED = 1,
	NT_TCP_SYN_SENT = 2,
	NT_TCP_SYN_RECV = 3,
	NT_TCP_FIN_WAIT1 = 4,
	NT_TCP_FIN_WAIT2 = 5,
	NT_TCP_CLOSE = 7,
	NT_TCP_CLOSE_WAIT = 8,
	NT_TCP_LAST_ACK = 9,
	NT_TCP_CLOSING = 11,
};

/* Identifies a process. start_ns distinguishes processes that had the same pid, exec_id the programs that one process
 * executed: it is the kernel's count of execve(2) (task_struct.self_exec_id). */
struct nt_process_id {
	__u64 start_ns;
	__u64 cgroup_id; /* changes when the process moves to another cgroup, so that it is described again */
	__u32 pid;       /* thread group id in the initial pid namespace */
	__u32 exec_id;
};

struct nt_owner {
	struct nt_process_id process; /* pid 0: the owner is unknown */
	char comm[NT_COMM_SIZE];      /* the thread group leader's, when the owner became known */
	__u32 uid;
	__u8 by; /* enum nt_owner_by */
	__u8 padding[3];
};

/* Bits of struct nt_socket.flags */
enum nt_socket_flag {
	NT_SOCKET_PREEXISTING = 1,     /* open before the tracker started */
	NT_SOCKET_LOCAL_FIN = 2,       /* sent a FIN */
	NT_SOCKET_REMOTE_FIN = 4,      /* received a FIN */
	NT_SOCKET_REMOTE_FIRST = 8,    /* the first FIN was the peer's */
	NT_SOCKET_SIMULTANEOUS = 16,   /* both sides were in SYN_SENT (RFC 9293 3.5) */
	NT_SOCKET_RESET_SENT = 32,     /* sent a RST */
	NT_SOCKET_AWAITS_OWNER = 64,   /* no process has read from it or closed it yet */
	NT_SOCKET_AWAITS_REASON = 128, /* the kernel is about to send a RST, whose reason follows */
};

/* The kernel may skip our program at the change to CLOSE. The values of the end were then read later. */
enum nt_missed_end {
	NT_END_SEEN,
	NT_END_MISSED,         /* close_ns is nevertheless the time of the end */
	NT_END_MISSED_UNTIMED, /* close_ns is the time when the missed end was detected */
};

/* With TCP_REPAIR a process takes a connection out of one socket and puts it into another. */
enum nt_repair {
	NT_REPAIR_NONE,
	NT_REPAIR_RESTORED, /* put into this socket: it began before, and connect() does not show who opened it */
	NT_REPAIR_DUMPED,   /* taken out of this socket, which was then closed in silence */
};

/* A connection of a local socket: the value of the kernel's table, and the front part of its events. */
struct nt_socket {
	__u64 cookie; /* 0 if the kernel assigned none */
	__u64 start_ns, established_ns, first_fin_ns, close_ns;
	__u64 state_ns; /* the change to `state`; 0: it was not seen */
	__u8 local[16], remote[16];
	__u16 local_port, remote_port;
	__u32 netns;
	struct nt_owner owner;
	__u32 established_jiffies;
	__u32 nth;           /* the number of earlier connections of this socket */
	__u8 role;           /* enum nt_role */
	__u8 state;          /* the kernel's TCP state number */
	__u8 flags;          /* enum nt_socket_flag */
	__u8 reset_reason;   /* enum sk_rst_reason; 0: unknown */
	__u8 error;          /* sk_err when it was reported to the application, if it ends the connection */
	__u8 attempt_error;  /* the last ICMP error before the connection was established, as an errno */
	__u8 missed_end : 4; /* enum nt_missed_end */
	__u8 repair : 4;     /* enum nt_repair */
	__u8 reset_received; /* the kernel handled a packet as a RST (tcp_reset()) */
	__u64 error_ns;      /* the time of `error` */
	__u64 listener;      /* the address of the struct sock that accepted it; 0: unknown, or a client */
	__u8 in_sockmap;     /* a BPF program may move its bytes past TCP */
	__u8 padding;
	__u16 share;         /* its user's, in the table: core/share.h */
	__u32 scope_ifindex; /* the interface of a link-local remote address (RFC 4007); 0: none */
};

/* The errors that the kernel derives from ICMP (icmp_err_convert[] and icmpv6_err_convert()) and from a neighbour that
 * does not answer, with the numbers of asm-generic/errno.h. */
enum nt_icmp_errno {
	NT_EACCES = 13,
	NT_ENONET = 64,
	NT_EPROTO = 71,
	NT_ENOPROTOOPT = 92,
	NT_EOPNOTSUPP = 95,
	NT_ENETUNREACH = 101,
	NT_ECONNREFUSED = 111, /* a RST causes it, too */
	NT_EHOSTDOWN = 112,
	NT_EHOSTUNREACH = 113,
};

NT_INLINE int nt_is_icmp_error(int error)
{
	switch (error) {
	case NT_EACCES:
	case NT_ENONET:
	case NT_EPROTO:
	case NT_ENOPROTOOPT:
	case NT_EOPNOTSUPP:
	case NT_ENETUNREACH:
	case NT_ECONNREFUSED:
	case NT_EHOSTDOWN:
	case NT_EHOSTUNREACH:
		return 1;
	default:
		return 0;
	}
}

/* Returns whether a socket in this state has sent a SYN and awaits the end of the handshake; in a simultaneous open
 * (RFC 9293 3.5) it comes to SYN_RECV. */
NT_INLINE int nt_is_attempt(const struct nt_socket *socket, __u8 state)
{
	return state == NT_TCP_SYN_SENT || (state == NT_TCP_SYN_RECV && socket->role == NT_ROLE_CLIENT);
}

NT_INLINE enum nt_side nt_socket_own_side(const struct nt_socket *socket)
{
	return socket->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;
}

NT_INLINE void nt_socket_sends_fin(struct nt_socket *socket, __u64 now)
{
	socket->flags |= NT_SOCKET_LOCAL_FIN;
	if (!socket->first_fin_ns)
		socket->first_fin_ns = now;
}

NT_INLINE void nt_socket_receives_fin(struct nt_socket *socket, __u64 now)
{
	socket->flags |= NT_SOCKET_REMOTE_FIN;
	if (!(socket->flags & NT_SOCKET_LOCAL_FIN))
		socket->flags |= NT_SOCKET_REMOTE_FIRST;
	if (!socket->first_fin_ns)
		socket->first_fin_ns = now;
}

/* Records a change of state: its time, and the FINs that the state implies.
 * LAST_ACK and CLOSING imply both FINs: the change that showed the first one may have been missed.
 */
NT_INLINE void nt_socket_changes(struct nt_socket *socket, __u8 state, __u64 now)
{
	socket->state = state;
	socket->state_ns = now;
	if (state == NT_TCP_ESTABLISHED)
		socket->established_ns = now;
	if (state == NT_TCP_CLOSE)
		socket->close_ns = now;
	if (state == NT_TCP_CLOSE_WAIT || state == NT_TCP_LAST_ACK)
		nt_socket_receives_fin(socket, now);
	if (state == NT_TCP_FIN_WAIT1 || state == NT_TCP_LAST_ACK || state == NT_TCP_CLOSING)
		nt_socket_sends_fin(socket, now);
	if (state == NT_TCP_CLOSING)
		nt_socket_receives_fin(socket, now);
}

/* Returns the outcome of a connection that was established. old_state: the state before its change to CLOSE. Sets
 * *ended_by (enum nt_side). Without both FINs and without a received RST, the local socket reset the connection, unless
 * an error ended it; the caller checks for errors.
 */
NT_INLINE enum nt_outcome nt_socket_outcome(const struct nt_socket *socket, __u8 old_state, int reset_received,
					    int *ended_by)
{
	enum nt_side own = nt_socket_own_side(socket), peer = own == NT_SRC ? NT_DST : NT_SRC;
	int both_fins = socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;

	/* A close from FIN_WAIT2 is also in order: the FIN was acknowledged. */
	if (both_fins ||
	    (old_state == NT_TCP_FIN_WAIT2 && !reset_received && !(socket->flags & NT_SOCKET_RESET_SENT))) {
		*ended_by = socket->flags & NT_SOCKET_REMOTE_FIRST ? peer : own;
		return NT_OUTCOME_CLOSED;
	}
	*ended_by = reset_received ? peer : own;
	return NT_OUTCOME_RESET;
}

/* A socket's queues, in sequence numbers, and when it last sent and received payload, in ticks of the kernel's clock. */
struct nt_socket_queues {
	__u32 unread;  /* received in order and not read */
	__u32 unsent;  /* written and not sent */
	__u32 unacked; /* sent and not acknowledged */
	__u32 cwnd;    /* congestion window, segments */
	__u32 since_sent, since_received;
	__u8 valid;          /* 0: they were not read */
	__u8 receipt_is_set; /* since_received is known */
	__u8 padding[6];
};

/* Takes SYN and FIN, which have a sequence number each, out of the queues, so that they count payload. The peer's FIN is
 * the last that is read; the socket's own SYN is the first that is sent, its FIN the last. */
NT_INLINE void nt_socket_queues_leave_payload(struct nt_socket_queues *queues, const struct nt_socket *socket)
{
	__u8 state = socket->state;
	int fin_came = state == NT_TCP_CLOSE_WAIT || state == NT_TCP_LAST_ACK || state == NT_TCP_CLOSING;
	int fin_is_queued = state == NT_TCP_FIN_WAIT1 || state == NT_TCP_LAST_ACK || state == NT_TCP_CLOSING;

	if (fin_came && queues->unread)
		queues->unread--;
	if (fin_is_queued && queues->unsent)
		queues->unsent--;
	else if ((fin_is_queued || nt_is_attempt(socket, state)) && queues->unacked)
		queues->unacked--;
}

#endif
