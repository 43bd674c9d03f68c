// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel side must filter out only events whose records user space would filter out. Both judge the same
 * connections, with every filter and every pair of filters.
 */
#include <stdlib.h>

#include "src/cli/options.h"
#include "src/record/socket_record.h"
#include "core/ownership.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

/* Some match OWN_NETNS, OTHER_NETNS and the owner in sample_events.h, the others match nothing. */
static const char *const filters[] = {
	/* The kernel side evaluates all of these. */
	"",
	"-4",
	"-6",
	"-L 80",
	"-L 40000,40001",
	"-D 80",
	"-D 443",
	"--role client",
	"--role server",
	"--role observer",
	"--role observer,client",
	"--net 198.18.0.1,fd00::1",
	"--net 198.19.0.0/16,fd01::/16",
	"--net ::/0",
	"--netns 4026531840",
	"--netns 4026532000",
	"-p 4711",
	"-p 1",
	"-c worker",
	"-c work",
	"-u 33",
	"-u root",
	"port 80",
	"lport 80 or lport 443",
	"not role server",
	"not (lport 80 or rport 443)",
	"not not (family ipv6 and lport 443)",
	"not (family ipv4 or role server)",
	/* And these in part, or not at all. */
	"-x",
	"--cgroup /",
	"--min-duration 2s",
	"-p 1,4711",
	"-c wor*,x",
	"port 80 and port 40000",
	"not port 80",
	"not net 198.18.0.1",
	"net fd00::1 or net 198.18.0.1",
	"lport 80 and duration > 5",
	"lport 80 or duration > 5",
	"not (pid 4711 or comm x)",
	"comm worker and not pid 3 or netns 4026532000",
};
#define FIRST_INEXACT 28

#define FILTERS (sizeof(filters) / sizeof(filters[0]))

/* Returns whether two options are one with two values, of which the kernel side tests none. */
static bool adds_up(const char *one, const char *other)
{
	return one != other && ((*one == '-' && one[1] != '-' && !strncmp(one, other, 3) && strchr("pcu", one[1])) ||
				(!strncmp(one, "--netns", 7) && !strncmp(other, "--netns", 7)));
}

/* Adds the words of options, or an expression. */
static int add_filter(char **argv, int argc, const char *filter, char *words)
{
	strcpy(words, filter);
	if (*filter && *filter != '-') {
		argv[argc++] = "--where";
		argv[argc++] = words;
		return argc;
	}
	for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return argc;
}

/* Returns false if the two filters exclude each other. */
static bool parse(struct options *options, const char *one, const char *other)
{
	static const struct command live = { "", COMMAND_LIVE, NULL, NULL };
	static char words[2][128];
	char *argv[16] = { "netracker" };
	int argc = add_filter(argv, 1, one, words[0]);

	argc = add_filter(argv, argc, other, words[1]);
	argv[argc] = NULL;
	return options_parse(options, &live, argc, argv) < 0;
}

static const struct sample_endpoint ipv6_client = { { [0] = 0xfd, [15] = 1 }, 40000 };
static const struct sample_endpoint ipv6_server = { { [0] = 0xfd, [15] = 2 }, 443 };

static const char *no_interface(void *context, __u32 ifindex)
{
	(void)context, (void)ifindex;
	return NULL;
}

static struct nt_socket_event socket_of(enum nt_role role, bool six, bool owned)
{
	struct nt_socket_event event = socket_close(role, START, START + SECOND);
	const struct sample_endpoint *local = role == NT_ROLE_CLIENT ? &ipv6_client : &ipv6_server;
	const struct sample_endpoint *remote = role == NT_ROLE_CLIENT ? &ipv6_server : &ipv6_client;

	if (!owned)
		memset(&event.socket.owner, 0, sizeof(event.socket.owner));
	if (!six)
		return event;
	memcpy(event.socket.local, local->address, 16);
	memcpy(event.socket.remote, remote->address, 16);
	event.socket.local_port = local->port;
	event.socket.remote_port = remote->port;
	return event;
}

static bool has_a_record(const struct options *options, const struct nt_socket_event *event)
{
	struct process_table *processes = process_table_new(1);
	struct record_lookups names = { .processes = processes, .interface_name = no_interface };
	struct joined_socket joined = { .event = event };
	struct nt_record record;

	record_fill_from_socket(&record, NT_EVENT_CLOSE, &joined, &names, 0);
	process_table_free(processes);
	return filter_accepts(options->delivery.filter, &record);
}

static bool has_an_observers_record(const struct options *options, const struct nt_wire *wire)
{
	struct record_lookups names = { .interface_name = no_interface };
	struct nt_wire_event event = wire_end(*wire, NT_WIRE_ENDED, START + SECOND);
	struct nt_record record;

	record_fill_from_wire(&record, &event, &names);
	return filter_accepts(options->delivery.filter, &record);
}

/* Without packets both must agree. With packets, a socket whose record passes must be reported, and its packets too, as
 * the join waits for them.
 */
static void check_socket(const struct options *options, enum nt_role role, bool six, bool owned, bool is_exact)
{
	struct nt_socket_event event = socket_of(role, six, owned);
	struct nt_wire wire = six ? sample_wire_between(&ipv6_client, &ipv6_server, "ShAFf", START) :
				    sample_wire("ShAFf", START);
	bool passes = has_a_record(options, &event);
	struct nt_filter filter;
	int side;

	filter_for_kernel(&filter, options->delivery.filter, false);
	CHECK(nt_filter_has_socket(&filter, &event.socket, 0) >= passes);
	if (is_exact)
		CHECK_EQUAL(nt_filter_has_socket(&filter, &event.socket, 0), passes);
	CHECK(nt_filter_has_socket(&filter, &event.socket, 1) >= passes);

	filter_for_kernel(&filter, options->delivery.filter, options->contexts & CONTEXT_WIRE);
	side = nt_side_of_socket(&wire, &event.socket);
	CHECK(nt_filter_has_socket(&filter, &event.socket, 0) >= passes);
	CHECK_EQUAL(nt_filter_has_side(&filter, &wire, side), nt_filter_has_socket(&filter, &event.socket, 0));
	CHECK(nt_filter_has_wire(&filter, &wire) >= nt_filter_has_socket(&filter, &event.socket, 0));
	CHECK(nt_filter_has_wire(&filter, &wire) >= has_an_observers_record(options, &wire));
}

static void check_filters(const struct options *options, bool is_exact)
{
	int number;

	for (number = 0; number < 8; number++)
		check_socket(options, number & 1 ? NT_ROLE_SERVER : NT_ROLE_CLIENT, number & 2, number & 4, is_exact);
}

/* Whether the kernel side filters at all. */
static void filters_of_the_kernel_side(void)
{
	static const struct {
		const char *filter;
		bool with_packets, without;
	} expected[] = {
		{ "", false, false },
		{ "-x", false, false },
		{ "--cgroup /", false, false },
		{ "--container 0", false, false },
		{ "--min-duration 1s", false, false },
		{ "-4", true, true },
		{ "-6", true, true },
		{ "-L 80", true, true },
		{ "-D 80", true, true },
		{ "--net ::1", true, true },
		{ "--role observer", true, true },
		{ "--netns 1", false, true },
		{ "-p 1", false, true },
		{ "-c x", false, true },
		{ "-u root", false, true },
	};
	struct nt_filter filter;
	unsigned int i;

	for (i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		struct options options;

		CHECK(parse(&options, expected[i].filter, ""));
		CHECK_EQUAL(filter_for_kernel(&filter, options.delivery.filter, options.contexts & CONTEXT_WIRE),
			    expected[i].with_packets);
		options_free(&options);
		CHECK(parse(&options, expected[i].filter, "-i none"));
		CHECK_EQUAL(filter_for_kernel(&filter, options.delivery.filter, options.contexts & CONTEXT_WIRE),
			    expected[i].without);
		options_free(&options);
	}
}

int main(void)
{
	unsigned int one, other;

	for (one = 0; one < FILTERS; one++) {
		for (other = one; other < FILTERS; other++) {
			struct options options;

			if (parse(&options, filters[one], other == one ? "" : filters[other]))
				check_filters(&options,
					      other < FIRST_INEXACT && !adds_up(filters[one], filters[other]));
			options_free(&options);
		}
	}
	filters_of_the_kernel_side();
	return check_finish();
}
