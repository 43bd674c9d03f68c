// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker explain [FILE]: describes records in plain English. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/cli/options.h"
#include "src/explain/explain_describe.h"
#include "src/util/message.h"

/* More than ten times the longest line that NeTracker writes: a path and a cgroup of 4096 bytes each, escaped to six
 * characters a byte.
 */
#define LINE_LIMIT (1024 * 1024)
#define ERRORS_SHOWN_MAX 20
#define FILE_WIDTH 80
#define WIDTH_MIN 40
#define WIDTH_MAX 100

struct explanation {
	const struct options *options;
	const char *name; /* of the input, for messages */
	FILE *input;
	bool flushes;     /* the input is no file: the next record may come much later */
	int output_error; /* errno of the first write that failed */
	bool no_memory;
	unsigned int width;
	struct text_buffer line;
	__u64 line_number, rejected, described;
};

static unsigned int find_output_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return FILE_WIDTH;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col;
}

static bool open_input(struct explanation *explanation)
{
	const char *file = explanation->options->file_count ? explanation->options->files[0] : NULL;
	struct stat status;

	if (file && strcmp(file, "-")) {
		explanation->name = file;
		explanation->input = fopen(file, "re");
	} else {
		explanation->name = "standard input";
		explanation->input = stdin;
		if (isatty(STDIN_FILENO))
			message_note("reading records from standard input");
	}
	if (!explanation->input) {
		message_error("%s: cannot read: %s", file, strerror(errno));
		return false;
	}
	explanation->flushes = fstat(fileno(explanation->input), &status) || !S_ISREG(status.st_mode);
	/* Ctrl-C is meant for the program that writes into the pipe. Its last records follow, so read on. */
	if (explanation->flushes && S_ISFIFO(status.st_mode))
		signal(SIGINT, SIG_IGN);
	return true;
}

/* Reads a line without its newline. Bytes beyond the limit are discarded. Returns false at the end of the input, and
 * if memory is short.
 */
static bool read_line(struct explanation *explanation, bool *too_long)
{
	struct text_buffer *line = &explanation->line;
	int byte = getc_unlocked(explanation->input);

	line->used = 0;
	*too_long = false;
	if (byte == EOF)
		return false;
	explanation->line_number++;
	for (; byte != EOF && byte != '\n'; byte = getc_unlocked(explanation->input)) {
		*too_long = *too_long || line->used == LINE_LIMIT;
		if (!*too_long)
			text_char(line, (char)byte);
	}
	explanation->no_memory = line->failed;
	return !line->failed;
}

static void flush_output(struct explanation *explanation)
{
	if (fflush(stdout) == EOF && !explanation->output_error)
		explanation->output_error = errno;
}

static void report_rejected_line(struct explanation *explanation, const struct text_buffer *reason)
{
	if (explanation->rejected++ >= ERRORS_SHOWN_MAX)
		return;
	flush_output(explanation);
	message_error("%s: line %llu is not a record: %.*s", explanation->name,
		      (unsigned long long)explanation->line_number, (int)reason->used, reason->bytes);
}

static bool is_blank(const struct text_buffer *line)
{
	size_t i;

	for (i = 0; i < line->used; i++)
		if (!strchr(" \t\r", line->bytes[i]) || !line->bytes[i])
			return false;
	return true;
}

static bool has_wanted_id(const struct explanation *explanation, const json_t *record)
{
	return !explanation->options->id || explain_has_value(record, "id", explanation->options->id);
}

static void print_description(struct explanation *explanation, const json_t *record)
{
	struct text_buffer description = { 0 };

	if (explanation->described++)
		text_char(&description, '\n');
	explain_describe(&description, record, explanation->width);
	if (description.failed)
		explanation->no_memory = true;
	else if (fwrite(description.bytes, 1, description.used, stdout) != description.used &&
		 !explanation->output_error)
		explanation->output_error = errno;
	if (explanation->flushes)
		flush_output(explanation);
	text_free(&description);
}

static void explain_line(struct explanation *explanation, bool too_long)
{
	struct text_buffer reason = { 0 };
	json_t *record = NULL;

	if (too_long)
		text_format(&reason, "longer than %d bytes", LINE_LIMIT);
	else
		record = explain_record_read(explanation->line.bytes, explanation->line.used, &reason);
	if (!record && !reason.used)
		explanation->no_memory = true;
	else if (!record)
		report_rejected_line(explanation, &reason);
	else if (has_wanted_id(explanation, record))
		print_description(explanation, record);
	json_decref(record);
	text_free(&reason);
}

/* Reports what went wrong. Returns the exit status. */
static int report_failures(struct explanation *explanation)
{
	int status = EXIT_STATUS_DONE;

	if (explanation->no_memory) {
		message_error("%s: line %llu: out of memory; the rest of the input is not explained", explanation->name,
			      (unsigned long long)explanation->line_number);
		return EXIT_STATUS_BROKEN;
	}
	if (ferror(explanation->input)) {
		message_error("%s: cannot read: %s", explanation->name, strerror(errno));
		status = EXIT_STATUS_BROKEN;
	}
	if (explanation->rejected > ERRORS_SHOWN_MAX)
		message_error("%s: %llu more lines are not records; write records with netracker -f json",
			      explanation->name, (unsigned long long)(explanation->rejected - ERRORS_SHOWN_MAX));
	if (explanation->rejected)
		status = EXIT_STATUS_BROKEN;
	if (explanation->options->id && !explanation->described) {
		message_error("%s: no record has the id %s", explanation->name, explanation->options->id);
		status = EXIT_STATUS_BROKEN;
	}
	return status;
}

/* Returns the exit status. EPIPE is no error: the reader of the output, such as head, wants no more of it. */
static int report_output_error(int error)
{
	if (error == EPIPE)
		return EXIT_STATUS_DONE;
	message_error("standard output: cannot write: %s", strerror(error));
	return EXIT_STATUS_BROKEN;
}

/* Ends the program if memory is short. jansson does not survive a failed allocation: it leaves out members of objects,
 * or crashes.
 */
static void *allocate_or_exit(size_t size)
{
	void *memory = malloc(size);

	if (memory || !size)
		return memory;
	fflush(stdout);
	message_error("explain: out of memory; the rest of the input is not explained");
	exit(EXIT_STATUS_BROKEN);
}

int explain_run(const struct options *options)
{
	struct explanation explanation = { .options = options, .width = find_output_width() };
	bool too_long;
	int status;

	signal(SIGPIPE, SIG_IGN);
	json_set_alloc_funcs(allocate_or_exit, free);
	if (!open_input(&explanation))
		return EXIT_STATUS_BROKEN;
	while (!explanation.output_error && !explanation.no_memory && read_line(&explanation, &too_long))
		if (too_long || !is_blank(&explanation.line))
			explain_line(&explanation, too_long);
	flush_output(&explanation);
	if (explanation.output_error)
		status = report_output_error(explanation.output_error);
	else
		status = report_failures(&explanation);
	text_free(&explanation.line);
	if (explanation.input != stdin)
		fclose(explanation.input);
	return status;
}
