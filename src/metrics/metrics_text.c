// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_text.h"

#include "src/record/record_fields.h"
#include "src/util/escape.h"

#define NS_PER_SECOND 1000000000ULL
#define COUNTER_SUFFIX "_total"

struct page {
	struct text_buffer *text;
	enum metrics_format format;
	const struct metrics_snapshot *snapshot;
};

/* One program in one role. */
struct labelled_row {
	unsigned int program, role;
	const struct metrics_row *row;
};

typedef void (*row_writer)(const struct page *page, const char *name, const struct labelled_row *labelled,
			   unsigned int kind);

const char *metrics_content_type(enum metrics_format format)
{
	return format == METRICS_OPENMETRICS ? METRICS_OPENMETRICS_TYPE "; version=" METRICS_OPENMETRICS_VERSION
									"; charset=utf-8" :
					       METRICS_TEXT_TYPE "; version=" METRICS_TEXT_VERSION "; charset=utf-8";
}

/* In OpenMetrics the suffix of a counter belongs to its samples and not to its name. */
static size_t family_size(const struct page *page, const char *name, const char *type)
{
	size_t size = strlen(name);

	return page->format == METRICS_OPENMETRICS && !strcmp(type, "counter") ? size - strlen(COUNTER_SUFFIX) : size;
}

static void append_head(const struct page *page, const char *name, const char *type, const char *help)
{
	struct text_buffer *text = page->text;
	size_t size = family_size(page, name, type);

	text_string(text, "# HELP ");
	text_append(text, name, size);
	text_char(text, ' ');
	text_string(text, help);
	text_string(text, "\n# TYPE ");
	text_append(text, name, size);
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

static void append_single(const struct page *page, const char *name, const char *type, const char *help, __u64 count)
{
	append_head(page, name, type, help);
	text_string(page->text, name);
	append_count(page->text, count);
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

static void append_program(const struct page *page, const struct labelled_row *labelled)
{
	if (labelled->program == METRICS_PROGRAM_OTHER)
		text_string(page->text, METRICS_OTHER);
	else if (labelled->program != METRICS_PROGRAM_UNKNOWN)
		append_label_value(page->text, page->snapshot->programs[labelled->program].comm, NT_COMM_SIZE);
}

/* Appends the name and the labels that all metrics of a row have, without the closing brace. */
static void append_row_labels(const struct page *page, const char *name, const char *suffix,
			      const struct labelled_row *labelled)
{
	struct text_buffer *text = page->text;

	text_string(text, name);
	text_string(text, suffix);
	text_string(text, "{program=\"");
	append_program(page, labelled);
	text_string(text, "\",role=\"");
	text_string(text, field_name(&record_role_names, labelled->role));
	text_char(text, '"');
}

/* ---- the counts of programs ---- */

/* Calls `write` for each program and role that had a connection. */
static void append_rows(const struct page *page, const char *name, row_writer write, unsigned int kind)
{
	const struct metrics_snapshot *snapshot = page->snapshot;
	struct labelled_row labelled = { 0 };

	for (; labelled.program < snapshot->program_count; labelled.program++) {
		for (labelled.role = 0; labelled.role < METRICS_ROLES; labelled.role++) {
			labelled.row = &snapshot->programs[labelled.program].roles[labelled.role];
			if (labelled.row->connections)
				write(page, name, &labelled, kind);
		}
	}
}

static void write_closed(const struct page *page, const char *name, const struct labelled_row *labelled,
			 unsigned int outcome)
{
	struct text_buffer *text = page->text;
	unsigned int ender;

	for (ender = 0; ender < METRICS_ENDERS; ender++) {
		if (!labelled->row->closed[outcome][ender])
			continue;
		append_row_labels(page, name, "", labelled);
		text_string(text, ",outcome=\"");
		text_string(text, field_name(&record_outcome_names, outcome));
		text_string(text, "\",ended_by=\"");
		if (ender != METRICS_ENDER_UNKNOWN)
			text_string(text, field_name(&record_side_names, ender));
		text_string(text, "\"}");
		append_count(text, labelled->row->closed[outcome][ender]);
	}
}

static void append_closed(const struct page *page)
{
	static const char name[] = "netracker_connections_closed_total";
	unsigned int outcome;

	append_head(page, name, "counter", "Connections that ended and passed the filter.");
	for (outcome = 0; outcome < METRICS_OUTCOMES; outcome++)
		append_rows(page, name, write_closed, outcome);
}

static void append_row_count(const struct page *page, const char *name, const char *suffix,
			     const struct labelled_row *labelled, __u64 count)
{
	append_row_labels(page, name, suffix, labelled);
	text_char(page->text, '}');
	append_count(page->text, count);
}

static void write_bytes(const struct page *page, const char *name, const struct labelled_row *labelled,
			unsigned int received)
{
	append_row_count(page, name, "", labelled, labelled->row->bytes[received]);
}

static void write_retransmits(const struct page *page, const char *name, const struct labelled_row *labelled,
			      unsigned int received)
{
	append_row_count(page, name, "", labelled, labelled->row->retransmits[received]);
}

/* ---- histograms ---- */

/* OpenMetrics writes a whole number as "1.0" in a label. */
static void append_bound(const struct page *page, const struct metrics_buckets *buckets, unsigned int bucket)
{
	__u64 most_ns = bucket < buckets->count ? buckets->most_ns[bucket] : 0;

	text_string(page->text, ",le=\"");
	if (!most_ns)
		text_string(page->text, "+Inf");
	else
		append_seconds(page->text, most_ns / NS_PER_SECOND, (__u32)(most_ns % NS_PER_SECOND));
	if (most_ns && !(most_ns % NS_PER_SECOND) && page->format == METRICS_OPENMETRICS)
		text_string(page->text, ".0");
	text_string(page->text, "\"}");
}

static void write_histogram(const struct page *page, const char *name, const struct labelled_row *labelled,
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
		append_row_labels(page, name, "_bucket", labelled);
		append_bound(page, buckets, i);
		append_count(page->text, below);
	}
	append_row_labels(page, name, "_sum", labelled);
	text_string(page->text, "} ");
	append_seconds(page->text, histogram->sum_seconds, histogram->sum_ns);
	text_char(page->text, '\n');
	append_row_count(page, name, "_count", labelled, histogram->count);
}

static void append_family(const struct page *page, const char *name, const char *type, const char *help,
			  row_writer write, unsigned int kind)
{
	append_head(page, name, type, help);
	append_rows(page, name, write, kind);
}

static void append_programs(const struct page *page)
{
	append_closed(page);
	append_family(page, "netracker_sent_bytes_total", "counter",
		      "Payload that the local side sent, of connections that ended.", write_bytes, 0);
	append_family(page, "netracker_received_bytes_total", "counter",
		      "Payload that the local side received, of connections that ended.", write_bytes, 1);
	append_family(page, "netracker_sent_retransmits_total", "counter",
		      "Segments that the local side retransmitted, of connections that ended.", write_retransmits, 0);
	append_family(page, "netracker_received_retransmits_total", "counter",
		      "Segments that the other side retransmitted, as far as known, of connections that ended.",
		      write_retransmits, 1);
	append_family(page, "netracker_handshake_duration_seconds", "histogram",
		      "From the SYN to the ACK that completes the handshake (handshake_ns).", write_histogram,
		      METRICS_HANDSHAKE);
	append_family(page, "netracker_response_duration_seconds", "histogram",
		      "From the first payload of src to the first payload of dst (response_ns - request_ns).",
		      write_histogram, METRICS_RESPONSE);
	append_family(page, "netracker_connection_duration_seconds", "histogram",
		      "From the beginning of a connection to its end (duration_ns).", write_histogram,
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

static void append_filtered(const struct page *page)
{
	const struct accounting *accounting = &page->snapshot->accounting;
	static const char name[] = "netracker_connections_filtered_total";
	unsigned int i;

	append_head(page, name, "counter", "Connections that did not pass the filter, by cause.");
	for (i = 0; i < ACCOUNTING_FILTERS; i++)
		append_cause(page->text, name, accounting_filter_name(i), accounting->filtered[i]);
}

static void append_lost(const struct page *page)
{
	const struct accounting *accounting = &page->snapshot->accounting;
	static const char name[] = "netracker_connections_lost_total";
	unsigned int i;

	append_head(page, name, "counter", "Records that were lost, by cause.");
	for (i = 0; i < ACCOUNTING_LOSSES; i++)
		append_cause(page->text, name, accounting_loss_name(i), accounting->lost[i]);
}

/* A half-open connection to a listener has no socket, so a 0 in syn_recv would not show that there are none: only a
 * simultaneous open is there. */
static bool is_state_shown(const struct metrics_snapshot *snapshot, unsigned int state)
{
	switch (state) {
	case NT_TCP_ESTABLISHED:
	case NT_TCP_SYN_SENT:
	case NT_TCP_FIN_WAIT1:
	case NT_TCP_FIN_WAIT2:
	case NT_TCP_CLOSE_WAIT:
	case NT_TCP_LAST_ACK:
	case NT_TCP_CLOSING:
		return true;
	default:
		return state && snapshot->states[state];
	}
}

static void append_states(const struct page *page)
{
	static const char name[] = "netracker_connections";
	unsigned int state;

	append_head(page, name, "gauge", "Open connections of local sockets, by TCP state, before the filter.");
	for (state = 0; state < NT_TCP_STATES; state++) {
		if (!is_state_shown(page->snapshot, state))
			continue;
		text_string(page->text, name);
		text_string(page->text, "{state=\"");
		text_string(page->text, field_name(&record_state_names, state));
		text_string(page->text, "\"}");
		append_count(page->text, page->snapshot->states[state]);
	}
}

static void append_accounting(const struct page *page)
{
	const struct accounting *accounting = &page->snapshot->accounting;

	append_single(page, "netracker_connections_opened_total", "counter",
		      "Connections that began during tracking, before the filter.", accounting->opened);
	append_single(page, "netracker_connections_preexisting_total", "counter",
		      "Connections that were open when tracking began.", accounting->preexisting);
	append_single(page, "netracker_connections_open", "gauge", "Connections that are open now, before the filter.",
		      accounting->open);
	append_filtered(page);
	append_lost(page);
	if (page->snapshot->has_states)
		append_states(page);
}

static void append_process(const struct page *page, const struct metrics_process *process)
{
	static const char cpu[] = "netracker_process_cpu_seconds_total";

	append_head(page, cpu, "counter", "CPU time of the tracker's process, without its programs in the kernel.");
	text_string(page->text, cpu);
	text_char(page->text, ' ');
	append_seconds(page->text, process->cpu_ns / NS_PER_SECOND, (__u32)(process->cpu_ns % NS_PER_SECOND));
	text_char(page->text, '\n');
	if (process->resident_bytes)
		append_single(page, "netracker_process_resident_memory_bytes", "gauge",
			      "Resident memory of the tracker's process, without its tables in the kernel.",
			      process->resident_bytes);
}

static void append_build(const struct page *page)
{
	append_head(page, "netracker_build_info", "gauge", "The version of the tracker; the value is 1.");
	text_string(page->text, "netracker_build_info{version=\"" NETRACKER_VERSION "\"} 1\n");
}

void metrics_text_append(struct text_buffer *text, enum metrics_format format, const struct metrics_snapshot *snapshot,
			 const struct metrics_process *process)
{
	const struct page page = { text, format, snapshot };

	append_accounting(&page);
	append_programs(&page);
	append_process(&page, process);
	append_build(&page);
	if (format == METRICS_OPENMETRICS)
		text_string(text, "# EOF\n");
}
