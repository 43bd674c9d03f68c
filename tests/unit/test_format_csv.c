// SPDX-License-Identifier: GPL-2.0-or-later
/* CSV, TSV and trace lines against docs/formats.md, and against Python's csv module for hostile strings. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "src/output/format.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const struct format_view own_columns = { 0 };

static const char *line_of(const struct format *format, const struct nt_record *record)
{
	static char result[4096];
	struct text_buffer text = { 0 };

	format->record(&text, record, &own_columns);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static void test_every_column(void)
{
	struct nt_record record = sample_record();
	const char *line = line_of(&format_csv, &record);

	CHECK_STRING(
		line,
		"2,00112233445566aa,2023-11-14T22:13:21.501000000Z,close,db1,server,ipv4,198.18.0.1,34855,"
		"198.18.0.2,80,1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=,4026531840,blue,198.18.0.11,34856,198.18.0.12,"
		"8080,eth0,100,1234,nginx,/usr/sbin/nginx,33,io,1200,"
		"/system.slice/nginx.service,abc,2023-11-14T22:13:20.001000000Z,1500000000,1400000000,"
		"1500000001,20000,30000,50000,1400000001,60000,90000000,7000,reset,dst,tcp_abort_on_close,fin_wait2,9000,"
		"11,12,13,10,4000000,8000000,RSTR,ShADadr,77,4294967297,6,5,1,2,45,40,sndbuf,wire+socket,"
		"true,,800000000,900000000,,,,\n");
}

/* A listener has the same columns as a connection, most of them empty. */
static void test_listener_columns(void)
{
	struct nt_record record = sample_listener();
	const char *line = line_of(&format_csv, &record);

	CHECK(!strncmp(
		line, "2,00112233445566aa,2023-11-14T22:13:21.501000000Z,listener,db1,,ipv6,,,::,80,,4026531840,blue,",
		strlen("2,00112233445566aa,2023-11-14T22:13:21.501000000Z,listener,db1,,ipv6,,,::,80,,4026531840,blue,")));
	CHECK(strstr(line, ",1234,nginx,/usr/sbin/nginx,33,,,/system.slice/nginx.service,abc,,,") != NULL);
	CHECK_STRING(strstr(line, ",512,"), ",512,511,70,true\n");
}

static void test_unknown_is_empty(void)
{
	struct nt_record record = sample_record();

	record.present = NT_PRESENT(NT_HAS_COMM) | NT_PRESENT(NT_HAS_UID);
	record.comm[0] = '\0';
	record.uid = 0;
	record.gaps = NT_GAP_START | NT_GAP_OWNER;
	CHECK_STRING(line_of(&format_tsv, &record),
		     "2\t00112233445566aa\t2023-11-14T22:13:21.501000000Z\tclose\t\tserver\tipv4\t198.18.0.1\t34855\t"
		     "198.18.0.2\t80\t1:ZXHSYKhub8sK3W/0ydxg5uHW7mo=\t"
		     /* netns to pid */
		     "\t\t\t\t\t\t\t\t\t"
		     /* comm, exe, uid, owner_by to accept_wait_ns */
		     "\"\"\t\t0\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"
		     /* outcome to limited_by */
		     "reset\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t\t"
		     "wire+socket\tfalse\tstart+owner\t\t\t\t\t\t\n");
}

static void test_escapes(void)
{
	struct nt_record record = sample_record();

	record.exe = "/a,b \"c\"\t\n\\\x1b\xc3\xa9";
	CHECK(strstr(line_of(&format_csv, &record), ",\"/a,b \"\"c\"\"\\t\\n\\\\\\x1b\\xc3\\xa9\",") != NULL);
	CHECK(strstr(line_of(&format_tsv, &record), "\t/a,b \"c\"\\t\\n\\\\\\x1b\\xc3\\xa9\t") != NULL);
	record.exe = "=1+2";
	CHECK(strstr(line_of(&format_csv, &record), ",\\x3d1+2,") != NULL);
	record.exe = "-x";
	CHECK(strstr(line_of(&format_tsv, &record), "\t\\x2dx\t") != NULL);
	record.exe = "a\"";
	CHECK(strstr(line_of(&format_csv, &record), ",\"a\"\"\",") != NULL);
	record.exe = "\"=1";
	CHECK(strstr(line_of(&format_csv, &record), ",\"\"\"=1\",") != NULL);
}

static void test_trace(void)
{
	static const __u8 address[16] = { 0xfd, 0, [15] = 0x1a };
	struct nt_record record = sample_record();

	CHECK(format_trace.accepts(&record));
	CHECK_STRING(line_of(&format_trace, &record), "[TC] Total RTT (SYN - FIN-ACK) for 198.18.0.1:34855 -> "
						      "198.18.0.2:80: 1400000001 ns\n");
	memcpy(record.src_ip, address, sizeof(address));
	CHECK_STRING(line_of(&format_trace, &record), "[TC] Total RTT (SYN - FIN-ACK) for [fd00::1a]:34855 -> "
						      "198.18.0.2:80: 1400000001 ns\n");
	record.event = NT_EVENT_EXIT;
	CHECK(format_trace.accepts(&record));
	record.event = NT_EVENT_OPEN;
	CHECK(!format_trace.accepts(&record));
	record.event = NT_EVENT_UPDATE;
	CHECK(!format_trace.accepts(&record));
	record.event = NT_EVENT_CLOSE;
	nt_record_unset(&record, NT_HAS_SYN_FINACK);
	CHECK(!format_trace.accepts(&record));
}

/* Python's csv module splits the columns. Without the escapes they must be the bytes that cgroup has in hexadecimal. */
static const char python[] =
	"import csv, re, sys\n"
	"data = sys.stdin.buffer.read().decode('ascii')\n"
	"assert re.fullmatch(r'[ -~\\t\\n]*', data)\n"
	"tabs = data.startswith('v\\t')\n"
	"how = dict(delimiter='\\t', quoting=csv.QUOTE_NONE) if tabs else {}\n"
	"rows = list(csv.DictReader(data.split('\\n')[:-1], **how))\n"
	"undo = {'t': b'\\t', 'n': b'\\n', '\\\\': b'\\\\'}\n"
	"def raw(text):\n"
	"    text = '' if text == '\"\"' else text\n"
	"    return re.sub(rb'\\\\(x(..)|.)', lambda m: bytes.fromhex(m[2].decode()) if m[2] else undo[m[1].decode()],\n"
	"                  text.encode())\n"
	"for row in rows:\n"
	"    assert None not in row and None not in row.values(), row\n"
	"    assert row['exe'][:1] not in '=+-@' or not row['exe'], row\n"
	"    assert raw(row['exe']) == bytes.fromhex(row['cgroup'].strip('\"')), row\n"
	"    assert (row['src_port'], row['gaps']) == ('34855', ''), row\n"
	"sys.exit(0 if len(rows) == 2255 else 1)\n";

static void write_hostile(FILE *stream, const char *bytes, const struct format *format)
{
	struct nt_record record = sample_record();
	struct text_buffer text = { 0 };
	char hexadecimal[129] = "";
	size_t i;

	for (i = 0; bytes[i]; i++)
		sprintf(hexadecimal + 2 * i, "%02x", (unsigned char)bytes[i]);
	record.exe = bytes;
	record.cgroup = hexadecimal;
	format->record(&text, &record, &own_columns);
	fwrite(text.bytes, 1, text.used, stream);
	text_free(&text);
}

static void test_hostile_strings(const struct format *format)
{
	static const char nasty[] = "\"\",,\t\t\n\r\\\\=+-@'xn \x1b\xc3\xa9\xff\x7f\x9b";
	char program[] = "/tmp/netracker-test-XXXXXX", command[64], bytes[65];
	struct text_buffer text = { 0 };
	int fd = mkstemp(program), i, j;
	FILE *parser;

	if (!CHECK(fd >= 0) || !CHECK(write(fd, python, sizeof(python) - 1) == sizeof(python) - 1))
		return;
	snprintf(command, sizeof(command), "python3 %s", program);
	parser = popen(command, "w");
	format->header(&text, &own_columns);
	fwrite(text.bytes, 1, text.used, parser);
	text_free(&text);
	for (i = 1; i < 256; i++) {
		snprintf(bytes, sizeof(bytes), "%cb", i);
		write_hostile(parser, bytes, format);
	}
	srandom(1);
	for (i = 0; i < 2000; i++) {
		int size = (int)(random() % 64);

		for (j = 0; j < size; j++)
			bytes[j] = nasty[(size_t)random() % (sizeof(nasty) - 1)];
		bytes[size] = '\0';
		write_hostile(parser, bytes, format);
	}
	CHECK_EQUAL(pclose(parser), 0);
	close(fd);
	unlink(program);
}

int main(void)
{
	test_every_column();
	test_listener_columns();
	test_unknown_is_empty();
	test_escapes();
	test_trace();
	test_hostile_strings(&format_csv);
	test_hostile_strings(&format_tsv);
	return check_finish();
}
