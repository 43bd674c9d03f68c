/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends a batch until the destination has it. */
#ifndef NETRACKER_SHIP_SEND_H
#define NETRACKER_SHIP_SEND_H

#include "src/ship/ship_backlog.h"
#include "src/ship/ship_batch.h"
#include "src/ship/ship_destination.h"

enum ship_result {
	SHIP_RECEIVED, /* or set aside in the file of rejected records */
	SHIP_STOPPED,  /* by a signal or the time limit; the destination may have it */
	SHIP_FAILED,   /* no repetition helps; reported */
};

struct ship_sender {
	struct ship_backlog *backlog; /* looked at while the destination does not answer */
	bool is_once;                 /* does not wait for a disk that is full */
	__u64 received, rejected;     /* records */
	unsigned int failures;        /* sendings without success, since the last success */
	unsigned int bad_in_a_row;    /* records that were set aside since the last one that was taken */
	bool is_doubtful;             /* the search for bad records began without an answer that names them */
	unsigned int *bad;            /* records of the batch that the destination does not take; SHIP_MOST_RECORDS */
	unsigned int bad_count, good_count;
	unsigned int named;              /* rows of the batch that answers named */
	bool are_records;                /* all answers on these said that the record is the cause */
	char reason[SHIP_REASON_SIZE];   /* why it did not take the last one */
	char reported[SHIP_REASON_SIZE]; /* why it did not answer, as last reported */
	__u64 reported_ns;               /* CLOCK_MONOTONIC, when that was */
	char warned[SHIP_REASON_SIZE];   /* what it said of records that it took, as last reported */
	size_t most_bytes;               /* a part of so many was too large for the destination; 0: none was */
};

/* Returns false without memory, after reporting it. Call ship_sender_free() either way. */
bool ship_sender_init(struct ship_sender *sender);
void ship_sender_free(struct ship_sender *sender);

enum ship_result ship_sender_send(struct ship_sender *sender, const struct ship_batch *batch);

/* Waits; less long if a signal or the time limit ends the command. Returns whether it goes on. */
bool ship_wait(__u64 ns);

#endif
