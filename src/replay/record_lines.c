// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/record_lines.h"

#include "src/delivery/delivery.h"
#include "src/record/record_reader.h"
#include "src/util/line_reader.h"
#include "src/util/message.h"

#define MOST_REPORTED 20

static void reject_line(struct record_lines *lines, const struct line_reader *reader, const struct text_buffer *reason)
{
	if (lines->rejected++ >= MOST_REPORTED)
		return;
	message_error("%s: line %llu is not a record: %.*s", lines->name, (unsigned long long)reader->number,
		      (int)reason->used, reason->bytes);
}

/* Each record counts in the accounting as it did when it was written. The latest time drives the tables' intervals. */
static void redeliver_record(struct record_lines *lines, struct nt_record *record)
{
	struct accounting *accounting = &lines->delivery->accounting;

	if (record->end_ns > lines->now)
		lines->now = record->end_ns;
	output_tick(&lines->delivery->output, lines->now, 0);
	lines->unwanted += !delivery_wants_event(lines->delivery->options, record->event);
	accounting->opened += record->event == NT_EVENT_CLOSE || record->event == NT_EVENT_EXIT;
	accounting->open += record->event == NT_EVENT_EXIT;
	delivery_write(lines->delivery, record);
	if (lines->flushes)
		delivery_flush(lines->delivery);
}

static void take_line(struct record_lines *lines, const struct line_reader *reader)
{
	struct text_buffer reason = { 0 };
	struct nt_record record;
	json_t *json = NULL;

	if (reader->is_too_long)
		text_format(&reason, "longer than %d bytes", LINE_READER_MOST);
	else
		json = record_reader_parse(reader->line.bytes, reader->line.used, &reason);
	if (!json || (record_reader_has_connection(json) && !record_reader_fill(&record, json, &reason)))
		reject_line(lines, reader, &reason);
	else if (record_reader_has_connection(json))
		redeliver_record(lines, &record);
	else if (record_reader_has_listener(json))
		lines->listeners++;
	else
		lines->unknown++;
	json_decref(json);
	text_free(&reason);
}

bool record_lines_read(struct record_lines *lines, FILE *input)
{
	struct line_reader reader = { .input = input };
	bool done;

	while (!lines->is_over(lines->context) && line_reader_next(&reader))
		if (reader.is_too_long || !line_reader_is_blank(&reader))
			take_line(lines, &reader);
	done = !ferror(input) && !reader.line.failed;
	text_free(&reader.line);
	return done;
}

void record_lines_report(const struct record_lines *lines)
{
	if (lines->unwanted)
		message_note("%llu records of other events are left out; --events chooses them",
			     (unsigned long long)lines->unwanted);
	if (lines->listeners)
		message_note("%llu records are of listeners, and not of connections",
			     (unsigned long long)lines->listeners);
	if (lines->unknown)
		message_note("%llu records are of events that this version does not know",
			     (unsigned long long)lines->unknown);
	if (lines->rejected > MOST_REPORTED)
		message_error("%llu lines are not records", (unsigned long long)lines->rejected);
}
