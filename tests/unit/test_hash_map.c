// SPDX-License-Identifier: GPL-2.0-or-later
/* src/util/hash_map.h against a model with a flag for each of 5000 keys; the order of equal keys; steps. */
#include "src/util/hash_map.h"

#include <stdlib.h>

#include "tests/unit/check.h"

#define KEYS 5000

struct thing {
	__u32 key, number;
	struct hash_node node;
};

static struct hash_map map;

static __u64 hash_of(__u32 key)
{
	return hash_map_hash(&map, &key, sizeof(key));
}

static struct thing *find(__u32 key)
{
	struct hash_node *node;

	for (node = hash_map_first(&map, hash_of(key)); node; node = hash_map_next(node))
		if (hash_map_entry(node, struct thing, node)->key == key)
			return hash_map_entry(node, struct thing, node);
	return NULL;
}

static void insert(struct thing *thing, __u32 key)
{
	thing->key = key;
	hash_map_insert(&map, &thing->node, hash_of(key));
}

static void test_model(void)
{
	static struct thing things[KEYS];
	static bool expected[KEYS];
	unsigned int count = 0, wrong = 0, i;

	CHECK(hash_map_init(&map));
	srand(1);
	for (i = 0; i < 200000; i++) {
		unsigned int key = (unsigned int)rand() % KEYS;

		wrong += find(key) != (expected[key] ? &things[key] : NULL);
		if (expected[key])
			hash_map_remove(&map, &things[key].node);
		else
			insert(&things[key], key);
		expected[key] = !expected[key];
		count += expected[key] ? 1 : -1;
		wrong += map.count != count || map.count > map.bucket_count;
	}
	CHECK_EQUAL(wrong, 0);
	hash_map_free(&map);
}

/* The node inserted last comes first, however often the map has grown. */
static void test_equal_keys(void)
{
	static struct thing equal[20], others[KEYS];
	struct hash_node *node;
	unsigned int i, wrong = 0;

	CHECK(hash_map_init(&map));
	for (i = 0; i < 20; i++) {
		equal[i].number = i;
		insert(&equal[i], KEYS);
	}
	for (i = 0; i < KEYS; i++)
		insert(&others[i], i);
	CHECK(map.bucket_count > 1024);
	hash_map_remove(&map, &equal[7].node);
	hash_map_remove(&map, &equal[7].node); /* does nothing */
	CHECK_EQUAL(map.count, KEYS + 19);
	i = 20;
	for (node = hash_map_first(&map, hash_of(KEYS)); node; node = hash_map_next(node)) {
		i -= i == 8 ? 2 : 1;
		wrong += hash_map_entry(node, struct thing, node)->number != i;
	}
	CHECK_EQUAL(i, 0);
	CHECK_EQUAL(wrong, 0);
	hash_map_free(&map);
}

static void test_steps(void)
{
	static struct thing things[KEYS];
	unsigned int i, wrong = 0;
	__u64 before;

	CHECK(hash_map_init(&map));
	for (i = 0; i < KEYS; i++)
		insert(&things[i], i << 16);
	before = hash_map_steps();
	for (i = 0; i < KEYS; i++)
		wrong += find(i << 16) != &things[i];
	CHECK_EQUAL(wrong, 0);
	CHECK(hash_map_steps() - before >= KEYS);
	CHECK(hash_map_steps() - before < 2 * KEYS);
	hash_map_free(&map);
}

static void test_secrets(void)
{
	struct hash_map other;

	CHECK(hash_map_init(&map) && hash_map_init(&other));
	CHECK(hash_map_hash(&map, "key", 3) == hash_map_hash(&map, "key", 3));
	CHECK(hash_map_hash(&map, "key", 3) != hash_map_hash(&map, "kex", 3));
	CHECK(hash_map_hash(&map, "key", 3) != hash_map_hash(&other, "key", 3));
	hash_map_free(&map);
	hash_map_free(&other);
	other = (struct hash_map){ 0 };
	hash_map_free(&other);
}

int main(void)
{
	test_model();
	test_equal_keys();
	test_steps();
	test_secrets();
	return check_finish();
}
