/* The classic mode: programs that stay on an interface without a process and print the seed's line into the kernel's
 * trace. They use nothing that Linux 5.10 does not have. One copy for each interface, with tables of its own.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "classic.h"
#include "classic_line.h"

struct told {
	struct line line;
};

#include "observer.h"

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

static __always_inline struct line *own_line(void)
{
	struct workspace *workspace = own_workspace();

	return workspace ? &workspace->told.line : NULL;
}

static __always_inline void count(__u32 book)
{
	__u64 *value = bpf_map_lookup_elem(&books, &book);

	if (value)
		(*value)++;
}

__noinline int put_address(__u32 end)
{
	struct workspace *workspace = own_workspace();
	const __u8 *address;
	int i;

	if (!workspace)
		return 0;
	address = workspace->observer.key.address[end & 1];
	if (nt_address_family(address) == 6) {
		put_ipv6(&workspace->told.line, address);
		return 0;
	}
	for (i = 12; i < 16; i++) {
		if (i > 12)
			put(&workspace->told.line, '.');
		put_number(address[i]);
	}
	return 0;
}

static __always_inline void put_end_point(struct workspace *workspace, __u32 end)
{
	put_address(end & 1);
	put(&workspace->told.line, ':');
	put_number(workspace->observer.key.port[end & 1]);
}

/* The line is the format itself, in which nothing has to be replaced: before 5.13 a %s is cut off after 63 bytes. */
static __always_inline void print(struct line *line)
{
	__u32 last = line->used & (LINE_SIZE - 1);
	int printed;

	line->text[last] = '\0';
	printed = bpf_trace_printk(line->text, last + 1);
	count(printed < 0 ? CLASSIC_NOT_PRINTED : CLASSIC_PRINTED);
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
	struct line *line;

	count(CLASSIC_ENDED);
	if (!workspace)
		return;
	line = &workspace->told.line;
	nt_summarise(&workspace->summary, &observer->ended.connection);
	if (workspace->summary.syn_finack_ns < 0)
		return;
	__builtin_memcpy(line->text, LINE_BEGINNING, sizeof(LINE_BEGINNING) - 1);
	line->used = sizeof(LINE_BEGINNING) - 1;
	put_end_point(workspace, workspace->summary.index[NT_SRC]);
	put(line, ' ');
	put(line, '-');
	put(line, '>');
	put(line, ' ');
	put_end_point(workspace, workspace->summary.index[NT_DST]);
	put(line, ':');
	put(line, ' ');
	put_number(workspace->summary.syn_finack_ns);
	put(line, ' ');
	put(line, 'n');
	put(line, 's');
	print(line);
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
