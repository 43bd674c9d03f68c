/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivers records: sets the host name, filters, counts, and writes them, adds them to the summary, history or metrics.
 * Shared by live tracking, list and replay.
 */
#ifndef NETRACKER_DELIVERY_H
#define NETRACKER_DELIVERY_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/delivery/output.h"
#include "src/filter/filter.h"
#include "src/history/history_writer.h"
#include "src/metrics/metrics.h"
#include "src/record/accounting.h"

/* Strings are not copied. */
struct delivery_options {
	struct filter *filter; /* NULL: every record */
	unsigned int events;   /* bits 1 << NT_EVENT_*; never 0 */
	__u64 max_records;     /* 0: any number */
	const char *host;      /* the key `host` of each record; NULL: absent */
	const char *redaction; /* the file with the key of --redact; NULL: records stay as they are */
	struct output_options output;
	struct history_options history;
	bool sums_up_open; /* the summary counts open connections even without their records */
	bool fails_if_any; /* --fail-if-any: a record that matches makes the exit status EXIT_STATUS_MATCHED */
	bool quiet;        /* no accounting on stderr */
};

struct delivery {
	const struct delivery_options *options;
	struct output output;
	struct history_writer *history; /* NULL: none */
	struct redaction *redaction;    /* NULL: none */
	struct metrics *metrics;        /* NULL: none; the owner's, who sets it */
	struct accounting accounting;
	__u64 unwanted;   /* lost because the reader had gone, after delivery_finish() */
	__u64 records;    /* of any event, after filtering */
	int error;        /* 0, or the first -errno; -EPIPE: the reader has gone; the owner may set another */
	bool has_matched; /* a record was accepted, for the output or for the summary alone */
	bool is_open;
};

/* Idempotent: replay opens it only after it has opened a capture, so that a wrong name leaves no file behind. `options`
 * must outlive it. Returns false after reporting the error; call delivery_close() either way.
 */
bool delivery_open(struct delivery *delivery, const struct delivery_options *options);
/* Tracking begins at this time, since the Unix epoch: of the first interval's tables, and of the history's run. */
void delivery_begin(struct delivery *delivery, __u64 ns);

/* Sets the times that the captures of a replay cover, for the history. Call it before delivery_finish(); they stay until
 * delivery_close(). */
void delivery_set_spans(struct delivery *delivery, const struct history_span *spans, unsigned int count);

void delivery_close(struct delivery *delivery);

/* For sources of this machine: notes each process and control group that the filter names and that does not exist, and
 * conditions that no record of the chosen events can meet. */
void delivery_check_filter(const struct delivery_options *options);

static inline bool delivery_wants_event(const struct delivery_options *options, enum nt_event_kind event)
{
	return options->events & (1U << event);
}

/* Sets the record's host. Counts a close record in the accounting as written or filtered. With a redaction, all outputs
 * get the redacted record, which is changed in place; the filter has seen the original. Returns whether the record was
 * accepted.
 */
bool delivery_write(struct delivery *delivery, struct nt_record *record);

static inline bool delivery_is_full(const struct delivery *delivery)
{
	return delivery->options->max_records && delivery->records >= delivery->options->max_records;
}

/* Returns whether no more records are needed, or none can be written. */
static inline bool delivery_is_over(const struct delivery *delivery)
{
	return delivery->error || delivery_is_full(delivery);
}

/* Writes the waiting records, as far as the output takes them. */
void delivery_flush(struct delivery *delivery);

/* Says how often a regular expression of the filter took too many steps, if it did. NULL is allowed. */
void delivery_report_limits(const struct filter *filter);

/* Writes the last tables and the waiting records, and moves close records that were not written from written to lost.
 */
void delivery_finish(struct delivery *delivery, __u64 now_ns, __s64 to_utc_ns);

/* While tracking goes on, and before delivery_finish(): sets what the tracker and the history have lost so far, by enum
 * accounting_loss, for announcements, and passes the tracker's losses to the history. */
void delivery_report_losses(struct delivery *delivery, __u64 lost[ACCOUNTING_LOSSES]);

/* While records are still written: copies the accounting as it is now. Returns how many close records wait to be
 * written; they count as nothing.
 */
__u64 delivery_copy_accounting(const struct delivery *delivery, struct accounting *accounting);

/* Passes the accounting as it is now to the metrics, with the losses of a history beside another output. */
void delivery_publish_accounting(const struct delivery *delivery, const struct accounting *accounting);

/* After delivery_finish(), and with all losses in the accounting: returns EXIT_STATUS_DONE; EXIT_STATUS_BROKEN if the
 * output failed; else EXIT_STATUS_LOST if records were lost, other than those that a reader which went away did not want;
 * else EXIT_STATUS_MATCHED if options ask for it.
 */
int delivery_status(const struct delivery *delivery);

/* Prints the accounting on stderr, unless quiet. */
void delivery_print_accounting(const struct delivery *delivery);

#endif
