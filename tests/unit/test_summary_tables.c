// SPDX-License-Identifier: GPL-2.0-or-later
/* --summary: bounded sums by process and by peer, and tables that fit 80 columns whatever the names are. */
#include "src/summary/summary.h"

#include <stdlib.h>

#include "src/summary/summary_print.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const __u8 ipv4_mapped[16] = { [10] = 0xff, [11] = 0xff };

static void set_address(__u8 address[16], __u32 host)
{
	memcpy(address, ipv4_mapped, sizeof(ipv4_mapped));
	address[12] = 198;
	address[13] = 18 + (host >> 16 & 1);
	address[14] = host >> 8;
	address[15] = host;
}

static struct nt_record client_record(const char *comm, __u32 pid, __u32 host, __u64 sent, __u64 received)
{
	struct nt_record record = sample_record();

	record.role = NT_ROLE_CLIENT;
	record.outcome = NT_OUTCOME_CLOSED;
	memset(record.comm, 0, sizeof(record.comm));
	strncpy(record.comm, comm, sizeof(record.comm) - 1);
	record.pid = pid;
	set_address(record.dst_ip, host);
	record.bytes[NT_SRC] = sent;
	record.bytes[NT_DST] = received;
	return record;
}

static const struct summary_row *row_of(const struct summary_table *table, const void *key, size_t size)
{
	unsigned int i;

	for (i = 0; i < table->count; i++)
		if (!memcmp(table->rows[i].key, key, size) && table->rows[i].known)
			return &table->rows[i];
	return NULL;
}

static const char *printed(const struct summary *summary, __u64 from_ns, __u64 to_ns)
{
	static char result[65536];
	struct text_buffer text = { 0 };

	summary_print(&text, summary, from_ns, to_ns);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static void test_sides(void)
{
	struct nt_record record = client_record("curl", 7, 1, 10, 200);
	struct summary *summary = summary_new();
	const struct summary_row *row;
	__u8 client[16];

	summary_add(summary, &record);
	record.pid = 8;
	record.outcome = NT_OUTCOME_RESET;
	summary_add(summary, &record);
	row = row_of(&summary->current.processes, "curl", 5);
	CHECK(row && row->sums.connections == 2 && row->sums.bytes[SUMMARY_SENT] == 20);
	CHECK(row && row->sums.bytes[SUMMARY_RECEIVED] == 400 && summary_count_failures(&row->sums) == 1 &&
	      !row->one_pid);

	/* A server sends the bytes of dst, and its peer is src. */
	record.role = NT_ROLE_SERVER;
	set_address(client, 9);
	memcpy(record.src_ip, client, sizeof(client));
	strcpy(record.comm, "nginx");
	summary_add(summary, &record);
	row = row_of(&summary->current.processes, "nginx", 6);
	CHECK(row && row->sums.bytes[SUMMARY_SENT] == 200 && row->sums.bytes[SUMMARY_RECEIVED] == 10 && row->one_pid);
	row = row_of(&summary->current.peers, client, sizeof(client));
	CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 200);

	/* An observer's peer is dst; it has no process. */
	record.role = NT_ROLE_OBSERVER;
	nt_record_unset(&record, NT_HAS_COMM);
	nt_record_unset(&record, NT_HAS_PID);
	summary_add(summary, &record);
	row = row_of(&summary->current.peers, record.dst_ip, 16);
	CHECK(row && row->sums.connections == 3);
	CHECK_EQUAL(summary->current.processes.count, 3);
	CHECK_EQUAL(summary->current.all.connections, 4);
	CHECK_EQUAL(summary->current.all.outcomes[NT_OUTCOME_RESET], 3);
	CHECK(strstr(printed(summary, 0, 0), "- (process unknown)") != NULL);
	summary_free(summary);
}

static void test_one_record_per_connection(void)
{
	struct nt_record record = client_record("curl", 7, 1, 10, 200);
	struct summary *summary = summary_new();

	record.event = NT_EVENT_OPEN;
	summary_add(summary, &record);
	CHECK_EQUAL(summary->current.all.connections, 0);
	record.event = NT_EVENT_EXIT;
	summary_add(summary, &record);
	record.event = NT_EVENT_CLOSE;
	summary_add(summary, &record);
	CHECK_EQUAL(summary->current.all.connections, 2);
	summary_begin_next(summary);
	CHECK_EQUAL(summary->current.all.connections + summary->current.processes.count + summary->current.peers.count +
			    summary->current.slowest.count,
		    0);
	CHECK_STRING(printed(summary, 0, 0), "0 connections\n");
	summary_free(summary);
}

static struct summary_sums next_interval(struct summary *summary, struct nt_record *record, enum nt_event_kind event,
					 __u64 sent)
{
	struct summary_sums all;

	record->event = event;
	record->outcome = event == NT_EVENT_CLOSE ? NT_OUTCOME_CLOSED : NT_OUTCOME_OPEN;
	record->bytes[NT_SRC] = sent;
	summary_add(summary, record);
	all = summary->current.all;
	summary_begin_next(summary);
	return all;
}

/* A connection over several intervals: each interval counts its own bytes, and the handshake counts once. */
static void test_bytes_of_intervals(void)
{
	struct nt_record record = client_record("scp", 7, 1, 0, 50);
	struct summary *summary = summary_new();
	struct summary_sums all = next_interval(summary, &record, NT_EVENT_UPDATE, 1000);

	CHECK_EQUAL(all.bytes[SUMMARY_SENT], 1000);
	CHECK_EQUAL(all.bytes[SUMMARY_RECEIVED], 50);
	CHECK_EQUAL(all.outcomes[NT_OUTCOME_OPEN], 1);
	all = next_interval(summary, &record, NT_EVENT_UPDATE, 1000);
	CHECK(!all.bytes[SUMMARY_SENT] && all.bytes_known[SUMMARY_SENT] == 1);
	record.event = NT_EVENT_UPDATE;
	record.bytes[NT_SRC] = 4000;
	summary_add(summary, &record);
	CHECK_EQUAL(summary->current.slowest.count, 0);
	CHECK(summary->current.busiest.count == 1 && summary->current.busiest.rows[0].bytes[SUMMARY_SENT] == 3000);
	summary_begin_next(summary);
	all = next_interval(summary, &record, NT_EVENT_CLOSE, 4001);
	CHECK_EQUAL(all.bytes[SUMMARY_SENT], 1);
	CHECK_EQUAL(all.outcomes[NT_OUTCOME_CLOSED], 1);
	CHECK_EQUAL(summary->marks.count, 0);
	summary_free(summary);
}

/* A connection closes after the interval, but before its tables are printed: it is open in this interval and closed in
 * the next.
 */
static void test_ends_later(void)
{
	struct nt_record record = client_record("scp", 7, 1, 1000, 50);
	struct summary *summary = summary_new();
	const struct summary_row *row;

	record.event = NT_EVENT_UPDATE;
	record.outcome = NT_OUTCOME_OPEN;
	summary_add(summary, &record);
	record.event = NT_EVENT_CLOSE;
	record.outcome = NT_OUTCOME_CLOSED;
	record.bytes[NT_SRC] = 1003;
	summary_add_to_next(summary, &record);
	CHECK(summary->current.all.connections == 1 && summary->current.all.outcomes[NT_OUTCOME_OPEN] == 1);
	CHECK(summary->current.busiest.count == 1 && summary->current.busiest.rows[0].bytes[SUMMARY_SENT] == 1000);
	CHECK_EQUAL(summary_count_ended(summary), 1);
	summary_begin_next(summary);
	CHECK(summary->current.all.connections == 1 && summary->current.all.outcomes[NT_OUTCOME_CLOSED] == 1 &&
	      summary_count_ended(summary) == 1);
	row = row_of(&summary->current.processes, "scp", 4);
	CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 3);
	CHECK(summary->current.busiest.count == 1 && summary->current.peers.count == 1 &&
	      !summary->current.slowest.count);
	summary_add(summary, &record);
	CHECK(row_of(&summary->current.processes, "scp", 4)->sums.connections == 2);
	summary_begin_next(summary);
	CHECK(!summary->current.all.connections && !summary->current.processes.count && !summary_count_ended(summary));
	summary_add_to_next(summary, &record);
	summary_free(summary);
}

/* The byte baseline of a pre-existing socket counts in no interval. Bytes of packets count from the first one seen. */
static void test_byte_baselines(void)
{
	struct nt_record record = client_record("scp", 7, 1, 0, 50);
	struct summary *summary = summary_new();
	struct summary_sums all;

	record.gaps = NT_GAP_START;
	record.seen = NT_SEEN_SOCKET;
	all = next_interval(summary, &record, NT_EVENT_CLOSE, 1000);
	CHECK(!all.bytes[SUMMARY_SENT] && !all.bytes_known[SUMMARY_SENT] && all.connections == 1);
	byte_marks_set(&summary->marks, &record);
	all = next_interval(summary, &record, NT_EVENT_CLOSE, 1007);
	CHECK(all.bytes[SUMMARY_SENT] == 7 && all.bytes_known[SUMMARY_SENT] == 1);
	byte_marks_set(&summary->marks, &record);
	byte_marks_remove(&summary->marks, &record);
	byte_marks_remove(&summary->marks, &record);
	CHECK_EQUAL(summary->marks.count, 0);
	record.seen = NT_SEEN_PACKETS;
	all = next_interval(summary, &record, NT_EVENT_CLOSE, 1000);
	CHECK_EQUAL(all.bytes[SUMMARY_SENT], 1000);
	summary_free(summary);
}

/* Without room for a mark no byte counts twice: all bytes count at the end. */
static void test_marks_are_bounded(void)
{
	struct nt_record record = client_record("scp", 7, 1, 0, 0);
	struct summary *summary = summary_new();
	struct summary_sums all;
	unsigned int i;

	for (i = 0; i < BYTE_MARKS_MOST + 9; i++) {
		snprintf(record.id, sizeof(record.id), "%016x", i);
		byte_marks_set(&summary->marks, &record);
	}
	CHECK_EQUAL(summary->marks.count, BYTE_MARKS_MOST);
	all = next_interval(summary, &record, NT_EVENT_UPDATE, 100);
	CHECK(!all.bytes[SUMMARY_SENT] && !all.bytes_known[SUMMARY_SENT]);
	all = next_interval(summary, &record, NT_EVENT_CLOSE, 300);
	CHECK_EQUAL(all.bytes[SUMMARY_SENT], 300);
	summary_free(summary);
}

static void test_unknown_bytes(void)
{
	struct nt_record record = client_record("curl", 7, 1, 10, 200);
	struct summary *summary = summary_new();

	nt_record_unset(&record, NT_HAS_DST_BYTES);
	summary_add(summary, &record);
	CHECK(strstr(printed(summary, 0, 0), "sent 10, received -\n") != NULL);
	nt_record_set(&record, NT_HAS_DST_BYTES);
	summary_add(summary, &record);
	CHECK(strstr(printed(summary, 0, 0), "sent 20, received 200+\n") != NULL);
	summary_free(summary);
}

static void test_slowest_handshakes(void)
{
	static const unsigned int order[] = { 3, 9, 1, 7, 5, 8, 2, 6, 4 };
	struct summary *summary = summary_new();
	struct nt_record record;
	unsigned int i;

	for (i = 0; i < 9; i++) {
		record = client_record("curl", order[i], 1, 0, 0);
		record.handshake_ns = order[i] * 1000000;
		summary_add(summary, &record);
	}
	nt_record_unset(&record, NT_HAS_HANDSHAKE);
	record.handshake_ns = 1000000000;
	summary_add(summary, &record);
	CHECK_EQUAL(summary->current.slowest.count, SUMMARY_TOP);
	for (i = 0; i < SUMMARY_TOP; i++)
		CHECK_EQUAL(summary->current.slowest.rows[i].pid, 9 - i);
	summary_free(summary);
}

/* 60,000 peers with one connection each, among a few with many: the few keep exact sums, and no connection is lost. */
static void test_bounded(void)
{
	struct summary_sums rest, sums = { 0 };
	const struct summary_row *chosen[SUMMARY_ROWS], *row;
	struct summary *summary = summary_new();
	struct nt_record record;
	unsigned int i, count;
	__u8 key[16];

	for (i = 0; i < 60000; i++) {
		record = client_record("scanner", i, 1000 + i, 1, 1);
		summary_add(summary, &record);
		if (i % 100)
			continue;
		record = client_record("backup", 1, 1, 1 << 20, 0);
		summary_add(summary, &record);
		record = client_record("cron", 2, 2, 0, 0);
		record.outcome = NT_OUTCOME_TIMEOUT;
		summary_add(summary, &record);
	}
	CHECK(summary->current.peers.count <= SUMMARY_ROWS && summary->current.peers.folded > 50000);
	for (i = 1; i <= 2; i++) {
		set_address(key, i);
		row = row_of(&summary->current.peers, key, sizeof(key));
		CHECK(row && row->sums.connections == 600);
	}
	count = summary_choose_rows(&summary->current.peers, 6, chosen, &rest);
	CHECK(count >= 6 && count <= 18);
	for (i = 0; i < count; i++) {
		sums.connections += chosen[i]->sums.connections;
		sums.bytes[SUMMARY_SENT] += chosen[i]->sums.bytes[SUMMARY_SENT];
		sums.outcomes[NT_OUTCOME_TIMEOUT] += chosen[i]->sums.outcomes[NT_OUTCOME_TIMEOUT];
	}
	CHECK_EQUAL(sums.connections + rest.connections, 61200);
	CHECK_EQUAL(sums.bytes[SUMMARY_SENT] + rest.bytes[SUMMARY_SENT], 60000 + 600LL * (1 << 20));
	CHECK_EQUAL(sums.outcomes[NT_OUTCOME_TIMEOUT] + rest.outcomes[NT_OUTCOME_TIMEOUT], 600);
	CHECK(!memcmp(chosen[0]->key, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x12\0\1", 16));
	CHECK(strstr(printed(summary, 0, 0), "\nothers ") != NULL);
	CHECK(strstr(printed(summary, 0, 0), "more than 2048 rows: their numbers are lower bounds") != NULL);
	summary_free(summary);
}

/* A few failures among many connections still get a row. */
static void test_failures_are_shown(void)
{
	struct summary *summary = summary_new();
	struct nt_record record;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		record = client_record("busy", 1, 10 + i % 100, 1000, 1000);
		summary_add(summary, &record);
	}
	record = client_record("broken", 2, 1, 0, 0);
	record.outcome = NT_OUTCOME_REFUSED;
	summary_add(summary, &record);
	CHECK(strstr(printed(summary, 0, 0), "\n198.18.0.1                        1      0      0      0       1") !=
	      NULL);
	summary_free(summary);
}

static void test_text(void)
{
	struct nt_record record = client_record("curl", 15744, 1, 78, 20027802);
	struct summary *summary = summary_new();

	record.handshake_ns = 60100;
	set_address(record.src_ip, 2);
	summary_add(summary, &record);
	CHECK_STRING(printed(summary, 1700000000001000000, 1700000060001000000),
		     "from 2023-11-14T22:13:20.001Z to 2023-11-14T22:14:20.001Z\n"
		     "1 connection: 1 closed\n"
		     "sent 78 (1/s), received 19.1M (326K/s)\n"
		     "\n"
		     "PROCESS                       CONNS   SENT   RECV  RESET REFUSED TIMEOUT UNREACH\n"
		     "curl (15744)                      1     78  19.1M      0       0       0       0\n"
		     "\n"
		     "PEER                          CONNS   SENT   RECV  RESET REFUSED TIMEOUT UNREACH\n"
		     "198.18.0.1                        1     78  19.1M      0       0       0       0\n"
		     "\n"
		     "  SENT   RECV BUSIEST CONNECTIONS\n"
		     "    78  19.1M 198.18.0.2:34855 -> 198.18.0.1:80 curl (15744)\n"
		     "\n"
		     "SLOWEST HANDSHAKES\n"
		     "60.1us  198.18.0.2:34855 -> 198.18.0.1:80 curl (15744)\n");
	summary_free(summary);
}

/* Names of any bytes, the longest addresses and every outcome give printable ASCII in lines of at most 80. */
static void test_fits(void)
{
	struct summary *summary = summary_new();
	struct nt_record record;
	const char *text, *line;
	unsigned int i;

	for (i = 0; i < 400; i++) {
		record = client_record("x", 4194304, i, 1023ULL << 40, ~0ULL >> 1);
		memset(record.comm, (int)(i % 256), sizeof(record.comm));
		memset(record.dst_ip, 0xfd, sizeof(record.dst_ip));
		memset(record.src_ip, 0xfe, sizeof(record.src_ip));
		record.dst_ip[15] = (__u8)i;
		record.src_port = record.dst_port = 65535;
		record.outcome = i % SUMMARY_OUTCOMES;
		record.handshake_ns = i * 100000;
		if (i % 10 == 9)
			nt_record_unset(&record, NT_HAS_SRC_BYTES);
		summary_add(summary, &record);
	}
	summary->current.all.outcomes[NT_OUTCOME_CLOSED] = summary->current.all.connections = 10000000;
	text = printed(summary, 1700000000001000000, 1700000060001000000);
	for (line = text; *line; line += strcspn(line, "\n") + 1) {
		CHECK(strcspn(line, "\n") <= 80);
		for (i = 0; line[i] != '\n'; i++)
			if (line[i] < ' ' || line[i] > '~')
				CHECK(!"printable ASCII");
	}
	CHECK(strstr(text, "\nfdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fd") != NULL);
	summary_free(summary);
}

int main(void)
{
	test_sides();
	test_one_record_per_connection();
	test_bytes_of_intervals();
	test_ends_later();
	test_byte_baselines();
	test_marks_are_bounded();
	test_unknown_bytes();
	test_slowest_handshakes();
	test_bounded();
	test_failures_are_shown();
	test_text();
	test_fits();
	return check_finish();
}
