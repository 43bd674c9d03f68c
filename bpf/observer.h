/* The host of core/observer.h on one interface, for libbpf's programs: the classic mode's and the eunomia-bpf version's.
 * It uses nothing that Linux 5.10 does not have.
 *
 * The includer defines struct told before, the room in which it puts together what it tells of an end; and
 * nt_observer_begins() and nt_observer_tells(). Its programs call packet_seen().
 */
#ifndef NETRACKER_BPF_OBSERVER_H
#define NETRACKER_BPF_OBSERVER_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* From the network header on: the same on Ethernet and on devices without a link layer. */
#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes_relative((frame), (offset), (to), (size), BPF_HDR_START_NET)
#include "../core/observer.h"
#include "../core/waiting.h"

#define LINEAR_BYTES 256 /* more than IP and TCP headers with common options take */

/* SYNs that nobody answers make room: where the table is full the least recently used goes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct nt_key);
	__type(value, struct nt_observed);
} connections SEC(".maps");

/* Too much for the stack, and global functions take no pointers on Linux 5.10. */
struct workspace {
	struct nt_observer observer;
	struct nt_summary summary;
	struct told told;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

static __always_inline struct workspace *own_workspace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&workspaces, &zero);
}

static __always_inline struct nt_observed *nt_observed_find(const struct nt_key *key)
{
	return bpf_map_lookup_elem(&connections, key);
}

static __always_inline int nt_observed_take(const struct nt_key *key)
{
	return bpf_map_delete_elem(&connections, key);
}

/* Global functions: the verifier goes through each once. */
__noinline int parse(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();

	if (!workspace)
		return NT_PACKET_NOT_IP;
	return nt_parse_network(skb, bpf_ntohs(skb->protocol), skb->len, &workspace->observer.packet);
}

__noinline int observe(struct __sk_buff *skb, __u32 is_outgoing)
{
	struct workspace *workspace = own_workspace();

	if (!workspace)
		return 0;
	workspace->observer.now = bpf_ktime_get_boot_ns();
	workspace->observer.is_outgoing = is_outgoing;
	workspace->observer.ifindex = skb->ifindex;
	nt_observe(&workspace->observer, 0);
	return 0;
}

/* Takes a packet, unless a look at it shows no more than `most`. Returns enum nt_parse. */
static __always_inline int packet_seen(struct __sk_buff *skb, __u32 is_outgoing, enum nt_look most)
{
	__u32 slot;
	int result;

	if (nt_peek_slot(skb, 0, bpf_ntohs(skb->protocol), &slot) <= most)
		return NT_PACKET_NOT_TCP;
	result = parse(skb);
	/* Few drivers leave headers outside the linear area. */
	if (result == NT_PACKET_TRUNCATED && !bpf_skb_pull_data(skb, skb->len < LINEAR_BYTES ? skb->len : LINEAR_BYTES))
		result = parse(skb);
	if (result == NT_PACKET_TCP)
		observe(skb, is_outgoing);
	return result;
}

#endif
