// SPDX-License-Identifier: GPL-2.0-or-later
/* --summary: bounded sums by process, peer and service, connections between local sockets that count once, and tables
 * that fit 80 columns whatever the names are. */
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
	nt_record_unset(&record, NT_HAS_WIRE_SRC);
	nt_record_unset(&record, NT_HAS_WIRE_DST);
	return record;
}

static const struct summary_row *row_of(const struct summary_table *table, const void *key, size_t size)
{
	unsigned int i;

	for (i = 0; i < table->count; i++)
		if (!memcmp(table->rows[i].key, key, size))
			return &table->rows[i];
	return NULL;
}

static const struct summary_row *process_row(const struct summary *summary, const char *comm)
{
	char key[1 + NT_COMM_SIZE] = { 1 };

	memcpy(key + 1, comm, strlen(comm));
	return row_of(&summary->current.processes, key, sizeof(key));
}

static const struct summary_row *peer_row(const struct summary *summary, const __u8 address[16])
{
	return row_of(&summary->current.peers, address, 16);
}

static const struct summary_row *service_row(const struct summary *summary, const __u8 address[16], __u16 port)
{
	__u8 key[18];

	memcpy(key, address, 16);
	key[16] = (__u8)(port >> 8);
	key[17] = (__u8)port;
	return row_of(&summary->current.services, key, sizeof(key));
}

static const char *printed(struct summary *summary, __u64 from_ns, __u64 to_ns)
{
	static char result[65536];
	struct text_buffer text = { 0 };

	summary_settle(summary);
	summary_print(&text, summary, from_ns, to_ns);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static void test_sides(void)
{
	struct nt_record record = client_record("curl", 7, 1, 10, 200);
	struct summary *summary = summary_new(0);
	const struct summary_row *row;
	__u8 client[16];

	summary_add(summary, &record);
	record.pid = 8;
	record.outcome = NT_OUTCOME_RESET;
	summary_add(summary, &record);
	row = process_row(summary, "curl");
	CHECK(row && row->sums.connections == 2 && row->sums.bytes[SUMMARY_SENT] == 20);
	CHECK(row && row->sums.bytes[SUMMARY_RECEIVED] == 400 && summary_count_failures(&row->sums) == 1 &&
	      !row->owner.one_pid);

	/* A server sends the bytes of dst, and its peer is src. */
	record.role = NT_ROLE_SERVER;
	set_address(client, 9);
	memcpy(record.src_ip, client, sizeof(client));
	strcpy(record.comm, "nginx");
	summary_add(summary, &record);
	summary_settle(summary);
	row = process_row(summary, "nginx");
	CHECK(row && row->sums.bytes[SUMMARY_SENT] == 200 && row->sums.bytes[SUMMARY_RECEIVED] == 10 &&
	      row->owner.one_pid);
	row = peer_row(summary, client);
	CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 200);

	/* An observer's peer is dst; it has no process. */
	record.role = NT_ROLE_OBSERVER;
	nt_record_unset(&record, NT_HAS_COMM);
	nt_record_unset(&record, NT_HAS_PID);
	summary_add(summary, &record);
	row = peer_row(summary, record.dst_ip);
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
	struct summary *summary = summary_new(0);

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
	CHECK_STRING(printed(summary, 0, 0), "no problems found\n0 connections\n");
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
	struct summary *summary = summary_new(0);
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
	struct summary *summary = summary_new(0);
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
	row = process_row(summary, "scp");
	CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 3);
	CHECK(summary->current.busiest.count == 1 && summary->current.peers.count == 1 &&
	      !summary->current.slowest.count);
	summary_add(summary, &record);
	CHECK(process_row(summary, "scp")->sums.connections == 2);
	summary_begin_next(summary);
	CHECK(!summary->current.all.connections && !summary->current.processes.count && !summary_count_ended(summary));
	summary_add_to_next(summary, &record);
	summary_free(summary);
}

/* The byte baseline of a pre-existing socket counts in no interval. Bytes of packets count from the first one seen. */
static void test_byte_baselines(void)
{
	struct nt_record record = client_record("scp", 7, 1, 0, 50);
	struct summary *summary = summary_new(0);
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
	struct summary *summary = summary_new(0);
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
	struct summary *summary = summary_new(0);

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
	struct summary *summary = summary_new(0);
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
	CHECK_EQUAL(summary->current.slowest.count, 5);
	for (i = 0; i < 5; i++)
		CHECK_EQUAL(summary->current.slowest.rows[i].pid, 9 - i);
	summary_free(summary);
}

/* 60,000 peers with one connection each, among a few with many: the few keep exact sums, and no connection is lost. */
static void test_bounded(void)
{
	struct summary_sums rest, sums = { 0 };
	const struct summary_row *chosen[SUMMARY_ROWS], *row;
	struct summary *summary = summary_new(0);
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
		row = peer_row(summary, key);
		CHECK(row && row->sums.connections == 600);
	}
	count = summary_choose_rows(&summary->current.peers, 6, SUMMARY_ROWS, chosen, &rest);
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
	struct summary *summary = summary_new(0);
	struct nt_record record;
	unsigned int i;

	for (i = 0; i < 1000; i++) {
		record = client_record("busy", 1, 10 + i % 100, 1000, 1000);
		summary_add(summary, &record);
	}
	record = client_record("broken", 2, 1, 0, 0);
	record.outcome = NT_OUTCOME_REFUSED;
	summary_add(summary, &record);
	CHECK(strstr(printed(summary, 0, 0),
		     "\n198.18.0.1                                 1      0      0       3  27.3%      1\n") != NULL);
	CHECK(strstr(printed(summary, 0, 0),
		     "\nFAILURES BY PEER                RESET REFUSED TIMEOUT UNREACH UNANSWERED"
		     " EXPIRED\n"
		     "198.18.0.1                          0       1       0       0          0"
		     "       0\n"
		     "\n") != NULL);
	summary_free(summary);
}

static void test_text(void)
{
	struct nt_record record = client_record("curl", 15744, 1, 78, 20027802);
	struct summary *summary = summary_new(0);

	record.handshake_ns = 60100;
	set_address(record.src_ip, 2);
	summary_add(summary, &record);
	CHECK_STRING(printed(summary, 1700000000001000000, 1700000060001000000),
		     "from 2023-11-14T22:13:20.001Z to 2023-11-14T22:14:20.001Z\n"
		     "no problems found\n"
		     "1 connection: 1 closed\n"
		     "sent 78 (1/s), received 19.1M (326K/s)\n"
		     "retransmitted 3 of 11 packets (27.3%)\n"
		     "1 handshake: p50 60.1us, p95 60.1us, p99 60.1us\n"
		     "\n"
		     "PROCESS                                CONNS   SENT   RECV RETRANS  RETR% FAILED\n"
		     "curl (15744)                               1     78  19.1M       3  27.3%      0\n"
		     "\n"
		     "SERVICE                                CONNS   SENT   RECV RETRANS  RETR% FAILED\n"
		     "198.18.0.1:80                              1     78  19.1M       3  27.3%      0\n"
		     "\n"
		     "PEER                                   CONNS   SENT   RECV RETRANS  RETR% FAILED\n"
		     "198.18.0.1                                 1     78  19.1M       3  27.3%      0\n"
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
	struct summary *summary = summary_new(0);
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
		CHECK(strcspn(line, "\n") <= 80 || !strncmp(line, "    netracker ", 14));
		for (i = 0; line[i] != '\n'; i++)
			if (line[i] < ' ' || line[i] > '~')
				CHECK(!"printable ASCII");
	}
	CHECK(strstr(text, "\nfdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fd") != NULL);
	summary_free(summary);
}

/* ---- connections between two sockets of this machine ---- */

/* Makes both records of one connection; the server sees what the client sent, and each its own retransmissions. */
static void local_records(struct nt_record *client, struct nt_record *server, __u16 port)
{
	*client = client_record("curl", 7, 1, 10, 200);
	nt_record_unset(client, NT_HAS_DST_PACKETS);
	nt_record_unset(client, NT_HAS_DST_RETRANSMITS);
	client->src_port = port;
	*server = *client;
	server->role = NT_ROLE_SERVER;
	server->pid = 8;
	strcpy(server->comm, "nginx");
	nt_record_unset(server, NT_HAS_SRC_PACKETS);
	nt_record_unset(server, NT_HAS_SRC_RETRANSMITS);
	nt_record_set(server, NT_HAS_DST_PACKETS);
	nt_record_set(server, NT_HAS_DST_RETRANSMITS);
	memcpy(client->id, "client", sizeof("client"));
	memcpy(server->id, "server", sizeof("server"));
}

/* Whichever record comes first: one connection, the client's bytes, both processes, and who listens. */
static void test_local_connection(void)
{
	const struct summary_row *row;
	struct nt_record records[2];
	struct summary *summary;
	int first;

	local_records(&records[0], &records[1], 1000);
	for (first = 0; first < 2; first++) {
		summary = summary_new(0);
		summary_add(summary, &records[first]);
		summary_add(summary, &records[!first]);
		summary_settle(summary);
		CHECK_EQUAL(summary->current.all.connections, 1);
		CHECK_EQUAL(summary->current.all.bytes[SUMMARY_SENT], 10);
		CHECK_EQUAL(summary->current.all.packets, 6 + 5);
		CHECK_EQUAL(summary->current.all.retransmits, 1 + 2);
		CHECK_EQUAL(summary->current.handshakes.count, 1);
		CHECK_EQUAL(summary->current.busiest.count, 1);
		CHECK_EQUAL(summary->current.peers.count, 1);
		row = peer_row(summary, records[0].dst_ip);
		CHECK(row && row->sums.connections == 1 && row->sums.retransmits == 3);
		row = service_row(summary, records[0].dst_ip, 80);
		CHECK(row && row->sums.connections == 1 && !strcmp(row->owner.comm, "nginx") && row->owner.pid == 8);
		row = process_row(summary, "curl");
		CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 10);
		row = process_row(summary, "nginx");
		CHECK(row && row->sums.connections == 1 && row->sums.bytes[SUMMARY_SENT] == 200);
		CHECK_EQUAL(summary_count_ended(summary), 2);
		CHECK(strstr(printed(summary, 0, 0), "\n198.18.0.1:80 nginx (8)  ") != NULL);
		summary_free(summary);
	}
}

/* The sides end in different intervals: the connection counts once in each in which it is open, and ends once. */
static void test_local_intervals(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record client, server;

	local_records(&client, &server, 1000);
	client.event = server.event = NT_EVENT_UPDATE;
	client.outcome = server.outcome = NT_OUTCOME_OPEN;
	summary_add(summary, &server);
	summary_add(summary, &client);
	summary_settle(summary);
	CHECK(summary->current.all.connections == 1 && summary->current.all.outcomes[NT_OUTCOME_OPEN] == 1);
	summary_begin_next(summary);
	client.event = NT_EVENT_CLOSE;
	client.outcome = NT_OUTCOME_CLOSED;
	summary_add(summary, &client);
	summary_add(summary, &server);
	summary_settle(summary);
	CHECK(summary->current.all.connections == 1 && summary->current.all.outcomes[NT_OUTCOME_CLOSED] == 1);
	summary_begin_next(summary);
	server.event = NT_EVENT_CLOSE;
	server.outcome = NT_OUTCOME_CLOSED;
	summary_add(summary, &server);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, 0);
	CHECK_EQUAL(process_row(summary, "nginx")->sums.connections, 1);
	CHECK_EQUAL(summary->pairs.map.count, 0);
	summary_free(summary);
}

/* The server's end counts with its interval; the client's, which comes later, does not count again. */
static void test_client_ends_later(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record client, server;

	local_records(&client, &server, 1000);
	summary_add(summary, &server);
	CHECK_EQUAL(summary->current.all.connections, 0);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, 1);
	summary_begin_next(summary);
	summary_add(summary, &client);
	CHECK(!summary->current.all.connections && process_row(summary, "curl")->sums.connections == 1);
	CHECK_EQUAL(summary->pairs.map.count, 0);
	summary_free(summary);
}

/* Ports are used again: a later connection of the same addresses and ports counts. So do equal ones of loopback in two
 * namespaces, and the clients of another machine.
 */
static void test_not_one_connection(void)
{
	static const __u8 loopback[16] = { [10] = 0xff, [11] = 0xff, 127, [15] = 1 };
	struct summary *summary = summary_new(0);
	struct nt_record client, server;

	local_records(&client, &server, 1000);
	summary_add(summary, &client);
	server.start_ns = client.end_ns + 1;
	summary_add(summary, &server);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, 2);
	summary_begin_next(summary);

	local_records(&client, &server, 1001);
	memcpy(client.src_ip, loopback, 16);
	memcpy(client.dst_ip, loopback, 16);
	memcpy(server.src_ip, loopback, 16);
	memcpy(server.dst_ip, loopback, 16);
	server.netns = client.netns + 1;
	summary_add(summary, &client);
	summary_add(summary, &server);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, 2);
	server.netns = client.netns;
	summary_add(summary, &server);
	CHECK_EQUAL(summary->current.all.connections, 2);
	summary_free(summary);
}

/* Address translation: the client connected to one address, the server was reached at another; the packets are one. */
static void test_translated_connection(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record client, server;

	local_records(&client, &server, 1000);
	nt_record_set(&client, NT_HAS_WIRE_DST);
	memcpy(client.wire_dst_ip, server.dst_ip, sizeof(client.wire_dst_ip));
	client.wire_dst_port = server.dst_port;
	set_address(client.dst_ip, 77);
	client.dst_port = 443;
	summary_add(summary, &server);
	summary_add(summary, &client);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, 1);
	CHECK(service_row(summary, client.dst_ip, 443) && !service_row(summary, server.dst_ip, 80));
	summary_free(summary);
}

/* A flood of clients of other machines: each counts once, and memory is bounded. */
static void test_pairs_are_bounded(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record client, server;
	unsigned int i;

	for (i = 0; i < CONNECTION_PAIRS_MOST + 9; i++) {
		local_records(&client, &server, (__u16)i);
		set_address(server.src_ip, i >> 16);
		summary_add(summary, &server);
	}
	CHECK_EQUAL(summary->pairs.map.count, CONNECTION_PAIRS_MOST);
	CHECK_EQUAL(summary->current.all.connections, 9);
	summary_settle(summary);
	CHECK_EQUAL(summary->current.all.connections, CONNECTION_PAIRS_MOST + 9);
	summary_free(summary);
}

/* ---- rows ---- */

static unsigned int count_rows(const char *text, const char *heading)
{
	const char *line = strstr(text, heading);
	unsigned int count = 0;

	for (line = strchr(line + 1, '\n') + 1; *line && *line != '\n'; line = strchr(line, '\n') + 1)
		count++;
	return count;
}

static void test_top(void)
{
	struct summary *summary = summary_new(3);
	struct nt_record record;
	const char *text;
	unsigned int i;

	for (i = 0; i < 50; i++) {
		record = client_record("curl", i, i, 1000 + i, 0);
		record.outcome = i == 7 ? NT_OUTCOME_REFUSED : NT_OUTCOME_CLOSED;
		summary_add(summary, &record);
		record.bytes[NT_SRC] = 0;
		if (i == 9)
			summary_add(summary, &record);
	}
	text = printed(summary, 0, 0);
	CHECK_EQUAL(count_rows(text, "\nPEER "), 3 + 1);
	CHECK_EQUAL(count_rows(text, "\nFAILURES BY PEER "), 1);
	CHECK_EQUAL(count_rows(text, "BUSIEST"), 3);
	CHECK_EQUAL(count_rows(text, "SLOWEST"), 3);
	/* The most failures, connections, bytes. */
	CHECK(strstr(text, "\n198.18.0.7 ") && strstr(text, "\n198.18.0.9 ") && strstr(text, "\n198.18.0.49 "));
	summary_free(summary);
}

/* Every outcome but closed and open is a failure, as for -x. */
static void test_failures(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record;
	unsigned int i;

	for (i = 0; i < SUMMARY_OUTCOMES; i++) {
		record = client_record("curl", 7, 1, 0, 0);
		record.outcome = i;
		summary_add(summary, &record);
	}
	CHECK_EQUAL(summary_count_failures(&summary->current.all), 6);
	CHECK(strstr(printed(summary, 0, 0),
		     "\n198.18.0.1                          1       1       1       1          1       1\n") != NULL);
	summary_free(summary);
}

/* Packets of an interval: a connection's retransmissions count in the interval in which they were sent. */
static void test_retransmits_of_intervals(void)
{
	struct nt_record record = client_record("scp", 7, 1, 0, 0);
	struct summary *summary = summary_new(0);

	nt_record_unset(&record, NT_HAS_DST_RETRANSMITS);
	record.packets[NT_SRC] = 100;
	record.retransmits[NT_SRC] = 2;
	next_interval(summary, &record, NT_EVENT_UPDATE, 1000);
	record.packets[NT_SRC] = 150;
	record.retransmits[NT_SRC] = 5;
	record.event = NT_EVENT_CLOSE;
	summary_add(summary, &record);
	CHECK(summary->current.all.packets == 50 && summary->current.all.retransmits == 3);
	CHECK(strstr(printed(summary, 0, 0), "\nretransmitted 3 of 50 packets (6.00%)\n") != NULL);
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
	test_local_connection();
	test_local_intervals();
	test_client_ends_later();
	test_not_one_connection();
	test_translated_connection();
	test_pairs_are_bounded();
	test_top();
	test_failures();
	test_retransmits_of_intervals();
	return check_finish();
}
