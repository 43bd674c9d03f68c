// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/delivery/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "src/delivery/redaction_key.h"
#include "src/record/record_fields.h"
#include "src/util/message.h"

/* The history's losses. */
static const enum accounting_loss history_causes[] = {
	ACCOUNTING_LOST_NO_MEMORY,
	ACCOUNTING_LOST_HISTORY_SLOW,
	ACCOUNTING_LOST_HISTORY_DISK_FULL,
	ACCOUNTING_LOST_HISTORY_FAILED,
};
#define HISTORY_CAUSES (sizeof(history_causes) / sizeof(history_causes[0]))

static int open_history(struct delivery *delivery)
{
	const struct history_options *options = &delivery->options->history;

	return options->folder ? history_writer_open(&delivery->history, options) : 0;
}

/* The accounting is that of one output: of the history only if there is no other. */
static bool accounts_for_history(const struct delivery *delivery)
{
	return delivery->history && delivery->options->output.nowhere;
}

static int open_redaction(struct delivery *delivery)
{
	const char *path = delivery->options->redaction;

	return path ? redaction_key_open(&delivery->redaction, path) : 0;
}

bool delivery_open(struct delivery *delivery, const struct delivery_options *options)
{
	if (delivery->is_open)
		return true;
	delivery->options = options;
	delivery->error = open_redaction(delivery);
	if (!delivery->error)
		delivery->error = output_open(&delivery->output, &options->output);
	if (!delivery->error)
		delivery->error = open_history(delivery);
	delivery->output.host = options->host;
	delivery->output.accounting = &delivery->accounting;
	delivery->is_open = !delivery->error;
	return delivery->is_open;
}

void delivery_begin(struct delivery *delivery, __u64 ns)
{
	output_set_begin(&delivery->output, ns);
	if (delivery->history)
		history_writer_set_begin(delivery->history, ns);
}

void delivery_set_spans(struct delivery *delivery, const struct history_span *spans, unsigned int count)
{
	if (delivery->history)
		history_writer_set_spans(delivery->history, spans, count);
}

void delivery_close(struct delivery *delivery)
{
	output_close(&delivery->output);
	history_writer_close(delivery->history);
	delivery->history = NULL;
	redaction_free(delivery->redaction);
	delivery->redaction = NULL;
	delivery->is_open = false;
}

static void note_missing(const char *kind, const char *name)
{
	message_note("filter: no such %s now: %s; connections match when there is one", kind, name);
}

/* Notes a condition that no record of the chosen events can meet. */
static void note_events_of_states(const struct delivery_options *options)
{
	static const char *const keys[] = { "state",         "state_age_ns", "recv_queue_bytes", "send_queue_bytes",
					    "unacked_bytes", "cwnd",         "last_sent_ns",     "last_received_ns" };
	unsigned int with_state = 1U << NT_EVENT_UPDATE | 1U << NT_EVENT_EXIT | 1U << NT_EVENT_LISTED;
	const char *field = NULL;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && !field; i++)
		field = filter_condition_on(options->filter, keys[i]);
	if (field && !(options->events & with_state))
		message_note(
			"filter: %s is known only of open connections: use netracker list, or --events update,exit",
			field);
}

void delivery_check_filter(const struct delivery_options *options)
{
	note_events_of_states(options);
	filter_check_objects(options->filter, note_missing);
}

void delivery_report_limits(const struct filter *filter)
{
	unsigned long long limited = filter_limited_matches(filter);

	if (limited)
		message_note("filter: a regular expression took too many steps %llu times, and the condition was "
			     "unknown then; simplify it",
			     limited);
}

static bool matches_filters(const struct delivery_options *options, const struct nt_record *record)
{
	const struct format *format = options->output.sink.format;

	if (format->accepts && !format->accepts(record))
		return false;
	return filter_accepts(options->filter, record);
}

static bool is_for_summary_only(const struct delivery *delivery, enum nt_event_kind event)
{
	return delivery->options->sums_up_open && output_has_tables(&delivery->output) &&
	       (event == NT_EVENT_UPDATE || event == NT_EVENT_EXIT) && !delivery_wants_event(delivery->options, event);
}

static bool delivery_is_wanted(struct delivery *delivery, const struct nt_record *record)
{
	if (delivery_wants_event(delivery->options, record->event) && matches_filters(delivery->options, record))
		return !delivery_is_full(delivery);
	if (record->event == NT_EVENT_CLOSE)
		output_remove_baseline(&delivery->output, record);
	return false;
}

bool delivery_write(struct delivery *delivery, struct nt_record *record)
{
	bool closes = record->event == NT_EVENT_CLOSE;

	if (delivery->options->host) /* else a record of a file keeps its own */
		record_name_host(record, delivery->options->host);
	if (is_for_summary_only(delivery, record->event)) {
		if (matches_filters(delivery->options, record)) {
			delivery->has_matched = true;
			output_summarise(&delivery->output, record);
		}
		return false;
	}
	if (!delivery_is_wanted(delivery, record)) {
		delivery->accounting.filtered[ACCOUNTING_FILTERED_OPTION] += closes;
		return false;
	}
	if (delivery->redaction)
		redaction_apply(delivery->redaction, record);
	if (delivery->history && !nt_record_is_listener(record))
		history_writer_add(delivery->history, record);
	if (delivery->metrics)
		metrics_add(delivery->metrics, record);
	if (delivery->options->output.sink.format->limits_integers)
		record_limit_integers(record);
	delivery->has_matched = true;
	delivery->records++;
	delivery->accounting.written += closes;
	message_clear();
	if (output_write(&delivery->output, record) == -EPIPE)
		delivery->error = -EPIPE;
	return true;
}

void delivery_flush(struct delivery *delivery)
{
	if (output_flush(&delivery->output) == -EPIPE)
		delivery->error = -EPIPE;
}

void delivery_report_losses(struct delivery *delivery, __u64 lost[ACCOUNTING_LOSSES])
{
	size_t i;

	memcpy(lost, delivery->accounting.lost, sizeof(delivery->accounting.lost));
	if (!delivery->history)
		return;
	history_writer_set_losses(delivery->history, lost);
	for (i = 0; i < HISTORY_CAUSES; i++)
		lost[history_causes[i]] += history_writer_lost_of_all(delivery->history, history_causes[i]);
}

static __u64 count_history_lost(const struct delivery *delivery)
{
	__u64 lost = 0;
	size_t i;

	for (i = 0; delivery->history && i < HISTORY_CAUSES; i++)
		lost += history_writer_lost_of_all(delivery->history, history_causes[i]);
	return lost;
}

/* Moves the close records that the history lost from written to lost. */
static void subtract_history_losses(const struct history_counts *counts, struct accounting *accounting)
{
	size_t i;

	for (i = 0; i < HISTORY_CAUSES; i++) {
		accounting->written -= counts->lost[history_causes[i]];
		accounting->lost[history_causes[i]] += counts->lost[history_causes[i]];
	}
}

static void finish_history(struct delivery *delivery)
{
	struct history_counts counts;
	__u64 lost;
	int error;

	if (!delivery->history)
		return;
	error = history_writer_finish(delivery->history);
	counts = history_writer_count(delivery->history, NT_EVENT_CLOSE);
	lost = count_history_lost(delivery);
	if (accounts_for_history(delivery))
		subtract_history_losses(&counts, &delivery->accounting);
	else if (lost)
		message_error("history: %s: %llu record%s lost", delivery->options->history.folder,
			      (unsigned long long)lost, lost == 1 ? " was" : "s were");
	if (!delivery->error)
		delivery->error = error;
}

void delivery_finish(struct delivery *delivery, __u64 now_ns, __s64 to_utc_ns)
{
	int error = output_finish(&delivery->output, now_ns, to_utc_ns);
	__u64 lost = output_lost(&delivery->output, NT_EVENT_CLOSE);
	__u64 lost_for_memory = output_lost_for_memory(&delivery->output, NT_EVENT_CLOSE);
	__u64 unwanted = output_unwanted(&delivery->output, NT_EVENT_CLOSE);

	delivery->accounting.written -= lost + unwanted;
	delivery->unwanted = unwanted;
	delivery->accounting.lost[ACCOUNTING_LOST_NO_MEMORY] += lost_for_memory;
	delivery->accounting.lost[ACCOUNTING_LOST_SINK_FAILED] += lost + unwanted - lost_for_memory;
	if (!delivery->error)
		delivery->error = error;
	finish_history(delivery);
	delivery_report_limits(delivery->options->filter);
}

__u64 delivery_copy_accounting(const struct delivery *delivery, struct accounting *accounting)
{
	const struct output *output = &delivery->output;
	__u64 waiting = output_waiting(output, NT_EVENT_CLOSE);
	__u64 unwritten = output_lost(output, NT_EVENT_CLOSE) + output_unwanted(output, NT_EVENT_CLOSE);
	__u64 for_memory = output_lost_for_memory(output, NT_EVENT_CLOSE), lost = unwritten - waiting;

	*accounting = delivery->accounting;
	accounting->written -= unwritten;
	for_memory = for_memory < lost ? for_memory : lost;
	accounting->lost[ACCOUNTING_LOST_NO_MEMORY] += for_memory;
	accounting->lost[ACCOUNTING_LOST_SINK_FAILED] += lost - for_memory;
	if (accounts_for_history(delivery)) {
		struct history_counts counts = history_writer_count(delivery->history, NT_EVENT_CLOSE);

		waiting = counts.waiting;
		accounting->written -= waiting;
		subtract_history_losses(&counts, accounting);
	}
	return waiting;
}

void delivery_publish_accounting(const struct delivery *delivery, const struct accounting *accounting)
{
	struct accounting published = *accounting;
	size_t i;

	if (!delivery->metrics)
		return;
	for (i = 0; delivery->history && !accounts_for_history(delivery) && i < HISTORY_CAUSES; i++)
		published.lost[history_causes[i]] += history_writer_lost_of_all(delivery->history, history_causes[i]);
	metrics_set_accounting(delivery->metrics, &published);
}

/* Records that were lost for lack of memory leave input and output intact. */
int delivery_status(const struct delivery *delivery)
{
	bool lost_any;

	if (!delivery->is_open)
		return delivery->error ? EXIT_STATUS_BROKEN : EXIT_STATUS_DONE;
	lost_any = accounting_lost(&delivery->accounting) > delivery->unwanted || output_lost_any(&delivery->output) ||
		   count_history_lost(delivery);
	switch (delivery->error) {
	case 0:
	case -EPIPE:
		break;
	case -ENOMEM:
		if (lost_any)
			break;
		return EXIT_STATUS_BROKEN;
	default:
		return EXIT_STATUS_BROKEN;
	}
	if (output_has_failed(&delivery->output))
		return EXIT_STATUS_BROKEN;
	if (lost_any)
		return EXIT_STATUS_LOST;
	return delivery->options->fails_if_any && delivery->has_matched ? EXIT_STATUS_MATCHED : EXIT_STATUS_DONE;
}

void delivery_print_accounting(const struct delivery *delivery)
{
	if (!delivery->options->quiet)
		accounting_print(&delivery->accounting, stderr);
}
