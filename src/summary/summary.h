/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The contents of --summary: connections, bytes, retransmissions and outcomes by process, by peer and by service, the
 * percentiles of the handshakes, the busiest connections, and the slowest handshakes. Pure. Bounded: if there are more
 * processes, peers or services than rows, the least become "others".
 */
#ifndef NETRACKER_SUMMARY_H
#define NETRACKER_SUMMARY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/summary/byte_marks.h"
#include "src/summary/connection_pairs.h"
#include "src/summary/percentiles.h"
#include "src/summary/port_use.h"
#include "src/summary/summary_namespaces.h"
#include "src/summary/summary_table.h"
#include "src/record/accounting.h"

#define SUMMARY_MOST_TOP 1000

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
	struct summary_connection *rows; /* by descending rank; equal ones in the order of insertion */
	unsigned int count;
};

struct summary_interval {
	struct summary_sums all;
	__u64 close_records;
	__u64 evicted; /* connections of a capture that replay had no memory for */
	bool has_moved_bytes, has_unanswered;
	struct summary_table processes, peers, services;
	struct summary_table refusals; /* by service, and client process or address */
	struct summary_table leaks;    /* connections that have long been in close_wait, by process */
	struct percentiles handshakes;
	struct summary_top busiest, slowest;
};

/* The records' source: the commands that show more depend on it. */
enum summary_source { SUMMARY_OF_LIVE, SUMMARY_OF_REPLAY, SUMMARY_OF_HISTORY };

struct summary_origin {
	enum summary_source source;
	const char *history; /* where it is; NULL: where the commands look without an option */
};

struct summary {
	struct summary_interval current;
	struct summary_interval *later; /* connections of the next interval; NULL if there was none yet */
	struct byte_marks marks;        /* of open connections */
	struct connection_pairs pairs;
	struct port_use ports; /* of client sockets */
	struct summary_namespaces namespaces;
	__u64 lost[ACCOUNTING_LOSSES], lost_before[ACCOUNTING_LOSSES]; /* now, and at the begin of the interval */
	__u64 begins_ns;  /* when tracking began, since the Unix epoch; 0: unknown */
	unsigned int top; /* rows of each table; 0: the default */
	struct summary_origin origin;
	struct resolver *names; /* text: of the tables' addresses; NULL: none */
};

/* `top`: at most SUMMARY_MOST_TOP. Returns NULL without memory. Caller calls summary_free(). */
struct summary *summary_new(unsigned int top);
void summary_free(struct summary *summary);

/* Adds a connection and what it moved since its last record, from a close, exit or update record. Ignores open records.
 * Without memory for a new row the connection counts in `others`. A connection between two sockets of this machine
 * counts once, with the client's record; but with each process.
 */
void summary_add(struct summary *summary, const struct nt_record *record);

/* The same for the next interval, which summary_begin_next() begins: for a connection that ends during the scan at an
 * interval's end, as this interval counts it as open.
 */
void summary_add_to_next(struct summary *summary, const struct nt_record *record);

/* Counts the servers' records whose client's has not come. Call it before the interval is read. */
void summary_settle(struct summary *summary);

/* Sets the losses so far, by enum accounting_loss. Call it before the interval is read. */
void summary_set_losses(struct summary *summary, const __u64 lost[ACCOUNTING_LOSSES]);

/* Returns the number of close records, including those of the next interval. */
__u64 summary_count_ended(const struct summary *summary);

/* Begins the next interval, with what summary_add_to_next() added. */
void summary_begin_next(struct summary *summary);

/* Chooses the rows of a table to show, as summary_choose_rows(). */
unsigned int summary_choose_shown(const struct summary *summary, const struct summary_table *table,
				  const struct summary_row **chosen, struct summary_sums *rest);

/* Returns the number of rows of the failures' table. */
unsigned int summary_failed_rows(const struct summary *summary);

/* Returns the number of rows of the busiest connections and of the slowest handshakes. */
unsigned int summary_top_rows(const struct summary *summary);

/* The keys of the tables' rows. A process has a name, or is unknown. */
static inline bool summary_row_has_name(const struct summary_row *row)
{
	return row->key[0];
}

static inline const char *summary_row_name(const struct summary_row *row)
{
	return (const char *)&row->key[1];
}

/* The address of a peer's or a service's row, and of a refusal's service. */
static inline const __u8 *summary_row_address(const struct summary_row *row)
{
	return row->key;
}

static inline __u16 summary_row_port(const struct summary_row *row)
{
	return (__u16)(row->key[16] << 8 | row->key[17]);
}

/* The client of a refusal's row: a process's name or, if that is unknown, an address. */
static inline bool summary_refusal_has_name(const struct summary_row *row)
{
	return row->key[18];
}

static inline const unsigned char *summary_refusal_client(const struct summary_row *row)
{
	return &row->key[19];
}

#endif
