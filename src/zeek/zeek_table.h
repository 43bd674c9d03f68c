/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of connections that are followed by Zeek's rules: lookup by key, the entry whose timer is due first, and the
 * one to evict where memory is limited.
 */
#ifndef NETRACKER_ZEEK_TABLE_H
#define NETRACKER_ZEEK_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "core/buffer.h"
#include "core/key.h"
#include "src/util/hash_map.h"
#include "src/zeek/zeek_connection.h"

/* In the order in which they are evicted. */
enum zeek_queue { ZEEK_ATTEMPTS, ZEEK_ENDED, ZEEK_OTHERS, ZEEK_QUEUES };

struct zeek_entry {
	struct nt_key key;
	struct nt_zeek_connection connection;
	__u16 vlan; /* of the first packet, as in struct nt_packet */
	struct hash_node in_map;
	__u64 due;    /* time of its next timer */
	size_t place; /* index in the heap */
	enum zeek_queue queue;
	TAILQ_ENTRY(zeek_entry) in_queue;
	size_t bytes; /* of memory, about */
};

struct zeek_table;

/* most_bytes: of memory. Returns NULL without memory. */
struct zeek_table *zeek_table_new(__u64 most_bytes);

/* Accepts NULL. */
void zeek_table_free(struct zeek_table *table);

/* Returns NULL if there is none. */
struct zeek_entry *zeek_table_find(struct zeek_table *table, const struct nt_key *key);

/* Adds an entry, zero except for its key, due at 0. Returns NULL without memory. */
struct zeek_entry *zeek_table_add(struct zeek_table *table, const struct nt_key *key);

/* Removes and frees the entry. */
void zeek_table_remove(struct zeek_table *table, struct zeek_entry *entry);

/* Must be called after the entry has taken a packet: makes it the newest of its queue, and counts its memory. */
void zeek_table_update(struct zeek_table *table, struct zeek_entry *entry);

/* Returns the entry to evict if there is no memory for one more; else NULL. It is the one without packets for the longest
 * time of the first queue that has any.
 */
struct zeek_entry *zeek_table_excess(const struct zeek_table *table);

/* Must be called after the connection's timers may have changed. */
void zeek_table_schedule(struct zeek_table *table, struct zeek_entry *entry);

/* Returns the entry whose timer is due first, or NULL if the table is empty. */
struct zeek_entry *zeek_table_first(const struct zeek_table *table);

#endif
