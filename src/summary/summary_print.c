// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_print.h"

#include "src/util/escape.h"
#include "src/util/readable.h"
#include "src/record/record_fields.h"

#define MOST_ROWS 6 /* by bytes, by connections and by failures */
#define NAME_WIDTH 26
#define LINE_WIDTH 80
#define DURATION_WIDTH 8
#define BYTES_WIDTH 14 /* the columns of both directions */
#define NUMBERS 7

struct number_column {
	const char *heading;
	unsigned int width;
	void (*print)(struct text_buffer *cell, const struct summary_sums *sums);
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

static const struct number_column number_columns[NUMBERS] = {
	{ "CONNS", 8, print_connections },   { "SENT", 6, print_sent },       { "RECV", 6, print_received },
	{ "RESET", 6, print_reset },         { "REFUSED", 7, print_refused }, { "TIMEOUT", 7, print_timeout },
	{ "UNREACH", 7, print_unreachable },
};

static void put_right(struct text_buffer *text, const char *bytes, size_t size, unsigned int width)
{
	text_spaces(text, 1 + (size < width ? width - size : 0));
	text_append(text, bytes, size);
}

/* A name that is too long has a line of its own above the numbers. */
static void put_name(struct text_buffer *text, const struct text_buffer *name)
{
	text_append(text, name->bytes, name->used);
	if (name->used > NAME_WIDTH)
		text_char(text, '\n');
	text_spaces(text, name->used > NAME_WIDTH ? NAME_WIDTH : NAME_WIDTH - name->used);
}

static void put_table_heading(struct text_buffer *text, const char *name)
{
	unsigned int i;

	text_char(text, '\n');
	text_string(text, name);
	text_spaces(text, NAME_WIDTH - strlen(name));
	for (i = 0; i < NUMBERS; i++)
		put_right(text, number_columns[i].heading, strlen(number_columns[i].heading), number_columns[i].width);
	text_char(text, '\n');
}

static void put_numbers(struct text_buffer *text, const struct summary_sums *sums)
{
	struct text_buffer cell = { 0 };
	unsigned int i;

	for (i = 0; i < NUMBERS; i++) {
		cell.used = 0;
		number_columns[i].print(&cell, sums);
		put_right(text, cell.bytes, cell.used, number_columns[i].width);
	}
	text_char(text, '\n');
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void name_process(struct text_buffer *name, const struct summary_row *row)
{
	if (!row->known) {
		text_string(name, "- (process unknown)");
		return;
	}
	escape_word(name, row->key, sizeof(row->key));
	if (row->one_pid)
		text_format(name, " (%u)", row->pid);
}

static void name_peer(struct text_buffer *name, const struct summary_row *row)
{
	char address[ADDRESS_TEXT_SIZE];

	record_address_text(address, (const __u8 *)row->key);
	text_string(name, address);
}

static void put_others(struct text_buffer *text, const struct summary_table *table, const struct summary_sums *rest)
{
	struct text_buffer name = { 0 };

	if (!rest->connections)
		return;
	text_string(&name, "others");
	put_name(text, &name);
	put_numbers(text, rest);
	text_free(&name);
	if (table->folded)
		text_format(text, "more than %d rows: their numbers are lower bounds, the rest is in \"others\"\n",
			    SUMMARY_ROWS);
}

static void put_table(struct text_buffer *text, const struct summary_table *table, const char *heading,
		      void (*print_name)(struct text_buffer *name, const struct summary_row *row))
{
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums rest;
	unsigned int count = summary_choose_rows(table, MOST_ROWS, chosen, &rest), i;
	struct text_buffer name = { 0 };

	if (!count && !rest.connections)
		return;
	if (count == 1 && !chosen[0]->known && !rest.connections)
		return; /* all connections without a process: the totals have the same numbers */
	put_table_heading(text, heading);
	for (i = 0; i < count; i++) {
		name.used = 0;
		print_name(&name, chosen[i]);
		put_name(text, &name);
		put_numbers(text, &chosen[i]->sums);
	}
	put_others(text, table, &rest);
	text->failed = text->failed || name.failed;
	text_free(&name);
}

static void append_row_endpoint(struct text_buffer *text, const __u8 *address, __u16 port)
{
	char address_text[ADDRESS_TEXT_SIZE];

	record_address_text(address_text, address);
	text_format(text, nt_address_family(address) == 4 ? "%s:%u" : "[%s]:%u", address_text, port);
}

/* Appends words to a line; continues on an indented new line if they do not fit. */
static void put_words(struct text_buffer *text, const struct text_buffer *words, size_t indent)
{
	const char *line = text->used ? memrchr(text->bytes, '\n', text->used) : NULL;
	size_t at = text->used - (line ? (size_t)(line - text->bytes) + 1 : 0);

	if (at > indent && at + 1 + words->used > LINE_WIDTH) {
		text_char(text, '\n');
		text_spaces(text, indent);
	} else if (at && at != indent)
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
static void put_connection(struct text_buffer *text, const struct summary_connection *row, size_t indent)
{
	struct text_buffer words = { 0 };

	append_row_endpoint(&words, row->src_ip, row->src_port);
	text_string(&words, " ->");
	put_words(text, &words, indent);
	words.used = 0;
	append_row_endpoint(&words, row->dst_ip, row->dst_port);
	put_words(text, &words, indent);
	put_owner(text, row, indent);
	text_char(text, '\n');
	text_free(&words);
}

static void put_slowest(struct text_buffer *text, const struct summary_top *slowest)
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
		put_connection(text, &slowest->rows[i], DURATION_WIDTH);
	}
	text->failed = text->failed || cell.failed;
	text_free(&cell);
}

static void put_busiest(struct text_buffer *text, const struct summary_top *busiest)
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
		put_connection(text, row, BYTES_WIDTH);
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

void summary_print(struct text_buffer *text, const struct summary *summary, __u64 from_ns, __u64 to_ns)
{
	put_times(text, from_ns, to_ns);
	put_totals(text, &summary->current.all, from_ns && to_ns > from_ns ? to_ns - from_ns : 0);
	put_table(text, &summary->current.processes, "PROCESS", name_process);
	put_table(text, &summary->current.peers, "PEER", name_peer);
	put_busiest(text, &summary->current.busiest);
	put_slowest(text, &summary->current.slowest);
}
