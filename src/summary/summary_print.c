// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_print.h"

#include "src/summary/problems.h"
#include "src/util/escape.h"
#include "src/util/readable.h"
#include "src/util/resolver.h"
#include "src/record/record_fields.h"

#define LINE_WIDTH 80
#define DURATION_WIDTH 8
#define SENTENCE_INDENT 2
#define COMMAND_INDENT 4
#define BYTES_WIDTH 14 /* the columns of both directions */

struct number_column {
	const char *heading;
	unsigned int width;
	void (*print)(struct text_buffer *cell, const struct summary_sums *sums);
};

/* The name and the columns fill LINE_WIDTH. */
struct table_layout {
	const char *heading;
	unsigned int name_width, column_count;
	const struct number_column *columns;
	void (*print_name)(struct text_buffer *name, const struct summary_row *row, struct resolver *names);
};

static void print_connections(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->connections);
}

/* "+" marks a sum that does not include connections whose bytes are unknown. */
static void print_bytes(struct text_buffer *cell, const struct summary_sums *sums, enum summary_direction direction)
{
	if (!sums->bytes_known[direction]) {
		text_char(cell, '-');
		return;
	}
	readable_count(cell, sums->bytes[direction]);
	if (sums->bytes_known[direction] < sums->connections)
		text_char(cell, '+');
}

static void print_sent(struct text_buffer *cell, const struct summary_sums *sums)
{
	print_bytes(cell, sums, SUMMARY_SENT);
}

static void print_received(struct text_buffer *cell, const struct summary_sums *sums)
{
	print_bytes(cell, sums, SUMMARY_RECEIVED);
}

static void print_retransmits(struct text_buffer *cell, const struct summary_sums *sums)
{
	if (sums->packets)
		text_integer(cell, sums->retransmits);
	else
		text_char(cell, '-');
}

/* Prints "0.35%", "12.3%" or "100%". */
static void print_retransmit_ratio(struct text_buffer *cell, const struct summary_sums *sums)
{
	double percent = sums->packets ? 100.0 * (double)sums->retransmits / (double)sums->packets : 0;

	if (!sums->packets)
		text_char(cell, '-');
	else if (!sums->retransmits)
		text_string(cell, "0%");
	else
		text_format(cell, percent < 9.995 ? "%.2f%%" : percent < 99.95 ? "%.1f%%" : "%.0f%%", percent);
}

static void print_failed(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, summary_count_failures(sums));
}

static void print_reset(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_RESET]);
}

static void print_refused(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_REFUSED]);
}

static void print_timeout(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_TIMEOUT]);
}

static void print_unreachable(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_UNREACHABLE]);
}

static void print_unanswered(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_UNANSWERED]);
}

static void print_expired(struct text_buffer *cell, const struct summary_sums *sums)
{
	text_integer(cell, sums->outcomes[NT_OUTCOME_EXPIRED]);
}

#define COLUMNS(table) (sizeof(table) / sizeof((table)[0])), table

static const struct number_column traffic_columns[] = {
	{ "CONNS", 7, print_connections },      { "SENT", 6, print_sent },
	{ "RECV", 6, print_received },          { "RETRANS", 7, print_retransmits },
	{ "RETR%", 6, print_retransmit_ratio }, { "FAILED", 6, print_failed },
};

static const struct number_column failure_columns[] = {
	{ "RESET", 6, print_reset },         { "REFUSED", 7, print_refused },        { "TIMEOUT", 7, print_timeout },
	{ "UNREACH", 7, print_unreachable }, { "UNANSWERED", 10, print_unanswered }, { "EXPIRED", 7, print_expired },
};

static void put_right(struct text_buffer *text, const char *bytes, size_t size, unsigned int width)
{
	text_spaces(text, 1 + (size < width ? width - size : 0));
	text_append(text, bytes, size);
}

/* A name that is too long has a line of its own above the numbers. */
static void put_name(struct text_buffer *text, const struct table_layout *layout, const struct text_buffer *name)
{
	bool is_long = name->used > layout->name_width;

	text_append(text, name->bytes, name->used);
	if (is_long)
		text_char(text, '\n');
	text_spaces(text, is_long ? layout->name_width : layout->name_width - name->used);
}

static void put_table_heading(struct text_buffer *text, const struct table_layout *layout)
{
	unsigned int i;

	text_char(text, '\n');
	text_string(text, layout->heading);
	text_spaces(text, layout->name_width - strlen(layout->heading));
	for (i = 0; i < layout->column_count; i++)
		put_right(text, layout->columns[i].heading, strlen(layout->columns[i].heading),
			  layout->columns[i].width);
	text_char(text, '\n');
}

static void put_numbers(struct text_buffer *text, const struct table_layout *layout, const struct summary_sums *sums)
{
	struct text_buffer cell = { 0 };
	unsigned int i;

	for (i = 0; i < layout->column_count; i++) {
		cell.used = 0;
		layout->columns[i].print(&cell, sums);
		put_right(text, cell.bytes, cell.used, layout->columns[i].width);
	}
	text_char(text, '\n');
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void name_process(struct text_buffer *name, const struct summary_row *row, struct resolver *names)
{
	(void)names;
	if (!summary_row_has_name(row)) {
		text_string(name, "- (process unknown)");
		return;
	}
	escape_word(name, summary_row_name(row), NT_COMM_SIZE);
	if (row->owner.one_pid)
		text_format(name, " (%u)", row->owner.pid);
}

static void name_peer(struct text_buffer *name, const struct summary_row *row, struct resolver *names)
{
	char address[ADDRESS_TEXT_SIZE];

	if (names && resolver_append_name(names, summary_row_address(row), name))
		return;
	record_address_text(address, summary_row_address(row));
	text_string(name, address);
}

static void append_row_endpoint(struct text_buffer *text, const __u8 *address, __u16 port, struct resolver *names)
{
	char address_text[ADDRESS_TEXT_SIZE];

	if (names && resolver_append_name(names, address, text)) {
		text_format(text, ":%u", port);
		return;
	}
	record_address_text(address_text, address);
	text_format(text, nt_address_family(address) == 4 ? "%s:%u" : "[%s]:%u", address_text, port);
}

/* Names the process that listens, if it is local; several names are "...". */
static void name_service(struct text_buffer *name, const struct summary_row *row, struct resolver *names)
{
	append_row_endpoint(name, summary_row_address(row), summary_row_port(row), names);
	if (!row->owner.is_known)
		return;
	text_char(name, ' ');
	escape_word(name, row->owner.comm, NT_COMM_SIZE);
	if (!row->owner.one_name)
		text_string(name, ",...");
	else if (row->owner.one_pid)
		text_format(name, " (%u)", row->owner.pid);
}

static const struct table_layout process_layout = { "PROCESS", 36, COLUMNS(traffic_columns), name_process };
static const struct table_layout service_layout = { "SERVICE", 36, COLUMNS(traffic_columns), name_service };
static const struct table_layout peer_layout = { "PEER", 36, COLUMNS(traffic_columns), name_peer };
static const struct table_layout failure_layout = { "FAILURES BY PEER", 30, COLUMNS(failure_columns), name_peer };

static void put_others(struct text_buffer *text, const struct table_layout *layout, const struct summary_table *table,
		       const struct summary_sums *rest)
{
	struct text_buffer name = { 0 };

	text_string(&name, "others");
	put_name(text, layout, &name);
	put_numbers(text, layout, rest);
	text_free(&name);
	if (table->folded)
		text_format(text, "more than %d rows: their numbers are lower bounds, the rest is in \"others\"\n",
			    SUMMARY_ROWS);
}

static void put_rows(struct text_buffer *text, const struct table_layout *layout, const struct summary_row **rows,
		     unsigned int count, struct resolver *names)
{
	struct text_buffer name = { 0 };
	unsigned int i;

	put_table_heading(text, layout);
	for (i = 0; i < count; i++) {
		name.used = 0;
		layout->print_name(&name, rows[i], names);
		put_name(text, layout, &name);
		put_numbers(text, layout, &rows[i]->sums);
	}
	text->failed = text->failed || name.failed;
	text_free(&name);
}

/* A lone row of connections without a process has the numbers of the totals. */
static bool is_repetition(const struct table_layout *layout, const struct summary_row **rows, unsigned int count,
			  const struct summary_sums *rest)
{
	return layout == &process_layout && count == 1 && !rest->connections && !summary_row_has_name(rows[0]);
}

static void put_table(struct text_buffer *text, const struct table_layout *layout, const struct summary *summary,
		      const struct summary_table *table)
{
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums rest;
	unsigned int count = summary_choose_shown(summary, table, chosen, &rest);

	if ((!count && !rest.connections) || is_repetition(layout, chosen, count, &rest))
		return;
	put_rows(text, layout, chosen, count, summary->names);
	if (rest.connections)
		put_others(text, layout, table, &rest);
}

static void put_failures(struct text_buffer *text, const struct summary *summary)
{
	const struct summary_table *peers = &summary->current.peers;
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums rest;
	unsigned int count = summary_choose_failed(peers, summary_failed_rows(summary), chosen, &rest);
	bool has_rest = summary_count_failures(&rest);

	if (!count && !has_rest)
		return;
	put_rows(text, &failure_layout, chosen, count, summary->names);
	if (has_rest)
		put_others(text, &failure_layout, peers, &rest);
}

/* Appends words to a line; continues on an indented new line if they do not fit. */
static void put_words(struct text_buffer *text, const struct text_buffer *words, size_t indent)
{
	const char *line = text->used ? memrchr(text->bytes, '\n', text->used) : NULL;
	size_t at = text->used - (line ? (size_t)(line - text->bytes) + 1 : 0);

	if (at > indent && at + 1 + words->used > LINE_WIDTH) {
		text_char(text, '\n');
		text_spaces(text, indent);
	} else if (at && text->bytes[text->used - 1] != ' ')
		text_char(text, ' ');
	text_append(text, words->bytes, words->used);
	text->failed = text->failed || words->failed;
}

static void put_owner(struct text_buffer *text, const struct summary_connection *row, size_t indent)
{
	struct text_buffer words = { 0 };

	if (row->has_comm) {
		escape_word(&words, row->comm, sizeof(row->comm));
		put_words(text, &words, indent);
	}
	words.used = 0;
	if (row->has_pid) {
		text_format(&words, "(%u)", row->pid);
		put_words(text, &words, indent);
	}
	text_free(&words);
}

/* Appends endpoints and owner after the row's numbers, which are `indent` wide. */
static void put_connection(struct text_buffer *text, const struct summary_connection *row, size_t indent,
			   struct resolver *names)
{
	struct text_buffer words = { 0 };

	append_row_endpoint(&words, row->src_ip, row->src_port, names);
	text_string(&words, " ->");
	put_words(text, &words, indent);
	words.used = 0;
	append_row_endpoint(&words, row->dst_ip, row->dst_port, names);
	put_words(text, &words, indent);
	put_owner(text, row, indent);
	text_char(text, '\n');
	text_free(&words);
}

static void put_slowest(struct text_buffer *text, const struct summary_top *slowest, struct resolver *names)
{
	struct text_buffer cell = { 0 };
	unsigned int i;

	if (slowest->count)
		text_string(text, "\nSLOWEST HANDSHAKES\n");
	for (i = 0; i < slowest->count; i++) {
		cell.used = 0;
		readable_duration(&cell, slowest->rows[i].rank);
		text_append(text, cell.bytes, cell.used);
		text_spaces(text, cell.used < DURATION_WIDTH ? DURATION_WIDTH - cell.used : 1);
		put_connection(text, &slowest->rows[i], DURATION_WIDTH, names);
	}
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void put_busiest(struct text_buffer *text, const struct summary_top *busiest, struct resolver *names)
{
	struct text_buffer cell = { 0 };
	unsigned int i, direction;

	if (busiest->count)
		text_string(text, "\n  SENT   RECV BUSIEST CONNECTIONS\n");
	for (i = 0; i < busiest->count; i++) {
		const struct summary_connection *row = &busiest->rows[i];

		for (direction = SUMMARY_SENT; direction <= SUMMARY_RECEIVED; direction++) {
			cell.used = 0;
			if (row->bytes_known[direction])
				readable_count(&cell, row->bytes[direction]);
			else
				text_char(&cell, '-');
			text_spaces(text, cell.used < 6 ? 6 - cell.used : 0);
			text_append(text, cell.bytes, cell.used);
			text_char(text, ' ');
		}
		put_connection(text, row, BYTES_WIDTH, names);
	}
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void put_times(struct text_buffer *text, __u64 from_ns, __u64 to_ns)
{
	char time[FIELD_STORAGE_SIZE];

	if (!from_ns)
		return;
	record_time_text(time, from_ns, 3);
	text_format(text, "from %s", time);
	record_time_text(time, to_ns, 3);
	text_format(text, " to %s\n", time);
}

static void put_rate(struct text_buffer *text, const struct summary_sums *all, enum summary_direction direction,
		     __u64 ns)
{
	if (!ns || !all->bytes_known[direction])
		return;
	text_string(text, " (");
	readable_count(text, (__u64)((double)all->bytes[direction] * 1e9 / (double)ns));
	text_string(text, "/s)");
}

static void put_bytes(struct text_buffer *text, const struct summary_sums *all, __u64 ns)
{
	text_string(text, "sent ");
	print_sent(text, all);
	put_rate(text, all, SUMMARY_SENT, ns);
	text_string(text, ", received ");
	print_received(text, all);
	put_rate(text, all, SUMMARY_RECEIVED, ns);
	text_char(text, '\n');
}

/* Prints "124 connections: 114 closed, 10 reset", then bytes and rates. `ns`: length of the interval; 0: no rates. */
static void put_totals(struct text_buffer *text, const struct summary_sums *all, __u64 ns)
{
	struct text_buffer words = { 0 };
	__u64 printed = 0;
	unsigned int i;

	text_format(text, all->connections == 1 ? "%llu connection%s" : "%llu connections%s",
		    (unsigned long long)all->connections, all->connections ? ":" : "");
	for (i = 0; i < SUMMARY_OUTCOMES; i++) {
		if (!all->outcomes[i])
			continue;
		printed += all->outcomes[i];
		words.used = 0;
		text_format(&words, "%llu %s%s", (unsigned long long)all->outcomes[i],
			    field_name(&record_outcome_names, i), printed < all->connections ? "," : "");
		put_words(text, &words, 0);
	}
	text_char(text, '\n');
	text_free(&words);
	if (all->connections)
		put_bytes(text, all, ns);
}

/* Breaks the sentence at its words. */
static void put_sentence(struct text_buffer *text, const struct text_buffer *sentence)
{
	const char *word = sentence->bytes, *end = sentence->bytes + sentence->used, *space;

	for (; word < end; word = space + 1) {
		space = memchr(word, ' ', (size_t)(end - word));
		space = space ? space : end;
		put_words(text,
			  &(struct text_buffer){
				  .bytes = (char *)word, .used = (size_t)(space - word), .failed = sentence->failed },
			  SENTENCE_INDENT);
	}
	text_char(text, '\n');
}

/* The command has a line of its own, however long it is: it is there to be copied. */
static void put_problem(struct text_buffer *text, const struct problem *problem, const struct summary_origin *origin)
{
	struct text_buffer sentence = { 0 };

	problem_describe(&sentence, problem);
	text_char(&sentence, ':');
	put_sentence(text, &sentence);
	text_spaces(text, COMMAND_INDENT);
	problem_command(text, problem, origin);
	text_char(text, '\n');
	text_free(&sentence);
}

static void put_problems(struct text_buffer *text, struct summary *summary, __u64 to_ns)
{
	struct problems problems;
	unsigned int i;

	problems_find(&problems, summary, to_ns);
	text_string(text, problems.count ? "PROBLEMS\n" : "no problems found\n");
	for (i = 0; i < problems.count; i++)
		put_problem(text, &problems.list[i], &summary->origin);
	if (problems.omitted)
		text_format(text, "and %llu more of these kinds, which are smaller\n",
			    (unsigned long long)problems.omitted);
	if (problems.count)
		text_char(text, '\n');
}

/* Prints "retransmitted 12 of 3400 packets (0.35%)". */
static void put_retransmits(struct text_buffer *text, const struct summary_sums *all)
{
	if (!all->packets)
		return;
	text_format(text, "retransmitted %llu of %llu packets", (unsigned long long)all->retransmits,
		    (unsigned long long)all->packets);
	text_string(text, " (");
	print_retransmit_ratio(text, all);
	text_string(text, ")\n");
}

static void put_percentiles(struct text_buffer *text, struct percentiles *handshakes)
{
	static const unsigned int percents[] = { 50, 95, 99 };
	unsigned int i;

	if (!handshakes->count)
		return;
	text_format(text, "%llu handshake%s:", (unsigned long long)handshakes->count,
		    handshakes->count == 1 ? "" : "s");
	for (i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		text_format(text, "%s p%u ", i ? "," : "", percents[i]);
		readable_duration(text, percentiles_get(handshakes, percents[i]));
	}
	text_char(text, '\n');
}

void summary_print(struct text_buffer *text, struct summary *summary, __u64 from_ns, __u64 to_ns)
{
	struct summary_interval *interval = &summary->current;

	put_times(text, from_ns, to_ns);
	put_problems(text, summary, to_ns);
	put_totals(text, &interval->all, from_ns && to_ns > from_ns ? to_ns - from_ns : 0);
	put_retransmits(text, &interval->all);
	put_percentiles(text, &interval->handshakes);
	put_table(text, &process_layout, summary, &interval->processes);
	put_table(text, &service_layout, summary, &interval->services);
	put_table(text, &peer_layout, summary, &interval->peers);
	put_failures(text, summary);
	put_busiest(text, &interval->busiest, summary->names);
	put_slowest(text, &interval->slowest, summary->names);
}
