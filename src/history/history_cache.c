// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_cache.h"

#include <errno.h>
#include <stdlib.h>

#include "src/history/history_database.h"

int history_cache_init(struct history_cache *cache, sqlite3 *db, enum history_table table,
		       const struct history_columns *wanted)
{
	struct text_buffer sql = { 0 };
	int error = history_rows_choose(&cache->rows, db, table, wanted);

	cache->places = calloc(HISTORY_CACHE_PLACES, sizeof(*cache->places));
	text_string(&sql, "SELECT id");
	history_rows_append_names(&sql, &cache->rows);
	text_format(&sql, " FROM %s WHERE id=?", history_table_names[table]);
	text_char(&sql, '\0');
	if (!error)
		error = sql.failed || !cache->places ? -ENOMEM :
						       history_database_prepare(db, &cache->rows.statement, sql.bytes);
	text_free(&sql);
	return error;
}

static void free_place(const struct history_cache *cache, struct history_cached *cached)
{
	unsigned int i;

	for (i = 0; i < cache->rows.count; i++)
		history_column_free(cache->rows.columns[i], &cached->record);
	*cached = (struct history_cached){ 0 };
}

/* A file may have a few rows alone: memory is taken for those that are looked up. Returns NULL without memory. */
static struct history_cached *place_of(const struct history_cache *cache, sqlite3_int64 id)
{
	struct history_cached **place = &cache->places[(__u64)id % HISTORY_CACHE_PLACES];

	if (!*place)
		*place = calloc(1, sizeof(**place));
	return *place;
}

void history_cache_free(struct history_cache *cache)
{
	unsigned int i;

	for (i = 0; cache->places && i < HISTORY_CACHE_PLACES; i++) {
		if (cache->places[i])
			free_place(cache, cache->places[i]);
		free(cache->places[i]);
	}
	free(cache->places);
	sqlite3_finalize(cache->rows.statement);
	*cache = (struct history_cache){ 0 };
}

static int load_row(struct history_cache *cache, sqlite3 *db, sqlite3_int64 id, struct history_cached *cached)
{
	sqlite3_value *values[HISTORY_MOST_COLUMNS];
	int error, result;

	free_place(cache, cached);
	sqlite3_bind_int64(cache->rows.statement, 1, id);
	result = sqlite3_step(cache->rows.statement);
	error = history_database_errno(db, result);
	if (!error && result != SQLITE_ROW)
		error = -EUCLEAN;
	if (!error) {
		history_rows_take(&cache->rows, values);
		error = history_rows_load(&cache->rows, &cached->record, values);
	}
	sqlite3_reset(cache->rows.statement);
	cached->id = error ? 0 : id;
	return error;
}

int history_cache_copy(struct history_cache *cache, sqlite3 *db, sqlite3_int64 id, struct nt_record *record)
{
	struct history_cached *cached;
	unsigned int i;
	int error;

	if (!id || !cache->rows.count)
		return 0;
	cached = place_of(cache, id);
	if (!cached)
		return -ENOMEM;
	if (cached->id != id) {
		error = load_row(cache, db, id, cached);
		if (error)
			return error;
	}
	for (i = 0; i < cache->rows.count; i++)
		history_column_copy(cache->rows.columns[i], record, &cached->record);
	return 0;
}
