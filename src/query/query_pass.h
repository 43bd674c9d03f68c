/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One pass over the files of a history, by several threads: each reads pieces of files, one after another. */
#ifndef NETRACKER_QUERY_PASS_H
#define NETRACKER_QUERY_PASS_H

#include "src/query/query_files.h"
#include "src/util/progress.h"

/* A place of a record in the history: later ones are greater. */
#define QUERY_POSITION_FILE_SHIFT 40

static inline __u64 query_position(unsigned int file, __u64 seq)
{
	return (__u64)file << QUERY_POSITION_FILE_SHIFT | seq;
}

/* Records of one file, in the order in which they were written. */
struct query_piece {
	unsigned int file;
	__u64 after_seq, last_seq;
};

struct query_pass {
	struct query_files *files;
	const struct query_piece *pieces;
	unsigned int piece_count;
	const struct history_selection *selection;
	/* Called by each thread with a state of its own. Returns false if no thread needs to go on. Without wanted columns
	 * the record is not set. */
	bool (*visit)(void *state, const struct history_row *row, struct nt_record *record, __u64 position);
	/* Called by a thread after its last piece; NULL: not. */
	void (*finish)(void *state);
	struct progress *progress;
	struct progress_view *read; /* the records that were read are added */

	unsigned int next; /* the piece that the next thread takes */
	bool is_ended;
};

/* Reads all pieces. `states` are those of `threads` threads, `state_size` bytes each; fewer threads run if the system does
 * not permit so many. */
void query_pass_run(struct query_pass *pass, void *states, size_t state_size, unsigned int threads);

#endif
