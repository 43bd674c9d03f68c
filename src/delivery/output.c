// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/delivery/output.h"

#include <errno.h>
#include <string.h>

#include "src/util/message.h"
#include "src/util/resolver.h"
#include "src/summary/problems.h"
#include "src/summary/summary_print.h"
#include "src/summary/summary_write.h"

static int open_tables(struct output *output, const struct output_options *options)
{
	const struct sink_options of_tables = { .waits = options->sink.waits };

	output->interval_ns = options->interval_ns;
	output->table_format = options->sink.path ? &format_text : options->sink.format;
	output->summary = summary_new(options->top);
	if (!output->summary) {
		message_error("--summary: out of memory");
		return -ENOMEM;
	}
	output->summary->origin = options->origin;
	output->summary->names = output->names;
	return sink_open(&output->tables, &of_tables);
}

static int output_open_names(struct output *output)
{
	output->names = resolver_new(&resolver_system);
	return output->names ? 0 : -ENOMEM;
}

static int open_records(struct output *output, const struct output_options *options)
{
	struct sink_options of_records = options->sink;

	of_records.names = output->names;
	return sink_open(&output->records, &of_records);
}

int output_open(struct output *output, const struct output_options *options)
{
	int error = 0;

	*output = (struct output){ 0 };
	output->waits_for_names = options->sink.waits;
	if (options->resolves)
		error = output_open_names(output);
	if (!error && options->summary)
		error = open_tables(output, options);
	if (!error && !options->nowhere && (options->sink.path || !options->summary))
		error = open_records(output, options);
	return error;
}

void output_close(struct output *output)
{
	sink_close(output->records);
	sink_close(output->tables);
	summary_free(output->summary);
	resolver_free(output->names);
	*output = (struct output){ 0 };
}

int output_write(struct output *output, const struct nt_record *record)
{
	if (output->summary && output->is_scanning && record->event == NT_EVENT_CLOSE)
		summary_add_to_next(output->summary, record);
	else if (output->summary)
		summary_add(output->summary, record);
	return output->records ? sink_write(output->records, record) : 0;
}

void output_summarise(struct output *output, const struct nt_record *record)
{
	summary_add(output->summary, record);
}

void output_set_baseline(struct output *output, const struct nt_record *record)
{
	byte_marks_set(&output->summary->marks, record);
}

void output_set_begin(struct output *output, __u64 epoch_ns)
{
	if (output->summary)
		output->summary->begins_ns = epoch_ns;
}

void output_set_namespace(struct output *output, const struct namespace_counts *counts, bool begins)
{
	summary_namespaces_set(&output->summary->namespaces, counts, begins);
}

void output_ask_names(struct output *output, const struct nt_record *record)
{
	if (!output->names)
		return;
	resolver_ask(output->names, record->src_ip);
	resolver_ask(output->names, record->dst_ip);
}

void output_remove_baseline(struct output *output, const struct nt_record *record)
{
	if (output->summary)
		byte_marks_remove(&output->summary->marks, record);
}

/* Returns the more important error: -EPIPE, else the first. */
static int choose_error(int one, int other)
{
	return !one || other == -EPIPE ? other : one;
}

int output_flush(struct output *output)
{
	int of_records = output->records ? sink_flush(output->records) : 0;
	int of_tables = output->tables ? sink_flush(output->tables) : 0;

	output->gone = of_tables == -EPIPE;
	if (!of_tables)
		output->waiting = 0;
	return choose_error(of_records, of_tables);
}

/* The connections that are in no table that was written. */
static __u64 count_unwritten(const struct output *output)
{
	if (!output->tables)
		return 0;
	return output->waiting + summary_count_ended(output->summary);
}

__u64 output_lost(const struct output *output, enum nt_event_kind event)
{
	if (output->records)
		return sink_lost(output->records, event);
	return event == NT_EVENT_CLOSE && !output->gone ? count_unwritten(output) : 0;
}

__u64 output_unwanted(const struct output *output, enum nt_event_kind event)
{
	if (output->records)
		return sink_unwanted(output->records, event);
	return event == NT_EVENT_CLOSE && output->gone ? count_unwritten(output) : 0;
}

__u64 output_waiting(const struct output *output, enum nt_event_kind event)
{
	if (output->records)
		return sink_waiting(output->records, event);
	return event == NT_EVENT_CLOSE ? count_unwritten(output) : 0;
}

__u64 output_lost_for_memory(const struct output *output, enum nt_event_kind event)
{
	if (output->records)
		return sink_lost_for_memory(output->records, event);
	return event == NT_EVENT_CLOSE && output->no_memory && !output->gone ? summary_count_ended(output->summary) : 0;
}

bool output_lost_any(const struct output *output)
{
	return output->records ? sink_lost_any(output->records) : output_lost(output, NT_EVENT_CLOSE);
}

bool output_has_failed(const struct output *output)
{
	if (output->records)
		return sink_has_failed(output->records);
	return output_lost(output, NT_EVENT_CLOSE) > output_lost_for_memory(output, NT_EVENT_CLOSE);
}

/* The accounting has the sink's losses only at the end. */
static void set_losses(struct output *output)
{
	__u64 lost[ACCOUNTING_LOSSES];

	if (!output->accounting)
		return;
	memcpy(lost, output->accounting->lost, sizeof(lost));
	if (output->records)
		lost[ACCOUNTING_LOST_SINK_FAILED] += sink_lost(output->records, NT_EVENT_CLOSE) -
						     sink_waiting(output->records, NT_EVENT_CLOSE);
	summary_set_losses(output->summary, lost);
}

static void format_for_programs(const struct output *output, struct text_buffer *text, struct summary_span span)
{
	char separator = output->table_format == &format_csv ? ',' : '\t';

	if (!span.from_ns)
		span.from_ns = output->summary->begins_ns;
	if (output->table_format == &format_json) {
		summary_write_json(text, output->summary, &span);
		return;
	}
	if (!output->has_written_tables)
		summary_write_csv_header(text, separator);
	summary_write_csv(text, output->summary, &span, separator);
}

/* Formats the tables, which asks for the names of the addresses that they show. */
static void await_names_of_tables(const struct output *output, const struct summary_span *span)
{
	struct text_buffer unnamed = { 0 };

	summary_print(&unnamed, output->summary, span->from_ns, span->to_ns);
	text_free(&unnamed);
	resolver_await_all(output->names);
}

static void format_tables(const struct output *output, struct text_buffer *text, const struct summary_span *span)
{
	if (output->table_format != &format_text) {
		format_for_programs(output, text, *span);
		return;
	}
	if (output->names && output->waits_for_names)
		await_names_of_tables(output, span);
	summary_print(text, output->summary, span->from_ns, span->to_ns);
	if (output->interval_ns)
		text_char(text, '\n');
}

/* If there is no room for the tables, their counts stay for the next interval. Returns 0, or -errno. */
static int write_tables(struct output *output, __u64 until_ns, __s64 to_utc_ns)
{
	const struct summary_span span = {
		.from_ns = output->interval_ns && output->next_ns ? output->from_ns + (__u64)to_utc_ns : 0,
		.to_ns = until_ns + (__u64)to_utc_ns,
		.host = output->host,
	};
	__u64 ended = summary_count_ended(output->summary);
	struct text_buffer text = { 0 };
	int error;

	summary_settle(output->summary);
	set_losses(output);
	format_tables(output, &text, &span);
	error = sink_write_lines(output->tables, &text);
	output->no_memory = error == -ENOMEM;
	if (!error) {
		summary_begin_next(output->summary);
		output->waiting += ended - summary_count_ended(output->summary);
		output->from_ns = until_ns;
		output->has_written_tables = true;
	}
	text_free(&text);
	return error;
}

/* Returns the whole intervals in the time since this one's end. */
static __u64 skipped_ns(const struct output *output, __u64 now_ns)
{
	return (now_ns - output->next_ns) / output->interval_ns * output->interval_ns;
}

/* Intervals without a packet, as in a capture with a pause, have no tables. */
void output_write_interval(struct output *output, __u64 now_ns, __s64 to_utc_ns)
{
	__u64 interval = output->interval_ns, late;

	if (!output->next_ns) {
		output->from_ns = now_ns;
		output->next_ns = now_ns + interval;
		return;
	}
	write_tables(output, output->next_ns, to_utc_ns);
	late = skipped_ns(output, now_ns);
	if (late && !summary_count_ended(output->summary))
		output->from_ns = output->next_ns + late;
	output->next_ns += late + interval;
}

void output_begin_scan(struct output *output)
{
	output->is_scanning = true;
}

void output_end_scan(struct output *output, __u64 began_ns, __s64 to_utc_ns)
{
	output->is_scanning = false;
	if (!output_interval_is_over(output, began_ns))
		return;
	write_tables(output, began_ns, to_utc_ns);
	output->next_ns += skipped_ns(output, began_ns) + output->interval_ns;
}

static bool has_problems(struct output *output, __u64 now_utc_ns)
{
	struct problems problems;

	summary_settle(output->summary);
	set_losses(output);
	problems_find(&problems, output->summary, now_utc_ns);
	return problems.count;
}

/* An interval's rest without any event gets no tables, unless there were none before. */
static bool has_unwritten_tables(struct output *output, __u64 now_utc_ns)
{
	const struct summary_interval *current = &output->summary->current;

	return !output->has_written_tables || summary_count_ended(output->summary) || current->has_moved_bytes ||
	       current->has_unanswered || has_problems(output, now_utc_ns);
}

int output_finish(struct output *output, __u64 now_ns, __s64 to_utc_ns)
{
	int of_records, last = 0, of_tables = 0;

	output->waits_for_names = true;
	if (output->tables) {
		if (has_unwritten_tables(output, now_ns + (__u64)to_utc_ns))
			last = write_tables(output, now_ns, to_utc_ns);
		of_tables = sink_finish(output->tables);
		output->gone = of_tables == -EPIPE;
		output->waiting = of_tables ? output->waiting : 0;
		of_tables = choose_error(of_tables, last);
	}
	of_records = output->records ? sink_finish(output->records) : 0;
	return choose_error(of_records, of_tables);
}
