// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker explain [FILE...]: describes records in plain English. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/capture/capture_stream.h"
#include "src/cli/options.h"
#include "src/explain/explain_describe.h"
#include "src/record/record_reader.h"
#include "src/util/line_reader.h"
#include "src/util/message.h"
#include "src/util/resolver.h"

#define ERRORS_SHOWN_MAX 20
#define FILE_WIDTH 80
#define WIDTH_MIN 40
#define WIDTH_MAX 100

struct explanation {
	const struct options *options;
	const char *name; /* of the present input, for messages */
	bool flushes;     /* the input is no file: the next record may come much later */
	int output_error; /* errno of the first write that failed */
	bool no_memory;
	bool is_incomplete; /* an input could not be read, or a line of it */
	unsigned int width;
	struct resolver *names; /* of addresses; NULL: none */
	struct capture_stream *stream;
	struct line_reader reader; /* of the stream's file */
	__u64 rejected;            /* lines of the present input */
	__u64 described;
};

static unsigned int find_output_width(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return FILE_WIDTH;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col > WIDTH_MAX ? WIDTH_MAX : size.ws_col;
}

/* Ctrl-C is meant for the program that writes into the pipe. Its last records follow, so read on. */
static void prepare_for_pipe(struct explanation *explanation, const char *file)
{
	struct stat status;

	explanation->flushes = (file ? stat(file, &status) : fstat(STDIN_FILENO, &status)) || !S_ISREG(status.st_mode);
	if (explanation->flushes && S_ISFIFO(status.st_mode))
		signal(SIGINT, SIG_IGN);
}

/* file: "-" is standard input. */
static bool open_input(struct explanation *explanation, const char *file)
{
	bool is_standard = !strcmp(file, "-");

	explanation->name = is_standard ? "standard input" : file;
	if (is_standard && isatty(STDIN_FILENO))
		message_note("reading records from standard input");
	explanation->stream = capture_stream_open(file);
	if (!explanation->stream) {
		message_error("%s: cannot read: %s", explanation->name, strerror(errno));
		return false;
	}
	explanation->rejected = 0;
	explanation->reader = (struct line_reader){ .input = capture_stream_file(explanation->stream) };
	prepare_for_pipe(explanation, is_standard ? NULL : file);
	return true;
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
		      (unsigned long long)explanation->reader.number, (int)reason->used, reason->bytes);
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
	explain_describe(&description, record, explanation->width, explanation->names);
	if (description.failed)
		explanation->no_memory = true;
	else if (fwrite(description.bytes, 1, description.used, stdout) != description.used &&
		 !explanation->output_error)
		explanation->output_error = errno;
	if (explanation->flushes)
		flush_output(explanation);
	text_free(&description);
}

/* Returns whether the filter accepts the record. A record that holds values of no version of NeTracker has a reason. */
static bool matches_filter(const struct explanation *explanation, const json_t *json, struct text_buffer *reason)
{
	struct nt_record record;

	if (!has_wanted_id(explanation, json))
		return false;
	if (!filter_is_given(explanation->options->delivery.filter))
		return true;
	return record_reader_has_connection(json) && record_reader_fill(&record, json, reason) &&
	       filter_accepts(explanation->options->delivery.filter, &record);
}

static void explain_line(struct explanation *explanation)
{
	const struct line_reader *reader = &explanation->reader;
	struct text_buffer reason = { 0 };
	json_t *record = NULL;

	if (reader->is_too_long)
		text_format(&reason, "longer than %d bytes", LINE_READER_MOST);
	else
		record = record_reader_parse(reader->line.bytes, reader->line.used, &reason);
	if (record && matches_filter(explanation, record, &reason))
		print_description(explanation, record);
	else if (reason.used)
		report_rejected_line(explanation, &reason);
	else if (!record)
		explanation->no_memory = true;
	json_decref(record);
	text_free(&reason);
}

static const char *find_read_error(const struct explanation *explanation)
{
	const char *error = capture_stream_error(explanation->stream);

	return error ? error : strerror(errno);
}

/* Reports what went wrong with the present input. */
static void report_input(struct explanation *explanation)
{
	explanation->no_memory = explanation->no_memory || explanation->reader.line.failed;
	if (explanation->no_memory)
		message_error("%s: line %llu: out of memory; the rest of the input is not explained", explanation->name,
			      (unsigned long long)explanation->reader.number);
	else if (ferror(explanation->reader.input))
		message_error("%s: cannot read: %s", explanation->name, find_read_error(explanation));
	else if (!explanation->rejected)
		return;
	explanation->is_incomplete = true;
	if (explanation->rejected > ERRORS_SHOWN_MAX)
		message_error("%s: %llu more lines are not records; write records with netracker -f json",
			      explanation->name, (unsigned long long)(explanation->rejected - ERRORS_SHOWN_MAX));
}

static void explain_input(struct explanation *explanation, const char *file)
{
	if (!open_input(explanation, file)) {
		explanation->is_incomplete = true;
		return;
	}
	while (!explanation->output_error && !explanation->no_memory && line_reader_next(&explanation->reader))
		if (explanation->reader.is_too_long || !line_reader_is_blank(&explanation->reader))
			explain_line(explanation);
	flush_output(explanation);
	if (!explanation->output_error)
		report_input(explanation);
	text_free(&explanation->reader.line);
	fclose(explanation->reader.input);
}

static void explain_inputs(struct explanation *explanation)
{
	const struct options *options = explanation->options;
	unsigned int i;

	if (!options->file_count)
		explain_input(explanation, "-");
	for (i = 0; i < options->file_count && !explanation->output_error && !explanation->no_memory; i++)
		explain_input(explanation, options->files[i]);
}

/* Reports that nothing was described. Returns the exit status. */
static int report_result(const struct explanation *explanation)
{
	const char *subject = explanation->options->file_count > 1 ? "all files" : explanation->name;
	bool is_nothing = !explanation->described && !explanation->no_memory;

	if (is_nothing && explanation->options->id) {
		message_error("%s: no record has the id %s", subject, explanation->options->id);
		return EXIT_STATUS_BROKEN;
	}
	if (explanation->is_incomplete)
		return EXIT_STATUS_BROKEN;
	if (is_nothing && filter_is_given(explanation->options->delivery.filter))
		message_note("%s: no record matches the filter", subject);
	return EXIT_STATUS_DONE;
}

/* Returns the exit status. EPIPE is no error: the reader of the output, such as head, wants no more of it. */
static int report_output_error(int error)
{
	if (error == EPIPE)
		return EXIT_STATUS_DONE;
	message_error("standard output: cannot write: %s", strerror(error));
	return EXIT_STATUS_BROKEN;
}

/* Returns false after reporting the error. */
static bool explain_open_names(struct explanation *explanation)
{
	if (!explanation->options->delivery.output.resolves)
		return true;
	explanation->names = resolver_new(&resolver_system);
	return explanation->names;
}

int explain_run(const struct options *options)
{
	struct explanation explanation = { .options = options, .width = find_output_width() };
	int status;

	signal(SIGPIPE, SIG_IGN);
	record_reader_begin("explain");
	if (!explain_open_names(&explanation))
		return EXIT_STATUS_BROKEN;
	explain_inputs(&explanation);
	if (explanation.output_error)
		status = report_output_error(explanation.output_error);
	else
		status = report_result(&explanation);
	resolver_free(explanation.names);
	return status;
}
