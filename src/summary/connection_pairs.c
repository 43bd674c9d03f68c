// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/connection_pairs.h"

#include <stdlib.h>
#include <string.h>

bool connection_pairs_init(struct connection_pairs *pairs)
{
	TAILQ_INIT(&pairs->order);
	return hash_map_init(&pairs->map);
}

void connection_pairs_free(struct connection_pairs *pairs)
{
	struct connection_pair *pair;

	while ((pair = TAILQ_FIRST(&pairs->order)))
		connection_pairs_remove(pairs, pair);
	hash_map_free(&pairs->map);
}

struct connection_pair *connection_pairs_find(struct connection_pairs *pairs, const struct summary_item *item)
{
	__u64 hash = hash_map_hash(&pairs->map, &item->tuple, sizeof(item->tuple));
	struct hash_node *node;

	for (node = hash_map_first(&pairs->map, hash); node; node = hash_map_next(node)) {
		struct connection_pair *pair = hash_map_entry(node, struct connection_pair, node);

		if (!memcmp(&pair->item.tuple, &item->tuple, sizeof(item->tuple)))
			return pair;
	}
	return NULL;
}

struct connection_pair *connection_pairs_oldest_if_full(struct connection_pairs *pairs)
{
	return pairs->map.count < CONNECTION_PAIRS_MOST ? NULL : TAILQ_FIRST(&pairs->order);
}

struct connection_pair *connection_pairs_add(struct connection_pairs *pairs, const struct summary_item *item)
{
	struct connection_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->item = *item;
	hash_map_insert(&pairs->map, &pair->node, hash_map_hash(&pairs->map, &item->tuple, sizeof(item->tuple)));
	TAILQ_INSERT_TAIL(&pairs->order, pair, order);
	return pair;
}

void connection_pairs_remove(struct connection_pairs *pairs, struct connection_pair *pair)
{
	hash_map_remove(&pairs->map, &pair->node);
	TAILQ_REMOVE(&pairs->order, pair, order);
	free(pair);
}

bool connection_pair_is_over(const struct connection_pair *pair, const struct summary_item *item)
{
	__u64 ended_ns = pair->ended_ns[0] > pair->ended_ns[1] ? pair->ended_ns[0] : pair->ended_ns[1];

	return ended_ns && item->start_ns > ended_ns;
}
