/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dictionary of a file that is being written: which rows it has, by their values. Bounded in memory: when it is full, it
 * forgets all, and rows are written again. */
#ifndef NETRACKER_HISTORY_DICTIONARY_H
#define NETRACKER_HISTORY_DICTIONARY_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/history/history_columns.h"
#include "src/util/hash_map.h"

struct dictionary_row;

struct history_dictionary {
	enum history_table table;
	struct hash_map map;
	struct dictionary_row *rows; /* all, the last one added first */
	size_t bytes;
	struct text_buffer key; /* of the record that was looked up last */
	__u64 next_id;
};

/* Returns false without memory. `next_id` is that of the first row that is added. */
bool history_dictionary_init(struct history_dictionary *dictionary, enum history_table table, __u64 next_id);
void history_dictionary_free(struct history_dictionary *dictionary);

/* Returns the id of the row with the record's values. 0 if the record has none of them. If *is_new, the caller inserts the
 * row. ~0ULL without memory. */
__u64 history_dictionary_find(struct history_dictionary *dictionary, const struct nt_record *record, bool *is_new);

/* The rows are not in the file: it was set back to its last commit. */
void history_dictionary_forget(struct history_dictionary *dictionary);

#endif
