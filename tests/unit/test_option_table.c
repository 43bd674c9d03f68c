// SPDX-License-Identifier: GPL-2.0-or-later
/* The option table: help, completion and the man page offer what the parser accepts. */
#include "src/cli/option_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/help.h"
#include "tests/unit/check.h"

#define HELP_WIDTH 80
#define LAST_COMMAND COMMAND_DETACH

static char messages[4096]; /* on stderr */

/* Parses one option with its value, and what the command requires besides. */
static int parse(unsigned int command_bit, char *option, char *value)
{
	static char program[] = "netracker", interface[] = "-i", name[] = "lo", file[] = "a.pcap";
	const struct command command = { "name", command_bit, NULL, NULL };
	char *argv[8] = { program, option }, *text = NULL;
	FILE *real_stderr = stderr;
	struct options options;
	int argc = 2, status;
	size_t size;

	if (value)
		argv[argc++] = value;
	if (command_bit == COMMAND_ATTACH && strcmp(option, "--interface")) {
		argv[argc++] = interface;
		argv[argc++] = name;
	}
	if (command_bit == COMMAND_REPLAY)
		argv[argc++] = file;
	stderr = open_memstream(&text, &size);
	status = options_parse(&options, &command, argc, argv);
	fclose(stderr);
	stderr = real_stderr;
	snprintf(messages, sizeof(messages), "%s", text);
	free(text);
	options_free(&options);
	return status;
}

/* The command accepts every word that completion offers, alone or with another option that its message asks for. */
static void test_offered_words(const struct option_rule *rule, unsigned int command)
{
	const char *offered = option_text_for(rule->offered, command);
	char words[256], option[32];

	snprintf(option, sizeof(option), "--%s", rule->name);
	snprintf(words, sizeof(words), "%s", offered ? offered : "");
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
		parse(command, option, word);
		CHECK(!strstr(messages, "is not valid") && !strstr(messages, "list writes") &&
		      !strstr(messages, "status writes") && !strstr(messages, "only for live tracking"));
	}
}

static void test_row(const struct option_rule *rule)
{
	unsigned int command;

	CHECK(rule->value || rule->optional || !rule->valid);
	CHECK(!rule->optional == !rule->implied && !(rule->value && rule->optional));
	for (command = 1; command <= LAST_COMMAND; command <<= 1) {
		if (!(rule->commands & command))
			continue;
		CHECK(option_text_for(rule->help, command) != NULL);
		if (rule->completion == COMPLETE_WORD || rule->completion == COMPLETE_WORD_LIST)
			CHECK(option_text_for(rule->offered, command) != NULL);
		test_offered_words(rule, command);
	}
}

/* Names and letters are unique. */
static void test_unique(void)
{
	unsigned int i, j;

	for (i = 0; i < option_rule_count; i++) {
		for (j = 0; j < i; j++) {
			CHECK(strcmp(option_rules[i].name, option_rules[j].name) != 0);
			CHECK(!option_rules[i].letter || option_rules[i].letter != option_rules[j].letter);
		}
	}
}

static unsigned int count_of(const char *text, const char *words)
{
	unsigned int count = 0;

	for (; (text = strstr(text, words)); text++)
		count++;
	return count;
}

/* attach, status and detach share one help. */
static unsigned int commands_with_the_help_of(unsigned int command)
{
	const unsigned int kernel_trace = COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH;

	return command & kernel_trace ? kernel_trace : command;
}

static void test_help(unsigned int command)
{
	struct text_buffer text = { 0 };
	const char *line, *end;
	unsigned int i;

	help_append(&text, command);
	text_char(&text, '\0');
	CHECK(!text.failed);
	for (line = text.bytes; (end = strchr(line, '\n')); line = end + 1)
		if (!CHECK(end - line <= HELP_WIDTH))
			printf("  %.*s\n", (int)(end - line), line);
	for (i = 0; i < option_rule_count; i++) {
		char label[64];
		bool has = option_rules[i].commands & commands_with_the_help_of(command);

		snprintf(label, sizeof(label), "%s--%s%s", option_rules[i].letter ? ", " : "\n      ",
			 option_rules[i].name, option_rules[i].optional ? "[=" : " ");
		CHECK_EQUAL(count_of(text.bytes, label), has);
	}
	text_free(&text);
}

int main(void)
{
	unsigned int command, i;

	for (i = 0; i < option_rule_count; i++)
		test_row(&option_rules[i]);
	test_unique();
	for (command = 1; command <= LAST_COMMAND; command <<= 1)
		test_help(command);
	return check_finish();
}
