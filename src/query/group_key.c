// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/group_key.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/query/query_columns.h"
#include "src/util/nearest.h"
#include "src/util/quantity.h"

#define NS_PER_SECOND 1000000000ULL
#define ADDRESS_SIZE 16
#define MAPPED_BITS 96

/* ---- the keys ---- */

static const struct {
	const char *name;
	enum group_key_kind kind;
	const char *key; /* of the record; NULL: none of its own */
} named_keys[] = {
	{ "peer", GROUP_BY_PEER, NULL },
	{ "service", GROUP_BY_SERVICE, NULL },
	{ "user", GROUP_BY_USER, "uid" },
	{ "port", GROUP_BY_FIELD, "dst_port" },
};
#define NAMED_KEYS (sizeof(named_keys) / sizeof(named_keys[0]))

static const struct record_field *find_key_field(const char *key)
{
	char name[FIELD_KEY_SIZE];
	unsigned int i;

	for (i = 0; record_field_name(i, name); i++)
		if (!strcmp(name, key))
			return record_field_is_of_connections(&record_fields[i]) ? &record_fields[i] : NULL;
	return NULL;
}

static bool parse_named(struct group_key *key, const char *name)
{
	size_t i;

	for (i = 0; i < NAMED_KEYS; i++) {
		if (strcmp(name, named_keys[i].name))
			continue;
		key->kind = named_keys[i].kind;
		key->field = named_keys[i].key ? find_key_field(named_keys[i].key) : NULL;
		return true;
	}
	key->kind = GROUP_BY_FIELD;
	key->field = find_key_field(name);
	return key->field;
}

/* net/24: that many bits of IPv4 addresses, and 64 of IPv6; net/48, of which IPv4 has not so many: 48 of IPv6. */
static bool parse_net(struct group_key *key, const char *name)
{
	__u64 bits;

	if (strncmp(name, "net/", 4) || !quantity_number(name + 4, 0, 128, &bits))
		return false;
	key->kind = GROUP_BY_NET;
	key->bits[0] = bits <= 32 ? (unsigned int)bits : 32;
	key->bits[1] = bits <= 32 ? 64 : (unsigned int)bits;
	return true;
}

static bool parse_bucket(struct group_key *key, const char *name)
{
	if (!quantity_duration(name, 0, &key->bucket_ns) || key->bucket_ns < NS_PER_SECOND)
		return false;
	key->kind = GROUP_BY_TIME;
	snprintf(key->name, sizeof(key->name), "time");
	return true;
}

static const char *key_name_at(unsigned int index, const void *context)
{
	static char name[FIELD_KEY_SIZE];

	(void)context;
	if (index < NAMED_KEYS)
		return named_keys[index].name;
	return record_field_name(index - NAMED_KEYS, name) ? name : NULL;
}

static void write_unknown_key(const char *name, char *reason, size_t size)
{
	char nearest[FIELD_KEY_SIZE];

	if (nearest_find(name, key_name_at, NULL, nearest, sizeof(nearest)) && strcmp(nearest, name) != 0)
		snprintf(reason, size, "'%s' is no key; nearest: %s", name, nearest);
	else
		snprintf(reason, size,
			 "'%s' is no key; valid: keys of the record, peer, net/24, service, port, user, 10m, 1h", name);
}

static bool parse_key(struct group_keys *keys, const char *name, char *reason, size_t size)
{
	struct group_key *key = &keys->keys[keys->count];

	if (keys->count == MOST_GROUP_KEYS) {
		snprintf(reason, size, "more than %d keys", MOST_GROUP_KEYS);
		return false;
	}
	*key = (struct group_key){ 0 };
	snprintf(key->name, sizeof(key->name), "%s", name);
	if (!parse_named(key, name) && !parse_net(key, name) && !parse_bucket(key, name)) {
		write_unknown_key(name, reason, size);
		return false;
	}
	keys->count++;
	return true;
}

bool group_keys_parse(struct group_keys *keys, const char *text, char *reason, size_t size)
{
	char name[GROUP_KEY_NAME_SIZE];

	keys->count = 0;
	for (;;) {
		size_t length = strcspn(text, ",");

		snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), text);
		if (!parse_key(keys, name, reason, size))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

void group_keys_add_columns(const struct group_keys *keys, struct history_columns *columns)
{
	static const char *const needed[] = {
		[GROUP_BY_USER] = "uid",
		[GROUP_BY_PEER] = "role src_ip dst_ip",
		[GROUP_BY_NET] = "role src_ip dst_ip",
		[GROUP_BY_SERVICE] = "dst_ip dst_port",
		[GROUP_BY_TIME] = "time",
	};
	unsigned int i;

	for (i = 0; i < keys->count; i++) {
		const struct group_key *key = &keys->keys[i];
		char name[FIELD_KEY_SIZE];

		if (key->kind == GROUP_BY_FIELD)
			snprintf(name, sizeof(name), "%.*s", (int)(key->field->key_size - strlen("\"\":")),
				 key->field->key + 1);
		query_columns_add_keys(columns, key->kind == GROUP_BY_FIELD ? name : needed[key->kind]);
	}
}

/* ---- values into bytes ---- */

/* The first byte of a value. */
enum value_tag { TAG_UNKNOWN, TAG_NUMBER, TAG_TEXT, TAG_ADDRESS, TAG_NET, TAG_SERVICE, TAG_TIME, TAG_USER };

/* The most significant byte comes first, and negative numbers before others. */
static void append_number(struct text_buffer *bytes, enum value_tag tag, __u64 number)
{
	__u64 ordered = __builtin_bswap64(number ^ 1ULL << 63);

	text_char(bytes, (char)tag);
	text_append(bytes, (const char *)&ordered, sizeof(ordered));
}

/* A text has no NUL. With one at its end it comes before those that it begins. */
static void append_text(struct text_buffer *bytes, const char *text, size_t size)
{
	text_char(bytes, TAG_TEXT);
	text_append(bytes, text, size);
	text_char(bytes, '\0');
}

static void append_list(struct text_buffer *bytes, const struct field_value *value)
{
	char words[512];
	size_t used = 0;
	unsigned int i;

	words[0] = '\0';
	for (i = 0; i < value->list_count && used < sizeof(words); i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i ? "+" : "", value->list[i]);
	append_text(bytes, words, strlen(words));
}

static void append_field(const struct group_key *key, const struct nt_record *record, struct text_buffer *bytes)
{
	struct field_value value;

	if (!record_field_get(key->field, record, &value))
		return text_char(bytes, TAG_UNKNOWN);
	switch (key->field->type) {
	case FIELD_STRING:
	case FIELD_WORD:
		return append_text(bytes, value.string, strnlen(value.string, value.string_size));
	case FIELD_LIST:
		return append_list(bytes, &value);
	case FIELD_BOOLEAN:
		return append_text(bytes, value.integer ? "true" : "false", value.integer ? 4 : 5);
	default:
		return append_number(bytes, key->kind == GROUP_BY_USER ? TAG_USER : TAG_NUMBER, value.integer);
	}
}

static const __u8 *peer_of(const struct nt_record *record)
{
	return record->role == NT_ROLE_CLIENT ? record->dst_ip : record->src_ip;
}

static void append_net(const struct group_key *key, const __u8 *address, struct text_buffer *bytes)
{
	bool is_ipv4 = nt_address_family(address) == 4;
	unsigned int bits = is_ipv4 ? MAPPED_BITS + key->bits[0] : key->bits[1], i;
	__u8 net[ADDRESS_SIZE + 1];

	for (i = 0; i < ADDRESS_SIZE; i++)
		net[i] = bits >= 8 * (i + 1) ? address[i] :
			 bits <= 8 * i       ? 0 :
					       (__u8)(address[i] & 0xff << (8 * (i + 1) - bits));
	net[ADDRESS_SIZE] = (__u8)(is_ipv4 ? key->bits[0] : key->bits[1]);
	text_char(bytes, TAG_NET);
	text_append(bytes, (const char *)net, sizeof(net));
}

static void append_port(struct text_buffer *bytes, __u16 port)
{
	__u16 ordered = __builtin_bswap16(port);

	text_append(bytes, (const char *)&ordered, sizeof(ordered));
}

static void append_group_value(const struct group_key *key, const struct nt_record *record, struct text_buffer *bytes)
{
	switch (key->kind) {
	case GROUP_BY_PEER:
		text_char(bytes, TAG_ADDRESS);
		return text_append(bytes, (const char *)peer_of(record), ADDRESS_SIZE);
	case GROUP_BY_NET:
		return append_net(key, peer_of(record), bytes);
	case GROUP_BY_SERVICE:
		text_char(bytes, TAG_SERVICE);
		text_append(bytes, (const char *)record->dst_ip, ADDRESS_SIZE);
		return append_port(bytes, record->dst_port);
	case GROUP_BY_TIME:
		return append_number(bytes, TAG_TIME, record->end_ns - record->end_ns % key->bucket_ns);
	default:
		return append_field(key, record, bytes);
	}
}

void group_keys_append(const struct group_keys *keys, const struct nt_record *record, struct text_buffer *bytes)
{
	unsigned int i;

	for (i = 0; i < keys->count; i++)
		append_group_value(&keys->keys[i], record, bytes);
}

/* ---- bytes into values ---- */

static const char *take_number(struct group_value *value, const char *bytes)
{
	__u64 ordered;

	memcpy(&ordered, bytes, sizeof(ordered));
	value->type = GROUP_NUMBER;
	value->number = (__s64)(__builtin_bswap64(ordered) ^ 1ULL << 63);
	return bytes + sizeof(ordered);
}

static void set_text(struct group_value *value)
{
	value->type = GROUP_TEXT;
	value->text = value->storage;
	value->size = strlen(value->storage);
}

static const char *take_text(struct group_value *value, const char *bytes)
{
	value->type = GROUP_TEXT;
	value->text = bytes;
	value->size = strlen(bytes);
	return bytes + value->size + 1;
}

static const char *take_address(struct group_value *value, const char *bytes, enum value_tag tag)
{
	char text[ADDRESS_TEXT_SIZE];
	const char *behind = bytes + ADDRESS_SIZE;
	bool is_ipv4 = nt_address_family((const __u8 *)bytes) == 4;
	__u16 port;

	record_address_text(text, (const __u8 *)bytes);
	if (tag == TAG_ADDRESS) {
		snprintf(value->storage, sizeof(value->storage), "%s", text);
	} else if (tag == TAG_NET) {
		snprintf(value->storage, sizeof(value->storage), "%s/%u", text, (__u8)*behind);
		behind++;
	} else {
		memcpy(&port, behind, sizeof(port));
		port = __builtin_bswap16(port);
		snprintf(value->storage, sizeof(value->storage), is_ipv4 ? "%s:%u" : "[%s]:%u", text, port);
		behind += sizeof(port);
	}
	set_text(value);
	return behind;
}

static void name_user(struct group_value *value)
{
	const struct passwd *user = getpwuid((uid_t)value->number);

	if (!user)
		return;
	snprintf(value->storage, sizeof(value->storage), "%s", user->pw_name);
	set_text(value);
}

const char *group_value_take(struct group_value *value, const char *bytes)
{
	enum value_tag tag = (enum value_tag) * bytes++;

	switch (tag) {
	case TAG_UNKNOWN:
		value->type = GROUP_UNKNOWN;
		return bytes;
	case TAG_TEXT:
		return take_text(value, bytes);
	case TAG_NUMBER:
		return take_number(value, bytes);
	case TAG_USER:
		bytes = take_number(value, bytes);
		name_user(value);
		return bytes;
	case TAG_TIME:
		bytes = take_number(value, bytes);
		record_time_text(value->storage, (__u64)value->number, 3);
		set_text(value);
		return bytes;
	default:
		return take_address(value, bytes, tag);
	}
}
