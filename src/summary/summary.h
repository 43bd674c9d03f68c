/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of --summary: connections, bytes and outcomes by process and by peer, the busiest connections, and the
 * slowest handshakes. Pure. Bounded: if there are more processes or peers than rows, the least become "others".
 */
#ifndef NETRACKER_SUMMARY_H
#define NETRACKER_SUMMARY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/summary/byte_marks.h"

#define SUMMARY_ROWS 2048 /* of one table */
#define SUMMARY_TOP 5
#define SUMMARY_OUTCOMES (NT_OUTCOME_OPEN + 1)
#define SUMMARY_KEY_SIZE 16

enum summary_direction { SUMMARY_SENT, SUMMARY_RECEIVED };

struct summary_sums {
	__u64 connections;
	__u64 outcomes[SUMMARY_OUTCOMES];
	__u64 bytes[2];       /* by enum summary_direction: moved in this interval, as far as known */
	__u64 bytes_known[2]; /* the number of connections that this includes */
};

struct summary_row {
	char key[SUMMARY_KEY_SIZE]; /* a process name padded with zeros, or a peer's address */
	bool known;                 /* false: the process is unknown, and the key is empty */
	bool one_pid;               /* all its connections have `pid` */
	__u32 pid;
	struct summary_sums sums;
};

struct summary_table {
	struct summary_row *rows;
	unsigned int count;
	void *tree; /* the rows by key: tsearch(3) */
	struct summary_sums others;
	__u64 folded; /* rows that were added to `others` */
};

struct summary_connection {
	__u64 rank; /* nanoseconds of the handshake, or bytes in both directions */
	__u64 bytes[2];
	bool bytes_known[2];
	__u8 src_ip[16], dst_ip[16];
	__u16 src_port, dst_port;
	bool has_comm, has_pid;
	char comm[NT_COMM_SIZE];
	__u32 pid;
};

struct summary_top {
	struct summary_connection rows[SUMMARY_TOP]; /* by descending rank; equal ones in the order of insertion */
	unsigned int count;
};

struct summary_interval {
	struct summary_sums all;
	struct summary_table processes, peers;
	struct summary_top busiest, slowest;
};

struct summary {
	struct summary_interval current;
	struct summary_interval *later; /* connections of the next interval; NULL if there was none yet */
	struct byte_marks marks;        /* of open connections */
};

/* Returns NULL without memory. Caller calls summary_free(). */
struct summary *summary_new(void);
void summary_free(struct summary *summary);

/* Adds a connection and the bytes since its last record, from a close, exit or update record. Ignores open records.
 * Without memory for a new row the connection counts in `others`.
 */
void summary_add(struct summary *summary, const struct nt_record *record);

/* The same for the next interval, which summary_begin_next() begins: for a connection that ends during the scan at an
 * interval's end, as this interval counts it as open.
 */
void summary_add_to_next(struct summary *summary, const struct nt_record *record);

/* Returns the number of ended connections, including those of the next interval. */
__u64 summary_count_ended(const struct summary *summary);

/* Begins the next interval, with what summary_add_to_next() added. */
void summary_begin_next(struct summary *summary);

/* Returns the number of reset, refused, timeout and unreachable connections. */
__u64 summary_count_failures(const struct summary_sums *sums);

/* Chooses the rows to show: those with the most bytes, connections or failures, `most` of each, in the order of bytes,
 * then connections. Stores them in `chosen`, which has room for SUMMARY_ROWS, and the sums of the others in `rest`.
 * Returns the number of chosen rows.
 */
unsigned int summary_choose_rows(const struct summary_table *table, unsigned int most,
				 const struct summary_row **chosen, struct summary_sums *rest);

#endif
