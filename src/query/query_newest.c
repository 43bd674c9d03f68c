// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_newest.h"

#include <stdlib.h>

#include "src/util/stop.h"

/* A record that the filter accepts, and the newest such one of its id of those that were read in this round. */
struct candidate {
	__u64 id, position;
};

struct newest_search {
	struct query_scan *scan;
	struct candidate *candidates;
	size_t count, most;           /* of this round */
	struct newest_records newest; /* of the candidates' ids */
	struct query_reader reader;   /* for the extents */
	unsigned int file;            /* the next round reads this file and those before it, */
	__u64 before_seq;             /* in this one the records before that one; 0: all */
};

static bool visit_candidate(void *context, const struct history_row *row, struct nt_record *record, __u64 position)
{
	struct newest_search *search = context;
	__u64 id = id_filter_number(row);

	if (!filter_accepts(search->scan->filter, record) || (id && !newest_records_add(&search->newest, id, position)))
		return true;
	search->candidates[search->count++] = (struct candidate){ id, position };
	search->before_seq = row->seq;
	return search->count != search->most && !search->newest.failed;
}

/* Reads the file from the place back where the last round ended. */
static void read_file_back(struct newest_search *search)
{
	struct query_scan *scan = search->scan;
	const struct history_extent *extent = &scan->files.files[search->file].extent;
	struct history_selection selection = scan->selection;
	struct query_piece piece = { .file = search->file };
	struct query_pass pass = query_scan_pass(scan, &selection, 0, 0);

	piece.last_seq = search->before_seq ? search->before_seq - 1 : extent->last_seq;
	if (!piece.last_seq)
		return;
	scan->read.size += extent->records;
	selection.newest_first = true;
	pass.pieces = &piece;
	pass.piece_count = 1;
	pass.visit = visit_candidate;
	query_pass_run(&pass, search, 0, 1);
}

/* Returns false if there is no further file. */
static bool go_to_file_before(struct newest_search *search)
{
	if (!search->file)
		return false;
	search->file--;
	search->before_seq = 0;
	query_files_measure_one(&search->scan->files, search->file, &search->scan->selection, &search->reader);
	return true;
}

/* Finds so many candidates, or all that there are before the last ones. Returns whether there may be more. */
static bool find_candidates(struct newest_search *search)
{
	search->count = 0;
	do {
		read_file_back(search);
		if (search->count == search->most || search->newest.failed)
			return !search->newest.failed;
	} while (!stop_is_requested() && go_to_file_before(search));
	return false;
}

static bool reserve_candidates(struct newest_search *search)
{
	free(search->candidates);
	search->candidates = calloc(search->most, sizeof(*search->candidates));
	search->newest.most = search->most;
	return search->candidates;
}

/* Adds the candidates that are the newest of their ids. */
static void keep_newest(struct newest_search *search, __u64 most, struct position_list *found)
{
	struct query_scan *scan = search->scan;
	size_t i;

	if (!search->count)
		return;
	if (search->newest.count && query_scan_measure_from(scan, search->candidates[search->count - 1].position))
		query_scan_raise(scan, &search->newest);
	for (i = 0; i < search->count && found->count < most; i++) {
		const struct candidate *candidate = &search->candidates[i];

		if (!candidate->id || newest_records_position(&search->newest, candidate->id) == candidate->position)
			position_list_add(found, candidate->position);
	}
}

static __u64 least_of(__u64 one, __u64 other)
{
	return one < other ? one : other;
}

void query_newest_find(struct query_scan *scan, __u64 most, size_t candidates, struct position_list *found)
{
	struct newest_search search = { .scan = scan, .file = scan->files.names.count };
	__u64 limit = candidates ? candidates : QUERY_NEWEST_CANDIDATES;
	bool goes_on = go_to_file_before(&search);

	search.most = (size_t)least_of(most, limit);
	while (goes_on && found->count < most && !stop_is_requested()) {
		scan->no_memory = !reserve_candidates(&search);
		goes_on = !scan->no_memory && find_candidates(&search);
		keep_newest(&search, most, found);
		scan->no_memory = scan->no_memory || search.newest.failed || found->failed;
		goes_on = goes_on && !scan->no_memory;
		search.most = (size_t)least_of(2 * (__u64)search.most, limit);
		newest_records_free(&search.newest);
	}
	query_reader_close(&search.reader);
	newest_records_free(&search.newest);
	free(search.candidates);
}
