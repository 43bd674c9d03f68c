// SPDX-License-Identifier: GPL-2.0-or-later
/* The BCC version's socket context: connections of this machine's sockets, from the tracepoint
 * sock:inet_sock_set_state and, with NT_CALLS, kprobes at connect() and accept(). The socket's kernel address is
 * the key of the maps; no member of a socket is read.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/ptrace.h>
#include <linux/in.h>

#define NT_LOAD(frame, offset, to, size) (-1) /* no packets in this context */
#include "core/result.h"

/* BCC passes the layout to user space. */
struct connection {
	struct nt_socket socket;
	struct nt_result summary; /* set when it ends */
	__u64 accepted_ns;        /* CLOCK_BOOTTIME; 0: unknown */
	__u64 calls;              /* 1: the owner is known from connect() or accept() */
};

enum counter { COUNT_OPENED, COUNT_TABLE_FULL, COUNT_RING_FULL, COUNT_END_MISSED, COUNTERS };

BPF_TABLE("hash", u64, struct connection, sockets, NT_CONNECTIONS);
BPF_TABLE("lru_hash", u64, struct nt_owner, callers, 4096);
BPF_ARRAY(counters, u64, COUNTERS);
BPF_RINGBUF_OUTPUT(events, 16);

/* Fills in the current process. comm is the name of the calling thread. */
static __always_inline void describe_caller(struct nt_owner *owner, __u8 by)
{
	owner->process.pid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = bpf_get_current_uid_gid();
	owner->by = by;
	bpf_get_current_comm(owner->comm, sizeof(owner->comm));
}

static __always_inline void begin_connection(u64 address, __u8 role)
{
	struct connection connection = { .socket = { .role = role, .start_ns = bpf_ktime_get_boot_ns() } };
	struct nt_owner *caller = role == NT_ROLE_CLIENT ? callers.lookup(&address) : NULL;

	/* The change to SYN_SENT happens inside connect(), so the calling process is the owner. */
	if (caller) {
		connection.socket.owner = *caller;
		connection.calls = 1;
		callers.delete(&address);
	} else if (role == NT_ROLE_CLIENT) {
		describe_caller(&connection.socket.owner, NT_OWNER_CONNECT);
	}
	counters.atomic_increment(COUNT_OPENED);
	/* The kernel skips a program that interrupts another one. If it skipped the end of a socket, the entry still exists
	 * when another socket uses the memory.
	 */
	if (sockets.lookup(&address))
		counters.atomic_increment(COUNT_END_MISSED);
	if (sockets.update(&address, &connection))
		counters.atomic_increment(COUNT_TABLE_FULL);
}

TRACEPOINT_PROBE(sock, inet_sock_set_state)
{
	u64 address = (u64)args->skaddr, now = bpf_ktime_get_boot_ns();
	struct connection *connection;

	if (args->protocol != IPPROTO_TCP)
		return 0;
	if (args->newstate == NT_TCP_SYN_SENT)
		begin_connection(address, NT_ROLE_CLIENT);
	else if (args->newstate == NT_TCP_SYN_RECV && args->oldstate != NT_TCP_SYN_SENT)
		begin_connection(address, NT_ROLE_SERVER);
	connection = sockets.lookup(&address);
	if (!connection)
		return 0;
	connection->socket.local_port = args->sport;
	connection->socket.remote_port = args->dport;
	__builtin_memcpy(connection->socket.local, args->saddr_v6, sizeof(connection->socket.local));
	__builtin_memcpy(connection->socket.remote, args->daddr_v6, sizeof(connection->socket.remote));
	nt_socket_changes(&connection->socket, args->newstate, now);
	if (args->newstate != NT_TCP_CLOSE)
		return 0;
	nt_result_fill_from_socket(&connection->summary, &connection->socket, args->oldstate);
	if (events.ringbuf_output(connection, sizeof(*connection), 0))
		counters.atomic_increment(COUNT_RING_FULL);
	sockets.delete(&address);
	return 0;
}

TRACEPOINT_PROBE(tcp, tcp_receive_reset)
{
	u64 address = (u64)args->skaddr;
	struct connection *connection = sockets.lookup(&address);

	if (connection)
		connection->socket.reset_received = 1;
	return 0;
}

#ifdef NT_CALLS
int record_connect(struct pt_regs *ctx)
{
	u64 address = PT_REGS_PARM1(ctx);
	struct nt_owner caller = {};

	describe_caller(&caller, NT_OWNER_CONNECT);
	callers.update(&address, &caller);
	return 0;
}

int record_accepted(struct pt_regs *ctx)
{
	u64 address = PT_REGS_RC(ctx);
	struct connection *connection = sockets.lookup(&address);

	if (!connection || connection->socket.role != NT_ROLE_SERVER)
		return 0;
	describe_caller(&connection->socket.owner, NT_OWNER_ACCEPT);
	connection->accepted_ns = bpf_ktime_get_boot_ns();
	connection->calls = 1;
	return 0;
}
#endif
