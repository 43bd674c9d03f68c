// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_record.h"

#include <string.h>

#include "src/record/record_fields.h"

static json_t *field_of(const json_t *record, const struct record_field *field)
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

/* NULL where the value is of the type, else what it should have been. */
static const char *wrong_type(const json_t *value, enum field_type type)
{
	switch (type) {
	case FIELD_INTEGER:
		return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL : "an integer from 0 on";
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

static bool types_are_right(const json_t *record, struct text_buffer *why)
{
	unsigned int i;

	for (i = 0; i < record_field_count; i++) {
		const struct record_field *field = &record_fields[i];
		const json_t *value = field_of(record, field);
		const char *right = value ? wrong_type(value, field->type) : NULL;

		if (!right)
			continue;
		text_format(why, "the value of %.*s is not %s", (int)field->key_size - 1, field->key, right);
		return false;
	}
	return true;
}

static bool has_keys(const json_t *record, const char *const *keys, size_t count, struct text_buffer *why)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (json_object_get(record, keys[i]))
			continue;
		text_format(why, "it has no \"%s\"", keys[i]);
		return false;
	}
	return true;
}

static bool ports_are_right(const json_t *record, struct text_buffer *why)
{
	__u64 port;

	if (explain_number(record, "src_port", &port) && port <= 65535 && explain_number(record, "dst_port", &port) &&
	    port <= 65535)
		return true;
	text_string(why, "a port is above 65535");
	return false;
}

static bool is_record(const json_t *json, struct text_buffer *why)
{
	static const char *const of_all[] = { "v", "event" };
	static const char *const of_connections[] = { "role", "src_ip", "src_port", "dst_ip", "dst_port", "outcome" };
	__u64 version;

	if (!json_is_object(json)) {
		text_string(why, "no JSON object");
		return false;
	}
	if (!has_keys(json, of_all, sizeof(of_all) / sizeof(of_all[0]), why) || !types_are_right(json, why))
		return false;
	if (explain_number(json, "v", &version) && version != NT_RECORD_VERSION) {
		text_format(why, "it is of version %llu, only version %d is known", (unsigned long long)version,
			    NT_RECORD_VERSION);
		return false;
	}
	if (!explain_record_is_known(json))
		return true;
	return has_keys(json, of_connections, sizeof(of_connections) / sizeof(of_connections[0]), why) &&
	       ports_are_right(json, why);
}

json_t *explain_record_read(const char *line, size_t size, struct text_buffer *why)
{
	json_error_t error;
	json_t *json = json_loadb(line, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (!json) {
		text_format(why, "no JSON at byte %d: %s", error.position, error.text);
		return NULL;
	}
	if (is_record(json, why))
		return json;
	json_decref(json);
	return NULL;
}

bool explain_record_is_known(const json_t *record)
{
	unsigned int i;

	for (i = 0; i < record_event_names.count; i++)
		if (explain_word_is(record, "event", record_event_names.names[i]))
			return true;
	return false;
}

bool explain_number(const json_t *record, const char *key, __u64 *number)
{
	const json_t *value = json_object_get(record, key);

	/* A time below 0, between packets in a wrong order, says nothing to a person. */
	if (!value || json_integer_value(value) < 0)
		return false;
	*number = (__u64)json_integer_value(value);
	return true;
}

const char *explain_word(const json_t *record, const char *key)
{
	return json_string_value(json_object_get(record, key));
}

bool explain_word_is(const json_t *record, const char *key, const char *word)
{
	const char *value = explain_word(record, key);

	return value && !strcmp(value, word);
}

bool explain_lists(const json_t *record, const char *key, const char *word)
{
	const json_t *list = json_object_get(record, key);
	size_t i;

	for (i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), word))
			return true;
	return false;
}
