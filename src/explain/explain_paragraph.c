// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/explain/explain_paragraph.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/util/escape.h"
#include "src/util/readable.h"

#define INDENT 2
#define LABEL_WIDTH 11

void paragraph_add(struct paragraph *paragraph, const char *format, ...)
{
	char words[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	if (paragraph->words.used && !strchr(",.:;)", words[0]))
		text_char(&paragraph->words, ' ');
	text_string(&paragraph->words, words);
}

static bool is_plain_name(const char *name)
{
	size_t i;

	for (i = 0; name[i]; i++)
		if (!isalnum((unsigned char)name[i]) && !strchr("._-/:@+[]", name[i]))
			return false;
	return i;
}

void paragraph_append_name(struct paragraph *paragraph, const char *name)
{
	if (is_plain_name(name))
		return text_string(&paragraph->words, name);
	text_char(&paragraph->words, '"');
	for (; *name; name++) {
		if (*name == '"')
			text_string(&paragraph->words, "\\x22");
		else
			escape_message(&paragraph->words, name, 1);
	}
	text_char(&paragraph->words, '"');
}

void paragraph_add_name(struct paragraph *paragraph, const char *name)
{
	if (paragraph->words.used)
		text_char(&paragraph->words, ' ');
	paragraph_append_name(paragraph, name);
}

void paragraph_add_duration(struct paragraph *paragraph, __u64 ns)
{
	if (paragraph->words.used)
		text_char(&paragraph->words, ' ');
	readable_duration(&paragraph->words, ns);
}

const char *paragraph_side_name(enum nt_side side)
{
	return side == NT_SRC ? "the client" : "the server";
}

bool paragraph_is_local_side(const struct paragraph *paragraph, enum nt_side side)
{
	return explain_has_value(paragraph->record, "role", side == NT_SRC ? "client" : "server");
}

/* Appends one word, on a new line if the current one has no room for it. Returns the column after the word. */
static unsigned int append_word(const struct paragraph *paragraph, const char *word, size_t size, unsigned int column)
{
	unsigned int left = INDENT + LABEL_WIDTH;

	if (column > left && column + 1 + size > paragraph->width) {
		text_char(paragraph->out, '\n');
		text_spaces(paragraph->out, left);
		column = left;
	} else if (column > left) {
		text_char(paragraph->out, ' ');
		column++;
	}
	text_append(paragraph->out, word, size);
	return column + (unsigned int)size;
}

void paragraph_finish(struct paragraph *paragraph, const char *label)
{
	unsigned int column = INDENT + LABEL_WIDTH;
	const char *word = paragraph->words.bytes, *end = word + paragraph->words.used;

	paragraph->out->failed = paragraph->out->failed || paragraph->words.failed;
	if (!paragraph->words.used)
		return;
	text_spaces(paragraph->out, INDENT);
	text_string(paragraph->out, label);
	text_spaces(paragraph->out, LABEL_WIDTH - strlen(label));
	while (word < end) {
		const char *space = memchr(word, ' ', (size_t)(end - word));
		size_t size = (size_t)((space ? space : end) - word);

		column = append_word(paragraph, word, size, column);
		word += size + 1;
	}
	text_char(paragraph->out, '\n');
	paragraph->words.used = 0;
}
