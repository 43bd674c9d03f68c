/* The classic mode: programs that stay on an interface without a process and print the seed's line into the kernel's
 * trace. They use nothing that Linux 5.10 does not have. One copy for each interface, with tables of its own.
 */
#include "single_table_host.h"

#include "attachment.h"

char LICENSE[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CLASSIC_BOOKS);
	__type(key, __u32);
	__type(value, __u64);
} books SEC(".maps");

/* For `netracker status`: the programs leave it alone. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct classic_attachment);
} attached_by SEC(".maps");

static __always_inline void count(__u32 book)
{
	__u64 *value = bpf_map_lookup_elem(&books, &book);

	if (value)
		(*value)++;
}

static __always_inline void nt_observer_begins(struct nt_observer *observer)
{
	count(CLASSIC_OPENED);
	if (bpf_map_update_elem(&connections, &observer->key, &observer->fresh, BPF_ANY))
		count(CLASSIC_NOT_BEGUN);
}

static __always_inline void nt_observer_tells(struct nt_observer *observer)
{
	struct workspace *workspace = own_workspace();

	count(CLASSIC_ENDED);
	if (!workspace)
		return;
	nt_summarise(&workspace->summary, &observer->ended.connection);
	if (workspace->summary.syn_finack_ns >= 0)
		count(print_line(workspace) < 0 ? CLASSIC_NOT_PRINTED : CLASSIC_PRINTED);
}

/* Data and pure acknowledgements tell nothing of when a connection began and ended. */
static __always_inline int classic_packet(struct __sk_buff *skb)
{
	int result = packet_seen(skb, 0, NT_LOOK_SLOT);

	if (result == NT_PACKET_TRUNCATED || result == NT_PACKET_MALFORMED)
		count(CLASSIC_MALFORMED);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int classic_in(struct __sk_buff *skb)
{
	return classic_packet(skb);
}

SEC("tc")
int classic_out(struct __sk_buff *skb)
{
	return classic_packet(skb);
}
