// SPDX-License-Identifier: GPL-2.0-or-later
/* The problems that a summary names: each threshold just below and at it, the sentences and the commands. */
#include "src/summary/problems.h"

#include <stdlib.h>

#include "src/filter/filter.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

#define SECOND_NS 1000000000ULL
#define NOW_NS (1700000000ULL * SECOND_NS)

static struct nt_record client(const char *comm, __u8 peer, __u16 port, enum nt_outcome outcome)
{
	struct nt_record record = sample_record();

	record.role = NT_ROLE_CLIENT;
	record.outcome = outcome;
	record.event = outcome == NT_OUTCOME_OPEN ? NT_EVENT_EXIT : NT_EVENT_CLOSE;
	memset(record.comm, 0, sizeof(record.comm));
	memcpy(record.comm, comm, strlen(comm));
	record.dst_ip[15] = peer;
	record.dst_port = port;
	record.end_ns = NOW_NS;
	record.retransmits[NT_SRC] = record.retransmits[NT_DST] = 0;
	nt_record_unset(&record, NT_HAS_WIRE_SRC);
	nt_record_unset(&record, NT_HAS_WIRE_DST);
	return record;
}

static void add(struct summary *summary, const struct nt_record *record, unsigned int count)
{
	while (count--)
		summary_add(summary, record);
}

/* Valid until the next call. */
static const struct problems *found(struct summary *summary)
{
	static struct problems problems;

	summary_settle(summary);
	problems_find(&problems, summary, NOW_NS);
	return &problems;
}

static const char *ended(struct text_buffer *text)
{
	static char result[2][512];
	static unsigned int turn;
	char *at = result[turn++ % 2];

	snprintf(at, sizeof(result[0]), "%.*s", (int)text->used, text->bytes);
	text_free(text);
	return at;
}

static const char *sentence(const struct problem *problem)
{
	struct text_buffer text = { 0 };

	problem_describe(&text, problem);
	return ended(&text);
}

/* Checks that a command's filter is one. */
static void check_filter(const char *text)
{
	struct filter *filter = filter_new();
	struct filter_error error;

	CHECK(filter_add_text(filter, text, &error));
	filter_free(filter);
}

static const char *behind(const char *text, const char *words)
{
	return strncmp(text, words, strlen(words)) ? text : text + strlen(words);
}

static const char *command_in(const struct problem *problem, const char *history)
{
	const struct summary_origin origin = { .source = SUMMARY_OF_HISTORY, .history = history };
	struct text_buffer text = { 0 };

	problem_command(&text, problem, &origin);
	return ended(&text);
}

static const char *command(const struct problem *problem, enum summary_source source)
{
	const struct summary_origin origin = { .source = source };
	struct text_buffer text = { 0 };
	const char *result, *quote;
	char filter[512];

	problem_command(&text, problem, &origin);
	result = ended(&text);
	quote = strchr(result, '\'');
	if (problem->kind == PROBLEM_LOST || problem->kind == PROBLEM_EVICTED)
		return result;
	snprintf(filter, sizeof(filter), "%s", quote ? quote + 1 : result + strlen("netracker "));
	filter[strcspn(filter, "'")] = '\0';
	check_filter(behind(behind(behind(filter, "list "), "query "), "--listening --sort drops "));
	return result;
}

/* Five refusals of one process by one service are a problem; four are none, nor are five of several. */
static void test_refusals(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 5432, NT_OUTCOME_REFUSED), other;
	const struct problem *problem = found(summary)->list;

	add(summary, &record, 4);
	other = client("other", 9, 5432, NT_OUTCOME_REFUSED);
	add(summary, &other, 4);
	other = client("app", 9, 5433, NT_OUTCOME_REFUSED);
	add(summary, &other, 4);
	CHECK_EQUAL(found(summary)->count, 0);
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 1);
	CHECK(problem->kind == PROBLEM_REFUSED && problem->count == 5);
	CHECK_STRING(sentence(problem), "app was refused 5 times by 198.18.0.9:5432");
	CHECK_STRING(command(problem, SUMMARY_OF_LIVE), "netracker outcome refused and dst 198.18.0.9 and dport 5432");
	CHECK_STRING(command(problem, SUMMARY_OF_REPLAY),
		     "netracker replay --where 'outcome refused and dst 198.18.0.9 and dport 5432' FILE");
	summary_begin_next(summary);
	CHECK_EQUAL(found(summary)->count, 0);
	summary_free(summary);
}

/* Without a process, clients differ by the source's address. */
static void test_refused_sources(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("", 9, 80, NT_OUTCOME_REFUSED);

	record.role = NT_ROLE_OBSERVER;
	nt_record_unset(&record, NT_HAS_COMM);
	add(summary, &record, 4);
	record.src_ip[15] = 77;
	add(summary, &record, 4);
	CHECK_EQUAL(found(summary)->count, 0);
	add(summary, &record, 1);
	CHECK_STRING(sentence(found(summary)->list), "198.18.0.77 was refused 5 times by 198.18.0.9:80");
	summary_free(summary);
}

/* Names of any bytes stay words of printable ASCII, and never become part of a command. */
static void test_hostile_names(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("`x`\n$(y) \x1b", 9, 80, NT_OUTCOME_REFUSED);

	memset(record.dst_ip, 0xfd, sizeof(record.dst_ip));
	add(summary, &record, 5);
	CHECK_STRING(sentence(found(summary)->list), "`x`\\x0a$(y)\\x20\\x1b was refused 5 times by "
						     "[fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:80");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE),
		     "netracker outcome refused and dst "
		     "fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd and dport 80");
	summary_free(summary);
}

static void test_timeouts(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 80, NT_OUTCOME_TIMEOUT);

	add(summary, &record, 2);
	record.dst_ip[15] = 10;
	add(summary, &record, 2);
	CHECK_EQUAL(found(summary)->count, 0);
	record.dst_port = 443;
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 1);
	CHECK_STRING(sentence(found(summary)->list),
		     "3 connections with 198.18.0.10 timed out or had no answer for 3 s");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE),
		     "netracker outcome timeout,unanswered and host 198.18.0.10");
	summary_free(summary);
}

/* An attempt that is unanswered when tracking ends counts if that has lasted 3 s. */
static void test_hanging_attempts(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 80, NT_OUTCOME_UNANSWERED);

	record.event = NT_EVENT_EXIT;
	record.duration_ns = 3 * SECOND_NS - 1;
	add(summary, &record, 9);
	record.duration_ns = 3 * SECOND_NS;
	add(summary, &record, 2);
	CHECK_EQUAL(found(summary)->count, 0);
	add(summary, &record, 1);
	CHECK(found(summary)->count == 1 && found(summary)->list[0].count == 3);
	summary_free(summary);
}

/* A process with 20 connections that have been in close_wait for over 60 s; 19 are no problem, nor are 20 of two. */
static void test_close_waits(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 80, NT_OUTCOME_OPEN);

	record.state = 8;
	record.state_age_ns = 60 * SECOND_NS;
	add(summary, &record, 30);
	record.state_age_ns++;
	add(summary, &record, 19);
	record.pid++;
	add(summary, &record, 19);
	record.state = 1;
	add(summary, &record, 30);
	record.pid--;
	CHECK_EQUAL(found(summary)->count, 0);
	record.state = 8;
	nt_record_unset(&record, NT_HAS_STATE_AGE);
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 0);
	nt_record_set(&record, NT_HAS_STATE_AGE);
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 1);
	CHECK_STRING(sentence(found(summary)->list),
		     "app (1234) has 20 connections in close_wait for over 60 s: their peers "
		     "closed them, it did not");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE), "netracker list state close_wait and pid 1234");
	summary_free(summary);
}

/* The change of a pre-existing socket to close_wait was not seen: that state has lasted as long as tracking. */
static void test_preexisting_close_waits(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 80, NT_OUTCOME_OPEN);

	record.state = 8;
	record.gaps = NT_GAP_START;
	nt_record_unset(&record, NT_HAS_STATE_AGE);
	add(summary, &record, 20);
	CHECK_EQUAL(found(summary)->count, 0);
	summary->begins_ns = NOW_NS - 60 * SECOND_NS;
	add(summary, &record, 20);
	CHECK_EQUAL(found(summary)->count, 0);
	summary->begins_ns--;
	add(summary, &record, 20);
	CHECK(found(summary)->count == 1 && found(summary)->list[0].count == 20);
	record.gaps = 0;
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->list[0].count, 20);
	summary_free(summary);
}

static void test_listen_overflows(void)
{
	struct namespace_counts counts = { .netns = 4026532000, .overflows = 100, .drops = 120 };
	struct summary *summary = summary_new(0);

	summary_namespaces_set(&summary->namespaces, &counts, true);
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_EQUAL(found(summary)->count, 0);
	counts.overflows++;
	strcpy(counts.name, "blue\n");
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_STRING(sentence(found(summary)->list), "listen queues of network namespace blue\\x0a were full 1 time: "
						     "the application accepts too slowly");
	counts.name[0] = '\0';
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_STRING(sentence(found(summary)->list), "listen queues of network namespace 4026532000 were full 1 time: "
						     "the application accepts too slowly");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE),
		     "netracker list --listening --sort drops netns 4026532000");
	summary_begin_next(summary);
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_EQUAL(found(summary)->count, 0);

	/* A namespace that is made while tracking counts from 0; so does one that gets the number of another. */
	counts = (struct namespace_counts){ .netns = 4026532001, .overflows = 3 };
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_EQUAL(found(summary)->list[0].count, 3);
	summary_begin_next(summary);
	counts.overflows = 2;
	summary_namespaces_set(&summary->namespaces, &counts, false);
	CHECK_EQUAL(found(summary)->list[0].count, 2);
	summary_free(summary);
}

/* Namespaces come and go: those that are gone are forgotten. */
static void test_namespaces_are_bounded(void)
{
	struct summary *summary = summary_new(0);
	struct namespace_counts counts = { 0 };
	unsigned int i;

	for (i = 0; i < SUMMARY_NAMESPACES + 9; i++) {
		counts.netns = i + 1;
		summary_namespaces_set(&summary->namespaces, &counts, true);
	}
	CHECK_EQUAL(summary->namespaces.count, SUMMARY_NAMESPACES);
	summary_begin_next(summary);
	counts.netns = 7;
	summary_namespaces_set(&summary->namespaces, &counts, false);
	summary_begin_next(summary);
	CHECK_EQUAL(summary->namespaces.count, 1);
	CHECK(summary_namespaces_find(&summary->namespaces, 7) && !summary_namespaces_find(&summary->namespaces, 8));
	summary_free(summary);
}

static void add_peer(struct summary *summary, __u8 peer, __u64 packets, __u64 retransmits)
{
	struct nt_record record = client("app", peer, 80, NT_OUTCOME_CLOSED);

	record.packets[NT_SRC] = packets;
	record.packets[NT_DST] = 0;
	record.retransmits[NT_SRC] = retransmits;
	add(summary, &record, 1);
}

/* Over 2 %, and three times the median of the other peers. */
static void test_retransmissions(void)
{
	struct summary *summary = summary_new(0);

	add_peer(summary, 1, 1000, 20);
	CHECK_EQUAL(found(summary)->count, 0);
	summary_begin_next(summary);
	add_peer(summary, 1, 1000, 21);
	CHECK_STRING(sentence(found(summary)->list),
		     "2.1% of the packets with 198.18.0.1 were retransmissions: 21 of 1000");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE), "netracker list retrans gt 0 and host 198.18.0.1");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_REPLAY),
		     "netracker replay --where 'retrans gt 0 and host 198.18.0.1' FILE");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_HISTORY),
		     "netracker query retrans gt 0 and host 198.18.0.1");
	CHECK_STRING(command_in(found(summary)->list, "/srv/history"),
		     "netracker query --from /srv/history retrans gt 0 and host 198.18.0.1");
	CHECK_STRING(command_in(found(summary)->list, "it's $HOME"),
		     "netracker query --from 'it'\\''s $HOME' retrans gt 0 and host 198.18.0.1");
	summary_begin_next(summary);

	/* The others have 0, 1 and 5 percent: the median is 1. */
	add_peer(summary, 2, 1000, 0);
	add_peer(summary, 3, 1000, 10);
	add_peer(summary, 4, 1000, 50);
	add_peer(summary, 1, 1000, 29);
	CHECK(found(summary)->count == 1 && found(summary)->list[0].row->key[15] == 4);
	summary_begin_next(summary);
	add_peer(summary, 2, 1000, 0);
	add_peer(summary, 3, 1000, 10);
	add_peer(summary, 4, 1000, 20);
	add_peer(summary, 1, 1000, 30);
	CHECK_EQUAL(found(summary)->count, 1);
	CHECK_STRING(
		sentence(found(summary)->list),
		"3.0% of the packets with 198.18.0.1 were retransmissions: 30 of 1000; the median of the other peers "
		"is 1.0%");
	summary_begin_next(summary);
	add_peer(summary, 2, 1000, 10);
	add_peer(summary, 1, 1000, 29);
	CHECK_EQUAL(found(summary)->count, 0);
	summary_free(summary);
}

/* Four retransmissions show nothing; nor do those of SYNs to a peer that never answered. */
static void test_few_retransmissions(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record;

	add_peer(summary, 1, 20, 4);
	CHECK_EQUAL(found(summary)->count, 0);
	add_peer(summary, 1, 20, 1);
	CHECK_EQUAL(found(summary)->count, 1);
	summary_begin_next(summary);
	record = client("app", 2, 80, NT_OUTCOME_TIMEOUT);
	record.packets[NT_SRC] = 7;
	record.retransmits[NT_SRC] = 6;
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 0);
	summary_free(summary);
}

static void set_port_range(struct summary *summary, __u16 first, __u16 last)
{
	struct namespace_counts counts = { .netns = sample_record().netns, .first_port = first, .last_port = last };

	summary_namespaces_set(&summary->namespaces, &counts, true);
}

/* A service that holds 80 of 100 ports is a problem; 79 are none, nor are 80 of two services. */
static void test_ports(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 443, NT_OUTCOME_OPEN);
	unsigned int i;

	set_port_range(summary, 40000, 40099);
	for (i = 0; i < 79; i++) {
		snprintf(record.id, sizeof(record.id), "%016x", i);
		add(summary, &record, 1);
	}
	record.dst_port = 444;
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 0);
	record.dst_port = 443;
	add(summary, &record, 1);
	CHECK_EQUAL(found(summary)->count, 1);
	CHECK_STRING(sentence(found(summary)->list),
		     "198.18.0.1 uses 80 of its 100 ephemeral ports for 198.18.0.9:443");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE),
		     "netracker list src 198.18.0.1 and dst 198.18.0.9 and dport 443");
	summary_begin_next(summary);
	CHECK_EQUAL(found(summary)->count, 0);
	summary_free(summary);
}

/* Ports in TIME_WAIT count for 60 s, if the client closed first; over several intervals. */
static void test_ports_in_time_wait(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 443, NT_OUTCOME_CLOSED);
	unsigned int i;

	set_port_range(summary, 40000, 40099);
	record.ended_by = NT_DST;
	add(summary, &record, 100);
	CHECK_EQUAL(found(summary)->count, 0);
	record.ended_by = NT_SRC;
	for (i = 0; i < 4; i++) {
		record.end_ns = NOW_NS - (4 - i) * 10 * SECOND_NS;
		add(summary, &record, i ? 20 : 19);
		CHECK_EQUAL(found(summary)->count, 0);
		summary_begin_next(summary);
		set_port_range(summary, 40000, 40099);
	}
	add(summary, &record, 1);
	CHECK(found(summary)->count == 1 && found(summary)->list[0].count == 80);
	summary_begin_next(summary);
	set_port_range(summary, 40000, 40099);
	record.end_ns = NOW_NS + 65 * SECOND_NS;
	add(summary, &record, 1);
	CHECK_EQUAL(port_use_count(&summary->ports.rows[0], record.end_ns), 1);
	CHECK_EQUAL(port_use_count(&summary->ports.rows[0], record.end_ns + 65 * SECOND_NS), 0);
	summary_free(summary);
}

/* A client of very many services: those with many connections keep their counts. */
static void test_ports_are_bounded(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app", 9, 443, NT_OUTCOME_OPEN), other;
	unsigned int i;

	set_port_range(summary, 40000, 40099);
	add(summary, &record, 80);
	for (i = 0; i < 3 * PORT_USE_ROWS; i++) {
		other = client("scan", 8, (__u16)i, NT_OUTCOME_OPEN);
		add(summary, &other, 1);
	}
	CHECK_EQUAL(summary->ports.count, PORT_USE_ROWS);
	CHECK(found(summary)->count == 1 && found(summary)->list[0].count == 80);
	summary_free(summary);
}

static void test_losses(void)
{
	struct summary *summary = summary_new(0);
	__u64 lost[ACCOUNTING_LOSSES] = { 0 };
	struct nt_record record = client("app", 9, 80, NT_OUTCOME_CLOSED);

	summary_set_losses(summary, lost);
	CHECK_EQUAL(found(summary)->count, 0);
	lost[ACCOUNTING_LOST_RING_FULL] = 1;
	summary_set_losses(summary, lost);
	CHECK_STRING(sentence(found(summary)->list), "netracker lost 1 record: ring buffer full");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_LIVE), "netracker status");
	summary_begin_next(summary);
	CHECK_EQUAL(found(summary)->count, 0);
	record.gaps = NT_GAP_EVICTED;
	add(summary, &record, 2);
	CHECK_STRING(sentence(found(summary)->list),
		     "netracker had no memory for 2 connections, whose records are incomplete");
	CHECK_STRING(command(found(summary)->list, SUMMARY_OF_REPLAY), "netracker replay --memory SIZE FILE");
	summary_free(summary);
}

/* The largest of each kind are shown, and the rest is counted. */
static void test_many(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record;
	unsigned int i;

	for (i = 0; i < PROBLEMS_EACH + 3; i++) {
		record = client("app", 9, (__u16)(1000 + i), NT_OUTCOME_REFUSED);
		add(summary, &record, 5 + i);
	}
	CHECK(found(summary)->count == PROBLEMS_EACH && found(summary)->omitted == 3);
	for (i = 0; i < PROBLEMS_EACH; i++)
		CHECK_EQUAL(found(summary)->list[i].count, 5 + PROBLEMS_EACH + 2 - i);
	summary_free(summary);
}

int main(void)
{
	test_refusals();
	test_refused_sources();
	test_hostile_names();
	test_timeouts();
	test_hanging_attempts();
	test_close_waits();
	test_preexisting_close_waits();
	test_listen_overflows();
	test_namespaces_are_bounded();
	test_retransmissions();
	test_few_retransmissions();
	test_ports();
	test_ports_in_time_wait();
	test_ports_are_bounded();
	test_losses();
	test_many();
	return check_finish();
}
