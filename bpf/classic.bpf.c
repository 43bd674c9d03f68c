/* The classic mode: programs that stay on an interface without a process and print the seed's line into the kernel's
 * trace. They use nothing that Linux 5.10 does not have. One copy for each interface, with tables of its own.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* From the network header on: the same on Ethernet and on devices without a link layer. */
#define NT_LOAD(frame, offset, to, size) bpf_skb_load_bytes_relative((frame), (offset), (to), (size), BPF_HDR_START_NET)
#include "../core/key.h"
#include "../core/summary.h"
#include "../core/waiting.h"
#include "classic.h"
#include "classic_line.h"

#define LINEAR_BYTES 256 /* more than IP and TCP headers with common options take */

char LICENSE[] SEC("license") = "GPL";

/* Too much for the stack, and global functions take no pointers on Linux 5.10. */
struct workspace {
	struct nt_packet packet;
	struct nt_key key;
	struct nt_connection fresh, ended;
	struct nt_summary summary;
	struct line line;
	__u32 source;
};

/* What never ends makes room: where the table is full the least recently used goes. Its size is the loader's choice. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct nt_key);
	__type(value, struct nt_connection);
} connections SEC(".maps");

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

static __always_inline struct line *own_line(void)
{
	struct workspace *workspace = own_workspace();

	return workspace ? &workspace->line : NULL;
}

static __always_inline void count(__u32 book)
{
	__u64 *value = bpf_map_lookup_elem(&books, &book);

	if (value)
		(*value)++;
}

__noinline int parse(struct __sk_buff *skb)
{
	struct workspace *workspace = own_workspace();

	if (!workspace)
		return NT_PACKET_NOT_IP;
	return nt_parse_network(skb, bpf_ntohs(skb->protocol), skb->len, &workspace->packet);
}

__noinline int put_address(__u32 end)
{
	struct workspace *workspace = own_workspace();
	const __u8 *address;
	int i;

	if (!workspace)
		return 0;
	address = workspace->key.address[end & 1];
	if (nt_address_family(address) == 6) {
		put_ipv6(&workspace->line, address);
		return 0;
	}
	for (i = 12; i < 16; i++) {
		if (i > 12)
			put(&workspace->line, '.');
		put_number(address[i]);
	}
	return 0;
}

static __always_inline void put_end_point(struct workspace *workspace, __u32 end)
{
	put_address(end & 1);
	put(&workspace->line, ':');
	put_number(workspace->key.port[end & 1]);
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

/* Tells of the connection in the workspace, which has been taken out of its table. */
static __always_inline void tell(struct workspace *workspace)
{
	struct line *line = &workspace->line;

	count(CLASSIC_ENDED);
	nt_summarise(&workspace->summary, &workspace->ended);
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

static __always_inline void begin(struct workspace *workspace, __u64 now)
{
	const struct nt_packet *packet = &workspace->packet;

	if ((packet->flags & (NT_SYN | NT_ACK | NT_RST)) != NT_SYN)
		return;
	nt_connection_begin(&workspace->fresh, packet, workspace->source & 1, now);
	count(CLASSIC_OPENED);
	if (bpf_map_update_elem(&connections, &workspace->key, &workspace->fresh, BPF_ANY))
		count(CLASSIC_NOT_BEGUN);
}

__noinline int step(__u64 now)
{
	struct workspace *workspace = own_workspace();
	struct nt_connection *connection;
	__u32 result = NT_STEP_NEW;

	if (!workspace)
		return 0;
	workspace->source = nt_key_from_packet(&workspace->key, &workspace->packet, 0);
	connection = bpf_map_lookup_elem(&connections, &workspace->key);
	if (connection) {
		result = nt_connection_step(connection, &workspace->packet, workspace->source & 1, now);
		if (!(result & NT_STEP_NEW) && nt_connection_state(connection) < NT_STATE_CLOSED)
			return 0;
		workspace->ended = *connection;
		/* Of two processors that see the end, one takes it out. */
		if (!bpf_map_delete_elem(&connections, &workspace->key))
			tell(workspace);
	}
	if (result & NT_STEP_NEW)
		begin(workspace, now);
	return 0;
}

/* Data and pure acknowledgements tell nothing of when a connection began and ended. */
static __always_inline _Bool can_leave(struct __sk_buff *skb)
{
	__u32 slot;

	return nt_peek_slot(skb, 0, bpf_ntohs(skb->protocol), &slot) != NT_LOOK_PARSE;
}

static __always_inline int packet_seen(struct __sk_buff *skb)
{
	int result;

	if (can_leave(skb))
		return TC_ACT_UNSPEC;
	result = parse(skb);
	/* Few drivers leave headers outside the linear area. */
	if (result == NT_PACKET_TRUNCATED && !bpf_skb_pull_data(skb, skb->len < LINEAR_BYTES ? skb->len : LINEAR_BYTES))
		result = parse(skb);
	if (result == NT_PACKET_TRUNCATED || result == NT_PACKET_MALFORMED)
		count(CLASSIC_MALFORMED);
	if (result == NT_PACKET_TCP)
		step(bpf_ktime_get_boot_ns());
	return TC_ACT_UNSPEC;
}

SEC("tc")
int classic_in(struct __sk_buff *skb)
{
	return packet_seen(skb);
}

SEC("tc")
int classic_out(struct __sk_buff *skb)
{
	return packet_seen(skb);
}
