/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context's slots (core/event.h), mapped: read and emptied here while the kernel side fills them. */
#ifndef NETRACKER_SLOTS_H
#define NETRACKER_SLOTS_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"

struct slots {
	struct nt_slot *slot; /* NULL: not mapped */
	__u32 count;          /* a power of 2 */
};

/* 0, or -errno. fd: of the kernel's array, of `count` slots. */
int slots_map(struct slots *slots, int fd, __u32 count);
void slots_unmap(struct slots *slots);

/* The slot of a key, whatever is in it. */
struct nt_slot *slots_of_key(const struct slots *slots, const struct nt_key *key);

/* Whether a connection is in it, whose `wire` may be read from then on. */
bool slots_is_live(const struct nt_slot *slot);

bool slots_has(const struct nt_slot *slot, const struct nt_key *key);

/* Takes the connection out, if it is as it was seen: false where a packet came since, or the kernel side took it out or
 * is about to. */
bool slots_take(struct nt_slot *slot, const struct nt_wire *seen);

/* A connection of this key left the hash tables. */
void slots_clear_elsewhere(const struct slots *slots, const struct nt_key *key);

#endif
