#include "src/cli/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/record.h"
#include "src/util/message.h"
#include "src/cli/option_values.h"
#include "src/record/record_fields.h"

#define GO_ON (-1)
#define LEAST_INTERVAL_NS 100000000ULL /* live tracking looks at its clock every 50 ms */
#define DEFAULT_INTERVAL_NS 10000000000ULL
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define PID_MAX_LIMIT 4194304 /* include/linux/threads.h */
#define HOST_NAME_LIMIT 253 /* RFC 1035 section 2.3.4: 255 octets, as text two less */
#define RECORDS (COMMAND_LIVE | COMMAND_REPLAY | COMMAND_LIST)
#define CLASSIC (COMMAND_ATTACH | COMMAND_STATUS | COMMAND_DETACH)
#define ALL (RECORDS | COMMAND_EXPLAIN | CLASSIC)
#define SOCKETS (COMMAND_LIVE | COMMAND_LIST)
#define ENDS (COMMAND_LIVE | COMMAND_REPLAY)

/* What went wrong: neither closed in order nor open. */
#define FAILED_OUTCOMES                                                                       \
	(1U << NT_OUTCOME_RESET | 1U << NT_OUTCOME_REFUSED | 1U << NT_OUTCOME_TIMEOUT |       \
	 1U << NT_OUTCOME_UNREACHABLE | 1U << NT_OUTCOME_EXPIRED)
#define FIRST_LONG_ONLY 256 /* past every character, so that getopt_long() can tell options without a letter */

struct option_rule {
	const char *name;
	int letter; /* 0: none */
	unsigned int commands;
	const char *refusal; /* why live tracking or replay, whichever has it not, has no such option */
	const char *valid;   /* what a value may be; NULL: takes none */
	bool (*set)(struct options *options, const char *value);
};

static bool set_interface(struct options *options, const char *value)
{
	if (!strcmp(value, "none"))
		options->no_interfaces = true;
	else
		options->interfaces[options->interface_count++] = value;
	return *value && !(options->no_interfaces && options->interface_count);
}

static bool set_ipv4(struct options *options, const char *value)
{
	(void)value;
	return options->ipv4_only = true;
}

static bool set_ipv6(struct options *options, const char *value)
{
	(void)value;
	return options->ipv6_only = true;
}

static bool set_pid(struct options *options, const char *value)
{
	__u64 number;
	bool valid = parse_number(value, 1, PID_MAX_LIMIT, &number);

	options->pid = valid ? (__u32)number : 0;
	return valid;
}

static bool set_comm(struct options *options, const char *value)
{
	options->comm = value;
	return *value && strlen(value) < NT_COMM_SIZE;
}

static bool set_user(struct options *options, const char *value)
{
	options->uid_given = true;
	return parse_user(value, &options->uid);
}

static bool set_netns(struct options *options, const char *value)
{
	return parse_netns(value, &options->netns);
}

/* A path with the mount point would match nothing: records have a cgroup's path from the root of its hierarchy on. */
static bool set_cgroup(struct options *options, const char *value)
{
	size_t length = strlen(value);

	while (length && value[length - 1] == '/')
		length--;
	options->cgroup = value;
	options->cgroup_length = length;
	return *value == '/' && strncmp(value, CGROUP_MOUNT, strlen(CGROUP_MOUNT));
}

static bool set_container(struct options *options, const char *value)
{
	size_t length = strlen(value);

	options->container = value;
	return length && length < NT_CONTAINER_SIZE && strspn(value, "0123456789abcdefABCDEF") == length;
}

static bool set_networks(struct options *options, const char *value)
{
	return parse_networks(value, &options->networks);
}

static bool set_local_port(struct options *options, const char *value)
{
	return parse_ports(value, &options->local_ports);
}

static bool set_remote_port(struct options *options, const char *value)
{
	return parse_ports(value, &options->remote_ports);
}

static bool set_role(struct options *options, const char *value)
{
	return parse_words(value, &record_role_names, &options->roles);
}

static bool set_outcome(struct options *options, const char *value)
{
	return parse_words(value, &record_outcome_names, &options->outcomes);
}

static bool set_failed(struct options *options, const char *value)
{
	(void)value;
	return options->failed = true;
}

static bool set_min_duration(struct options *options, const char *value)
{
	return parse_duration(value, &options->min_duration_ns);
}

static bool set_count(struct options *options, const char *value)
{
	return parse_number(value, 1, ~0ULL, &options->max_records);
}

static bool set_time(struct options *options, const char *value)
{
	return parse_duration(value, &options->max_time_ns) && options->max_time_ns;
}

static bool set_format(struct options *options, const char *value)
{
	static const char *const words[] = { "text", "json", "csv", "tsv", "trace", "zeek" }; /* of enum output_format */
	unsigned int i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(value, words[i]))
			break;
	options->format = i;
	options->format_given = true;
	return i < sizeof(words) / sizeof(words[0]);
}

static bool set_output(struct options *options, const char *value)
{
	options->output = value;
	return *value;
}

static bool set_host(struct options *options, const char *value)
{
	options->host = value;
	return *value && strlen(value) <= HOST_NAME_LIMIT;
}

static bool set_summary(struct options *options, const char *value)
{
	(void)value;
	return options->summary = true;
}

static bool set_interval(struct options *options, const char *value)
{
	return parse_duration(value, &options->interval_ns) && options->interval_ns >= LEAST_INTERVAL_NS;
}

static bool set_events(struct options *options, const char *value)
{
	options->events = 0;
	return parse_words(value, &record_event_names, &options->events);
}

static bool set_context(struct options *options, const char *value)
{
	static const char *const words[] = { "socket", "wire" }; /* in the order of enum context_bit */
	static const struct field_names names = { words, 2 };

	options->contexts = 0;
	return parse_words(value, &names, &options->contexts);
}

static bool set_packets(struct options *options, const char *value)
{
	(void)value;
	return options->every_packet = true;
}

static bool set_forwarded(struct options *options, const char *value)
{
	(void)value;
	return options->forwarded = true;
}

static bool set_tunnels(struct options *options, const char *value)
{
	(void)value;
	return options->tunnels = true;
}

static bool set_like(struct options *options, const char *value)
{
	options->rules = RULES_ZEEK;
	options->tunnels = true;
	return !strcmp(value, "zeek");
}

static bool set_no_checksums(struct options *options, const char *value)
{
	(void)value;
	return options->ignore_checksums = true;
}

static bool set_id(struct options *options, const char *value)
{
	options->id = value;
	return strlen(value) == NT_ID_SIZE - 1 && !value[strspn(value, "0123456789abcdef")];
}

static bool set_quiet(struct options *options, const char *value)
{
	(void)value;
	return options->quiet = true;
}

static bool set_verbose(struct options *options, const char *value)
{
	(void)value;
	return options->verbose = true;
}

#define NO_PROCESSES "a capture knows no processes"
#define NO_NAMESPACES "a capture knows no network namespaces"
#define PORTS "ports from 1 to 65535, separated by commas"
#define NETWORKS "at most 32 addresses or networks as 10.0.0.0/8, fd00::/8, separated by commas"
#define NETNS "a network namespace's name (ip netns), inode number, or path as /proc/PID/ns/net"
#define CGROUP_PATH "a path as records and /proc/PID/cgroup have it: /system.slice (without /sys/fs/cgroup)"

static const struct option_rule rules[] = {
	{ "interface", 'i', COMMAND_LIVE | COMMAND_ATTACH | COMMAND_DETACH, "the packets are the file's",
	  "a name, or none and no other", set_interface },
	{ "ipv4", '4', RECORDS, NULL, NULL, set_ipv4 },
	{ "ipv6", '6', RECORDS, NULL, NULL, set_ipv6 },
	{ "pid", 'p', SOCKETS, NO_PROCESSES, "a process id from 1 to 4194304", set_pid },
	{ "comm", 'c', SOCKETS, NO_PROCESSES, "a process's name, 1 to 15 bytes", set_comm },
	{ "user", 'u', SOCKETS, NO_PROCESSES, "a user's name, or a number from 0 to 4294967294", set_user },
	{ "cgroup", 0, SOCKETS, NO_PROCESSES, CGROUP_PATH, set_cgroup },
	{ "container", 0, SOCKETS, NO_PROCESSES, "how its id begins, 1 to 64 hexadecimal digits", set_container },
	{ "netns", 0, SOCKETS, NO_NAMESPACES, NETNS, set_netns },
	{ "net", 0, RECORDS, NULL, NETWORKS, set_networks },
	{ "local-port", 'L', RECORDS, NULL, PORTS, set_local_port },
	{ "remote-port", 'D', RECORDS, NULL, PORTS, set_remote_port },
	{ "role", 0, SOCKETS, "all of a capture is an observer's", "client, server, observer", set_role },
	{ "outcome", 0, ENDS, NULL, "closed, reset, refused, timeout, unreachable, expired, open", set_outcome },
	{ "failed", 'x', ENDS, NULL, NULL, set_failed },
	{ "min-duration", 0, RECORDS, NULL, "a number with ns, us, ms, s, m or h: 500us, 10ms, 1.5m", set_min_duration },
	{ "count", 'n', RECORDS, NULL, "a number from 1 on", set_count },
	{ "time", 't', COMMAND_LIVE, "a file ends by itself", "seconds above 0: 10, 0.5; or 10m, 1h", set_time },
	{ "format", 'f', RECORDS | COMMAND_STATUS, NULL, "text, json, csv, tsv, trace, zeek", set_format },
	{ "output", 'o', RECORDS, NULL, "a file's name", set_output },
	{ "host", 0, RECORDS, NULL, "a name of 1 to 253 bytes", set_host },
	{ "summary", 0, ENDS, NULL, NULL, set_summary },
	{ "events", 0, ENDS, NULL, "open, update, close, exit", set_events },
	{ "interval", 0, ENDS, NULL, "a time from 0.1 s on: 5, 500ms, 1m", set_interval },
	{ "context", 0, COMMAND_LIVE, "a capture is the wire", "socket, wire", set_context },
	{ "packets", 0, COMMAND_LIVE, "it follows every packet anyway", NULL, set_packets },
	{ "forwarded", 0, COMMAND_LIVE, "all of a capture is written anyway", NULL, set_forwarded },
	{ "tunnels", 0, COMMAND_REPLAY, "only replay looks into tunnels", NULL, set_tunnels },
	{ "like", 0, COMMAND_REPLAY, "only replay can follow other rules", "zeek", set_like },
	{ "no-checksums", 'C', COMMAND_REPLAY, "the kernel has checked them", NULL, set_no_checksums },
	{ "id", 0, COMMAND_EXPLAIN, "it is known only when the record is written", "16 hexadecimal digits", set_id },
	{ "quiet", 'q', ALL, NULL, NULL, set_quiet },
	{ "verbose", 'v', RECORDS | CLASSIC, NULL, NULL, set_verbose },
	{ "help", 'h', ALL, NULL, NULL, NULL },
	{ "version", 'V', ALL, NULL, NULL, NULL },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

static int rule_value(unsigned int index)
{
	return rules[index].letter ? rules[index].letter : FIRST_LONG_ONLY + (int)index;
}

static const struct option_rule *find_rule(int value)
{
	unsigned int i;

	for (i = 0; i < RULES; i++)
		if (rule_value(i) == value)
			return &rules[i];
	return NULL;
}

/* The same table, as getopt_long() wants it. */
static void fill_getopt_tables(struct option *longs, char *shorts)
{
	unsigned int i;

	*shorts++ = ':';
	for (i = 0; i < RULES; i++) {
		longs[i] = (struct option){ rules[i].name, rules[i].valid ? required_argument : no_argument, NULL,
					    rule_value(i) };
		if (!rules[i].letter)
			continue;
		*shorts++ = (char)rules[i].letter;
		if (rules[i].valid)
			*shorts++ = ':';
	}
	*shorts = '\0';
	longs[RULES] = (struct option){ 0 };
}

/* "replay --help", "--help": what to type after netracker. */
static void complain(const struct command *command, const char *what, const char *why)
{
	message_error("%s: %s; see: netracker %s%s--help", what, why, command->name, *command->name ? " " : "");
}

/* "-p/--pid", "--role" */
static const char *rule_label(const struct option_rule *rule, char label[32])
{
	if (rule->letter)
		snprintf(label, 32, "-%c/--%s", rule->letter, rule->name);
	else
		snprintf(label, 32, "--%s", rule->name);
	return label;
}

static int usage_unknown(const struct command *command, char **argv)
{
	const struct option_rule *rule = find_rule(optopt);
	char letter[3] = { '-', (char)optopt, '\0' }, label[32];

	if (rule)
		complain(command, rule_label(rule, label), "takes no value");
	else
		complain(command, optopt ? letter : argv[optind - 1], "no such option");
	return EXIT_STATUS_USAGE;
}

static int usage_missing(const struct command *command)
{
	const struct option_rule *rule = find_rule(optopt);
	char label[32], why[128];

	snprintf(why, sizeof(why), "its value is missing: %s", rule->valid);
	complain(command, rule_label(rule, label), why);
	return EXIT_STATUS_USAGE;
}

static int print_and_leave(const char *text)
{
	if (fputs(text, stdout) != EOF && fflush(stdout) != EOF)
		return EXIT_STATUS_DONE;
	message_error("standard output: cannot write");
	return EXIT_STATUS_BROKEN;
}

static int apply_rule(struct options *options, const struct command *command, const struct option_rule *rule)
{
	char label[32], why[192];

	if (rule->letter == 'h')
		return print_and_leave(command->help);
	if (rule->letter == 'V')
		return print_and_leave("netracker " NETRACKER_VERSION "\n");
	if (!(rule->commands & command->bit)) {
		snprintf(why, sizeof(why), "not an option of %s: %s", *command->name ? command->name : "live tracking",
			 command->refusal ? command->refusal : rule->refusal);
		complain(command, rule_label(rule, label), why);
		return EXIT_STATUS_USAGE;
	}
	if (rule->set(options, optarg))
		return GO_ON;
	snprintf(why, sizeof(why), "'%.40s' is not valid; valid: %s", optarg, rule->valid);
	complain(command, rule_label(rule, label), why);
	return EXIT_STATUS_USAGE;
}

static int parse_operands(struct options *options, const struct command *command, int argc, char **argv)
{
	const char *unexpected = "unexpected; a command comes before its options: netracker replay FILE";
	int most = command->bit == COMMAND_REPLAY ? argc : command->bit == COMMAND_EXPLAIN ? 1 : 0;

	if (command->bit == COMMAND_EXPLAIN)
		unexpected = "one file at a time";
	else if (command->bit & CLASSIC)
		unexpected = "unexpected; interfaces are named with -i";
	else if (command->bit == COMMAND_LIST)
		unexpected = "unexpected; filters have letters: -L PORT, -p PID, -c NAME";
	if (argc - optind > most) {
		complain(command, argv[optind + most], unexpected);
		return EXIT_STATUS_USAGE;
	}
	options->files = argv + optind;
	options->file_count = (unsigned int)(argc - optind);
	if (command->bit == COMMAND_REPLAY && !options->file_count) {
		complain(command, "replay", "which file? netracker replay FILE");
		return EXIT_STATUS_USAGE;
	}
	return GO_ON;
}

static const char *find_replay_conflict(const struct options *options)
{
	if (options_want_event(options, NT_EVENT_UPDATE))
		return "--events update is live tracking's: a capture is over";
	if (options->ignore_checksums && options->rules != RULES_ZEEK)
		return "-C needs --like zeek; without it checksums are not looked at";
	if (options->rules == RULES_ZEEK && options_want_event(options, NT_EVENT_OPEN))
		return "--like zeek writes a connection once, when it is forgotten; leave open out of --events";
	return NULL;
}

static const char *find_list_conflict(const struct options *options)
{
	if (options->format == FORMAT_TRACE || options->format == FORMAT_ZEEK)
		return "-f trace and -f zeek tell of connections that ended; list writes text, json, csv, tsv";
	return NULL;
}

static const char *find_classic_conflict(const struct options *options)
{
	if (options->command == COMMAND_STATUS && options->format > FORMAT_JSON)
		return "status writes text and json";
	if (options->no_interfaces)
		return "-i none is for live tracking; name an interface";
	if (options->command == COMMAND_ATTACH && !options->interface_count)
		return "which interface? netracker attach -i INTERFACE; ip link shows those there are";
	return NULL;
}

static const char *find_live_conflict(const struct options *options)
{
	if (!options->contexts)
		return "-i none leaves nothing of --context wire; name an interface, or add the socket context";
	if (options->contexts & CONTEXT_WIRE)
		return NULL;
	if (options->interface_count)
		return "-i needs the wire context; leave out --context socket";
	if (options->every_packet)
		return "--packets needs the wire context and an interface";
	if (options->forwarded)
		return "--forwarded needs the wire context and an interface";
	return NULL;
}

/* What each option allows by itself, but not together. */
static const char *find_conflict(const struct options *options)
{
	if (options->ipv4_only && options->ipv6_only)
		return "-4 and -6 exclude each other; leave both out to see both";
	if (options->quiet && options->verbose)
		return "-q and -v exclude each other";
	if (options->interval_ns && !options->summary && !options_want_event(options, NT_EVENT_UPDATE))
		return "--interval is for update records and tables; add --events update,close or --summary";
	if (options->summary && !options->output && (options->format_given || options->host))
		return "--summary prints tables; -f and --host are for records: name a file for them with -o";
	if (options->failed && !options->outcomes)
		return "-x leaves nothing of --outcome; name an outcome other than closed and open, or leave one out";
	switch (options->command) {
	case COMMAND_LIVE:
		return find_live_conflict(options);
	case COMMAND_REPLAY:
		return find_replay_conflict(options);
	case COMMAND_LIST:
		return find_list_conflict(options);
	case COMMAND_EXPLAIN:
		return NULL;
	default:
		return find_classic_conflict(options);
	}
}

static int check_together(struct options *options, const struct command *command)
{
	const char *conflict;

	if (options_want_event(options, NT_EVENT_UPDATE) && !options->interval_ns)
		options->interval_ns = DEFAULT_INTERVAL_NS;
	if (options->failed)
		options->outcomes = (options->outcomes ? options->outcomes : ~0U) & FAILED_OUTCOMES;
	if (options->no_interfaces)
		options->contexts &= ~(unsigned int)CONTEXT_WIRE;
	conflict = find_conflict(options);
	if (!conflict)
		return GO_ON;
	complain(command, "options", conflict);
	return EXIT_STATUS_USAGE;
}

static void set_defaults(struct options *options, const struct command *command, const char **interfaces)
{
	*options = (struct options){
		.command = command->bit,
		.events = 1U << NT_EVENT_CLOSE,
		.contexts = CONTEXT_SOCKET | CONTEXT_WIRE,
		.format = FORMAT_TEXT,
		.interfaces = interfaces,
	};
	if (command->bit == COMMAND_LIST) {
		options->events = 1U << NT_EVENT_OPEN;
		options->contexts = CONTEXT_SOCKET;
	}
	if (command->bit == COMMAND_REPLAY) {
		options->events |= 1U << NT_EVENT_EXIT;
		options->contexts = CONTEXT_WIRE;
	}
}

static int parse_flags(struct options *options, const struct command *command, int argc, char **argv)
{
	struct option longs[RULES + 1];
	char shorts[2 * RULES + 2];
	int status = GO_ON, value;

	fill_getopt_tables(longs, shorts);
	optind = 0; /* starts over, GNU's way */
	opterr = 0;
	while (status == GO_ON && (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (value == '?')
			status = usage_unknown(command, argv);
		else if (value == ':')
			status = usage_missing(command);
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
	if (!interfaces) {
		message_error("options: out of memory");
		return EXIT_STATUS_BROKEN;
	}
	status = parse_flags(options, command, argc, argv);
	if (status == GO_ON)
		status = parse_operands(options, command, argc, argv);
	if (status == GO_ON)
		status = check_together(options, command);
	return status;
}

void options_free(struct options *options)
{
	free(options->interfaces);
	options->interfaces = NULL;
}
