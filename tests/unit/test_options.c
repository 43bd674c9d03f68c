// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: what each option sets, and the messages for wrong ones. */
#include "src/cli/options.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/record.h"
#include "src/zeek/conn_log.h"
#include "tests/unit/check.h"

#define CONTINUE (-1)
#define USAGE 2

static const struct command live = { "", COMMAND_LIVE, NULL, NULL };
static const struct command record_command = { "record", COMMAND_RECORD, NULL, "its only output is the history" };
static const struct command list = { "list", COMMAND_LIST, NULL, "it lists the sockets that are open now" };
static const struct command replay = { "replay", COMMAND_REPLAY, NULL, NULL };
static const struct command attach = { "attach", COMMAND_ATTACH, NULL, "it takes -i, -q and -v" };
static const struct command show_status = { "status", COMMAND_STATUS, NULL, "it takes -f, -q and -v" };
static const struct command detach = { "detach", COMMAND_DETACH, NULL, "it takes -i, -q and -v" };
static const struct command explain = { "explain", COMMAND_EXPLAIN, NULL, "it takes --id and -q" };

static char messages[4096]; /* on stderr */

/* Splits at spaces. Strings in *options stay valid until the next call. */
static int parse(struct options *options, const struct command *command, const char *line)
{
	static char words[1024], *argv[64];
	char *text = NULL;
	FILE *real_stderr = stderr;
	int argc = 0, status;
	size_t size;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	stderr = open_memstream(&text, &size);
	status = options_parse(options, command, argc, argv);
	fclose(stderr);
	stderr = real_stderr;
	snprintf(messages, sizeof(messages), "%s", text);
	free(text);
	return status;
}

static struct options accepted(const struct command *command, const char *line)
{
	static struct options options;

	if (!CHECK_EQUAL(parse(&options, command, line), CONTINUE))
		printf("  %s: %s", line, messages);
	return options;
}

/* The line is refused with one line on stderr that contains the text. */
static void refused(const struct command *command, const char *line, const char *text)
{
	struct options options;

	if (!CHECK_EQUAL(parse(&options, command, line), USAGE) || !CHECK(strstr(messages, text) != NULL) ||
	    !CHECK(!strncmp(messages, "netracker: ", 11)) ||
	    !CHECK(strchr(messages, '\n') == messages + strlen(messages) - 1))
		printf("  %s: %s\n", line, messages);
	options_free(&options);
}

/* The words after the options are refused with a message, their text, and a line that marks the error. */
static void refused_words(const struct command *command, const char *line, const char *text)
{
	struct options options;

	if (!CHECK_EQUAL(parse(&options, command, line), USAGE) || !CHECK(strstr(messages, text) != NULL) ||
	    !CHECK(!strncmp(messages, "netracker: filter: ", 19)))
		printf("  %s: %s\n", line, messages);
	options_free(&options);
}

static struct nt_filter kernel_part(const struct options *options)
{
	struct nt_filter kernel;

	filter_for_kernel(&kernel, options->delivery.filter, false);
	return kernel;
}

static void test_list(void)
{
	struct options options = accepted(&list,
					  "list -p 7 -c sshd -L 22 -D 443 -4 --role server --min-duration 1m -n 5");

	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_LISTED);
	CHECK_EQUAL(options.contexts, CONTEXT_SOCKET);
	CHECK_EQUAL(kernel_part(&options).pid, 7);
	CHECK_EQUAL(options.delivery.max_records, 5);
	options_free(&options);
	refused(&list, "list -i eth0", "it lists the sockets that are open now");
	refused(&list, "list --events close", "it lists");
	refused_words(&list, "list capture.pcap", "'capture.pcap' is no field");
}

static void test_listening(void)
{
	struct options options = accepted(&list, "list -l -p 7 -c sshd -L 22 -4 -u root --sort drops --cgroup /");

	CHECK(options.listening && options.sorts && !strcmp(options.sort_key.name, "drops"));
	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_LISTENER);
	CHECK_EQUAL(options.delivery.output.sink.rows, ROWS_LISTENERS);
	options_free(&options);
	options = accepted(&list, "list --top 3 --listening backlog gt 5 and not comm nginx and interface");
	CHECK_STRING(options.sort_key.name, "backlog");
	options_free(&options);
	options = accepted(&list, "list --top 3");
	CHECK_STRING(options.sort_key.name, "bytes");
	CHECK_EQUAL(options.delivery.output.sink.rows, ROWS_OPEN);
	options_free(&options);
	refused(&list, "list -l -D 443", "rport is known of connections, not of listeners, which have: local lport");
	refused(&list, "list -l --role server", "role is known of connections");
	refused(&list, "list -l --state established", "state is known of connections");
	refused(&list, "list -l --min-duration 1s", "duration is known of connections");
	refused(&list, "list -l --sort sent", "sent is known of connections");
	refused(&list, "list -l port 80 or outcome reset", "outcome is known of connections");
	refused(&list, "list -l --resolve", "a listener has none");
	refused(&list, "list -l not rtt", "rtt is known of connections");
	refused(&list, "list backlog gt 5", "backlog is known of listeners only: netracker list --listening");
	refused(&list, "list --sort drops", "drops is known of listeners only");
	refused(&live, "netracker dual_stack", "dual_stack is known of listeners only");
	refused(&live, "netracker -l", "only list looks at listening sockets");
	refused(&live, "netracker --events listener", "listed and listener records are those of netracker list");
	refused(&replay, "replay --events listener a.pcap", "a listener is none");
}

static void test_updates(void)
{
	struct options options = accepted(&live, "netracker --events update,close --interval 2.5");

	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_UPDATE | 1 << NT_EVENT_CLOSE);
	CHECK_EQUAL(options.delivery.output.interval_ns, 2500000000);
	options_free(&options);
	options = accepted(&live, "netracker --events update");
	CHECK_EQUAL(options.delivery.output.interval_ns, 10000000000);
	options_free(&options);
}

static void test_history(void)
{
	const __u64 day = 24 * 3600 * 1000000000ULL;
	struct options options = accepted(&live, "netracker");

	CHECK(!options.delivery.history.folder && !options.delivery.output.nowhere);
	options_free(&options);
	options = accepted(&live, "netracker --history -x");
	CHECK_STRING(options.delivery.history.folder, "/var/lib/netracker/history");
	CHECK_STRING(options.delivery.history.command, "live");
	CHECK_EQUAL(options.delivery.history.most_age_ns, 30 * day);
	CHECK_EQUAL(options.delivery.history.most_bytes, 10ULL << 30);
	CHECK(!options.delivery.output.nowhere);
	options_free(&options);
	options = accepted(&live, "netracker --history=/h --keep 2d");
	CHECK_STRING(options.delivery.history.folder, "/h");
	CHECK_EQUAL(options.delivery.history.most_age_ns, 2 * day);
	CHECK_EQUAL(options.delivery.history.most_bytes, 0);
	options_free(&options);
	options = accepted(&live, "netracker --history --keep 100M,36.5d");
	CHECK_EQUAL(options.delivery.history.most_age_ns, 36 * day + day / 2);
	CHECK_EQUAL(options.delivery.history.most_bytes, 100 << 20);
	options_free(&options);
	options = accepted(&live, "netracker --history --keep all");
	CHECK(!options.delivery.history.most_age_ns && !options.delivery.history.most_bytes);
	options_free(&options);
	options = accepted(&replay, "replay --history=/h a.pcap");
	CHECK(options.delivery.history.is_replay && !options.delivery.history.most_age_ns &&
	      !options.delivery.history.most_bytes);
	options_free(&options);
	refused(&live, "netracker --keep 30d", "--keep is for a history; add --history");
	refused(&live, "netracker --history --keep 10m", "'10m' is not valid; valid: an age of at least 1d");
	refused(&live, "netracker --history --keep 1M", "a size of at least 16M");
	refused(&live, "netracker --history --keep 30d,", "is not valid");
	refused(&live, "netracker --history --keep=", "is not valid");
	refused(&live, "netracker --history=", "valid: a folder's name");
	refused(&list, "list --history", "it lists the sockets that are open now");
	refused_words(&live, "netracker --history /srv/history", "an optional value needs =: --history=/srv/history");
}

static void test_redaction(void)
{
	struct options options = accepted(&live, "netracker --redact key -f json");

	CHECK_STRING(options.delivery.redaction, "key");
	options_free(&options);
	refused(&live, "netracker --redact key --summary", "--redact is for records");
	refused(&live, "netracker --redact key --resolve", "redacted addresses have no names");
	refused(&live, "netracker --redact key -f zeek", "local_orig and local_resp come from the addresses");
}

static void test_metrics(void)
{
	struct options options = accepted(&live, "netracker");

	CHECK(!options.metrics.size && !options.metrics_programs);
	options_free(&options);
	options = accepted(&live, "netracker --metrics 9777 --metrics-programs 200");
	CHECK_STRING(options.metrics.text, "127.0.0.1:9777");
	CHECK_EQUAL(options.metrics_programs, 200);
	options_free(&options);
	options = accepted(&record_command, "record --metrics=[::1]:9777");
	CHECK_STRING(options.metrics.text, "[::1]:9777");
	options_free(&options);
	refused(&live, "netracker --metrics 65536", "'65536' is not valid; valid: a port from 1 to 65535");
	refused(&live, "netracker --metrics ::1:9777", "is not valid");
	refused(&live, "netracker --metrics db1:9777", "a numeric address");
	refused(&live, "netracker --metrics 9777 --metrics-programs 201", "a number from 1 to 200");
	refused(&live, "netracker --metrics-programs 5", "--metrics-programs is for metrics; add --metrics");
	refused(&live, "netracker --metrics 9777 --events open",
		"--metrics counts close records; add close to --events");
	refused(&replay, "replay --metrics 9777 a.pcap", "only live tracking and record serve metrics");
}

static void test_record(void)
{
	struct options options = accepted(&record_command, "record port 443");

	CHECK_STRING(options.delivery.history.folder, "/var/lib/netracker/history");
	CHECK_STRING(options.delivery.history.command, "record");
	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_CLOSE | 1 << NT_EVENT_UPDATE | 1 << NT_EVENT_EXIT);
	CHECK_EQUAL(options.delivery.output.interval_ns, 600000000000);
	CHECK(options.delivery.output.nowhere && !options.delivery.output.sink.waits);
	CHECK_EQUAL(options.contexts, CONTEXT_SOCKET | CONTEXT_WIRE);
	options_free(&options);
	options = accepted(&record_command, "record --history=/h --events close -i none --keep 1d,16M");
	CHECK_STRING(options.delivery.history.folder, "/h");
	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_CLOSE);
	CHECK_EQUAL(options.delivery.output.interval_ns, 0);
	CHECK_EQUAL(options.contexts, CONTEXT_SOCKET);
	options_free(&options);
	refused(&record_command, "record --json", "--json: not an option of record: its only output is the history");
	refused(&record_command, "record -o a.json", "not an option of record");
	refused(&record_command, "record --summary", "not an option of record");
	refused(&record_command, "record --events close --interval 5", "--interval needs update records");
	refused(&record_command, "record --events listed", "those of netracker list");
	refused(&record_command, "record --context socket --packets", "--packets needs the wire context");
}

static void test_defaults(void)
{
	struct options options = accepted(&live, "netracker");

	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_CLOSE);
	CHECK_EQUAL(options.contexts, CONTEXT_SOCKET | CONTEXT_WIRE);
	CHECK(options.delivery.output.sink.format == &format_text);
	CHECK(!options.interfaces.count && !options.no_interfaces && !options.delivery.output.sink.path);
	options_free(&options);

	options = accepted(&replay, "replay a.pcap");
	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_CLOSE | 1 << NT_EVENT_EXIT | 1 << NT_EVENT_LISTED);
	CHECK_EQUAL(options.file_count, 1);
	CHECK_STRING(options.files[0], "a.pcap");
	options_free(&options);
	options = accepted(&replay, "replay a.pcap -q b.pcap -");
	CHECK_EQUAL(options.file_count, 3);
	CHECK_STRING(options.files[0], "a.pcap");
	CHECK_STRING(options.files[1], "b.pcap");
	CHECK_STRING(options.files[2], "-");
	options_free(&options);
}

static void test_filters(void)
{
	struct options options = accepted(&live, "netracker -4 -p 42 -c nginx -L 80,443 -L 8080 -D 65535 "
						 "--role client,observer --outcome reset,open");
	struct nt_filter kernel = kernel_part(&options);

	CHECK_EQUAL(kernel.family, 4);
	CHECK_EQUAL(kernel.pid, 42);
	CHECK_STRING(kernel.comm, "nginx");
	CHECK(nt_port_passes(&kernel.local_ports, 80) && nt_port_passes(&kernel.local_ports, 443));
	CHECK(nt_port_passes(&kernel.local_ports, 8080) && !nt_port_passes(&kernel.local_ports, 81));
	CHECK(nt_port_passes(&kernel.remote_ports, 65535) && !nt_port_passes(&kernel.remote_ports, 80));
	CHECK_EQUAL(kernel.roles, 1 << NT_ROLE_CLIENT | 1 << NT_ROLE_OBSERVER);
	CHECK_EQUAL(options.outcomes, 1 << NT_OUTCOME_RESET | 1 << NT_OUTCOME_OPEN);
	options_free(&options);
}

static __u32 user(const char *value)
{
	struct nt_filter kernel;
	struct options options;
	char line[64];

	snprintf(line, sizeof(line), "netracker -u %s", value);
	options = accepted(&live, line);
	kernel = kernel_part(&options);
	CHECK(kernel.uid_given);
	options_free(&options);
	return kernel.uid;
}

/* Root is 0 and nobody 65534 on every Debian (base-passwd). */
static void test_users(void)
{
	CHECK_EQUAL(user("root"), 0);
	CHECK_EQUAL(user("nobody"), 65534);
	CHECK_EQUAL(user("0"), 0);
	CHECK_EQUAL(user("4294967294"), 4294967294);
	refused(&live, "netracker -u no-such-user-here",
		"-u/--user: no such user: no-such-user-here; valid: users' names");
	refused(&live, "netracker -u 4294967295", "'4294967295' is not valid; valid: users' names");
	refused(&live, "netracker -u -1", "users' names");
	refused(&live, "netracker -u root,no-such-user-here", "no such user: root,no-such-user-here");
}

static bool in_networks(const char *networks, const char *address)
{
	struct nt_filter kernel;
	struct options options;
	__u8 bytes[16] = { [10] = 0xff, 0xff };
	char line[512];
	__u64 words[2];

	snprintf(line, sizeof(line), "netracker --net %s", networks);
	options = accepted(&live, line);
	kernel = kernel_part(&options);
	options_free(&options);
	if (inet_pton(AF_INET, address, bytes + 12) != 1)
		CHECK_EQUAL(inet_pton(AF_INET6, address, bytes), 1);
	memcpy(words, bytes, sizeof(words));
	return nt_networks_pass(&kernel.networks, words, words);
}

static void test_networks(void)
{
	CHECK(in_networks("198.18.0.0/15", "198.18.0.0") && in_networks("198.18.0.0/15", "198.19.255.255"));
	CHECK(!in_networks("198.18.0.0/15", "198.17.255.255") && !in_networks("198.18.0.0/15", "198.20.0.0"));
	CHECK(in_networks("198.18.0.7", "198.18.0.7") && !in_networks("198.18.0.7", "198.18.0.6"));
	CHECK(in_networks("198.18.0.7/31", "198.18.0.6")); /* bits beyond the prefix do not count */
	CHECK(in_networks("0.0.0.0/0", "255.1.2.3") && !in_networks("0.0.0.0/0", "fd00::1"));
	CHECK(in_networks("::/0", "fd00::1") && !in_networks("::/0", "198.18.0.1"));
	CHECK(in_networks("fd00::/8", "fdff:ffff::1") && !in_networks("fd00::/8", "fc00::1"));
	CHECK(in_networks("fd00::1", "fd00::1") && !in_networks("fd00::1", "fd00::2"));
	CHECK(in_networks("fd00:0:0:1::/65", "fd00::1:7fff:0:0:0") &&
	      !in_networks("fd00:0:0:1::/65", "fd00::1:8000:0:0:0"));
	CHECK(in_networks("::ffff:198.18.0.0/112", "198.18.3.4") &&
	      !in_networks("::ffff:198.18.0.0/112", "198.19.3.4"));
	CHECK(in_networks("198.18.0.0/16,fd00::/8", "198.18.1.1") && in_networks("198.18.0.0/16,fd00::/8", "fd00::9"));
	CHECK(in_networks("198.18.0.1 --net fd00::/8", "198.18.0.1") &&
	      in_networks("198.18.0.1 --net fd00::/8", "fd00::9"));
	CHECK(in_networks("1111:2222:3333:4444:5555:6666:7777:8888/128", "1111:2222:3333:4444:5555:6666:7777:8888"));
	CHECK(in_networks("1111:2222:3333:4444:5555:6666:123.123.123.123/128",
			  "1111:2222:3333:4444:5555:6666:7b7b:7b7b"));
	CHECK(in_networks("::1", "::1") && !in_networks("::1", "::"));
}

static void test_wrong_networks(void)
{
	static const char *const wrong[] = {
		"198.18.0.0/33", "198.18.0/15", "198.18.0.0/", "198.18.0.0/-1", "198.18.0.0/15/2",
		"198.18.0.0/1x", "fd00::/129",  "fd00",        "host.example",  "198.18.0.1,",
		",198.18.0.1",   "/8",          "fd00::1%lo",  "010.0.0.1",     "198.18.0.0/0x8",
	};
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char text[64];

		snprintf(text, sizeof(text), "netracker --net=%s", wrong[i]);
		refused(&live, text, "addresses or networks, separated by commas");
	}
}

static __u32 netns(const char *value)
{
	struct nt_filter kernel;
	struct options options;
	char line[64];

	snprintf(line, sizeof(line), "netracker --netns %s", value);
	options = accepted(&live, line);
	kernel = kernel_part(&options);
	options_free(&options);
	return kernel.netns;
}

static bool has_namespace_types(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bool has = ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET;

	close(fd);
	return has;
}

static void test_cgroup_container_netns(void)
{
	struct stat status;

	refused(&live, "netracker --cgroup /sys/fs/cgroup/system.slice", "without /sys/fs/cgroup");
	refused(&live, "netracker --cgroup=", "paths without");
	refused(&live, "netracker --container web", "1 to 64 hexadecimal digits");
	refused(&live, "netracker --container=", "1 to 64 hexadecimal digits");
	refused(&live,
		"netracker --container "
		"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0",
		"1 to 64 hexadecimal digits");

	CHECK_EQUAL(stat("/proc/self/ns/net", &status), 0);
	if (has_namespace_types())
		CHECK_EQUAL(netns("/proc/self/ns/net"), status.st_ino);
	else
		check_skip("--netns PATH: no ioctl NS_GET_NSTYPE, as under qemu-user");
	CHECK_EQUAL(netns("4026531840"), 4026531840);
	refused(&live, "netracker --netns /proc/self/ns/uts", "a name that ip netns lists, an inode number, or a path");
	refused(&live, "netracker --netns /dev/null", "--netns: no such network namespace: /dev/null; valid: a name");
	refused(&live, "netracker --netns no-such-namespace", "no such network namespace: no-such-namespace; valid");
	refused(&live, "netracker --netns 0", "'0' is not valid; valid: a name that ip netns lists");
	refused(&live, "netracker --netns 4294967296", "is not valid; valid: a name that ip netns lists");
	refused(&live, "netracker --netns=", "'' is not valid; valid: a name that ip netns lists");
}

static unsigned int outcomes(const char *line)
{
	struct options options = accepted(&live, line);

	options_free(&options);
	return options.outcomes;
}

static void test_failed(void)
{
	unsigned int failed = 1 << NT_OUTCOME_RESET | 1 << NT_OUTCOME_REFUSED | 1 << NT_OUTCOME_TIMEOUT |
			      1 << NT_OUTCOME_UNREACHABLE | 1 << NT_OUTCOME_EXPIRED | 1 << NT_OUTCOME_UNANSWERED;

	CHECK_EQUAL(outcomes("netracker"), 0);
	CHECK_EQUAL(outcomes("netracker -x"), failed);
	CHECK_EQUAL(outcomes("netracker --failed"), failed);
	CHECK_EQUAL(outcomes("netracker --outcome closed,reset -x"), 1 << NT_OUTCOME_RESET);
	refused(&live, "netracker -x --outcome closed", "-x and --outcome have no outcome in common");
	refused(&live, "netracker --outcome open,closed -x", "-x and --outcome have no outcome in common");
}

static void test_other_options(void)
{
	struct options options = accepted(&live,
					  "netracker -i eth0 -i lo -n 5 -t 0.5 -f json -o out "
					  "--events open,exit --context wire --packets --forwarded -v --host db1");

	CHECK_EQUAL(options.interfaces.count, 2);
	CHECK_STRING(options.interfaces.names[0], "eth0");
	CHECK_STRING(options.interfaces.names[1], "lo");
	CHECK_EQUAL(options.delivery.max_records, 5);
	CHECK_EQUAL(options.max_time_ns, 500000000);
	CHECK(options.delivery.output.sink.format == &format_json);
	CHECK_STRING(options.delivery.output.sink.path, "out");
	CHECK_STRING(options.delivery.host, "db1");
	CHECK_EQUAL(options.delivery.events, 1 << NT_EVENT_OPEN | 1 << NT_EVENT_EXIT);
	CHECK_EQUAL(options.contexts, CONTEXT_WIRE);
	CHECK(options.every_packet && options.forwarded && options.verbose && !options.delivery.quiet);
	options_free(&options);

	options = accepted(&live, "netracker -i none");
	CHECK(options.no_interfaces);
	CHECK_EQUAL(options.contexts, CONTEXT_SOCKET);
	options_free(&options);

	options = accepted(&replay, "replay --like zeek -C -f zeek a.pcap");
	CHECK_EQUAL(options.rules, RULES_ZEEK);
	CHECK(options.delivery.output.sink.format == &conn_log_format);
	CHECK(options.ignore_checksums && options.tunnels);
	options_free(&options);

	options = accepted(&replay, "replay --tunnels -q -- -odd-name");
	CHECK(options.tunnels && options.delivery.quiet);
	CHECK_STRING(options.files[0], "-odd-name");
	options_free(&options);
}

static void test_summary(void)
{
	struct options options = accepted(&live, "netracker --summary --interval 10s -o out -f csv");

	CHECK(options.delivery.output.summary && !options.delivery.output.top);
	refused(&live, "netracker --top 3", "add --summary");
	refused(&live, "netracker --summary --top 0", "from 1 to 1000");
	refused(&live, "netracker --summary --top 1001", "from 1 to 1000");
	CHECK_EQUAL(options.delivery.output.interval_ns, 10000000000);
	CHECK(options.delivery.output.sink.format == &format_csv);
	options_free(&options);
	options = accepted(&live, "netracker --summary --top 3");
	CHECK_EQUAL(options.delivery.output.top, 3);
	options_free(&options);
	refused(&live, "netracker --interval 10s", "add --events update,close or --summary");
	refused(&live, "netracker --summary -f trace", "name a file for the records with -o");
	refused(&live, "netracker --summary --host db1", "name a file for the records with -o");
	options = accepted(&live, "netracker --summary -f csv --host db1");
	options_free(&options);
	refused(&live, "netracker --summary --interval 99ms", "at least 0.1s");
}

static void test_columns(void)
{
	struct options options = accepted(&live, "netracker --columns v,src_ip --columns id -f csv --no-header");

	CHECK_EQUAL(options.columns.count, 3);
	CHECK_EQUAL(options.columns.index[0], 0);
	CHECK_EQUAL(options.columns.index[2], 1);
	CHECK(options.delivery.output.sink.chosen && options.delivery.output.sink.no_header);
	options_free(&options);
	options = accepted(&list, "list --width 40");
	CHECK(!options.delivery.output.sink.chosen && options.delivery.output.sink.width == 40);
	options_free(&options);
	refused(&list, "list --columns lasted -f csv", "csv has no column 'lasted'; ");
	refused(&list, "list --columns pid,", "text has no column ''");
	refused(&list, "list --width 39", "a number from 40 to 10000");
	refused(&list, "list --width 80 -f json", "--width is for -f text");
	refused(&list, "list --columns pid -f json", "--columns is for -f text, csv and tsv");
	refused(&replay, "replay --no-header -f zeek --like zeek a", "--no-header is for -f text, csv and tsv");
	refused(&live, "netracker --summary --no-header", "name a file for records with -o");
	refused(&live, "netracker --resolve -f json", "--resolve is for -f text");
	refused(&replay, "replay --resolve --summary -f csv a", "--resolve is for -f text");
	options = accepted(&replay, "replay --resolve --summary -f csv -o b a");
	CHECK(options.delivery.output.resolves);
	options_free(&options);
}

static void test_sorting(void)
{
	struct options options = accepted(&list, "list --sort rtt -r --top 5 --watch");

	CHECK(options.sorts && options.reverse);
	CHECK_STRING(options.sort_key.name, "rtt");
	CHECK_EQUAL(options.delivery.output.top, 5);
	CHECK_EQUAL(options.watch_ns, 2000000000);
	options_free(&options);
	options = accepted(&list, "list --top 3 --watch=500ms --state close-wait,estab");
	CHECK(options.sorts);
	CHECK_STRING(options.sort_key.name, "bytes");
	CHECK_EQUAL(options.watch_ns, 500000000);
	options_free(&options);
	options = accepted(&list, "list");
	CHECK(!options.sorts && !options.watch_ns);
	options_free(&options);
	refused(&list, "list --sort rrt", "--sort: 'rrt' is no field; nearest: rtt");
	refused(&list, "list -r", "-r is for --sort");
	refused(&list, "list --watch=1ms", "a time of at least 0.1s");
	refused(&list, "list --state open-wait", "established, syn_sent");
	refused(&live, "netracker --sort rtt", "not an option of live tracking");
	refused(&live, "netracker --top 5", "--top is for the tables of --summary");
	refused(&replay, "replay --watch a", "not an option of replay");
}

static void test_explain(void)
{
	struct options options = accepted(&explain, "explain --id 0123456789abcdef records.json");

	CHECK_STRING(options.id, "0123456789abcdef");
	CHECK_STRING(options.files[0], "records.json");
	options_free(&options);
	options = accepted(&explain, "explain");
	CHECK(!options.file_count && !options.id);
	options_free(&options);
	options = accepted(&explain, "explain records.json.1.gz records.json");
	CHECK_EQUAL(options.file_count, 2);
	options_free(&options);
	refused(&explain, "explain --id 0123456789ABCDEF", "16 hexadecimal digits");
	refused(&explain, "explain -i lo", "not an option of explain");
	refused(&live, "netracker --id 0123456789abcdef", "not an option of live tracking");
	refused(&replay, "replay --id 0123456789abcdef a", "not an option of replay");
}

static __u64 most_memory(const char *value)
{
	struct options options;
	char line[64];

	snprintf(line, sizeof(line), "replay --memory %s a", value);
	CHECK_EQUAL(parse(&options, &replay, line), -1);
	options_free(&options);
	return options.most_memory;
}

static void test_sizes(void)
{
	CHECK_EQUAL(most_memory("1M"), 1048576);
	CHECK_EQUAL(most_memory("1G"), 1073741824);
	CHECK_EQUAL(most_memory("2048K"), 2097152);
	CHECK_EQUAL(most_memory("1.5G"), 1610612736);
	CHECK_EQUAL(most_memory("5000000"), 5000000);
	refused(&replay, "replay --memory 1023K a", "a size of at least 1M");
	refused(&replay, "replay --memory 1X a", "a size of at least 1M");
	refused(&live, "netracker --memory 1G", "not an option of live tracking");
}

static __u64 least_duration(const struct filter *filter)
{
	struct nt_record record = { .present = NT_PRESENT(NT_HAS_DURATION) };
	__u64 low = 0, high = 1ULL << 61;

	while (low < high) {
		record.duration_ns = low + (high - low) / 2;
		if (filter_accepts(filter, &record))
			high = record.duration_ns;
		else
			low = record.duration_ns + 1;
	}
	return low;
}

static __u64 min_duration(const char *value)
{
	__u64 least;
	struct options options;
	char line[64];

	snprintf(line, sizeof(line), "netracker --min-duration %s", value);
	options = accepted(&live, line);
	least = least_duration(options.delivery.filter);
	options_free(&options);
	return least;
}

static void test_durations(void)
{
	CHECK_EQUAL(min_duration("500us"), 500000);
	CHECK_EQUAL(min_duration("10ms"), 10000000);
	CHECK_EQUAL(min_duration("2s"), 2000000000);
	CHECK_EQUAL(min_duration("2"), 2000000000);
	CHECK_EQUAL(min_duration("1.5m"), 90000000000);
	CHECK_EQUAL(min_duration("1h"), 3600000000000);
	CHECK_EQUAL(min_duration(".5"), 500000000);
	CHECK_EQUAL(min_duration("7ns"), 7);
	CHECK_EQUAL(min_duration("0"), 0);
}

static void test_wrong_values(void)
{
	static const char *const durations[] = { "-1",  "1x",    "ms", "nan", "inf", "0x10",
						 "1e9", "1.2.3", ".",  "s",   "1w",  "99999999999999999999999999" };
	char line[64];
	size_t i;

	for (i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		snprintf(line, sizeof(line), "netracker --min-duration=%s", durations[i]);
		refused(&live, line, "10ms");
	}
	refused(&live, "netracker -p 0", "-p/--pid: '0' is not valid; valid: process ids from 1");
	refused(&live, "netracker -p 99999999999999999999", "process ids from 1");
	refused(&live, "netracker -p -1", "process ids from 1");
	refused(&live, "netracker -p 12x", "process ids from 1");
	refused(&live, "netracker -c a,,b", "names of processes");
	refused(&live, "netracker -c ", "value is missing");
	refused(&live, "netracker -L -1", "0 to 65535");
	refused(&live, "netracker -L 65536", "0 to 65535");
	refused(&live, "netracker -D 80,,443", "0 to 65535");
	refused(&live, "netracker -D 80,", "0 to 65535");
	refused(&live, "netracker -D no-such-service", "0 to 65535");
	refused(&live, "netracker --role clint", "client, server, observer");
	refused(&live, "netracker --outcome closed,bad", "refused, timeout");
	refused(&live, "netracker --events ended", "open, update, close, exit");
	refused(&live, "netracker --events listed", "listed and listener records are those of netracker list");
	refused(&live, "netracker --interval 5", "add --events update,close or --summary");
	refused(&live, "netracker --events update --interval 1ms", "at least 0.1s");
	refused(&live, "netracker --context calls", "socket, wire");
	refused(&live, "netracker -f xml", "text, json, csv, tsv, trace");
	refused(&live, "netracker -n 0", "a number of at least 1");
	refused(&live, "netracker -t 0", "seconds above 0");
	refused(&live, "netracker -i lo -i none", "none without any other");
	refused(&live, "netracker -f \033[31mx", "'\\x1b[31mx' is not valid");
}

static void test_rules(void)
{
	refused(&replay, "replay --like suricata a.pcap", "--like: 'suricata' is not valid; valid: zeek");
	refused(&replay, "replay -C a.pcap", "-C needs --like zeek");
	refused(&replay, "replay --like zeek --events open a.pcap", "leave out --events open");
	refused(&live, "netracker --like zeek", "only replay can apply Zeek's rules");
	refused(&live, "netracker -C", "the kernel validates checksums");
}

static void test_wrong_options(void)
{
	refused(&live, "netracker --colour", "--colour: no such option; see: netracker --help");
	refused(&live, "netracker -z", "-z: no such option");
	refused(&live, "netracker -qz", "-z: no such option");
	refused(&live, "netracker --packets=3", "--packets: takes no value");
	refused(&live, "netracker -p", "-p/--pid: its value is missing: process ids");
	refused(&live, "netracker --role", "--role: its value is missing: client, server, observer");
	refused(&live, "netracker --tunnels", "--tunnels: not an option of live tracking: only replay");
	refused_words(&live, "netracker -q replay x", "'replay' is no field");
	refused_words(&live, "netracker -q replay x", "a command comes before its options");
	refused_words(&live, "netracker port 443 and prot 80", "  port 443 and prot 80\n               ^^^^\n");
	refused_words(&list, "list --watch 2", "'2' is no field; an optional value needs =: --watch=2");
	refused_words(&list, "list -4 prot 80", "nearest: port; see");
	options_free(&(struct options[]){ accepted(&list, "list start gt -10m or time < -4h or port 80 -6") }[0]);
	refused_words(&live, "netracker --where prot", "'prot' is no field; nearest: port");
	/* The error is behind the text, and the argument that follows is not shown. */
	refused_words(&live, "netracker --where (port=80 -q", "  (port=80\n          ^\n");
	refused(&live, "netracker -4 -6", "-4 and -6 exclude each other");
	refused(&live, "netracker -q -v", "-q and -v exclude each other");
	refused(&live, "netracker -i none --context wire", "-i none with --context wire leaves nothing");
	refused(&live, "netracker -i lo --context socket", "-i needs the wire context");
	refused(&live, "netracker -i none --packets", "--packets needs");
	refused(&live, "netracker --context socket --forwarded", "--forwarded needs");
}

static void test_wrong_replay(void)
{
	refused(&replay, "replay", "its file is missing");
	refused(&replay, "replay -i lo a", "-i/--interface: not an option of replay: it reads packets from files");
	refused(&replay, "replay -t 1 a", "it ends with the last file");
	refused(&replay, "replay --context wire a", "not an option of replay");
	refused(&replay, "replay --packets a", "not an option of replay");
	refused(&replay, "replay --forwarded a", "not an option of replay");
}

static void test_attach_commands(void)
{
	struct options options = accepted(&attach, "attach -i lo -i eth0.5 -q");

	CHECK_EQUAL(options.interfaces.count, 2);
	CHECK(!strcmp(options.interfaces.names[1], "eth0.5"));
	options_free(&options);
	options = accepted(&show_status, "status --json");
	CHECK(options.delivery.output.sink.format == &format_json);
	options_free(&options);
	options = accepted(&show_status, "status -f json");
	CHECK(options.delivery.output.sink.format == &format_json);
	options_free(&options);
	options = accepted(&detach, "detach");
	CHECK_EQUAL(options.interfaces.count, 0);
	options_free(&options);
	refused(&attach, "attach", "-i is missing: netracker attach -i INTERFACE");
	refused(&attach, "attach lo", "lo: unexpected argument; name an interface with -i");
	refused(&attach, "attach -i none", "-i none is for live tracking");
	refused(&detach, "detach -i none", "-i none is for live tracking");
	refused(&attach, "attach -i lo -p 1", "-p/--pid: not an option of attach: it takes -i, -q and -v");
	refused(&show_status, "status -i lo", "-i/--interface: not an option of status: it takes -f, -q and -v");
	refused(&detach, "detach -f json", "-f/--format: not an option of detach");
	refused(&live, "netracker --json=yes", "--json: takes no value");
	refused(&explain, "explain --json", "--json: not an option of explain");
}

int main(void)
{
	test_defaults();
	test_list();
	test_listening();
	test_updates();
	test_filters();
	test_users();
	test_networks();
	test_wrong_networks();
	test_cgroup_container_netns();
	test_failed();
	test_other_options();
	test_summary();
	test_columns();
	test_sorting();
	test_explain();
	test_sizes();
	test_durations();
	test_wrong_values();
	test_rules();
	test_wrong_options();
	test_wrong_replay();
	test_attach_commands();
	test_history();
	test_redaction();
	test_metrics();
	test_record();
	return check_finish();
}
