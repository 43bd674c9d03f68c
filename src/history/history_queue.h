/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records in memory, with all that they point to, in the order in which they were added. Bounded in bytes. Not
 * thread-safe: the owner locks it. */
#ifndef NETRACKER_HISTORY_QUEUE_H
#define NETRACKER_HISTORY_QUEUE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/record.h"

struct history_block {
	struct history_block *next;
	size_t used, capacity;
	__u64 records;
	char bytes[] __attribute__((aligned(8)));
};

/* All zero, but for `most_bytes`, is empty. */
struct history_queue {
	struct history_block *first, *last;
	struct history_block *spare; /* kept, so that a steady stream allocates nothing */
	size_t bytes, most_bytes;    /* of all blocks, with those that were taken and not released */
	__u64 records;               /* that were not taken */
};

enum history_room { HISTORY_ADDED, HISTORY_QUEUE_FULL, HISTORY_NO_MEMORY };

enum history_room history_queue_add(struct history_queue *queue, const struct nt_record *record);

/* Takes all blocks out of the queue; they still count in `bytes`. NULL if there are none. */
struct history_block *history_queue_take(struct history_queue *queue);

/* Frees blocks that were taken. */
void history_queue_release(struct history_queue *queue, struct history_block *blocks);

void history_queue_free(struct history_queue *queue);

/* Returns the block's next record; *place is 0 for the first one. NULL after the last one. */
const struct nt_record *history_block_next(const struct history_block *block, size_t *place);

#endif
