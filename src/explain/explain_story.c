#include "src/explain/explain_story.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/util/escape.h"
#include "src/util/readable.h"

#define INDENT 2
#define LABEL_WIDTH 11

void story_say(struct story *story, const char *format, ...)
{
	char said[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(said, sizeof(said), format, arguments);
	va_end(arguments);
	if (story->words.used && !strchr(",.:;)", said[0]))
		text_char(&story->words, ' ');
	text_string(&story->words, said);
}

static bool is_plain_name(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-/:@+[]", name[i]))
			return false;
	return i;
}

static void put_name(struct story *story, const char *name)
{
	if (is_plain_name(name))
		return text_string(&story->words, name);
	text_char(&story->words, '"');
	for (; *name; name++) {
		if (*name == '"')
			text_string(&story->words, "\\x22");
		else
			escape_message(&story->words, name, 1);
	}
	text_char(&story->words, '"');
}

void story_say_name(struct story *story, const char *name)
{
	if (story->words.used)
		text_char(&story->words, ' ');
	put_name(story, name);
}

void story_say_duration(struct story *story, __u64 ns)
{
	if (story->words.used)
		text_char(&story->words, ' ');
	readable_duration(&story->words, ns);
}

const char *story_side(enum nt_end side)
{
	return side == NT_SRC ? "the client" : "the server";
}

bool story_is_local(const struct story *story, enum nt_end side)
{
	return explain_word_is(story->record, "role", side == NT_SRC ? "client" : "server");
}

/* One word, on a line of its own where it does not fit the one that was begun. Returns where that line stands. */
static unsigned int put_word(const struct story *story, const char *word, size_t size, unsigned int at)
{
	unsigned int left = INDENT + LABEL_WIDTH;

	if (at > left && at + 1 + size > story->width) {
		text_char(story->out, '\n');
		text_spaces(story->out, left);
		at = left;
	} else if (at > left) {
		text_char(story->out, ' ');
		at++;
	}
	text_append(story->out, word, size);
	return at + (unsigned int)size;
}

void story_end_paragraph(struct story *story, const char *label)
{
	unsigned int at = INDENT + LABEL_WIDTH;
	const char *word = story->words.bytes, *end = word + story->words.used;

	story->out->failed = story->out->failed || story->words.failed;
	if (!story->words.used)
		return;
	text_spaces(story->out, INDENT);
	text_string(story->out, label);
	text_spaces(story->out, LABEL_WIDTH - strlen(label));
	while (word < end) {
		const char *space = memchr(word, ' ', (size_t)(end - word));
		size_t size = (size_t)((space ? space : end) - word);

		at = put_word(story, word, size, at);
		word += size + 1;
	}
	text_char(story->out, '\n');
	story->words.used = 0;
}

static void say_end_of_connection(struct story *story, const char *ip_key, const char *port_key)
{
	const char *ip = explain_word(story->record, ip_key);
	__u64 port = 0;

	explain_number(story->record, port_key, &port);
	if (strchr(ip, ':'))
		text_char(&story->words, '[');
	put_name(story, ip);
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
static void tell_heading(struct story *story)
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
	text_append(story->out, story->words.bytes, story->words.used);
	text_char(story->out, '\n');
	story->words.used = 0;
}

void explain_tell(struct text_buffer *out, const json_t *record, unsigned int width)
{
	struct story story = { .record = record, .out = out, .width = width };

	tell_heading(&story);
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
