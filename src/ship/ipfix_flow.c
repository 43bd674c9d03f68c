// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ipfix_flow.h"

#include <netinet/in.h>
#include <string.h>

#define NS_PER_MS 1000000ULL
#define REVERSE_ENTERPRISE 29305 /* RFC 5103: the same element, of the other direction */
#define ENTERPRISE_BIT 0x8000
#define VARIABLE_SIZE 65535

enum flow_end { END_IDLE = 1, END_DETECTED = 3, END_FORCED = 4, END_NO_RESOURCES = 5 };      /* flowEndReason */
enum tcp_flag { TCP_FLAG_FIN = 1, TCP_FLAG_SYN = 2, TCP_FLAG_RST = 4, TCP_FLAG_ACK = 0x10 }; /* tcpControlBits */

/* Elements of one group are known together. A template is a set of groups, and its number is that set, so every set has
 * its number in every run, and there can be no more than sets. */
enum group {
	GROUP_IPV4 = 1,
	GROUP_IPV6 = 2,
	GROUP_START = 4,
	GROUP_DIRECTION = 8,
	GROUP_BYTES = 0x10,
	GROUP_PACKETS = 0x20,
	GROUP_FLAGS = 0x40,
	GROUP_INTERFACE = 0x80,
	GROUP_VLAN = 0x100,
	GROUP_BIFLOW = 0x200,
	GROUP_REVERSE_BYTES = 0x400,
	GROUP_REVERSE_PACKETS = 0x800,
	GROUP_ALWAYS = 0x1000, /* in no template's number */
};

enum element {
	SRC_IPV4,
	DST_IPV4,
	SRC_IPV6,
	DST_IPV6,
	SRC_PORT,
	DST_PORT,
	PROTOCOL,
	FLOW_START,
	FLOW_END,
	FLOW_END_REASON,
	DIRECTION,
	OCTETS,
	PACKETS,
	FLAGS,
	VLAN,
	BIFLOW_DIRECTION,
	REVERSE_OCTETS,
	REVERSE_PACKETS,
	REVERSE_FLAGS,
	INTERFACE_NAME,
	ELEMENT_COUNT,
};

/* Numbers of IANA's registry "IPFIX Information Elements". Times are in milliseconds since nfdump reads no others. */
static const struct {
	__u16 number, size, group;
	bool is_reverse;
} elements[ELEMENT_COUNT] = {
	[SRC_IPV4] = { 8, 4, GROUP_IPV4, false },
	[DST_IPV4] = { 12, 4, GROUP_IPV4, false },
	[SRC_IPV6] = { 27, 16, GROUP_IPV6, false },
	[DST_IPV6] = { 28, 16, GROUP_IPV6, false },
	[SRC_PORT] = { 7, 2, GROUP_ALWAYS, false },
	[DST_PORT] = { 11, 2, GROUP_ALWAYS, false },
	[PROTOCOL] = { 4, 1, GROUP_ALWAYS, false },
	[FLOW_START] = { 152, 8, GROUP_START, false },
	[FLOW_END] = { 153, 8, GROUP_ALWAYS, false },
	[FLOW_END_REASON] = { 136, 1, GROUP_ALWAYS, false },
	[DIRECTION] = { 61, 1, GROUP_DIRECTION, false },
	[OCTETS] = { 1, 8, GROUP_BYTES, false },
	[PACKETS] = { 2, 8, GROUP_PACKETS, false },
	[FLAGS] = { 6, 2, GROUP_FLAGS, false },
	[VLAN] = { 58, 2, GROUP_VLAN, false },
	[BIFLOW_DIRECTION] = { 239, 1, GROUP_BIFLOW, false },
	[REVERSE_OCTETS] = { 1, 8, GROUP_REVERSE_BYTES, true },
	[REVERSE_PACKETS] = { 2, 8, GROUP_REVERSE_PACKETS, true },
	[REVERSE_FLAGS] = { 6, 2, GROUP_FLAGS | GROUP_BIFLOW, true },
	[INTERFACE_NAME] = { 82, VARIABLE_SIZE, GROUP_INTERFACE, false },
};

_Static_assert(GROUP_ALWAYS == IPFIX_TEMPLATE_COUNT, "each set of groups has its number");

/* ---- the set of elements ---- */

static bool has_element(unsigned int groups, enum element element)
{
	unsigned int needed = elements[element].group;

	return ((groups | GROUP_ALWAYS) & needed) == needed;
}

__u8 *ipfix_put(__u8 *bytes, __u64 number, unsigned int size)
{
	unsigned int i;

	for (i = 0; i < size; i++)
		bytes[i] = (__u8)(number >> 8 * (size - 1 - i));
	return bytes + size;
}

unsigned int ipfix_write_template(__u8 bytes[IPFIX_TEMPLATE_SIZE], __u16 template_id)
{
	unsigned int groups = template_id - IPFIX_FIRST_TEMPLATE, count = 0, i;
	__u8 *end = bytes + 4;

	for (i = 0; i < ELEMENT_COUNT; i++) {
		if (!has_element(groups, i))
			continue;
		end = ipfix_put(end, elements[i].number | (elements[i].is_reverse ? ENTERPRISE_BIT : 0), 2);
		end = ipfix_put(end, elements[i].size, 2);
		if (elements[i].is_reverse)
			end = ipfix_put(end, REVERSE_ENTERPRISE, 4);
		count++;
	}
	ipfix_put(ipfix_put(bytes, template_id, 2), count, 2);
	return (unsigned int)(end - bytes);
}

/* ---- the values of a flow ---- */

struct flow_values {
	unsigned int groups;
	__u64 numbers[ELEMENT_COUNT];
	const __u8 *src, *dst; /* as a record has them */
	const char *interface;
};

static __u8 *put_element(__u8 *end, enum element element, const struct flow_values *values)
{
	unsigned int size = elements[element].size;
	const __u8 *address = element == SRC_IPV4 || element == SRC_IPV6 ? values->src : values->dst;

	if (element <= DST_IPV6) {
		memcpy(end, address + 16 - size, size);
		return end + size;
	}
	if (size != VARIABLE_SIZE)
		return ipfix_put(end, values->numbers[element], size);
	size = (unsigned int)strnlen(values->interface, NT_IFNAME_SIZE);
	*end++ = (__u8)size;
	memcpy(end, values->interface, size);
	return end + size;
}

static void encode_flow(struct ipfix_flow *flow, const struct flow_values *values)
{
	__u8 *end = flow->bytes;
	unsigned int i;

	for (i = 0; i < ELEMENT_COUNT; i++)
		if (has_element(values->groups, i))
			end = put_element(end, i, values);
	flow->template_id = (__u16)(IPFIX_FIRST_TEMPLATE + values->groups);
	flow->size = (__u16)(end - flow->bytes);
}

static void set_element(struct flow_values *values, enum element element, __u64 number)
{
	values->numbers[element] = number;
	values->groups |= elements[element].group & ~(unsigned int)GROUP_ALWAYS;
}

/* ---- a record's values ---- */

static enum flow_end end_reason_of(const struct nt_record *record)
{
	if (record->event == NT_EVENT_EXIT)
		return END_FORCED;
	if (record->gaps & NT_GAP_EVICTED)
		return END_NO_RESOURCES;
	if (record->outcome == NT_OUTCOME_EXPIRED)
		return END_IDLE;
	return record->outcome == NT_OUTCOME_TIMEOUT && nt_record_has(record, NT_HAS_HANDSHAKE) ? END_IDLE :
												  END_DETECTED;
}

/* Zeek's letters are capitals for the side that opened the connection. Those for other events than flags are skipped. */
static unsigned int flags_of_letter(char letter, enum nt_side side)
{
	static const struct {
		char letter;
		unsigned int flags;
	} letters[] = {
		{ 'S', TCP_FLAG_SYN }, { 'H', TCP_FLAG_SYN | TCP_FLAG_ACK },
		{ 'A', TCP_FLAG_ACK }, { 'D', TCP_FLAG_ACK },
		{ 'F', TCP_FLAG_FIN }, { 'I', TCP_FLAG_FIN | TCP_FLAG_RST },
		{ 'R', TCP_FLAG_RST }, { 'Q', TCP_FLAG_SYN },
	};
	unsigned int i;

	for (i = 0; i < sizeof(letters) / sizeof(*letters); i++)
		if (letter == (side == NT_SRC ? letters[i].letter : letters[i].letter + ('a' - 'A')))
			return letters[i].flags;
	return 0;
}

/* Letters of ACKs and payload are there only if every packet was followed; but payload has an ACK, and so has the end of
 * the handshake. */
static unsigned int flags_of(const struct nt_record *record, enum nt_side side)
{
	bool has_bytes = nt_record_has(record, side == NT_SRC ? NT_HAS_SRC_BYTES : NT_HAS_DST_BYTES) &&
			 record->bytes[side];
	unsigned int flags = has_bytes || (side == NT_SRC && nt_record_has(record, NT_HAS_SYNACK_ACK)) ? TCP_FLAG_ACK :
													 0;
	const char *letter = record->long_history ? record->long_history : record->history;

	for (; *letter; letter++)
		flags |= flags_of_letter(*letter, side);
	return flags;
}

static void set_addresses(struct flow_values *values, const struct nt_record *record, enum nt_side from)
{
	bool is_ipv4 = nt_address_family(record->src_ip) == 4 && nt_address_family(record->dst_ip) == 4;

	values->groups |= is_ipv4 ? GROUP_IPV4 : GROUP_IPV6;
	values->src = from == NT_SRC ? record->src_ip : record->dst_ip;
	values->dst = from == NT_SRC ? record->dst_ip : record->src_ip;
	set_element(values, SRC_PORT, from == NT_SRC ? record->src_port : record->dst_port);
	set_element(values, DST_PORT, from == NT_SRC ? record->dst_port : record->src_port);
	set_element(values, PROTOCOL, IPPROTO_TCP);
	if (record->role != NT_ROLE_OBSERVER)
		set_element(values, DIRECTION, from == nt_record_local_side(record)); /* 1: egress */
}

static void set_times(struct flow_values *values, const struct nt_record *record)
{
	bool has_start = nt_record_has(record, NT_HAS_START);

	if (has_start)
		set_element(values, FLOW_START, record->start_ns / NS_PER_MS);
	set_element(values, FLOW_END,
		    (has_start && nt_record_has(record, NT_HAS_DURATION) ? record->start_ns + record->duration_ns :
									   record->end_ns) /
			    NS_PER_MS);
	set_element(values, FLOW_END_REASON, end_reason_of(record));
}

static void set_volume(struct flow_values *values, const struct nt_record *record, enum nt_side side, bool is_reverse)
{
	if (nt_record_has(record, side == NT_SRC ? NT_HAS_SRC_BYTES : NT_HAS_DST_BYTES))
		set_element(values, is_reverse ? REVERSE_OCTETS : OCTETS, record->bytes[side]);
	if (nt_record_has(record, side == NT_SRC ? NT_HAS_SRC_PACKETS : NT_HAS_DST_PACKETS))
		set_element(values, is_reverse ? REVERSE_PACKETS : PACKETS, record->packets[side]);
	if (nt_record_has(record, NT_HAS_HISTORY))
		set_element(values, is_reverse ? REVERSE_FLAGS : FLAGS, flags_of(record, side));
}

static void set_flow_interface(struct flow_values *values, const struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_VLAN))
		set_element(values, VLAN, record->vlan);
	if (!nt_record_has(record, NT_HAS_IFNAME))
		return;
	values->groups |= GROUP_INTERFACE;
	values->interface = record->ifname;
}

static void fill_flow(struct ipfix_flow *flow, const struct nt_record *record, enum nt_side from, bool is_biflow)
{
	struct flow_values values = { .interface = "" };

	set_addresses(&values, record, from);
	set_times(&values, record);
	set_flow_interface(&values, record);
	set_volume(&values, record, from, false);
	if (is_biflow) {
		set_element(&values, BIFLOW_DIRECTION,
			    !(record->gaps & NT_GAP_DIRECTION)); /* 1: src is the initiator */
		set_volume(&values, record, NT_DST, true);
	}
	encode_flow(flow, &values);
}

/* Collectors add up. A socket's totals are the kernel's: what an exit record has of them, the next tracker reports again
 * at the end of the connection. Without a socket it begins to count anew. */
static bool is_last_account(const struct nt_record *record)
{
	return record->event == NT_EVENT_CLOSE || (record->event == NT_EVENT_EXIT && !(record->seen & NT_SEEN_SOCKET));
}

static bool is_attempt_without_answer(const struct nt_record *record)
{
	return !nt_record_has(record, NT_HAS_HANDSHAKE) &&
	       (record->outcome == NT_OUTCOME_TIMEOUT || record->outcome == NT_OUTCOME_UNREACHABLE ||
		record->outcome == NT_OUTCOME_UNANSWERED);
}

/* A side that sent nothing has no flow. */
static bool had_packets(const struct nt_record *record, enum nt_side side)
{
	if (nt_record_has(record, side == NT_SRC ? NT_HAS_SRC_PACKETS : NT_HAS_DST_PACKETS))
		return record->packets[side];
	return side == NT_SRC || !is_attempt_without_answer(record);
}

unsigned int ipfix_fill_flows(struct ipfix_flow flows[2], const struct nt_record *record, bool is_biflow)
{
	unsigned int count = 0;
	enum nt_side side;

	if (!is_last_account(record))
		return 0;
	if (is_biflow) {
		fill_flow(&flows[0], record, NT_SRC, true);
		return 1;
	}
	for (side = NT_SRC; side <= NT_DST; side++)
		if (had_packets(record, side))
			fill_flow(&flows[count++], record, side, false);
	return count;
}
