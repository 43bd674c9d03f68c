/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many bytes open connections had moved when they were last looked at: so that what is summed up counts each byte
 * once, in the interval that moved it. Bounded; pure: records go in.
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

/* By enum nt_side; bytes only where known. */
struct bytes_moved {
	__u64 bytes[2];
	bool known[2];
	bool is_new; /* the connection had no mark */
};

void byte_marks_clear(struct byte_marks *marks);

/* A connection that was there before: what it has moved until now is nobody's. */
void byte_marks_set(struct byte_marks *marks, const struct nt_record *record);

/* What it moved since its mark: all, where it began meanwhile. Marks it anew, or, with a close or exit record, no more.
 * Not known is what a socket had moved before it was ever looked at; and, until it ends, of one for whose mark there is
 * no room.
 */
struct bytes_moved byte_marks_advance(struct byte_marks *marks, const struct nt_record *record);

/* It ended; nobody wants to know what it moved. */
void byte_marks_remove(struct byte_marks *marks, const struct nt_record *record);

#endif
