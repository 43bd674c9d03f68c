// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_dictionary.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ROWS 65536
#define MOST_BYTES (8 * 1024 * 1024)

struct dictionary_row {
	struct hash_node node;
	struct dictionary_row *next;
	__u64 id;
	size_t size;
	char key[];
};

bool history_dictionary_init(struct history_dictionary *dictionary, enum history_table table, __u64 next_id)
{
	*dictionary = (struct history_dictionary){ .table = table, .next_id = next_id };
	return hash_map_init(&dictionary->map);
}

void history_dictionary_forget(struct history_dictionary *dictionary)
{
	while (dictionary->rows) {
		struct dictionary_row *row = dictionary->rows;

		dictionary->rows = row->next;
		hash_map_remove(&dictionary->map, &row->node);
		free(row);
	}
	dictionary->bytes = 0;
}

void history_dictionary_free(struct history_dictionary *dictionary)
{
	history_dictionary_forget(dictionary);
	hash_map_free(&dictionary->map);
	text_free(&dictionary->key);
}

/* Returns whether the record has any of the values. */
static bool set_key(struct history_dictionary *dictionary, const struct nt_record *record)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_of(dictionary->table, &count);
	bool has_any = false;

	dictionary->key.used = 0;
	dictionary->key.failed = false;
	for (i = 0; i < count; i++) {
		has_any = has_any || history_column_is_present(&columns[i], record);
		history_column_append(&columns[i], record, &dictionary->key);
	}
	return has_any;
}

static struct dictionary_row *find_row(const struct history_dictionary *dictionary, __u64 hash)
{
	struct hash_node *node;

	for (node = hash_map_first(&dictionary->map, hash); node; node = hash_map_next(node)) {
		struct dictionary_row *row = hash_map_entry(node, struct dictionary_row, node);

		if (row->size == dictionary->key.used && !memcmp(row->key, dictionary->key.bytes, row->size))
			return row;
	}
	return NULL;
}

static struct dictionary_row *add_row(struct history_dictionary *dictionary, __u64 hash)
{
	size_t size = dictionary->key.used;
	struct dictionary_row *row;

	if (dictionary->map.count >= MOST_ROWS || dictionary->bytes + size > MOST_BYTES)
		history_dictionary_forget(dictionary);
	row = malloc(sizeof(*row) + size);
	if (!row)
		return NULL;
	*row = (struct dictionary_row){ .next = dictionary->rows, .id = dictionary->next_id++, .size = size };
	memcpy(row->key, dictionary->key.bytes, size);
	dictionary->rows = row;
	dictionary->bytes += size;
	hash_map_insert(&dictionary->map, &row->node, hash);
	return row;
}

__u64 history_dictionary_find(struct history_dictionary *dictionary, const struct nt_record *record, bool *is_new)
{
	bool has_any = set_key(dictionary, record);
	struct dictionary_row *row;
	__u64 hash;

	*is_new = false;
	if (dictionary->key.failed)
		return ~0ULL;
	if (!has_any)
		return 0;
	hash = hash_map_hash(&dictionary->map, dictionary->key.bytes, dictionary->key.used);
	row = find_row(dictionary, hash);
	if (row)
		return row->id;
	row = add_row(dictionary, hash);
	*is_new = row;
	return row ? row->id : ~0ULL;
}
