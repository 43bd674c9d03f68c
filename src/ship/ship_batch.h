/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The records that are sent at once, in the form that the destination takes. */
#ifndef NETRACKER_SHIP_BATCH_H
#define NETRACKER_SHIP_BATCH_H

#include "src/history/history_reader.h"
#include "src/record/redaction.h"
#include "src/util/text_buffer.h"

#define SHIP_MOST_RECORDS 100000

struct ship_destination;

struct ship_batch {
	const struct ship_destination *destination;
	void *connection;
	struct redaction *redaction; /* NULL: records are sent as they are */
	struct text_buffer bytes;
	size_t *ends; /* of the records in the bytes; SHIP_MOST_RECORDS */
	__u64 *seqs;  /* their numbers in the history, as many */
	unsigned int count;
	__u64 last_seq;           /* the last one of them */
	char last_id[NT_ID_SIZE]; /* its id */
	bool is_full;             /* more may wait behind it */
};

/* Returns false without memory, after reporting it. Call ship_batch_free() either way. */
bool ship_batch_init(struct ship_batch *batch, const struct ship_destination *destination, void *connection);
void ship_batch_free(struct ship_batch *batch);

/* Makes a record as it is sent: `machine` is its host if it has none; with a redaction, it is redacted. */
void ship_batch_complete(const struct ship_batch *batch, struct nt_record *record, const char *machine);

/* Reads the records after `seq`, at most `most`, or those up to `end` unless it is 0. Returns 0, also if there are none; or
 * -errno after reporting the error: then those before the damage. */
int ship_batch_read(struct ship_batch *batch, struct history_reader *reader, __u64 seq, __u64 end, unsigned int most,
		    const char *machine);

/* Sets where the bytes of the records from `first` on begin, and returns their size. */
size_t ship_batch_bytes(const struct ship_batch *batch, unsigned int first, unsigned int count, const char **bytes);

#endif
