/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the two records of one connection between two sockets of this machine, so that the summary counts it once.
 *
 * The client's record counts. The server's waits until the client's has come, or until the interval ends: no client of
 * this machine has it then, and it counts itself. Bounded: of more than CONNECTION_PAIRS_MOST connections the oldest
 * are forgotten.
 */
#ifndef NETRACKER_CONNECTION_PAIRS_H
#define NETRACKER_CONNECTION_PAIRS_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "src/summary/summary_item.h"
#include "src/util/hash_map.h"

#define CONNECTION_PAIRS_MOST 65536

struct connection_pair {
	struct hash_node node;
	TAILQ_ENTRY(connection_pair) order;
	struct summary_item item; /* the client's last one, or the server's */
	bool has_client;          /* the client counts */
	bool waits;               /* `item` is the server's, which does not count yet */
	bool server_counted;      /* the server's end counted, as no client's record had come */
	__u64 ended_ns[2];        /* by is_client: since the Unix epoch; 0: has not ended */
};

struct connection_pairs {
	struct hash_map map;
	TAILQ_HEAD(connection_pair_list, connection_pair) order; /* the oldest first */
};

/* Returns false without memory. Call connection_pairs_free() either way. */
bool connection_pairs_init(struct connection_pairs *pairs);
void connection_pairs_free(struct connection_pairs *pairs);

/* Returns the pair of the item's connection; NULL if there is none. */
struct connection_pair *connection_pairs_find(struct connection_pairs *pairs, const struct summary_item *item);

/* Returns the oldest pair if there is no room for another; else NULL. */
struct connection_pair *connection_pairs_oldest_if_full(struct connection_pairs *pairs);

/* Adds a pair with this item. Returns NULL without memory. Call it with room. */
struct connection_pair *connection_pairs_add(struct connection_pairs *pairs, const struct summary_item *item);

void connection_pairs_remove(struct connection_pairs *pairs, struct connection_pair *pair);

/* Returns whether the item belongs to a later connection of the same addresses and ports. */
bool connection_pair_is_over(const struct connection_pair *pair, const struct summary_item *item);

#endif
