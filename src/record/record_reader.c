// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_reader.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/record/record_fields.h"
#include "src/util/message.h"

#define OLDEST_VERSION 1 /* has no `time`, no event `listed`, and `app` for `idle` */
#define NS_PER_SECOND 1000000000ULL
#define MOST_EXACT ((1LL << 53) - 1) /* record_limit_integers() */
#define LAST_YEAR 2261               /* nanoseconds since the epoch fit into 63 bits */

static const char *reading_command;

static void *allocate_or_exit(size_t size)
{
	void *memory = malloc(size);

	if (memory || !size)
		return memory;
	fflush(stdout);
	message_error("%s: out of memory; the rest of the input is not read", reading_command);
	exit(EXIT_STATUS_BROKEN);
}

void record_reader_begin(const char *command)
{
	reading_command = command;
	json_set_alloc_funcs(allocate_or_exit, free);
}

/* ---- the keys and their types ---- */

static json_t *find_key_of(const json_t *json, const struct record_field *field)
{
	return json_object_getn(json, field->key + 1, field->key_size - strlen("\"\":"));
}

static bool is_list_of_words(const json_t *value)
{
	size_t i;

	for (i = 0; i < json_array_size(value); i++)
		if (!json_is_string(json_array_get(value, i)))
			return false;
	return json_is_array(value);
}

/* Returns NULL if the value has the type, else a description of the values that are right. */
static const char *find_expected_type(const json_t *value, enum field_type type)
{
	switch (type) {
	case FIELD_INTEGER:
		return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL : "a non-negative integer";
	case FIELD_SIGNED:
		return json_is_integer(value) ? NULL : "an integer";
	case FIELD_BOOLEAN:
		return json_is_boolean(value) ? NULL : "true or false";
	case FIELD_LIST:
		return is_list_of_words(value) ? NULL : "a list of strings";
	default:
		return json_is_string(value) ? NULL : "a string";
	}
}

static bool refuse_key(struct text_buffer *reason, const struct record_field *field, const char *expected)
{
	text_format(reason, "the value of %.*s is not %s", (int)field->key_size - 1, field->key, expected);
	return false;
}

static bool has_right_types(const json_t *json, struct text_buffer *reason)
{
	unsigned int i;

	for (i = 0; i < record_field_count; i++) {
		const struct record_field *field = &record_fields[i];
		const json_t *value = find_key_of(json, field);
		const char *expected = value ? find_expected_type(value, field->type) : NULL;

		if (expected)
			return refuse_key(reason, field, expected);
	}
	return true;
}

static bool has_keys(const json_t *json, const char *const *keys, size_t count, struct text_buffer *reason)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_object_get(json, keys[i]))
			continue;
		text_format(reason, "the key \"%s\" is missing", keys[i]);
		return false;
	}
	return true;
}

static bool has_valid_ports(const json_t *json, struct text_buffer *reason)
{
	if (json_integer_value(json_object_get(json, "src_port")) <= 65535 &&
	    json_integer_value(json_object_get(json, "dst_port")) <= 65535)
		return true;
	text_string(reason, "a port is greater than 65535");
	return false;
}

bool record_reader_accepts(const json_t *json, struct text_buffer *reason)
{
	static const char *const common_keys[] = { "v", "event" };
	static const char *const connection_keys[] = { "role", "src_ip", "src_port", "dst_ip", "dst_port", "outcome" };
	json_int_t version;

	if (!json_is_object(json)) {
		text_string(reason, "not a JSON object");
		return false;
	}
	if (!has_keys(json, common_keys, sizeof(common_keys) / sizeof(common_keys[0]), reason) ||
	    !has_right_types(json, reason))
		return false;
	version = json_integer_value(json_object_get(json, "v"));
	if (version < OLDEST_VERSION || version > NT_RECORD_VERSION) {
		text_format(reason, "its version is %lld; only versions %d to %d are supported", (long long)version,
			    OLDEST_VERSION, NT_RECORD_VERSION);
		return false;
	}
	if (!record_reader_has_connection(json))
		return true;
	return has_keys(json, connection_keys, sizeof(connection_keys) / sizeof(connection_keys[0]), reason) &&
	       has_valid_ports(json, reason);
}

json_t *record_reader_parse(const char *line, size_t size, struct text_buffer *reason)
{
	json_error_t error;
	json_t *json = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (!json) {
		text_format(reason, "invalid JSON at byte %d: %s", error.position, error.text);
		return NULL;
	}
	if (record_reader_accepts(json, reason))
		return json;
	json_decref(json);
	return NULL;
}

/* Returns the enumerator of a word. -1 if there is none. */
static int find_enumerator(const struct field_names *names, const char *word)
{
	unsigned int i;

	for (i = 0; i < names->count; i++)
		if (names->names[i] && !strcmp(names->names[i], word))
			return (int)i;
	if (names == &record_limited_by_names && !strcmp(word, "app"))
		return NT_LIMITED_IDLE;
	return -1;
}

static int read_event(const json_t *json)
{
	return find_enumerator(&record_event_names, json_string_value(json_object_get(json, "event")));
}

bool record_reader_has_connection(const json_t *json)
{
	int event = read_event(json);

	return event >= 0 && event != NT_EVENT_LISTENER;
}

bool record_reader_has_listener(const json_t *json)
{
	return read_event(json) == NT_EVENT_LISTENER;
}

/* ---- the members ---- */

/* JSON holds no other integers exactly. */
static bool store_integer(void *member, size_t size, long long value)
{
	return value <= MOST_EXACT && value >= -MOST_EXACT && record_member_set_integer(member, size, value);
}

static int hex_digit(char digit)
{
	return isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10;
}

/* A byte that is not UTF-8 was written as the four characters \xNN. Returns how many of the text's bytes were used. */
static size_t take_byte(const char *text, char *byte)
{
	if (text[0] == '\\' && text[1] == 'x' && strchr("89abcdef", text[2]) && text[2] &&
	    isxdigit((unsigned char)text[3])) {
		*byte = (char)(hex_digit(text[2]) << 4 | hex_digit(text[3]));
		return 4;
	}
	*byte = *text;
	return 1;
}

/* Copies a name into an array that ends with NUL, unless it is full, as in a record of this process. */
static bool store_characters(char *member, size_t size, const char *text)
{
	size_t used = 0;

	while (*text) {
		if (used == size)
			return false;
		text += take_byte(text, &member[used++]);
	}
	if (used < size)
		member[used] = '\0';
	return true;
}

static bool store_word(char *member, size_t size, const char *word)
{
	if (!record_word_is_plain(word) || strlen(word) >= size)
		return false;
	strcpy(member, word);
	return true;
}

static bool store_address(__u8 *member, const char *text)
{
	memset(member, 0, 10);
	memset(member + 10, 0xff, 2);
	return inet_pton(AF_INET, text, member + 12) == 1 || inet_pton(AF_INET6, text, member) == 1;
}

/* Parses RFC 3339 in UTC, as record_time_text() writes it. strptime() accepts the 31st of every month. */
static bool store_time(__u64 *member, const char *text)
{
	struct tm utc = { 0 }, valid;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &utc);
	__u64 unit = NS_PER_SECOND, ns = 0;
	time_t seconds;

	if (!rest)
		return false;
	if (*rest == '.')
		for (rest++; isdigit((unsigned char)*rest) && unit > 1; rest++)
			ns += (__u64)(*rest - '0') * (unit /= 10);
	valid = utc;
	seconds = timegm(&valid);
	*member = (__u64)seconds * NS_PER_SECOND + ns;
	return seconds >= 0 && valid.tm_mday == utc.tm_mday && utc.tm_year + 1900 <= LAST_YEAR && !strcmp(rest, "Z");
}

static bool store_names(void *member, const struct record_field *field, const json_t *list)
{
	long long bits = 0;
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		int bit = find_enumerator(field->names, json_string_value(json_array_get(list, i)));

		if (bit < 0)
			return false;
		bits |= 1LL << bit;
	}
	return store_integer(member, field->size, bits);
}

static bool store_enumerator(void *member, const struct record_field *field, const char *word)
{
	int enumerator = find_enumerator(field->names, word);

	return enumerator >= 0 && store_integer(member, field->size, enumerator);
}

static bool store_string(struct nt_record *record, const struct record_field *field, const json_t *value)
{
	void *member = (char *)record + field->offset;
	const char *text = json_string_value(value);

	switch (record_field_kind(field)) {
	case FIELD_KIND_ENUMERATOR:
		return store_enumerator(member, field, text);
	case FIELD_KIND_ADDRESS:
		return store_address(member, text);
	case FIELD_KIND_TIME:
		return store_time(member, text);
	case FIELD_KIND_CHARACTERS:
		return store_characters(member, field->size, text);
	case FIELD_KIND_WORD:
		return store_word(member, field->size, text);
	case FIELD_KIND_POINTER:
		*(const char **)member = text;
		return true;
	case FIELD_KIND_HISTORY:
		record->long_history = text;
		return record_word_is_plain(text);
	default: /* it follows from other keys */
		return true;
	}
}

static bool store_member(struct nt_record *record, const struct record_field *field, const json_t *value)
{
	void *member = (char *)record + field->offset;

	switch (field->type) {
	case FIELD_INTEGER:
	case FIELD_SIGNED:
		return record_field_kind(field) != FIELD_KIND_INTEGER ||
		       store_integer(member, field->size, json_integer_value(value));
	case FIELD_LIST:
		return store_names(member, field, value);
	case FIELD_BOOLEAN:
		return true;
	default:
		return store_string(record, field, value);
	}
}

/* Version 1 has no `time`. */
static void derive_time(struct nt_record *record, const json_t *json)
{
	if (json_object_get(json, "time"))
		return;
	if (nt_record_has(record, NT_HAS_START) && nt_record_has(record, NT_HAS_DURATION))
		record->end_ns = record->start_ns + record->duration_ns;
}

bool record_reader_fill(struct nt_record *record, const json_t *json, struct text_buffer *reason)
{
	unsigned int i;

	memset(record, 0, sizeof(*record));
	for (i = 0; i < record_field_count; i++) {
		const struct record_field *field = &record_fields[i];
		const json_t *value = find_key_of(json, field);

		if (!value)
			continue;
		if (!store_member(record, field, value))
			return refuse_key(reason, field, "one that netracker writes");
		if (field->present >= 0)
			nt_record_set(record, field->present);
	}
	derive_time(record, json);
	if (nt_address_family(record->src_ip) == nt_address_family(record->dst_ip))
		return true;
	text_string(reason, "its addresses are of two families");
	return false;
}
