/* The BCC version's wire context: the core's connections, from TC ingress and egress of one interface.
 *
 * BCC's C has no globals, no tables, no calls between functions, and maps only in this text itself (not in headers, not
 * in macros): what the core does is inlined, and works on map memory. The loader defines NT_NETNS (inode number),
 * NT_LINK_HEADER (bytes before the IP header) and NT_CONNECTIONS (the table's size).
 */
#include <uapi/linux/bpf.h>
#include <linux/pkt_cls.h>

#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes((frame), (offset), (to), (size))
#include "core/key.h"
#include "core/summary.h"
#include "core/waiting.h"

/* User space has the layout from BCC, which knows no arrays of arrays: so the ends stand apart. */
struct observed {
	struct nt_connection connection;
	struct nt_summary summary;
	__u8 src[16], dst[16];
	__u16 src_port, dst_port;
	__u32 padding;
};

/* On the stack, the verifier would follow every way through it. */
struct workspace {
	struct nt_packet packet;
	struct nt_key key;
	struct observed fresh, ended;
	__u64 now;
	__u32 source;
};

enum counter { COUNT_OPENED, COUNT_TABLE_FULL, COUNT_RING_FULL, COUNTERS };

BPF_TABLE("hash", struct nt_key, struct observed, connections, NT_CONNECTIONS);
BPF_PERCPU_ARRAY(workspaces, struct workspace, 1);
BPF_ARRAY(counters, u64, COUNTERS);
BPF_RINGBUF_OUTPUT(events, 16);
BPF_PROG_ARRAY(steps, 1);

/* Takes it out of the table and tells of it, unless another processor did. */
static __always_inline void end(struct workspace *work, const struct observed *view)
{
	work->ended = *view; /* the table uses the entry again at once */
	if (connections.delete(&work->key))
		return;
	if (events.ringbuf_output(&work->ended, sizeof(work->ended), 0))
		counters.atomic_increment(COUNT_RING_FULL);
}

static __always_inline void begin(struct workspace *work)
{
	struct observed *view = &work->fresh;

	nt_connection_begin(&view->connection, &work->packet, work->source & 1, work->now);
	nt_summarise(&view->summary, &view->connection);
	__builtin_memcpy(view->src, work->packet.source, sizeof(view->src));
	__builtin_memcpy(view->dst, work->packet.destination, sizeof(view->dst));
	view->src_port = work->packet.source_port;
	view->dst_port = work->packet.destination_port;
	counters.atomic_increment(COUNT_OPENED);
	if (connections.insert(&work->key, view))
		counters.atomic_increment(COUNT_TABLE_FULL);
}

/* 1: the packet belongs to a connection that is known. */
static __always_inline int step(struct workspace *work)
{
	struct observed *view = connections.lookup(&work->key);
	__u32 result;

	if (!view)
		return 0;
	if (!(work->packet.flags & (NT_SYN | NT_FIN | NT_RST)) && nt_connection_is_established(&view->connection) &&
	    view->connection.ack_ns) {
		view->connection.last_seen_ns = work->now;
		return 1;
	}
	result = nt_connection_step(&view->connection, &work->packet, work->source & 1, work->now);
	if (result & NT_STEP_CHANGED)
		nt_summarise(&view->summary, &view->connection);
	if (result & (NT_STEP_NEW | NT_STEP_ENDED))
		end(work, view);
	return !(result & NT_STEP_NEW);
}

/* A program of its own, so that the verifier does not follow it along every way through the parser. */
int nt_step(struct __sk_buff *skb)
{
	int zero = 0;
	struct workspace *work = workspaces.lookup(&zero);

	/* What had begun before the tracker is not known. */
	if (work && !step(work) && (work->packet.flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN)
		begin(work);
	return TC_ACT_UNSPEC;
}

/* Ingress and egress: which side sent a packet is in the packet. */
int nt_packet_seen(struct __sk_buff *skb)
{
	__u16 ethertype = bpf_ntohs(skb->protocol);
	int zero = 0;
	struct workspace *work = workspaces.lookup(&zero);
	__u32 slot;

	if (!work || nt_peek_slot(skb, NT_LINK_HEADER, ethertype, &slot) == NT_LOOK_DONE)
		return TC_ACT_UNSPEC;
	work->packet.vlan = skb->vlan_present ? NT_VLAN_ID(skb->vlan_tci) : NT_NO_VLAN;
	if (nt_parse_ethertype(skb, NT_LINK_HEADER, ethertype, skb->len, 0, &work->packet) != NT_PACKET_TCP)
		return TC_ACT_UNSPEC;
	work->source = nt_key_from_packet(&work->key, &work->packet, NT_NETNS);
	work->now = bpf_ktime_get_boot_ns();
	steps.call(skb, 0);
	return TC_ACT_UNSPEC;
}
