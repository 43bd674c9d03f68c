#include "src/util/escape.h"
#include "src/output/format.h"

#include <string.h>

static void print_word(struct text_buffer *text, const char *word, size_t size)
{
	char *out;

	if (!text_reserve(text, size + 2))
		return;
	out = text->bytes + text->used;
	*out = '"';
	memcpy(out + 1, word, size);
	out[size + 1] = '"';
	text->used += size + 2;
}

static void print_list(struct text_buffer *text, const struct field_value *value)
{
	unsigned int i;

	text_char(text, '[');
	for (i = 0; i < value->list_count; i++) {
		if (i)
			text_char(text, ',');
		print_word(text, value->list[i], strlen(value->list[i]));
	}
	text_char(text, ']');
}

static void print_key(struct text_buffer *text, char separator, const struct record_field *field)
{
	char *out;

	if (!text_reserve(text, 1 + FIELD_KEY_SIZE))
		return;
	out = text->bytes + text->used;
	*out = separator;
	memcpy(out + 1, field->key, FIELD_KEY_SIZE);
	text->used += 1 + field->key_size;
}

static void print_value(struct text_buffer *text, enum field_type type, const struct field_value *value)
{
	switch (type) {
	case FIELD_INTEGER:
		text_integer(text, value->integer);
		break;
	case FIELD_SIGNED:
		text_signed(text, (long long)value->integer);
		break;
	case FIELD_STRING:
		escape_json(text, value->string, value->string_size);
		break;
	case FIELD_WORD:
		print_word(text, value->string, value->string_size);
		break;
	case FIELD_BOOLEAN:
		text_string(text, value->integer ? "true" : "false");
		break;
	case FIELD_LIST:
		print_list(text, value);
		break;
	}
}

static void json_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	char separator = '{';
	struct field_value value;
	unsigned int i;

	(void)view;
	for (i = 0; i < record_field_count; i++) {
		if (!record_field_get(&record_fields[i], record, &value))
			continue;
		print_key(text, separator, &record_fields[i]);
		print_value(text, record_fields[i].type, &value);
		separator = ',';
	}
	text_string(text, "}\n");
}

const struct format format_json = { .name = "json", .record = json_record };
