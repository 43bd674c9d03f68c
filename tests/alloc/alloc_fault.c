// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes chosen allocations of the program fail. The program is linked with --wrap for each function here, so that only
 * calls from its own code are affected, not those of libraries.
 *
 * ALLOC_FAIL=N     the Nth allocation fails, counted from 1
 * ALLOC_FAIL=N+    the Nth and all later ones fail
 * ALLOC_TRACE=FILE a line for each allocation is written to FILE: its number, its call stack
 */
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 7
#define OWN_FRAMES 2 /* must_fail() and the wrapper */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__real_tsearch(const void *key, void **root, int (*compare)(const void *, const void *));
FILE *__real_fopen(const char *name, const char *mode);
FILE *__real_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);

static unsigned long count, fail_at;
static bool and_later;
static int trace_fd = -1;

static void write_trace_line(void)
{
	void *frames[FRAMES + OWN_FRAMES];
	int depth = backtrace(frames, FRAMES + OWN_FRAMES), i;
	char line[FRAMES * 20 + 24];
	int size = snprintf(line, sizeof(line), "%lu", count);

	for (i = OWN_FRAMES; i < depth; i++)
		size += snprintf(line + size, sizeof(line) - size, " %p", frames[i]);
	line[size++] = '\n';
	if (write(trace_fd, line, size) != size)
		abort();
}

static __attribute__((noinline)) bool must_fail(void)
{
	count++;
	if (trace_fd >= 0)
		write_trace_line();
	if (!fail_at || (and_later ? count < fail_at : count != fail_at))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return must_fail() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t number, size_t size)
{
	return must_fail() ? NULL : __real_calloc(number, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
	return must_fail() ? NULL : __real_realloc(memory, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return must_fail() ? NULL : __real_aligned_alloc(alignment, size);
}

char *__wrap_strdup(const char *text)
{
	return must_fail() ? NULL : __real_strdup(text);
}

void *__wrap_tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	return must_fail() ? NULL : __real_tsearch(key, root, compare);
}

FILE *__wrap_fopen(const char *name, const char *mode)
{
	return must_fail() ? NULL : __real_fopen(name, mode);
}

FILE *__wrap_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions)
{
	return must_fail() ? NULL : __real_fopencookie(cookie, mode, functions);
}

static __attribute__((constructor)) void read_environment(void)
{
	const char *fail = getenv("ALLOC_FAIL"), *file = getenv("ALLOC_TRACE");
	char *end = NULL;

	if (fail) {
		fail_at = strtoul(fail, &end, 10);
		and_later = *end == '+';
	}
	if (file)
		trace_fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}
