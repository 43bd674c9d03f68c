// SPDX-License-Identifier: GPL-2.0-or-later
/* CSV and TSV: a column for each key of docs/record.md, in its order; docs/formats.md is the contract. */
#include "src/output/format.h"

#include "src/util/csv_writer.h"

static void csv_print_list(struct text_buffer *text, const struct field_value *value)
{
	unsigned int i;

	for (i = 0; i < value->list_count; i++) {
		if (i)
			text_char(text, '+');
		text_string(text, value->list[i]);
	}
}

static void csv_print_value(struct text_buffer *text, enum field_type type, const struct field_value *value,
			    char separator)
{
	switch (type) {
	case FIELD_INTEGER:
		text_integer(text, value->integer);
		break;
	case FIELD_SIGNED:
		text_signed(text, (long long)value->integer);
		break;
	case FIELD_STRING:
		csv_write_string(text, value->string, value->string_size, separator);
		break;
	case FIELD_WORD:
		text_append(text, value->string, value->string_size);
		break;
	case FIELD_BOOLEAN:
		text_string(text, value->integer ? "true" : "false");
		break;
	case FIELD_LIST:
		csv_print_list(text, value);
		break;
	}
}

static void print_name_of_field(struct text_buffer *text, const struct record_field *field)
{
	text_append(text, field->key + 1, field->key_size - strlen("\"\":"));
}

static void print_value_of_field(struct text_buffer *text, const struct record_field *field,
				 const struct nt_record *record, char separator)
{
	struct field_value value;

	if (record_field_get(field, record, &value))
		csv_print_value(text, field->type, &value, separator);
}

/* record: NULL for the header. */
static void print_line(struct text_buffer *text, const struct nt_record *record, char separator,
		       const struct format_view *view)
{
	unsigned int count = view->chosen ? view->chosen->count : record_field_count, i;

	for (i = 0; i < count; i++) {
		const struct record_field *field = &record_fields[view->chosen ? view->chosen->index[i] : i];

		if (i)
			text_char(text, separator);
		if (record)
			print_value_of_field(text, field, record, separator);
		else
			print_name_of_field(text, field);
	}
	text_char(text, '\n');
}

static void csv_header(struct text_buffer *text, const struct format_view *view)
{
	print_line(text, NULL, ',', view);
}

static void csv_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	print_line(text, record, ',', view);
}

static void tsv_header(struct text_buffer *text, const struct format_view *view)
{
	print_line(text, NULL, '\t', view);
}

static void tsv_record(struct text_buffer *text, const struct nt_record *record, const struct format_view *view)
{
	print_line(text, record, '\t', view);
}

const struct format format_csv = {
	.name = "csv",
	.limits_integers = true,
	.column_name = record_field_name,
	.header = csv_header,
	.record = csv_record,
};
const struct format format_tsv = {
	.name = "tsv",
	.limits_integers = true,
	.column_name = record_field_name,
	.header = tsv_header,
	.record = tsv_record,
};
