// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_process.h"

#include <stdbool.h>
#include <string.h>

#define MOST_PID 4194304 /* of Linux; other systems' are smaller */

void capture_process_set(struct capture_process *process, __u32 pid, const void *name, size_t length)
{
	if (!pid || pid > MOST_PID || (process->pid && process->pid != pid))
		return;
	process->pid = pid;
	if (length > sizeof(process->comm) - 1)
		length = sizeof(process->comm) - 1;
	if (!process->comm[0] && length)
		memcpy(process->comm, name, strnlen(name, length));
}

struct text {
	const char *at;
	size_t length;
};

/* Splits the first line off. */
static struct text next_line(struct text *rest)
{
	const char *end = rest->length ? memchr(rest->at, '\n', rest->length) : NULL;
	struct text line = { rest->at, end ? (size_t)(end - rest->at) : rest->length };
	size_t used = line.length + !!end;

	rest->at += used;
	rest->length -= used;
	if (line.length && line.at[line.length - 1] == '\r')
		line.length--;
	return line;
}

static bool skip_prefix(struct text *text, const char *prefix)
{
	size_t length = strlen(prefix);

	if (text->length < length || memcmp(text->at, prefix, length) != 0)
		return false;
	text->at += length;
	text->length -= length;
	return true;
}

/* Returns 0 if the text does not begin with a number, or if it is too large. */
static __u32 read_pid(struct text text)
{
	__u64 pid = 0;
	size_t i;

	while (text.length && *text.at == ' ')
		skip_prefix(&text, " ");
	for (i = 0; i < text.length && text.at[i] >= '0' && text.at[i] <= '9' && pid <= MOST_PID; i++)
		pid = pid * 10 + (__u64)(text.at[i] - '0');
	return pid <= MOST_PID ? (__u32)pid : 0;
}

/* The name of a program is the last component of its path. */
static struct text last_component(struct text path)
{
	const char *slash = path.length ? memrchr(path.at, '/', path.length) : NULL;
	size_t skipped = slash ? (size_t)(slash + 1 - path.at) : 0;

	return (struct text){ path.at + skipped, path.length - skipped };
}

void capture_process_from_comment(struct capture_process *process, const char *comment, size_t length)
{
	struct text rest = { comment, length }, line = next_line(&rest), program = { 0 };
	__u32 pid = skip_prefix(&line, "PID:") || skip_prefix(&line, "PID=") ? read_pid(line) : 0;

	while (rest.length && !program.length) {
		line = next_line(&rest);
		if (skip_prefix(&line, "Cmd: "))
			program = last_component(line);
	}
	capture_process_set(process, pid, program.at, program.length);
}
