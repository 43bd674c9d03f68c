// SPDX-License-Identifier: GPL-2.0-or-later
/* Text output: columns by width, chosen columns, dates, and lines that no string can break. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/output/format.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static const struct format_view pipe_view = { .width = 132 };

static const char *shown(const struct nt_record *record, const struct format_view *view)
{
	static char result[2048];
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
	const struct format_view view = { .width = width, .wraps = true };

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

	CHECK_STRING(
		at_width(NULL, 132),
		"TIME         PID COMM       ROLE    SRC                   DST                   OUTCOME HANDSHAKE "
		"LASTED SENT RECEIVED RETRANS GAPS\n");
	CHECK_STRING(
		at_width(&record, 132),
		"22:13:21    1234 nginx      server  198.18.0.1:34855      198.18.0.2:80         reset:dst  50.0us  "
		"1.50s  4.00G     77     2/1 -\n");
	CHECK_STRING(shown(&record, &pipe_view), at_width(&record, 132));
	record.gaps = NT_GAP_OWNER;
	CHECK(strstr(at_width(&record, 132), " owner\n") != NULL);
	record.gaps = NT_GAP_OWNER | NT_GAP_START;
	CHECK(strstr(at_width(&record, 132), " SO\n") != NULL);
	CHECK(strstr(at_width(&record, 160), " start+owner\n") != NULL);
}

static void test_wide(void)
{
	struct nt_record record = sample_record();

	CHECK_STRING(at_width(NULL, 187),
		     "TIME         PID COMM            ROLE    SRC                   DST                   OUTCOME "
		     "HANDSHAKE LASTED SENT RECEIVED RETRANS    RTT NETNS      CONTAINER    REASON             GAPS\n");
	CHECK_STRING(at_width(&record, 187),
		     "22:13:21    1234 nginx           server  198.18.0.1:34855      198.18.0.2:80         reset:dst  "
		     "50.0us  1.50s  4.00G     77     2/1 45.0us blue       abc          tcp_abort_on_close -\n");
	CHECK(strstr(at_width(&record, 160), " tcp_abort_~ -\n") != NULL);
	memset(record.container, 'f', 64);
	CHECK(strstr(at_width(&record, 187), " blue       ffffffffffff tcp_") != NULL);
}

/* Sent and received are those of the local side: SRC's of a client and of an observer, DST's of a server. */
static void test_sides(void)
{
	struct nt_record record = sample_record();

	record.role = NT_ROLE_CLIENT;
	CHECK(strstr(at_width(&record, 132), " client ") != NULL);
	CHECK(strstr(at_width(&record, 132), "     77  4.00G     1/2 ") != NULL);
	record.role = NT_ROLE_OBSERVER;
	CHECK(strstr(at_width(&record, 132), " packets 198.18.0.1:34855 ") != NULL);
	CHECK(strstr(at_width(&record, 132), "     77  4.00G     1/2 ") != NULL);
	CHECK(strstr(at_width(&record, 96), " P 198.18.0.1:34855 ") != NULL);
	nt_record_unset(&record, NT_HAS_DST_BYTES);
	nt_record_unset(&record, NT_HAS_DST_RETRANSMITS);
	CHECK(strstr(at_width(&record, 132), "     77      -     1/- ") != NULL);
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

static void check_needed_width(const char *heading, unsigned int width)
{
	char between[32];

	snprintf(between, sizeof(between), " %s", heading);
	CHECK(strstr(at_width(NULL, width), between) && !strstr(at_width(NULL, width - 1), between));
}

static void test_widths(void)
{
	struct nt_record record = widest();
	unsigned int width;

	CHECK_EQUAL(count_words(at_width(NULL, 132)), 13);
	CHECK_EQUAL(count_words(at_width(&record, 132)), 13);
	for (width = 91; width <= 200; width++) {
		CHECK(!strchr(at_width(NULL, width), '\n')[1]);
		CHECK(strlen(at_width(NULL, width)) <= width + 1);
		CHECK(longest_line(at_width(&record, width)) <= width);
	}
	/* The order in which columns drop out. */
	check_needed_width("CONTAINER", 175);
	check_needed_width("NETNS", 162);
	check_needed_width("REASON", 151);
	check_needed_width("RTT", 139);
	check_needed_width("GAPS", 132);
	check_needed_width("RETRANS", 126);
	check_needed_width("HANDSHAKE", 118);
	check_needed_width("SENT RECEIVED", 111);
	check_needed_width("ROLE", 97);
	CHECK_STRING(at_width(NULL, 100), "TIME         PID COMM       ROLE    SRC                   DST              "
					  "     OUTCOME    LASTED\n");
	CHECK_STRING(at_width(NULL, 91), "TIME         PID COMM       R SRC                   DST                   "
					 "OUTCOME    LASTED\n");
}

/* A width below that of the columns that never drop out gives two lines for each record, down to 40 columns. */
static void test_narrow(void)
{
	const struct format_view list = { .width = 40, .rows = ROWS_OPEN };
	struct nt_record record = widest();
	unsigned int width;

	CHECK_STRING(at_width(NULL, 40), "SRC                   OUTCOME    LASTED\n"
					 "  DST                   COMM\n");
	CHECK_STRING(at_width(&record, 40), "255.255.255.255:65535 refused:dst 23h59m\n"
					    "  255.255.255.255:65535 systemd-resolve\n");
	CHECK_STRING(at_width(NULL, 1), at_width(NULL, 40));
	for (width = 40; width < 91; width++) {
		CHECK(longest_line(at_width(NULL, width)) <= width);
		CHECK(longest_line(at_width(&record, width)) <= width);
	}
	CHECK(strstr(at_width(NULL, 47), "PID") && !strstr(at_width(NULL, 46), "PID"));
	CHECK(strstr(at_width(NULL, 53), "SENT RECEIVED\n") && !strstr(at_width(NULL, 52), "SENT"));
	CHECK_STRING(at_width(NULL, 80), "SRC                   OUTCOME HANDSHAKE LASTED SENT RECEIVED RETRANS\n"
					 "  DST                   COMM                PID TIME     ROLE    GAPS\n");
	CHECK_STRING(at_width(&record, 80), "255.255.255.255:65535 refused:dst 12.3ms 23h59m  115G   115G     2/1\n"
					    "  255.255.255.255:65535 systemd-resolve 4194304 22:13:21 server  SOPB\n");
	CHECK_STRING(shown(NULL, &list), "SRC                   STATE       SEND-Q\n"
					 "  DST                   COMM\n");
	record = sample_record();
	CHECK_STRING(shown(&record, &list), "198.18.0.1:34855      fin_wait2       25\n"
					    "  198.18.0.2:80         nginx\n");
}

/* On a terminal a name of any bytes stays within its column. */
static void test_long_comm(void)
{
	struct nt_record record = sample_record();

	memcpy(record.comm, "a\033[2Jb\nc\\defghi", 16);
	CHECK(strstr(at_width(&record, 132), " a\\x1b[2Jb\\x0ac~ server ") != NULL);
	CHECK(strstr(at_width(&record, 40), " a\\x1b[2Jb\\x0ac~\n") != NULL);
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

/* Into a file or pipe a record has one line, however long. */
static void test_not_wrapped(void)
{
	struct nt_record record = sample_record();
	const char *line;

	memset(record.src_ip, 0x2f, sizeof(record.src_ip));
	memset(record.dst_ip, 0xfd, sizeof(record.dst_ip));
	line = shown(&record, &pipe_view);
	CHECK(strstr(line, " [fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd:fdfd]:80 reset:dst 50.0us ") != NULL);
	CHECK(!strchr(line, '\n')[1]);
	CHECK_EQUAL(count_words(line), 13);
	record.present = 0; /* pre-existing: the start is unknown, but the time of the record is known */
	CHECK(!strncmp(shown(&record, &pipe_view), "22:13:21 ", 9));
}

/* Chooses columns by name. */
static struct column_choice choice_of(const char *const *names)
{
	struct column_choice choice = { 0 };
	char name[FIELD_KEY_SIZE];
	unsigned int index;

	for (; *names; names++) {
		for (index = 0; format_text.column_name(index, name) && strcmp(name, *names);)
			index++;
		CHECK(format_text.column_name(index, name));
		choice.index[choice.count++] = index;
	}
	return choice;
}

static void test_chosen(void)
{
	static const char *const names[] = { "pid",       "received", "rtt",      "rtt_us", "src_bytes", "start",
					     "handshake", "cgroup",   "complete", "gaps",   "seen",      NULL };
	const struct column_choice choice = choice_of(names);
	const struct format_view view = { .width = 40, .wraps = true, .chosen = &choice };
	struct nt_record record = sample_record();

	CHECK_STRING(shown(NULL, &view),
		     "    PID RECEIVED    RTT     RTT_US  SRC_BYTES START           HANDSHAKE CGROUP "
		     "         COMPLETE        GAPS  SEEN\n");
	CHECK_STRING(shown(&record, &view),
		     "   1234       77 45.0us         45         77 2023-11-14T22:13:20.001000000Z 50.0us "
		     "/system.slice/nginx.service true - wire+socket\n");
	record.present = 0;
	record.gaps = NT_GAP_START | NT_GAP_OWNER;
	CHECK_EQUAL(count_words(shown(&record, &view)), 11);
	CHECK(strstr(shown(&record, &view), " start+owner ") != NULL);
}

/* No value of the system breaks a chosen column. */
static void test_chosen_hostile(void)
{
	static const char *const names[] = { "exe", "host", "ifname", NULL };
	const struct column_choice choice = choice_of(names);
	const struct format_view view = { .width = 132, .chosen = &choice };
	struct nt_record record = sample_record();

	record.exe = "/a b\n\033[2J\\";
	record.host = "";
	memset(record.ifname, 0xff, 4);
	CHECK_STRING(shown(&record, &view), "/a\\x20b\\x0a\\x1b[2J\\x5c \"\"       \\xff\\xff\\xff\\xff\n");
}

static const char *date_before(__u64 time_ns, struct format_view *view)
{
	static char result[64];
	struct nt_record record = sample_record();
	struct text_buffer text = { 0 };

	record.end_ns = time_ns;
	format_text.before_record(&text, &record, view);
	snprintf(result, sizeof(result), "%.*s", (int)text.used, text.bytes ? text.bytes : "");
	text_free(&text);
	return result;
}

/* TZ is UTC here: the days begin at multiples of 86400 s. */
static void test_dates(void)
{
	static const char *const timeless[] = { "pid", NULL }, *const timed[] = { "pid", "time", NULL };
	const struct column_choice without = choice_of(timeless), with = choice_of(timed);
	struct format_view view = { .width = 132 }, narrow = { .width = 40 },
			   list = { .width = 132, .rows = ROWS_OPEN };
	struct format_view chosen = { .width = 132, .chosen = &with }, chosen_without = { .chosen = &without };
	const __u64 second = 1000000000, midnight = 1700006400 * second;

	CHECK_STRING(date_before(midnight - 1, &view), "-- 2023-11-14 --\n");
	CHECK_STRING(date_before(midnight - second, &view), "");
	CHECK_STRING(date_before(midnight, &view), "-- 2023-11-15 --\n");
	CHECK_STRING(date_before(midnight + 86399 * second, &view), "");
	CHECK_STRING(date_before(midnight + 86400 * second, &view), "-- 2023-11-16 --\n");
	CHECK_EQUAL(view.day, format_day(1700006400 + 86400));
	/* without TIME there is no need for a date */
	CHECK_STRING(date_before(midnight, &narrow), "");
	narrow.width = 56;
	CHECK_STRING(date_before(midnight, &narrow), "-- 2023-11-15 --\n");
	CHECK_STRING(date_before(midnight, &list), "");
	CHECK_STRING(date_before(midnight, &chosen), "-- 2023-11-15 --\n");
	CHECK_STRING(date_before(midnight, &chosen_without), "");
}

static const char *duration_at(__u64 ns)
{
	static char word[16];
	struct nt_record record = sample_record();
	char *line;

	record.duration_ns = ns;
	line = strstr(at_width(&record, 80), "reset:dst");
	sscanf(line, "%*s %*s %15s", word); /* after the handshake */
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
	const struct format_view list = { .width = 132, .rows = ROWS_OPEN }, wide = { .width = 195, .rows = ROWS_OPEN };
	struct format_view view = { .rows = ROWS_OPEN };
	struct nt_record record = sample_record();

	record.event = NT_EVENT_LISTED;
	/* SEND-Q is what ss shows: 12 bytes not sent and 13 not acknowledged */
	CHECK_STRING(shown(NULL, &list),
		     "    PID COMM       ROLE   SRC                   DST                   STATE       RECV-Q "
		     "SEND-Q    AGE SENT RECEIVED    RTT RETRANS\n");
	CHECK_STRING(shown(&record, &list),
		     "   1234 nginx      server 198.18.0.1:34855      198.18.0.2:80         fin_wait2       "
		     "11     25  1.50s  4.00G     77 45.0us     2/1\n");
	CHECK_STRING(shown(NULL, &wide),
		     "    PID COMM            ROLE   SRC                   DST                   STATE    "
		     "STATE-AGE RECV-Q SEND-Q    AGE SENT RECEIVED    RTT RETRANS LIMITED  UNACKED CWND NETNS      "
		     "CONTAINER    GAPS\n");
	CHECK(strstr(shown(&record, &wide), " fin_wait2   9.00us     11     25  1.50s ") != NULL);
	CHECK(strstr(shown(&record, &wide), " sndbuf        13   10 ") != NULL);
	record.netns_name = "blue sky";
	CHECK(strstr(shown(&record, &wide), " blue\\x20sky abc ") != NULL);
	nt_record_unset(&record, NT_HAS_NETNS_NAME);
	CHECK(strstr(shown(&record, &wide), " 4026531840 abc ") != NULL);
	record.present = 0;
	CHECK_STRING(shown(&record, &list),
		     "      - -          server 198.18.0.1:34855      198.18.0.2:80         -                "
		     "-      -      -      -      -      -     -/-\n");
	record = widest();
	for (view.width = 40; view.width <= 200; view.width++) {
		view.wraps = true;
		CHECK(longest_line(shown(&record, &view)) <= view.width);
		CHECK(longest_line(shown(NULL, &view)) <= view.width);
	}
}

/* The addresses are written as ss writes them. */
static void test_listeners(void)
{
	static const struct column_choice of_connections = { .count = 4, .index = { 3, 4, 6, 12 } };
	const struct format_view list = { .width = 132, .rows = ROWS_LISTENERS };
	const struct format_view chosen = { .rows = ROWS_LISTENERS, .chosen = &of_connections };
	struct format_view view = { .rows = ROWS_LISTENERS, .wraps = true };
	struct nt_record record = sample_listener();

	CHECK_STRING(shown(NULL, &list), "    PID COMM            LOCAL                 BACKLOG   MAX  DROPS    UID "
					 "NETNS      CONTAINER\n");
	CHECK_STRING(shown(&record, &list), "   1234 nginx           *:80                      512   511     70     33 "
					    "blue       abc\n");
	CHECK_STRING(shown(NULL, &chosen), "ROLE    SRC                   OUTCOME    RETRANS\n");
	CHECK_STRING(shown(&record, &chosen), "-       -                     -              -/-\n");
	record.dual_stack = 0;
	CHECK(strstr(shown(&record, &list), " [::]:80 ") != NULL);
	nt_record_set(&record, NT_HAS_IFNAME);
	CHECK(strstr(shown(&record, &list), " [::]%eth0:80 ") != NULL);
	nt_record_unset(&record, NT_HAS_DUAL_STACK);
	memcpy(record.dst_ip, sample_dst_ipv4, sizeof(record.dst_ip));
	CHECK(strstr(shown(&record, &list), " 198.18.0.2%eth0:80 ") != NULL);
	memcpy(record.ifname, "a b\033[2J", 8);
	CHECK(strstr(shown(&record, &list), " 198.18.0.2%a\\x20b\\x1b[2J:80 ") != NULL);
	record.present = 0;
	CHECK_STRING(shown(&record, &list), "      - -               198.18.0.2:80               -     -      -      - "
					    "-          -\n");
	record = sample_listener();
	memcpy(record.dst_ip, widest().dst_ip, sizeof(record.dst_ip));
	memcpy(record.comm, "systemd-resolve", 16);
	record.dst_port = 65535;
	record.pid = 4194304;
	nt_record_unset(&record, NT_HAS_DUAL_STACK);
	for (view.width = 40; view.width <= 132; view.width++) {
		CHECK(longest_line(shown(&record, &view)) <= view.width);
		CHECK(longest_line(shown(NULL, &view)) <= view.width);
	}
}

/* `LOCAL` of a connection. */
static void test_local(void)
{
	struct column_choice choice = { .count = 1 };
	const struct format_view view = { .chosen = &choice };
	struct nt_record record = sample_record();
	char name[FIELD_KEY_SIZE];

	while (format_text.column_name(choice.index[0], name) && strcmp(name, "local"))
		choice.index[0]++;
	CHECK_STRING(shown(&record, &view), "198.18.0.2:80\n");
	record.role = NT_ROLE_CLIENT;
	CHECK_STRING(shown(&record, &view), "198.18.0.1:34855\n");
}

/* A comm is up to 15 bytes of any value; the line always has 13 printable words. */
static void test_hostile_comm(void)
{
	struct nt_record record = sample_record();
	unsigned int byte;

	for (byte = 0; byte < 256; byte++) {
		const char *line, *end;
		int clean = 1;

		memset(record.comm, (int)byte, sizeof(record.comm));
		line = shown(&record, &pipe_view);
		end = strchr(line, '\n');
		CHECK(end && !end[1]);
		for (; line < end; line++)
			clean &= *line >= 0x20 && *line < 0x7f;
		CHECK(clean);
		CHECK_EQUAL(count_words(shown(&record, &pipe_view)), 13);
	}
}

static enum look_up_result name_of_dst(void *context, const unsigned char address[16], char *name, size_t size)
{
	(void)context;
	snprintf(name, size, "db.example");
	return memcmp(address, sample_dst_ipv4, 16) ? LOOK_UP_NO_NAME : LOOK_UP_FOUND;
}

static __u64 never_later(void *context)
{
	(void)context;
	return 0;
}

static void test_names_of_addresses(void)
{
	const struct resolver_host host = { .look_up = name_of_dst, .now_ns = never_later };
	struct format_view view = { .width = 132, .names = resolver_new(&host) };
	struct nt_record record = sample_record();

	resolver_await(view.names, record.dst_ip);
	CHECK_STRING(shown(NULL, &view),
		     "TIME         PID COMM       ROLE    SRC                          DST          "
		     "                OUTCOME HANDSHAKE LASTED SENT RECEIVED RETRANS GAPS\n");
	CHECK_STRING(shown(&record, &view),
		     "22:13:21    1234 nginx      server  198.18.0.1:34855             db.example:80                "
		     "reset:dst  50.0us  1.50s  4.00G     77     2/1 -\n");
	view.wraps = true;
	CHECK_STRING(shown(NULL, &view),
		     "TIME         PID COMM       ROLE    SRC                          DST          "
		     "                OUTCOME HANDSHAKE LASTED SENT RECEIVED\n");
	view.width = 80;
	CHECK_STRING(shown(&record, &view), "198.18.0.1:34855      reset:dst  50.0us  1.50s  4.00G     77     2/1\n"
					    "  db.example:80         nginx              1234 22:13:21 server  -\n");
	resolver_free(view.names);
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

/* A queue is full if it has more than its limit: sk_acceptq_is_full() of the kernel. */
static void test_colour_of_listeners(void)
{
	const struct format_view view = { .width = 132, .colour = true, .rows = ROWS_LISTENERS };
	struct nt_record record = sample_listener();

	CHECK(strstr(shown(&record, &view), " \033[31m512\033[0m ") != NULL);
	CHECK(strstr(shown(&record, &view), " \033[33m70\033[0m ") != NULL);
	record.backlog = 511;
	record.drops = 0;
	CHECK(!strchr(shown(&record, &view), '\033'));
}

int main(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	test_terminal();
	test_wide();
	test_sides();
	test_open();
	test_widths();
	test_narrow();
	test_long_comm();
	test_ipv6_whole();
	test_not_wrapped();
	test_chosen();
	test_chosen_hostile();
	test_dates();
	test_durations();
	test_list();
	test_listeners();
	test_local();
	test_hostile_comm();
	test_names_of_addresses();
	test_colour();
	test_colour_of_listeners();
	return check_finish();
}
