// SPDX-License-Identifier: GPL-2.0-or-later
/* The JSON line against docs/record.md, and against Python's parser for hostile strings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/output/format.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const char *json(const struct nt_record *record)
{
	static char result[4096];
	struct text_buffer text = { 0 };

	format_json.record(&text, record, NULL);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static void test_every_key_in_order(void)
{
	struct nt_record record = sample_record();

	CHECK_STRING(
		json(&record),
		"{\"v\":2,\"id\":\"00112233445566aa\",\"time\":\"2023-11-14T22:13:21.501000000Z\",\"event\":\"close\",\"host\":\"db1\",\"role\":\"server\",\"family\":\"ipv4\","
		"\"src_ip\":\"198.18.0.1\",\"src_port\":34855,\"dst_ip\":\"198.18.0.2\",\"dst_port\":80,"
		"\"community_id\":\"1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=\",\"netns\":4026531840,\"netns_name\":\"blue\",\"wire_src_ip\":\"198.18.0.11\",\"wire_src_port\":34856,"
		"\"wire_dst_ip\":\"198.18.0.12\",\"wire_dst_port\":8080,\"ifname\":\"eth0\","
		"\"vlan\":100,\"pid\":1234,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\",\"uid\":33,"
		"\"owner_by\":\"io\",\"opener_pid\":1200,\"cgroup\":\"/system.slice/nginx.service\","
		"\"container\":\"abc\",\"start\":\"2023-11-14T22:13:20.001000000Z\",\"duration_ns\":1500000000,"
		"\"first_fin_ns\":1400000000,\"wire_duration_ns\":1500000001,\"syn_synack_ns\":20000,"
		"\"synack_ack_ns\":30000,\"handshake_ns\":50000,\"syn_finack_ns\":1400000001,"
		"\"request_ns\":60000,\"response_ns\":90000000,\"accept_wait_ns\":7000,\"outcome\":\"reset\",\"ended_by\":\"dst\","
		"\"reason\":\"tcp_abort_on_close\",\"state\":\"fin_wait2\",\"state_age_ns\":9000,\"recv_queue_bytes\":11,"
		"\"send_queue_bytes\":12,\"unacked_bytes\":13,\"cwnd\":10,\"last_sent_ns\":4000000,"
		"\"last_received_ns\":8000000,\"conn_state\":\"RSTR\","
		"\"history\":\"ShADadr\",\"src_bytes\":77,\"dst_bytes\":4294967297,\"src_packets\":6,"
		"\"dst_packets\":5,\"src_retransmits\":1,\"dst_retransmits\":2,\"rtt_us\":45,\"min_rtt_us\":40,"
		"\"limited_by\":\"sndbuf\",\"seen\":[\"wire\",\"socket\"],\"complete\":true,\"gaps\":[],"
		"\"last_request_ns\":800000000,\"last_response_ns\":900000000}\n");
}

/* A listener has no keys of connections. */
static void test_listener(void)
{
	struct nt_record record = sample_listener();

	CHECK_STRING(
		json(&record),
		"{\"v\":2,\"id\":\"00112233445566aa\",\"time\":\"2023-11-14T22:13:21.501000000Z\",\"event\":\"listener\","
		"\"host\":\"db1\",\"family\":\"ipv6\",\"dst_ip\":\"::\",\"dst_port\":80,\"netns\":4026531840,"
		"\"netns_name\":\"blue\",\"pid\":1234,\"comm\":\"nginx\",\"exe\":\"/usr/sbin/nginx\",\"uid\":33,"
		"\"cgroup\":\"/system.slice/nginx.service\",\"container\":\"abc\",\"backlog\":512,"
		"\"backlog_max\":511,\"drops\":70,\"dual_stack\":true}\n");
}

static void test_unknown_is_absent(void)
{
	struct nt_record record = sample_record();

	record.present = 0;
	record.gaps = NT_GAP_START | NT_GAP_WIRE_END | NT_GAP_EVENTS;
	record.role = NT_ROLE_OBSERVER;
	record.event = NT_EVENT_EXIT;
	record.outcome = NT_OUTCOME_OPEN;
	record.seen = NT_SEEN_WIRE | NT_SEEN_PACKETS | NT_SEEN_CALLS;
	CHECK_STRING(
		json(&record),
		"{\"v\":2,\"id\":\"00112233445566aa\",\"time\":\"2023-11-14T22:13:21.501000000Z\",\"event\":\"exit\",\"role\":\"observer\","
		"\"family\":\"ipv4\",\"src_ip\":\"198.18.0.1\",\"src_port\":34855,\"dst_ip\":\"198.18.0.2\","
		"\"dst_port\":80,\"community_id\":\"1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=\",\"outcome\":\"open\","
		"\"seen\":[\"wire\",\"packets\",\"calls\"],"
		"\"complete\":false,\"gaps\":[\"start\",\"wire_end\",\"events\"]}\n");
}

static void test_negative_times(void)
{
	struct nt_record record = sample_record();

	record.syn_synack_ns = -27000;
	record.handshake_ns = (long long)(1ULL << 63);
	CHECK(strstr(json(&record), ",\"syn_synack_ns\":-27000,\"synack_ack_ns\":30000,") != NULL);
	CHECK(strstr(json(&record), ",\"handshake_ns\":-9223372036854775808,") != NULL);
}

static void test_ipv6(void)
{
	static const __u8 address[16] = { 0xfd, 0, [15] = 0x1a }; /* RFC 5952: fd00::1a */
	struct nt_record record = sample_record();

	memcpy(record.src_ip, address, sizeof(address));
	memcpy(record.dst_ip, address, sizeof(address));
	CHECK(strstr(json(&record), "\"family\":\"ipv6\",\"src_ip\":\"fd00::1a\",") != NULL);
}

/* The names follow the order of the kernel's include/net/tcp_states.h, from 1 on. */
static void test_states(void)
{
	static const char *const names[] = { "established", "syn_sent",  "syn_recv", "fin_wait1",
					     "fin_wait2",   "time_wait", "close",    "close_wait",
					     "last_ack",    "listen",    "closing",  "new_syn_recv" };
	struct nt_record record = sample_record();
	char expected[64];
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		record.state = i + 1;
		snprintf(expected, sizeof(expected), ",\"state\":\"%s\",", names[i]);
		CHECK(strstr(json(&record), expected) != NULL);
	}
	for (i = 13; i < 256; i++) {
		record.state = i;
		CHECK(!strstr(json(&record), "\"state\""));
	}
}

/* Python decodes the bytes, which cgroup has in hexadecimal, and must get the text of exe. A byte that is not UTF-8 is
 * written as by Python's backslashreplace.
 */
static const char python[] = "import json, sys\n"
			     "count = 0\n"
			     "for line in sys.stdin.buffer:\n"
			     "    record = json.loads(line.decode('ascii'))\n"
			     "    raw = bytes.fromhex(record['cgroup'])\n"
			     "    assert record['exe'] == raw.decode('utf-8', 'backslashreplace'), raw\n"
			     "    assert record['comm'] == raw[:16].decode('utf-8', 'backslashreplace'), raw\n"
			     "    count += 1\n"
			     "sys.exit(0 if count == 2255 else 1)\n";

static void write_hostile(FILE *stream, const char *bytes, size_t size)
{
	struct nt_record record = sample_record();
	struct text_buffer text = { 0 };
	char hexadecimal[129] = "";
	size_t i;

	for (i = 0; i < size; i++)
		sprintf(hexadecimal + 2 * i, "%02x", (unsigned char)bytes[i]);
	record.exe = bytes;
	record.cgroup = hexadecimal;
	memset(record.comm, 0, sizeof(record.comm));
	memcpy(record.comm, bytes, size < sizeof(record.comm) ? size : sizeof(record.comm));
	format_json.record(&text, &record, NULL);
	fwrite(text.bytes, 1, text.used, stream);
	text_free(&text);
}

static void test_hostile_strings(void)
{
	/* Bytes that begin, continue and break UTF-8, and bytes that are special in JSON or on terminals. */
	static const unsigned char nasty[] = { 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80, 0xed, 0xa0, 0xff,
					       0xc2, 0x9b, 0x1b, '"',  '\\', '\n', ' ',  'x',  0x7f, 0xf4, 0x90, 0xe0 };
	char program[] = "/tmp/netracker-test-XXXXXX", command[64], bytes[65];
	int fd = mkstemp(program);
	FILE *parser;
	int i, j;

	if (!CHECK(fd >= 0) || !CHECK(write(fd, python, sizeof(python) - 1) == sizeof(python) - 1))
		return;
	snprintf(command, sizeof(command), "python3 %s", program);
	parser = popen(command, "w");
	for (i = 1; i < 256; i++) {
		snprintf(bytes, sizeof(bytes), "a%cb", i);
		write_hostile(parser, bytes, 3);
	}
	srandom(1);
	for (i = 0; i < 2000; i++) {
		int size = (int)(random() % 64);

		for (j = 0; j < size; j++)
			bytes[j] = (char)nasty[(size_t)random() % sizeof(nasty)];
		bytes[size] = '\0';
		write_hostile(parser, bytes, (size_t)size);
	}
	CHECK_EQUAL(pclose(parser), 0);
	close(fd);
	unlink(program);
}

int main(void)
{
	test_every_key_in_order();
	test_listener();
	test_unknown_is_absent();
	test_negative_times();
	test_ipv6();
	test_states();
	test_hostile_strings();
	return check_finish();
}
