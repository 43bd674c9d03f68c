// SPDX-License-Identifier: GPL-2.0-or-later
/* The programs of `netracker attach`: they stay on an interface without a process and print the trace line into the
 * kernel's trace. They need no kernel newer than Linux 5.10. Each interface has a copy with tables of its own.
 */
#include "single_table_host.h"

#include "attachment.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ATTACH_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Read by `netracker status`; the programs do not use it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct attachment_info);
} attached_by SEC(".maps");

static __always_inline void attach_count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		(*value)++;
}

static __always_inline void nt_tracked_began(struct nt_table_step *step)
{
	attach_count(ATTACH_COUNT_OPENED);
	if (bpf_map_update_elem(&connections, &step->key, &step->fresh, BPF_ANY))
		attach_count(ATTACH_COUNT_NOT_BEGUN);
}

static __always_inline void nt_tracked_ended(struct nt_table_step *step)
{
	struct workspace *workspace = find_table_workspace();

	attach_count(ATTACH_COUNT_ENDED);
	if (!workspace)
		return;
	nt_result_fill(&workspace->result, &step->ended.connection);
	if (workspace->result.syn_finack_ns >= 0)
		attach_count(print_trace_line(workspace) < 0 ? ATTACH_COUNT_NOT_PRINTED : ATTACH_COUNT_PRINTED);
}

/* Ignores data and pure ACKs: the trace line needs only when a connection began and ended. */
static __always_inline int attach_packet(struct __sk_buff *skb)
{
	int result = table_handle_packet(skb, 0, NT_FAST_PATH_SLOT);

	if (result == NT_PACKET_TRUNCATED || result == NT_PACKET_MALFORMED)
		attach_count(ATTACH_COUNT_MALFORMED);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int attach_ingress(struct __sk_buff *skb)
{
	return attach_packet(skb);
}

SEC("tc")
int attach_egress(struct __sk_buff *skb)
{
	return attach_packet(skb);
}
