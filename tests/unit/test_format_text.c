// SPDX-License-Identifier: GPL-2.0-or-later
/* Text output: columns by width, the fixed layout for scripts, and lines that no string can break. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/output/format.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const struct format_view no_terminal = { 0 };

static const char *shown(const struct nt_record *record, const struct format_view *view)
{
	static char result[1024];
	struct text_buffer text = { 0 };

	if (record)
		format_text.record(&text, record, view);
	else
		format_text.header(&text, view);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes);
	text_free(&text);
	return result;
}

static const char *at_width(const struct nt_record *record, unsigned int width)
{
	const struct format_view view = { .width = width };

	return shown(record, &view);
}

static unsigned int count_words(const char *line)
{
	unsigned int words = 0;

	for (line += strspn(line, " \n"); *line; line += strspn(line, " \n")) {
		words++;
		line += strcspn(line, " \n");
	}
	return words;
}

/* A record with the longest possible values, except for counts that exceed their columns. */
static struct nt_record widest(void)
{
	struct nt_record record = sample_record();

	memset(record.src_ip + 12, 255, 4);
	memset(record.dst_ip + 12, 255, 4);
	record.src_port = record.dst_port = 65535;
	record.pid = 4194304;
	memcpy(record.comm, "systemd-resolve", 16);
	record.outcome = NT_OUTCOME_REFUSED;
	record.duration_ns = 86399000000000;
	record.handshake_ns = 12340000;
	record.bytes[NT_SRC] = record.bytes[NT_DST] = 123456789012;
	record.gaps = NT_GAP_OWNER | NT_GAP_START | NT_GAP_PACKETS | NT_GAP_BYTES_MOD_4G;
	return record;
}

static void test_terminal(void)
{
	struct nt_record record = sample_record();

	CHECK_STRING(at_width(NULL, 132),
		     "TIME         PID COMM            R SRC                   DST                   OUTCOME     LASTED"
		     "  SHAKE SRC-TX DST-TX  RETR GAPS\n");
	CHECK_STRING(at_width(&record, 132),
		     "22:13:21    1234 nginx           S 198.18.0.1:34855      198.18.0.2:80         reset:dst    1.50s"
		     " 50.0us     77  4.00G   1/2 -\n");
	record.gaps = NT_GAP_OWNER;
	CHECK(strstr(at_width(&record, 132), " owner\n") != NULL);
	record.gaps = NT_GAP_OWNER | NT_GAP_START;
	CHECK(strstr(at_width(&record, 132), " SO\n") != NULL);
	CHECK(strstr(at_width(&record, 160), " start+owner\n") != NULL);
}

static void test_open(void)
{
	struct nt_record record = sample_record();

	record.outcome = NT_OUTCOME_OPEN;
	nt_record_unset(&record, NT_HAS_ENDED_BY);
	record.event = NT_EVENT_OPEN;
	CHECK(strstr(at_width(&record, 132), " opened ") != NULL);
	record.event = NT_EVENT_EXIT;
	CHECK(strstr(at_width(&record, 132), " still-open ") != NULL);
}

static void test_widths(void)
{
	struct nt_record record = widest();
	unsigned int width;

	CHECK_EQUAL(count_words(at_width(NULL, 132)), 13);
	CHECK_EQUAL(count_words(at_width(&record, 132)), 13);
	for (width = 93; width <= 200; width++) {
		CHECK(!strchr(at_width(NULL, width), '\n')[1]);
		CHECK(strlen(at_width(NULL, width)) <= width + 1);
		CHECK(strlen(at_width(&record, width)) <= width + 1);
	}
	/* The order in which columns drop out. */
	CHECK(strstr(at_width(NULL, 132), "SHAKE") && !strstr(at_width(NULL, 131), "SHAKE"));
	CHECK(strstr(at_width(NULL, 125), "RETR") && !strstr(at_width(NULL, 124), "RETR"));
	CHECK(strstr(at_width(NULL, 119), "GAPS") && !strstr(at_width(NULL, 118), "GAPS"));
	CHECK(strstr(at_width(NULL, 111), " R ") && !strstr(at_width(NULL, 110), " R "));
	CHECK(strstr(at_width(NULL, 109), "TIME") && !strstr(at_width(NULL, 108), "TIME"));
	CHECK_STRING(at_width(NULL, 100),
		     "    PID COMM            SRC                   DST                   OUTCOME     LASTED SRC-TX"
		     " DST-TX\n");
	CHECK(strstr(at_width(NULL, 100), "LASTED") && !strstr(at_width(NULL, 99), "LASTED"));
	CHECK_STRING(at_width(NULL, 93),
		     "    PID COMM            SRC                   DST                   OUTCOME     SRC-TX DST-TX\n");
}

static size_t longest_line(const char *lines)
{
	size_t longest = 0;

	while (*lines) {
		size_t length = strcspn(lines, "\n");

		longest = length > longest ? length : longest;
		lines += length + (lines[length] == '\n');
	}
	return longest;
}

/* A width below that of the columns that never drop out gives two lines for each record, down to 40 columns. */
static void test_narrow(void)
{
	const struct format_view list = { .width = 40, .lists = true };
	struct nt_record record = widest();
	unsigned int width;

	CHECK_STRING(at_width(NULL, 40), "SRC                   OUTCOME     LASTED\n"
					 "  DST                   COMM\n");
	CHECK_STRING(at_width(&record, 40), "255.255.255.255:65535 refused:dst 23h59m\n"
					    "  255.255.255.255:65535 systemd-resolve\n");
	CHECK_STRING(at_width(NULL, 1), at_width(NULL, 40));
	for (width = 40; width < 93; width++) {
		CHECK(longest_line(at_width(NULL, width)) <= width);
		CHECK(longest_line(at_width(&record, width)) <= width);
	}
	CHECK(strstr(at_width(NULL, 47), "PID") && !strstr(at_width(NULL, 46), "PID"));
	CHECK(strstr(at_width(NULL, 54), "SRC-TX DST-TX\n") && !strstr(at_width(NULL, 53), "-TX"));
	CHECK_STRING(at_width(NULL, 80), "SRC                   OUTCOME     LASTED  SHAKE SRC-TX DST-TX  RETR\n"
					 "  DST                   COMM                PID TIME     GAPS\n");
	CHECK_STRING(at_width(&record, 80), "255.255.255.255:65535 refused:dst 23h59m 12.3ms   115G   115G   1/2\n"
					    "  255.255.255.255:65535 systemd-resolve 4194304 22:13:21 SOPB\n");
	CHECK_STRING(shown(NULL, &list), "SRC                   STATE          AGE\n"
					 "  DST                   COMM\n");
	record = sample_record();
	CHECK_STRING(shown(&record, &list), "198.18.0.1:34855      fin_wait2    1.50s\n"
					    "  198.18.0.2:80         nginx\n");
}

/* On a terminal a name of any bytes stays within its column. */
static void test_long_comm(void)
{
	struct nt_record record = sample_record();

	memcpy(record.comm, "a\033[2Jb\nc\\defghi", 16);
	CHECK(strstr(at_width(&record, 132), " a\\x1b[2Jb\\x0ac~ S ") != NULL);
	CHECK(strstr(at_width(&record, 40), " a\\x1b[2Jb\\x0ac~\n") != NULL);
	CHECK(strstr(shown(&record, &no_terminal), " a\\x1b[2Jb\\x0ac\\x5cdefghi ") != NULL);
	memset(record.comm, 0xff, 16);
	CHECK(strstr(at_width(&record, 132), " \\xff\\xff\\xff~ ") != NULL);
}

static void test_ipv6_whole(void)
{
	struct nt_record record = sample_record();
	const char *line;
	unsigned int width;
	size_t place;

	memset(record.src_ip, 0x2f, sizeof(record.src_ip));
	memset(record.dst_ip, 0xfd, sizeof(record.dst_ip));
	line = at_width(&record, 132);
	CHECK(strstr(line, " [2f2f:2f2f:2f2f:2f2f:2f2f:2f2f:2f2f:2f2f]:34855 ") != NULL);
	CHECK(strstr(line, " [fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:80\n") != NULL);
	/* The next column stays below its heading. */
	place = strspn(strchr(line, '\n') + 1, " ");
	CHECK(!strncmp(at_width(NULL, 132) + place, "OUTCOME ", 8));
	for (width = 47; width <= 200; width++)
		CHECK(longest_line(at_width(&record, width)) <= width);
}

static void test_no_terminal(void)
{
	struct nt_record record = sample_record();

	CHECK_STRING(shown(NULL, &no_terminal),
		     "TIME                     EVENT  ROLE         PID COMM            SRC                   "
		     "DST                   OUTCOME     BY   DURATION_MS HANDSHAKE_MS  SRC_BYTES  DST_BYTES SRC_RETR "
		     "DST_RETR GAPS STATE         RTT_US LIMITED_BY\n");
	CHECK_STRING(shown(&record, &no_terminal),
		     "2023-11-14T22:13:21.501Z close  server      1234 nginx           198.18.0.1:34855      "
		     "198.18.0.2:80         reset       dst     1500.000        0.050         77 4294967297        1 "
		     "       2 -    fin_wait2         45 sndbuf\n");
	record.present = 0;
	record.gaps = NT_GAP_START | NT_GAP_BYTES_MOD_4G;
	CHECK_EQUAL(count_words(shown(&record, &no_terminal)), 19);
	CHECK(strstr(shown(&record, &no_terminal), " start+bytes_mod_4g ") != NULL);
	/* Pre-existing: the start is unknown, but the time of the record is known. */
	CHECK(!strncmp(shown(&record, &no_terminal), "2023-11-14T22:13:21.501Z ", 25));
	CHECK(!strncmp(at_width(&record, 132), "22:13:21 ", 9));
}

static const char *duration_at(__u64 ns)
{
	static char word[16];
	struct nt_record record = sample_record();
	char *line;

	record.duration_ns = ns;
	line = strstr(at_width(&record, 80), "reset:dst");
	sscanf(line, "%*s %15s", word);
	return word;
}

static void test_durations(void)
{
	CHECK_STRING(duration_at(0), "0ns");
	CHECK_STRING(duration_at(999), "999ns");
	CHECK_STRING(duration_at(1000), "1.00us");
	CHECK_STRING(duration_at(999499), "999us");
	CHECK_STRING(duration_at(999500), "1.00ms");
	CHECK_STRING(duration_at(12345678), "12.3ms");
	CHECK_STRING(duration_at(59900000000), "59.9s");
	CHECK_STRING(duration_at(59960000000), "1m00s");
	CHECK_STRING(duration_at(3599400000000), "59m59s");
	CHECK_STRING(duration_at(3599500000000), "1h00m");
	CHECK_STRING(duration_at(86400000000000), "1d00h");
	CHECK_STRING(duration_at(8640000000000000), "100d");
	CHECK(strlen(duration_at(~0ULL)) <= 8);
}

/* The columns that ss shows too: state, round-trip time, retransmits. */
static void test_list(void)
{
	const struct format_view list = { .width = 132, .lists = true };
	struct nt_record record = sample_record();

	record.event = NT_EVENT_OPEN;
	CHECK_STRING(
		shown(NULL, &list),
		"    PID COMM            R SRC                   DST                   STATE          AGE SRC-TX DST-TX "
		"   RTT  RETR LIMITED  GAPS\n");
	CHECK_STRING(
		shown(&record, &list),
		"   1234 nginx           S 198.18.0.1:34855      198.18.0.2:80         fin_wait2    1.50s     77  4.00G "
		"45.0us   1/2 sndbuf   -\n");
	record.present = 0;
	CHECK_STRING(
		shown(&record, &list),
		"      - -               S 198.18.0.1:34855      198.18.0.2:80         -                -      -      - "
		"     -   -/- -        -\n");
}

/* A comm is up to 15 bytes of any value; the line always has 19 printable words. */
static void test_hostile_comm(void)
{
	struct nt_record record = sample_record();
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		const char *line, *end;
		int clean = 1;

		memset(record.comm, (int)byte, sizeof(record.comm));
		line = shown(&record, &no_terminal);
		end = strchr(line, '\n');
		CHECK(end && !end[1]);
		for (; line < end; line++)
			clean &= *line >= 0x20 && *line < 0x7f;
		CHECK(clean);
		CHECK_EQUAL(count_words(shown(&record, &no_terminal)), 19);
	}
}

static void test_colour(void)
{
	const struct format_view view = { .width = 132, .colour = true };
	struct nt_record record = sample_record();

	CHECK(strstr(shown(&record, &view), " \033[31mreset:dst\033[0m ") != NULL);
	CHECK(!strchr(at_width(&record, 132), '\033'));
	record.outcome = NT_OUTCOME_CLOSED;
	CHECK(!strchr(shown(&record, &view), '\033'));
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	test_terminal();
	test_open();
	test_widths();
	test_narrow();
	test_long_comm();
	test_ipv6_whole();
	test_no_terminal();
	test_durations();
	test_list();
	test_hostile_comm();
	test_colour();
	return check_finish();
}
