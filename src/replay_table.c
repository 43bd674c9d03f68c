#include "src/replay_table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FEWEST_BUCKETS 1024

struct queue {
	struct replay_entry *oldest, *newest;
	__u64 count;
};

struct replay_table {
	struct replay_entry **buckets;
	__u64 bucket_count; /* a power of two */
	__u64 count;
	__u64 secret[2]; /* so that no capture can be made whose connections share a bucket */
	struct queue queues[REPLAY_QUEUES];
};

struct replay_table *replay_table_new(void)
{
	struct replay_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->bucket_count = FEWEST_BUCKETS;
	table->buckets = calloc(table->bucket_count, sizeof(*table->buckets));
	if (!table->buckets || getrandom(table->secret, sizeof(table->secret), 0) != sizeof(table->secret)) {
		replay_table_free(table);
		return NULL;
	}
	return table;
}

void replay_table_free(struct replay_table *table)
{
	int queue;

	if (!table)
		return;
	for (queue = 0; queue < REPLAY_QUEUES; queue++)
		while (table->queues[queue].oldest)
			replay_table_remove(table, table->queues[queue].oldest);
	free(table->buckets);
	free(table);
}

/* Both halves of the product take part, and the secret in every round. */
static __u64 mix(__u64 hash, __u64 word)
{
	unsigned __int128 product = (unsigned __int128)(hash ^ word) * 0x9e3779b97f4a7c15ULL;

	return (__u64)product ^ (__u64)(product >> 64);
}

static __u64 hash_of(const struct replay_table *table, const struct nt_key *key)
{
	__u64 words[sizeof(*key) / sizeof(__u64)], hash = table->secret[0];
	unsigned int i;

	memcpy(words, key, sizeof(words));
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		hash = mix(hash, words[i]) + table->secret[1];
	return mix(hash, table->secret[0]);
}

static struct replay_entry **bucket_of(const struct replay_table *table, const struct nt_key *key)
{
	return &table->buckets[hash_of(table, key) & (table->bucket_count - 1)];
}

struct replay_entry *replay_table_find(struct replay_table *table, const struct nt_key *key)
{
	struct replay_entry *entry = *bucket_of(table, key);

	while (entry && memcmp(&entry->key, key, sizeof(*key)))
		entry = entry->same_bucket;
	return entry;
}

static void link_bucket(struct replay_table *table, struct replay_entry *entry)
{
	struct replay_entry **bucket = bucket_of(table, &entry->key);

	entry->same_bucket = *bucket;
	*bucket = entry;
}

/* Without memory for more buckets it only becomes slower. */
static void grow(struct replay_table *table)
{
	struct replay_entry **buckets, *entry;
	int queue;

	if (table->count < table->bucket_count)
		return;
	buckets = calloc(table->bucket_count * 2, sizeof(*buckets));
	if (!buckets)
		return;
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count *= 2;
	for (queue = 0; queue < REPLAY_QUEUES; queue++)
		for (entry = table->queues[queue].oldest; entry; entry = entry->newer)
			link_bucket(table, entry);
}

static void enqueue(struct replay_table *table, struct replay_entry *entry, enum replay_queue to)
{
	struct queue *queue = &table->queues[to];

	entry->queue = to;
	entry->newer = NULL;
	entry->older = queue->newest;
	*(queue->newest ? &queue->newest->newer : &queue->oldest) = entry;
	queue->newest = entry;
	queue->count++;
}

static void dequeue(struct replay_table *table, struct replay_entry *entry)
{
	struct queue *queue = &table->queues[entry->queue];

	*(entry->older ? &entry->older->newer : &queue->oldest) = entry->newer;
	*(entry->newer ? &entry->newer->older : &queue->newest) = entry->older;
	queue->count--;
}

struct replay_entry *replay_table_add(struct replay_table *table, const struct nt_key *key, enum replay_queue queue)
{
	struct replay_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	grow(table);
	entry->key = *key;
	link_bucket(table, entry);
	enqueue(table, entry, queue);
	table->count++;
	return entry;
}

void replay_table_remove(struct replay_table *table, struct replay_entry *entry)
{
	struct replay_entry **link = bucket_of(table, &entry->key);

	while (*link != entry)
		link = &(*link)->same_bucket;
	*link = entry->same_bucket;
	dequeue(table, entry);
	table->count--;
	free(entry);
}

void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue)
{
	dequeue(table, entry);
	enqueue(table, entry, queue);
}

struct replay_entry *replay_table_oldest(const struct replay_table *table, enum replay_queue queue)
{
	return table->queues[queue].oldest;
}

__u64 replay_table_count(const struct replay_table *table, enum replay_queue queue)
{
	return table->queues[queue].count;
}
