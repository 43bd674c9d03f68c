/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of records (--by): sums and percentiles. Bounded: at most MOST_GROUPS groups; records of further ones are counted
 * alone; the values for percentiles have a budget. */
#ifndef NETRACKER_GROUPS_H
#define NETRACKER_GROUPS_H

#include <linux/types.h>
#include <pthread.h>
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
	__s64 unit;                 /* what the field counts for 1 of its key: 1000 ns for rtt_us */
	char name[GROUP_SORT_SIZE]; /* of the percentile: p95:handshake_ns */
	bool reversed;
};

/* The sums of some records. */
struct group_sums {
	__u64 sums[GROUP_COLUMNS];
	__u32 known; /* bits 1 << GROUP_*: of at least one record */
};

/* The members that each record needs stand together, since it waits for memory. */
struct group {
	struct group_values values; /* for the percentile */
	__s64 percentile;
	bool has_percentile;
	bool was_before; /* --new: there are earlier records of it */
	struct hash_node node;
	struct group_sums sums;
	__u32 key_size;
	char key[]; /* group_keys_append() */
};

static inline bool group_knows(const struct group *group, enum group_column column)
{
	return group->sums.known >> column & 1;
}

/* Set the first four members. */
struct groups {
	struct group_keys keys;
	struct group_order order;
	struct values_budget whole_budget;
	struct values_budget *budget; /* of all parts: that of the whole */

	struct hash_map map;
	struct group **list; /* all of them */
	size_t count, capacity;
	__u64 left_out; /* records of further groups */
	bool failed;    /* no memory */
};

/* The values of a record, or of several that are alike, that their group adds up. */
struct group_row {
	struct text_buffer key;
	__u64 hash;
	bool has_value;
	__s64 value; /* for the percentile, of each record */
	struct group_sums sums;
};

/* Parses the value of --sort; NULL: the default. Returns false after writing the reason. */
bool group_order_parse(struct group_order *order, const struct group_keys *keys, const char *text, char *reason,
		       size_t size);

/* Adds the columns that keys, sums and order need. */
void groups_add_columns(const struct groups *groups, struct history_columns *columns);

/* Returns false without memory. Call groups_free() either way. */
bool groups_init(struct groups *groups);
void groups_free(struct groups *groups);

/* Notes that the record's group, if there is one, was there before. `key` is for its use alone: several threads may note
 * records at the same time. */
void groups_note_before(const struct groups *groups, struct text_buffer *key, const struct nt_record *record);

/* Removes the groups that were there before. */
void groups_remove_before(struct groups *groups);

/* Sorts the list, after the last groups_add(). */
void groups_sort(struct groups *groups);

/* The groups of several threads. Each thread adds to a part of its own. All parts together have at most MOST_GROUPS groups:
 * a part that would exceed it is moved to the whole. */
struct group_parts {
	struct groups *whole; /* whose keys and order are those of the parts */
	struct group_part *parts;
	unsigned int count;
	pthread_mutex_t lock; /* of `whole` */
	__u64 in_parts;       /* groups */
};

/* Rows wait until the memory of their groups was loaded. */
#define GROUP_ROWS_WAITING 16

struct group_part {
	struct group_parts *all;
	struct groups groups;
	struct group_row rows[GROUP_ROWS_WAITING];
	unsigned int first, waiting;
};

/* Returns false without memory. Call group_parts_free() either way. */
bool group_parts_init(struct group_parts *parts, struct groups *whole, unsigned int count);
void group_parts_free(struct group_parts *parts);

void group_part_add(struct group_part *part, const struct nt_record *record);

/* Adds records that are like this one, as far as the keys and the percentile go. */
void group_part_add_sums(struct group_part *part, const struct nt_record *record, const struct group_sums *sums);

/* Moves all parts to the whole. */
void group_parts_merge(struct group_parts *parts);

/* Return how many groups have an approximate percentile, or none for want of memory. */
size_t groups_count_approximate(const struct groups *groups);
size_t groups_count_cut(const struct groups *groups);

#endif
