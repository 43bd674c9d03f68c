/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts the entries of the tables that are shared fairly (core/share.h). Each insertion into such a table and each
 * deletion from it is counted, here or by user space (src/kernel/shares.c); nothing is evicted from them. An entry holds
 * its share. */
#ifndef NETRACKER_BPF_FAIR_TABLES_H
#define NETRACKER_BPF_FAIR_TABLES_H

#include "maps.h"

#include "../core/share.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NT_FAIR_TABLES);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nt_shares);
} shares SEC(".maps");

static __always_inline void add_to_share(__u32 table, __u16 share, __s32 by)
{
	struct nt_shares *counts = bpf_map_lookup_elem(&shares, &table);

	if (!counts)
		return;
	__sync_fetch_and_add(&counts->taken, by);
	__sync_fetch_and_add(&counts->of[share & (NT_SHARES - 1)], by);
}

/* The verifiers of 5.10 and 6.1 do not know what a 32-bit value on the stack holds, so `key` may not be the index. */
static __always_inline bool is_share_full(__u32 table, __u16 share)
{
	__u32 key = table;
	struct nt_shares *counts = bpf_map_lookup_elem(&shares, &key);

	return counts && nt_share_is_full(counts, share, config.table_size[table]);
}

/* Inserts a new entry. Returns the table's error, or -EDQUOT if the share is full. */
static __always_inline int insert_fairly(void *map, __u32 table, const void *key, const void *entry, __u16 share)
{
	int error;

	if (is_share_full(table, share))
		return bpf_map_lookup_elem(map, key) ? -EEXIST : -EDQUOT;
	error = bpf_map_update_elem(map, key, entry, BPF_NOEXIST);
	if (!error)
		add_to_share(table, share, 1);
	return error;
}

/* Returns 0 for one of several callers that delete the same entry. share: the entry's, read before. */
static __always_inline int delete_fairly(void *map, __u32 table, const void *key, __u16 share)
{
	int error = bpf_map_delete_elem(map, key);

	if (!error)
		add_to_share(table, share, -1);
	return error;
}

#endif
