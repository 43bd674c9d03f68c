#include "src/zeek/zeek_table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FEWEST 1024

struct zeek_table {
	struct zeek_entry **buckets; /* `room` of them, a power of two */
	struct zeek_entry **heap;    /* no entry is due later than the two at twice its place plus 1 and plus 2 */
	size_t room, count;
	__u64 secret[2]; /* so that no capture can be made whose connections share a bucket */
};

struct zeek_table *zeek_table_new(void)
{
	struct zeek_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->room = FEWEST;
	table->buckets = calloc(table->room, sizeof(*table->buckets));
	table->heap = calloc(table->room, sizeof(*table->heap));
	if (!table->buckets || !table->heap ||
	    getrandom(table->secret, sizeof(table->secret), 0) != sizeof(table->secret)) {
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
	free(table->buckets);
	free(table->heap);
	free(table);
}

/* Both halves of the product take part, and the secret in every round. */
static __u64 mix(__u64 hash, __u64 word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ULL;

	return (__u64)product ^ (__u64)(product >> 64);
}

static struct zeek_entry **bucket_of(const struct zeek_table *table, const struct nt_key *key)
{
	__u64 words[sizeof(*key) / sizeof(__u64)], hash = table->secret[0];
	size_t i;

	memcpy(words, key, sizeof(words));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = mix(hash, words[i] ^ table->secret[1]);
	return &table->buckets[hash & (table->room - 1)];
}

struct zeek_entry *zeek_table_find(struct zeek_table *table, const struct nt_key *key)
{
	struct zeek_entry *entry = *bucket_of(table, key);

	while (entry && !nt_key_equals(&entry->key, key))
		entry = entry->same_bucket;
	return entry;
}

static void link_bucket(struct zeek_table *table, struct zeek_entry *entry)
{
	struct zeek_entry **bucket = bucket_of(table, &entry->key);

	entry->same_bucket = *bucket;
	*bucket = entry;
}

static bool grow(struct zeek_table *table)
{
	size_t room = table->room * 2, i;
	struct zeek_entry **buckets, **heap;

	if (table->count < table->room)
		return true;
	heap = realloc(table->heap, room * sizeof(*heap));
	if (!heap)
		return false;
	table->heap = heap;
	buckets = calloc(room, sizeof(*buckets));
	if (!buckets)
		return false;
	free(table->buckets);
	table->buckets = buckets;
	table->room = room;
	for (i = 0; i < table->count; i++)
		link_bucket(table, table->heap[i]);
	return true;
}

static void put(struct zeek_table *table, struct zeek_entry *entry, size_t place)
{
	table->heap[place] = entry;
	entry->place = place;
}

static void sift_up(struct zeek_table *table, struct zeek_entry *entry)
{
	size_t place = entry->place;

	while (place && table->heap[(place - 1) / 2]->due > entry->due) {
		put(table, table->heap[(place - 1) / 2], place);
		place = (place - 1) / 2;
	}
	put(table, entry, place);
}

static void sift_down(struct zeek_table *table, struct zeek_entry *entry)
{
	size_t place = entry->place, child;

	for (; (child = 2 * place + 1) < table->count; place = child) {
		if (child + 1 < table->count && table->heap[child + 1]->due < table->heap[child]->due)
			child++;
		if (table->heap[child]->due >= entry->due)
			break;
		put(table, table->heap[child], place);
	}
	put(table, entry, place);
}

struct zeek_entry *zeek_table_add(struct zeek_table *table, const struct nt_key *key)
{
	struct zeek_entry *entry = calloc(1, sizeof(*entry));

	if (!entry || !grow(table)) {
		free(entry);
		return NULL;
	}
	entry->key = *key;
	link_bucket(table, entry);
	put(table, entry, table->count++);
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
	struct zeek_entry **link = bucket_of(table, &entry->key), *last = table->heap[--table->count];

	while (*link != entry)
		link = &(*link)->same_bucket;
	*link = entry->same_bucket;
	if (last != entry) {
		put(table, last, entry->place);
		sift_up(table, last);
		sift_down(table, last);
	}
	free(entry->connection.history.text);
	free(entry->connection.end[0].stream.blocks);
	free(entry->connection.end[1].stream.blocks);
	free(entry);
}

struct zeek_entry *zeek_table_first(const struct zeek_table *table)
{
	return table->count ? table->heap[0] : NULL;
}
