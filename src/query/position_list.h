/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Positions of records in a history. Not thread-safe. */
#ifndef NETRACKER_POSITION_LIST_H
#define NETRACKER_POSITION_LIST_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* All zero is empty. */
struct position_list {
	__u64 *positions;
	size_t count, capacity;
	bool failed; /* no memory */
};

/* Returns false without memory. */
bool position_list_add(struct position_list *list, __u64 position);

/* Moves the positions of `count` lists to the first one, in ascending order. */
void position_lists_join(struct position_list *lists, unsigned int count);

void position_list_free(struct position_list *list);

#endif
