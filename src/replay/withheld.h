/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments that were refused for a wrong checksum, kept for a while. If its peer acknowledges what only such a segment
 * held, the checksum was not wrong on the wire: a network card computes it there, after the capture.
 */
#ifndef NETRACKER_WITHHELD_H
#define NETRACKER_WITHHELD_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/capture/checksum.h"

struct withheld;
struct replay_entry;
struct replay_located;

/* This many wrong checksums before the first right one: that one is right by chance. */
#define SIDE_SUMS_MOST_WRONG 3U

/* Holds the verdicts on the checksums of one side. */
struct side_sums {
	__u8 wrong : 2;    /* number of wrong ones before the first right one, up to SIDE_SUMS_MOST_WRONG */
	__u8 is_right : 1; /* one was right */
	__u8 is_taken : 1; /* its peer took a segment whose checksum was wrong */
	__u8 doubted : 1;  /* its first segment has a wrong checksum: doubted_answer.h */
	__u8 withheld;     /* number of segments of this side that are kept, up to WITHHELD_MOST */
};

#define WITHHELD_MOST 64

static inline bool side_sums_refuse(const struct side_sums *sums)
{
	return sums->is_right && !sums->is_taken && sums->wrong < SIDE_SUMS_MOST_WRONG;
}

/* Returns whether the receiver refuses a segment with this checksum. */
static inline bool side_sums_take(struct side_sums *sums, enum checksum checksum)
{
	if (checksum == CHECKSUM_RIGHT)
		sums->is_right = 1;
	if (checksum != CHECKSUM_WRONG || sums->is_taken || sums->wrong >= SIDE_SUMS_MOST_WRONG)
		return false;
	if (!sums->is_right)
		sums->wrong++;
	return sums->is_right;
}

/* Returns NULL without memory. */
struct withheld *withheld_new(void);

/* Accepts NULL. */
void withheld_free(struct withheld *withheld);

/* Keeps the segment. If it takes the place of another, moves that to *replaced and returns true. */
bool withheld_keep(struct withheld *withheld, const struct replay_located *located, struct replay_located *replaced);

/* Moves the first kept segment of the peer that `located` acknowledges, and that no other segment of `entry` has brought,
 * to *taken. Returns false if there is none.
 */
bool withheld_take_acknowledged(struct withheld *withheld, const struct replay_entry *entry,
				const struct replay_located *located, struct replay_located *taken);

/* Removes the kept segment that `located` repeats. Returns false if there is none. */
bool withheld_take_repeated(struct withheld *withheld, const struct replay_located *located);

/* Moves a kept segment of the entry to *taken. Returns false if there is none. */
bool withheld_take_any(struct withheld *withheld, const struct replay_entry *entry, struct replay_located *taken);

#endif
