/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections by Zeek's rules: found by key, and by whose timer is due first. */
#ifndef NETRACKER_ZEEK_TABLE_H
#define NETRACKER_ZEEK_TABLE_H

#include <linux/types.h>
#include <stddef.h>

#include "core/buffer.h"
#include "core/key.h"
#include "src/util/hash_map.h"
#include "src/zeek/zeek_connection.h"

struct zeek_entry {
	struct nt_key key;
	struct nt_zeek_connection connection;
	__u16 vlan; /* the first packet's, as in struct nt_packet */
	struct hash_node in_map;
	__u64 due;   /* when its next timer is */
	size_t place; /* in the heap */
};

struct zeek_table;

/* NULL: no memory. */
struct zeek_table *zeek_table_new(void);

/* NULL is allowed. */
void zeek_table_free(struct zeek_table *table);

/* NULL: there is none. */
struct zeek_entry *zeek_table_find(struct zeek_table *table, const struct nt_key *key);

/* A new entry, zero but for its key, due at 0. NULL: no memory. */
struct zeek_entry *zeek_table_add(struct zeek_table *table, const struct nt_key *key);

void zeek_table_remove(struct zeek_table *table, struct zeek_entry *entry);

/* After the connection's timers may have changed. */
void zeek_table_schedule(struct zeek_table *table, struct zeek_entry *entry);

/* The one whose timer is due first. NULL: there is none at all. */
struct zeek_entry *zeek_table_first(const struct zeek_table *table);

#endif
