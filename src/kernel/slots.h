/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context's slots (core/event.h), mapped: user space reads and empties them while the kernel side fills
 * them. */
#ifndef NETRACKER_SLOTS_H
#define NETRACKER_SLOTS_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

struct slots {
	struct nt_slot *slot; /* NULL: not mapped */
	__u32 count;          /* a power of 2 */
};

/* Maps the kernel side's array fd of `count` slots. Returns 0, or -errno. */
int slots_map(struct slots *slots, int fd, __u32 count);
void slots_unmap(struct slots *slots);

/* Returns the slot of a key, whatever it holds. */
struct nt_slot *slots_of_key(const struct slots *slots, const struct nt_key *key);

/* Returns whether the slot holds a connection, so that its `wire` may be read. */
bool slots_is_live(const struct nt_slot *slot);

/* Returns whether the slot holds the connection of this key. */
bool slots_has(const struct nt_slot *slot, const struct nt_key *key);

/* Removes the connection that was read as *wire, and sets *wire to what was removed. Returns false if a packet came since it
 * was read, or if the kernel side has removed it or is about to. */
bool slots_take(struct nt_slot *slot, struct nt_wire *wire);

/* Counts that a connection of this key was removed from the hash tables. */
void slots_clear_elsewhere(const struct slots *slots, const struct nt_key *key);

#endif
