// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/replay_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FEWEST_SLOTS 1024

static struct replay_slot *new_slots(__u64 count)
{
	struct replay_slot *slots = malloc(count * sizeof(*slots));

	if (slots)
		memset(slots, 0xff, count * sizeof(*slots)); /* REPLAY_NO_ENTRY */
	return slots;
}

struct replay_table *replay_table_new(void)
{
	struct replay_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->mask = FEWEST_SLOTS - 1;
	table->slots = new_slots(FEWEST_SLOTS);
	if (!table->slots || getrandom(table->secret, sizeof(table->secret), 0) != sizeof(table->secret)) {
		replay_table_free(table);
		return NULL;
	}
	return table;
}

void replay_table_free(struct replay_table *table)
{
	__u32 i;
	int queue;

	if (!table)
		return;
	for (queue = 0; queue < REPLAY_QUEUES; queue++)
		while (table->queues[queue].oldest)
			replay_table_remove(table, table->queues[queue].oldest);
	for (i = 0; i < table->chunk_count; i++)
		free(table->chunks[i]);
	free(table->chunks);
	free(table->slots);
	free(table);
}

static void put_slot(struct replay_table *table, struct replay_slot slot)
{
	__u32 at = slot.hash & table->mask;

	while (table->slots[at].index != REPLAY_NO_ENTRY)
		at = (at + 1) & table->mask;
	table->slots[at] = slot;
}

/* What follows moves up where that brings it closer to its place, so that no search stops short of it. */
static void take_slot(struct replay_table *table, const struct replay_entry *entry)
{
	__u32 hole = entry->hash & table->mask, at;

	while (table->slots[hole].index != entry->index)
		hole = (hole + 1) & table->mask;
	for (at = (hole + 1) & table->mask; table->slots[at].index != REPLAY_NO_ENTRY; at = (at + 1) & table->mask) {
		if (((at - table->slots[at].hash) & table->mask) < ((at - hole) & table->mask))
			continue;
		table->slots[hole] = table->slots[at];
		hole = at;
	}
	table->slots[hole].index = REPLAY_NO_ENTRY;
}

/* At most half of the slots are taken. Without memory for more they fill up, down to one that ends every search.
 * False: not even that is left.
 */
static bool grow_slots(struct replay_table *table)
{
	__u64 count = (__u64)table->mask + 1, i;
	struct replay_slot *old = table->slots, *slots;

	if (table->count < count / 2)
		return true;
	slots = count <= REPLAY_NO_ENTRY / 2 ? new_slots(count * 2) : NULL;
	if (!slots)
		return table->count < count - 1;
	table->slots = slots;
	table->mask = (__u32)(count * 2 - 1);
	for (i = 0; i < count; i++)
		if (old[i].index != REPLAY_NO_ENTRY)
			put_slot(table, old[i]);
	free(old);
	return true;
}

static bool add_chunk(struct replay_table *table)
{
	struct replay_entry *chunk, **chunks;
	__u32 count = table->chunk_count, i;

	/* The list of them grows by doubling. */
	if (!(count & (count - 1))) {
		chunks = realloc(table->chunks, (count ? count * 2UL : 1) * sizeof(*chunks));
		if (!chunks)
			return false;
		table->chunks = chunks;
	}
	chunk = aligned_alloc(_Alignof(struct replay_entry), REPLAY_CHUNK_ENTRIES * sizeof(*chunk));
	if (!chunk)
		return false;
	table->chunks[table->chunk_count++] = chunk;
	for (i = REPLAY_CHUNK_ENTRIES; i-- > 0;) {
		chunk[i].index = count << REPLAY_CHUNK_BITS | i;
		chunk[i].newer = table->free;
		table->free = &chunk[i];
	}
	return true;
}

static void enqueue(struct replay_table *table, struct replay_entry *entry, enum replay_queue to)
{
	struct replay_list *queue = &table->queues[to];

	entry->queue = to;
	entry->newer = NULL;
	entry->older = queue->newest;
	*(queue->newest ? &queue->newest->newer : &queue->oldest) = entry;
	queue->newest = entry;
	queue->count++;
}

static void dequeue(struct replay_table *table, struct replay_entry *entry)
{
	struct replay_list *queue = &table->queues[entry->queue];

	*(entry->older ? &entry->older->newer : &queue->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &queue->newest) = entry->older;
	queue->count--;
}

struct replay_entry *replay_table_add(struct replay_table *table, const struct nt_key *key, __u32 hash,
				      enum replay_queue queue)
{
	struct replay_entry *entry;

	if (!grow_slots(table) || (!table->free && !add_chunk(table)))
		return NULL;
	entry = table->free;
	table->free = entry->newer;
	entry->key = *key;
	entry->hash = hash;
	memset(entry->streams, 0, sizeof(entry->streams));
	put_slot(table, (struct replay_slot){ hash, entry->index });
	enqueue(table, entry, queue);
	table->count++;
	return entry;
}

/* The oldest go one after the other, and are looked at before: `next` was prefetched when the one before went. */
static void prefetch_removal(const struct replay_table *table, const struct replay_entry *next)
{
	__builtin_prefetch(&table->slots[next->hash & table->mask]);
	if (next->newer)
		replay_entry_prefetch(next->newer);
}

void replay_table_remove(struct replay_table *table, struct replay_entry *entry)
{
	take_slot(table, entry);
	dequeue(table, entry);
	if (entry->newer)
		prefetch_removal(table, entry->newer);
	table->count--;
	free(entry->streams[0].hole);
	free(entry->streams[1].hole);
	entry->newer = table->free;
	table->free = entry;
}

void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue)
{
	dequeue(table, entry);
	enqueue(table, entry, queue);
}
