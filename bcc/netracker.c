// SPDX-License-Identifier: GPL-2.0-or-later
/* The BCC version's wire context: the single-table tracker on TC ingress and egress of one interface.
 *
 * BCC's C has no globals, no constant tables and no calls between functions, so the core is inlined. Maps must be
 * declared in this file itself, not in headers or macros. The loader defines NT_NETNS (inode number), NT_LINK_HEADER
 * (bytes before the IP header) and NT_CONNECTIONS (entries of the table).
 */
#include <uapi/linux/bpf.h>
#include <linux/errno.h>
#include <linux/pkt_cls.h>

#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes((frame), (offset), (to), (size))
/* For user space, which reads whole connections. The key is plain bytes, since BCC cannot describe nested arrays, which
 * struct nt_key has.
 */
#define NT_TRACKED_MORE \
	struct nt_result summary; \
	__u8 key[NT_KEY_SIZE];
#include "core/single_table.h"
#include "core/fast_path.h"

enum counter { COUNT_OPENED, COUNT_TABLE_FULL, COUNT_RING_FULL, COUNTERS };

BPF_TABLE("hash", struct nt_key, struct nt_tracked, connections, NT_CONNECTIONS);
BPF_PERCPU_ARRAY(table_steps, struct nt_table_step, 1);
BPF_ARRAY(counters, u64, COUNTERS);
BPF_RINGBUF_OUTPUT(events, 16);
BPF_PROG_ARRAY(steps, 1);

static __always_inline struct nt_tracked *nt_tracked_find(const struct nt_key *key)
{
	return connections.lookup((struct nt_key *)key);
}

static __always_inline int nt_tracked_remove(const struct nt_key *key)
{
	return connections.delete((struct nt_key *)key);
}

static __always_inline void nt_tracked_began(struct nt_table_step *step)
{
	int error;

	nt_result_fill(&step->fresh.summary, &step->fresh.connection);
	__builtin_memcpy(step->fresh.key, &step->key, sizeof(step->fresh.key));
	error = connections.insert(&step->key, &step->fresh);
	if (error == -EEXIST) /* another CPU has inserted it */
		return;
	counters.atomic_increment(COUNT_OPENED);
	if (error)
		counters.atomic_increment(COUNT_TABLE_FULL);
}

static __always_inline void nt_tracked_ended(struct nt_table_step *step)
{
	nt_result_fill(&step->ended.summary, &step->ended.connection);
	if (events.ringbuf_output(&step->ended, sizeof(step->ended), 0))
		counters.atomic_increment(COUNT_RING_FULL);
}

/* A program of its own, so that the verifier does not check it once for each path through the parser. */
int nt_step(struct __sk_buff *skb)
{
	int zero = 0;
	struct nt_table_step *step = table_steps.lookup(&zero);
	struct nt_tracked *changed = step ? nt_single_table_step(step, NT_NETNS) : NULL;

	if (changed)
		nt_result_fill(&changed->summary, &changed->connection);
	return TC_ACT_UNSPEC;
}

/* Runs on ingress and egress alike: the packet itself shows which side sent it. */
int nt_packet_seen(struct __sk_buff *skb)
{
	__u16 ethertype = bpf_ntohs(skb->protocol);
	int zero = 0;
	struct nt_table_step *step = table_steps.lookup(&zero);
	__u32 slot;

	if (!step || nt_peek_slot(skb, NT_LINK_HEADER, ethertype, &slot) == NT_FAST_PATH_DONE)
		return TC_ACT_UNSPEC;
	step->packet.vlan = skb->vlan_present ? NT_VLAN_ID(skb->vlan_tci) : NT_NO_VLAN;
	if (nt_parse_ethertype(skb, NT_LINK_HEADER, ethertype, skb->len, 0, &step->packet) != NT_PACKET_TCP)
		return TC_ACT_UNSPEC;
	step->now = bpf_ktime_get_boot_ns();
	steps.call(skb, 0);
	return TC_ACT_UNSPEC;
}
