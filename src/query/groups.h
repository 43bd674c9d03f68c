/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of records (--by): sums and percentiles. Bounded: at most MOST_GROUPS groups; records of further ones are counted
 * alone. */
#ifndef NETRACKER_GROUPS_H
#define NETRACKER_GROUPS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "src/filter/filter_field.h"
#include "src/query/group_key.h"
#include "src/query/group_values.h"
#include "src/util/hash_map.h"

#define MOST_GROUPS 1000000
#define GROUP_SORT_SIZE 48

enum group_column { GROUP_CONNS, GROUP_FAILED, GROUP_SENT, GROUP_RECEIVED, GROUP_RETRANS, GROUP_COLUMNS };

/* Their names in JSON and CSV. */
extern const char *const group_column_names[GROUP_COLUMNS];

/* --sort. */
struct group_order {
	bool by_key;              /* in the order of the keys' values */
	enum group_column column; /* else by this, or */
	unsigned int percent;     /* by the percentile of a field; 0: none */
	struct filter_field field;
	char name[GROUP_SORT_SIZE]; /* of the percentile: p95:handshake_ns */
	bool reversed;
};

struct group {
	struct hash_node node;
	__u64 sums[GROUP_COLUMNS];
	bool is_known[GROUP_COLUMNS]; /* of at least one record */
	bool was_before;              /* --new: there are earlier records of it */
	struct group_values values;   /* for the percentile */
	bool has_percentile;
	__s64 percentile;
	size_t key_size;
	char key[]; /* group_keys_append() */
};

/* Set the first two members. */
struct groups {
	struct group_keys keys;
	struct group_order order;

	struct hash_map map;
	struct group **list; /* all of them */
	size_t count, capacity;
	__u64 left_out; /* records of further groups */
	struct text_buffer key;
	bool failed; /* no memory */
};

/* Parses the value of --sort; NULL: the default. Returns false after writing the reason. */
bool group_order_parse(struct group_order *order, const struct group_keys *keys, const char *text, char *reason,
		       size_t size);

/* Adds the columns that keys, sums and order need. */
void groups_add_columns(const struct groups *groups, struct history_columns *columns);

/* Returns false without memory. Call groups_free() either way. */
bool groups_init(struct groups *groups);
void groups_free(struct groups *groups);

void groups_add(struct groups *groups, const struct nt_record *record);

/* Notes that the record's group, if there is one, was there before. */
void groups_note_before(struct groups *groups, const struct nt_record *record);

/* Removes the groups that were there before. */
void groups_remove_before(struct groups *groups);

/* Sorts the list, after the last groups_add(). */
void groups_sort(struct groups *groups);

/* Returns whether a percentile is approximate. */
bool groups_are_approximate(const struct groups *groups);

#endif
