// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/replay_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FEWEST_SLOTS 1024
#define CHUNK_BYTES (REPLAY_CHUNK_ENTRIES * sizeof(struct replay_entry))
#define SORT_BINS 32 /* lists of 2^bin entries: enough for all indexes */

static struct replay_slot *new_slots(__u64 count)
{
	struct replay_slot *slots = malloc(count * sizeof(*slots));

	if (slots)
		memset(slots, 0xff, count * sizeof(*slots)); /* REPLAY_NO_ENTRY */
	return slots;
}

struct replay_table *replay_table_new(__u64 most_bytes)
{
	struct replay_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->most_bytes = most_bytes;
	table->bytes = FEWEST_SLOTS * sizeof(*table->slots);
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

	if (!table)
		return;
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

static __u64 count_slots(const struct replay_table *table)
{
	return (__u64)table->mask + 1;
}

static bool has_bytes(const struct replay_table *table, __u64 bytes)
{
	return table->bytes + bytes <= table->most_bytes;
}

/* While the slots are doubled, the old ones exist too. */
static bool is_within_limit_for_slots(const struct replay_table *table)
{
	return table->count < count_slots(table) / 2 ||
	       has_bytes(table, 2 * count_slots(table) * sizeof(*table->slots));
}

/* Keeps at least half of the slots free. Without memory for more, fills them except for one, which ends each lookup.
 * Returns false if only that one is free.
 */
static bool grow_slots(struct replay_table *table)
{
	__u64 count = count_slots(table), i;
	struct replay_slot *old = table->slots, *slots;

	if (table->count < count / 2)
		return true;
	slots = count <= REPLAY_NO_ENTRY / 2 ? new_slots(count * 2) : NULL;
	if (!slots)
		return table->count < count - 1;
	table->bytes += count * sizeof(*slots);
	table->slots = slots;
	table->mask = (__u32)(count * 2 - 1);
	for (i = 0; i < count; i++)
		if (old[i].index != REPLAY_NO_ENTRY)
			put_slot(table, old[i]);
	free(old);
	return true;
}

static void free_memory(struct replay_table *table, struct replay_entry *entry)
{
	entry->newer = table->free;
	table->free = entry;
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
	chunk = aligned_alloc(_Alignof(struct replay_entry), CHUNK_BYTES);
	if (!chunk)
		return false;
	table->bytes += CHUNK_BYTES;
	table->chunks[table->chunk_count++] = chunk;
	for (i = REPLAY_CHUNK_ENTRIES; i-- > 0;) {
		chunk[i].index = count << REPLAY_CHUNK_BITS | i;
		free_memory(table, &chunk[i]);
	}
	return true;
}

/* Returns NULL without memory. */
static struct replay_entry *take_memory(struct replay_table *table)
{
	struct replay_entry *entry;

	if (!table->free && !add_chunk(table))
		return NULL;
	entry = table->free;
	table->free = entry->newer;
	return entry;
}

bool replay_table_is_full_for_holes(const struct replay_table *table)
{
	return !table->free && !has_bytes(table, CHUNK_BYTES);
}

bool replay_table_is_full(const struct replay_table *table)
{
	return replay_table_is_full_for_holes(table) || !is_within_limit_for_slots(table);
}

void replay_table_add_holes(struct replay_table *table, struct growing_stream *stream)
{
	struct replay_holes *holes = (struct replay_holes *)take_memory(table);

	if (holes)
		stream->hole = holes->hole;
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
	struct replay_entry *entry = grow_slots(table) ? take_memory(table) : NULL;

	if (!entry)
		return NULL;
	entry->key = *key;
	entry->hash = hash;
	memset(entry->streams, 0, sizeof(entry->streams));
	memset(&entry->exchange, 0, sizeof(entry->exchange));
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

static void free_holes(struct replay_table *table, struct growing_stream *stream)
{
	void *hole = stream->hole;

	if (hole)
		free_memory(table, (void *)((char *)hole - offsetof(struct replay_holes, hole)));
}

void replay_table_remove(struct replay_table *table, struct replay_entry *entry)
{
	clear_slot(table, entry);
	dequeue(table, entry);
	if (entry->newer)
		prefetch_removal(table, entry->newer);
	table->count--;
	free_holes(table, &entry->streams[0]);
	free_holes(table, &entry->streams[1]);
	free_memory(table, entry);
}

void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue)
{
	dequeue(table, entry);
	enqueue(table, entry, queue);
}

/* Merges two lists in the order of their entries' last packets; `first` before `second` where these are equal. Uses only
 * `newer`.
 */
static struct replay_entry *merge_lists(struct replay_entry *first, struct replay_entry *second)
{
	struct replay_entry *merged = NULL, **end = &merged, **from;

	while (first && second) {
		from = second->seen < first->seen ? &second : &first;
		*end = *from;
		end = &(*from)->newer;
		*from = *end;
	}
	*end = first ? first : second;
	return merged;
}

/* A merge sort from below: needs no memory, and most of its merges are of entries that are near each other. */
static struct replay_entry *sort_list(struct replay_entry *list)
{
	struct replay_entry *bins[SORT_BINS] = {}, *run;
	int bin;

	while (list) {
		run = list;
		list = list->newer;
		run->newer = NULL;
		for (bin = 0; bin < SORT_BINS - 1 && bins[bin]; bin++) {
			run = merge_lists(bins[bin], run);
			bins[bin] = NULL;
		}
		bins[bin] = run;
	}
	for (run = NULL, bin = 0; bin < SORT_BINS; bin++)
		run = merge_lists(bins[bin], run);
	return run;
}

void replay_table_order_established(struct replay_table *table)
{
	struct replay_list *queue = &table->queues[REPLAY_ESTABLISHED];
	struct replay_entry *entry = sort_list(queue->oldest), *older = NULL;

	queue->oldest = entry;
	for (; entry; entry = entry->newer) {
		entry->older = older;
		older = entry;
	}
	queue->newest = older;
	table->orders_established = true;
}
