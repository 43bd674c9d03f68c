/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What --summary sums up: connections, bytes, outcomes by process and by peer, the connections that moved most, and the
 * slowest handshakes. Pure: records go in. Bounded: where there are more processes or peers than rows, those with the
 * least become "others".
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
	__u64 bytes[2];       /* by enum summary_direction: moved since the last summary_begin_next(), as far as known */
	__u64 bytes_known[2]; /* of how many connections that is */
};

struct summary_row {
	char key[SUMMARY_KEY_SIZE]; /* a process's name, zeros after it; a peer's address */
	bool known;               /* false: no process is known, and the key is empty */
	bool one_pid;             /* all had the same */
	__u32 pid;
	struct summary_sums sums;
};

struct summary_table {
	struct summary_row *rows;
	unsigned int count;
	void *tree; /* of the rows, by key: tsearch(3) */
	struct summary_sums others;
	__u64 folded; /* rows that were added to `others` */
};

struct summary_connection {
	__u64 rank; /* nanoseconds of the handshake; bytes in both directions */
	__u64 bytes[2];
	bool bytes_known[2];
	__u8 src_ip[16], dst_ip[16];
	__u16 src_port, dst_port;
	bool has_comm, has_pid;
	char comm[NT_COMM_SIZE];
	__u32 pid;
};

struct summary_top {
	struct summary_connection rows[SUMMARY_TOP]; /* the highest rank first; of equals, the one that came first */
	unsigned int count;
};

struct summary_interval {
	struct summary_sums all;
	struct summary_table processes, peers;
	struct summary_top busiest, slowest;
};

struct summary {
	struct summary_interval current;
	struct summary_interval *later; /* what is already of the next one; NULL: nothing ever was */
	struct byte_marks marks;      /* of connections that go on */
};

/* NULL without memory. */
struct summary *summary_new(void);
void summary_free(struct summary *summary);

/* Adds a connection, and what it moved since it was added before: a close, exit or update record. Where there is no
 * memory for a new row, the connection is in `others`.
 */
void summary_add(struct summary *summary, const struct nt_record *record);

/* The same for the next interval, which summary_begin_next() begins: this one's open connections have been looked at, and what
 * ends since must not be in it a second time.
 */
void summary_add_to_next(struct summary *summary, const struct nt_record *record);

/* How many connections ended, those of the next interval too. */
__u64 summary_count_ended(const struct summary *summary);

/* The next interval: from 0 again, but for what was added for it. */
void summary_begin_next(struct summary *summary);

/* Reset, refused, timeout, unreachable. */
__u64 summary_count_failures(const struct summary_sums *sums);

/* Which rows to show: those with the most bytes, connections or failures, `most` of each, in the order of bytes, then
 * connections. Returns how many were stored in `chosen`, which has room for SUMMARY_ROWS; what is left is in `rest`.
 */
unsigned int summary_choose_rows(const struct summary_table *table, unsigned int most, const struct summary_row **chosen,
			  struct summary_sums *rest);

#endif
