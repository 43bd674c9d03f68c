// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_describe.h"

#include <string.h>

#include "src/explain/explain_course.h"
#include "src/explain/explain_end.h"
#include "src/explain/explain_story.h"

static void say_end_of_connection(struct story *story, const char *ip_key, const char *port_key)
{
	const char *ip = explain_word(story->record, ip_key);
	__u64 port = 0;

	explain_number(story->record, port_key, &port);
	if (strchr(ip, ':'))
		text_char(&story->words, '[');
	story_put_name(story, ip);
	text_format(&story->words, strchr(ip, ':') ? "]:%llu" : ":%llu", (unsigned long long)port);
}

static void say_outcome(struct story *story)
{
	const char *outcome = explain_word(story->record, "outcome");
	const char *ended_by = explain_word(story->record, "ended_by");
	__u64 ns;

	story_say_name(story, outcome);
	if (ended_by && !strcmp(ended_by, "src"))
		story_say(story, "by the client");
	else if (ended_by && !strcmp(ended_by, "dst"))
		story_say(story, "by the server");
	if (!explain_number(story->record, "duration_ns", &ns))
		return;
	story_say(story, strcmp(outcome, "open") ? "after" : "for");
	story_say_duration(story, ns);
}

/* "198.18.0.9:40000 -> 198.18.0.1:80: closed by the client after 50.0ms, id 0123456789abcdef": one line. */
static void put_heading(struct story *story)
{
	const char *id = explain_word(story->record, "id");

	if (explain_record_is_known(story->record)) {
		say_end_of_connection(story, "src_ip", "src_port");
		text_string(&story->words, " -> ");
		say_end_of_connection(story, "dst_ip", "dst_port");
		story_say(story, ":");
		say_outcome(story);
	} else {
		story_say(story, "A record of the event");
		story_say_name(story, explain_word(story->record, "event"));
		story_say(story, ", which this version does not know and cannot tell");
	}
	if (id) {
		story_say(story, ", id");
		story_say_name(story, id);
	}
	story->out->failed = story->out->failed || story->words.failed;
	text_append(story->out, story->words.bytes, story->words.used);
	text_char(story->out, '\n');
	story->words.used = 0;
}

void explain_describe(struct text_buffer *out, const json_t *record, unsigned int width)
{
	struct story story = { .record = record, .out = out, .width = width };

	put_heading(&story);
	if (explain_record_is_known(record)) {
		explain_who(&story);
		explain_steps(&story);
		explain_data(&story);
		explain_held_back(&story);
		explain_end(&story);
		explain_known(&story);
	}
	text_free(&story.words);
}
