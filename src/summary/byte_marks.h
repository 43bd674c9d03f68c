/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Byte and packet baselines of open connections: what each had moved by its last record, so that the summary counts
 * each byte and packet once, in the interval in which it was moved. Pure and bounded.
 */
#ifndef NETRACKER_BYTE_MARKS_H
#define NETRACKER_BYTE_MARKS_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"

#define BYTE_MARKS_MOST 262144

struct byte_marks {
	void *tree; /* by record id: tsearch(3) */
	unsigned int count;
};

/* Indexed by enum nt_side; a count that is unknown is 0. */
struct bytes_moved {
	__u64 bytes[2], packets[2], retransmits[2];
	bool known[2];         /* the bytes */
	bool packets_known[2]; /* packets and retransmissions */
	bool is_new;           /* the connection had no mark */
};

void byte_marks_clear(struct byte_marks *marks);

/* Sets the mark of a pre-existing connection: what it has moved so far belongs to no interval. Without room or memory
 * it has no mark.
 */
void byte_marks_set(struct byte_marks *marks, const struct nt_record *record);

/* Returns what was moved since the connection's mark, or all if it has none. Moves the mark, or removes it with a close
 * or exit record. The counts are unknown for a pre-existing socket without a mark, and until the connection ends if
 * there is no room for its mark.
 */
struct bytes_moved byte_marks_advance(struct byte_marks *marks, const struct nt_record *record);

/* Removes the mark of a connection that ended and does not count. */
void byte_marks_remove(struct byte_marks *marks, const struct nt_record *record);

#endif
