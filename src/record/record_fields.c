// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_fields.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/record/community_id.h"

#define NS_PER_SECOND 1000000000ULL
#define MOST_EXACT_INTEGER ((1ULL << 53) - 1)

#define LIST(...) ((const char *const[]){ __VA_ARGS__ })
#define NAMES(symbol, ...) \
	const struct field_names symbol = { LIST(__VA_ARGS__), sizeof(LIST(__VA_ARGS__)) / sizeof(char *) }

NAMES(record_event_names, "close", "open", "update", "exit", "listed", "listener");
NAMES(record_role_names, "client", "server", "observer");
NAMES(record_outcome_names, "closed", "reset", "refused", "timeout", "unreachable", "expired", "unanswered", "open");
NAMES(record_side_names, "src", "dst");
NAMES(record_gap_names, "start", "direction", "owner", "owner_partial", "packets", "wire_end", "doubtful_end", "hidden",
      "bypass", "bytes_mod_4g", "value_range", "evicted", "events");
static NAMES(family_names, "ipv4", "ipv6");
static NAMES(owner_by_names, "connect", "io", "close", "accept", "listen", "scan", "capture");
NAMES(record_limited_by_names, "receiver", "sndbuf", "network", "idle");
static NAMES(seen_names, "wire", "packets", "socket", "calls");
/* The kernel's TCP states, include/net/tcp_states.h; 0 is none. */
NAMES(record_state_names, NULL, "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close",
      "close_wait", "last_ack", "listen", "closing", "new_syn_recv");

const char *field_name(const struct field_names *names, unsigned int index)
{
	return index < names->count ? names->names[index] : NULL;
}

static char *write_octet(char *out, unsigned int octet)
{
	if (octet >= 100)
		*out++ = (char)('0' + octet / 100);
	if (octet >= 10)
		*out++ = (char)('0' + octet / 10 % 10);
	*out++ = (char)('0' + octet % 10);
	return out;
}

/* inet_ntop() calls printf, which took a tenth of the time of a record. */
static void write_ipv4_text(char *out, const __u8 octets[4])
{
	int i;

	for (i = 0; i < 4; i++) {
		out = write_octet(out, octets[i]);
		*out++ = i < 3 ? '.' : '\0';
	}
}

void record_address_text(char out[ADDRESS_TEXT_SIZE], const __u8 address[16])
{
	if (nt_address_family(address) == 4)
		write_ipv4_text(out, address + 12);
	else
		inet_ntop(AF_INET6, address, out, ADDRESS_TEXT_SIZE);
}

/* Writes the number with leading zeros. Returns the position after it. */
static char *write_digits(char *out, unsigned int number, int digits)
{
	int i;

	for (i = digits - 1; i >= 0; i--) {
		out[i] = (char)('0' + number % 10);
		number /= 10;
	}
	return out + digits;
}

void record_time_text(char out[FIELD_STORAGE_SIZE], __u64 epoch_ns, int decimals)
{
	time_t seconds = (time_t)(epoch_ns / NS_PER_SECOND);
	unsigned int nanoseconds = (unsigned int)(epoch_ns % NS_PER_SECOND);
	static time_t known_seconds = -1;
	static struct tm utc; /* known_seconds, broken down: most records are of the same second as the one before */

	if (seconds != known_seconds)
		gmtime_r(&seconds, &utc);
	known_seconds = seconds;
	out = write_digits(out, (unsigned int)utc.tm_year + 1900, 4);
	*out++ = '-';
	out = write_digits(out, (unsigned int)utc.tm_mon + 1, 2);
	*out++ = '-';
	out = write_digits(out, (unsigned int)utc.tm_mday, 2);
	*out++ = 'T';
	out = write_digits(out, (unsigned int)utc.tm_hour, 2);
	*out++ = ':';
	out = write_digits(out, (unsigned int)utc.tm_min, 2);
	*out++ = ':';
	out = write_digits(out, (unsigned int)utc.tm_sec, 2);
	*out++ = '.';
	out = write_digits(out, decimals == 3 ? nanoseconds / 1000000 : nanoseconds, decimals);
	*out++ = 'Z';
	*out = '\0';
}

static const void *member(const struct record_field *field, const struct nt_record *record)
{
	return (const char *)record + field->offset;
}

static bool set_value_string(struct field_value *value, const char *string, size_t size)
{
	value->string = string;
	value->string_size = size;
	return string != NULL;
}

static bool set_value_storage(struct field_value *value, size_t size)
{
	return set_value_string(value, value->storage, size);
}

static bool get_integer(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	value->integer = record_field_integer(field, record);
	return true;
}

static bool get_characters(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	return set_value_string(value, member(field, record), field->size);
}

static bool get_word(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	const char *word = member(field, record);

	return set_value_string(value, word, strnlen(word, field->size));
}

static bool get_pointer(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	const char *const *pointer = member(field, record);

	return set_value_string(value, *pointer, *pointer ? strlen(*pointer) : 0);
}

static bool get_name(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	const char *name = field_name(field->names, (unsigned int)record_field_integer(field, record));

	return set_value_string(value, name, name ? strlen(name) : 0);
}

static bool get_bits(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	__u64 bits = record_field_integer(field, record);
	unsigned int i;

	value->list_count = 0;
	for (i = 0; i < field->names->count; i++)
		if (bits & 1U << i)
			value->list[value->list_count++] = field->names->names[i];
	return true;
}

static bool get_version(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	(void)field, (void)record;
	value->integer = NT_RECORD_VERSION;
	return true;
}

static bool get_family(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	const char *name = field_name(field->names, nt_address_family(member(field, record)) == 4 ? 0 : 1);

	return name && set_value_string(value, name, strlen(name));
}

static bool get_address(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	record_address_text(value->storage, member(field, record));
	return set_value_storage(value, strlen(value->storage));
}

static bool get_community_id(const struct record_field *field, const struct nt_record *record,
			     struct field_value *value)
{
	(void)field;
	community_id(value->storage, record->src_ip, record->src_port, record->dst_ip, record->dst_port);
	return set_value_storage(value, sizeof("1:") - 1 + 28);
}

static bool get_history(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	const char *history = record->long_history ? record->long_history : record->history;

	(void)field;
	return set_value_string(value, history, strlen(history));
}

static bool get_time(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	if (!record_field_integer(field, record))
		return false;
	record_time_text(value->storage, record_field_integer(field, record), 9);
	return set_value_storage(value, sizeof("2023-11-14T22:13:20.001000000Z") - 1);
}

static bool get_complete(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	value->integer = record_field_integer(field, record) == 0;
	return true;
}

static bool get_flag(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	value->integer = record_field_integer(field, record) != 0;
	return true;
}

#define KEY(name) "\"" name "\":", sizeof("\"" name "\":") - 1
#define MEMBER(m) offsetof(struct nt_record, m), sizeof(((struct nt_record *)0)->m)
/* clang-format off */
#define INTEGER(name, present, m) { KEY(name), FIELD_INTEGER, present, get_integer, MEMBER(m), NULL }
#define SIGNED(name, present, m) { KEY(name), FIELD_SIGNED, present, get_integer, MEMBER(m), NULL }
#define CHARACTERS(name, present, m) { KEY(name), FIELD_STRING, present, get_characters, MEMBER(m), NULL }
#define WORD(name, present, m) { KEY(name), FIELD_WORD, present, get_word, MEMBER(m), NULL }
#define POINTER(name, present, m) { KEY(name), FIELD_STRING, present, get_pointer, MEMBER(m), NULL }
#define ENUMERATOR(name, present, m, names) { KEY(name), FIELD_WORD, present, get_name, MEMBER(m), names }
#define BITS(name, m, names) { KEY(name), FIELD_LIST, FIELD_OF_CONNECTIONS, get_bits, MEMBER(m), names }
#define ADDRESS(name, present, m) { KEY(name), FIELD_WORD, present, get_address, MEMBER(m), NULL }
#define TIME(name, present, m) { KEY(name), FIELD_WORD, present, get_time, MEMBER(m), NULL }
/* clang-format on */

const struct record_field record_fields[] = {
	{ KEY("v"), FIELD_INTEGER, FIELD_ALWAYS, get_version, 0, 0, NULL },
	WORD("id", FIELD_ALWAYS, id),
	TIME("time", FIELD_ALWAYS, end_ns),
	ENUMERATOR("event", FIELD_ALWAYS, event, &record_event_names),
	POINTER("host", NT_HAS_HOST, host),
	ENUMERATOR("role", FIELD_OF_CONNECTIONS, role, &record_role_names),
	{ KEY("family"), FIELD_WORD, FIELD_ALWAYS, get_family, MEMBER(dst_ip), &family_names },
	ADDRESS("src_ip", FIELD_OF_CONNECTIONS, src_ip),
	INTEGER("src_port", FIELD_OF_CONNECTIONS, src_port),
	ADDRESS("dst_ip", FIELD_ALWAYS, dst_ip),
	INTEGER("dst_port", FIELD_ALWAYS, dst_port),
	{ KEY("community_id"), FIELD_WORD, FIELD_OF_CONNECTIONS, get_community_id, 0, 0, NULL },
	INTEGER("netns", NT_HAS_NETNS, netns),
	POINTER("netns_name", NT_HAS_NETNS_NAME, netns_name),
	ADDRESS("wire_src_ip", NT_HAS_WIRE_SRC, wire_src_ip),
	INTEGER("wire_src_port", NT_HAS_WIRE_SRC, wire_src_port),
	ADDRESS("wire_dst_ip", NT_HAS_WIRE_DST, wire_dst_ip),
	INTEGER("wire_dst_port", NT_HAS_WIRE_DST, wire_dst_port),
	CHARACTERS("ifname", NT_HAS_IFNAME, ifname),
	INTEGER("vlan", NT_HAS_VLAN, vlan),
	INTEGER("pid", NT_HAS_PID, pid),
	CHARACTERS("comm", NT_HAS_COMM, comm),
	POINTER("exe", NT_HAS_EXE, exe),
	INTEGER("uid", NT_HAS_UID, uid),
	ENUMERATOR("owner_by", NT_HAS_OWNER_BY, owner_by, &owner_by_names),
	INTEGER("opener_pid", NT_HAS_OPENER_PID, opener_pid),
	POINTER("cgroup", NT_HAS_CGROUP, cgroup),
	CHARACTERS("container", NT_HAS_CONTAINER, container),
	TIME("start", NT_HAS_START, start_ns),
	INTEGER("duration_ns", NT_HAS_DURATION, duration_ns),
	INTEGER("first_fin_ns", NT_HAS_FIRST_FIN, first_fin_ns),
	INTEGER("wire_duration_ns", NT_HAS_WIRE_DURATION, wire_duration_ns),
	SIGNED("syn_synack_ns", NT_HAS_SYN_SYNACK, syn_synack_ns),
	SIGNED("synack_ack_ns", NT_HAS_SYNACK_ACK, synack_ack_ns),
	SIGNED("handshake_ns", NT_HAS_HANDSHAKE, handshake_ns),
	SIGNED("syn_finack_ns", NT_HAS_SYN_FINACK, syn_finack_ns),
	INTEGER("request_ns", NT_HAS_REQUEST, request_ns),
	INTEGER("response_ns", NT_HAS_RESPONSE, response_ns),
	INTEGER("accept_wait_ns", NT_HAS_ACCEPT_WAIT, accept_wait_ns),
	ENUMERATOR("outcome", FIELD_OF_CONNECTIONS, outcome, &record_outcome_names),
	ENUMERATOR("ended_by", NT_HAS_ENDED_BY, ended_by, &record_side_names),
	WORD("reason", NT_HAS_REASON, reason),
	ENUMERATOR("state", NT_HAS_STATE, state, &record_state_names),
	INTEGER("state_age_ns", NT_HAS_STATE_AGE, state_age_ns),
	INTEGER("recv_queue_bytes", NT_HAS_RECV_QUEUE, recv_queue_bytes),
	INTEGER("send_queue_bytes", NT_HAS_SEND_QUEUE, send_queue_bytes),
	INTEGER("unacked_bytes", NT_HAS_UNACKED, unacked_bytes),
	INTEGER("cwnd", NT_HAS_CWND, cwnd),
	INTEGER("last_sent_ns", NT_HAS_LAST_SENT, last_sent_ns),
	INTEGER("last_received_ns", NT_HAS_LAST_RECEIVED, last_received_ns),
	WORD("conn_state", NT_HAS_CONN_STATE, conn_state),
	{ KEY("history"), FIELD_WORD, NT_HAS_HISTORY, get_history, 0, 0, NULL },
	INTEGER("src_bytes", NT_HAS_SRC_BYTES, bytes[NT_SRC]),
	INTEGER("dst_bytes", NT_HAS_DST_BYTES, bytes[NT_DST]),
	INTEGER("src_packets", NT_HAS_SRC_PACKETS, packets[NT_SRC]),
	INTEGER("dst_packets", NT_HAS_DST_PACKETS, packets[NT_DST]),
	INTEGER("src_retransmits", NT_HAS_SRC_RETRANSMITS, retransmits[NT_SRC]),
	INTEGER("dst_retransmits", NT_HAS_DST_RETRANSMITS, retransmits[NT_DST]),
	INTEGER("rtt_us", NT_HAS_RTT, rtt_us),
	INTEGER("min_rtt_us", NT_HAS_MIN_RTT, min_rtt_us),
	ENUMERATOR("limited_by", NT_HAS_LIMITED_BY, limited_by, &record_limited_by_names),
	BITS("seen", seen, &seen_names),
	{ KEY("complete"), FIELD_BOOLEAN, FIELD_OF_CONNECTIONS, get_complete, MEMBER(gaps), NULL },
	BITS("gaps", gaps, &record_gap_names),
	INTEGER("last_request_ns", NT_HAS_LAST_REQUEST, last_request_ns),
	INTEGER("last_response_ns", NT_HAS_LAST_RESPONSE, last_response_ns),
	INTEGER("backlog", NT_HAS_BACKLOG, backlog),
	INTEGER("backlog_max", NT_HAS_BACKLOG_MAX, backlog_max),
	INTEGER("drops", NT_HAS_DROPS, drops),
	{ KEY("dual_stack"), FIELD_BOOLEAN, NT_HAS_DUAL_STACK, get_flag, MEMBER(dual_stack), NULL },
};

const unsigned int record_field_count = sizeof(record_fields) / sizeof(record_fields[0]);

bool record_field_name(unsigned int index, char name[FIELD_KEY_SIZE])
{
	size_t size;

	if (index >= record_field_count)
		return false;
	size = record_fields[index].key_size - strlen("\"\":");
	memcpy(name, record_fields[index].key + 1, size);
	name[size] = '\0';
	return true;
}

bool record_field_get(const struct record_field *field, const struct nt_record *record, struct field_value *value)
{
	return record_has_field(record, field) && field->get(field, record, value);
}

#define PRESENT_OF_LISTENERS \
	(NT_PRESENT(NT_HAS_BACKLOG) | NT_PRESENT(NT_HAS_BACKLOG_MAX) | NT_PRESENT(NT_HAS_DROPS) | \
	 NT_PRESENT(NT_HAS_DUAL_STACK))
#define PRESENT_OF_BOTH \
	(NT_PRESENT(NT_HAS_HOST) | NT_PRESENT(NT_HAS_NETNS) | NT_PRESENT(NT_HAS_NETNS_NAME) | \
	 NT_PRESENT(NT_HAS_IFNAME) | NT_PRESENT(NT_HAS_PID) | NT_PRESENT(NT_HAS_COMM) | NT_PRESENT(NT_HAS_EXE) | \
	 NT_PRESENT(NT_HAS_UID) | NT_PRESENT(NT_HAS_CGROUP) | NT_PRESENT(NT_HAS_CONTAINER))

bool record_field_is_of_listeners(const struct record_field *field)
{
	if (field->present < 0)
		return field->present == FIELD_ALWAYS;
	return NT_PRESENT(field->present) & (PRESENT_OF_LISTENERS | PRESENT_OF_BOTH);
}

bool record_field_is_of_connections(const struct record_field *field)
{
	return field->present < 0 || !(NT_PRESENT(field->present) & PRESENT_OF_LISTENERS);
}

enum field_kind record_field_kind(const struct record_field *field)
{
	static const struct {
		bool (*get)(const struct record_field *field, const struct nt_record *record,
			    struct field_value *value);
		enum field_kind kind;
	} kinds[] = {
		{ get_integer, FIELD_KIND_INTEGER }, { get_characters, FIELD_KIND_CHARACTERS },
		{ get_word, FIELD_KIND_WORD },       { get_pointer, FIELD_KIND_POINTER },
		{ get_name, FIELD_KIND_ENUMERATOR }, { get_bits, FIELD_KIND_BITS },
		{ get_address, FIELD_KIND_ADDRESS }, { get_time, FIELD_KIND_TIME },
		{ get_history, FIELD_KIND_HISTORY },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (field->get == kinds[i].get)
			return kinds[i].kind;
	return FIELD_KIND_DERIVED;
}

bool record_member_set_integer(void *member, size_t size, long long value)
{
	switch (size) {
	case sizeof(__u8):
		*(__u8 *)member = (__u8)value;
		return value >= 0 && value <= 0xff;
	case sizeof(__u16):
		*(__u16 *)member = (__u16)value;
		return value >= 0 && value <= 0xffff;
	case sizeof(__u32):
		*(__u32 *)member = (__u32)value;
		return value >= 0 && value <= 0xffffffffLL;
	default:
		*(long long *)member = value;
		return true;
	}
}

static bool is_too_large(const struct record_field *field, const struct nt_record *record)
{
	__u64 value;

	if ((field->type != FIELD_INTEGER && field->type != FIELD_SIGNED) || field->size != sizeof(value) ||
	    !nt_record_has(record, field->present))
		return false;
	value = record_field_integer(field, record);
	if (field->type == FIELD_SIGNED && (__s64)value < 0)
		value = -value;
	return value > MOST_EXACT_INTEGER;
}

void record_limit_integers(struct nt_record *record)
{
	unsigned int i;

	for (i = 0; i < record_field_count; i++) {
		if (!is_too_large(&record_fields[i], record))
			continue;
		nt_record_unset(record, record_fields[i].present);
		record->gaps |= NT_GAP_VALUE_RANGE;
	}
}

bool record_word_is_plain(const char *word)
{
	return word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:^-")] == '\0';
}
