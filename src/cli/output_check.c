// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/output_check.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util/message.h"

static bool is_standard_input(const char *path)
{
	return !strcmp(path, "-");
}

/* A terminal, a socket or /dev/null may well be both. */
static bool keeps_data(const struct stat *file)
{
	return S_ISREG(file->st_mode) || S_ISFIFO(file->st_mode) || S_ISBLK(file->st_mode);
}

static bool is_output(const struct stat *input, const struct stat *output)
{
	return keeps_data(input) && input->st_dev == output->st_dev && input->st_ino == output->st_ino;
}

static bool check_input(const char *path, const struct stat *output)
{
	struct stat input;

	if (is_standard_input(path) ? fstat(STDIN_FILENO, &input) : stat(path, &input))
		return true; /* the command reports it */
	if (!is_output(&input, output))
		return true;
	message_error("%s: is both input and output; write to another file",
		      is_standard_input(path) ? "standard input" : path);
	return false;
}

static bool check_inputs(const struct options *options, const struct stat *output)
{
	unsigned int i;

	if (options->command == COMMAND_EXPLAIN && !options->file_count)
		return check_input("-", output);
	for (i = 0; i < options->file_count; i++)
		if (!check_input(options->files[i], output))
			return false;
	return true;
}

bool output_check_inputs(const struct options *options)
{
	const char *path = options->delivery.output.sink.path;
	struct stat output;

	if (!(options->command & (COMMAND_REPLAY | COMMAND_EXPLAIN)))
		return true;
	if (path && !stat(path, &output) && !check_inputs(options, &output))
		return false;
	if (path && !options->delivery.output.summary)
		return true;
	return fstat(STDOUT_FILENO, &output) || check_inputs(options, &output);
}
