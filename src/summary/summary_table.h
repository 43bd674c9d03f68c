/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of the summary: sums by a key, as a process, a peer or a service. Bounded: if there are more keys than rows,
 * those with the least become "others".
 */
#ifndef NETRACKER_SUMMARY_TABLE_H
#define NETRACKER_SUMMARY_TABLE_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/summary/summary_item.h"

#define SUMMARY_ROWS 2048
#define SUMMARY_OUTCOMES (NT_OUTCOME_OPEN + 1)
#define SUMMARY_KEY_SIZE 40

struct summary_sums {
	__u64 connections;
	__u64 outcomes[SUMMARY_OUTCOMES];
	__u64 bytes[2];             /* by enum summary_direction: moved in this interval, as far as known */
	__u64 bytes_known[2];       /* the number of connections that this includes */
	__u64 hanging;              /* of the unanswered: those without an answer for SUMMARY_HANGING_NS */
	__u64 packets, retransmits; /* of the sides whose packets are known */
};

/* The process or processes of a row's connections. */
struct summary_owner {
	bool is_known;          /* at least one connection has a process */
	bool one_name, one_pid; /* all that have one have `comm`, `pid` */
	char comm[NT_COMM_SIZE];
	__u32 pid;
};

struct summary_row {
	unsigned char key[SUMMARY_KEY_SIZE];
	struct summary_owner owner;
	struct summary_sums sums;
};

struct summary_table {
	struct summary_row *rows;
	unsigned int count;
	void *tree; /* the rows by key: tsearch(3) */
	struct summary_sums others;
	__u64 folded; /* rows that were added to `others` */
};

/* `table` is all zero. Returns false without memory; call summary_table_free() either way. */
bool summary_table_allocate(struct summary_table *table);
void summary_table_free(struct summary_table *table);
void summary_table_clear(struct summary_table *table);

/* Returns the row of this key, or a new one. NULL without memory. Another call may move it. */
struct summary_row *summary_table_find(struct summary_table *table, const unsigned char key[SUMMARY_KEY_SIZE]);

/* Adds a connection to the row of the key, or without memory to `others`. Returns the row or NULL. */
struct summary_row *summary_table_add(struct summary_table *table, const unsigned char key[SUMMARY_KEY_SIZE],
				      const struct summary_item *item);

void summary_sums_add(struct summary_sums *sums, const struct summary_item *item);

/* Adds the retransmissions of one side of a connection that counts already. */
void summary_sums_add_retransmits(struct summary_sums *sums, const struct summary_item *item, enum nt_side side);

void summary_owner_add(struct summary_owner *owner, const struct summary_item *item);

/* Returns the number of failed connections: all but those that closed or are open. */
__u64 summary_count_failures(const struct summary_sums *sums);

/* Chooses the rows to show: in turn the one with the most failures, connections and bytes, `each` times and at most
 * `most` in all, in the order of bytes, then connections. Stores them in `chosen`, which has room for SUMMARY_ROWS, and
 * the sums of the others in `rest`. Returns the number of chosen rows.
 */
unsigned int summary_choose_rows(const struct summary_table *table, unsigned int each, unsigned int most,
				 const struct summary_row **chosen, struct summary_sums *rest);

/* Chooses the `most` rows with the most failures, in that order, and no row without one. The same otherwise. */
unsigned int summary_choose_failed(const struct summary_table *table, unsigned int most,
				   const struct summary_row **chosen, struct summary_sums *rest);

#endif
