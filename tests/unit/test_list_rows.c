// SPDX-License-Identifier: GPL-2.0-or-later
/* Sorting the rows of `netracker list`: numbers, words, addresses, unknown values, equal rows. */
#include "src/list/list_rows.h"

#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

#define ROWS 5

/* Five records; each has another port. Byte counts and addresses are in no order, the third has no round-trip time and
 * no name. */
static void fill(struct list_rows *rows)
{
	static const __u64 src_bytes[ROWS] = { 50, 400, 7, 400, 3000 };
	static const __u8 hosts[ROWS] = { 9, 10, 200, 1, 30 };
	static const char *const names[ROWS] = { "nginx", "curl", "", "bash", "ssh" };
	static const __u8 states[ROWS] = { 1, 8, 1, 5,
					   2 }; /* established, close_wait, established, fin_wait2, syn_sent */
	char path[16] = "/bin/x";
	unsigned int i;

	for (i = 0; i < ROWS; i++) {
		struct nt_record record = sample_record();

		record.role = NT_ROLE_CLIENT;
		record.src_port = (__u16)(i + 1);
		record.bytes[NT_SRC] = src_bytes[i];
		record.bytes[NT_DST] = 1;
		record.src_ip[15] = hosts[i];
		record.rtt_us = 100 * (i + 1);
		record.state = states[i];
		memset(record.comm, 0, sizeof(record.comm));
		strcpy(record.comm, names[i]);
		path[5] = (char)('a' + i);
		record.exe = path;
		if (i == 2) {
			nt_record_unset(&record, NT_HAS_RTT);
			nt_record_unset(&record, NT_HAS_COMM);
		}
		CHECK(list_rows_add(rows, &record));
	}
}

/* Returns the ports in the order of the rows, as digits. */
static const char *sorted(const char *key, bool reversed)
{
	static char ports[ROWS + 1];
	struct list_rows rows = { 0 };
	struct filter_field field;
	size_t i;

	fill(&rows);
	CHECK(filter_field_find(key, &field));
	list_rows_sort(&rows, &field, reversed);
	for (i = 0; i < rows.count; i++)
		ports[i] = (char)('0' + list_rows_get(&rows, i)->src_port);
	list_rows_clear(&rows);
	return ports;
}

static void test_numbers(void)
{
	CHECK_STRING(sorted("sent", false), "52413");
	CHECK_STRING(sorted("src_bytes", false), "52413");
	CHECK_STRING(sorted("bytes", true), "31245");
	CHECK_STRING(sorted("lport", false), "54321");
	CHECK_STRING(sorted("sport", true), "12345");
}

static void test_words_and_addresses(void)
{
	CHECK_STRING(sorted("src", false), "41253");
	CHECK_STRING(sorted("src", true), "35214");
	CHECK_STRING(sorted("state", false), "21345"); /* close_wait, established twice, fin_wait2, syn_sent */
	CHECK_STRING(sorted("exe", true), "54321");
}

/* They come last in both directions. */
static void test_unknown(void)
{
	CHECK_STRING(sorted("rtt", false), "54213");
	CHECK_STRING(sorted("rtt", true), "12453");
	CHECK_STRING(sorted("comm", false), "42153");
	CHECK_STRING(sorted("comm", true), "51243");
	CHECK_STRING(sorted("wire_src_ip", false), "12345");
}

static void test_stable(void)
{
	CHECK_STRING(sorted("dport", false), "12345");
	CHECK_STRING(sorted("dport", true), "12345");
}

/* Strings are copied: the caller's are gone. */
static void test_strings(void)
{
	struct list_rows rows = { 0 };

	fill(&rows);
	CHECK_STRING(list_rows_get(&rows, 0)->exe, "/bin/a");
	CHECK_STRING(list_rows_get(&rows, 4)->exe, "/bin/e");
	CHECK_STRING(list_rows_get(&rows, 4)->cgroup, "/system.slice/nginx.service");
	list_rows_clear(&rows);
	CHECK_EQUAL(rows.count, 0);
	list_rows_clear(&rows);
}

int main(void)
{
	test_numbers();
	test_words_and_addresses();
	test_unknown();
	test_stable();
	test_strings();
	return check_finish();
}
