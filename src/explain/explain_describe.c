// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_describe.h"

#include <string.h>

#include "src/explain/explain_course.h"
#include "src/explain/explain_end.h"
#include "src/explain/explain_paragraph.h"
#include "src/explain/explain_wait.h"
#include "src/record/record_reader.h"

static void append_endpoint(struct paragraph *paragraph, const char *ip_key, const char *port_key)
{
	const char *ip = explain_get_word(paragraph->record, ip_key);
	__u64 port = 0;

	explain_get_number(paragraph->record, port_key, &port);
	if (strchr(ip, ':'))
		text_char(&paragraph->words, '[');
	paragraph_append_name(paragraph, ip);
	text_format(&paragraph->words, strchr(ip, ':') ? "]:%llu" : ":%llu", (unsigned long long)port);
}

static void add_outcome(struct paragraph *paragraph)
{
	const char *outcome = explain_get_word(paragraph->record, "outcome");
	const char *ended_by = explain_get_word(paragraph->record, "ended_by");
	__u64 ns;

	paragraph_add_name(paragraph, outcome);
	if (ended_by && !strcmp(ended_by, "src"))
		paragraph_add(paragraph, "by the client");
	else if (ended_by && !strcmp(ended_by, "dst"))
		paragraph_add(paragraph, "by the server");
	if (!explain_get_number(paragraph->record, "duration_ns", &ns))
		return;
	paragraph_add(paragraph, strcmp(outcome, "open") ? "after" : "for");
	paragraph_add_duration(paragraph, ns);
}

/* "198.18.0.9:40000 -> 198.18.0.1:80: closed by the client after 50.0ms, id 0123456789abcdef" on one line. */
static void append_heading(struct paragraph *paragraph)
{
	const char *id = explain_get_word(paragraph->record, "id");

	if (record_reader_has_connection(paragraph->record)) {
		append_endpoint(paragraph, "src_ip", "src_port");
		text_string(&paragraph->words, " -> ");
		append_endpoint(paragraph, "dst_ip", "dst_port");
		paragraph_add(paragraph, ":");
		add_outcome(paragraph);
	} else if (record_reader_has_listener(paragraph->record)) {
		paragraph_add(paragraph, "A listener, which is no connection");
	} else {
		paragraph_add(paragraph, "A record of the event");
		paragraph_add_name(paragraph, explain_get_word(paragraph->record, "event"));
		paragraph_add(paragraph, ", which this version does not know and cannot describe");
	}
	if (id) {
		paragraph_add(paragraph, ", id");
		paragraph_add_name(paragraph, id);
	}
	paragraph->out->failed = paragraph->out->failed || paragraph->words.failed;
	text_append(paragraph->out, paragraph->words.bytes, paragraph->words.used);
	text_char(paragraph->out, '\n');
	paragraph->words.used = 0;
}

void explain_describe(struct text_buffer *out, const json_t *record, unsigned int width, struct resolver *names)
{
	struct paragraph paragraph = { .record = record, .out = out, .width = width, .names = names };

	append_heading(&paragraph);
	if (record_reader_has_connection(record)) {
		explain_write_endpoints(&paragraph);
		explain_write_steps(&paragraph);
		explain_write_wait(&paragraph);
		explain_write_data(&paragraph);
		explain_write_limit(&paragraph);
		explain_write_end(&paragraph);
		explain_write_gaps(&paragraph);
	}
	text_free(&paragraph.words);
}
