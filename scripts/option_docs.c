// SPDX-License-Identifier: GPL-2.0-or-later
/* Prints the parts of the man page and of bash completion that come from the option table: `option_docs man`,
 * `option_docs completion`. scripts/update-option-docs writes them into the files.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "src/cli/option_table.h"
#include "src/filter/filter.h"
#include "src/output/format.h"

struct command_name {
	enum command_bit bit;
	const char *in_man, *in_bash;
};

/* Bash gets the commands in reverse order: live tracking is the last pattern, since it matches any word. */
static const struct command_name commands[] = {
	{ COMMAND_LIVE, "track", "*" },
	{ COMMAND_RECORD, "record", "record" },
	{ COMMAND_LIST, "list", "list" },
	{ COMMAND_REPLAY, "replay", "replay" },
	{ COMMAND_QUERY, "query", "query" },
	{ COMMAND_SHIP, "ship", "ship" },
	{ COMMAND_EXPLAIN, "explain", "explain" },
	{ COMMAND_ATTACH, "attach", "attach" },
	{ COMMAND_STATUS, "status", "status" },
	{ COMMAND_DETACH, "detach", "detach" },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- the man page, in mdoc(7) ---- */

/* Prints a minus sign at the beginning of an option; other dashes are hyphens. */
static void print_mdoc(const char *text)
{
	const char *byte;

	for (byte = text; *byte; byte++) {
		if (*byte == '-' && (byte == text || strchr(" -", byte[-1])))
			putchar('\\');
		putchar(*byte);
	}
}

static bool begins_with_value(const struct option_rule *rule, const char *text)
{
	const char *values = rule->offered[0].text;

	return values && !strncmp(text, values, strcspn(values, " "));
}

/* Capitalizes the first letter, unless the text begins with a word that is a value. */
static void print_sentence(const struct option_rule *rule, const char *text)
{
	putchar(begins_with_value(rule, text) ? *text : toupper((unsigned char)*text));
	print_mdoc(text + 1);
	puts(".");
}

static void print_commands(unsigned int bits)
{
	const char *separator = "";
	size_t i, missing = 0;

	for (i = 0; i < COMMANDS; i++)
		missing += !(bits & commands[i].bit);
	printf(" Bq ");
	if (!missing) {
		puts("all");
		return;
	}
	for (i = 0; i < COMMANDS; i++) {
		if (!(bits & commands[i].bit))
			continue;
		printf("%s%s", separator, commands[i].in_man);
		separator = ", ";
	}
	putchar('\n');
}

static void print_lower_case(const char *word)
{
	for (; *word; word++)
		putchar(tolower((unsigned char)*word));
}

static void print_item(const struct option_rule *rule)
{
	printf(".It ");
	if (rule->letter)
		printf("Fl %c , ", rule->letter);
	printf("Fl -%s", rule->name);
	if (rule->value) {
		printf(" Ar ");
		print_lower_case(rule->value);
	} else if (rule->optional) {
		printf(" Ns Oo = Ns Ar ");
		print_lower_case(rule->optional);
		printf(" Oc");
	}
	print_commands(rule->commands);
}

static const char *text_of_first_command(const struct option_rule *rule)
{
	size_t i = 0;

	while (!(rule->commands & commands[i].bit))
		i++;
	return option_text_for(rule->help, commands[i].bit);
}

/* Prints a text that only some of the commands have, after their names. */
static void print_other_text(const struct option_rule *rule, const char *text)
{
	const char *separator = "In ";
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (!(commands[i].bit & rule->commands) || option_text_for(rule->help, commands[i].bit) != text)
			continue;
		printf("%s%s", separator, commands[i].in_man);
		separator = ", ";
	}
	printf(": ");
	print_mdoc(text);
	puts(".");
}

static void print_texts(const struct option_rule *rule)
{
	const char *first = text_of_first_command(rule);
	unsigned int i;

	print_sentence(rule, first);
	for (i = 0; i < OPTION_TEXTS && rule->help[i].text; i++)
		if (rule->help[i].text != first && rule->help[i].commands & rule->commands)
			print_other_text(rule, rule->help[i].text);
}

static void print_man(void)
{
	unsigned int section, i;

	for (section = 0; section < SECTIONS; section++) {
		printf(".Ss %s\n.Bl -tag -width Ds\n", option_section_names[section]);
		for (i = 0; i < option_rule_count; i++) {
			if (option_rules[i].section != section)
				continue;
			print_item(&option_rules[i]);
			print_texts(&option_rules[i]);
		}
		puts(".El");
	}
}

/* ---- completion in bash ---- */

static void print_options_of(const struct command_name *command)
{
	const char *separator = "";
	unsigned int i;

	printf("\t%s) echo '", command->in_bash);
	for (i = 0; i < option_rule_count; i++) {
		if (!(option_rules[i].commands & command->bit))
			continue;
		if (option_rules[i].letter)
			printf("%s-%c --%s", separator, option_rules[i].letter, option_rules[i].name);
		else
			printf("%s--%s", separator, option_rules[i].name);
		separator = " ";
	}
	puts("' ;;");
}

static void print_words(const struct option_rule *rule)
{
	const char *offer = rule->completion == COMPLETE_WORD ? "_netracker_offer" : "_netracker_offer_list";
	size_t i;

	puts("\n\t\tcase $command in");
	for (i = COMMANDS; i--;) {
		const char *words = option_text_for(rule->offered, commands[i].bit);

		if (commands[i].bit & rule->commands)
			printf("\t\t%s) %s \"$typed\" %s ;;\n", commands[i].in_bash, offer, words);
	}
	puts("\t\tesac ;;");
}

/* Prints the names that the format takes for --columns, each once. */
static void print_columns_of(const struct format *format)
{
	char name[FIELD_KEY_SIZE], earlier[FIELD_KEY_SIZE];
	unsigned int i, j;

	for (i = 0; format->column_name(i, name); i++) {
		for (j = 0; j < i && format->column_name(j, earlier) && strcmp(name, earlier);)
			j++;
		if (j == i)
			printf(" %s", name);
	}
}

/* Completion does not know which format is meant. The program says which names csv and tsv do not have. */
static void print_columns(void)
{
	printf(" _netracker_offer_list \"$typed\"");
	print_columns_of(&format_text);
	puts(" ;;");
}

static void print_values(const struct option_rule *rule)
{
	static const char *const offers[] = {
		[COMPLETE_NOTHING] = "",
		[COMPLETE_INTERFACES] = " _netracker_offer_interfaces \"$typed\" \"$command\"",
		[COMPLETE_PROCESSES] = " _netracker_offer_processes \"$typed\"",
		[COMPLETE_PROCESS_NAMES] = " _netracker_offer_process_names \"$typed\"",
		[COMPLETE_USERS] = " _netracker_offer_users \"$typed\"",
		[COMPLETE_FILES] = " _netracker_offer_files",
		[COMPLETE_CGROUPS] = " _netracker_offer_cgroups \"$typed\"",
		[COMPLETE_FIELDS] = " _netracker_offer \"$typed\" \"${_netracker_fields[@]}\"",
		[COMPLETE_NAMESPACES] = " _netracker_offer_entries \"$typed\" /run/netns",
	};

	printf("\t");
	if (rule->letter)
		printf("-%c | ", rule->letter);
	printf("--%s)", rule->name);
	if (rule->completion == COMPLETE_COLUMNS)
		print_columns();
	else if (rule->completion == COMPLETE_WORD || rule->completion == COMPLETE_WORD_LIST)
		print_words(rule);
	else
		printf("%s ;;\n", offers[rule->completion]);
}

static void print_completion(void)
{
	unsigned int i;

	puts("_netracker_options_of() {\n\tcase $1 in");
	for (i = COMMANDS; i--;)
		print_options_of(&commands[i]);
	puts("\tesac\n}\n\n# Offers the values of an option. Status 1: the option takes none.\n_netracker_offer_values() {\n"
	     "\tlocal option=$1 typed=$2 command=$3\n\tcase $option in");
	for (i = 0; i < option_rule_count; i++)
		if (option_rules[i].value || option_rules[i].optional)
			print_values(&option_rules[i]);
	printf("\t*) return 1 ;;\n\tesac\n\treturn 0\n}\n\n# The letters of the options without a value.\n_netracker_flags=");
	for (i = 0; i < option_rule_count; i++)
		if (option_rules[i].letter && !option_rules[i].value)
			putchar(option_rules[i].letter);
	printf("\n\n# The fields of filters.\n_netracker_fields=(");
	for (i = 0; filter_short_name(i); i++)
		printf("%s%s", i ? " " : "", filter_short_name(i));
	puts(")");
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "man")) {
		print_man();
	} else if (argc == 2 && !strcmp(argv[1], "completion")) {
		print_completion();
	} else {
		fputs("usage: option_docs man | completion\n", stderr);
		return 2;
	}
	return fflush(stdout) ? 1 : 0;
}
