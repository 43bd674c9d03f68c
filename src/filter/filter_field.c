// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/filter/filter_field.h"

#include <stdio.h>
#include <string.h>

#include "src/filter/filter.h"
#include "src/util/nearest.h"

#define NS_PER_SECOND 1000000000ULL

/* ---- values computed from several keys ---- */

static void set_number(struct filter_operand *operand, __s64 number)
{
	operand->number[operand->count++] = number;
}

static void get_host(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	if (!nt_record_is_listener(record))
		operand->address[operand->count++] = record->src_ip;
	operand->address[operand->count++] = record->dst_ip;
}

static void get_local(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	operand->address[0] = filter_local_is_src(record) ? record->src_ip : record->dst_ip;
	operand->count = 1;
}

static void get_remote(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	operand->address[0] = filter_local_is_src(record) ? record->dst_ip : record->src_ip;
	operand->count = !nt_record_is_listener(record);
}

static void get_port(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	if (!nt_record_is_listener(record))
		set_number(operand, record->src_port);
	set_number(operand, record->dst_port);
}

static void get_local_port(const struct filter_field *field, const struct nt_record *record,
			   struct filter_operand *operand)
{
	(void)field;
	set_number(operand, filter_local_is_src(record) ? record->src_port : record->dst_port);
}

static void get_remote_port(const struct filter_field *field, const struct nt_record *record,
			    struct filter_operand *operand)
{
	(void)field;
	if (!nt_record_is_listener(record))
		set_number(operand, filter_local_is_src(record) ? record->dst_port : record->src_port);
}

static void get_side_bytes(const struct nt_record *record, enum nt_side side, struct filter_operand *operand)
{
	if (nt_record_has(record, side == NT_SRC ? NT_HAS_SRC_BYTES : NT_HAS_DST_BYTES))
		set_number(operand, (__s64)record->bytes[side]);
}

static void get_sent(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	get_side_bytes(record, filter_local_is_src(record) ? NT_SRC : NT_DST, operand);
}

static void get_received(const struct filter_field *field, const struct nt_record *record,
			 struct filter_operand *operand)
{
	(void)field;
	get_side_bytes(record, filter_local_is_src(record) ? NT_DST : NT_SRC, operand);
}

static void get_both_bytes(const struct filter_field *field, const struct nt_record *record,
			   struct filter_operand *operand)
{
	(void)field;
	if (nt_record_has(record, NT_HAS_SRC_BYTES) && nt_record_has(record, NT_HAS_DST_BYTES))
		set_number(operand, (__s64)(record->bytes[NT_SRC] + record->bytes[NT_DST]));
}

/* As the column SEND-Q and ss: what waits to be sent, and what waits to be acknowledged. */
static void get_send_queue(const struct filter_field *field, const struct nt_record *record,
			   struct filter_operand *operand)
{
	(void)field;
	if (nt_record_has(record, NT_HAS_SEND_QUEUE) && nt_record_has(record, NT_HAS_UNACKED))
		set_number(operand, (__s64)record->send_queue_bytes + record->unacked_bytes);
}

/* A socket knows only its own side's retransmissions, so those that are known are added. */
static void get_retransmits(const struct filter_field *field, const struct nt_record *record,
			    struct filter_operand *operand)
{
	static const int bits[2][2] = { { NT_HAS_SRC_RETRANSMITS, NT_HAS_SRC_PACKETS },
					{ NT_HAS_DST_RETRANSMITS, NT_HAS_DST_PACKETS } };
	bool has_all_packets = true;
	int side;

	(void)field;
	for (side = NT_SRC; side <= NT_DST; side++) {
		if (!nt_record_has(record, bits[side][0]))
			continue;
		operand->count = 1;
		operand->number[0] += (__s64)record->retransmits[side];
		operand->of += record->packets[side];
		has_all_packets = has_all_packets && nt_record_has(record, bits[side][1]);
	}
	if (!has_all_packets)
		operand->of = 0;
}

static void get_rtt(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	if (nt_record_has(record, NT_HAS_RTT))
		set_number(operand, (__s64)record->rtt_us * 1000);
}

static void get_age(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	(void)field;
	if (nt_record_has(record, NT_HAS_START) && record->end_ns >= record->start_ns)
		set_number(operand, (__s64)(record->end_ns - record->start_ns));
}

static void get_family_bits(const struct filter_field *field, const struct nt_record *record,
			    struct filter_operand *operand)
{
	(void)field;
	operand->bits = nt_address_family(record->dst_ip) == 4 ? 1 : 2;
	operand->count = 1;
}

/* ---- the record's keys ---- */

static const void *key_member(const struct record_field *key, const struct nt_record *record)
{
	return (const char *)record + key->offset;
}

static void get_key(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	if (!record_field_get(field->key, record, &operand->value))
		return;
	operand->count = 1;
	operand->number[0] = (__s64)operand->value.integer;
	operand->text = operand->value.string;
	if (operand->text)
		operand->size = strnlen(operand->text, operand->value.string_size);
}

static void get_key_address(const struct filter_field *field, const struct nt_record *record,
			    struct filter_operand *operand)
{
	if (!record_has_field(record, field->key))
		return;
	operand->address[0] = key_member(field->key, record);
	operand->count = 1;
}

static void get_key_time(const struct filter_field *field, const struct nt_record *record,
			 struct filter_operand *operand)
{
	__u64 ns = record_field_integer(field->key, record);

	if (record_has_field(record, field->key) && ns) /* `time` of a record of version 1 may be unknown */
		set_number(operand, (__s64)ns);
}

static void get_key_name(const struct filter_field *field, const struct nt_record *record,
			 struct filter_operand *operand)
{
	if (!record_has_field(record, field->key))
		return;
	operand->bits = 1ULL << (record_field_integer(field->key, record) & 63);
	operand->count = 1;
}

static void get_key_names(const struct filter_field *field, const struct nt_record *record,
			  struct filter_operand *operand)
{
	if (!record_has_field(record, field->key))
		return;
	operand->bits = record_field_integer(field->key, record);
	operand->count = 1;
}

/* ---- the table ---- */

static const char *const family_words[] = { "ipv4", "ipv6" };
static const struct field_names family_field_names = { family_words, 2 };

/* Fields that are no keys, or have another type or default unit than the key's name says. */
/* clang-format off */
static const struct filter_field short_fields[] = {
	{ .name = "host", .computed_from = "src_ip dst_ip", .type = FILTER_ADDRESS, .get = get_host },
	{ .name = "net", .computed_from = "src_ip dst_ip", .type = FILTER_ADDRESS, .get = get_host },
	{ .name = "local", .computed_from = "role src_ip dst_ip", .type = FILTER_ADDRESS, .get = get_local },
	{ .name = "remote", .computed_from = "role src_ip dst_ip", .type = FILTER_ADDRESS, .get = get_remote, .is_of_connections = true },
	{ .name = "port", .computed_from = "src_port dst_port", .type = FILTER_PORT, .get = get_port },
	{ .name = "lport", .computed_from = "role src_port dst_port", .type = FILTER_PORT, .get = get_local_port },
	{ .name = "rport", .computed_from = "role src_port dst_port", .type = FILTER_PORT, .get = get_remote_port, .is_of_connections = true },
	{ .name = "family", .computed_from = "dst_ip", .type = FILTER_NAME, .get = get_family_bits, .names = &family_field_names },
	{ .name = "sent", .computed_from = "role src_bytes dst_bytes", .type = FILTER_SIZE, .get = get_sent, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "recv", .computed_from = "role src_bytes dst_bytes", .type = FILTER_SIZE, .get = get_received, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "bytes", .computed_from = "src_bytes dst_bytes", .type = FILTER_SIZE, .get = get_both_bytes, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "send-q", .computed_from = "send_queue_bytes unacked_bytes", .type = FILTER_SIZE, .get = get_send_queue, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "retrans", .computed_from = "src_retransmits dst_retransmits src_packets dst_packets", .type = FILTER_COUNT_OR_RATIO, .get = get_retransmits, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "rtt", .computed_from = "rtt_us", .type = FILTER_DURATION, .get = get_rtt, .unit_ns = NS_PER_SECOND, .is_absent_at_times = true,
	  .is_of_connections = true },
	{ .name = "age", .computed_from = "start time", .type = FILTER_DURATION, .get = get_age, .unit_ns = NS_PER_SECOND, .is_absent_at_times = true,
	  .is_of_connections = true },
};

/* Other names of keys. A duration that a user abbreviates counts seconds, as the options do. */
static const struct {
	const char *name, *key;
} aliases[] = {
	{ "src", "src_ip" }, { "dst", "dst_ip" }, { "sport", "src_port" }, { "dport", "dst_port" },
	{ "user", "uid" }, { "machine", "host" }, { "by", "ended_by" }, { "limited", "limited_by" }, { "gap", "gaps" },
	{ "duration", "duration_ns" }, { "handshake", "handshake_ns" }, { "interface", "ifname" },
	/* The headings of columns. */
	{ "lasted", "duration_ns" }, { "received", "recv" }, { "recv-q", "recv_queue_bytes" },
	{ "unacked", "unacked_bytes" }, { "state-age", "state_age_ns" }, { "max", "backlog_max" },
	/* Wireshark's and tcpdump's names. */
	{ "portrange", "port" }, { "tcp.port", "port" }, { "tcp.srcport", "src_port" }, { "tcp.dstport", "dst_port" },
	{ "ip.addr", "host" }, { "ip.src", "src_ip" }, { "ip.dst", "dst_ip" },
	{ "ipv6.addr", "host" }, { "ipv6.src", "src_ip" }, { "ipv6.dst", "dst_ip" },
};
/* clang-format on */

static bool key_is(const struct record_field *key, const char *name)
{
	size_t size = strlen(name);

	return key->key_size == size + strlen("\"\":") && !memcmp(key->key + 1, name, size);
}

static const struct record_field *find_key(const char *name)
{
	unsigned int i;

	for (i = 0; i < record_field_count; i++)
		if (key_is(&record_fields[i], name))
			return &record_fields[i];
	return NULL;
}

static bool ends_with(const char *name, const char *end)
{
	size_t size = strlen(name), end_size = strlen(end);

	return size > end_size && !strcmp(name + size - end_size, end);
}

static const struct {
	const char *name;
	enum filter_type type;
} key_types[] = {
	{ "uid", FILTER_USER },      { "netns", FILTER_NETNS },         { "comm", FILTER_COMM },
	{ "cgroup", FILTER_CGROUP }, { "container", FILTER_CONTAINER }, { "start", FILTER_TIME },
	{ "time", FILTER_TIME },     { "rtt_us", FILTER_DURATION },     { "min_rtt_us", FILTER_DURATION },
};

static enum filter_type type_of_key(const struct record_field *key, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
		if (!strcmp(name, key_types[i].name))
			return key_types[i].type;
	if (key->type == FIELD_LIST)
		return FILTER_NAMES;
	if (key->type == FIELD_BOOLEAN)
		return FILTER_FLAG;
	if (key->type == FIELD_STRING || key->type == FIELD_WORD)
		return key->names ? FILTER_NAME : ends_with(name, "_ip") ? FILTER_ADDRESS : FILTER_TEXT;
	return ends_with(name, "_ns")    ? FILTER_DURATION :
	       ends_with(name, "_bytes") ? FILTER_SIZE :
	       ends_with(name, "_port")  ? FILTER_PORT :
					   FILTER_NUMBER;
}

/* rtt_us and min_rtt_us count microseconds; get_key() must convert them. */
static void get_key_us(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	get_key(field, record, operand);
	operand->number[0] *= 1000;
}

__s64 filter_field_unit(const struct filter_field *field)
{
	return field->get == get_key_us ? 1000 : 1;
}

static void fill_key_field(const struct record_field *key, const char *name, struct filter_field *field)
{
	bool is_us = ends_with(name, "_us");

	*field = (struct filter_field){ .type = type_of_key(key, name),
					.get = get_key,
					.key = key,
					.names = key->names,
					.unit_ns = is_us ? 1000 : 1 };
	field->is_absent_at_times = key->present >= 0 || field->type == FILTER_TIME;
	field->is_signed = key->type == FIELD_SIGNED;
	if (is_us)
		field->get = get_key_us;
	else if (field->type == FILTER_ADDRESS)
		field->get = get_key_address;
	else if (field->type == FILTER_TIME)
		field->get = get_key_time;
	else if (field->type == FILTER_NAME)
		field->get = get_key_name;
	else if (field->type == FILTER_NAMES)
		field->get = get_key_names;
}

static const char *find_alias(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcmp(name, aliases[i].name))
			return aliases[i].key;
	return NULL;
}

static bool find_any_field(const char *name, struct filter_field *field)
{
	const char *other = find_alias(name), *known = other ? other : name;
	const struct record_field *key;
	size_t i;

	for (i = 0; i < sizeof(short_fields) / sizeof(short_fields[0]); i++) {
		if (strcmp(known, short_fields[i].name))
			continue;
		if (other && !strcmp(name, "machine"))
			break; /* the key `host`, not the field */
		*field = short_fields[i];
		return true;
	}
	key = find_key(known);
	if (!key)
		return false;
	fill_key_field(key, known, field);
	if (other && field->type == FILTER_DURATION)
		field->unit_ns = NS_PER_SECOND;
	return true;
}

bool filter_field_find(const char *name, struct filter_field *field)
{
	if (!find_any_field(name, field))
		return false;
	snprintf(field->name, sizeof(field->name), "%s", name);
	return true;
}

bool filter_field_is_of_listeners(const struct filter_field *field)
{
	return field->key ? record_field_is_of_listeners(field->key) : !field->is_of_connections;
}

bool filter_field_is_of_connections(const struct filter_field *field)
{
	return !field->key || record_field_is_of_connections(field->key);
}

void filter_field_get(const struct filter_field *field, const struct nt_record *record, struct filter_operand *operand)
{
	operand->count = 0;
	operand->number[0] = 0;
	operand->of = 0;
	operand->text = NULL;
	operand->size = 0;
	operand->value.string = NULL;
	operand->value.integer = 0;
	field->get(field, record, operand);
}

static const char *field_name_at(unsigned int index, const void *context)
{
	static char name[FIELD_KEY_SIZE];
	size_t shorts = sizeof(short_fields) / sizeof(short_fields[0]), others = sizeof(aliases) / sizeof(aliases[0]);

	(void)context;
	if (index < shorts)
		return short_fields[index].name;
	index -= (unsigned int)shorts;
	if (index < others)
		return aliases[index].name;
	return record_field_name(index - (unsigned int)others, name) ? name : NULL;
}

bool filter_field_find_nearest(const char *text, char nearest[FIELD_KEY_SIZE])
{
	return nearest_find(text, field_name_at, NULL, nearest, FIELD_KEY_SIZE);
}

const char *filter_short_name(unsigned int index)
{
	static const char *const names[] = {
		"host",  "net",   "src",     "dst",   "local",   "remote",  "port",     "sport",     "dport",
		"lport", "rport", "pid",     "comm",  "exe",     "user",    "cgroup",   "container", "netns",
		"role",  "state", "outcome", "by",    "reason",  "gap",     "duration", "age",       "handshake",
		"rtt",   "sent",  "recv",    "bytes", "retrans", "limited", "machine",  "interface",
	};

	return index < sizeof(names) / sizeof(names[0]) ? names[index] : NULL;
}
