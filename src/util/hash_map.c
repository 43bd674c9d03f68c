// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/hash_map.h"

#include <sodium/crypto_shorthash.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FEWEST_BUCKETS 1024

_Static_assert(HASH_MAP_SECRET_SIZE == crypto_shorthash_KEYBYTES, "the secret is SipHash's key");
_Static_assert(sizeof(__u64) == crypto_shorthash_BYTES, "a hash is what SipHash returns");

static _Thread_local __u64 visited_nodes;

__u64 hash_map_steps(void)
{
	return visited_nodes;
}

bool hash_map_init(struct hash_map *map)
{
	memset(map, 0, sizeof(*map));
	if (getrandom(map->secret, sizeof(map->secret), 0) != sizeof(map->secret))
		return false;
	map->buckets = calloc(FEWEST_BUCKETS, sizeof(struct hash_node *));
	map->bucket_count = map->buckets ? FEWEST_BUCKETS : 0;
	return map->buckets;
}

void hash_map_free(struct hash_map *map)
{
	free(map->buckets);
	map->buckets = NULL;
}

__u64 hash_map_hash(const struct hash_map *map, const void *key, size_t size)
{
	__u64 hash;

	crypto_shorthash((unsigned char *)&hash, key, size, map->secret);
	return hash;
}

static struct hash_node **bucket_of(const struct hash_map *map, __u64 hash)
{
	return &map->buckets[hash & (map->bucket_count - 1)];
}

static void link_node(struct hash_node **link, struct hash_node *node)
{
	node->next = *link;
	node->link = link;
	if (node->next)
		node->next->link = &node->next;
	*link = node;
}

/* Keeps the order within each chain: the nodes of a bucket go to two, each to the tail. */
static void split_bucket(struct hash_node *node, size_t bit, struct hash_node **low, struct hash_node **high)
{
	struct hash_node *next, **link;

	for (; node; node = next) {
		next = node->next;
		link = node->hash & bit ? high : low;
		link_node(link, node);
		*(node->hash & bit ? &high : &low) = &node->next;
	}
}

static void double_buckets(struct hash_map *map)
{
	size_t old_count = map->bucket_count, i;
	struct hash_node **old = map->buckets, **buckets = calloc(old_count * 2, sizeof(struct hash_node *));

	if (!buckets)
		return;
	for (i = 0; i < old_count; i++)
		split_bucket(old[i], old_count, &buckets[i], &buckets[i + old_count]);
	map->buckets = buckets;
	map->bucket_count = old_count * 2;
	free(old);
}

void hash_map_insert(struct hash_map *map, struct hash_node *node, __u64 hash)
{
	if (map->count >= map->bucket_count)
		double_buckets(map);
	node->hash = hash;
	link_node(bucket_of(map, hash), node);
	map->count++;
}

void hash_map_remove(struct hash_map *map, struct hash_node *node)
{
	if (!node->link)
		return;
	*node->link = node->next;
	if (node->next)
		node->next->link = node->link;
	node->next = NULL;
	node->link = NULL;
	map->count--;
}

static struct hash_node *next_of_hash(struct hash_node *node, __u64 hash)
{
	for (; node; node = node->next) {
		visited_nodes++;
		if (node->hash == hash)
			return node;
	}
	return NULL;
}

struct hash_node *hash_map_first(const struct hash_map *map, __u64 hash)
{
	return next_of_hash(*bucket_of(map, hash), hash);
}

struct hash_node *hash_map_next(const struct hash_node *node)
{
	return next_of_hash(node->next, node->hash);
}
