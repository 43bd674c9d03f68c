// SPDX-License-Identifier: GPL-2.0-or-later
/* src/replay/replay_table.h against a model with a pointer for each of 5000 keys. */
#include "src/replay/replay_table.h"

#include <stdlib.h>

#include "tests/unit/check.h"

#define KEYS 5000
#define MOST_BYTES (64ULL << 20)

static struct replay_table *table;

static struct nt_key key_of(unsigned int number)
{
	struct nt_key key = { .netns = 0 };

	memset(key.address, 0xfd, sizeof(key.address));
	key.address[1][15] = (__u8)(number >> 8);
	key.port[0] = (__u16)number;
	key.port[1] = (__u16)(number % 3);
	return key;
}

static struct replay_entry *find(unsigned int number)
{
	struct nt_key key = key_of(number);

	return replay_table_find(table, &key, replay_table_hash(table, &key));
}

static struct replay_entry *add(unsigned int number, enum replay_queue queue)
{
	struct nt_key key = key_of(number);

	return replay_table_add(table, &key, replay_table_hash(table, &key), queue);
}

static void test_model(void)
{
	static struct replay_entry *expected[KEYS];
	unsigned int steps = 200000, count = 0, wrong = 0, number, i;

	srand(1);
	for (i = 0; i < steps; i++) {
		/* The first half fills the table, the second empties it. */
		number = (unsigned int)rand() % KEYS;
		wrong += find(number) != expected[number];
		if (expected[number] && (i >= steps / 2 || rand() % 4 == 0)) {
			replay_table_remove(table, expected[number]);
			expected[number] = NULL;
			count--;
		} else if (!expected[number] && i < steps / 2) {
			expected[number] = add(number, REPLAY_ESTABLISHED);
			count++;
		}
	}
	for (number = 0; number < KEYS; number++)
		wrong += find(number) != expected[number];
	CHECK_EQUAL(wrong, 0);
	CHECK_EQUAL(replay_table_count(table, REPLAY_ESTABLISHED), count);
	CHECK(count < KEYS / 10);
	while (replay_table_oldest(table, REPLAY_ESTABLISHED))
		replay_table_remove(table, replay_table_oldest(table, REPLAY_ESTABLISHED));
}

static void test_queues(void)
{
	struct replay_entry *first = add(1, REPLAY_HALF_OPEN), *second = add(2, REPLAY_HALF_OPEN);

	CHECK(replay_table_oldest(table, REPLAY_HALF_OPEN) == first);
	replay_table_move(table, first, REPLAY_HALF_OPEN);
	CHECK(replay_table_oldest(table, REPLAY_HALF_OPEN) == second);
	replay_table_move(table, second, REPLAY_ENDED);
	CHECK(replay_table_oldest(table, REPLAY_HALF_OPEN) == first);
	CHECK(replay_table_oldest(table, REPLAY_ENDED) == second);
	CHECK_EQUAL(replay_table_count(table, REPLAY_ENDED), 1);
	replay_table_remove(table, second);
	CHECK(!replay_table_oldest(table, REPLAY_ENDED));
	CHECK(find(1) == first && !find(2));
	replay_table_remove(table, first);
}

/* A reused entry is empty. */
static void test_streams(void)
{
	struct nt_packet packet = { .flags = NT_ACK, .payload_length = 10, .segments = 1 };
	const struct nt_place place = nt_place_at(1, 0, 0);
	struct replay_entry *entry = add(1, REPLAY_ESTABLISHED);
	struct growing_stream *stream = &entry->streams[1];
	struct nt_range hole;
	unsigned int i;

	for (i = 0; i < 2 * GROWING_STREAM_MOST_HOLES; i++) {
		packet.sequence = 20 * i;
		hole = growing_stream_step(stream, stream, &packet, &place);
		if (!stream->hole)
			replay_table_add_holes(table, stream);
		if (hole.start != hole.end)
			growing_stream_add_hole(stream, hole);
	}
	CHECK_EQUAL(stream->core.room, GROWING_STREAM_MOST_HOLES);
	CHECK_EQUAL(stream->core.bytes, 2 * GROWING_STREAM_MOST_HOLES * 10);
	CHECK(stream->core.flags & NT_STREAM_OVERFLOW);
	replay_table_remove(table, entry);
	entry = add(1, REPLAY_ESTABLISHED);
	CHECK(!entry->streams[1].hole && !entry->streams[1].core.packets);
	replay_table_remove(table, entry);
}

#define ORDERED 1000

static void test_order_of_established(void)
{
	struct replay_entry *entry, *older = NULL;
	unsigned int i, wrong = 0, count = 0;

	for (i = 0; i < ORDERED; i++)
		add(i, REPLAY_ESTABLISHED)->seen = i * 7 % 101;
	replay_table_order_established(table);
	for (entry = replay_table_oldest(table, REPLAY_ESTABLISHED); entry; entry = entry->newer) {
		wrong += entry->older != older || (older && older->seen > entry->seen);
		older = entry;
		count++;
	}
	CHECK_EQUAL(wrong, 0);
	CHECK_EQUAL(count, ORDERED);
	CHECK(table->queues[REPLAY_ESTABLISHED].newest == older);
	while ((entry = replay_table_oldest(table, REPLAY_ESTABLISHED)))
		replay_table_remove(table, entry);
	replay_table_order_established(table);
	CHECK(!replay_table_oldest(table, REPLAY_ESTABLISHED));
}

/* Entries and holes share the memory; removing an entry gives back both. */
static void test_limit(void)
{
	struct replay_table *limited = replay_table_new(REPLAY_FEWEST_BYTES);
	struct nt_key key = { .port = { 0, 80 } };
	struct replay_entry *entry = NULL;

	for (; !replay_table_is_full(limited); key.port[0]++)
		entry = replay_table_add(limited, &key, replay_table_hash(limited, &key), REPLAY_HALF_OPEN);
	CHECK(limited->count > 100 && limited->bytes <= REPLAY_FEWEST_BYTES);
	while (!replay_table_is_full_for_holes(limited) && !entry->streams[1].hole) {
		replay_table_add_holes(limited, &entry->streams[entry->streams[0].hole ? 1 : 0]);
		CHECK(limited->bytes <= REPLAY_FEWEST_BYTES);
	}
	replay_table_remove(limited, entry);
	CHECK(!replay_table_is_full(limited));
	replay_table_free(limited);
}

#define SECRETS 100
#define PORTS 16000

/* Returns the mean distance between an entry's slot and the slot of its hash. */
static double mean_distance(const struct replay_table *searched)
{
	__u64 sum = 0;
	__u32 at;

	for (at = 0; at <= searched->mask; at++)
		if (searched->slots[at].index != REPLAY_NO_ENTRY)
			sum += (at - searched->slots[at].hash) & searched->mask;
	return (double)sum / searched->count;
}

/* Consecutive ports fill long runs of slots under no secret. Half of the slots are taken, so 0.5 is expected. */
static void test_consecutive_ports(void)
{
	double longest = 0;
	unsigned int i;

	for (i = 0; i < SECRETS; i++) {
		struct replay_table *filled = replay_table_new(MOST_BYTES);
		struct nt_key key = { .port = { 0, 80 } };

		for (; key.port[0] < PORTS; key.port[0]++)
			replay_table_add(filled, &key, replay_table_hash(filled, &key), REPLAY_HALF_OPEN);
		CHECK_EQUAL(filled->count, PORTS);
		if (mean_distance(filled) > longest)
			longest = mean_distance(filled);
		replay_table_free(filled);
	}
	CHECK(longest < 1);
}

int main(void)
{
	table = replay_table_new(MOST_BYTES);
	CHECK(table != NULL);
	test_model();
	test_queues();
	test_streams();
	test_order_of_established();
	test_limit();
	test_consecutive_ports();
	replay_table_free(table);
	return check_finish();
}
