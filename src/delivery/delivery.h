/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivers records: adds the host's name, filters, counts, and writes or sums up. Live tracking, list and replay share
 * it. */
#ifndef NETRACKER_DELIVERY_H
#define NETRACKER_DELIVERY_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/delivery/output.h"
#include "src/record/accounting.h"
#include "src/record/record_filter.h"

/* Strings are not copied. */
struct delivery_options {
	struct record_filter filter;
	unsigned int events; /* bits 1 << NT_EVENT_*; never 0 */
	__u64 max_records;   /* 0: any number */
	const char *host;    /* written into each record; NULL: none */
	struct output_options output;
	bool sums_up_open;   /* tables count open connections though their records are not asked for */
	bool quiet;          /* no accounting on stderr */
};

struct delivery {
	const struct delivery_options *options;
	struct output output;
	struct accounting accounting;
	__u64 records; /* of any event that were wanted */
	int error;     /* nothing more can be written: -EPIPE, the reader went away; its owner may set another */
	bool is_open;
};

/* Idempotent: replay opens it once there is something to read, so that a wrong name leaves no file behind. options must
 * outlive it. Returns false after reporting the error; delivery_close() either way. */
bool delivery_open(struct delivery *delivery, const struct delivery_options *options);
void delivery_close(struct delivery *delivery);

static inline bool delivery_wants_event(const struct delivery_options *options, enum nt_event_kind event)
{
	return options->events & (1U << event);
}

/* Names the host in the record, too. Counts a close record in the accounting, as written or filtered. Returns whether the
 * record was wanted. */
bool delivery_write(struct delivery *delivery, struct nt_record *record);

static inline bool delivery_is_full(const struct delivery *delivery)
{
	return delivery->options->max_records && delivery->records >= delivery->options->max_records;
}

/* No more is wanted, or can be written. */
static inline bool delivery_is_over(const struct delivery *delivery)
{
	return delivery->error || delivery_is_full(delivery);
}

/* Writes what waits, as far as the output takes it. */
void delivery_flush(struct delivery *delivery);

/* Writes the last tables and what waits, and moves close records that did not get out from written to lost. As
 * output_finish(). */
int delivery_finish(struct delivery *delivery, __u64 now_ns, __s64 to_utc_ns);

/* The accounting, on stderr, unless quiet. */
void delivery_print_accounting(const struct delivery *delivery);

#endif
