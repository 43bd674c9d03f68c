// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_scan.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "src/query/query_columns.h"
#include "src/util/stop.h"

#define SEQ_MASK ((1ULL << QUERY_POSITION_FILE_SHIFT) - 1)
#define RECORDS_PER_PIECE (1ULL << 18)  /* small enough that threads end at the same time */
#define RECORDS_PER_THREAD (1ULL << 16) /* at least: fewer are not worth one */
#define WAITING_IDS 16
#define FOUND_BETWEEN_CLOCKS 256

bool query_scan_open(struct query_scan *scan, const char *folder)
{
	progress_begin(&scan->progress, scan->quiet);
	scan->read.unit = "records";
	return query_files_list(&scan->files, folder);
}

void query_scan_close(struct query_scan *scan)
{
	query_reader_close(&scan->whole);
	query_files_free(&scan->files);
	id_filter_free(&scan->ids);
	newest_records_free(&scan->repeated);
	free(scan->pieces);
	scan->pieces = NULL;
}

/* ---- pieces ---- */

static unsigned int count_cpus(void)
{
	cpu_set_t cpus;
	int count = sched_getaffinity(0, sizeof(cpus), &cpus) ? 0 : CPU_COUNT(&cpus);

	return count > 0 ? (unsigned int)count : 1;
}

static __u64 most_records(const struct query_scan *scan)
{
	__u64 records = 0;
	unsigned int i;

	for (i = 0; i < scan->files.names.count; i++)
		records += scan->files.files[i].extent.records;
	return records;
}

/* Returns how many pieces a file has that is read from a record on. */
static unsigned int count_pieces(const struct history_extent *extent, __u64 first_seq)
{
	__u64 records = first_seq && extent->last_seq >= first_seq ? extent->last_seq - first_seq + 1 : 0;

	return (unsigned int)((records + RECORDS_PER_PIECE - 1) / RECORDS_PER_PIECE);
}

static void add_pieces(struct query_scan *scan, unsigned int file, __u64 first_seq)
{
	const struct history_extent *extent = &scan->files.files[file].extent;
	unsigned int count = count_pieces(extent, first_seq), i;

	for (i = 0; i < count; i++) {
		__u64 after_seq = first_seq - 1 + i * RECORDS_PER_PIECE;
		__u64 last_seq = i + 1 < count ? after_seq + RECORDS_PER_PIECE : extent->last_seq;

		scan->pieces[scan->piece_count++] = (struct query_piece){ file, after_seq, last_seq };
	}
}

static bool measure(struct query_scan *scan, const struct history_selection *selection)
{
	unsigned int count = 0, i;

	query_files_measure(&scan->files, selection);
	for (i = 0; i < scan->files.names.count; i++)
		count += count_pieces(&scan->files.files[i].extent, scan->files.files[i].extent.first_seq);
	free(scan->pieces);
	scan->piece_count = 0;
	scan->pieces = calloc(count ? count : 1, sizeof(*scan->pieces));
	if (!scan->pieces) {
		scan->no_memory = true;
		return false;
	}
	for (i = 0; i < scan->files.names.count; i++)
		add_pieces(scan, i, scan->files.files[i].extent.first_seq);
	return true;
}

bool query_scan_measure(struct query_scan *scan)
{
	unsigned int most = scan->most_threads ? scan->most_threads : count_cpus();
	__u64 worthy;

	if (!measure(scan, &scan->selection))
		return false;
	worthy = most_records(scan) / RECORDS_PER_THREAD + 1;
	scan->threads = worthy < most ? (unsigned int)worthy : most;
	scan->threads = scan->threads < scan->piece_count ? scan->threads : scan->piece_count ? scan->piece_count : 1;
	return true;
}

static struct query_pass new_pass(struct query_scan *scan, const struct history_selection *selection)
{
	scan->read.size += most_records(scan);
	return (struct query_pass){ .files = &scan->files,
				    .pieces = scan->pieces,
				    .piece_count = scan->piece_count,
				    .selection = selection,
				    .progress = &scan->progress,
				    .read = &scan->read };
}

/* Reads a record with the columns of the selection. Returns false if it cannot be read, which is reported. */
static bool find_record(struct query_scan *scan, struct query_reader *reader, const struct history_selection *selection,
			__u64 position, struct nt_record *record)
{
	unsigned int file = (unsigned int)(position >> QUERY_POSITION_FILE_SHIFT);
	bool is_new = !reader->open || reader->file != file;
	int result;

	if (!query_files_open(&scan->files, file, reader))
		return false;
	result = is_new ? history_reader_select(reader->open, selection) : 0;
	if (!result)
		result = history_reader_find(reader->open, position & SEQ_MASK, record);
	if (result == 1)
		return true;
	if (query_files_note_damage(&scan->files, file) && !result)
		history_reader_report(reader->open, -EUCLEAN);
	return false;
}

/* ---- the first pass ---- */

/* The ids of one thread. Some wait until the filter's memory was loaded for them. */
struct id_state {
	struct query_scan *scan;
	__u64 waiting[WAITING_IDS];
	unsigned int next;
	struct newest_records repeated;
};

/* Exchanges the id that waits the longest for another one; 0: none. */
static void exchange_id(struct id_state *state, __u64 id)
{
	__u64 *place = &state->waiting[state->next++ % WAITING_IDS], waited = *place;

	*place = id;
	if (waited && id_filter_add(&state->scan->ids, waited))
		newest_records_note(&state->repeated, waited, 0);
}

static bool visit_id(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct id_state *state = context;
	__u64 id = id_filter_number(row);

	(void)record;
	(void)position;
	if (id) {
		id_filter_prefetch(&state->scan->ids, id);
		exchange_id(state, id);
	}
	return true;
}

static void finish_ids(void *context)
{
	struct id_state *state = context;
	unsigned int i;

	for (i = 0; i < WAITING_IDS; i++)
		exchange_id(state, 0);
}

static void find_repeated(struct query_scan *scan)
{
	struct history_columns none = { { 0 } };
	struct history_selection selection = scan->selection;
	struct query_pass pass = new_pass(scan, &selection);
	struct id_state *states = calloc(scan->threads, sizeof(*states));
	unsigned int i;

	selection.wanted = &none;
	pass.visit = visit_id;
	pass.finish = finish_ids;
	if (!states || !id_filter_init(&scan->ids, most_records(scan))) {
		scan->no_memory = true;
		free(states);
		return;
	}
	for (i = 0; i < scan->threads; i++)
		states[i].scan = scan;
	query_pass_run(&pass, states, sizeof(*states), scan->threads);
	for (i = 0; i < scan->threads; i++) {
		newest_records_merge(&scan->repeated, &states[i].repeated);
		newest_records_free(&states[i].repeated);
	}
	id_filter_free(&scan->ids);
	free(states);
	scan->no_memory = scan->no_memory || scan->repeated.failed;
}

/* ---- the second pass ---- */

struct visit_state {
	const struct query_scan *scan;
	bool (*visit)(void *state, struct nt_record *record, __u64 position);
	void *state;
	struct newest_records newest; /* of the repeated ids */
};

static bool visit_record(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct visit_state *state = context;
	__u64 id = id_filter_number(row);

	if (id && newest_records_has(&state->scan->repeated, id)) {
		newest_records_note(&state->newest, id, position);
		return true;
	}
	return !filter_accepts(state->scan->filter, record) || state->visit(state->state, record, position);
}

static struct visit_state *new_visit_states(struct query_scan *scan,
					    bool (*visit)(void *state, struct nt_record *record, __u64 position),
					    void *states, size_t size)
{
	struct visit_state *visits = calloc(scan->threads, sizeof(*visits));
	unsigned int i;

	for (i = 0; visits && i < scan->threads; i++)
		visits[i] = (struct visit_state){ .scan = scan, .visit = visit, .state = (char *)states + i * size };
	scan->no_memory = scan->no_memory || !visits;
	return visits;
}

static int order_places(const void *left, const void *right)
{
	const struct newest_place *one = left, *other = right;

	return (one->position > other->position) - (one->position < other->position);
}

/* Visits the newest records of the repeated ids. */
static void visit_newest(struct query_scan *scan, struct newest_records *newest, struct visit_state *state)
{
	struct query_reader reader = { 0 };
	struct nt_record record;
	size_t i;

	if (newest->count)
		qsort(newest->places, newest->capacity, sizeof(*newest->places), order_places);
	for (i = 0; i < newest->capacity && !stop_is_requested(); i++) {
		__u64 position = newest->places[i].position;

		if (newest->places[i].id && find_record(scan, &reader, &scan->selection, position, &record) &&
		    filter_accepts(scan->filter, &record) && !state->visit(state->state, &record, position))
			break;
	}
	query_reader_close(&reader);
}

void query_scan_run(struct query_scan *scan, bool (*visit)(void *state, struct nt_record *record, __u64 position),
		    void *states, size_t size)
{
	struct query_pass pass = new_pass(scan, &scan->selection);
	struct visit_state *visits = new_visit_states(scan, visit, states, size);
	struct newest_records newest = { 0 };
	unsigned int i;

	find_repeated(scan);
	if (visits && !scan->no_memory) {
		pass.visit = visit_record;
		query_pass_run(&pass, visits, sizeof(*visits), scan->threads);
	}
	for (i = 0; visits && i < scan->threads; i++) {
		newest_records_merge(&newest, &visits[i].newest);
		newest_records_free(&visits[i].newest);
	}
	scan->no_memory = scan->no_memory || newest.failed;
	if (visits)
		visit_newest(scan, &newest, &visits[0]);
	newest_records_free(&newest);
	free(visits);
}

/* ---- other passes ---- */

static bool visit_before(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct visit_state *state = context;

	(void)row;
	return !filter_accepts(state->scan->filter, record) || state->visit(state->state, record, position);
}

void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size)
{
	struct history_selection selection = scan->selection;
	struct visit_state *visits = new_visit_states(scan, visit, states, size);
	struct query_pass pass;

	selection.to_ns = selection.from_ns - 1;
	selection.from_ns = 0;
	if (!visits || !measure(scan, &selection)) {
		free(visits);
		return;
	}
	pass = new_pass(scan, &selection);
	pass.visit = visit_before;
	query_pass_run(&pass, visits, sizeof(*visits), scan->threads);
	free(visits);
}

static bool visit_back(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct visit_state *state = context;
	__u64 id = id_filter_number(row);

	if (id && !newest_records_note(&state->newest, id, position))
		return true;
	return !filter_accepts(state->scan->filter, record) || state->visit(state->state, record, position);
}

void query_scan_run_back(struct query_scan *scan,
			 bool (*visit)(void *context, struct nt_record *record, __u64 position), void *context)
{
	struct history_selection selection = scan->selection;
	struct visit_state state = { .scan = scan, .visit = visit, .state = context };
	struct query_pass pass = new_pass(scan, &selection);
	struct query_piece piece = { 0 };
	unsigned int i;

	selection.newest_first = true;
	pass.pieces = &piece;
	pass.piece_count = 1;
	pass.visit = visit_back;
	for (i = scan->files.names.count; i > 0 && !pass.is_ended; i--) {
		piece.file = i - 1;
		query_pass_run(&pass, &state, 0, 1);
	}
	scan->no_memory = scan->no_memory || state.newest.failed;
	newest_records_free(&state.newest);
}

void query_scan_expect(struct query_scan *scan, __u64 records)
{
	scan->read.size += records;
}

bool query_scan_find(struct query_scan *scan, __u64 position, struct nt_record *record)
{
	static const struct history_selection whole = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };

	scan->read.position = ++scan->read.count;
	if (scan->read.count % FOUND_BETWEEN_CLOCKS == 0 && progress_is_due(&scan->progress))
		progress_show(&scan->progress, &scan->read);
	return find_record(scan, &scan->whole, &whole, position, record);
}
