// SPDX-License-Identifier: GPL-2.0-or-later
/* core/ as a BPF program: it must compile with clang -target bpf, and the kernel's verifier must accept it. Only
 * test_core_bpf.c loads it.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes((frame), (offset), (to), (size))
#include "core/connection.h"
#include "core/key.h"
#include "core/record.h"
#include "core/stream.h"
#include "core/fast_path.h"

struct tracked {
	struct nt_connection connection;
	struct nt_stream streams[2];
};

struct work {
	struct nt_packet packet;
	struct nt_key key;
	struct tracked tracked;
	__u32 source;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, struct nt_key);
	__type(value, struct tracked);
} connections SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct work);
} works SEC(".maps");

static __always_inline struct work *get_work(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&works, &zero);
}

/* The verifier checks a function with global linkage once, and not again along every path of its callers. So the three
 * parts are global functions.
 */
__attribute__((noinline)) int parse(struct __sk_buff *skb, __u32 offset)
{
	struct nt_packet packet = { .vlan = NT_NO_VLAN };
	struct work *work = get_work();
	int result;

	if (!work)
		return -1;
	result = nt_parse_ethertype(skb, offset, bpf_ntohs(skb->protocol), skb->len, 0, &packet);
	if (result != NT_PACKET_TCP)
		return -1;
	work->packet = packet;
	work->source = nt_key_from_packet(&work->key, &work->packet, skb->ifindex);
	return 0;
}

__attribute__((noinline)) int step(struct __sk_buff *skb)
{
	struct work *work = get_work();
	struct tracked *tracked;

	if (!work || !skb)
		return -1;
	tracked = bpf_map_lookup_elem(&connections, &work->key);
	if (tracked &&
	    !(nt_connection_step(&tracked->connection, &work->packet, work->source, bpf_ktime_get_ns()) & NT_STEP_NEW))
		return 0;
	__builtin_memset(&work->tracked, 0, sizeof(work->tracked));
	nt_connection_begin(&work->tracked.connection, &work->packet, work->source, bpf_ktime_get_ns());
	return bpf_map_update_elem(&connections, &work->key, &work->tracked, BPF_ANY);
}

__attribute__((noinline)) int follow(struct __sk_buff *skb)
{
	const struct nt_place place = nt_place_at(skb->ifindex, 0, 0);
	struct work *work = get_work();
	struct tracked *tracked;

	if (!work)
		return -1;
	tracked = bpf_map_lookup_elem(&connections, &work->key);
	if (!tracked)
		return -1;
	nt_connection_add_packet(&tracked->connection, &work->packet, work->source);
	nt_stream_step(&tracked->streams[work->source & 1], &tracked->streams[!(work->source & 1)], &work->packet,
		       &place);
	return 0;
}

static __always_inline int take(struct __sk_buff *skb, __u32 offset)
{
	if (!parse(skb, offset) && !step(skb))
		follow(skb);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int follow_ethernet(struct __sk_buff *skb)
{
	return take(skb, NT_ETHERNET_HEADER);
}

SEC("tc")
int follow_without_link(struct __sk_buff *skb)
{
	return take(skb, 0);
}

SEC("tc")
int parse_tunnels(struct __sk_buff *skb)
{
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	nt_parse_ethernet(skb, skb->len, NT_PARSE_TUNNELS, &packet);
	skb->mark = packet.payload_length;
	return TC_ACT_UNSPEC;
}

SEC("tc")
int peek_at_slot(struct __sk_buff *skb)
{
	__u32 slot = NT_FAST_PATH_SLOTS;

	nt_peek_slot(skb, NT_ETHERNET_HEADER, bpf_ntohs(skb->protocol), &slot);
	skb->mark = slot;
	return TC_ACT_UNSPEC;
}

char core_license[] SEC("license") = "Dual BSD/GPL";
