/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of a dictionary that a reader has looked up. Bounded: each place holds the row that was used last. */
#ifndef NETRACKER_HISTORY_CACHE_H
#define NETRACKER_HISTORY_CACHE_H

#include "src/history/history_rows.h"

#define HISTORY_CACHE_PLACES 1024

struct history_cached {
	sqlite3_int64 id; /* 0: the place is empty */
	struct nt_record record;
};

struct history_cache {
	struct history_rows rows;
	struct history_cached **places; /* HISTORY_CACHE_PLACES; NULL: the place was not used yet */
};

/* Prepares the look-up of the wanted columns. Returns 0 or -errno. Call history_cache_free() either way. */
int history_cache_init(struct history_cache *cache, sqlite3 *db, enum history_table table,
		       const struct history_columns *wanted);
void history_cache_free(struct history_cache *cache);

/* Copies the values of the dictionary's row into a record; 0 is none. Strings are valid until another row takes the
 * place: until the next call. Returns 0 or -errno: -EUCLEAN if there is no such row. */
int history_cache_copy(struct history_cache *cache, sqlite3 *db, sqlite3_int64 id, struct nt_record *record);

#endif
