// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/output/format.h"

#include <string.h>

#include "src/util/json_writer.h"

static void json_print_list(struct json_writer *json, const struct field_value *value)
{
	unsigned int i;

	json_begin_list(json);
	for (i = 0; i < value->list_count; i++)
		json_write_word(json, value->list[i], strlen(value->list[i]));
	json_end_list(json);
}

static void json_print_value(struct json_writer *json, enum field_type type, const struct field_value *value)
{
	switch (type) {
	case FIELD_INTEGER:
		json_write_integer(json, value->integer);
		break;
	case FIELD_SIGNED:
		json_write_signed(json, (long long)value->integer);
		break;
	case FIELD_STRING:
		json_write_string(json, value->string, value->string_size);
		break;
	case FIELD_WORD:
		json_write_word(json, value->string, value->string_size);
		break;
	case FIELD_BOOLEAN:
		json_write_boolean(json, value->integer);
		break;
	case FIELD_LIST:
		json_print_list(json, value);
		break;
	}
}

static void json_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	struct json_writer json = { .text = text };
	struct field_value value;
	unsigned int i;

	(void)view;
	json_begin_object(&json);
	for (i = 0; i < record_field_count; i++) {
		if (!record_field_get(&record_fields[i], record, &value))
			continue;
		json_write_quoted_key(&json, record_fields[i].key, record_fields[i].key_size, FIELD_KEY_SIZE);
		json_print_value(&json, record_fields[i].type, &value);
	}
	json_end_object(&json);
	text_char(text, '\n');
}

const struct format format_json = { .name = "json", .limits_integers = true, .record = json_record };
