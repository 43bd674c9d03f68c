// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_list.h"

#include <stdlib.h>

#include "src/query/position_list.h"
#include "src/util/stop.h"

#define PIECES_PER_THREAD 4 /* of a part: so many that threads seldom wait for the last one */

static bool visit_to_keep(void *state, struct nt_record *record, __u64 position)
{
	(void)record;
	return position_list_add(state, position);
}

static bool write_positions(const struct position_list *list, bool reverse,
			    bool (*write)(void *context, __u64 position), void *context)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (stop_is_requested() || !write(context, list->positions[reverse ? list->count - 1 - i : i]))
			return false;
	return true;
}

/* Returns whether to go on. */
static bool list_part(struct query_scan *scan, struct position_list *lists, unsigned int first, unsigned int count,
		      bool reverse, bool (*write)(void *context, __u64 position), void *context)
{
	bool goes_on;

	query_scan_run_pieces(scan, first, count, visit_to_keep, lists, sizeof(*lists));
	position_lists_join(lists, scan->threads);
	scan->no_memory = scan->no_memory || lists[0].failed;
	query_scan_expect(scan, lists[0].count);
	goes_on = write_positions(&lists[0], reverse, write, context);
	lists[0].count = 0;
	return goes_on && !scan->no_memory;
}

void query_list_run(struct query_scan *scan, bool reverse, bool (*write)(void *context, __u64 position), void *context)
{
	struct position_list *lists = query_scan_measure(scan) ? calloc(scan->threads, sizeof(*lists)) : NULL;
	unsigned int size = scan->threads * PIECES_PER_THREAD, done, i;
	bool goes_on = lists && query_scan_find_newest(scan);

	scan->no_memory = scan->no_memory || !lists;
	for (done = 0; goes_on && done < scan->piece_count; done += size) {
		unsigned int left = scan->piece_count - done, count = left < size ? left : size;

		goes_on = list_part(scan, lists, reverse ? left - count : done, count, reverse, write, context);
	}
	for (i = 0; lists && i < scan->threads; i++)
		position_list_free(&lists[i]);
	free(lists);
	newest_records_free(&scan->repeated);
}
