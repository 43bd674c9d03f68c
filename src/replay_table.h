/* The connections of a capture: found by key, kept in queues by what is awaited of them.
 *
 * Grows with what the capture holds at one time; nothing of it is ever pushed out.
 */
#ifndef NETRACKER_REPLAY_TABLE_H
#define NETRACKER_REPLAY_TABLE_H

#include <linux/types.h>

/* Memory is cheaper here than in the kernel: room for heavy reordering. */
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

struct replay_entry {
	struct nt_key key;
	struct nt_connection connection;
	struct nt_stream streams[2];
	struct replay_entry *same_bucket;
	struct replay_entry *older, *newer; /* in its queue */
	enum replay_queue queue;
};

struct replay_table;

/* NULL: no memory. */
struct replay_table *replay_table_new(void);

/* NULL is allowed. */
void replay_table_free(struct replay_table *table);

/* NULL: there is none. */
struct replay_entry *replay_table_find(struct replay_table *table, const struct nt_key *key);

/* A new entry, zero but for its key, the newest of the queue. NULL: no memory. */
struct replay_entry *replay_table_add(struct replay_table *table, const struct nt_key *key, enum replay_queue queue);

void replay_table_remove(struct replay_table *table, struct replay_entry *entry);

/* Makes it the newest of a queue. */
void replay_table_move(struct replay_table *table, struct replay_entry *entry, enum replay_queue queue);

/* NULL: the queue is empty. */
struct replay_entry *replay_table_oldest(const struct replay_table *table, enum replay_queue queue);

__u64 replay_table_count(const struct replay_table *table, enum replay_queue queue);

#endif
