#include "src/summary/summary.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

/* Where a table is full, so many rows stay by each of the three measures; the others make room. */
#define ROWS_KEPT (TALLY_ROWS / 4)

typedef int (*row_order)(const void *one, const void *other);

static void keep_row(void *row)
{
	(void)row;
}

static void clear_table(struct tally_table *table)
{
	struct tally_row *rows = table->rows;

	tdestroy(table->tree, keep_row);
	*table = (struct tally_table){ .rows = rows };
}

static void clear_interval(struct tally_interval *interval)
{
	clear_table(&interval->processes);
	clear_table(&interval->peers);
	memset(&interval->all, 0, sizeof(interval->all));
	interval->busiest.count = interval->slowest.count = 0;
}

static void free_interval(struct tally_interval *interval)
{
	clear_interval(interval);
	free(interval->processes.rows);
	free(interval->peers.rows);
}

/* interval: all zero. False without memory; free_interval() it then, too. */
static bool allocate_interval(struct tally_interval *interval)
{
	interval->processes.rows = calloc(TALLY_ROWS, sizeof(struct tally_row));
	interval->peers.rows = calloc(TALLY_ROWS, sizeof(struct tally_row));
	return interval->processes.rows && interval->peers.rows;
}

struct tally *tally_new(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (!tally || allocate_interval(&tally->current))
		return tally;
	tally_free(tally);
	return NULL;
}

void tally_clear(struct tally *tally)
{
	struct tally_interval cleared;

	clear_interval(&tally->current);
	if (!tally->later)
		return;
	cleared = tally->current;
	tally->current = *tally->later;
	*tally->later = cleared;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	if (tally->later)
		free_interval(tally->later);
	free(tally->later);
	free_interval(&tally->current);
	byte_marks_clear(&tally->marks);
	free(tally);
}

/* ---- sums ---- */

static enum nt_end sender(const struct nt_record *record, enum tally_direction direction)
{
	bool src_is_ours = record->role != NT_ROLE_SERVER;

	return src_is_ours == (direction == TALLY_SENT) ? NT_SRC : NT_DST;
}

static void add_record(struct tally_sums *sums, const struct nt_record *record, const struct bytes_moved *moved)
{
	int direction;

	sums->connections++;
	if (record->outcome < TALLY_OUTCOMES)
		sums->outcomes[record->outcome]++;
	for (direction = TALLY_SENT; direction <= TALLY_RECEIVED; direction++) {
		enum nt_end side = sender(record, direction);

		sums->bytes[direction] += moved->bytes[side];
		sums->bytes_known[direction] += moved->known[side];
	}
}

static void add_sums(struct tally_sums *sums, const struct tally_sums *more)
{
	int i;

	sums->connections += more->connections;
	for (i = 0; i < TALLY_OUTCOMES; i++)
		sums->outcomes[i] += more->outcomes[i];
	for (i = 0; i < 2; i++) {
		sums->bytes[i] += more->bytes[i];
		sums->bytes_known[i] += more->bytes_known[i];
	}
}

__u64 tally_failures(const struct tally_sums *sums)
{
	return sums->outcomes[NT_OUTCOME_RESET] + sums->outcomes[NT_OUTCOME_REFUSED] +
	       sums->outcomes[NT_OUTCOME_TIMEOUT] + sums->outcomes[NT_OUTCOME_UNREACHABLE];
}

/* ---- rows by what they have most of; of equals, the one that came first ---- */

static int by_number(__u64 one, __u64 other)
{
	return one < other ? 1 : one > other ? -1 : 0;
}

static const struct tally_row *row_at(const void *place)
{
	return *(const struct tally_row *const *)place;
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
	int order = by_number(tally_failures(&row_at(one)->sums), tally_failures(&row_at(other)->sums));

	return order ? order : by_place(one, other);
}

static int by_bytes(const void *one, const void *other)
{
	const struct tally_sums *first = &row_at(one)->sums, *second = &row_at(other)->sums;
	int order = by_number(first->bytes[TALLY_SENT] + first->bytes[TALLY_RECEIVED],
			      second->bytes[TALLY_SENT] + second->bytes[TALLY_RECEIVED]);

	return order ? order : by_connections(one, other);
}

static bool has_failures(const struct tally_row *row)
{
	return tally_failures(&row->sums) > 0;
}

/* Sets `is_chosen` of the first rows in this order. */
static void mark(const struct tally_table *table, const struct tally_row **rows, row_order order, unsigned int most,
		 bool *is_chosen)
{
	unsigned int i;

	qsort(rows, table->count, sizeof(*rows), order);
	for (i = 0; i < most && i < table->count; i++)
		if (order != by_failures || has_failures(rows[i]))
			is_chosen[rows[i] - table->rows] = true;
}

unsigned int tally_choose(const struct tally_table *table, unsigned int most, const struct tally_row **chosen,
			  struct tally_sums *rest)
{
	const struct tally_row *rows[TALLY_ROWS];
	bool is_chosen[TALLY_ROWS] = { false };
	unsigned int count = 0, i;

	for (i = 0; i < table->count; i++)
		rows[i] = &table->rows[i];
	mark(table, rows, by_failures, most, is_chosen);
	mark(table, rows, by_connections, most, is_chosen);
	mark(table, rows, by_bytes, most, is_chosen);
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
	const struct tally_row *first = one, *second = other;

	if (first->known != second->known)
		return first->known ? 1 : -1;
	return memcmp(first->key, second->key, TALLY_KEY_SIZE);
}

static bool index_rows(struct tally_table *table)
{
	unsigned int i;

	tdestroy(table->tree, keep_row);
	table->tree = NULL;
	for (i = 0; i < table->count; i++)
		if (!tsearch(&table->rows[i], &table->tree, compare_keys))
			return false;
	return true;
}

/* Of a full table. What stays, stays in its order. */
static bool make_room(struct tally_table *table)
{
	const struct tally_row *chosen[TALLY_ROWS];
	struct tally_sums others;
	unsigned int count = tally_choose(table, ROWS_KEPT, chosen, &others), i;

	qsort(chosen, count, sizeof(*chosen), by_place);
	for (i = 0; i < count; i++)
		table->rows[i] = *chosen[i];
	table->folded += table->count - count;
	table->count = count;
	table->others = others;
	return index_rows(table);
}

/* The row of this key, or a new one. NULL without memory. */
static struct tally_row *find_row(struct tally_table *table, const struct tally_row *key)
{
	struct tally_row *const *found = tfind(key, &table->tree, compare_keys);
	struct tally_row *row;

	if (found)
		return *found;
	if (table->count == TALLY_ROWS && !make_room(table))
		return NULL;
	row = &table->rows[table->count];
	*row = *key;
	if (!tsearch(row, &table->tree, compare_keys))
		return NULL;
	table->count++;
	return row;
}

static void add_to_table(struct tally_table *table, const struct tally_row *key, const struct nt_record *record,
			 const struct bytes_moved *moved)
{
	struct tally_row *row = find_row(table, key);

	if (row)
		row->one_pid = row->one_pid && key->one_pid && row->pid == key->pid;
	add_record(row ? &row->sums : &table->others, record, moved);
}

static void add_to_processes(struct tally_interval *interval, const struct nt_record *record,
			     const struct bytes_moved *moved)
{
	bool has_pid = nt_record_has(record, NT_HAS_PID);
	struct tally_row key = { .known = nt_record_has(record, NT_HAS_COMM), .one_pid = has_pid, .pid = record->pid };

	if (key.known)
		memcpy(key.key, record->comm, strnlen(record->comm, sizeof(record->comm)));
	add_to_table(&interval->processes, &key, record, moved);
}

static void add_to_peers(struct tally_interval *interval, const struct nt_record *record,
			 const struct bytes_moved *moved)
{
	struct tally_row key = { .known = true };

	memcpy(key.key, record->role == NT_ROLE_SERVER ? record->src_ip : record->dst_ip, TALLY_KEY_SIZE);
	add_to_table(&interval->peers, &key, record, moved);
}

/* ---- single connections ---- */

static void describe(struct tally_connection *row, const struct nt_record *record, const struct bytes_moved *moved)
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
	for (direction = TALLY_SENT; direction <= TALLY_RECEIVED; direction++) {
		row->bytes[direction] = moved->bytes[sender(record, direction)];
		row->bytes_known[direction] = moved->known[sender(record, direction)];
	}
}

static void add_to_top(struct tally_top *top, __u64 rank, const struct nt_record *record, const struct bytes_moved *moved)
{
	unsigned int at = top->count;

	while (at && top->rows[at - 1].rank < rank)
		at--;
	if (at == TALLY_TOP)
		return;
	if (top->count < TALLY_TOP)
		top->count++;
	memmove(&top->rows[at + 1], &top->rows[at], (top->count - at - 1) * sizeof(*top->rows));
	top->rows[at].rank = rank;
	describe(&top->rows[at], record, moved);
}

static void add_to_interval(struct tally_interval *interval, struct byte_marks *marks, const struct nt_record *record)
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

void tally_add(struct tally *tally, const struct nt_record *record)
{
	add_to_interval(&tally->current, &tally->marks, record);
}

static struct tally_interval *new_interval(void)
{
	struct tally_interval *interval = calloc(1, sizeof(*interval));

	if (!interval || allocate_interval(interval))
		return interval;
	free_interval(interval);
	free(interval);
	return NULL;
}

void tally_add_later(struct tally *tally, const struct nt_record *record)
{
	if (!tally->later)
		tally->later = new_interval();
	add_to_interval(tally->later ? tally->later : &tally->current, &tally->marks, record);
}

static __u64 ended(const struct tally_sums *sums)
{
	return sums->connections - sums->outcomes[NT_OUTCOME_OPEN];
}

__u64 tally_ended(const struct tally *tally)
{
	return ended(&tally->current.all) + (tally->later ? ended(&tally->later->all) : 0);
}
