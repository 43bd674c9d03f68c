// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_write.h"

#include "src/util/csv_writer.h"
#include "src/util/json_writer.h"

/* ---- JSON ---- */

struct json_summary {
	struct json_writer json;
	enum summary_line_kind list; /* that is open; SUMMARY_TOTAL: none yet */
};

/* A line of a list leaves out what its interval has. */
static bool is_written_in_json(const struct summary_line *line, enum summary_key key)
{
	if (line->values[key].type == SUMMARY_ABSENT || key == SUMMARY_KEY_TABLE)
		return false;
	return line->kind == SUMMARY_TOTAL || key > SUMMARY_KEY_TABLE;
}

static void write_json_values(struct json_writer *json, const struct summary_line *line)
{
	unsigned int key;

	for (key = 0; key < SUMMARY_KEYS; key++) {
		const struct summary_value *value = &line->values[key];

		if (!is_written_in_json(line, key))
			continue;
		json_write_key(json, summary_key_name(key));
		if (key == SUMMARY_KEY_OTHERS)
			json_write_boolean(json, true);
		else if (value->type == SUMMARY_INTEGER)
			json_write_integer(json, value->integer);
		else
			json_write_string(json, value->string, value->size);
	}
}

/* Ends the open list and begins those up to this kind: each interval has every list, be it empty. */
static void begin_lists(struct json_summary *summary, enum summary_line_kind kind)
{
	while (summary->list < kind) {
		if (summary->list != SUMMARY_TOTAL)
			json_end_list(&summary->json);
		summary->list++;
		if (summary->list == SUMMARY_LINE_KINDS)
			break;
		json_write_key(&summary->json, summary_list_name(summary->list));
		json_begin_list(&summary->json);
	}
}

static void write_json_line(void *context, const struct summary_line *line)
{
	struct json_summary *summary = context;

	if (line->kind == SUMMARY_TOTAL) {
		write_json_values(&summary->json, line);
		return;
	}
	begin_lists(summary, line->kind);
	json_begin_object(&summary->json);
	write_json_values(&summary->json, line);
	json_end_object(&summary->json);
}

void summary_write_json(struct text_buffer *text, struct summary *summary, const struct summary_span *span)
{
	struct json_summary lines = { .json = { .text = text } };

	json_begin_object(&lines.json);
	if (!summary_lines_each(summary, span, write_json_line, &lines))
		text->failed = true;
	begin_lists(&lines, SUMMARY_LINE_KINDS);
	json_end_object(&lines.json);
	text_char(text, '\n');
}

/* ---- CSV and TSV ---- */

struct csv_summary {
	struct text_buffer *text;
	char separator;
};

void summary_write_csv_header(struct text_buffer *text, char separator)
{
	unsigned int key;

	for (key = 0; key < SUMMARY_KEYS; key++) {
		if (key)
			text_char(text, separator);
		text_string(text, summary_key_name(key));
	}
	text_char(text, '\n');
}

static void write_csv_value(struct text_buffer *text, enum summary_key key, const struct summary_value *value,
			    char separator)
{
	if (value->type == SUMMARY_STRING)
		csv_write_string(text, value->string, value->size, separator);
	else if (value->type == SUMMARY_INTEGER && key == SUMMARY_KEY_OTHERS)
		text_string(text, "true");
	else if (value->type == SUMMARY_INTEGER)
		text_integer(text, value->integer);
}

static void write_csv_line(void *context, const struct summary_line *line)
{
	const struct csv_summary *summary = context;
	unsigned int key;

	for (key = 0; key < SUMMARY_KEYS; key++) {
		if (key)
			text_char(summary->text, summary->separator);
		write_csv_value(summary->text, key, &line->values[key], summary->separator);
	}
	text_char(summary->text, '\n');
}

void summary_write_csv(struct text_buffer *text, struct summary *summary, const struct summary_span *span,
		       char separator)
{
	struct csv_summary lines = { .text = text, .separator = separator };

	if (!summary_lines_each(summary, span, write_csv_line, &lines))
		text->failed = true;
}
