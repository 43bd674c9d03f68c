// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_scan.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "src/util/message.h"
#include "src/util/stop.h"

#define SEQ_MASK ((1ULL << QUERY_POSITION_FILE_SHIFT) - 1)
#define RECORDS_PER_PIECE (1ULL << 18)  /* small enough that threads end at the same time */
#define RECORDS_PER_THREAD (1ULL << 16) /* at least: fewer are not worth one */
#define WAITING_IDS 16
#define FOUND_IDS 256
#define FOUND_BETWEEN_CLOCKS 256

bool query_scan_open(struct query_scan *scan, const char *folder)
{
	progress_begin(&scan->progress, scan->quiet);
	scan->read.unit = "records";
	scan->repeated.most = scan->most_ids ? scan->most_ids : NEWEST_RECORDS_MOST;
	pthread_mutex_init(&scan->lock, NULL);
	return query_files_list(&scan->files, folder);
}

void query_scan_open_server(struct query_scan *scan, struct query_server *server)
{
	progress_begin(&scan->progress, scan->quiet);
	scan->read.unit = "records";
	scan->server = server;
}

struct history_selection query_scan_before(const struct query_scan *scan)
{
	struct history_selection selection = scan->selection;

	selection.to_ns = selection.from_ns - 1;
	selection.from_ns = 0;
	return selection;
}

void query_scan_close(struct query_scan *scan)
{
	query_reader_close(&scan->whole);
	if (scan->repeated.most)
		pthread_mutex_destroy(&scan->lock);
	query_files_free(&scan->files);
	id_filter_free(&scan->ids);
	newest_records_free(&scan->repeated);
	free(scan->pieces);
	scan->pieces = NULL;
}

bool query_scan_report(const struct query_scan *scan)
{
	if (scan->no_memory)
		message_error("query: out of memory; the answer is not complete: narrow the time with -S and -U");
	if (scan->too_many_ids)
		message_error(
			"query: more than %zu connections have several records; the answer is not complete: narrow the "
			"time with -S and -U",
			scan->repeated.most);
	return !scan->no_memory && !scan->too_many_ids;
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

/* More threads than are worth it take longer. */
static void set_threads(struct query_scan *scan)
{
	unsigned int most = scan->most_threads ? scan->most_threads : count_cpus();
	__u64 worthy = most_records(scan) / RECORDS_PER_THREAD + 1;

	scan->threads = worthy < most ? (unsigned int)worthy : most;
	scan->threads = scan->threads < scan->piece_count ? scan->threads : scan->piece_count ? scan->piece_count : 1;
}

/* Sets the pieces of the measured files from a record of the file `first` on; 0: from its extent's first one on. */
static bool set_pieces(struct query_scan *scan, unsigned int first, __u64 first_seq)
{
	const struct query_file *files = scan->files.files;
	unsigned int count = 0, i;

	for (i = first; i < scan->files.names.count; i++)
		count += count_pieces(&files[i].extent,
				      i == first && first_seq ? first_seq : files[i].extent.first_seq);
	free(scan->pieces);
	scan->piece_count = 0;
	scan->pieces = calloc(count ? count : 1, sizeof(*scan->pieces));
	if (!scan->pieces) {
		scan->no_memory = true;
		return false;
	}
	for (i = first; i < scan->files.names.count; i++)
		add_pieces(scan, i, i == first && first_seq ? first_seq : files[i].extent.first_seq);
	set_threads(scan);
	return true;
}

bool query_scan_measure(struct query_scan *scan)
{
	if (scan->server) {
		scan->threads = 1;
		return true;
	}
	query_files_measure(&scan->files, &scan->selection);
	return set_pieces(scan, 0, 0);
}

bool query_scan_measure_before(struct query_scan *scan)
{
	struct history_selection selection = query_scan_before(scan);

	query_files_measure(&scan->files, &selection);
	return set_pieces(scan, 0, 0);
}

bool query_scan_measure_from(struct query_scan *scan, __u64 position)
{
	return set_pieces(scan, (unsigned int)(position >> QUERY_POSITION_FILE_SHIFT), position & SEQ_MASK);
}

struct query_pass query_scan_pass(struct query_scan *scan, const struct history_selection *selection,
				  unsigned int first, unsigned int count)
{
	if (scan->piece_count)
		scan->read.size += most_records(scan) * count / scan->piece_count;
	return (struct query_pass){ .files = &scan->files,
				    .pieces = scan->pieces + first,
				    .piece_count = count,
				    .selection = selection,
				    .progress = &scan->progress,
				    .read = &scan->read };
}

static struct query_pass whole_pass(struct query_scan *scan, const struct history_selection *selection)
{
	return query_scan_pass(scan, selection, 0, scan->piece_count);
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
	if (result) { /* it reported the error */
		query_files_give_up(&scan->files, file);
		query_reader_close(reader);
		return false;
	}
	result = history_reader_fetch(reader->open, position & SEQ_MASK, record);
	if (result != 1)
		query_files_report_damage(&scan->files, reader, result ? result : -EUCLEAN);
	return result == 1;
}

/* ---- ids that may have several records ---- */

/* The ids of one thread. Some wait until the filter's memory was loaded for them. */
struct id_state {
	struct query_scan *scan;
	unsigned int round, rounds;
	__u64 waiting[WAITING_IDS];
	unsigned int next;
	__u64 found[FOUND_IDS]; /* which are to be added to the scan's */
	unsigned int found_count;
};

static void add_found_ids(struct id_state *state)
{
	struct query_scan *scan = state->scan;

	pthread_mutex_lock(&scan->lock);
	while (state->found_count)
		newest_records_add(&scan->repeated, state->found[--state->found_count], 0);
	pthread_mutex_unlock(&scan->lock);
}

/* Exchanges the id that waits the longest for another one; 0: none. */
static void exchange_id(struct id_state *state, __u64 id)
{
	__u64 *place = &state->waiting[state->next++ % WAITING_IDS], waited = *place;

	*place = id;
	if (!waited || !id_filter_add(&state->scan->ids, waited))
		return;
	state->found[state->found_count++] = waited;
	if (state->found_count == FOUND_IDS)
		add_found_ids(state);
}

static bool visit_id(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct id_state *state = context;
	__u64 id = id_filter_number(row);

	(void)record;
	(void)position;
	if (id && id_filter_round(id, state->rounds) == state->round) {
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
	add_found_ids(state);
}

/* Returns false without memory. */
static bool find_repeated_of_round(struct query_scan *scan, struct id_state *states, unsigned int round,
				   unsigned int rounds)
{
	const struct history_columns none = { { 0 } };
	struct history_selection selection = scan->selection;
	struct query_pass pass = whole_pass(scan, &selection);
	bool has_memory = id_filter_init(&scan->ids, most_records(scan) / rounds);
	unsigned int i;

	selection.wanted = &none;
	pass.visit = visit_id;
	pass.finish = finish_ids;
	for (i = 0; i < scan->threads; i++)
		states[i] = (struct id_state){ .scan = scan, .round = round, .rounds = rounds };
	if (has_memory)
		query_pass_run(&pass, states, sizeof(*states), scan->threads);
	id_filter_free(&scan->ids);
	return has_memory && !scan->repeated.failed;
}

/* Returns whether all were found. */
static bool find_repeated(struct query_scan *scan)
{
	struct id_state *states = calloc(scan->threads, sizeof(*states));
	unsigned int rounds = id_filter_count_rounds(most_records(scan), scan->most_of_round), i;

	scan->no_memory = scan->no_memory || !states;
	for (i = 0; i < rounds && !scan->no_memory && !scan->repeated.is_full; i++)
		scan->no_memory = !find_repeated_of_round(scan, states, i, rounds);
	free(states);
	scan->too_many_ids = scan->repeated.is_full;
	return !scan->no_memory && !scan->too_many_ids;
}

/* ---- records ---- */

struct visit_state {
	const struct query_scan *scan;
	bool (*visit)(void *state, struct nt_record *record, __u64 position);
	void *state;
};

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

static bool visit_accepted(const struct visit_state *state, struct nt_record *record, __u64 position)
{
	return !filter_accepts(state->scan->filter, record) || state->visit(state->state, record, position);
}

static bool visit_single(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	const struct visit_state *state = context;
	__u64 id = id_filter_number(row);

	return (id && newest_records_raise(&state->scan->repeated, id, position)) ||
	       visit_accepted(state, record, position);
}

static int order_places(const void *left, const void *right)
{
	const struct newest_place *one = left, *other = right;

	return (one->position > other->position) - (one->position < other->position);
}

/* Visits the newest records of the repeated ids, which are not to be looked up any more. */
static void visit_newest(struct query_scan *scan, struct visit_state *state)
{
	struct newest_records *newest = &scan->repeated;
	struct query_reader reader = { 0 };
	struct nt_record record;
	size_t i;

	if (newest->count)
		qsort(newest->places, newest->capacity, sizeof(*newest->places), order_places);
	for (i = newest->capacity - newest->count; i < newest->capacity && !stop_is_requested(); i++) {
		__u64 position = newest->places[i].position;

		if (position && find_record(scan, &reader, &scan->selection, position, &record) &&
		    !visit_accepted(state, &record, position))
			break;
	}
	query_reader_close(&reader);
}

void query_scan_run(struct query_scan *scan, bool (*visit)(void *state, struct nt_record *record, __u64 position),
		    void *states, size_t size)
{
	struct query_pass pass = whole_pass(scan, &scan->selection);
	struct visit_state *visits = new_visit_states(scan, visit, states, size);

	if (find_repeated(scan)) {
		pass.visit = visit_single;
		query_pass_run(&pass, visits, sizeof(*visits), scan->threads);
		visit_newest(scan, &visits[0]);
	}
	newest_records_free(&scan->repeated);
	free(visits);
}

static bool visit_any(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	(void)row;
	return visit_accepted(context, record, position);
}

void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size)
{
	const struct history_selection selection = query_scan_before(scan);
	struct visit_state *visits = new_visit_states(scan, visit, states, size);
	struct query_pass pass = whole_pass(scan, &selection);

	pass.visit = visit_any;
	if (visits)
		query_pass_run(&pass, visits, sizeof(*visits), scan->threads);
	free(visits);
}

/* ---- records in parts ---- */

static bool visit_to_raise(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct newest_records *const *newest = context;
	__u64 id = id_filter_number(row);

	(void)record;
	if (id)
		newest_records_raise(*newest, id, position);
	return true;
}

void query_scan_raise(struct query_scan *scan, struct newest_records *newest)
{
	const struct history_columns none = { { 0 } };
	struct history_selection selection = scan->selection;
	struct query_pass pass = whole_pass(scan, &selection);

	selection.wanted = &none;
	pass.visit = visit_to_raise;
	query_pass_run(&pass, &newest, 0, scan->threads);
}

bool query_scan_find_newest(struct query_scan *scan)
{
	if (!find_repeated(scan))
		return false;
	if (scan->repeated.count)
		query_scan_raise(scan, &scan->repeated);
	return true;
}

static bool visit_if_newest(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	const struct visit_state *state = context;
	__u64 id = id_filter_number(row), newest = id ? newest_records_position(&state->scan->repeated, id) : 0;

	return (newest && newest != position) || visit_accepted(state, record, position);
}

void query_scan_run_pieces(struct query_scan *scan, unsigned int first, unsigned int count,
			   bool (*visit)(void *state, struct nt_record *record, __u64 position), void *states,
			   size_t size)
{
	struct visit_state *visits = new_visit_states(scan, visit, states, size);
	struct query_pass pass = query_scan_pass(scan, &scan->selection, first, count);

	pass.visit = visit_if_newest;
	if (visits)
		query_pass_run(&pass, visits, sizeof(*visits), scan->threads);
	free(visits);
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
