/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host of core/single_table.h on one interface, for programs that libbpf loads: those of `netracker attach` and of
 * the eunomia-bpf version. It needs no kernel newer than Linux 5.10.
 *
 * The includer defines nt_tracked_began() and nt_tracked_ended(). Its programs call table_handle_packet().
 */
#ifndef NETRACKER_BPF_SINGLE_TABLE_HOST_H
#define NETRACKER_BPF_SINGLE_TABLE_HOST_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Offsets count from the network header, on Ethernet as on devices without a link layer. */
#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes_relative((frame), (offset), (to), (size), BPF_HDR_START_NET)
#include "../core/single_table.h"
#include "../core/fast_path.h"
#include "trace_line.h"

#define LINEAR_BYTES 256 /* more than IP and TCP headers with common options take */

/* A full table evicts the least recently used connection, mostly a SYN that nobody answered. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct nt_key);
	__type(value, struct nt_tracked);
} connections SEC(".maps");

/* Too much for the stack, and global functions take no pointers on Linux 5.10. */
struct workspace {
	struct nt_table_step step;
	struct nt_result result;
	struct line line;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

static __always_inline struct workspace *find_table_workspace(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&workspaces, &zero);
}

static __always_inline struct nt_tracked *nt_tracked_find(const struct nt_key *key)
{
	return bpf_map_lookup_elem(&connections, key);
}

static __always_inline int nt_tracked_remove(const struct nt_key *key)
{
	return bpf_map_delete_elem(&connections, key);
}

/* The verifier checks a global function only once. On Linux 5.10 such a function takes numbers and the packet only, so
 * everything else that it works on is in the workspace.
 */
__noinline int table_parse(struct __sk_buff *skb)
{
	struct workspace *workspace = find_table_workspace();

	if (!workspace)
		return NT_PACKET_NOT_IP;
	return nt_parse_network(skb, bpf_ntohs(skb->protocol), skb->len, &workspace->step.packet);
}

__noinline int table_step(struct __sk_buff *skb, __u32 is_outgoing)
{
	struct workspace *workspace = find_table_workspace();

	if (!workspace)
		return 0;
	workspace->step.now = bpf_ktime_get_boot_ns();
	workspace->step.is_outgoing = is_outgoing;
	workspace->step.ifindex = skb->ifindex;
	nt_single_table_step(&workspace->step, 0);
	return 0;
}

__noinline int put_number(__u64 number)
{
	struct workspace *workspace = find_table_workspace();

	if (!workspace)
		return 0;
	put_decimal(&workspace->line, number);
	return 0;
}

/* Appends the address of one side of the packet's connection. side: index in the key. */
__noinline int put_address(__u32 side, __u32 in_brackets)
{
	struct workspace *workspace = find_table_workspace();
	const __u8 *address;
	int i;

	if (!workspace)
		return 0;
	address = workspace->step.key.address[side & 1];
	if (nt_address_family(address) == 6) {
		if (in_brackets)
			put_byte(&workspace->line, '[');
		put_ipv6(&workspace->line, address);
		if (in_brackets)
			put_byte(&workspace->line, ']');
		return 0;
	}
	for (i = 12; i < 16; i++) {
		if (i > 12)
			put_byte(&workspace->line, '.');
		put_number(address[i]);
	}
	return 0;
}

static __always_inline void put_endpoint(struct workspace *workspace, __u32 side)
{
	put_address(side & 1, 1);
	put_byte(&workspace->line, ':');
	put_number(workspace->step.key.port[side & 1]);
}

/* Prints the trace line of the result in the workspace into the kernel's trace. Returns less than 0 if the trace does
 * not take it. The line is passed as the format, without conversions: before 5.13 a %s is cut off after 63 bytes. */
static __always_inline int print_trace_line(struct workspace *workspace)
{
	struct line *line = &workspace->line;

	line->used = 0;
	PUT_EIGHT(line, "[TC] Tot");
	PUT_EIGHT(line, "al RTT (");
	PUT_EIGHT(line, "SYN - FI");
	PUT_EIGHT(line, "N-ACK) f");
	put_byte(line, 'o');
	put_byte(line, 'r');
	put_byte(line, ' ');
	put_endpoint(workspace, workspace->result.index[NT_SRC]);
	put_byte(line, ' ');
	put_byte(line, '-');
	put_byte(line, '>');
	put_byte(line, ' ');
	put_endpoint(workspace, workspace->result.index[NT_DST]);
	put_byte(line, ':');
	put_byte(line, ' ');
	put_number(workspace->result.syn_finack_ns);
	put_byte(line, ' ');
	put_byte(line, 'n');
	put_byte(line, 's');
	return bpf_trace_printk(line->text, terminate_line(line));
}

/* Handles a packet, unless the fast path classifies it as `ignored` or less. Returns enum nt_parse. */
static __always_inline int table_handle_packet(struct __sk_buff *skb, __u32 is_outgoing, enum nt_fast_path ignored)
{
	__u32 slot;
	int result;

	if (nt_peek_slot(skb, 0, bpf_ntohs(skb->protocol), &slot) <= ignored)
		return NT_PACKET_NOT_TCP;
	result = table_parse(skb);
	/* Few drivers leave headers outside the linear area. */
	if (result == NT_PACKET_TRUNCATED && !bpf_skb_pull_data(skb, skb->len < LINEAR_BYTES ? skb->len : LINEAR_BYTES))
		result = table_parse(skb);
	if (result == NT_PACKET_TCP)
		table_step(skb, is_outgoing);
	return result;
}

#endif
