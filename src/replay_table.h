/* The connections of a capture: found by key, kept in queues by what is awaited of them.
 *
 * Grows with what the capture holds at one time; nothing of it is ever pushed out.
 */
#ifndef NETRACKER_REPLAY_TABLE_H
#define NETRACKER_REPLAY_TABLE_H

#include <linux/types.h>

/* Memory is cheaper here than in the kernel: room for heavy reordering, where there is any. */
#define NT_STREAM_GROWS
#define NT_STREAM_RANGES 32

#include "core/buffer.h"
#include "core/connection.h"
#include "core/key.h"
#include "core/stream.h"

enum replay_queue {
	REPLAY_HALF_OPEN,
	REPLAY_ESTABLISHED, /* until both FINs, or a RST */
	REPLAY_ENDED,       /* late packets may still come */
	REPLAY_QUEUES,
};

/* What a packet is looked up by comes first, and each stream has a cache line of its own: a packet touches five. */
struct replay_entry {
	struct nt_key key;
	__u32 hash, index;
	struct replay_entry *older, *newer; /* in its queue; `newer` also among those that are free */
	struct nt_connection connection;
	enum replay_queue queue;
	struct nt_stream streams[2] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

struct replay_table;

/* NULL: no memory. */
struct replay_table *replay_table_new(void);

/* NULL is allowed. */
void replay_table_free(struct replay_table *table);

/* What find and add want beside the key. Also asks memory for where they look first. */
__u32 replay_table_hash(const struct replay_table *table, const struct nt_key *key);

/* NULL: there is none. */
struct replay_entry *replay_table_find(const struct replay_table *table, const struct nt_key *key, __u32 hash);

/* Asks memory for the entry that a find will look at. Best some time after the hash was asked for, and before the find. */
void replay_table_prefetch(const struct replay_table *table, __u32 hash);

/* A new entry, the newest of the queue, its streams zero; the connection is for the caller to begin. NULL: no memory. */
struct replay_entry *replay_table_add(struct replay_table *table, const struct nt_key *key, __u32 hash,
				      enum replay_queue queue);

void replay_table_remove(struct replay_table *table, struct replay_entry *entry);

/* Makes it the newest of a queue. */
void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue);

/* NULL: the queue is empty. */
struct replay_entry *replay_table_oldest(const struct replay_table *table, enum replay_queue queue);

__u64 replay_table_count(const struct replay_table *table, enum replay_queue queue);

/* For a stream that wants room for a hole. */
void replay_table_give_room(struct nt_stream *stream);

#endif
