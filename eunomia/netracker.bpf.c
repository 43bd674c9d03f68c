// SPDX-License-Identifier: GPL-2.0-or-later
/* The eunomia-bpf version: TC programs over the core, one source for ecc and for plain clang with libbpf.
 *
 * The comments with three slashes are for ecli: ecc and make-package read the programs' hooks and the options from
 * them. Options have one of the few types that ecli can parse. The port has 32 bits, since ecli takes 16 bits as signed.
 */
#define NT_TRACKED_MORE __u64 is_outgoing;
#include "../bpf/single_table_host.h"
#include "event.h"
#include "fill_event.h"

#define RING_BYTES (1 << 20)

typedef _Bool bool; /* ecli needs the type name bool; <stdbool.h> would make it a macro for _Bool */

/// @brief NeTracker: TCP connections as they end, from SYN to FIN-ACK, seen on one interface
/// @details eunomia/run sets the interface
/// @version 0.1.0
char LICENSE[] SEC("license") = "GPL";

/// @description only connections that lasted at least this many microseconds
/// @cmdarg {"default": 0, "short": "m", "long": "min-us"}
const volatile unsigned long long min_us = 0;

/// @description only connections to this port; 0: any port
/// @cmdarg {"default": 0, "short": "p", "long": "port"}
const volatile unsigned int port = 0;

/// @description exclude connections whose SYN comes in through the interface
/// @cmdarg {"long": "no-incoming"}
const volatile bool no_incoming = 0;

/// @description exclude connections whose SYN goes out through the interface
/// @cmdarg {"long": "no-outgoing"}
const volatile bool no_outgoing = 0;

/* Keeps the structure in the BTF, as the declaration that ecc adds does. ecli makes no option of this name. The initial
 * value places it before `lost`: the output of ecc's bpftool for a variable depends on the gaps before it.
 */
const volatile struct event *__eunomia_dummy_event_ptr __attribute__((unused)) = 0;

static unsigned int lost;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES);
} events SEC(".maps");

static __always_inline void nt_tracked_began(struct nt_table_step *step)
{
	if ((step->is_outgoing ? no_outgoing : no_incoming) || (port && step->packet.destination_port != port))
		return;
	step->fresh.is_outgoing = step->is_outgoing;
	bpf_map_update_elem(&connections, &step->key, &step->fresh, BPF_ANY);
}

static __always_inline void nt_tracked_ended(struct nt_table_step *step)
{
	struct workspace *workspace = find_table_workspace();
	struct event *event;

	if (!workspace)
		return;
	nt_result_fill(&workspace->result, &step->ended.connection);
	if ((__u64)workspace->result.duration_ns / 1000 < min_us)
		return;
	if (workspace->result.syn_finack_ns >= 0)
		print_trace_line(workspace);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	fill_event(event, workspace);
	event->lost = lost;
	bpf_ringbuf_submit(event, 0);
}

/// @tchook {"ifindex": 1, "attach_point": "BPF_TC_INGRESS"}
/// @tcopts {"handle": 1, "priority": 49162}
SEC("tc")
int netracker_in(struct __sk_buff *skb)
{
	table_handle_packet(skb, 0, NT_FAST_PATH_DONE);
	return TC_ACT_UNSPEC;
}

/// @tchook {"ifindex": 1, "attach_point": "BPF_TC_EGRESS"}
/// @tcopts {"handle": 1, "priority": 49162}
SEC("tc")
int netracker_out(struct __sk_buff *skb)
{
	table_handle_packet(skb, 1, NT_FAST_PATH_DONE);
	return TC_ACT_UNSPEC;
}
