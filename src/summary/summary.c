// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* How many rows of a full table are kept by each of the three orders; the rest is added to `others`. */
#define ROWS_KEPT (SUMMARY_ROWS / 4)

typedef int (*row_order)(const void *one, const void *other);

static void free_nothing(void *row)
{
	(void)row;
}

static void clear_table(struct summary_table *table)
{
	struct summary_row *rows = table->rows;

	tdestroy(table->tree, free_nothing);
	*table = (struct summary_table){ .rows = rows };
}

static void clear_interval(struct summary_interval *interval)
{
	clear_table(&interval->processes);
	clear_table(&interval->peers);
	memset(&interval->all, 0, sizeof(interval->all));
	interval->busiest.count = interval->slowest.count = 0;
}

static void free_interval(struct summary_interval *interval)
{
	clear_interval(interval);
	free(interval->processes.rows);
	free(interval->peers.rows);
}

/* `interval` is all zero. Returns false without memory; call free_interval() either way. */
static bool allocate_interval(struct summary_interval *interval)
{
	interval->processes.rows = calloc(SUMMARY_ROWS, sizeof(struct summary_row));
	interval->peers.rows = calloc(SUMMARY_ROWS, sizeof(struct summary_row));
	return interval->processes.rows && interval->peers.rows;
}

struct summary *summary_new(void)
{
	struct summary *summary = calloc(1, sizeof(*summary));

	if (!summary || allocate_interval(&summary->current))
		return summary;
	summary_free(summary);
	return NULL;
}

void summary_begin_next(struct summary *summary)
{
	struct summary_interval cleared;

	clear_interval(&summary->current);
	if (!summary->later)
		return;
	cleared = summary->current;
	summary->current = *summary->later;
	*summary->later = cleared;
}

void summary_free(struct summary *summary)
{
	if (!summary)
		return;
	if (summary->later)
		free_interval(summary->later);
	free(summary->later);
	free_interval(&summary->current);
	byte_marks_clear(&summary->marks);
	free(summary);
}

/* ---- sums ---- */

static enum nt_side sender(const struct nt_record *record, enum summary_direction direction)
{
	bool src_is_ours = record->role != NT_ROLE_SERVER;

	return src_is_ours == (direction == SUMMARY_SENT) ? NT_SRC : NT_DST;
}

static void add_record(struct summary_sums *sums, const struct nt_record *record, const struct bytes_moved *moved)
{
	int direction;

	sums->connections++;
	if (record->outcome < SUMMARY_OUTCOMES)
		sums->outcomes[record->outcome]++;
	for (direction = SUMMARY_SENT; direction <= SUMMARY_RECEIVED; direction++) {
		enum nt_side side = sender(record, direction);

		sums->bytes[direction] += moved->bytes[side];
		sums->bytes_known[direction] += moved->known[side];
	}
}

static void add_sums(struct summary_sums *sums, const struct summary_sums *more)
{
	int i;

	sums->connections += more->connections;
	for (i = 0; i < SUMMARY_OUTCOMES; i++)
		sums->outcomes[i] += more->outcomes[i];
	for (i = 0; i < 2; i++) {
		sums->bytes[i] += more->bytes[i];
		sums->bytes_known[i] += more->bytes_known[i];
	}
}

__u64 summary_count_failures(const struct summary_sums *sums)
{
	return sums->outcomes[NT_OUTCOME_RESET] + sums->outcomes[NT_OUTCOME_REFUSED] +
	       sums->outcomes[NT_OUTCOME_TIMEOUT] + sums->outcomes[NT_OUTCOME_UNREACHABLE];
}

/* ---- orders of rows: descending; equal rows in the order of insertion ---- */

static int by_number(__u64 one, __u64 other)
{
	return one < other ? 1 : one > other ? -1 : 0;
}

static const struct summary_row *row_at(const void *place)
{
	return *(const struct summary_row *const *)place;
}

static int by_place(const void *one, const void *other)
{
	return row_at(one) < row_at(other) ? -1 : row_at(one) > row_at(other);
}

static int by_connections(const void *one, const void *other)
{
	int order = by_number(row_at(one)->sums.connections, row_at(other)->sums.connections);

	return order ? order : by_place(one, other);
}

static int by_failures(const void *one, const void *other)
{
	int order = by_number(summary_count_failures(&row_at(one)->sums), summary_count_failures(&row_at(other)->sums));

	return order ? order : by_place(one, other);
}

static int by_bytes(const void *one, const void *other)
{
	const struct summary_sums *first = &row_at(one)->sums, *second = &row_at(other)->sums;
	int order = by_number(first->bytes[SUMMARY_SENT] + first->bytes[SUMMARY_RECEIVED],
			      second->bytes[SUMMARY_SENT] + second->bytes[SUMMARY_RECEIVED]);

	return order ? order : by_connections(one, other);
}

static bool has_failures(const struct summary_row *row)
{
	return summary_count_failures(&row->sums) > 0;
}

/* Sets `is_chosen` of the first `most` rows in this order. */
static void choose_first(const struct summary_table *table, const struct summary_row **rows, row_order order,
			 unsigned int most, bool *is_chosen)
{
	unsigned int i;

	qsort(rows, table->count, sizeof(*rows), order);
	for (i = 0; i < most && i < table->count; i++)
		if (order != by_failures || has_failures(rows[i]))
			is_chosen[rows[i] - table->rows] = true;
}

unsigned int summary_choose_rows(const struct summary_table *table, unsigned int most,
				 const struct summary_row **chosen, struct summary_sums *rest)
{
	const struct summary_row *rows[SUMMARY_ROWS];
	bool is_chosen[SUMMARY_ROWS] = { false };
	unsigned int count = 0, i;

	for (i = 0; i < table->count; i++)
		rows[i] = &table->rows[i];
	choose_first(table, rows, by_failures, most, is_chosen);
	choose_first(table, rows, by_connections, most, is_chosen);
	choose_first(table, rows, by_bytes, most, is_chosen);
	*rest = table->others;
	for (i = 0; i < table->count; i++) {
		if (is_chosen[rows[i] - table->rows])
			chosen[count++] = rows[i];
		else
			add_sums(rest, &rows[i]->sums);
	}
	return count;
}

/* ---- the tables ---- */

static int compare_keys(const void *one, const void *other)
{
	const struct summary_row *first = one, *second = other;

	if (first->known != second->known)
		return first->known ? 1 : -1;
	return memcmp(first->key, second->key, SUMMARY_KEY_SIZE);
}

static bool index_rows(struct summary_table *table)
{
	unsigned int i;

	tdestroy(table->tree, free_nothing);
	table->tree = NULL;
	for (i = 0; i < table->count; i++)
		if (!tsearch(&table->rows[i], &table->tree, compare_keys))
			return false;
	return true;
}

/* Reduces a full table to its chosen rows, in the order of insertion. Returns false without memory. */
static bool fold_rows(struct summary_table *table)
{
	const struct summary_row *chosen[SUMMARY_ROWS];
	struct summary_sums others;
	unsigned int count = summary_choose_rows(table, ROWS_KEPT, chosen, &others), i;

	qsort(chosen, count, sizeof(*chosen), by_place);
	for (i = 0; i < count; i++)
		table->rows[i] = *chosen[i];
	table->folded += table->count - count;
	table->count = count;
	table->others = others;
	return index_rows(table);
}

/* Returns the row of this key, or a new one. NULL without memory. */
static struct summary_row *find_row(struct summary_table *table, const struct summary_row *key)
{
	struct summary_row *const *found = tfind(key, &table->tree, compare_keys);
	struct summary_row *row;

	if (found)
		return *found;
	if (table->count == SUMMARY_ROWS && !fold_rows(table))
		return NULL;
	row = &table->rows[table->count];
	*row = *key;
	if (!tsearch(row, &table->tree, compare_keys))
		return NULL;
	table->count++;
	return row;
}

static void add_to_table(struct summary_table *table, const struct summary_row *key, const struct nt_record *record,
			 const struct bytes_moved *moved)
{
	struct summary_row *row = find_row(table, key);

	if (row)
		row->one_pid = row->one_pid && key->one_pid && row->pid == key->pid;
	add_record(row ? &row->sums : &table->others, record, moved);
}

static void add_to_processes(struct summary_interval *interval, const struct nt_record *record,
			     const struct bytes_moved *moved)
{
	bool has_pid = nt_record_has(record, NT_HAS_PID);
	struct summary_row key = { .known = nt_record_has(record, NT_HAS_COMM),
				   .one_pid = has_pid,
				   .pid = record->pid };

	if (key.known)
		memcpy(key.key, record->comm, strnlen(record->comm, sizeof(record->comm)));
	add_to_table(&interval->processes, &key, record, moved);
}

static void add_to_peers(struct summary_interval *interval, const struct nt_record *record,
			 const struct bytes_moved *moved)
{
	struct summary_row key = { .known = true };

	memcpy(key.key, record->role == NT_ROLE_SERVER ? record->src_ip : record->dst_ip, SUMMARY_KEY_SIZE);
	add_to_table(&interval->peers, &key, record, moved);
}

/* ---- single connections ---- */

static void fill_connection(struct summary_connection *row, const struct nt_record *record,
			    const struct bytes_moved *moved)
{
	int direction;

	row->src_port = record->src_port;
	row->dst_port = record->dst_port;
	row->has_comm = nt_record_has(record, NT_HAS_COMM);
	row->has_pid = nt_record_has(record, NT_HAS_PID);
	row->pid = record->pid;
	memcpy(row->src_ip, record->src_ip, sizeof(record->src_ip));
	memcpy(row->dst_ip, record->dst_ip, sizeof(record->dst_ip));
	memcpy(row->comm, record->comm, sizeof(record->comm));
	for (direction = SUMMARY_SENT; direction <= SUMMARY_RECEIVED; direction++) {
		row->bytes[direction] = moved->bytes[sender(record, direction)];
		row->bytes_known[direction] = moved->known[sender(record, direction)];
	}
}

static void add_to_top(struct summary_top *top, __u64 rank, const struct nt_record *record,
		       const struct bytes_moved *moved)
{
	unsigned int at = top->count;

	while (at && top->rows[at - 1].rank < rank)
		at--;
	if (at == SUMMARY_TOP)
		return;
	if (top->count < SUMMARY_TOP)
		top->count++;
	memmove(&top->rows[at + 1], &top->rows[at], (top->count - at - 1) * sizeof(*top->rows));
	top->rows[at].rank = rank;
	fill_connection(&top->rows[at], record, moved);
}

static void add_to_interval(struct summary_interval *interval, struct byte_marks *marks, const struct nt_record *record)
{
	struct bytes_moved moved;

	if (record->event != NT_EVENT_CLOSE && record->event != NT_EVENT_EXIT && record->event != NT_EVENT_UPDATE)
		return;
	moved = byte_marks_advance(marks, record);
	add_record(&interval->all, record, &moved);
	if (moved.is_new && nt_record_has(record, NT_HAS_HANDSHAKE) && record->handshake_ns >= 0)
		add_to_top(&interval->slowest, (__u64)record->handshake_ns, record, &moved);
	if (moved.bytes[NT_SRC] + moved.bytes[NT_DST])
		add_to_top(&interval->busiest, moved.bytes[NT_SRC] + moved.bytes[NT_DST], record, &moved);
	add_to_processes(interval, record, &moved);
	add_to_peers(interval, record, &moved);
}

void summary_add(struct summary *summary, const struct nt_record *record)
{
	add_to_interval(&summary->current, &summary->marks, record);
}

static struct summary_interval *new_interval(void)
{
	struct summary_interval *interval = calloc(1, sizeof(*interval));

	if (!interval || allocate_interval(interval))
		return interval;
	free_interval(interval);
	free(interval);
	return NULL;
}

void summary_add_to_next(struct summary *summary, const struct nt_record *record)
{
	if (!summary->later)
		summary->later = new_interval();
	add_to_interval(summary->later ? summary->later : &summary->current, &summary->marks, record);
}

static __u64 count_ended(const struct summary_sums *sums)
{
	return sums->connections - sums->outcomes[NT_OUTCOME_OPEN];
}

__u64 summary_count_ended(const struct summary *summary)
{
	return count_ended(&summary->current.all) + (summary->later ? count_ended(&summary->later->all) : 0);
}
