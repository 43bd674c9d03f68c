/* The eunomia-bpf version: TC programs over the core, one source for ecc and for plain clang with libbpf.
 *
 * What ecli must know stands in the comments with three slashes, which make-package and ecc read: the programs' hooks,
 * the options. Options are of the few types that ecli can parse, and a port is one of 32 bits because ecli takes those
 * of 16 for signed.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* From the network header on: the same on Ethernet and on devices without a link layer. */
#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes_relative((frame), (offset), (to), (size), BPF_HDR_START_NET)
#include "../core/key.h"
#include "../core/summary.h"
#include "fill_event.h"

#define CONNECTIONS 65536
#define RING_BYTES (1 << 20)
#define LINEAR_BYTES 256 /* more than IP and TCP headers with common options take */

typedef _Bool bool; /* ecli knows the name bool, and <stdbool.h> makes it another */

/// @brief NeTracker: TCP connections as they end, from SYN to FIN-ACK, seen on one interface
/// @details eunomia/run chooses the interface
/// @version 0.1.0
char LICENSE[] SEC("license") = "GPL";

/// @description only connections that lasted at least so many microseconds
/// @cmdarg {"default": 0, "short": "m", "long": "min-us"}
const volatile unsigned long long min_us = 0;

/// @description only connections to this port; 0: to any
/// @cmdarg {"default": 0, "short": "p", "long": "port"}
const volatile unsigned int port = 0;

/// @description not those whose SYN comes in through the interface
/// @cmdarg {"long": "no-incoming"}
const volatile bool no_incoming = 0;

/// @description not those whose SYN goes out through the interface
/// @cmdarg {"long": "no-outgoing"}
const volatile bool no_outgoing = 0;

/* Keeps the structure in the BTF, as the declaration that ecc adds does; ecli makes no option of this name. It has a
 * value so that it comes before `lost`: what ecc's bpftool says of a variable depends on gaps before it. */
const volatile struct event *__eunomia_dummy_event_ptr __attribute__((unused)) = 0;

static unsigned int lost;

struct tracked {
	struct nt_connection connection;
	__u64 is_outgoing;
};

/* Too much for the stack, and global functions take no pointers on old kernels. */
struct workspace {
	struct nt_packet packet;
	struct nt_key key;
	struct tracked fresh, ended;
	struct nt_summary summary;
	struct event event;
	char line[192];
	__u32 source;
};

/* SYNs that nobody answers make room: where the table is full the least recently used goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, CONNECTIONS);
	__type(key, struct nt_key);
	__type(value, struct tracked);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} events SEC(".maps");

static __always_inline struct workspace *own_workspace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&workspaces, &zero);
}

__noinline int parse(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();

	if (!workspace)
		return NT_PACKET_NOT_IP;
	return nt_parse_network(skb, bpf_ntohs(skb->protocol), skb->len, &workspace->packet);
}

/* Tells of the connection in the workspace, which has been taken out of its table. */
__noinline int tell(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();
	struct event *event;

	if (!workspace)
		return 0;
	nt_summarise(&workspace->summary, &workspace->ended.connection);
	if (workspace->summary.duration_ns < (long long)(min_us * 1000))
		return 0;
	event = &workspace->event;
	__builtin_memset(event, 0, sizeof(*event));
	put_tuple(event, &workspace->key, &workspace->summary);
	put_words(event, &workspace->summary, workspace->ended.is_outgoing);
	put_times(event, &workspace->summary);
	event->ifindex = skb->ifindex;
	event->lost = lost;
	if (event->syn_finack_ns >= 0) {
		BPF_SNPRINTF(workspace->line, sizeof(workspace->line),
			     "[TC] Total RTT (SYN - FIN-ACK) for %s:%u -> %s:%u: %lld ns", event->src_ip,
			     event->src_port, event->dst_ip, event->dst_port, event->syn_finack_ns);
		bpf_printk("%s", workspace->line);
	}
	if (bpf_ringbuf_output(&events, event, sizeof(*event), 0))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}

__noinline int begin(__u32 is_outgoing)
{
	struct workspace *workspace = own_workspace();
	struct nt_packet *packet;

	if (!workspace || (is_outgoing ? no_outgoing : no_incoming))
		return 0;
	packet = &workspace->packet;
	if ((packet->flags & (NT_SYN | NT_ACK | NT_RST)) != NT_SYN || (port && packet->destination_port != port))
		return 0;
	workspace->fresh.is_outgoing = is_outgoing;
	nt_connection_begin(&workspace->fresh.connection, packet, workspace->source & 1, bpf_ktime_get_boot_ns());
	return bpf_map_update_elem(&connections, &workspace->key, &workspace->fresh, BPF_ANY);
}

/* 1: the packet belongs to a connection that is known. */
__noinline int step(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();
	struct tracked *tracked;
	__u32 result;

	if (!workspace)
		return 0;
	workspace->source = nt_key_from_packet(&workspace->key, &workspace->packet, 0);
	tracked = bpf_map_lookup_elem(&connections, &workspace->key);
	if (!tracked)
		return 0;
	result = nt_connection_step(&tracked->connection, &workspace->packet, workspace->source & 1,
				    bpf_ktime_get_boot_ns());
	if (!(result & NT_STEP_NEW) && nt_connection_state(&tracked->connection) < NT_STATE_CLOSED)
		return 1;
	workspace->ended = *tracked;
	/* Of two processors that see the end, one takes it out. */
	if (!bpf_map_delete_elem(&connections, &workspace->key))
		tell(skb);
	return !(result & NT_STEP_NEW);
}

static __always_inline int packet_seen(struct __sk_buff *skb, __u32 is_outgoing)
{
	int result = parse(skb);

	/* Few drivers leave headers outside the linear area. */
	if (result == NT_PACKET_TRUNCATED && !bpf_skb_pull_data(skb, skb->len < LINEAR_BYTES ? skb->len : LINEAR_BYTES))
		result = parse(skb);
	if (result == NT_PACKET_TCP && !step(skb))
		begin(is_outgoing);
	return TC_ACT_UNSPEC;
}

/// @tchook {"ifindex": 1, "attach_point": "BPF_TC_INGRESS"}
/// @tcopts {"handle": 1, "priority": 49162}
SEC("tc")
int netracker_in(struct __sk_buff *skb)
{
	return packet_seen(skb, 0);
}

/// @tchook {"ifindex": 1, "attach_point": "BPF_TC_EGRESS"}
/// @tcopts {"handle": 1, "priority": 49162}
SEC("tc")
int netracker_out(struct __sk_buff *skb)
{
	return packet_seen(skb, 1);
}
