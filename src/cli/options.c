// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/column_names.h"
#include "src/cli/help.h"
#include "src/cli/listening_check.h"
#include "src/cli/option_table.h"
#include "src/cli/option_values.h"
#include "src/cli/output_check.h"
#include "src/clickhouse/clickhouse_server.h"
#include "src/record/redaction.h"
#include "src/util/escape.h"
#include "src/util/message.h"
#include "src/zeek/conn_log.h"

#define CONTINUE (-1)
#define DEFAULT_INTERVAL_NS 10000000000ULL
#define RECORD_INTERVAL_NS 600000000000ULL /* a record of each open connection; more often makes a history large */
#define DEFAULT_CURSORS "/var/lib/netracker/ship"
#define DEFAULT_BATCH 10000
#define DEFAULT_TIMEOUT_NS 60000000000ULL
#define SHIP_INTERVAL_NS 5000000000ULL
#define DEFAULT_MEMORY (1ULL << 30)
#define WORDS_ARE_FILTER (COMMANDS_THAT_TRACK | COMMAND_LIST | COMMAND_QUERY)
#define MOST_BEFORE_ERROR 40
#define MOST_PROTECTED 16
#define PROTECTED_SIZE 32
#define MOST_OF_EXPRESSION 70
#define KERNEL_TRACE (COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH)

/* --failed: every outcome but closed and open. */
#define FAILED_OUTCOMES \
	(1U << NT_OUTCOME_RESET | 1U << NT_OUTCOME_REFUSED | 1U << NT_OUTCOME_TIMEOUT | 1U << NT_OUTCOME_UNREACHABLE | \
	 1U << NT_OUTCOME_EXPIRED | 1U << NT_OUTCOME_UNANSWERED)
#define FIRST_LONG_ONLY 256 /* above every character: options without a letter, for getopt_long() */
#define MOST_OPTIONS 80

static int rule_value(unsigned int index)
{
	return option_rules[index].letter ? option_rules[index].letter : FIRST_LONG_ONLY + (int)index;
}

static const struct option_rule *find_rule(int value)
{
	unsigned int i;

	for (i = 0; i < option_rule_count; i++)
		if (rule_value(i) == value)
			return &option_rules[i];
	return NULL;
}

/* Converts the option table for getopt_long(). */
static void fill_getopt_tables(struct option *longs, char *shorts)
{
	unsigned int i;

	*shorts++ = ':';
	for (i = 0; i < option_rule_count; i++) {
		longs[i] = (struct option){ option_rules[i].name,
					    option_rules[i].value    ? required_argument :
					    option_rules[i].optional ? optional_argument :
								       no_argument,
					    NULL, rule_value(i) };
		if (!option_rules[i].letter)
			continue;
		*shorts++ = (char)option_rules[i].letter;
		if (option_rules[i].value)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[option_rule_count] = (struct option){ 0 };
}

/* Reports the error with the command's --help as the remedy. */
static void options_report_error(const struct command *command, const char *subject, const char *reason)
{
	message_error("%s: %s; see: netracker %s%s--help", subject, reason, command->name, *command->name ? " " : "");
}

/* Writes "-p/--pid" or "--role". Returns `label`. */
static const char *rule_label(const struct option_rule *rule, char label[32])
{
	if (rule->letter)
		snprintf(label, 32, "-%c/--%s", rule->letter, rule->name);
	else
		snprintf(label, 32, "--%s", rule->name);
	return label;
}

static int refuse_unknown(const struct command *command, char **argv)
{
	const struct option_rule *rule = find_rule(optopt);
	char letter[3] = { '-', (char)optopt, '\0' }, label[32];

	if (rule)
		options_report_error(command, rule_label(rule, label), "takes no value");
	else
		options_report_error(command, optopt ? letter : argv[optind - 1], "no such option");
	return EXIT_STATUS_USAGE;
}

static int refuse_missing_value(const struct command *command)
{
	const struct option_rule *rule = find_rule(optopt);
	char label[32], reason[128];

	if (!rule)
		return EXIT_STATUS_USAGE;
	snprintf(reason, sizeof(reason), "its value is missing: %s", rule->valid);
	options_report_error(command, rule_label(rule, label), reason);
	return EXIT_STATUS_USAGE;
}

static int print_to_stdout(const char *text)
{
	if (fputs(text, stdout) != EOF && fflush(stdout) != EOF)
		return EXIT_STATUS_DONE;
	message_error("standard output: cannot write: %s; free some room there", strerror(errno));
	return EXIT_STATUS_BROKEN;
}

int options_print_help(const struct command *command)
{
	struct text_buffer text = { 0 };
	int status;

	help_append(&text, command->bit);
	text_char(&text, '\0');
	if (text.failed)
		message_error("help: out of memory");
	status = text.failed ? EXIT_STATUS_BROKEN : print_to_stdout(text.bytes);
	text_free(&text);
	return status;
}

/* A value that is a number is out of range; a name is that of a missing object. */
static int refuse_value(const struct command *command, const struct option_rule *rule, const char *value)
{
	bool is_name = value[strspn(value, "0123456789")];
	char label[32], reason[512];

	if (rule->kind && is_name)
		snprintf(reason, sizeof(reason), "no such %s: %.255s; valid: %s", rule->kind, value, rule->valid);
	else
		snprintf(reason, sizeof(reason), "'%.40s' is not valid; valid: %s", value, rule->valid);
	options_report_error(command, rule_label(rule, label), reason);
	return EXIT_STATUS_USAGE;
}

static int report_options_memory(void)
{
	message_error("options: out of memory");
	return EXIT_STATUS_BROKEN;
}

/* Prints the part of an expression around its error, and marks the error below it. */
static void print_expression(const char *text, const struct filter_error *error)
{
	struct text_buffer line = { 0 };
	size_t from = error->begin > MOST_BEFORE_ERROR ? error->begin - MOST_BEFORE_ERROR : 0, mark, size;
	size_t most = strnlen(text + from, MOST_OF_EXPRESSION) + from; /* an error may be behind the text */
	size_t end = error->end < most ? error->end : most;

	text_string(&line, from ? "  ..." : "  ");
	escape_message(&line, text + from, error->begin - from);
	mark = line.used;
	escape_message(&line, text + error->begin, end - error->begin);
	size = line.used > mark ? line.used - mark : 1;
	escape_message(&line, text + end, most - end);
	text_char(&line, '\n');
	text_spaces(&line, mark);
	while (size--)
		text_char(&line, '^');
	text_char(&line, '\n');
	if (!line.failed)
		fwrite(line.bytes, 1, line.used, stderr);
	text_free(&line);
}

static void add_filter_text(struct options *options, const char *text)
{
	if (options->filter_text.used)
		text_char(&options->filter_text, ' ');
	text_string(&options->filter_text, text);
}

static void add_option_text(struct options *options, const struct option_rule *rule, const char *value)
{
	char letter[3] = { '-', (char)rule->letter, '\0' }, name[32];

	snprintf(name, sizeof(name), "--%s", rule->name);
	add_filter_text(options, rule->letter ? letter : name);
	if (value)
		add_filter_text(options, value);
}

static int add_expression(struct options *options, const char *text, const char *hint)
{
	struct filter_error error;

	if (filter_add_text(options->delivery.filter, text, &error)) {
		add_filter_text(options, text);
		return CONTINUE;
	}
	if (error.no_memory)
		return report_options_memory();
	message_error("filter: %s%s; see: netracker --help", error.message, error.begin ? "" : hint);
	print_expression(text, &error);
	return EXIT_STATUS_USAGE;
}

/* Adds the words after the options: as tcpdump does, joined by spaces. */
static int add_words(struct options *options, int count, char **words, const char *hint)
{
	struct text_buffer text = { 0 };
	int status = EXIT_STATUS_BROKEN, i;

	for (i = 0; i < count; i++) {
		if (i)
			text_char(&text, ' ');
		text_string(&text, words[i] + strspn(words[i], " "));
	}
	text_char(&text, '\0');
	if (text.failed)
		report_options_memory();
	else
		status = add_expression(options, text.bytes, hint);
	text_free(&text);
	return status;
}

int options_print_version(void)
{
	return print_to_stdout("netracker " NETRACKER_VERSION "\n");
}

static int add_condition(struct options *options, const struct command *command, const struct option_rule *rule,
			 const char *value)
{
	struct filter_error error;

	if (filter_add_option(options->delivery.filter, rule->field, rule->relation, value, &error))
		return CONTINUE;
	return error.no_memory ? report_options_memory() : refuse_value(command, rule, value);
}

static int apply_rule(struct options *options, const struct command *command, const struct option_rule *rule)
{
	char label[32], reason[192];
	int status = CONTINUE;
	const char *value;

	if (!rule)
		return EXIT_STATUS_USAGE;
	if (rule->type == OPTION_HELP)
		return options_print_help(command);
	if (rule->type == OPTION_VERSION)
		return options_print_version();
	if (!(rule->commands & command->bit)) {
		const char *why = command->refusal ? command->refusal : rule->refusal;

		snprintf(reason, sizeof(reason), "not an option of %s%s%s",
			 *command->name ? command->name : "live tracking", why ? ": " : "", why ? why : "");
		options_report_error(command, rule_label(rule, label), reason);
		return EXIT_STATUS_USAGE;
	}
	if (rule->type == OPTION_WHERE)
		return add_expression(options, optarg, "");
	value = optarg ? optarg : rule->implied;
	if (rule->type == OPTION_CONDITION)
		status = add_condition(options, command, rule, value);
	else if (!option_value_set(options, rule, value))
		status = refuse_value(command, rule, value);
	if (status != CONTINUE)
		return status;
	if (rule->section == SECTION_FILTERS)
		add_option_text(options, rule, value);
	return CONTINUE;
}

/* Returns what may be meant if the first word after the options is no field. */
static const char *hint_for_words(const struct command *command, const char *word)
{
	if (isdigit((unsigned char)*word))
		return "; an optional value needs =: --watch=2";
	if (*word == '/')
		return "; an optional value needs =: --history=/srv/history";
	return command->bit & COMMANDS_THAT_TRACK && optind > 1 ? "; a command comes before its options" : "";
}

static int parse_operands(struct options *options, const struct command *command, int argc, char **argv)
{
	const char *unexpected = "unexpected argument";
	int most = command->bit & (COMMAND_REPLAY | COMMAND_EXPLAIN) ? argc : 0;

	if (command->bit & KERNEL_TRACE)
		unexpected = "unexpected argument; name an interface with -i";
	if (command->bit & WORDS_ARE_FILTER)
		return argc > optind ?
			       add_words(options, argc - optind, argv + optind, hint_for_words(command, argv[optind])) :
			       CONTINUE;
	if (argc - optind > most) {
		options_report_error(command, argv[optind + most], unexpected);
		return EXIT_STATUS_USAGE;
	}
	options->files = argv + optind;
	options->file_count = (unsigned int)(argc - optind);
	if (command->bit == COMMAND_REPLAY && !options->file_count) {
		options_report_error(command, "replay", "its file is missing: netracker replay FILE");
		return EXIT_STATUS_USAGE;
	}
	return CONTINUE;
}

static const char *find_replay_conflict(const struct options *options)
{
	if (delivery_wants_event(&options->delivery, NT_EVENT_LISTENER))
		return "replay is for connections, and a listener is none; leave out listener";
	if (options->ignore_checksums && options->rules != RULES_ZEEK)
		return "-C needs --like zeek; without it checksums are never validated";
	if (options->rules == RULES_ZEEK && delivery_wants_event(&options->delivery, NT_EVENT_OPEN))
		return "--like zeek writes each connection once, when it is over; leave out --events open";
	return NULL;
}

static const char *find_list_conflict(const struct options *options)
{
	const struct format *format = options->delivery.output.sink.format;

	if (format == &format_trace || format == &conn_log_format)
		return "-f trace and -f zeek are for connections that ended; list writes text, json, csv, tsv";
	if (options->listening && options->delivery.output.resolves)
		return "--resolve shows names of peers, and a listener has none; leave it out";
	if (options->reverse && !options->sort && !options->delivery.output.top)
		return "-r is for --sort; name the field to sort by";
	return NULL;
}

static bool time_is_given(const struct time_span *span)
{
	return span->last_ns;
}

static const char *find_grouping_conflict(const struct options *options)
{
	const struct delivery_options *delivery = &options->delivery;

	if (delivery->output.summary)
		return "--by and --summary are two answers; leave one out";
	if (delivery->max_records)
		return "-n is for records; --top limits the groups of --by";
	if (options->column_list_count || delivery->output.sink.width || delivery->output.resolves)
		return "--columns, --width and --resolve are for records; leave them out with --by";
	if (options->only_new && !time_is_given(&options->since))
		return "--new needs -S: groups that were not there before it";
	return NULL;
}

static const char *find_ungrouped_conflict(const struct options *options)
{
	if (options->sort)
		return "--sort is for the groups of --by; pipe -f tsv into sort";
	if (options->only_new)
		return "--new is for the groups of --by";
	if (options->delivery.output.top && !options->delivery.output.summary)
		return "--top is for the groups of --by or the tables of --summary; -n is the number of records";
	return NULL;
}

static const char *find_server_conflict(const struct options *options)
{
	if (options->password_file && options->token_file)
		return "--password-file and --token-file exclude each other; leave one out";
	return options->key_file && !options->cert_file ? "--key-file needs --cert-file" : NULL;
}

/* Options for files alone, or for servers alone. */
static const char *find_source_conflict(const struct options *options)
{
	bool has_server_options = options->password_file || options->token_file || options->ca_file ||
				  options->cert_file || options->key_file || options->timeout_ns;

	if (!clickhouse_is_url(options->from))
		return has_server_options ? "--password-file, --token-file, --ca-file, --cert-file, --key-file and "
					    "--timeout are for servers; add --from clickhouse://HOST/DATABASE" :
					    NULL;
	if (options->follows)
		return "--follow reads the files of a history; leave it out, or name a folder with --from";
	if (options->threads)
		return "--threads is for the files of a history; the server has its own; leave it out";
	return find_server_conflict(options);
}

static const char *find_query_conflict(const struct options *options)
{
	const struct format *format = options->delivery.output.sink.format;
	const char *conflict = find_source_conflict(options);

	if (conflict)
		return conflict;
	if (format == &format_trace || format == &conn_log_format)
		return "-f trace and -f zeek are for live tracking and replay; query writes text, json, csv, tsv";
	if (time_is_given(&options->at) && (time_is_given(&options->since) || time_is_given(&options->until)))
		return "--at is a time of its own; leave out -S and -U";
	if (time_is_given(&options->until) && options->until.first_ns < options->since.first_ns)
		return "-U is before -S; name a later end";
	if (options->follows &&
	    (time_is_given(&options->until) || time_is_given(&options->at) || options->reverse ||
	     options->delivery.max_records || options->group_by || options->delivery.output.summary))
		return "--follow goes on with the records that come; leave out -U, --at, -r, -n, --by and --summary";
	if (options->prints_sql && (options->follows || options->delivery.output.summary))
		return "--print-sql prints one question for one answer; leave out --follow and --summary";
	return options->group_by ? find_grouping_conflict(options) : find_ungrouped_conflict(options);
}

/* Options that change how the records of a format with columns are written. */
static const char *find_columns_conflict(const struct options *options)
{
	const struct sink_options *sink = &options->delivery.output.sink;
	bool tables_only = options->delivery.output.summary && !sink->path;

	if (!options->column_list_count && !sink->no_header && !sink->width)
		return NULL;
	if (tables_only)
		return "--columns, --no-header and --width are for records, not for the tables of --summary: name a file "
		       "for records with -o";
	if (sink->width && sink->format != &format_text)
		return "--width is for -f text; leave it out";
	if (options->column_list_count && !sink->format->column_name)
		return "--columns is for -f text, csv and tsv; of JSON jq selects keys";
	if (sink->no_header && !sink->format->column_name)
		return "--no-header is for -f text, csv and tsv; leave it out";
	return NULL;
}

/* Formats for programs have addresses alone. With a file for records, the tables of --summary are text. */
static const char *find_names_conflict(const struct output_options *output)
{
	bool has_text_tables = output->summary && output->sink.path;

	if (!output->resolves || output->sink.format == &format_text || has_text_tables)
		return NULL;
	return "--resolve is for -f text; the other formats have addresses";
}

static const char *find_kernel_trace_conflict(const struct options *options)
{
	const struct format *format = options->delivery.output.sink.format;

	if (options->command == COMMAND_STATUS && format != &format_text && format != &format_json)
		return "status writes text or json; leave out -f, or name one of them";
	if (options->no_interfaces)
		return "-i none is for live tracking; name an interface";
	if (options->command == COMMAND_ATTACH && !options->interfaces.count)
		return "-i is missing: netracker attach -i INTERFACE; ip link lists interfaces";
	return NULL;
}

static const char *find_live_conflict(const struct options *options)
{
	if (delivery_wants_event(&options->delivery, NT_EVENT_LISTED) ||
	    delivery_wants_event(&options->delivery, NT_EVENT_LISTENER))
		return "listed and listener records are those of netracker list; leave them out";
	if (!options->contexts)
		return "-i none with --context wire leaves nothing to follow; name an interface, or add the socket context";
	if (options->contexts & CONTEXT_WIRE)
		return NULL;
	if (options->interfaces.count)
		return "-i needs the wire context; leave out --context socket";
	if (options->every_packet)
		return "--packets needs the wire context; leave out --context socket and -i none";
	if (options->forwarded)
		return "--forwarded needs the wire context; leave out --context socket and -i none";
	return NULL;
}

/* Without a file for records, -f is the format of the summary. */
static const char *find_summary_conflict(const struct delivery_options *delivery)
{
	const struct format *format = delivery->output.sink.format;

	if (!delivery->output.summary || delivery->output.sink.path)
		return NULL;
	if (format == &format_trace || format == &conn_log_format)
		return "-f trace and -f zeek are for records; --summary is written as text, json, csv or tsv, or name a file "
		       "for the records with -o";
	if (format == &format_text && delivery->host)
		return "--host is for records and for a summary in json, csv or tsv; add -f json, or name a file for the "
		       "records with -o";
	return NULL;
}

static const char *find_history_conflict(const struct options *options)
{
	if (options->keep_given && !options->delivery.history.folder)
		return "--keep is for a history; add --history";
	if (options->delivery.output.nowhere && options->delivery.output.interval_ns &&
	    !delivery_wants_event(&options->delivery, NT_EVENT_UPDATE))
		return "--interval needs update records; add update to --events";
	return NULL;
}

/* These outputs show values that come from addresses and names outside of the records, or besides them. */
static const char *find_redaction_conflict(const struct options *options)
{
	const struct output_options *output = &options->delivery.output;

	if (!options->delivery.redaction)
		return NULL;
	if (output->summary || options->group_by)
		return "--redact is for records; use it without --summary and --by";
	if (output->resolves)
		return "redacted addresses have no names; use --redact without --resolve";
	if (output->sink.format == &conn_log_format)
		return "with -f zeek, local_orig and local_resp come from the addresses; use --redact with another format";
	return NULL;
}

static const char *find_metrics_conflict(const struct options *options)
{
	if (options->metrics_programs && !options->metrics.size)
		return "--metrics-programs is for metrics; add --metrics";
	if (options->metrics.size && !delivery_wants_event(&options->delivery, NT_EVENT_CLOSE))
		return "--metrics counts close records; add close to --events";
	return NULL;
}

/* Returns why options must not be given together. NULL if they may. */
static const char *find_ship_conflict(const struct options *options)
{
	return options->to ? find_server_conflict(options) : "--to URL is missing; it names the server";
}

static const char *find_conflict(const struct options *options)
{
	const char *conflict = find_columns_conflict(options);

	if (!conflict)
		conflict = find_summary_conflict(&options->delivery);
	if (!conflict)
		conflict = find_names_conflict(&options->delivery.output);
	if (!conflict)
		conflict = find_history_conflict(options);
	if (!conflict)
		conflict = find_metrics_conflict(options);
	if (!conflict)
		conflict = find_redaction_conflict(options);
	if (conflict)
		return conflict;
	if (options->ipv4_only && options->ipv6_only)
		return "-4 and -6 exclude each other; leave both out to see both";
	if (options->delivery.quiet && options->verbose)
		return "-q and -v exclude each other; leave one out";
	if (options->delivery.output.interval_ns && options->command != COMMAND_SHIP &&
	    !options->delivery.output.summary && !delivery_wants_event(&options->delivery, NT_EVENT_UPDATE))
		return "--interval needs update records or tables; add --events update,close or --summary";
	if (options->delivery.output.top && !options->delivery.output.summary &&
	    !(options->command & (COMMAND_LIST | COMMAND_QUERY)))
		return "--top is for the tables of --summary; add --summary, or leave out --top";
	if (options->failed && !options->outcomes)
		return "-x and --outcome have no outcome in common; add one other than closed and open, or leave out -x";
	switch (options->command) {
	case COMMAND_LIVE:
	case COMMAND_RECORD:
		return find_live_conflict(options);
	case COMMAND_REPLAY:
		return find_replay_conflict(options);
	case COMMAND_LIST:
		return find_list_conflict(options);
	case COMMAND_QUERY:
		return find_query_conflict(options);
	case COMMAND_EXPLAIN:
		return NULL;
	case COMMAND_SHIP:
		return find_ship_conflict(options);
	default:
		return find_kernel_trace_conflict(options);
	}
}

/* Adds -4, -6, --outcome, -x and query's --id to the filter: they are checked for conflicts first. */
static int add_flags(struct options *options)
{
	struct filter *filter = options->delivery.filter;
	struct filter_error error;
	unsigned int i;
	bool done = true;

	if (options->ipv4_only || options->ipv6_only)
		done = filter_add_option(filter, "family", FILTER_EQUAL, options->ipv4_only ? "ipv4" : "ipv6", &error);
	for (i = 0; i < record_outcome_names.count && done; i++)
		if (options->outcomes & 1U << i)
			done = filter_add_option(filter, "outcome", FILTER_EQUAL, record_outcome_names.names[i],
						 &error);
	if (done && options->command == COMMAND_QUERY && options->id)
		done = filter_add_option(filter, "id", FILTER_EQUAL, options->id, &error);
	if (done)
		return CONTINUE;
	message_error("options: %s", error.message);
	return EXIT_STATUS_BROKEN;
}

/* The names of --columns depend on the format, which may have been given after them. */
static int resolve_columns(struct options *options, const struct command *command)
{
	char reason[192];
	unsigned int i;

	for (i = 0; i < options->column_list_count; i++) {
		if (column_names_add(&options->columns, options->delivery.output.sink.format, options->column_lists[i],
				     reason, sizeof(reason)))
			continue;
		options_report_error(command, "--columns", reason);
		return EXIT_STATUS_USAGE;
	}
	if (options->columns.count)
		options->delivery.output.sink.chosen = &options->columns;
	return CONTINUE;
}

/* The order of originals would show which of them comes first. */
static int check_redacted_sort(const struct options *options, const struct command *command)
{
	const struct filter_field *field = &options->sort_key;

	if (!options->delivery.redaction ||
	    (field->type != FILTER_ADDRESS && !(field->key && redaction_replaces(field->key))))
		return CONTINUE;
	options_report_error(command, "--sort",
			     "the order of originals would show through --redact; sort by a number or a time");
	return EXIT_STATUS_USAGE;
}

/* --top without --sort: connections with the most bytes, listeners with the longest queues. */
static int resolve_sort(struct options *options, const struct command *command)
{
	const char *name = options->sort ? options->sort : options->listening ? "backlog" : "bytes";
	char nearest[FIELD_KEY_SIZE], reason[192];

	if (options->command != COMMAND_LIST || (!options->sort && !options->delivery.output.top))
		return CONTINUE;
	options->sorts = filter_field_find(name, &options->sort_key);
	if (options->sorts)
		return check_redacted_sort(options, command);
	if (filter_field_find_nearest(name, nearest))
		snprintf(reason, sizeof(reason), "'%.60s' is no field; nearest: %s", name, nearest);
	else
		snprintf(reason, sizeof(reason),
			 "'%.60s' is no field; valid: a field of filters or a key of the record", name);
	options_report_error(command, "--sort", reason);
	return EXIT_STATUS_USAGE;
}

static int apply_late_options(struct options *options, const struct command *command)
{
	int status = resolve_columns(options, command);

	if (status == CONTINUE)
		status = resolve_sort(options, command);
	if (status == CONTINUE)
		status = add_flags(options);
	if (status == CONTINUE && !listening_check_fields(options))
		status = EXIT_STATUS_USAGE;
	return status;
}

static int check_combination(struct options *options, const struct command *command)
{
	const char *conflict;

	if (options->command & COMMANDS_THAT_TRACK && delivery_wants_event(&options->delivery, NT_EVENT_UPDATE) &&
	    !options->delivery.output.interval_ns)
		options->delivery.output.interval_ns = options->command == COMMAND_RECORD ? RECORD_INTERVAL_NS :
											    DEFAULT_INTERVAL_NS;
	if (options->failed)
		options->outcomes = (options->outcomes ? options->outcomes : ~0U) & FAILED_OUTCOMES;
	options->delivery.output.sink.pages = options->watch_ns;
	if (options->command == COMMAND_LIST) {
		options->delivery.events = 1U << (options->listening ? NT_EVENT_LISTENER : NT_EVENT_LISTED);
		options->delivery.output.sink.rows = options->listening ? ROWS_LISTENERS : ROWS_OPEN;
	}
	if (options->no_interfaces)
		options->contexts &= ~(unsigned int)CONTEXT_WIRE;
	conflict = find_conflict(options);
	if (!conflict)
		return apply_late_options(options, command);
	options_report_error(command, "options", conflict);
	return EXIT_STATUS_USAGE;
}

static void set_ship_defaults(struct options *options)
{
	options->from = HISTORY_DEFAULT_FOLDER;
	options->cursors = DEFAULT_CURSORS;
	options->batch = DEFAULT_BATCH;
	options->timeout_ns = DEFAULT_TIMEOUT_NS;
	options->delivery.output.interval_ns = SHIP_INTERVAL_NS;
}

static void set_defaults(struct options *options, const struct command *command, const char **interfaces)
{
	*options = (struct options){
		.command = command->bit,
		.delivery.events = 1U << NT_EVENT_CLOSE,
		.delivery.filter = filter_new(),
		.delivery.sums_up_open = command->bit == COMMAND_LIVE,
		.delivery.history = { .most_age_ns = HISTORY_DEFAULT_AGE_NS,
				      .most_bytes = HISTORY_DEFAULT_BYTES,
				      .command = *command->name ? command->name : "live" },
		.delivery.output.sink.format = &format_text,
		.delivery.output.sink.waits = !(command->bit & COMMANDS_THAT_TRACK),
		.delivery.output.origin.source = command->bit == COMMAND_REPLAY ? SUMMARY_OF_REPLAY :
						 command->bit == COMMAND_QUERY  ? SUMMARY_OF_HISTORY :
										  SUMMARY_OF_LIVE,
		.contexts = CONTEXT_SOCKET | CONTEXT_WIRE,
		.interfaces.names = interfaces,
		.most_memory = DEFAULT_MEMORY,
	};
	if (command->bit == COMMAND_LIST)
		options->contexts = CONTEXT_SOCKET;
	if (command->bit == COMMAND_QUERY) {
		options->delivery.events = ~(1U << NT_EVENT_LISTENER);
		options->from = HISTORY_DEFAULT_FOLDER;
	}
	if (command->bit == COMMAND_SHIP)
		set_ship_defaults(options);
	if (command->bit == COMMAND_REPLAY) {
		options->delivery.events |= 1U << NT_EVENT_EXIT | 1U << NT_EVENT_LISTED; /* the latter from records */
		options->delivery.history.most_age_ns = options->delivery.history.most_bytes = 0;
		options->delivery.history.is_replay = true;
		options->contexts = CONTEXT_WIRE;
	}
	if (command->bit == COMMAND_RECORD) {
		options->delivery.events |= 1U << NT_EVENT_UPDATE | 1U << NT_EVENT_EXIT;
		options->delivery.history.folder = HISTORY_DEFAULT_FOLDER;
		options->delivery.output.nowhere = true;
	}
}

static bool is_operator(const char *word)
{
	static const char *const operators[] = { "=",  "==", "!=", "<",  "<=", ">", ">=",
						 "eq", "ne", "lt", "le", "gt", "ge" };
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (!strcmp(word, operators[i]))
			return true;
	return false;
}

/* `start gt -10m`: behind an operator, a minus sign and a digit begin a value and no option. getopt_long() reads what
 * begins with a space as an operand, and to the filter language a space is nothing.
 */
static void protect_times(int argc, char **argv)
{
	static char protected[MOST_PROTECTED][PROTECTED_SIZE];
	int i, count = 0;

	for (i = 2; i < argc && count < MOST_PROTECTED; i++) {
		if (argv[i][0] != '-' || !isdigit((unsigned char)argv[i][1]) || !is_operator(argv[i - 1]) ||
		    strlen(argv[i]) + 2 > PROTECTED_SIZE)
			continue;
		sprintf(protected[count], " %s", argv[i]);
		argv[i] = protected[count++];
	}
}

static int parse_flags(struct options *options, const struct command *command, int argc, char **argv)
{
	struct option longs[MOST_OPTIONS + 1];
	char shorts[2 * MOST_OPTIONS + 2];
	int status = CONTINUE, value;

	fill_getopt_tables(longs, shorts);
	optind = 0; /* GNU: starts a new scan */
	opterr = 0;
	while (status == CONTINUE && (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (value == '?')
			status = refuse_unknown(command, argv);
		else if (value == ':')
			status = refuse_missing_value(command);
		else
			status = apply_rule(options, command, find_rule(value));
	}
	return status;
}

int options_parse(struct options *options, const struct command *command, int argc, char **argv)
{
	const char **interfaces = calloc((size_t)argc + 1, sizeof(*interfaces));
	int status;

	set_defaults(options, command, interfaces);
	if (!interfaces || !options->delivery.filter) {
		return report_options_memory();
	}
	if (command->bit & WORDS_ARE_FILTER)
		protect_times(argc, argv);
	status = parse_flags(options, command, argc, argv);
	if (status == CONTINUE)
		status = parse_operands(options, command, argc, argv);
	if (options->from && strcmp(options->from, HISTORY_DEFAULT_FOLDER) != 0)
		options->delivery.output.origin.history = options->from;
	if (status == CONTINUE)
		status = check_combination(options, command);
	if (status == CONTINUE && !output_check_inputs(options))
		status = EXIT_STATUS_USAGE;
	return status;
}

void options_free(struct options *options)
{
	filter_free(options->delivery.filter);
	options->delivery.filter = NULL;
	text_free(&options->filter_text);
	free(options->interfaces.names);
	options->interfaces.names = NULL;
}
