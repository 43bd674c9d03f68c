// SPDX-License-Identifier: GPL-2.0-or-later
/* src/zeek/conn_log.c against Zeek's documentation of conn.log and of its ASCII logs. */
#include <stdio.h>
#include <stdlib.h>

#include "src/zeek/conn_log.h"
#include "src/zeek/zeek_local.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const char *line_of(const struct nt_record *record)
{
	static char result[4096];
	struct text_buffer text = { 0 };

	conn_log_format.record(&text, record, NULL);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static unsigned int count(const char *text, char wanted)
{
	unsigned int found = 0;

	for (; *text; text++)
		found += *text == wanted;
	return found;
}

static void test_header(void)
{
	struct text_buffer text = { 0 };
	char *header, *line;
	int i;

	conn_log_format.header(&text, NULL);
	header = strndup(text.bytes, text.used);
	CHECK_EQUAL(count(header, '\n'), 8);
	for (line = strtok(header, "\n"), i = 0; line; line = strtok(NULL, "\n"), i++) {
		static const char *const begin[] = { "#separator \\x09",
						     "#set_separator\t,",
						     "#empty_field\t(empty)",
						     "#unset_field\t-",
						     "#path\tconn",
						     "#open\t20",
						     "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\t"
						     "proto\tservice\tduration\torig_bytes\tresp_bytes\tconn_state\t"
						     "local_orig\tlocal_resp\tmissed_bytes\thistory\torig_pkts\t"
						     "orig_ip_bytes\tresp_pkts\tresp_ip_bytes\ttunnel_parents\t"
						     "community_id",
						     "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\t"
						     "interval\tcount\tcount\tstring\tbool\tbool\tcount\tstring\t"
						     "count\tcount\tcount\tcount\tset[string]\tstring" };

		CHECK(!strncmp(line, begin[i], strlen(begin[i])));
	}
	free(header);
	text_free(&text);
}

static void test_record(void)
{
	struct nt_record record = sample_record();
	const char *line;

	record.ip_bytes[NT_SRC] = 400;
	record.ip_bytes[NT_DST] = 500;
	record.missed_bytes = 12;
	nt_record_set(&record, NT_HAS_SRC_IP_BYTES);
	nt_record_set(&record, NT_HAS_DST_IP_BYTES);
	nt_record_set(&record, NT_HAS_MISSED_BYTES);
	line = line_of(&record);
	CHECK(!strncmp(line, "1700000000.001000\tC", 19));
	CHECK_EQUAL(strspn(line + 18, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"), 18);
	CHECK_STRING(line + 18 + 18,
		     "\t198.18.0.1\t34855\t198.18.0.2\t80\ttcp\t-\t1.500000\t77\t4294967297\tRSTR\tT\tT\t12\t"
		     "ShADadr\t6\t400\t5\t500\t-\t1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=\n");
}

static void test_unknown_is_unset(void)
{
	struct nt_record record = sample_record();

	record.present = 0;
	CHECK_EQUAL(count(line_of(&record), '\t'), 21);
	CHECK(!strncmp(line_of(&record), "-\tC", 3));
	CHECK_STRING(line_of(&record) + 2 + 18, "\t198.18.0.1\t34855\t198.18.0.2\t80\ttcp\t-\t-\t-\t-\t-\tT\tT\t-\t-\t"
						"-\t-\t-\t-\t-\t1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=\n");
}

/* The uid depends on the record's id. */
static void test_uid(void)
{
	struct nt_record record = sample_record();
	char first[64];

	snprintf(first, sizeof(first), "%.36s", line_of(&record));
	CHECK(!strncmp(line_of(&record), first, 36));
	record.id[0] ^= 1;
	CHECK(strncmp(line_of(&record), first, 36));
}

static void check_local(const char *bytes, bool local)
{
	__u8 address[16];

	memcpy(address, bytes, sizeof(address));
	CHECK_EQUAL(zeek_address_is_local(address), local);
}

#define IPV4 "\0\0\0\0\0\0\0\0\0\0\xff\xff"
#define ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_local(void)
{
	check_local(IPV4 "\x0a\xff\xff\xff", true);
	check_local(IPV4 "\x0b\0\0\0", false);
	check_local(IPV4 "\x64\x7f\xff\xff", true); /* 100.64.0.0/10 */
	check_local(IPV4 "\x64\x80\0\0", false);
	check_local(IPV4 "\xac\x1f\xff\xff", true); /* 172.16.0.0/12 */
	check_local(IPV4 "\xac\x20\0\0", false);
	check_local(IPV4 "\xc0\xa8\1\1", true);
	check_local(IPV4 "\x08\x08\x08\x08", false);
	check_local("\xfe\x80\0\0" ZEROS, true);
	check_local("\xfd\0\0\0" ZEROS, true);
	check_local("\x20\x01\x0d\xb8" ZEROS, true);
	check_local("\x26\x07\xf8\xb0" ZEROS, false);
	check_local("\0\0\0" ZEROS "\1", true);
	check_local("\x20\x02\x0a\0" ZEROS, true); /* 6to4 of 10.0.0.0/8 */
	check_local("\x20\x02\x08\x08" ZEROS, false);
}

int main(void)
{
	test_header();
	test_record();
	test_unknown_is_unset();
	test_uid();
	test_local();
	return check_finish();
}
