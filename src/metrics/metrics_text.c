// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_text.h"

#include "src/record/record_fields.h"
#include "src/util/escape.h"

#define NS_PER_SECOND 1000000000ULL

/* One program in one role. */
struct labelled_row {
	const struct metrics_snapshot *snapshot;
	unsigned int program, role;
	const struct metrics_row *row;
};

typedef void (*row_writer)(struct text_buffer *text, const char *name, const struct labelled_row *labelled,
			   unsigned int kind);

static void append_head(struct text_buffer *text, const char *name, const char *type, const char *help)
{
	text_string(text, "# HELP ");
	text_string(text, name);
	text_char(text, ' ');
	text_string(text, help);
	text_string(text, "\n# TYPE ");
	text_string(text, name);
	text_char(text, ' ');
	text_string(text, type);
	text_char(text, '\n');
}

static void append_count(struct text_buffer *text, __u64 count)
{
	text_char(text, ' ');
	text_integer(text, count);
	text_char(text, '\n');
}

/* Appends seconds without zeros at the end. */
static void append_seconds(struct text_buffer *text, __u64 seconds, __u32 ns)
{
	char digits[16];
	int used = snprintf(digits, sizeof(digits), ".%09u", ns);

	while (used > 1 && digits[used - 1] == '0')
		used--;
	text_integer(text, seconds);
	if (used > 1)
		text_append(text, digits, (size_t)used);
}

static void append_single(struct text_buffer *text, const char *name, const char *type, const char *help, __u64 count)
{
	append_head(text, name, type, help);
	text_string(text, name);
	append_count(text, count);
}

/* ---- labels ---- */

/* The format escapes backslashes and quotes; what is not printable is escaped before, as in a history. */
static void append_label_value(struct text_buffer *text, const char *value, size_t size)
{
	struct text_buffer printable = { 0 };
	size_t i;

	escape_text(&printable, value, size);
	for (i = 0; i < printable.used; i++) {
		if (printable.bytes[i] == '\\' || printable.bytes[i] == '"')
			text_char(text, '\\');
		text_char(text, printable.bytes[i]);
	}
	text->failed |= printable.failed;
	text_free(&printable);
}

static void append_program(struct text_buffer *text, const struct labelled_row *labelled)
{
	if (labelled->program == METRICS_PROGRAM_OTHER)
		text_string(text, "other");
	else if (labelled->program != METRICS_PROGRAM_UNKNOWN)
		append_label_value(text, labelled->snapshot->programs[labelled->program].comm, NT_COMM_SIZE);
}

/* Appends the name and the labels that all metrics of a row have, without the closing brace. */
static void append_row_labels(struct text_buffer *text, const char *name, const char *suffix,
			      const struct labelled_row *labelled)
{
	text_string(text, name);
	text_string(text, suffix);
	text_string(text, "{program=\"");
	append_program(text, labelled);
	text_string(text, "\",role=\"");
	text_string(text, field_name(&record_role_names, labelled->role));
	text_char(text, '"');
}

/* ---- the counts of programs ---- */

/* Calls `write` for each program and role that had a connection. */
static void append_rows(struct text_buffer *text, const char *name, const struct metrics_snapshot *snapshot,
			row_writer write, unsigned int kind)
{
	struct labelled_row labelled = { .snapshot = snapshot };

	for (; labelled.program < snapshot->program_count; labelled.program++) {
		for (labelled.role = 0; labelled.role < METRICS_ROLES; labelled.role++) {
			labelled.row = &snapshot->programs[labelled.program].roles[labelled.role];
			if (labelled.row->connections)
				write(text, name, &labelled, kind);
		}
	}
}

static void write_closed(struct text_buffer *text, const char *name, const struct labelled_row *labelled,
			 unsigned int outcome)
{
	unsigned int ender;

	for (ender = 0; ender < METRICS_ENDERS; ender++) {
		if (!labelled->row->closed[outcome][ender])
			continue;
		append_row_labels(text, name, "", labelled);
		text_string(text, ",outcome=\"");
		text_string(text, field_name(&record_outcome_names, outcome));
		text_string(text, "\",ended_by=\"");
		if (ender != METRICS_ENDER_UNKNOWN)
			text_string(text, field_name(&record_side_names, ender));
		text_string(text, "\"}");
		append_count(text, labelled->row->closed[outcome][ender]);
	}
}

static void append_closed(struct text_buffer *text, const struct metrics_snapshot *snapshot)
{
	static const char name[] = "netracker_connections_closed_total";
	unsigned int outcome;

	append_head(text, name, "counter", "Connections that ended and passed the filter.");
	for (outcome = 0; outcome < METRICS_OUTCOMES; outcome++)
		append_rows(text, name, snapshot, write_closed, outcome);
}

static void append_row_count(struct text_buffer *text, const char *name, const char *suffix,
			     const struct labelled_row *labelled, __u64 count)
{
	append_row_labels(text, name, suffix, labelled);
	text_char(text, '}');
	append_count(text, count);
}

static void write_bytes(struct text_buffer *text, const char *name, const struct labelled_row *labelled,
			unsigned int received)
{
	append_row_count(text, name, "", labelled, labelled->row->bytes[received]);
}

static void write_retransmits(struct text_buffer *text, const char *name, const struct labelled_row *labelled,
			      unsigned int received)
{
	append_row_count(text, name, "", labelled, labelled->row->retransmits[received]);
}

/* ---- histograms ---- */

static void append_bound(struct text_buffer *text, const struct metrics_buckets *buckets, unsigned int bucket)
{
	text_string(text, ",le=\"");
	if (bucket < buckets->count)
		append_seconds(text, buckets->most_ns[bucket] / NS_PER_SECOND,
			       (__u32)(buckets->most_ns[bucket] % NS_PER_SECOND));
	else
		text_string(text, "+Inf");
	text_string(text, "\"}");
}

static void write_histogram(struct text_buffer *text, const char *name, const struct labelled_row *labelled,
			    unsigned int kind)
{
	const struct metrics_histogram *histogram = &labelled->row->histograms[kind];
	const struct metrics_buckets *buckets = &metrics_buckets[kind];
	__u64 below = 0;
	unsigned int i;

	if (!histogram->count)
		return;
	for (i = 0; i <= buckets->count; i++) {
		below += histogram->counts[i];
		append_row_labels(text, name, "_bucket", labelled);
		append_bound(text, buckets, i);
		append_count(text, below);
	}
	append_row_labels(text, name, "_sum", labelled);
	text_string(text, "} ");
	append_seconds(text, histogram->sum_seconds, histogram->sum_ns);
	text_char(text, '\n');
	append_row_count(text, name, "_count", labelled, histogram->count);
}

static void append_family(struct text_buffer *text, const char *name, const char *type, const char *help,
			  const struct metrics_snapshot *snapshot, row_writer write, unsigned int kind)
{
	append_head(text, name, type, help);
	append_rows(text, name, snapshot, write, kind);
}

static void append_programs(struct text_buffer *text, const struct metrics_snapshot *snapshot)
{
	append_closed(text, snapshot);
	append_family(text, "netracker_sent_bytes_total", "counter",
		      "Payload that the local side sent, of connections that ended.", snapshot, write_bytes, 0);
	append_family(text, "netracker_received_bytes_total", "counter",
		      "Payload that the local side received, of connections that ended.", snapshot, write_bytes, 1);
	append_family(text, "netracker_sent_retransmits_total", "counter",
		      "Segments that the local side retransmitted, of connections that ended.", snapshot,
		      write_retransmits, 0);
	append_family(text, "netracker_received_retransmits_total", "counter",
		      "Segments that the other side retransmitted, as far as known, of connections that ended.",
		      snapshot, write_retransmits, 1);
	append_family(text, "netracker_handshake_duration_seconds", "histogram",
		      "From the SYN to the ACK that completes the handshake (handshake_ns).", snapshot, write_histogram,
		      METRICS_HANDSHAKE);
	append_family(text, "netracker_response_duration_seconds", "histogram",
		      "From the first payload of src to the first payload of dst (response_ns - request_ns).", snapshot,
		      write_histogram, METRICS_RESPONSE);
	append_family(text, "netracker_connection_duration_seconds", "histogram",
		      "From the beginning of a connection to its end (duration_ns).", snapshot, write_histogram,
		      METRICS_DURATION);
}

/* ---- the accounting and the tracker ---- */

static void append_cause(struct text_buffer *text, const char *name, const char *cause, __u64 count)
{
	text_string(text, name);
	text_string(text, "{cause=\"");
	append_label_value(text, cause, strlen(cause));
	text_string(text, "\"}");
	append_count(text, count);
}

static void append_filtered(struct text_buffer *text, const struct accounting *accounting)
{
	static const char name[] = "netracker_connections_filtered_total";
	unsigned int i;

	append_head(text, name, "counter", "Connections that did not pass the filter, by cause.");
	for (i = 0; i < ACCOUNTING_FILTERS; i++)
		append_cause(text, name, accounting_filter_name(i), accounting->filtered[i]);
}

static void append_lost(struct text_buffer *text, const struct accounting *accounting)
{
	static const char name[] = "netracker_connections_lost_total";
	unsigned int i;

	append_head(text, name, "counter", "Records that were lost, by cause.");
	for (i = 0; i < ACCOUNTING_LOSSES; i++)
		append_cause(text, name, accounting_loss_name(i), accounting->lost[i]);
}

static void append_accounting(struct text_buffer *text, const struct accounting *accounting)
{
	append_single(text, "netracker_connections_opened_total", "counter",
		      "Connections that began during tracking, before the filter.", accounting->opened);
	append_single(text, "netracker_connections_preexisting_total", "counter",
		      "Connections that were open when tracking began.", accounting->preexisting);
	append_single(text, "netracker_connections_open", "gauge", "Connections that are open now, before the filter.",
		      accounting->open);
	append_filtered(text, accounting);
	append_lost(text, accounting);
}

static void append_process(struct text_buffer *text, const struct metrics_process *process)
{
	static const char cpu[] = "netracker_process_cpu_seconds_total";

	append_head(text, cpu, "counter", "CPU time of the tracker's process, without its programs in the kernel.");
	text_string(text, cpu);
	text_char(text, ' ');
	append_seconds(text, process->cpu_ns / NS_PER_SECOND, (__u32)(process->cpu_ns % NS_PER_SECOND));
	text_char(text, '\n');
	if (process->resident_bytes)
		append_single(text, "netracker_process_resident_memory_bytes", "gauge",
			      "Resident memory of the tracker's process, without its tables in the kernel.",
			      process->resident_bytes);
}

static void append_build(struct text_buffer *text)
{
	append_head(text, "netracker_build_info", "gauge", "The version of the tracker; the value is 1.");
	text_string(text, "netracker_build_info{version=\"" NETRACKER_VERSION "\"} 1\n");
}

void metrics_text_append(struct text_buffer *text, const struct metrics_snapshot *snapshot,
			 const struct metrics_process *process)
{
	append_accounting(text, &snapshot->accounting);
	append_programs(text, snapshot);
	append_process(text, process);
	append_build(text);
}
