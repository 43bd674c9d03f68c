// SPDX-License-Identifier: GPL-2.0-or-later
/* The note when live tracking begins, for some command lines. */
#include "src/live/start_note.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

static const struct command live = { "", COMMAND_LIVE, NULL, NULL };

/* Splits the command line at '|'. */
static void check_note(const char *line, unsigned int interfaces, const char *expected)
{
	char words[1024], *argv[32], note[1024];
	struct text_buffer text = { 0 };
	struct options options;
	int argc = 0;

	snprintf(words, sizeof(words), "netracker%s%s", *line ? "|" : "", line);
	for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|"))
		argv[argc++] = word;
	argv[argc] = NULL;
	CHECK_EQUAL(options_parse(&options, &live, argc, argv), -1);
	start_note_append(&text, &options, interfaces);
	snprintf(note, sizeof(note), "%.*s", (int)text.used, text.bytes);
	CHECK_STRING(note, expected);
	text_free(&text);
	options_free(&options);
}

static void test_contexts(void)
{
	check_note(
		"", 3,
		"tracking sockets, and packets on 3 interfaces of this network namespace; each connection's record follows when it ends; "
		"Ctrl-C ends it");
	check_note("--context|wire|-i|lo|--events|open", 1,
		   "tracking packets on 1 interface of this network namespace; Ctrl-C ends it");
	check_note("-i|none|-t|60|-n|5|--summary", 0,
		   "tracking sockets; tables follow at the end; ends after 1m00s, after 5 records, or with Ctrl-C");
	check_note("-i|none|-n|1|-o|f", 0,
		   "tracking sockets; records go to f; each connection's record follows when it ends; ends after 1 "
		   "record, or with Ctrl-C");
	check_note(
		"-i|none|--events|close|-q|--metrics|[::1]:9777", 0,
		"tracking sockets; metrics are at http://[::1]:9777/metrics; each connection's record follows when it "
		"ends; Ctrl-C ends it");
	check_note(
		"--summary|--interval|1|-o|a b", 2,
		"tracking sockets, and packets on 2 interfaces of this network namespace; records go to a b; tables follow; Ctrl-C ends it");
}

static void test_filters(void)
{
	char line[400] = "-i|none|--events|open|comm|", expected[400];
	size_t begin = strlen(line);

	check_note("-i|none|--events|open|-x|--comm=curl,psql|--min-duration|1s|port|443|and|not|host ::1", 0,
		   "tracking sockets; filter: -x -c curl,psql --min-duration 1s port 443 and not host ::1; Ctrl-C ends "
		   "it");
	check_note("-i|none|--events|open|--where|port 1 or port 2|-4", 0,
		   "tracking sockets; filter: port 1 or port 2 -4; Ctrl-C ends it");
	memset(line + begin, 'x', 300);
	snprintf(expected, sizeof(expected), "tracking sockets; filter: comm %.195s...; Ctrl-C ends it", line + begin);
	check_note(line, 0, expected);
}

int main(void)
{
	test_contexts();
	test_filters();
	return check_finish();
}
