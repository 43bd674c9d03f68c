/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A hash map for keys that a peer or a file chooses: SipHash-2-4 with a random secret for each map, so nobody can
 * choose keys that share a bucket. There is at most one node a bucket on average; the map doubles as it fills.
 *
 * Nodes are members of the caller's structures; the caller owns them and compares the keys. Several nodes may have the
 * same key. Not thread-safe.
 *
 *	for (node = hash_map_first(&map, hash); node; node = hash_map_next(node))
 *		if (key_equals(hash_map_entry(node, struct thing, node), key))
 *			...
 */
#ifndef NETRACKER_HASH_MAP_H
#define NETRACKER_HASH_MAP_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#define HASH_MAP_SECRET_SIZE 16

/* All zero before the first insertion. */
struct hash_node {
	struct hash_node *next, **link; /* in its bucket; link is NULL while the node is in no map */
	__u64 hash;
};

struct hash_map {
	struct hash_node **buckets;
	size_t bucket_count; /* a power of two */
	size_t count;
	unsigned char secret[HASH_MAP_SECRET_SIZE];
};

/* The structure that contains the node. The node is not NULL. */
#define hash_map_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Returns false without memory or without random bytes; then only hash_map_free() may follow. */
bool hash_map_init(struct hash_map *map);

/* Frees no nodes: they belong to the caller. A map that is all zero is allowed. */
void hash_map_free(struct hash_map *map);

/* Hashes `size` bytes: a key's structure must have no padding. */
__u64 hash_map_hash(const struct hash_map *map, const void *key, size_t size);

/* Never fails: without memory for more buckets the chains get longer. */
void hash_map_insert(struct hash_map *map, struct hash_node *node, __u64 hash);

/* Does nothing if the node is in no map. */
void hash_map_remove(struct hash_map *map, struct hash_node *node);

/* Return the nodes of one hash, the last inserted first. NULL after the last one. */
struct hash_node *hash_map_first(const struct hash_map *map, __u64 hash);
struct hash_node *hash_map_next(const struct hash_node *node);

/* Load what hash_map_first() will need of memory: first the one, and a while after it the other. */
static inline void hash_map_prefetch_bucket(const struct hash_map *map, __u64 hash)
{
	__builtin_prefetch(&map->buckets[hash & (map->bucket_count - 1)]);
}

static inline void hash_map_prefetch_node(const struct hash_map *map, __u64 hash)
{
	const char *node = (const char *)map->buckets[hash & (map->bucket_count - 1)];

	__builtin_prefetch(node);
	__builtin_prefetch(node + 64); /* where the caller's structure goes on */
}

/* Returns the number of nodes that all look-ups of this thread have visited, for tests. */
__u64 hash_map_steps(void);

#endif
