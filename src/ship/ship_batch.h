/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records of one request: one JSON object a line, as -f json writes them. */
#ifndef NETRACKER_SHIP_BATCH_H
#define NETRACKER_SHIP_BATCH_H

#include "src/history/history_reader.h"
#include "src/util/text_buffer.h"

#define SHIP_MOST_RECORDS 100000

struct ship_batch {
	struct text_buffer text;
	size_t *ends; /* of the lines in the text; SHIP_MOST_RECORDS */
	unsigned int count;
	__u64 last_seq;
	bool is_full; /* more may wait behind it */
};

/* Return false without memory, after reporting it. */
bool ship_batch_init(struct ship_batch *batch);
void ship_batch_free(struct ship_batch *batch);

/* Reads the records after `seq`, at most `most`, or those up to `end` unless it is 0. `machine` is the name in records that
 * have none. Returns 0, also if there are none; or -errno after reporting the error: then those before the damage. */
int ship_batch_read(struct ship_batch *batch, struct history_reader *reader, __u64 seq, __u64 end, unsigned int most,
		    const char *machine);

/* Sets where the lines of the records from `first` on begin, and returns their size. */
size_t ship_batch_lines(const struct ship_batch *batch, unsigned int first, unsigned int count, const char **lines);

#endif
