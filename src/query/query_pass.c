// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_pass.h"

#include <errno.h>
#include <stdlib.h>

#include "src/util/stop.h"

#define RECORDS_BETWEEN_CLOCKS 4096

struct query_thread {
	struct query_pass *pass;
	void *state;
	pthread_t thread;
	bool is_first; /* it is the one that called, and shows the progress */
	struct query_reader reader;
	unsigned int uncounted; /* records */
};

static void add_to_count(struct query_thread *thread)
{
	struct query_pass *pass = thread->pass;
	__u64 count = __atomic_add_fetch(&pass->read->count, thread->uncounted, __ATOMIC_RELAXED);
	struct progress_view view = {
		.count = count, .position = count, .size = pass->read->size, .unit = pass->read->unit
	};

	thread->uncounted = 0;
	if (thread->is_first && progress_is_due(pass->progress))
		progress_show(pass->progress, &view);
}

static bool visit_in_piece(void *context, const struct history_row *row, struct nt_record *record)
{
	struct query_thread *thread = context;
	struct query_pass *pass = thread->pass;

	if (++thread->uncounted == RECORDS_BETWEEN_CLOCKS)
		add_to_count(thread);
	if (row->seq >> QUERY_POSITION_FILE_SHIFT) {
		query_files_report_damage(pass->files, &thread->reader, -EUCLEAN);
		return true;
	}
	if (pass->visit(thread->state, row, record, query_position(thread->reader.file, row->seq)) &&
	    !stop_is_requested())
		return true;
	__atomic_store_n(&pass->is_ended, true, __ATOMIC_RELAXED);
	return false;
}

static void read_piece(struct query_thread *thread, const struct query_piece *piece)
{
	struct query_pass *pass = thread->pass;
	struct history_selection selection = *pass->selection;
	int error;

	selection.after_seq = piece->after_seq;
	selection.last_seq = piece->last_seq;
	if (!query_files_open(pass->files, piece->file, &thread->reader))
		return;
	error = history_reader_scan(thread->reader.open, &selection, visit_in_piece, thread);
	if (error)
		query_files_report_damage(pass->files, &thread->reader, error);
}

static void *read_pieces(void *context)
{
	struct query_thread *thread = context;
	struct query_pass *pass = thread->pass;
	unsigned int index;

	while (!__atomic_load_n(&pass->is_ended, __ATOMIC_RELAXED) && !stop_is_requested()) {
		index = __atomic_fetch_add(&pass->next, 1, __ATOMIC_RELAXED);
		if (index >= pass->piece_count)
			break;
		read_piece(thread, &pass->pieces[index]);
	}
	add_to_count(thread);
	query_reader_close(&thread->reader);
	if (pass->finish)
		pass->finish(thread->state);
	return NULL;
}

void query_pass_run(struct query_pass *pass, void *states, size_t state_size, unsigned int count)
{
	struct query_thread *threads = calloc(count, sizeof(*threads)), alone = { 0 },
			    *first = threads ? threads : &alone;
	unsigned int running, i;

	pass->next = 0;
	pass->is_ended = false;
	*first = (struct query_thread){ .pass = pass, .state = states, .is_first = true };
	for (running = 1; threads && running < count; running++) {
		threads[running] = (struct query_thread){ .pass = pass,
							  .state = (char *)states + running * state_size };
		if (pthread_create(&threads[running].thread, NULL, read_pieces, &threads[running]))
			break;
	}
	read_pieces(first);
	for (i = 1; threads && i < running; i++)
		pthread_join(threads[i].thread, NULL);
	free(threads);
}
