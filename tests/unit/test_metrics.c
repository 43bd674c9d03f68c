// SPDX-License-Identifier: GPL-2.0-or-later
/* The metrics: what known records add up to, and the text that Prometheus reads. */
#include "src/metrics/metrics_text.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/metrics/metrics_accept.h"
#include "src/metrics/metrics_address.h"
#include "src/metrics/metrics_states.h"
#include "tests/unit/check.h"

#define MS 1000000ULL

static struct nt_record make_record(const char *comm, enum nt_role role, enum nt_outcome outcome)
{
	struct nt_record record = { .event = NT_EVENT_CLOSE, .role = (__u8)role, .outcome = (__u8)outcome };

	if (comm) {
		nt_record_set(&record, NT_HAS_COMM);
		snprintf(record.comm, sizeof(record.comm), "%s", comm);
	}
	return record;
}

static void set_bytes(struct nt_record *record, __u64 src, __u64 dst)
{
	nt_record_set(record, NT_HAS_SRC_BYTES);
	nt_record_set(record, NT_HAS_DST_BYTES);
	record->bytes[NT_SRC] = src;
	record->bytes[NT_DST] = dst;
}

static void set_ender(struct nt_record *record, enum nt_side side)
{
	nt_record_set(record, NT_HAS_ENDED_BY);
	record->ended_by = (__u8)side;
}

/* Returns the text, which the caller frees. states: NULL if unknown. */
static char *expose_as(enum metrics_format format, struct metrics *metrics, const __u64 *states)
{
	const struct metrics_process process = { 1500 * MS, 4096 };
	struct metrics_snapshot snapshot;
	struct text_buffer text = { 0 };

	if (!CHECK(metrics_take_snapshot(metrics, &snapshot)))
		return NULL;
	snapshot.has_states = states;
	if (states)
		memcpy(snapshot.states, states, sizeof(snapshot.states));
	metrics_text_append(&text, format, &snapshot, &process);
	metrics_snapshot_free(&snapshot);
	text_char(&text, '\0');
	CHECK(!text.failed);
	return text.bytes;
}

static char *expose(struct metrics *metrics)
{
	return expose_as(METRICS_TEXT, metrics, NULL);
}

/* `line` has no newline. */
static void check_line(const char *text, const char *line)
{
	const char *found = text;
	size_t size = strlen(line);

	while ((found = strstr(found, line)) && ((found != text && found[-1] != '\n') || found[size] != '\n'))
		found++;
	if (!CHECK(found != NULL))
		printf("  no line %s in\n%s", line, text);
}

static void check_no(const char *text, const char *part)
{
	if (!CHECK(!strstr(text, part)))
		printf("  %s is in\n%s", part, text);
}

/* The head of each metric is there before the first connection; no line has a zero that is unknown. */
static void test_nothing(void)
{
	struct metrics *metrics = metrics_new(1);
	char *text = expose(metrics);

	check_line(text, "# TYPE netracker_connections_closed_total counter");
	check_line(text, "# TYPE netracker_response_duration_seconds histogram");
	check_line(text, "netracker_connections_opened_total 0");
	check_line(text, "netracker_connections_lost_total{cause=\"ring buffer full\"} 0");
	check_line(text, "netracker_process_cpu_seconds_total 1.5");
	check_line(text, "netracker_process_resident_memory_bytes 4096");
	check_line(text, "netracker_build_info{version=\"" NETRACKER_VERSION "\"} 1");
	check_no(text, "program=");
	check_no(text, "netracker_connections{");
	check_no(text, "# EOF");
	free(text);
	metrics_free(metrics);
}

static void test_counts(void)
{
	struct metrics *metrics = metrics_new(5);
	struct nt_record client = make_record("curl", NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);
	struct nt_record server = make_record("nginx", NT_ROLE_SERVER, NT_OUTCOME_RESET);
	struct nt_record refused = make_record("curl", NT_ROLE_CLIENT, NT_OUTCOME_REFUSED);
	struct nt_record forwarded = make_record(NULL, NT_ROLE_OBSERVER, NT_OUTCOME_EXPIRED);
	struct nt_record open = make_record("curl", NT_ROLE_CLIENT, NT_OUTCOME_OPEN);
	char *text;

	set_bytes(&client, 100, 7000);
	set_ender(&client, NT_SRC);
	set_bytes(&server, 30, 5);
	set_ender(&server, NT_DST);
	set_ender(&refused, NT_DST);
	nt_record_set(&client, NT_HAS_SRC_RETRANSMITS);
	client.retransmits[NT_SRC] = 3;
	nt_record_set(&server, NT_HAS_SRC_RETRANSMITS);
	server.retransmits[NT_SRC] = 4;
	open.event = NT_EVENT_UPDATE;
	metrics_add(metrics, &client);
	metrics_add(metrics, &client);
	metrics_add(metrics, &server);
	metrics_add(metrics, &refused);
	metrics_add(metrics, &forwarded);
	metrics_add(metrics, &open);
	text = expose(metrics);
#define CLOSED "netracker_connections_closed_total"
	check_line(text, CLOSED "{program=\"curl\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 2");
	check_line(text, CLOSED "{program=\"curl\",role=\"client\",outcome=\"refused\",ended_by=\"dst\"} 1");
	check_line(text, CLOSED "{program=\"nginx\",role=\"server\",outcome=\"reset\",ended_by=\"dst\"} 1");
	check_line(text, CLOSED "{program=\"\",role=\"observer\",outcome=\"expired\",ended_by=\"\"} 1");
	check_no(text, "outcome=\"open\"");
	check_line(text, "netracker_sent_bytes_total{program=\"curl\",role=\"client\"} 200");
	check_line(text, "netracker_received_bytes_total{program=\"curl\",role=\"client\"} 14000");
	check_line(text, "netracker_sent_bytes_total{program=\"nginx\",role=\"server\"} 5");
	check_line(text, "netracker_received_bytes_total{program=\"nginx\",role=\"server\"} 30");
	check_line(text, "netracker_sent_retransmits_total{program=\"curl\",role=\"client\"} 6");
	check_line(text, "netracker_sent_retransmits_total{program=\"nginx\",role=\"server\"} 0");
	check_line(text, "netracker_received_retransmits_total{program=\"nginx\",role=\"server\"} 4");
	check_no(text, "_bucket");
	free(text);
	metrics_free(metrics);
}

static void add_times(struct metrics *metrics, long long handshake_ns, __u64 request_ns, __u64 response_ns,
		      __u64 duration_ns)
{
	struct nt_record record = make_record("psql", NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);

	nt_record_set(&record, NT_HAS_HANDSHAKE);
	nt_record_set(&record, NT_HAS_REQUEST);
	nt_record_set(&record, NT_HAS_RESPONSE);
	nt_record_set(&record, NT_HAS_DURATION);
	record.handshake_ns = handshake_ns;
	record.request_ns = request_ns;
	record.response_ns = response_ns;
	record.duration_ns = duration_ns;
	metrics_add(metrics, &record);
}

/* A bucket has the values up to its bound, this included. Wrong times of a capture's clock are no observations. */
static void test_histograms(void)
{
	struct metrics *metrics = metrics_new(5);
	struct nt_record without = make_record("psql", NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);
	char *text;

	add_times(metrics, 5 * MS, 10 * MS, 10 * MS + 250000, 3600000 * MS);
	add_times(metrics, 5 * MS + 1, 10 * MS, 9 * MS, 100ULL * 24 * 3600 * 1000 * MS);
	add_times(metrics, -1, 10 * MS, 3010 * MS, 1);
	metrics_add(metrics, &without);
	text = expose(metrics);
#define LABELS "program=\"psql\",role=\"client\""
#define HANDSHAKE "netracker_handshake_duration_seconds"
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"0.0025\"} 0");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"0.005\"} 1");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"0.01\"} 2");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"10\"} 2");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"+Inf\"} 2");
	check_line(text, HANDSHAKE "_sum{" LABELS "} 0.010000001");
	check_line(text, HANDSHAKE "_count{" LABELS "} 2");
	check_line(text, "netracker_response_duration_seconds_bucket{" LABELS ",le=\"0.0001\"} 0");
	check_line(text, "netracker_response_duration_seconds_bucket{" LABELS ",le=\"0.00025\"} 1");
	check_line(text, "netracker_response_duration_seconds_bucket{" LABELS ",le=\"5\"} 2");
	check_line(text, "netracker_response_duration_seconds_sum{" LABELS "} 3.00025");
	check_line(text, "netracker_connection_duration_seconds_bucket{" LABELS ",le=\"0.001\"} 1");
	check_line(text, "netracker_connection_duration_seconds_bucket{" LABELS ",le=\"3600\"} 2");
	check_line(text, "netracker_connection_duration_seconds_bucket{" LABELS ",le=\"86400\"} 2");
	check_line(text, "netracker_connection_duration_seconds_bucket{" LABELS ",le=\"+Inf\"} 3");
	check_line(text, "netracker_connection_duration_seconds_sum{" LABELS "} 8643600.000000001");
	free(text);
	metrics_free(metrics);
}

/* A sum of 2^64 ns would be full after the durations of 213 connections of 1000 days. */
static void test_large_sum(void)
{
	struct metrics *metrics = metrics_new(5);
	char *text;
	int i;

	for (i = 0; i < 1000; i++)
		add_times(metrics, 0, 0, 0, 1000ULL * 24 * 3600 * 1000 * MS + MS);
	text = expose(metrics);
	check_line(text, "netracker_connection_duration_seconds_sum{" LABELS "} 86400000001");
	free(text);
	metrics_free(metrics);
}

/* The first programs keep their names whatever comes later; the rest is one. */
static void test_most_programs(void)
{
	struct metrics *metrics = metrics_new(2);
	char comm[16], *text;
	int i;

	for (i = 0; i < 1000; i++) {
		struct nt_record record;

		snprintf(comm, sizeof(comm), "program-%d", i % 100);
		record = make_record(comm, NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);
		set_ender(&record, NT_SRC);
		metrics_add(metrics, &record);
	}
	text = expose(metrics);
	check_line(text, CLOSED "{program=\"program-0\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 10");
	check_line(text, CLOSED "{program=\"program-1\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 10");
	check_line(text, CLOSED "{program=\"other\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 980");
	check_no(text, "program-2");
	free(text);
	metrics_free(metrics);
}

/* Two series with the same labels would be one for Prometheus, whose value jumps. */
static void test_program_named_other(void)
{
	static const char *const names[] = { "first", "other", "second", "", "other" };
	struct metrics *metrics = metrics_new(1);
	char *text;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct nt_record record = make_record(names[i], NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);

		set_ender(&record, NT_SRC);
		metrics_add(metrics, &record);
	}
	text = expose(metrics);
	check_line(text, CLOSED "{program=\"first\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 1");
	check_line(text, CLOSED "{program=\"other\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 3");
	check_line(text, CLOSED "{program=\"\",role=\"client\",outcome=\"closed\",ended_by=\"src\"} 1");
	free(text);
	metrics_free(metrics);
}

static void check_name(const char *comm, const char *label)
{
	struct metrics *metrics = metrics_new(1);
	struct nt_record record = make_record(comm, NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);
	char line[200], *text;

	metrics_add(metrics, &record);
	snprintf(line, sizeof(line), "netracker_sent_bytes_total{program=\"%s\",role=\"client\"} 0", label);
	text = expose(metrics);
	check_line(text, line);
	free(text);
	metrics_free(metrics);
}

/* Backslash, quote and newline are special in the format; bytes that are no UTF-8 would make Prometheus refuse the page. */
static void test_hostile_names(void)
{
	check_name("a\"} 1\nb 2\n", "a\\\"} 1\\\\x0ab 2\\\\x0a");
	check_name("a\\b", "a\\\\\\\\b");
	check_name("\xff\x1b[2J", "\\\\xff\\\\x1b[2J");
	check_name("caf\xc3\xa9", "caf\xc3\xa9");
	check_name("other", "other");
	check_name("fifteen-letters", "fifteen-letters");
}

static void test_accounting(void)
{
	struct metrics *metrics = metrics_new(1);
	struct accounting accounting = { .opened = 70, .preexisting = 3, .open = 9 };
	char *text;

	accounting.lost[ACCOUNTING_LOST_RING_FULL] = 5;
	accounting.filtered[ACCOUNTING_FILTERED_FORWARDED] = 2;
	metrics_set_accounting(metrics, &accounting);
	accounting.opened = 69; /* a counter never decreases */
	accounting.open = 8;
	metrics_set_accounting(metrics, &accounting);
	text = expose(metrics);
	check_line(text, "netracker_connections_opened_total 70");
	check_line(text, "netracker_connections_preexisting_total 3");
	check_line(text, "netracker_connections_open 8");
	check_line(text, "netracker_connections_filtered_total{cause=\"forwarded\"} 2");
	check_line(text, "netracker_connections_lost_total{cause=\"ring buffer full\"} 5");
	check_line(text, "netracker_connections_lost_total{cause=\"evicted\"} 0");
	free(text);
	metrics_free(metrics);
}

/* The words of ss(8), and a zero for each state that a socket may be in. */
static void test_states(void)
{
	struct metrics *metrics = metrics_new(1);
	__u64 states[NT_TCP_STATES] = { [NT_TCP_ESTABLISHED] = 7, [NT_TCP_CLOSE_WAIT] = 2 };
	char *text = expose_as(METRICS_TEXT, metrics, states);

	check_line(text, "# TYPE netracker_connections gauge");
	check_line(text, "netracker_connections{state=\"established\"} 7");
	check_line(text, "netracker_connections{state=\"close_wait\"} 2");
	check_line(text, "netracker_connections{state=\"fin_wait2\"} 0");
	check_no(text, "syn_recv");
	check_no(text, "listen");
	free(text);
	states[0] = 1;
	states[NT_TCP_SYN_RECV] = 1;
	text = expose_as(METRICS_TEXT, metrics, states);
	check_line(text, "netracker_connections{state=\"syn_recv\"} 1");
	free(text);
	metrics_free(metrics);
}

static bool count_calls(void *context, __u64 counts[NT_TCP_STATES])
{
	counts[NT_TCP_ESTABLISHED] = ++*(__u64 *)context;
	return true;
}

static bool fail_to_count(void *context, __u64 counts[NT_TCP_STATES])
{
	counts[NT_TCP_ESTABLISHED] = *(__u64 *)context;
	return false;
}

/* However often clients ask, the sockets are counted once in a while. */
/* Hiding does not wait for the counter that runs. */
static bool count_and_hide(void *context, __u64 counts[NT_TCP_STATES])
{
	counts[NT_TCP_ESTABLISHED] = 1;
	metrics_states_hide(context);
	return true;
}

static void test_state_counter(void)
{
	__u64 counts[NT_TCP_STATES], calls = 0, now = 1;
	struct metrics_states states;

	metrics_states_init(&states);
	CHECK(!metrics_states_read(&states, now, counts));
	metrics_states_set_counter(&states, count_calls, &calls);
	CHECK(metrics_states_read(&states, now, counts) && counts[NT_TCP_ESTABLISHED] == 1);
	CHECK(metrics_states_read(&states, now + METRICS_STATES_KEPT_NS - 1, counts));
	CHECK(calls == 1 && counts[NT_TCP_ESTABLISHED] == 1);
	CHECK(metrics_states_read(&states, now + METRICS_STATES_KEPT_NS, counts));
	CHECK(calls == 2 && counts[NT_TCP_ESTABLISHED] == 2);
	metrics_states_set_counter(&states, fail_to_count, &calls);
	CHECK(!metrics_states_read(&states, now, counts));
	metrics_states_set_counter(&states, count_and_hide, &states);
	CHECK(!metrics_states_read(&states, now, counts));
	CHECK(!metrics_states_read(&states, now + METRICS_STATES_KEPT_NS, counts));
	metrics_states_destroy(&states);
}

/* OpenMetrics 1.0: the family of a counter is without _total, bounds are floats, and the last line ends the page. */
static void test_openmetrics(void)
{
	static const char end[] = "\n# EOF\n";
	struct metrics *metrics = metrics_new(5);
	char *text;

	add_times(metrics, 5 * MS, 10 * MS, 10 * MS + 250000, 3600000 * MS);
	text = expose_as(METRICS_OPENMETRICS, metrics, NULL);
	check_line(text, "# TYPE netracker_connections_opened counter");
	check_line(text,
		   "# HELP netracker_connections_opened Connections that began during tracking, before the filter.");
	check_line(text, "netracker_connections_opened_total 0");
	check_line(text, "# TYPE netracker_connections_open gauge");
	check_line(text, "# TYPE netracker_process_cpu_seconds counter");
	check_line(text, "netracker_process_cpu_seconds_total 1.5");
	check_line(text, "# TYPE netracker_handshake_duration_seconds histogram");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"0.005\"} 1");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"10.0\"} 1");
	check_line(text, HANDSHAKE "_bucket{" LABELS ",le=\"+Inf\"} 1");
	check_no(text, "_total counter");
	CHECK_STRING(text + strlen(text) - strlen(end), end);
	free(text);
	metrics_free(metrics);
}

static void check_accept(const char *accept, enum metrics_format expected)
{
	if (!CHECK_EQUAL(metrics_accept_format(accept), expected))
		printf("  %s\n", accept);
}

/* The first two headers are those of Prometheus 2.42 and 3.0. */
static void test_accept(void)
{
	check_accept("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
		     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		     METRICS_OPENMETRICS);
	check_accept(
		"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		"application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
		"text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		METRICS_OPENMETRICS);
	check_accept("Application/OpenMetrics-Text ; charset=utf-8 ; Version=\"1.0.0\" ; q=1.000", METRICS_OPENMETRICS);
	check_accept("text/plain, application/openmetrics-text", METRICS_OPENMETRICS);
	check_accept(",, application/openmetrics-text;x=\"a,b;c\";q=0.5", METRICS_OPENMETRICS);
	check_accept(NULL, METRICS_TEXT);
	check_accept("", METRICS_TEXT);
	check_accept("*/*", METRICS_TEXT);
	check_accept("application/*", METRICS_TEXT);
	check_accept("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", METRICS_TEXT);
	check_accept("text/plain;version=0.0.4;q=1,*/*;q=0.1", METRICS_TEXT);
	check_accept("application/openmetrics-text;version=0.0.1", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=0.4,text/plain;q=0.5", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=0.4,text/*;q=0.41", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=0", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=2", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=0.1234", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=99999999999999999999", METRICS_TEXT);
	check_accept("application/openmetrics-text;q=", METRICS_TEXT);
	check_accept("application/openmetrics-text-2", METRICS_TEXT);
	check_accept("\"application/openmetrics-text", METRICS_TEXT);
	check_accept(";;==,=;\"", METRICS_TEXT);
}

static void check_address(const char *written, const char *expected)
{
	struct metrics_address address = { 0 };
	bool valid = metrics_address_parse(&address, written);

	if (!CHECK_EQUAL(valid, !!expected))
		printf("  %s\n", written);
	if (valid && expected)
		CHECK_STRING(address.text, expected);
}

static void test_addresses(void)
{
	static const char *const wrong[] = { "",
					     "0",
					     "65536",
					     "9777x",
					     ":9777",
					     "192.0.2.1",
					     "192.0.2.1:",
					     "::1:9777",
					     "[::1]",
					     "[::1]9777",
					     "[192.0.2.1]:9777",
					     "[]:9777",
					     "[::1:9777",
					     "host:9777",
					     " 9777",
					     "192.0.2.256:1",
					     "-1" };
	size_t i;

	check_address("9777", "127.0.0.1:9777");
	check_address("192.0.2.1:65535", "192.0.2.1:65535");
	check_address("0.0.0.0:1", "0.0.0.0:1");
	check_address("[::1]:9777", "[::1]:9777");
	check_address("[::]:80", "[::]:80");
	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		check_address(wrong[i], NULL);
}

#define ADDED 20000

static void *add_many(void *context)
{
	struct nt_record record = make_record("busy", NT_ROLE_CLIENT, NT_OUTCOME_CLOSED);
	int i;

	set_bytes(&record, 1, 2);
	for (i = 0; i < ADDED; i++)
		metrics_add(context, &record);
	return NULL;
}

/* A snapshot is of one moment: each record is in all of its counts, or in none. */
static void test_two_threads(void)
{
	struct metrics *metrics = metrics_new(1);
	struct metrics_snapshot snapshot;
	const struct metrics_row *row;
	pthread_t thread;
	__u64 seen;

	CHECK(!pthread_create(&thread, NULL, add_many, metrics));
	do {
		CHECK(metrics_take_snapshot(metrics, &snapshot));
		row = &snapshot.programs[METRICS_FIRST_PROGRAM].roles[NT_ROLE_CLIENT];
		seen = snapshot.program_count > METRICS_FIRST_PROGRAM ? row->connections : 0;
		if (seen)
			CHECK(row->bytes[0] == seen && row->bytes[1] == 2 * seen);
		metrics_snapshot_free(&snapshot);
	} while (seen < ADDED);
	pthread_join(thread, NULL);
	metrics_free(metrics);
}

int main(void)
{
	test_nothing();
	test_counts();
	test_histograms();
	test_large_sum();
	test_most_programs();
	test_program_named_other();
	test_hostile_names();
	test_accounting();
	test_states();
	test_state_counter();
	test_openmetrics();
	test_accept();
	test_addresses();
	test_two_threads();
	return check_finish();
}
