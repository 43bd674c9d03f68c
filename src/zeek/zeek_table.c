// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/zeek/zeek_table.h"

#include <stdbool.h>
#include <stdlib.h>

#define FEWEST 1024
/* An entry also takes its places in the heap and in the map, which grow by doubling, and what malloc() adds for it and
 * for what it points to.
 */
#define ENTRY_OVERHEAD 96

struct zeek_table {
	struct hash_map by_key;
	struct zeek_entry **heap; /* binary heap by due time; the children of i are at 2 i + 1 and 2 i + 2 */
	size_t room, count;       /* entries of the heap */
	TAILQ_HEAD(zeek_list, zeek_entry) queues[ZEEK_QUEUES];
	__u64 most_bytes, bytes;
};

struct zeek_table *zeek_table_new(__u64 most_bytes)
{
	struct zeek_table *table = calloc(1, sizeof(*table));
	int queue;

	if (!table)
		return NULL;
	for (queue = 0; queue < ZEEK_QUEUES; queue++)
		TAILQ_INIT(&table->queues[queue]);
	table->most_bytes = most_bytes;
	table->room = FEWEST;
	table->heap = calloc(table->room, sizeof(*table->heap));
	if (!table->heap || !hash_map_init(&table->by_key)) {
		zeek_table_free(table);
		return NULL;
	}
	return table;
}

void zeek_table_free(struct zeek_table *table)
{
	if (!table)
		return;
	while (table->count)
		zeek_table_remove(table, table->heap[table->count - 1]);
	hash_map_free(&table->by_key);
	free(table->heap);
	free(table);
}

static __u64 hash_key(const struct zeek_table *table, const struct nt_key *key)
{
	return hash_map_hash(&table->by_key, key, sizeof(*key));
}

struct zeek_entry *zeek_table_find(struct zeek_table *table, const struct nt_key *key)
{
	struct hash_node *node;

	for (node = hash_map_first(&table->by_key, hash_key(table, key)); node; node = hash_map_next(node)) {
		struct zeek_entry *entry = hash_map_entry(node, struct zeek_entry, in_map);

		if (nt_key_equals(&entry->key, key))
			return entry;
	}
	return NULL;
}

static bool grow_heap(struct zeek_table *table)
{
	size_t room = table->room * 2;
	struct zeek_entry **heap;

	if (table->count < table->room)
		return true;
	heap = realloc(table->heap, room * sizeof(*heap));
	if (!heap)
		return false;
	table->heap = heap;
	table->room = room;
	return true;
}

static void place_entry(struct zeek_table *table, struct zeek_entry *entry, size_t place)
{
	table->heap[place] = entry;
	entry->place = place;
}

static void sift_up(struct zeek_table *table, struct zeek_entry *entry)
{
	size_t place = entry->place;

	while (place && table->heap[(place - 1) / 2]->due > entry->due) {
		place_entry(table, table->heap[(place - 1) / 2], place);
		place = (place - 1) / 2;
	}
	place_entry(table, entry, place);
}

static void sift_down(struct zeek_table *table, struct zeek_entry *entry)
{
	size_t place = entry->place, child;

	for (; (child = 2 * place + 1) < table->count; place = child) {
		if (child + 1 < table->count && table->heap[child + 1]->due < table->heap[child]->due)
			child++;
		if (table->heap[child]->due >= entry->due)
			break;
		place_entry(table, table->heap[child], place);
	}
	place_entry(table, entry, place);
}

struct zeek_entry *zeek_table_add(struct zeek_table *table, const struct nt_key *key)
{
	struct zeek_entry *entry = calloc(1, sizeof(*entry));

	if (!entry || !grow_heap(table)) {
		free(entry);
		return NULL;
	}
	entry->key = *key;
	entry->bytes = sizeof(*entry) + ENTRY_OVERHEAD;
	table->bytes += entry->bytes;
	entry->queue = ZEEK_ATTEMPTS;
	TAILQ_INSERT_TAIL(&table->queues[entry->queue], entry, in_queue);
	hash_map_insert(&table->by_key, &entry->in_map, hash_key(table, key));
	place_entry(table, entry, table->count++);
	sift_up(table, entry);
	return entry;
}

void zeek_table_schedule(struct zeek_table *table, struct zeek_entry *entry)
{
	__u64 due = nt_zeek_next_timer(&entry->connection);

	if (due == entry->due)
		return;
	entry->due = due;
	sift_up(table, entry);
	sift_down(table, entry);
}

void zeek_table_remove(struct zeek_table *table, struct zeek_entry *entry)
{
	struct zeek_entry *last = table->heap[--table->count];

	hash_map_remove(&table->by_key, &entry->in_map);
	TAILQ_REMOVE(&table->queues[entry->queue], entry, in_queue);
	table->bytes -= entry->bytes;
	if (last != entry) {
		place_entry(table, last, entry->place);
		sift_up(table, last);
		sift_down(table, last);
	}
	free(entry->connection.history.text);
	free(entry->connection.endpoint[0].stream.blocks);
	free(entry->connection.endpoint[1].stream.blocks);
	free(entry);
}

static enum zeek_queue zeek_queue_of(const struct nt_zeek_connection *connection)
{
	if (nt_zeek_is_attempt(connection))
		return ZEEK_ATTEMPTS;
	return connection->active ? ZEEK_OTHERS : ZEEK_ENDED;
}

static size_t count_bytes(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_stream *first = &connection->endpoint[0].stream, *second = &connection->endpoint[1].stream;

	return sizeof(struct zeek_entry) + ENTRY_OVERHEAD + connection->history.room +
	       ((size_t)first->room + second->room) * sizeof(*first->blocks);
}

void zeek_table_update(struct zeek_table *table, struct zeek_entry *entry)
{
	TAILQ_REMOVE(&table->queues[entry->queue], entry, in_queue);
	entry->queue = zeek_queue_of(&entry->connection);
	TAILQ_INSERT_TAIL(&table->queues[entry->queue], entry, in_queue);
	table->bytes -= entry->bytes;
	entry->bytes = count_bytes(&entry->connection);
	table->bytes += entry->bytes;
}

struct zeek_entry *zeek_table_excess(const struct zeek_table *table)
{
	int queue;

	if (table->bytes + sizeof(struct zeek_entry) + ENTRY_OVERHEAD <= table->most_bytes)
		return NULL;
	for (queue = 0; queue < ZEEK_QUEUES; queue++)
		if (!TAILQ_EMPTY(&table->queues[queue]))
			return TAILQ_FIRST(&table->queues[queue]);
	return NULL;
}

struct zeek_entry *zeek_table_first(const struct zeek_table *table)
{
	return table->count ? table->heap[0] : NULL;
}
