// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker explain [FILE]: records told in sentences. */
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

/* The longest line that we write: a path and a cgroup of 4096 bytes, each byte six characters, is not a tenth of it. */
#define LINE_LIMIT (1024 * 1024)
#define MOST_COMPLAINTS 20
#define WIDTH_OF_FILES 80
#define WIDTH_LEAST 40
#define WIDTH_MOST 100

struct explanation {
	const struct options *options;
	const char *name; /* of the input, for messages */
	FILE *input;
	bool flushes;     /* whoever writes the records may wait long before the next */
	int output_error; /* errno of the first write that failed */
	bool no_memory;
	unsigned int width;
	struct text_buffer line;
	__u64 line_number, no_records, told;
};

static unsigned int width_of_output(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return WIDTH_OF_FILES;
	return size.ws_col < WIDTH_LEAST ? WIDTH_LEAST : size.ws_col > WIDTH_MOST ? WIDTH_MOST : size.ws_col;
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
	/* Ctrl-C is for whoever writes into the pipe: what they have still to say shall be told. */
	if (explanation->flushes && S_ISFIFO(status.st_mode))
		signal(SIGINT, SIG_IGN);
	return true;
}

/* A line without its newline; what is beyond the limit is read and dropped. False at the end of the input. */
static bool next_line(struct explanation *explanation, bool *too_long)
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

static void complain(struct explanation *explanation, const struct text_buffer *why)
{
	if (explanation->no_records++ >= MOST_COMPLAINTS)
		return;
	flush_output(explanation);
	message_error("%s: line %llu is no record: %.*s", explanation->name,
		      (unsigned long long)explanation->line_number, (int)why->used, why->bytes);
}

static bool is_blank(const struct text_buffer *line)
{
	size_t i;

	for (i = 0; i < line->used; i++)
		if (!strchr(" \t\r", line->bytes[i]) || !line->bytes[i])
			return false;
	return true;
}

static bool is_wanted(const struct explanation *explanation, const json_t *record)
{
	return !explanation->options->id || explain_word_is(record, "id", explanation->options->id);
}

static void tell(struct explanation *explanation, const json_t *record)
{
	struct text_buffer story = { 0 };

	if (explanation->told++)
		text_char(&story, '\n');
	explain_describe(&story, record, explanation->width);
	if (story.failed)
		explanation->no_memory = true;
	else if (fwrite(story.bytes, 1, story.used, stdout) != story.used && !explanation->output_error)
		explanation->output_error = errno;
	if (explanation->flushes)
		flush_output(explanation);
	text_free(&story);
}

static void take_line(struct explanation *explanation, bool too_long)
{
	struct text_buffer why = { 0 };
	json_t *record = NULL;

	if (too_long)
		text_format(&why, "longer than %d bytes", LINE_LIMIT);
	else
		record = explain_record_read(explanation->line.bytes, explanation->line.used, &why);
	if (!record && !why.used)
		explanation->no_memory = true;
	else if (!record)
		complain(explanation, &why);
	else if (is_wanted(explanation, record))
		tell(explanation, record);
	json_decref(record);
	text_free(&why);
}

/* Of what went wrong. Returns the exit status. */
static int conclude(struct explanation *explanation)
{
	int status = EXIT_STATUS_DONE;

	if (explanation->no_memory) {
		message_error("%s: line %llu: out of memory; nothing from there on is explained", explanation->name,
			      (unsigned long long)explanation->line_number);
		return EXIT_STATUS_BROKEN;
	}
	if (ferror(explanation->input)) {
		message_error("%s: cannot read on: %s", explanation->name, strerror(errno));
		status = EXIT_STATUS_BROKEN;
	}
	if (explanation->no_records > MOST_COMPLAINTS)
		message_error("%s: %llu more lines are no records; netracker -f json writes such, one a line",
			      explanation->name, (unsigned long long)(explanation->no_records - MOST_COMPLAINTS));
	if (explanation->no_records)
		status = EXIT_STATUS_BROKEN;
	if (explanation->options->id && !explanation->told) {
		message_error("%s: no record has the id %s", explanation->name, explanation->options->id);
		status = EXIT_STATUS_BROKEN;
	}
	return status;
}

/* A reader who went away has what they wanted. */
static int report_output_error(int error)
{
	if (error == EPIPE)
		return EXIT_STATUS_DONE;
	message_error("standard output: cannot write: %s", strerror(error));
	return EXIT_STATUS_BROKEN;
}

/* For jansson, which does not withstand an allocation that fails: it leaves out members of objects, or crashes. */
static void *allocate_or_exit(size_t size)
{
	void *memory = malloc(size);

	if (memory || !size)
		return memory;
	fflush(stdout);
	message_error("explain: out of memory; nothing from here on is explained");
	exit(EXIT_STATUS_BROKEN);
}

int explain_run(const struct options *options)
{
	struct explanation explanation = { .options = options, .width = width_of_output() };
	bool too_long;
	int status;

	signal(SIGPIPE, SIG_IGN);
	json_set_alloc_funcs(allocate_or_exit, free);
	if (!open_input(&explanation))
		return EXIT_STATUS_BROKEN;
	while (!explanation.output_error && !explanation.no_memory && next_line(&explanation, &too_long))
		if (too_long || !is_blank(&explanation.line))
			take_line(&explanation, too_long);
	flush_output(&explanation);
	status = explanation.output_error ? report_output_error(explanation.output_error) : conclude(&explanation);
	text_free(&explanation.line);
	if (explanation.input != stdin)
		fclose(explanation.input);
	return status;
}
