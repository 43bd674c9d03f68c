// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/line_reader.h"

#include <string.h>

bool line_reader_next(struct line_reader *reader)
{
	struct text_buffer *line = &reader->line;
	int byte = getc_unlocked(reader->input);

	line->used = 0;
	reader->is_too_long = false;
	if (byte == EOF)
		return false;
	reader->number++;
	for (; byte != EOF && byte != '\n'; byte = getc_unlocked(reader->input)) {
		reader->is_too_long = reader->is_too_long || line->used == LINE_READER_MOST;
		if (!reader->is_too_long)
			text_char(line, (char)byte);
	}
	return !line->failed;
}

bool line_reader_is_blank(const struct line_reader *reader)
{
	size_t i;

	for (i = 0; i < reader->line.used; i++)
		if (!reader->line.bytes[i] || !strchr(" \t\r", reader->line.bytes[i]))
			return false;
	return true;
}
