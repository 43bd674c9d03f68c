/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counts close records for Prometheus (docs/metrics.md), by program, role, outcome and the side that ended them.
 *
 * Memory is allocated once: the first programs that come, as many as are named, have counters of their own for good, all
 * later ones share those of `other`.
 */
#ifndef NETRACKER_METRICS_H
#define NETRACKER_METRICS_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/event.h"
#include "core/record.h"
#include "src/record/accounting.h"

#define METRICS_DEFAULT_PROGRAMS 20
#define METRICS_MOST_PROGRAMS 200
#define METRICS_ROLES (NT_ROLE_OBSERVER + 1)
#define METRICS_OUTCOMES (NT_OUTCOME_OPEN + 1)
#define METRICS_ENDERS 3 /* enum nt_side, and METRICS_ENDER_UNKNOWN */
#define METRICS_ENDER_UNKNOWN 2
#define METRICS_MOST_BUCKETS 17

enum metrics_histogram_kind { METRICS_HANDSHAKE, METRICS_RESPONSE, METRICS_DURATION, METRICS_HISTOGRAMS };

/* Programs that have no name of their own come first; one that is named so is of the others. */
#define METRICS_OTHER "other"
enum { METRICS_PROGRAM_UNKNOWN, METRICS_PROGRAM_OTHER, METRICS_FIRST_PROGRAM };

/* Upper bounds of the buckets, ascending. A last bucket without a bound follows. */
struct metrics_buckets {
	unsigned int count;
	const __u64 *most_ns;
};

extern const struct metrics_buckets metrics_buckets[METRICS_HISTOGRAMS];

struct metrics_histogram {
	__u64 counts[METRICS_MOST_BUCKETS]; /* of each bucket alone */
	__u64 count;
	__u64 sum_seconds;
	__u32 sum_ns; /* below a second */
};

/* The counts of one program in one role. */
struct metrics_row {
	__u64 connections; /* the sum of closed */
	__u64 closed[METRICS_OUTCOMES][METRICS_ENDERS];
	__u64 bytes[2], retransmits[2]; /* sent and received */
	struct metrics_histogram histograms[METRICS_HISTOGRAMS];
};

struct metrics_program {
	char comm[NT_COMM_SIZE]; /* not of those before METRICS_FIRST_PROGRAM */
	struct metrics_row roles[METRICS_ROLES];
};

/* A copy of the counts at one moment. */
struct metrics_snapshot {
	struct accounting accounting;
	unsigned int program_count;
	struct metrics_program *programs;
	bool has_states;             /* the owner of the snapshot sets this and the next one */
	__u64 states[NT_TCP_STATES]; /* of sockets, by the kernel's number of the state */
};

struct metrics;

/* At most METRICS_MOST_PROGRAMS names. NULL without memory. */
struct metrics *metrics_new(unsigned int most_programs);
void metrics_free(struct metrics *metrics); /* NULL is allowed */

/* Counts a close record; ignores others. */
void metrics_add(struct metrics *metrics, const struct nt_record *record);

/* Replaces the accounting. `opened` never decreases: a connection that was counted as one without a socket may turn out to
 * be a socket's. */
void metrics_set_accounting(struct metrics *metrics, const struct accounting *accounting);

/* For any thread. Holds the lock only while it copies. Returns false without memory; otherwise call
 * metrics_snapshot_free(). */
bool metrics_take_snapshot(struct metrics *metrics, struct metrics_snapshot *snapshot);
void metrics_snapshot_free(struct metrics_snapshot *snapshot);

#endif
