// SPDX-License-Identifier: GPL-2.0-or-later
/* --summary -f json, csv, tsv: escaped names, absent values, empty lists. */
#include "src/summary/summary_write.h"

#include <stdlib.h>

#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

static const struct summary_span span = { .from_ns = 1700000000001000000, .to_ns = 1700000060001000000 };

static const char *ended(struct text_buffer *text)
{
	static char result[65536];

	CHECK(!text->failed);
	snprintf(result, sizeof(result), "%.*s", (int)text->used, text->bytes);
	text_free(text);
	return result;
}

static const char *json_of(struct summary *summary, const struct summary_span *of)
{
	struct text_buffer text = { 0 };

	summary_settle(summary);
	summary_write_json(&text, summary, of);
	return ended(&text);
}

static const char *csv_of(struct summary *summary, char separator)
{
	struct text_buffer text = { 0 };

	summary_settle(summary);
	summary_write_csv_header(&text, separator);
	summary_write_csv(&text, summary, &span, separator);
	return ended(&text);
}

static struct nt_record client(const char *comm)
{
	struct nt_record record = sample_record();

	record.role = NT_ROLE_CLIENT;
	record.outcome = NT_OUTCOME_CLOSED;
	memset(record.comm, 0, sizeof(record.comm));
	memcpy(record.comm, comm, strlen(comm));
	nt_record_unset(&record, NT_HAS_WIRE_SRC);
	nt_record_unset(&record, NT_HAS_WIRE_DST);
	return record;
}

/* An interval without a connection has all lists, and no value that is unknown. */
static void test_empty(void)
{
	struct summary *summary = summary_new(0);

	CHECK_STRING(
		json_of(summary, &(struct summary_span){ 0 }),
		"{\"v\":1,\"connections\":0,\"closed\":0,\"reset\":0,\"refused\":0,\"timeout\":0,\"unreachable\":0,"
		"\"expired\":0,\"unanswered\":0,\"open\":0,\"sent_unknown\":0,\"received_unknown\":0,"
		"\"handshakes\":0,\"problems\":[],\"processes\":[],\"services\":[],\"peers\":[],\"busiest\":[],"
		"\"slowest\":[]}\n");
	summary_free(summary);
}

static void test_json(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("a\"\n\\\xff");
	struct summary_span named = span;
	const char *text;

	named.host = "db\"1";
	summary_add(summary, &record);
	text = json_of(summary, &named);
	CHECK(has(text,
		  "{\"v\":1,\"from\":\"2023-11-14T22:13:20.001000000Z\",\"to\":\"2023-11-14T22:14:20.001000000Z\","
		  "\"host\":\"db\\\"1\",\"connections\":1,\"closed\":1,"));
	CHECK(has(text, "{\"comm\":\"a\\\"\\u000a\\\\\\\\xff\",\"pid\":1234,\"connections\":1,"));
	CHECK(has(text,
		  "\"sent_bytes\":77,\"received_bytes\":4294967297,\"sent_unknown\":0,\"received_unknown\":0,"
		  "\"packets\":11,\"retransmits\":3,\"handshakes\":1,\"handshake_p50_ns\":50000,"
		  "\"handshake_p95_ns\":50000,\"handshake_p99_ns\":50000,\"problems\":[],\"processes\":[{\"comm\":"));
	CHECK(has(text, "\"services\":[{\"ip\":\"198.18.0.2\",\"port\":80,\"connections\":1,"));
	CHECK(has(text, "\"peers\":[{\"ip\":\"198.18.0.2\",\"connections\":1,"));
	CHECK(has(text, "\"src_ip\":\"198.18.0.1\",\"src_port\":34855,\"dst_ip\":\"198.18.0.2\",\"dst_port\":80,"
			"\"sent_bytes\":77,\"received_bytes\":4294967297}],\"slowest\":[{\"comm\":"));
	CHECK(has(text, "\"handshake_ns\":50000}]}\n"));
	CHECK(strchr(text, '\n') == text + strlen(text) - 1);
	summary_free(summary);
}

/* An unknown value is absent, and an integer that a double does not hold exactly is left out. */
static void test_unknown(void)
{
	struct summary *summary = summary_new(0);
	struct nt_record record = client("app");
	const char *text;

	nt_record_unset(&record, NT_HAS_COMM);
	nt_record_unset(&record, NT_HAS_PID);
	nt_record_unset(&record, NT_HAS_SRC_BYTES);
	nt_record_unset(&record, NT_HAS_SRC_PACKETS);
	nt_record_unset(&record, NT_HAS_DST_PACKETS);
	nt_record_unset(&record, NT_HAS_HANDSHAKE);
	record.bytes[NT_DST] = 1ULL << 53;
	summary_add(summary, &record);
	text = json_of(summary, &span);
	CHECK(has(text, "\"open\":0,\"sent_unknown\":1,\"received_unknown\":0,\"handshakes\":0,\"problems\":[],"
			"\"processes\":[{\"connections\":1,"));
	CHECK(!strstr(text, "9007199254740992") && !strstr(text, "packets") && !strstr(text, "comm"));
	summary_free(summary);
}

static unsigned int count_bytes(const char *text, char byte)
{
	unsigned int count = 0;

	for (; *text && *text != '\n'; text++)
		count += *text == byte;
	return count;
}

/* Every line has a cell for each key, whatever the names are. */
static void test_csv(void)
{
	static const char *const kinds[] = { "table", "total", "process", "service", "peer", "busiest", "slowest" };
	struct summary *summary = summary_new(0);
	struct nt_record record = client("a\t\n=\\");
	const char *text;
	unsigned int i;

	summary_add(summary, &record);
	text = csv_of(summary, '\t');
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		CHECK_EQUAL(count_bytes(text, '\t'), SUMMARY_KEYS - 1);
		CHECK(has(text, kinds[i]) && strstr(text, kinds[i]) < strchr(text, '\n'));
		text = strchr(text, '\n') + 1;
	}
	CHECK(!*text);
	text = csv_of(summary, ',');
	CHECK(!strncmp(text,
		       "v,from,to,host,table,others,comm,pid,ip,port,src_ip,src_port,dst_ip,dst_port,connections,"
		       "closed,reset,",
		       100));
	CHECK(has(text,
		  "\n1,2023-11-14T22:13:20.001000000Z,2023-11-14T22:14:20.001000000Z,,process,,a\\t\\n=\\\\,1234,"));
	summary_free(summary);
}

static void test_problem_lines(void)
{
	struct summary *summary = summary_new(2);
	struct nt_record record = client("a,\"b");
	unsigned int i;

	record.outcome = NT_OUTCOME_REFUSED;
	for (i = 0; i < 5; i++) {
		record.src_ip[15] = (__u8)i;
		summary_add(summary, &record);
	}
	CHECK(has(json_of(summary, &span),
		  "\"problems\":[{\"problem\":\"refused\",\"count\":5,\"text\":\"a,\\\"b was refused 5 times by "
		  "198.18.0.2:80\",\"command\":\"netracker outcome refused and dst 198.18.0.2 and dport 80\"}],"));
	CHECK(has(csv_of(summary, ','),
		  ",refused,5,\"a,\"\"b was refused 5 times by 198.18.0.2:80\",netracker outcome refused and dst "
		  "198.18.0.2 and dport 80\n"));
	for (i = 0; i < 9; i++) {
		record.dst_ip[15] = (__u8)(100 + i);
		summary_add(summary, &record);
	}
	CHECK(has(json_of(summary, &span), ",{\"others\":true,\"connections\":8,"));
	CHECK(has(csv_of(summary, ','), ",,peer,true,,,,,,,,,8,"));
	summary_free(summary);
}

int main(void)
{
	test_empty();
	test_json();
	test_unknown();
	test_csv();
	test_problem_lines();
	return check_finish();
}
