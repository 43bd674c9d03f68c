/* What --summary sums up: connections, bytes, outcomes by process and by peer, the connections that moved most, and the
 * slowest handshakes. Pure: records go in. Bounded: where there are more processes or peers than rows, those with the
 * least become "others".
 */
#ifndef NETRACKER_TALLY_H
#define NETRACKER_TALLY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/summary/byte_marks.h"

#define TALLY_ROWS 2048 /* of one table */
#define TALLY_TOP 5
#define TALLY_OUTCOMES (NT_OUTCOME_OPEN + 1)
#define TALLY_KEY_SIZE 16

enum tally_direction { TALLY_SENT, TALLY_RECEIVED };

struct tally_sums {
	__u64 connections;
	__u64 outcomes[TALLY_OUTCOMES];
	__u64 bytes[2];       /* by enum tally_direction: moved since the last tally_clear(), as far as known */
	__u64 bytes_known[2]; /* of how many connections that is */
};

struct tally_row {
	char key[TALLY_KEY_SIZE]; /* a process's name, zeros after it; a peer's address */
	bool known;               /* false: no process is known, and the key is empty */
	bool one_pid;             /* all had the same */
	__u32 pid;
	struct tally_sums sums;
};

struct tally_table {
	struct tally_row *rows;
	unsigned int count;
	void *tree; /* of the rows, by key: tsearch(3) */
	struct tally_sums others;
	__u64 folded; /* rows that were added to `others` */
};

struct tally_connection {
	__u64 rank; /* nanoseconds of the handshake; bytes in both directions */
	__u64 bytes[2];
	bool bytes_known[2];
	__u8 src_ip[16], dst_ip[16];
	__u16 src_port, dst_port;
	bool has_comm, has_pid;
	char comm[NT_COMM_SIZE];
	__u32 pid;
};

struct tally_top {
	struct tally_connection rows[TALLY_TOP]; /* the highest rank first; of equals, the one that came first */
	unsigned int count;
};

struct tally_interval {
	struct tally_sums all;
	struct tally_table processes, peers;
	struct tally_top busiest, slowest;
};

struct tally {
	struct tally_interval current;
	struct tally_interval *later; /* what is already of the next one; NULL: nothing ever was */
	struct byte_marks marks;      /* of connections that go on */
};

/* NULL without memory. */
struct tally *tally_new(void);
void tally_free(struct tally *tally);

/* Adds a connection, and what it moved since it was added before: a close, exit or update record. Where there is no
 * memory for a new row, the connection is in `others`.
 */
void tally_add(struct tally *tally, const struct nt_record *record);

/* The same for the next interval, which tally_clear() begins: this one's open connections have been looked at, and what
 * ends since must not be in it a second time.
 */
void tally_add_later(struct tally *tally, const struct nt_record *record);

/* How many connections ended, those of the next interval too. */
__u64 tally_ended(const struct tally *tally);

/* The next interval: from 0 again, but for what was added for it. */
void tally_clear(struct tally *tally);

/* Reset, refused, timeout, unreachable. */
__u64 tally_failures(const struct tally_sums *sums);

/* Which rows to show: those with the most bytes, connections or failures, `most` of each, in the order of bytes, then
 * connections. Returns how many were stored in `chosen`, which has room for TALLY_ROWS; what is left is in `rest`.
 */
unsigned int tally_choose(const struct tally_table *table, unsigned int most, const struct tally_row **chosen,
			  struct tally_sums *rest);

#endif
