/* The BCC version's socket context: connections of this machine's sockets, from the tracepoint sock:inet_sock_set_state
 * and, with NT_CALLS, kprobes at connect() and accept(). A socket is named by its address; none of its members is read.
 */
#include <uapi/linux/bpf.h>
#include <uapi/linux/ptrace.h>
#include <linux/in.h>

#define NT_LOAD(frame, offset, to, size) (-1) /* there is no packet here */
#include "core/record.h"

struct process {
	__u32 pid, uid;
	char comm[NT_COMM_SIZE]; /* the calling thread's */
};

/* User space reads it whole, and has the layout from BCC. */
struct connection {
	__u64 start_ns, established_ns, accepted_ns, first_fin_ns, close_ns;
	__u8 local[16], remote[16];
	__u16 local_port, remote_port;
	struct process owner; /* pid 0: not known */
	__u8 role;            /* enum nt_role */
	__u8 old_state;       /* before CLOSE */
	__u8 local_fin_first;
	__u8 calls;           /* the owner is known from a call */
	__u8 reset_received;
	__u8 padding[3];
};

enum counter { COUNT_OPENED, COUNT_TABLE_FULL, COUNT_RING_FULL, COUNT_END_MISSED, COUNTERS };

BPF_TABLE("hash", u64, struct connection, sockets, NT_CONNECTIONS);
BPF_TABLE("lru_hash", u64, struct process, callers, 4096);
BPF_ARRAY(counters, u64, COUNTERS);
BPF_RINGBUF_OUTPUT(events, 16);

static __always_inline void describe_caller(struct process *process)
{
	process->pid = bpf_get_current_pid_tgid() >> 32;
	process->uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(process->comm, sizeof(process->comm));
}

static __always_inline void opened(u64 address, struct connection *connection)
{
	connection->start_ns = bpf_ktime_get_boot_ns();
	counters.atomic_increment(COUNT_OPENED);
	/* The kernel skips a program where it interrupts another; then the socket's memory becomes another socket. */
	if (sockets.lookup(&address))
		counters.atomic_increment(COUNT_END_MISSED);
	if (sockets.update(&address, connection))
		counters.atomic_increment(COUNT_TABLE_FULL);
}

/* The change to SYN_SENT happens inside connect(): the caller is its owner. */
static __always_inline void client_opened(u64 address)
{
	struct connection connection = {.role = NT_ROLE_CLIENT};
	struct process *caller = callers.lookup(&address);

	if (caller) {
		connection.owner = *caller;
		connection.calls = 1;
		callers.delete(&address);
	} else {
		describe_caller(&connection.owner);
	}
	opened(address, &connection);
}

static __always_inline void server_opened(u64 address)
{
	struct connection connection = {.role = NT_ROLE_SERVER};

	opened(address, &connection);
}

static __always_inline void note_fin(struct connection *connection, int is_local)
{
	if (connection->first_fin_ns)
		return;
	connection->first_fin_ns = bpf_ktime_get_boot_ns();
	connection->local_fin_first = is_local;
}

TRACEPOINT_PROBE(sock, inet_sock_set_state)
{
	u64 address = (u64)args->skaddr;
	struct connection *connection;

	if (args->protocol != IPPROTO_TCP)
		return 0;
	if (args->newstate == BPF_TCP_SYN_SENT)
		client_opened(address);
	else if (args->newstate == BPF_TCP_SYN_RECV && args->oldstate != BPF_TCP_SYN_SENT)
		server_opened(address);
	connection = sockets.lookup(&address);
	if (!connection)
		return 0;
	connection->local_port = args->sport;
	connection->remote_port = args->dport;
	__builtin_memcpy(connection->local, args->saddr_v6, sizeof(connection->local));
	__builtin_memcpy(connection->remote, args->daddr_v6, sizeof(connection->remote));
	switch (args->newstate) {
	case BPF_TCP_ESTABLISHED:
		connection->established_ns = bpf_ktime_get_boot_ns();
		break;
	case BPF_TCP_FIN_WAIT1:
		note_fin(connection, 1);
		break;
	case BPF_TCP_CLOSE_WAIT:
		note_fin(connection, 0);
		break;
	case BPF_TCP_CLOSE:
		connection->old_state = args->oldstate;
		connection->close_ns = bpf_ktime_get_boot_ns();
		if (events.ringbuf_output(connection, sizeof(*connection), 0))
			counters.atomic_increment(COUNT_RING_FULL);
		sockets.delete(&address);
	}
	return 0;
}

TRACEPOINT_PROBE(tcp, tcp_receive_reset)
{
	u64 address = (u64)args->skaddr;
	struct connection *connection = sockets.lookup(&address);

	if (connection)
		connection->reset_received = 1;
	return 0;
}

#ifdef NT_CALLS
int note_connect(struct pt_regs *ctx)
{
	u64 address = PT_REGS_PARM1(ctx);
	struct process caller = {};

	describe_caller(&caller);
	callers.update(&address, &caller);
	return 0;
}

int note_accepted(struct pt_regs *ctx)
{
	u64 address = PT_REGS_RC(ctx);
	struct connection *connection = sockets.lookup(&address);

	if (!connection || connection->role != NT_ROLE_SERVER)
		return 0;
	describe_caller(&connection->owner);
	connection->accepted_ns = bpf_ktime_get_boot_ns();
	connection->calls = 1;
	return 0;
}
#endif
