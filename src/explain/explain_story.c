// SPDX-License-Identifier: GPL-2.0-or-later
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

void story_put_name(struct story *story, const char *name)
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
	story_put_name(story, name);
}

void story_say_duration(struct story *story, __u64 ns)
{
	if (story->words.used)
		text_char(&story->words, ' ');
	readable_duration(&story->words, ns);
}

const char *story_side(enum nt_side side)
{
	return side == NT_SRC ? "the client" : "the server";
}

bool story_is_local(const struct story *story, enum nt_side side)
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
