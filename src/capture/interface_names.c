// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/interface_names.h"

#include <stdlib.h>
#include <string.h>

#include "core/record.h"
#include "src/util/hash_map.h"

#define UNNAMED 0x80000000U /* added to an index */
#define NAMED 0xc0000000U   /* added to the place in the order of their discovery */
#define MOST_NAMES 65536

struct interface_key {
	__u32 index;
	char name[NT_IFNAME_SIZE]; /* padded with NUL */
};

struct interface_name {
	struct hash_node node;
	__u32 number;
	struct interface_key key;
};

struct interface_names {
	struct hash_map map;
	struct interface_name *all[MOST_NAMES]; /* map.count are used */
};

struct interface_names *interface_names_new(void)
{
	struct interface_names *names = calloc(1, sizeof(*names));

	if (names && hash_map_init(&names->map))
		return names;
	free(names);
	return NULL;
}

void interface_names_free(struct interface_names *names)
{
	size_t i;

	if (!names)
		return;
	for (i = 0; i < names->map.count; i++)
		free(names->all[i]);
	hash_map_free(&names->map);
	free(names);
}

static const struct interface_name *find_name(const struct interface_names *names, const struct interface_key *key,
					      __u64 hash)
{
	struct hash_node *node;

	for (node = hash_map_first(&names->map, hash); node; node = hash_map_next(node)) {
		const struct interface_name *name = hash_map_entry(node, struct interface_name, node);

		if (!memcmp(&name->key, key, sizeof(*key)))
			return name;
	}
	return NULL;
}

/* Returns NULL without memory, or if there are too many. */
static const struct interface_name *add_name(struct interface_names *names, const struct interface_key *key, __u64 hash)
{
	struct interface_name *name = names->map.count < MOST_NAMES ? calloc(1, sizeof(*name)) : NULL;

	if (!name)
		return NULL;
	name->key = *key;
	name->number = NAMED + (__u32)names->map.count;
	names->all[names->map.count] = name;
	hash_map_insert(&names->map, &name->node, hash);
	return name;
}

struct capture_interface interface_names_find(struct interface_names *names, __u32 index, const void *bytes,
					      size_t length)
{
	struct capture_interface unnamed = { UNNAMED + index, NULL };
	struct interface_key key = { .index = index };
	const struct interface_name *name;
	__u64 hash;

	if (!names || !length || !*(const char *)bytes)
		return unnamed;
	memcpy(key.name, bytes, strnlen(bytes, length < sizeof(key.name) ? length : sizeof(key.name) - 1));
	hash = hash_map_hash(&names->map, &key, sizeof(key));
	name = find_name(names, &key, hash);
	if (!name)
		name = add_name(names, &key, hash);
	return name ? (struct capture_interface){ name->number, name->key.name } : unnamed;
}
