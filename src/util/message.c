// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/message.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "src/util/escape.h"

#define PREFIX "netracker: "
#define WIDTH_UNKNOWN 80
#define ESCAPED_SIZE 4                /* "\x1b" */
#define TO_START_AND_ERASE "\r\033[K" /* ECMA-48: CR, EL */

static bool level_quiet, level_verbose;
static atomic_bool shows_transient; /* the terminal shows a transient line */

void message_set_levels(bool quiet, bool verbose)
{
	level_quiet = quiet;
	level_verbose = verbose;
}

/* Writes each line at once, so that lines of several trackers on one terminal do not mix. Allocates nothing, as it also
 * reports that memory is exhausted.
 */
static void print_message(const char *format, va_list arguments)
{
	char text[2048], bytes[sizeof(PREFIX) + ESCAPED_SIZE * sizeof(text)];
	struct text_buffer line = { .bytes = bytes, .capacity = sizeof(bytes) };

	message_clear();
	vsnprintf(text, sizeof(text), format, arguments);
	text_string(&line, PREFIX);
	escape_message(&line, text, sizeof(text));
	text_char(&line, '\n');
	fwrite(line.bytes, 1, line.used, stderr);
}

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_message(format, arguments);
	va_end(arguments);
}

void message_note(const char *format, ...)
{
	va_list arguments;

	if (level_quiet)
		return;
	va_start(arguments, format);
	print_message(format, arguments);
	va_end(arguments);
}

void message_detail(const char *format, ...)
{
	va_list arguments;

	if (!level_verbose)
		return;
	va_start(arguments, format);
	print_message(format, arguments);
	va_end(arguments);
}

static int stderr_width(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? WIDTH_UNKNOWN : size.ws_col;
}

void message_transient(const char *format, ...)
{
	char text[256] = PREFIX;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + strlen(PREFIX), sizeof(text) - strlen(PREFIX), format, arguments);
	va_end(arguments);
	/* A wrapped line could not be erased. */
	fprintf(stderr, TO_START_AND_ERASE "%.*s", stderr_width() - 1, text);
	shows_transient = true;
}

void message_clear(void)
{
	if (shows_transient)
		fputs(TO_START_AND_ERASE, stderr);
	shows_transient = false;
}
