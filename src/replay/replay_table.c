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

/* Moves the following slots up where that brings them closer to their hash's place, so that no lookup stops too early.
 */
static void clear_slot(struct replay_table *table, const struct replay_entry *entry)
{
	__u32 freed = entry->hash & table->mask, at;

	while (table->slots[freed].index != entry->index)
		freed = (freed + 1) & table->mask;
	for (at = (freed + 1) & table->mask; table->slots[at].index != REPLAY_NO_ENTRY; at = (at + 1) & table->mask) {
		if (((at - table->slots[at].hash) & table->mask) < ((at - freed) & table->mask))
			continue;
		table->slots[freed] = table->slots[at];
		freed = at;
	}
	table->slots[freed].index = REPLAY_NO_ENTRY;
}

/* Keeps at least half of the slots free. Without memory for more, fills them except for one, which ends each lookup.
 * Returns false if only that one is free.
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

	/* The array of chunks grows by doubling. */
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

/* The oldest entries are removed in sequence, and each is read before. `next` was prefetched when its predecessor was
 * removed.
 */
static void prefetch_removal(const struct replay_table *table, const struct replay_entry *next)
{
	__builtin_prefetch(&table->slots[next->hash & table->mask]);
	if (next->newer)
		replay_entry_prefetch(next->newer);
}

void replay_table_remove(struct replay_table *table, struct replay_entry *entry)
{
	clear_slot(table, entry);
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
