/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of a capture's connections: lookup by key, and a queue for each timeout.
 *
 * Grows with the number of connections at one time, up to a limit of its memory. The holes of a stream
 * take the memory of an entry, so that every entry that is removed makes room for either.
 * Functions that run for each packet are inline.
 */
#ifndef NETRACKER_REPLAY_TABLE_H
#define NETRACKER_REPLAY_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/buffer.h"
#include "core/connection.h"
#include "core/key.h"
#include "src/capture/capture_process.h"
#include "src/record/packet_record.h"
#include "src/replay/growing_stream.h"
#include "src/replay/withheld.h"

enum replay_queue {
	REPLAY_HALF_OPEN,
	REPLAY_ESTABLISHED, /* until both FINs, or a RST */
	REPLAY_ENDED,       /* kept for late packets */
	REPLAY_QUEUES,
};

/* The members of a lookup come first, and each stream has a cache line of its own: a packet touches five lines. */
struct replay_entry {
	struct nt_key key;
	__u32 hash, index;
	struct replay_entry *older, *newer; /* in its queue; `newer` also links free entries */
	struct nt_connection connection;
	__u64 seen;      /* packet_time's `elapsed` of the last packet */
	__u64 likely_ns; /* time of the first packet if its own is wrong; 0: it is right, or another packet came */
	enum replay_queue queue;
	struct capture_process process; /* the first that a packet names */
	const char *ifname;             /* of the first packet; NULL: unknown */
	__u8 epoch;                     /* packet_time's, of the last packet */
	__u8 early;      /* number of its packets, up to EARLY_PACKETS_MOST + 1; 0: it began with a SYN */
	bool has_failed; /* no packet came since an ICMP error ended the attempt */
	__u16 error;     /* errno that the last ICMP error meant for the attempt; 0: none */
	struct packet_doubt doubt;
	struct side_sums sums[2];
	bool is_suspected; /* a segment had a wrong checksum */
	struct nt_last_exchange exchange;
	struct growing_stream streams[2] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/* The holes of a stream, in memory that can become an entry again: the index stays. */
struct replay_holes {
	struct nt_key key;
	__u32 hash, index;
	struct nt_range hole[GROWING_STREAM_MOST_HOLES];
};
_Static_assert(sizeof(struct growing_stream) == 64, "a stream is one cache line");
_Static_assert(sizeof(struct replay_entry) == 576, "docs/architecture.md has the memory for each connection");
_Static_assert(sizeof(struct replay_holes) <= sizeof(struct replay_entry), "holes fit into the memory of an entry");

/* Entries are allocated in chunks of this size, and never move. */
#define REPLAY_CHUNK_BITS 7
#define REPLAY_CHUNK_ENTRIES (1U << REPLAY_CHUNK_BITS)
#define REPLAY_NO_ENTRY 0xffffffffU
#define REPLAY_CACHE_LINE 64
#define REPLAY_FEWEST_BYTES (512 * 1024)

/* Open addressing with linear probing. The slot holds the hash, so that a lookup does not read the entries of other
 * connections, each of which would be a cache miss.
 */
struct replay_slot {
	__u32 hash;
	__u32 index; /* of the entry, or REPLAY_NO_ENTRY */
};

struct replay_list {
	struct replay_entry *oldest, *newest;
	__u64 count;
};

struct replay_table {
	struct replay_slot *slots;
	__u32 mask; /* number of slots, a power of two, minus 1 */
	__u32 count;
	struct replay_entry **chunks;
	__u32 chunk_count;
	struct replay_entry *free; /* linked by `newer` */
	__u64 most_bytes, bytes;   /* of slots and chunks */
	bool orders_established;   /* the queue of established connections is in the order of their last packets */
	/* Random, so that nobody can make a capture whose connections collide. */
	unsigned __int128 secret[6];
	struct replay_list queues[REPLAY_QUEUES];
};

/* most_bytes: of memory, at least REPLAY_FEWEST_BYTES. Returns NULL without memory. */
struct replay_table *replay_table_new(__u64 most_bytes);

/* Accepts NULL. */
void replay_table_free(struct replay_table *table);

/* Returns the hash for find and add, and prefetches the slot where they begin.
 *
 * Multilinear hashing: the upper halves of any two keys' sums agree only by chance (Lemire and Kaser, "Strongly
 * universal string hashing is fast", 2014, section 2). Its multiplications are independent of each other. The key is
 * read member by member: a wider load would wait for the stores that have just written it.
 *
 * Keys with consecutive ports or addresses have sums at equal distances. With an unlucky secret these fill long runs of
 * slots; the last multiplication, a bijection, scatters them.
 */
static inline __u32 replay_table_hash(const struct replay_table *table, const struct nt_key *key)
{
	const unsigned __int128 *secret = table->secret;
	__u64 rest = (__u64)key->netns << 32 | (__u32)key->port[0] << 16 | key->port[1];
	unsigned __int128 sum = secret[0] * key->words[0][0] + secret[1] * key->words[0][1] +
				secret[2] * key->words[1][0] + secret[3] * key->words[1][1] + secret[4] * rest +
				secret[5];
	__u64 high = sum >> 64;
	__u32 hash = (__u32)((high ^ high >> 32) * 0x9e3779b97f4a7c15ULL >> 32);

	__builtin_prefetch(&table->slots[hash & table->mask]);
	return hash;
}

static inline struct replay_entry *replay_entry_at(const struct replay_table *table, __u32 index)
{
	return &table->chunks[index >> REPLAY_CHUNK_BITS][index & (REPLAY_CHUNK_ENTRIES - 1)];
}

static inline void replay_entry_prefetch(const struct replay_entry *entry)
{
	const char *line = (const char *)entry;
	size_t offset;

#pragma GCC unroll 8
	for (offset = 0; offset < sizeof(*entry); offset += REPLAY_CACHE_LINE)
		__builtin_prefetch(line + offset);
}

/* Prefetches the entry that a find will read. Call it some time after replay_table_hash() and before the find. */
static inline void replay_table_prefetch(const struct replay_table *table, __u32 hash)
{
	const struct replay_slot *slot = &table->slots[hash & table->mask];

	if (slot->index != REPLAY_NO_ENTRY)
		replay_entry_prefetch(replay_entry_at(table, slot->index));
}

/* Returns NULL if there is none. */
static inline struct replay_entry *replay_table_find(const struct replay_table *table, const struct nt_key *key,
						     __u32 hash)
{
	struct replay_entry *entry;
	__u32 at;

	for (at = hash & table->mask; table->slots[at].index != REPLAY_NO_ENTRY; at = (at + 1) & table->mask) {
		if (table->slots[at].hash != hash)
			continue;
		entry = replay_entry_at(table, table->slots[at].index);
		if (nt_key_equals(&entry->key, key))
			return entry;
	}
	return NULL;
}

/* Returns whether one more entry needs memory beyond the limit. */
bool replay_table_is_full(const struct replay_table *table);

/* The same for the holes of one more stream. */
bool replay_table_is_full_for_holes(const struct replay_table *table);

/* Sets the stream's memory for holes, which is freed with the entry. Leaves it NULL without memory. */
void replay_table_add_holes(struct replay_table *table, struct growing_stream *stream);

/* Adds an entry as the newest of the queue, with zero streams; the caller initializes the connection. Returns NULL
 * without memory.
 */
struct replay_entry *replay_table_add(struct replay_table *table, const struct nt_key *key, __u32 hash,
				      enum replay_queue queue);

/* Removes and frees the entry. */
void replay_table_remove(struct replay_table *table, struct replay_entry *entry);

/* Sorts the queue of established connections by the time of their last packets, and sets orders_established: from then
 * on the caller moves each with its packets. That costs time, and is needed only once such connections are evicted.
 */
void replay_table_order_established(struct replay_table *table);

/* Makes the entry the newest of a queue. */
void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue);

/* Returns NULL if the queue is empty. */
static inline struct replay_entry *replay_table_oldest(const struct replay_table *table, enum replay_queue queue)
{
	return table->queues[queue].oldest;
}

static inline __u64 replay_table_count(const struct replay_table *table, enum replay_queue queue)
{
	return table->queues[queue].count;
}

#endif
