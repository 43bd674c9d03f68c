// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "src/filter/filter.h"

#include "tests/unit/check.h"
#include "tests/unit/filter_cases.h"
#include "tests/unit/sample_record.h"

static struct filter *parsed(const char *text)
{
	struct filter *filter = filter_new();
	struct filter_error error;

	if (!CHECK(filter_add_text(filter, text, &error)))
		printf("  %s: %s\n", text, error.message);
	return filter;
}

static void test_cases(void)
{
	struct nt_record known = sample_record(), unknown = sample_record();
	size_t i;

	unknown.present = 0;
	for (i = 0; i < FILTER_CASES; i++) {
		struct filter *filter = parsed(filter_cases[i].text);

		if (!CHECK_EQUAL(filter_judge(filter, &known), filter_cases[i].known) ||
		    !CHECK_EQUAL(filter_judge(filter, &unknown), filter_cases[i].unknown))
			printf("  %s\n", filter_cases[i].text);
		filter_free(filter);
	}
}

/* sample_listener() is bound to [::]:80. Conditions on connections are unknown. */
static const struct {
	const char *text;
	enum filter_truth truth;
} of_listeners[] = {
	{ "port 80", FILTER_TRUE },
	{ "port 0", FILTER_FALSE },
	{ "not port 81", FILTER_TRUE },
	{ "lport 80", FILTER_TRUE },
	{ "dport 80", FILTER_TRUE },
	{ "host ::", FILTER_TRUE },
	{ "net ::/0", FILTER_TRUE },
	{ "host fd00::1", FILTER_FALSE },
	{ "local ::", FILTER_TRUE },
	{ "dst ::", FILTER_TRUE },
	{ "family ipv6", FILTER_TRUE },
	{ "comm nginx and pid 1234", FILTER_TRUE },
	{ "user root", FILTER_FALSE },
	{ "netns 4026531840", FILTER_TRUE },
	{ "cgroup nginx.service", FILTER_TRUE },
	{ "container ab", FILTER_TRUE },
	{ "backlog 512", FILTER_TRUE },
	{ "backlog gt 512", FILTER_FALSE },
	{ "backlog_max lt 512", FILTER_TRUE },
	{ "drops gt 10", FILTER_TRUE },
	{ "dual_stack", FILTER_TRUE },
	{ "not dual_stack", FILTER_FALSE },
	{ "event listener", FILTER_TRUE },
	{ "src ::", FILTER_UNKNOWN },
	{ "sport 0", FILTER_UNKNOWN },
	{ "remote ::", FILTER_UNKNOWN },
	{ "rport 0", FILTER_UNKNOWN },
	{ "role server", FILTER_UNKNOWN },
	{ "outcome open", FILTER_UNKNOWN },
	{ "not outcome open", FILTER_UNKNOWN },
	{ "gap owner", FILTER_UNKNOWN },
	{ "seen socket", FILTER_UNKNOWN },
	{ "interface eth0", FILTER_UNKNOWN },
	{ "bytes 0", FILTER_UNKNOWN },
	{ "state listen", FILTER_UNKNOWN },
};

static void test_listeners(void)
{
	struct nt_record listener = sample_listener();
	size_t i;

	for (i = 0; i < sizeof(of_listeners) / sizeof(of_listeners[0]); i++) {
		struct filter *filter = parsed(of_listeners[i].text);

		if (!CHECK_EQUAL(filter_judge(filter, &listener), of_listeners[i].truth))
			printf("  %s\n", of_listeners[i].text);
		filter_free(filter);
	}
}

/* Each text is wrong at the part that is marked, behind the part before it. */
static const struct {
	const char *text, *before, *marked, *message;
} wrong[] = {
	{ "prot 443", "", "prot", "'prot' is no field; nearest: port" },
	{ "port 443 and durtion > 1", "port 443 and ", "durtion", "nearest: duration" },
	{ "xyzzyplugh 1", "", "xyzzyplugh", "is no field" },
	{ "", "", "", "a condition is missing" },
	{ "port 80 and", "port 80 and", "", "a condition is missing" },
	{ "and port 80", "", "and", "a condition is missing" },
	{ "port", "port", "", "a value of port is missing" },
	{ "port =", "port =", "", "a value of port is missing" },
	{ "port 80,", "port 80,", "", "a value of port is missing" },
	{ "port not 80", "port ", "not", "not comes before the field" },
	{ "port 80 port 81", "port 80 ", "port", "'and' or 'or' is missing" },
	{ "port 80 81", "port 80 ", "81", "'and' or 'or' is missing" },
	{ "(port 80", "(port 80", "", "the closing ) is missing" },
	{ "port 80)", "port 80", ")", "no ( comes before" },
	{ "port in {80", "port in {80", "", "the closing } is missing" },
	{ "comm 'a", "comm ", "'a", "the closing ' is missing" },
	{ "port 65536", "port ", "65536", "a port from 0 to 65535" },
	{ "port 90-80", "port ", "90-80", "a port from 0 to 65535" },
	{ "port no-such-service", "port ", "no-such-service", "a service" },
	{ "host 198.18.0.0/33", "host ", "198.18.0.0/33", "is no address" },
	{ "host example.com", "host ", "example.com", "names are not looked up" },
	{ "src", "src", "", "every record has one" },
	{ "src or dst port 80", "src ", "or", "a value of src is missing" },
	{ "outcome resett", "outcome ", "resett", "nearest: reset" },
	{ "outcome reset,x", "outcome reset,", "x", "valid: closed" },
	{ "outcome > reset", "outcome ", ">", "< and > are for numbers" },
	{ "port ~ 80", "port ", "~", "a regular expression is for texts" },
	{ "pid contains 1", "pid ", "contains", "contains is for texts" },
	{ "comm ~ ^(a", "comm ~ ", "^(a", "is no regular expression" },
	{ "duration > 1 x", "duration > 1 ", "x", "'and' or 'or' is missing" },
	{ "duration > 1x", "duration > ", "1x", "a time with ns" },
	{ "duration > -1s", "duration > ", "-1s", "a time with ns" },
	{ "sent > 5Q", "sent > ", "5Q", "bytes, with K" },
	{ "port < 80,90", "port < 80,", "90", "compare with one number" },
	{ "port < 80-90", "port < ", "80-90", "compare with one number" },
	{ "retrans > 2x", "retrans > ", "2x", "a percentage" },
	{ "pid 0", "pid ", "0", "1 to 4194304" },
	{ "pid 1.5", "pid ", "1.5", "valid: a number" },
	{ "retrans > 3.9", "retrans > ", "3.9", "a percentage" },
	{ "sent > 1.5", "sent > ", "1.5", "bytes, with K" },
	{ "comm contains systemd-networkd", "comm contains ", "systemd-networkd",
	  "never matches: the kernel keeps 15 bytes" },
	{ "comm systemd-networkd*", "comm ", "systemd-networkd*", "never matches: the kernel keeps 15 bytes" },
	{ "start > 2023-02-31", "start > ", "2023-02-31", "is no time" },
	{ "start > 2300-01-01", "start > ", "2300-01-01", "is no time" },
	{ "comm ~ (*UTF)a", "comm ~ ", "(*UTF)a", "is no regular expression" },
	{ "outcome ~ '(?:(?:[a-z_]?[a-z_]?)*[a-z_]*)*[A-Z]|open'", "outcome ~ ",
	  "'(?:(?:[a-z_]?[a-z_]?)*[a-z_]*)*[A-Z]|open'", "match limit exceeded" },
	{ "user no-such-user-here", "user ", "no-such-user-here", "no such user" },
	{ "netns no-such-namespace", "netns ", "no-such-namespace", "no such network namespace" },
	{ "cgroup /sys/fs/cgroup/x", "cgroup ", "/sys/fs/cgroup/x", "a path without" },
	{ "container web", "container ", "web", "hexadecimal digits" },
	{ "complete maybe", "complete ", "maybe", "true, false" },
	{ "start > 2023-13-01", "start > ", "2023-13-01", "is no time" },
	{ "port & 80", "port ", "&", "a port from" },
};

static void test_wrong(void)
{
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct filter *filter = filter_new();
		size_t before = strlen(wrong[i].before), marked = strlen(wrong[i].marked);
		struct filter_error error;

		if (!CHECK(!filter_add_text(filter, wrong[i].text, &error)) ||
		    !CHECK(strstr(error.message, wrong[i].message) != NULL) || !CHECK_EQUAL(error.begin, before) ||
		    !CHECK_EQUAL(error.end, before + (marked ? marked : 1)))
			printf("  %s: %s\n", wrong[i].text, error.message);
		filter_free(filter);
	}
}

/* Input without end: conditions, nesting, values, text. */
static void test_bounds(void)
{
	static char text[40000];
	struct filter *filter = filter_new();
	struct filter_error error;
	int i;

	for (i = 0; i < 64; i++)
		strcat(text, "(");
	strcat(text, "tcp");
	for (i = 0; i < 64; i++)
		strcat(text, ")");
	CHECK(filter_add_text(filter, text, &error));
	memset(text, '(', 65);
	strcpy(text + 65, "tcp");
	CHECK(!filter_add_text(filter, text, &error) && strstr(error.message, "inside each other"));
	strcpy(text, "port 1");
	for (i = 1; i < 1024; i++)
		strcat(text, " or port 1");
	CHECK(filter_add_text(filter, text, &error));
	strcat(text, " or port 1");
	CHECK(!filter_add_text(filter, text, &error) && strstr(error.message, "more than 1024 conditions"));
	strcpy(text, "port 1");
	for (i = 0; i < 5000; i++)
		strcat(text, ",1");
	CHECK(!filter_add_text(filter, text, &error) && strstr(error.message, "values"));
	memset(text, ' ', 20000);
	text[20000] = '\0';
	CHECK(!filter_add_text(filter, text, &error) && strstr(error.message, "longer than"));
	filter_free(filter);
}

/* A regular expression that needs exponential time is ended, and the comparison is unknown. */
static void test_slow_pattern(void)
{
	struct nt_record record = sample_record();
	struct filter *filter = parsed("exe ~ '^(a+)+$'"), *negation = parsed("not exe ~ '^(a+)+$'");

	record.exe = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	CHECK_EQUAL(filter_judge(filter, &record), FILTER_UNKNOWN);
	CHECK_EQUAL(filter_judge(negation, &record), FILTER_UNKNOWN);
	CHECK_EQUAL(filter_limited_matches(filter), 1);
	filter_free(filter);
	filter_free(negation);
}

/* A record of version 1 may have no time. */
static void test_unknown_time(void)
{
	struct nt_record record = sample_record();
	struct filter *filter = parsed("time < 2000-01-01"), *known = parsed("not time");

	record.end_ns = 0;
	CHECK_EQUAL(filter_judge(filter, &record), FILTER_UNKNOWN);
	CHECK_EQUAL(filter_judge(known, &record), FILTER_TRUE);
	filter_free(filter);
	filter_free(known);
}

/* All that completion offers are fields. */
static void test_short_names(void)
{
	struct filter_error error;
	char text[64];
	unsigned int i;

	for (i = 0; filter_short_name(i); i++) {
		struct filter *filter = filter_new();

		snprintf(text, sizeof(text), "%s ?", filter_short_name(i));
		filter_add_text(filter, text, &error);
		if (!CHECK(!strstr(error.message, "is no field")))
			printf("  %s\n", text);
		filter_free(filter);
	}
	CHECK(i > 30);
}

/* The kernel truncates names to 15 bytes, so a longer one selects what it can have become. */
static void test_long_comm(void)
{
	struct nt_record record = sample_record();
	struct filter *filter = parsed("comm systemd-timesyncd");

	memcpy(record.comm, "systemd-timesyn", 16);
	CHECK(filter_accepts(filter, &record));
	memcpy(record.comm, "systemd-timesy", 15);
	CHECK(!filter_accepts(filter, &record));
	filter_free(filter);
}

static bool accepts_options(const struct nt_record *record, const char *first, const char *second, const char *third)
{
	const char *const values[] = { first, second, third };
	struct filter *filter = filter_new();
	struct filter_error error;
	bool accepted;
	size_t i;

	for (i = 0; i < 3; i++)
		if (values[i])
			CHECK(filter_add_option(filter, "comm", FILTER_EQUAL, values[i], &error));
	accepted = filter_accepts(filter, record);
	filter_free(filter);
	return accepted;
}

static void test_options_add_up(void)
{
	struct nt_record record = sample_record();

	CHECK(accepts_options(&record, "curl", "nginx", NULL));
	CHECK(accepts_options(&record, "curl,nginx", NULL, NULL));
	CHECK(!accepts_options(&record, "curl,psql", "redis", NULL));
	CHECK(accepts_options(&record, "curl,psql", "redis", "ng*"));
	memcpy(record.comm, "tmux: a,b", 10);
	CHECK(accepts_options(&record, "x,\"tmux: a,b\"", NULL, NULL));
	CHECK(!accepts_options(&record, "tmux: a,b", NULL, NULL));
}

/* The kernel side's part passes the samples' sockets that the whole filter accepts. */
static void test_kernel_part(void)
{
	struct nt_record record = sample_record();
	static struct nt_filter kernel;
	size_t i;

	for (i = 0; i < FILTER_CASES; i++) {
		struct filter *filter = parsed(filter_cases[i].text);
		__u64 src[2], dst[2];

		memcpy(src, record.src_ip, 16);
		memcpy(dst, record.dst_ip, 16);
		filter_for_kernel(&kernel, filter, false);
		if (filter_cases[i].known == FILTER_TRUE &&
		    !CHECK(nt_filter_has_addresses(&kernel, src, dst) &&
			   nt_filter_has_ports(&kernel, record.dst_port, record.src_port) &&
			   (!kernel.roles || kernel.roles & 1U << NT_ROLE_SERVER) &&
			   (!kernel.pid || kernel.pid == record.pid) &&
			   (!kernel.uid_given || kernel.uid == record.uid) &&
			   (!kernel.netns || kernel.netns == record.netns) &&
			   nt_filter_has_comm(&kernel, record.comm) >= !!kernel.comm[0]))
			printf("  %s\n", filter_cases[i].text);
		filter_free(filter);
	}
}

int main(void)
{
	test_cases();
	test_listeners();
	test_wrong();
	test_bounds();
	test_slow_pattern();
	test_unknown_time();
	test_short_names();
	test_long_comm();
	test_options_add_up();
	test_kernel_part();
	return check_finish();
}
