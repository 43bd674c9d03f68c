// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_record.h"

#include <string.h>

#include "src/record/record_fields.h"

#define OLDEST_VERSION 1 /* has no `time`, no event `listed`, and `app` for `idle` */

static json_t *find_field(const json_t *record, const struct record_field *field)
{
	return json_object_getn(record, field->key + 1, field->key_size - strlen("\"\":"));
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

static bool has_right_types(const json_t *record, struct text_buffer *reason)
{
	unsigned int i;

	for (i = 0; i < record_field_count; i++) {
		const struct record_field *field = &record_fields[i];
		const json_t *value = find_field(record, field);
		const char *expected = value ? find_expected_type(value, field->type) : NULL;

		if (!expected)
			continue;
		text_format(reason, "the value of %.*s is not %s", (int)field->key_size - 1, field->key, expected);
		return false;
	}
	return true;
}

static bool has_keys(const json_t *record, const char *const *keys, size_t count, struct text_buffer *reason)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_object_get(record, keys[i]))
			continue;
		text_format(reason, "the key \"%s\" is missing", keys[i]);
		return false;
	}
	return true;
}

static bool has_valid_ports(const json_t *record, struct text_buffer *reason)
{
	__u64 port;

	if (explain_get_number(record, "src_port", &port) && port <= 65535 &&
	    explain_get_number(record, "dst_port", &port) && port <= 65535)
		return true;
	text_string(reason, "a port is greater than 65535");
	return false;
}

static bool is_record(const json_t *json, struct text_buffer *reason)
{
	static const char *const common_keys[] = { "v", "event" };
	static const char *const connection_keys[] = { "role", "src_ip", "src_port", "dst_ip", "dst_port", "outcome" };
	__u64 version;

	if (!json_is_object(json)) {
		text_string(reason, "not a JSON object");
		return false;
	}
	if (!has_keys(json, common_keys, sizeof(common_keys) / sizeof(common_keys[0]), reason) ||
	    !has_right_types(json, reason))
		return false;
	if (explain_get_number(json, "v", &version) && (version < OLDEST_VERSION || version > NT_RECORD_VERSION)) {
		text_format(reason, "its version is %llu; only versions %d to %d are supported",
			    (unsigned long long)version, OLDEST_VERSION, NT_RECORD_VERSION);
		return false;
	}
	if (!explain_has_known_event(json))
		return true;
	return has_keys(json, connection_keys, sizeof(connection_keys) / sizeof(connection_keys[0]), reason) &&
	       has_valid_ports(json, reason);
}

json_t *explain_record_read(const char *line, size_t size, struct text_buffer *reason)
{
	json_error_t error;
	json_t *json = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (!json) {
		text_format(reason, "invalid JSON at byte %d: %s", error.position, error.text);
		return NULL;
	}
	if (is_record(json, reason))
		return json;
	json_decref(json);
	return NULL;
}

bool explain_has_known_event(const json_t *record)
{
	unsigned int i;

	for (i = 0; i < record_event_names.count; i++)
		if (explain_has_value(record, "event", record_event_names.names[i]))
			return true;
	return false;
}

bool explain_get_number(const json_t *record, const char *key, __u64 *number)
{
	const json_t *value = json_object_get(record, key);

	/* A negative time comes from packets that were captured out of order. It would only confuse a reader. */
	if (!value || json_integer_value(value) < 0)
		return false;
	*number = (__u64)json_integer_value(value);
	return true;
}

const char *explain_get_word(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

bool explain_has_value(const json_t *record, const char *key, const char *word)
{
	const char *value = explain_get_word(record, key);

	return value && !strcmp(value, word);
}

bool explain_list_has(const json_t *record, const char *key, const char *word)
{
	const json_t *list = json_object_get(record, key);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), word))
			return true;
	return false;
}
