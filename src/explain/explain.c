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
	const char *name; /* of the input, for messages */
	bool flushes;     /* the input is no file: the next record may come much later */
	int output_error; /* errno of the first write that failed */
	bool no_memory;
	unsigned int width;
	struct resolver *names; /* of addresses; NULL: none */
	struct capture_stream *stream;
	struct line_reader reader; /* of the stream's file */
	__u64 rejected, described;
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

static bool open_input(struct explanation *explanation)
{
	const char *file = explanation->options->file_count ? explanation->options->files[0] : NULL;

	if (file && !strcmp(file, "-"))
		file = NULL;
	explanation->name = file ? file : "standard input";
	if (!file && isatty(STDIN_FILENO))
		message_note("reading records from standard input");
	explanation->stream = capture_stream_open(file ? file : "-");
	if (!explanation->stream) {
		message_error("%s: cannot read: %s", explanation->name, strerror(errno));
		return false;
	}
	explanation->reader.input = capture_stream_file(explanation->stream);
	prepare_for_pipe(explanation, file);
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

/* Reports what went wrong. Returns the exit status. */
static int report_failures(struct explanation *explanation)
{
	int status = EXIT_STATUS_DONE;

	if (explanation->no_memory) {
		message_error("%s: line %llu: out of memory; the rest of the input is not explained", explanation->name,
			      (unsigned long long)explanation->reader.number);
		return EXIT_STATUS_BROKEN;
	}
	if (ferror(explanation->reader.input)) {
		message_error("%s: cannot read: %s", explanation->name, find_read_error(explanation));
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
	if (status == EXIT_STATUS_DONE && !explanation->described &&
	    filter_is_given(explanation->options->delivery.filter))
		message_note("%s: no record matches the filter", explanation->name);
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
	if (!explain_open_names(&explanation) || !open_input(&explanation)) {
		resolver_free(explanation.names);
		return EXIT_STATUS_BROKEN;
	}
	while (!explanation.output_error && !explanation.no_memory && line_reader_next(&explanation.reader))
		if (explanation.reader.is_too_long || !line_reader_is_blank(&explanation.reader))
			explain_line(&explanation);
	explanation.no_memory = explanation.no_memory || explanation.reader.line.failed;
	flush_output(&explanation);
	if (explanation.output_error)
		status = report_output_error(explanation.output_error);
	else
		status = report_failures(&explanation);
	resolver_free(explanation.names);
	text_free(&explanation.reader.line);
	fclose(explanation.reader.input);
	return status;
}
