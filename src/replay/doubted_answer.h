/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections whose first answer had a wrong checksum. Nothing was known of the checksums of that side, so the answer was
 * taken; if a segment with a right one follows, it was forged. To take it back, the connection is kept as it was before,
 * with the packets since.
 */
#ifndef NETRACKER_DOUBTED_ANSWER_H
#define NETRACKER_DOUBTED_ANSWER_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/replay/replay_tracker.h"

#define DOUBTED_ANSWER_MOST 8 /* packets, the answer among them */

struct doubted_answers;

/* Returns NULL without memory. */
struct doubted_answers *doubted_answers_new(void);

/* Accepts NULL. */
void doubted_answers_free(struct doubted_answers *doubted);

/* Keeps the entry as it is before this answer, in place of the oldest one. */
void doubted_answers_open(struct doubted_answers *doubted, const struct replay_entry *entry,
			  const struct replay_located *answer);

/* Keeps a packet that follows. Returns false if the answer is no longer doubted: there are too many packets, or this one
 * acknowledges it.
 */
bool doubted_answers_add(struct doubted_answers *doubted, const struct replay_located *located);

/* Sets the entry back, and copies the packets since to taken[]. Returns their number, 0 if they are no longer kept. */
int doubted_answers_restore(struct doubted_answers *doubted, struct replay_entry *entry, struct replay_located *taken);

#endif
