#include "src/escape.h"
#include "src/sink_format.h"

static void print_list(struct text_buffer *text, const struct field_value *value)
{
	unsigned int i;

	text_char(text, '[');
	for (i = 0; i < value->list_count; i++) {
		text_string(text, i ? ",\"" : "\"");
		text_string(text, value->list[i]);
		text_char(text, '"');
	}
	text_char(text, ']');
}

static void print_value(struct text_buffer *text, enum field_type type, const struct field_value *value)
{
	switch (type) {
	case FIELD_INTEGER:
		text_integer(text, value->integer);
		break;
	case FIELD_STRING:
		escape_json(text, value->string, value->string_size);
		break;
	case FIELD_WORD:
		text_char(text, '"');
		text_append(text, value->string, value->string_size);
		text_char(text, '"');
		break;
	case FIELD_BOOLEAN:
		text_string(text, value->integer ? "true" : "false");
		break;
	case FIELD_LIST:
		print_list(text, value);
		break;
	}
}

void sink_json_record(struct text_buffer *text, const struct nt_record *record)
{
	char separator = '{';
	struct field_value value;
	unsigned int i;

	for (i = 0; i < record_field_count; i++) {
		if (!record_field_get(&record_fields[i], record, &value))
			continue;
		text_char(text, separator);
		text_append(text, record_fields[i].key, record_fields[i].key_size);
		print_value(text, record_fields[i].type, &value);
		separator = ',';
	}
	text_string(text, "}\n");
}
