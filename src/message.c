#include "src/message.h"

#include <stdarg.h>
#include <stdio.h>

#include "src/escape.h"

static bool level_quiet, level_verbose;

void message_set_levels(bool quiet, bool verbose)
{
	level_quiet = quiet;
	level_verbose = verbose;
}

/* One write a line: lines of several trackers on one terminal do not mix. */
static void print(const char *format, va_list arguments)
{
	struct text_buffer line = { 0 };
	char text[2048];

	vsnprintf(text, sizeof(text), format, arguments);
	text_string(&line, "netracker: ");
	escape_message(&line, text, sizeof(text));
	text_char(&line, '\n');
	if (!line.failed)
		fwrite(line.bytes, 1, line.used, stderr);
	text_free(&line);
}

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}

void message_note(const char *format, ...)
{
	va_list arguments;

	if (level_quiet)
		return;
	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}

void message_detail(const char *format, ...)
{
	va_list arguments;

	if (!level_verbose)
		return;
	va_start(arguments, format);
	print(format, arguments);
	va_end(arguments);
}
