// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs Zeek's rules on arbitrary packets between two sides, and checks the records.
 *
 * Input: a sequence of struct connection_input, as of fuzz_connection.
 */
#include "tests/fuzz/fuzz.h"

#include "src/zeek/zeek_table.h"

#include "src/zeek/zeek_step.h"
#include "src/zeek/zeek_record.h"
#include "tests/fuzz/connection_input.h"

#define SLOW 200 /* `milliseconds` from this value on count as seconds */

static struct nt_packet packet_of(const struct connection_input *input, int self)
{
	struct nt_packet packet = packet_of_input(input, self);

	packet.network_length = 40 + input->payload_length;
	packet.window = input->segments;
	return packet;
}

static __u32 marks_of(const struct connection_input *input)
{
	return (input->bits & CONNECTION_FRAGMENT ? NT_ZEEK_CUT_PAYLOAD : 0) |
	       (input->bits & CONNECTION_LEAVING ? NT_ZEEK_BAD_CHECKSUM : 0) |
	       (input->bits & CONNECTION_SECOND_INTERFACE ? NT_ZEEK_BAD_HEADER : 0);
}

/* Checks that the waiting blocks are in order and do not overlap, and that their sum is right. */
static void check_stream(const struct nt_zeek_stream *stream)
{
	__u64 held = 0, end = 0;
	__u32 i;

	MUST(stream->first <= stream->end && stream->end <= stream->room);
	MUST(stream->room <= NT_ZEEK_MOST_BLOCKS);
	for (i = stream->first; i < stream->end; i++) {
		MUST(stream->blocks[i].begin >= end && stream->blocks[i].begin < stream->blocks[i].end);
		end = stream->blocks[i].end;
		held += stream->blocks[i].end - stream->blocks[i].begin;
	}
	MUST(held == stream->held && held <= NT_ZEEK_MOST_HELD);
}

static void check_connection(const struct nt_zeek_connection *connection)
{
	const char *letter = connection->history.text;

	MUST(connection->orig <= 1 && connection->first_fin <= 2);
	MUST(connection->endpoint[0].state <= NT_ENDPOINT_RESET && connection->endpoint[1].state <= NT_ENDPOINT_RESET);
	for (; letter && *letter; letter++)
		MUST(strchr("SHFRIQADCTWG^shfriqadctwg", *letter));
	check_stream(&connection->endpoint[0].stream);
	check_stream(&connection->endpoint[1].stream);
	/* A timer is always set, so each connection is removed at last. */
	MUST(nt_zeek_next_timer(connection));
}

static void check_records(const struct zeek_entry *entry)
{
	struct text_buffer text = {};
	struct nt_record record;
	int at_end;

	for (at_end = 0; at_end <= 1; at_end++) {
		record_fill_from_zeek(&record, entry, at_end ? NT_WIRE_EXIT : NT_WIRE_ENDED);
		fuzz_check_record(&record);
	}
	conn_log_format.record(&text, &record, NULL);
	MUST(text.bytes[text.used - 1] == '\n' && !memchr(text.bytes, '\n', text.used - 1));
	text_free(&text);
}

static struct zeek_entry *end_entry(struct zeek_table *table, struct zeek_entry *entry)
{
	check_records(entry);
	zeek_table_remove(table, entry);
	return NULL;
}

static struct zeek_entry *run_timers(struct zeek_table *table, struct zeek_entry *entry, __u64 clock)
{
	while (entry && entry->due <= clock) {
		if (nt_zeek_timer(&entry->connection, clock))
			return end_entry(table, entry);
		zeek_table_schedule(table, entry);
	}
	return entry;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = { data, size };
	struct zeek_table *table = zeek_table_new(~0ULL >> 1);
	struct zeek_entry *entry = NULL;
	struct connection_input one;
	__u64 now = 1000 * NS_PER_MS, clock = now;
	int self = size > 1 && data[1] & CONNECTION_SELF;

	MUST(table);
	while (input.size) {
		struct nt_packet packet;
		struct nt_key key;
		int source;

		fuzz_take(&input, &one, sizeof(one));
		packet = packet_of(&one, self);
		source = nt_key_from_packet(&key, &packet, 0);
		now += one.milliseconds * NS_PER_MS * (one.milliseconds >= SLOW ? 1000 : 1);
		if (one.bits & CONNECTION_BACK)
			now -= now > 300 * NS_PER_MS ? 300 * NS_PER_MS : 0;
		clock = now > clock ? now : clock;
		entry = run_timers(table, entry, clock);
		MUST(entry == zeek_table_find(table, &key));
		if (entry && nt_zeek_is_reuse(&entry->connection, &packet))
			entry = end_entry(table, entry);
		if (!entry) {
			entry = zeek_table_add(table, &key);
			nt_zeek_begin(&entry->connection, &packet, source, nt_key_is_self(&key), now, clock);
		}
		nt_zeek_take(&entry->connection, &packet, source, marks_of(&one), now);
		zeek_table_schedule(table, entry);
		check_connection(&entry->connection);
	}
	if (entry)
		check_records(entry);
	zeek_table_free(table);
	return 0;
}
