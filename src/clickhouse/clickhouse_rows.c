// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/clickhouse/clickhouse_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/record/record_fields.h"
#include "src/record/record_reader.h"
#include "src/util/escape.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define LONGEST_ROW (1U << 20)
#define MOST_OF_EXCEPTION 300

/* ---- one row ---- */

/* Servers before 25.8 write integers of 64 bits in quotes. Returns NULL if the value is no integer. */
static json_t *integer_of_text(const char *text)
{
	char *end;
	long long integer;

	errno = 0;
	integer = strtoll(text, &end, 10);
	return errno || end == text || *end ? NULL : json_integer(integer);
}

/* DateTime64 is 2026-11-27 10:00:31.424390934. Returns NULL if the text is that of a record. */
static json_t *time_of_text(const char *text)
{
	char time[FIELD_STORAGE_SIZE];
	size_t size = strlen(text);

	if (size < strlen("2026-11-27 10:00:31") || size + 2 > sizeof(time) || text[10] != ' ')
		return NULL;
	snprintf(time, sizeof(time), "%sZ", text);
	time[strlen("2026-11-27")] = 'T';
	return json_string(time);
}

/* Returns the value as -f json writes it, or NULL if it is so already. */
static json_t *written_value(const struct record_field *field, const json_t *value)
{
	bool is_number = field->type == FIELD_INTEGER || field->type == FIELD_SIGNED;

	if (field->type == FIELD_BOOLEAN && json_is_integer(value))
		return json_boolean(json_integer_value(value));
	if (is_number && json_is_string(value))
		return integer_of_text(json_string_value(value));
	if (record_field_kind(field) == FIELD_KIND_TIME && json_is_string(value))
		return time_of_text(json_string_value(value));
	return NULL;
}

/* The table has NULL, or empty text and empty lists, for what a record does not have. */
static bool is_unknown(const struct record_field *field, const json_t *value)
{
	if (json_is_null(value))
		return true;
	return field->present >= 0 && ((json_is_string(value) && !json_string_length(value)) ||
				       (json_is_array(value) && !json_array_size(value)));
}

/* Makes the row an object as -f json writes it. */
static void restore_record(json_t *row)
{
	char name[FIELD_KEY_SIZE];
	unsigned int i;

	for (i = 0; record_field_name(i, name); i++) {
		json_t *value = json_object_get(row, name), *written;

		if (!value)
			continue;
		if (is_unknown(&record_fields[i], value)) {
			json_object_del(row, name);
			continue;
		}
		written = written_value(&record_fields[i], value);
		if (written)
			json_object_set_new(row, name, written);
	}
}

bool clickhouse_rows_take(const char *row, size_t size,
			  bool (*take)(void *context, struct nt_record *record, const json_t *row), void *context,
			  struct text_buffer *reason)
{
	json_t *json = json_loadb(row, size, JSON_REJECT_DUPLICATES, NULL);
	struct nt_record record;
	bool goes_on = false;

	if (json)
		restore_record(json);
	if (!json)
		text_string(reason, "it is not a JSON object");
	else if (record_reader_accepts(json, reason) && record_reader_fill(&record, json, reason))
		goes_on = take(context, &record, json);
	json_decref(json);
	return goes_on;
}

bool clickhouse_rows_number(const json_t *row, const char *name, __u64 *number)
{
	const json_t *value = json_object_get(row, name);

	*number = 0;
	if (json_is_integer(value))
		*number = (__u64)json_integer_value(value);
	else if (json_is_string(value))
		*number = strtoull(json_string_value(value), NULL, 10);
	return json_is_integer(value) || json_is_string(value);
}

/* ---- the answer ---- */

struct row_stream {
	const struct clickhouse_server *server;
	bool (*visit)(void *context, const char *row, size_t size);
	void *context;
	struct text_buffer rest;      /* of a row whose end has not come */
	struct text_buffer exception; /* the begin of what is no row */
	bool is_ended;                /* by visit(), or after an error */
	bool is_broken;               /* an error was reported */
};

/* An error after the first rows comes as text of several forms. Returns whether more of it may be of use. */
static bool keep_exception(struct row_stream *stream, const char *text, size_t size)
{
	if (stream->exception.used)
		text_char(&stream->exception, ' ');
	text_append(&stream->exception, text, size < MOST_OF_EXCEPTION ? size : MOST_OF_EXCEPTION);
	return stream->exception.used < MOST_OF_EXCEPTION && !stream->exception.failed;
}

static void report_exception(const struct row_stream *stream)
{
	struct text_buffer shown = { 0 };

	escape_message(&shown, stream->exception.bytes, stream->exception.used);
	message_error("%s: the server ended the answer before its end: %.*s", stream->server->command, (int)shown.used,
		      shown.bytes ? shown.bytes : "");
	text_free(&shown);
}

/* Returns whether more of the answer is wanted. */
static bool visit_row_text(struct row_stream *stream, const char *row, size_t size)
{
	static const char exception[] = "{\"exception\"";
	bool is_row = *row == '{' && (size < strlen(exception) || memcmp(row, exception, strlen(exception)) != 0);

	if (is_row && !stream->exception.used)
		return stream->visit(stream->context, row, size);
	return keep_exception(stream, row, size);
}

/* Keeps the begin of a row until its end comes. */
static bool keep_rest(struct row_stream *stream, const char *bytes, size_t size)
{
	text_append(&stream->rest, bytes, size);
	if (!stream->rest.failed && stream->rest.used <= LONGEST_ROW)
		return true;
	message_error("%s: %s", stream->server->command,
		      stream->rest.failed ? "out of memory" : "the server's answer has a row that does not end");
	stream->is_broken = true;
	return false;
}

/* Takes the end of a row. Returns whether more of the answer is wanted. */
static bool take_row_end(struct row_stream *stream, const char *bytes, size_t size)
{
	bool goes_on;

	if (!stream->rest.used)
		return !size || visit_row_text(stream, bytes, size);
	goes_on = keep_rest(stream, bytes, size) && visit_row_text(stream, stream->rest.bytes, stream->rest.used);
	stream->rest.used = 0;
	return goes_on;
}

static bool take_bytes(void *context, const char *bytes, size_t size)
{
	struct row_stream *stream = context;
	const char *end;
	bool goes_on = true;

	while (goes_on && size && (end = memchr(bytes, '\n', size))) {
		size_t length = (size_t)(end - bytes);

		goes_on = take_row_end(stream, bytes, length);
		bytes += length + 1;
		size -= length + 1;
	}
	stream->is_ended = !goes_on || (size && !keep_rest(stream, bytes, size));
	return !stream->is_ended;
}

static bool report_answer_of(struct row_stream *stream, struct http_answer *answer)
{
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
	if (answer->status)
		message_error("%s: the server refuses (status %ld): %.300s", stream->server->command, answer->status,
			      answer->text);
	else
		message_error("%s: the answer is not complete: %s", stream->server->command, answer->text);
	return false;
}

bool clickhouse_rows_read(const struct clickhouse_server *server, const char *sql,
			  bool (*visit)(void *context, const char *row, size_t size), void *context)
{
	struct row_stream stream = { .server = server, .visit = visit, .context = context };
	struct http_answer answer;
	bool is_complete;

	http_client_stream(server->http, "", sql, &answer, take_bytes, &stream);
	if (!stream.is_ended && answer.status == 200 && stream.rest.used && !stop_is_requested())
		keep_exception(&stream, stream.rest.bytes, stream.rest.used);
	if (stream.exception.used)
		report_exception(&stream);
	is_complete = !stream.is_broken && !stream.exception.used;
	if (is_complete && !stream.is_ended && answer.status != 200 && !stop_is_requested())
		is_complete = report_answer_of(&stream, &answer);
	text_free(&stream.rest);
	text_free(&stream.exception);
	return is_complete;
}
