/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks for the unit tests. A failed one prints its place and its text; the program continues. */
#ifndef NETRACKER_TESTS_CHECK_H
#define NETRACKER_TESTS_CHECK_H

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static unsigned int check_passed, check_failed, check_skipped;

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_EQUAL(actual, expected) check_equal((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_STRING(actual, expected) check_string((actual), (expected), #actual, __FILE__, __LINE__)

__attribute__((unused)) static int check_true(int condition, const char *text, const char *file, int line)
{
	if (condition)
		check_passed++;
	else {
		check_failed++;
		printf("%s:%d: failed: %s\n", file, line, text);
	}
	return condition;
}

__attribute__((unused)) static int check_equal(int64_t actual, int64_t expected, const char *text, const char *file,
					       int line)
{
	if (check_true(actual == expected, text, file, line))
		return 1;
	printf("  is       %" PRId64 "\n  expected %" PRId64 "\n", actual, expected);
	return 0;
}

__attribute__((unused)) static int check_string(const char *actual, const char *expected, const char *text,
						const char *file, int line)
{
	if (check_true(!strcmp(actual, expected), text, file, line))
		return 1;
	printf("  is       %s\n  expected %s\n", actual, expected);
	return 0;
}

/* reason: "subject: cause", as in "loading: root only". */
__attribute__((unused)) static void check_skip(const char *reason)
{
	check_skipped++;
	printf("skipped: %s\n", reason);
}

/* Prints the line that tests/run reads. Returns the exit status. */
__attribute__((unused)) static int check_finish(void)
{
	printf("%u passed, %u failed, %u skipped\n", check_passed, check_failed, check_skipped);
	return check_failed ? 1 : 0;
}

#endif
