// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_lines.h"

#include "src/summary/problems.h"
#include "src/summary/summary_print.h"

#define SUMMARY_VERSION 1
#define MOST_EXACT_INTEGER ((1ULL << 53) - 1) /* JSON readers do not hold larger ones exactly (RFC 8259 section 6) */

static const char *const key_names[SUMMARY_KEYS] = {
	[SUMMARY_KEY_V] = "v",
	[SUMMARY_KEY_FROM] = "from",
	[SUMMARY_KEY_TO] = "to",
	[SUMMARY_KEY_HOST] = "host",
	[SUMMARY_KEY_TABLE] = "table",
	[SUMMARY_KEY_OTHERS] = "others",
	[SUMMARY_KEY_COMM] = "comm",
	[SUMMARY_KEY_PID] = "pid",
	[SUMMARY_KEY_IP] = "ip",
	[SUMMARY_KEY_PORT] = "port",
	[SUMMARY_KEY_SRC_IP] = "src_ip",
	[SUMMARY_KEY_SRC_PORT] = "src_port",
	[SUMMARY_KEY_DST_IP] = "dst_ip",
	[SUMMARY_KEY_DST_PORT] = "dst_port",
	[SUMMARY_KEY_CONNECTIONS] = "connections",
	[SUMMARY_KEY_SENT] = "sent_bytes",
	[SUMMARY_KEY_RECEIVED] = "received_bytes",
	[SUMMARY_KEY_SENT_UNKNOWN] = "sent_unknown",
	[SUMMARY_KEY_RECEIVED_UNKNOWN] = "received_unknown",
	[SUMMARY_KEY_PACKETS] = "packets",
	[SUMMARY_KEY_RETRANSMITS] = "retransmits",
	[SUMMARY_KEY_HANDSHAKES] = "handshakes",
	[SUMMARY_KEY_P50] = "handshake_p50_ns",
	[SUMMARY_KEY_P95] = "handshake_p95_ns",
	[SUMMARY_KEY_P99] = "handshake_p99_ns",
	[SUMMARY_KEY_HANDSHAKE] = "handshake_ns",
	[SUMMARY_KEY_PROBLEM] = "problem",
	[SUMMARY_KEY_COUNT] = "count",
	[SUMMARY_KEY_TEXT] = "text",
	[SUMMARY_KEY_COMMAND] = "command",
};

static const struct {
	const char *line, *list;
} kind_names[SUMMARY_LINE_KINDS] = {
	[SUMMARY_TOTAL] = { "total", NULL },
	[SUMMARY_PROBLEM] = { "problem", "problems" },
	[SUMMARY_PROCESS] = { "process", "processes" },
	[SUMMARY_SERVICE] = { "service", "services" },
	[SUMMARY_PEER] = { "peer", "peers" },
	[SUMMARY_BUSIEST] = { "busiest", "busiest" },
	[SUMMARY_SLOWEST] = { "slowest", "slowest" },
};

struct line_writer {
	const struct summary_span *span;
	void (*write)(void *context, const struct summary_line *line);
	void *context;
	struct summary_line line;
	bool failed;
};

const char *summary_key_name(enum summary_key key)
{
	if (key >= SUMMARY_KEY_OUTCOMES && key < SUMMARY_KEY_SENT)
		return field_name(&record_outcome_names, key - SUMMARY_KEY_OUTCOMES);
	return key_names[key];
}

const char *summary_kind_name(enum summary_line_kind kind)
{
	return kind_names[kind].line;
}

const char *summary_list_name(enum summary_line_kind kind)
{
	return kind_names[kind].list;
}

/* ---- values ---- */

static void set_integer(struct summary_line *line, enum summary_key key, __u64 integer)
{
	if (integer > MOST_EXACT_INTEGER)
		return;
	line->values[key].type = SUMMARY_INTEGER;
	line->values[key].integer = integer;
}

static void set_string(struct summary_line *line, enum summary_key key, const char *string, size_t size)
{
	line->values[key].type = SUMMARY_STRING;
	line->values[key].string = string;
	line->values[key].size = size;
}

static void set_address(struct summary_line *line, enum summary_key key, const __u8 *address)
{
	record_address_text(line->values[key].storage, address);
	set_string(line, key, line->values[key].storage, FIELD_STORAGE_SIZE);
}

static void set_time(struct summary_line *line, enum summary_key key, __u64 ns)
{
	if (!ns)
		return;
	record_time_text(line->values[key].storage, ns, 9);
	set_string(line, key, line->values[key].storage, FIELD_STORAGE_SIZE);
}

static void begin_summary_line(struct line_writer *writer, enum summary_line_kind kind)
{
	const struct summary_span *span = writer->span;
	struct summary_line *line = &writer->line;

	*line = (struct summary_line){ .kind = kind };
	set_integer(line, SUMMARY_KEY_V, SUMMARY_VERSION);
	set_time(line, SUMMARY_KEY_FROM, span->from_ns);
	set_time(line, SUMMARY_KEY_TO, span->to_ns);
	if (span->host)
		set_string(line, SUMMARY_KEY_HOST, span->host, strlen(span->host));
	set_string(line, SUMMARY_KEY_TABLE, kind_names[kind].line, strlen(kind_names[kind].line));
}

static void end_summary_line(const struct line_writer *writer)
{
	writer->write(writer->context, &writer->line);
}

static void set_sums(struct summary_line *line, const struct summary_sums *sums)
{
	unsigned int i;

	set_integer(line, SUMMARY_KEY_CONNECTIONS, sums->connections);
	for (i = 0; i < SUMMARY_OUTCOMES; i++)
		set_integer(line, SUMMARY_KEY_OUTCOMES + i, sums->outcomes[i]);
	for (i = SUMMARY_SENT; i <= SUMMARY_RECEIVED; i++) {
		if (sums->bytes_known[i])
			set_integer(line, SUMMARY_KEY_SENT + i, sums->bytes[i]);
		set_integer(line, SUMMARY_KEY_SENT_UNKNOWN + i, sums->connections - sums->bytes_known[i]);
	}
	if (!sums->packets)
		return;
	set_integer(line, SUMMARY_KEY_PACKETS, sums->packets);
	set_integer(line, SUMMARY_KEY_RETRANSMITS, sums->retransmits);
}

/* ---- lines ---- */

static void write_totals(struct line_writer *writer, struct summary_interval *interval)
{
	struct percentiles *handshakes = &interval->handshakes;
	struct summary_line *line = &writer->line;

	begin_summary_line(writer, SUMMARY_TOTAL);
	set_sums(line, &interval->all);
	set_integer(line, SUMMARY_KEY_HANDSHAKES, handshakes->count);
	if (handshakes->count) {
		set_integer(line, SUMMARY_KEY_P50, percentiles_get(handshakes, 50));
		set_integer(line, SUMMARY_KEY_P95, percentiles_get(handshakes, 95));
		set_integer(line, SUMMARY_KEY_P99, percentiles_get(handshakes, 99));
	}
	end_summary_line(writer);
}

static void write_problem(struct line_writer *writer, const struct problem *problem,
			  const struct summary_origin *origin)
{
	struct text_buffer sentence = { 0 }, command = { 0 };

	problem_describe(&sentence, problem);
	problem_command(&command, problem, origin);
	begin_summary_line(writer, SUMMARY_PROBLEM);
	set_string(&writer->line, SUMMARY_KEY_PROBLEM, problem_name(problem->kind),
		   strlen(problem_name(problem->kind)));
	set_integer(&writer->line, SUMMARY_KEY_COUNT, problem->count);
	set_string(&writer->line, SUMMARY_KEY_TEXT, sentence.bytes, sentence.used);
	set_string(&writer->line, SUMMARY_KEY_COMMAND, command.bytes, command.used);
	writer->failed = writer->failed || sentence.failed || command.failed;
	if (!sentence.failed && !command.failed)
		end_summary_line(writer);
	text_free(&sentence);
	text_free(&command);
}

static void write_problems(struct line_writer *writer, struct summary *summary)
{
	struct problems problems;
	unsigned int i;

	problems_find(&problems, summary, writer->span->to_ns);
	for (i = 0; i < problems.count; i++)
		write_problem(writer, &problems.list[i], &summary->origin);
}

static void set_owner(struct summary_line *line, const struct summary_owner *owner)
{
	if (owner->is_known && owner->one_name)
		set_string(line, SUMMARY_KEY_COMM, owner->comm, sizeof(owner->comm));
	if (owner->is_known && owner->one_pid)
		set_integer(line, SUMMARY_KEY_PID, owner->pid);
}

static void set_row_name(struct summary_line *line, const struct summary_row *row)
{
	if (line->kind == SUMMARY_PROCESS || line->kind == SUMMARY_SERVICE)
		set_owner(line, &row->owner);
	if (line->kind == SUMMARY_PROCESS)
		return;
	set_address(line, SUMMARY_KEY_IP, summary_row_address(row));
	if (line->kind == SUMMARY_SERVICE)
		set_integer(line, SUMMARY_KEY_PORT, summary_row_port(row));
}

static void write_table(struct line_writer *writer, enum summary_line_kind kind, const struct summary *summary,
			const struct summary_table *table)
{
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums rest;
	unsigned int count = summary_choose_shown(summary, table, chosen, &rest), i;

	for (i = 0; i < count; i++) {
		begin_summary_line(writer, kind);
		set_row_name(&writer->line, chosen[i]);
		set_sums(&writer->line, &chosen[i]->sums);
		end_summary_line(writer);
	}
	if (!rest.connections)
		return;
	begin_summary_line(writer, kind);
	set_integer(&writer->line, SUMMARY_KEY_OTHERS, 1);
	set_sums(&writer->line, &rest);
	end_summary_line(writer);
}

static void write_connection(struct line_writer *writer, enum summary_line_kind kind,
			     const struct summary_connection *row)
{
	struct summary_line *line = &writer->line;
	unsigned int i;

	begin_summary_line(writer, kind);
	if (row->has_comm)
		set_string(line, SUMMARY_KEY_COMM, row->comm, sizeof(row->comm));
	if (row->has_pid)
		set_integer(line, SUMMARY_KEY_PID, row->pid);
	set_address(line, SUMMARY_KEY_SRC_IP, row->src_ip);
	set_integer(line, SUMMARY_KEY_SRC_PORT, row->src_port);
	set_address(line, SUMMARY_KEY_DST_IP, row->dst_ip);
	set_integer(line, SUMMARY_KEY_DST_PORT, row->dst_port);
	for (i = SUMMARY_SENT; i <= SUMMARY_RECEIVED; i++)
		if (row->bytes_known[i])
			set_integer(line, SUMMARY_KEY_SENT + i, row->bytes[i]);
	if (kind == SUMMARY_SLOWEST)
		set_integer(line, SUMMARY_KEY_HANDSHAKE, row->rank);
	end_summary_line(writer);
}

static void write_connections(struct line_writer *writer, enum summary_line_kind kind, const struct summary_top *top)
{
	unsigned int i;

	for (i = 0; i < top->count; i++)
		write_connection(writer, kind, &top->rows[i]);
}

bool summary_lines_each(struct summary *summary, const struct summary_span *span,
			void (*write)(void *context, const struct summary_line *line), void *context)
{
	struct line_writer writer = { .span = span, .write = write, .context = context };
	struct summary_interval *interval = &summary->current;

	write_totals(&writer, interval);
	write_problems(&writer, summary);
	write_table(&writer, SUMMARY_PROCESS, summary, &interval->processes);
	write_table(&writer, SUMMARY_SERVICE, summary, &interval->services);
	write_table(&writer, SUMMARY_PEER, summary, &interval->peers);
	write_connections(&writer, SUMMARY_BUSIEST, &interval->busiest);
	write_connections(&writer, SUMMARY_SLOWEST, &interval->slowest);
	return !writer.failed;
}
