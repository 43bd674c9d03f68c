// SPDX-License-Identifier: GPL-2.0-or-later
/* A record that is written into a history and read back is the same, in every member and in every format. */
#include "src/output/format.h"
#include "tests/unit/history_files.h"

static void write_one(const struct nt_record *record)
{
	struct history_options options = test_options(test_folder);
	struct history_queue queue = { .most_bytes = 64 << 20 };
	const __u64 lost[ACCOUNTING_LOSSES] = { 0 };
	struct history_block *batch;
	struct history_store store;

	make_test_folder();
	CHECK_EQUAL(history_queue_add(&queue, record), HISTORY_ADDED);
	batch = history_queue_take(&queue);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), 0);
	CHECK_EQUAL(history_store_write(&store, batch, NOON_NS, lost), 0);
	CHECK_EQUAL(history_store_finish(&store, NOON_NS), 0);
	history_store_close(&store);
	history_queue_release(&queue, batch);
	history_queue_free(&queue);
}

static struct history_reader *read_one(struct nt_record *record, const struct history_columns *wanted)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL, .wanted = wanted };
	struct history_reader *reader;

	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_select(reader, &all), 0);
	CHECK_EQUAL(history_reader_next(reader, record), 1);
	CHECK_EQUAL(history_reader_seq(reader), 1);
	return reader;
}

static void format_line(struct text_buffer *text, const struct nt_record *record)
{
	const struct format_view view = { 0 };

	text->used = 0;
	format_json.record(text, record, &view);
	text_char(text, '\0');
}

static void expect_same(const struct nt_record *record)
{
	struct text_buffer expected = { 0 }, actual = { 0 };
	struct history_reader *reader;
	struct nt_record back, more;

	write_one(record);
	reader = read_one(&back, NULL);
	format_line(&expected, record);
	format_line(&actual, &back);
	CHECK_STRING(actual.bytes, expected.bytes);
	CHECK_EQUAL(back.present, record->present);
	CHECK_EQUAL(history_reader_next(reader, &more), 0);
	history_reader_close(reader);
	text_free(&expected);
	text_free(&actual);
	remove_test_folder();
}

/* Sets all that a record of a connection may have. */
static struct nt_record whole_record(void)
{
	struct nt_record record = sample_record();
	unsigned int i;

	record.present = 0;
	record.last_request_ns = 123456789;
	record.last_response_ns = 234567891;
	for (i = 0; i < record_field_count; i++)
		if (record_fields[i].present >= 0 && record_field_is_of_connections(&record_fields[i]))
			nt_record_set(&record, record_fields[i].present);
	return record;
}

static void test_every_field(void)
{
	struct nt_record record = whole_record();

	expect_same(&record);
	record.event = NT_EVENT_UPDATE;
	record.state = 4;
	record.limited_by = NT_LIMITED_IDLE;
	record.gaps = NT_GAP_START | NT_GAP_EVENTS | NT_GAP_VALUE_RANGE;
	record.seen = NT_SEEN_WIRE | NT_SEEN_PACKETS | NT_SEEN_SOCKET | NT_SEEN_CALLS;
	expect_same(&record);
}

static void test_each_field_alone(void)
{
	struct nt_record record = whole_record();
	__u64 all = record.present;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (!(all & NT_PRESENT(bit)))
			continue;
		record.present = NT_PRESENT(bit);
		expect_same(&record);
	}
}

static void test_no_field(void)
{
	struct nt_record record = whole_record();

	record.present = 0;
	record.exe = record.cgroup = record.host = record.netns_name = (const char *)1; /* never read */
	expect_same(&record);
}

static void test_extreme_values(void)
{
	struct nt_record record = whole_record();

	record.syn_synack_ns = -5;
	record.handshake_ns = -(1LL << 62);
	record.duration_ns = ~0ULL;
	record.bytes[NT_SRC] = 1ULL << 63;
	record.src_port = record.dst_port = 65535;
	record.pid = record.uid = record.netns = ~0U;
	record.end_ns = 4102444800999999999; /* 2100 */
	record.start_ns = 1;
	expect_same(&record);
	record.bytes[NT_SRC] = record.src_port = record.pid = record.uid = 0;
	expect_same(&record);
}

static void test_ipv6(void)
{
	static const __u8 address[16] = { 0xfd, [15] = 7 }, none[16] = { 0 };
	struct nt_record record = whole_record();

	memcpy(record.src_ip, address, sizeof(address));
	memcpy(record.dst_ip, none, sizeof(none));
	memcpy(record.wire_src_ip, none, sizeof(none));
	memcpy(record.wire_dst_ip, address, sizeof(address));
	expect_same(&record);
}

static void test_hostile_text(void)
{
	struct nt_record record = whole_record();

	memcpy(record.comm, "\x1b]0;x\x07\n\\x41\xff'\"zz", sizeof(record.comm));
	record.exe = "/tmp/\x80\xc3\xa4\xc2\x9b\\\\x5c;DROP TABLE conn;--";
	record.cgroup = "";
	record.netns_name = "\\";
	memset(record.ifname, 'i', sizeof(record.ifname)); /* full, without NUL */
	expect_same(&record);
}

static void test_long_history(void)
{
	char history[5000];
	struct nt_record record = whole_record();

	memset(history, 'D', sizeof(history) - 1);
	history[sizeof(history) - 1] = '\0';
	record.long_history = history;
	expect_same(&record);
}

static void test_other_ids(void)
{
	static const char *const ids[] = { "", "abc", "00112233445566AA", "ffffffffffffffff", "0000000000000000" };
	size_t i;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct nt_record record = whole_record();

		strcpy(record.id, ids[i]);
		expect_same(&record);
	}
}

/* A reader of one column gets that and no other. */
static void test_wanted_columns(void)
{
	struct history_columns wanted = { { 0 } };
	struct nt_record record = sample_record(), back;
	struct history_reader *reader;

	CHECK(history_columns_add(&wanted, "comm"));
	CHECK(history_columns_add(&wanted, "dst_port"));
	CHECK(history_columns_add(&wanted, "complete"));
	CHECK(!history_columns_add(&wanted, "no_such_key"));
	record.gaps = NT_GAP_OWNER;
	write_one(&record);
	reader = read_one(&back, &wanted);
	CHECK_EQUAL(back.present, NT_PRESENT(NT_HAS_COMM));
	CHECK_STRING(back.comm, "nginx");
	CHECK_EQUAL(back.dst_port, 80);
	CHECK_EQUAL(back.src_port, 0);
	CHECK_EQUAL(back.gaps, NT_GAP_OWNER);
	history_reader_close(reader);
	remove_test_folder();
}

/* Every key of the record can be wanted. */
static void test_all_keys(void)
{
	char key[FIELD_KEY_SIZE];
	unsigned int i;

	for (i = 0; record_field_name(i, key); i++) {
		struct history_columns wanted = { { 0 } };

		if (!record_field_is_of_connections(&record_fields[i]))
			continue;
		if (!CHECK(history_columns_add(&wanted, key)))
			printf("  %s\n", key);
	}
}

int main(void)
{
	test_every_field();
	test_each_field_alone();
	test_no_field();
	test_extreme_values();
	test_ipv6();
	test_hostile_text();
	test_long_history();
	test_other_ids();
	test_wanted_columns();
	test_all_keys();
	return check_finish();
}
