/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The problems that an interval shows. docs/formats.md has the thresholds. Pure and bounded. */
#ifndef NETRACKER_PROBLEMS_H
#define NETRACKER_PROBLEMS_H

#include <linux/types.h>

#include "src/summary/summary.h"
#include "src/util/text_buffer.h"

#define PROBLEM_REFUSALS 5
#define PROBLEM_TIMEOUTS 3
#define PROBLEM_CLOSE_WAITS 20
#define PROBLEM_RETRANSMIT_PERCENT 2
#define PROBLEM_RETRANSMIT_MEDIANS 3
#define PROBLEM_RETRANSMITS 5 /* fewer show nothing */
#define PROBLEM_PORT_PERCENT 80

#define PROBLEMS_EACH 5 /* of each kind */

enum problem_kind {
	PROBLEM_REFUSED,
	PROBLEM_TIMEOUT,
	PROBLEM_LISTEN_OVERFLOW,
	PROBLEM_CLOSE_WAIT,
	PROBLEM_RETRANSMITTED,
	PROBLEM_PORTS,
	PROBLEM_LOST,
	PROBLEM_EVICTED,
	PROBLEM_KINDS
};

struct problem {
	enum problem_kind kind;
	__u64 count;
	__u64 total;                   /* PROBLEM_PORTS: ports of the range */
	double median;                 /* PROBLEM_RETRANSMITTED: of the other peers, in percent; below 0: none */
	const struct summary_row *row; /* of the refusals, the peers or the leaks */
	const struct summary_namespace *namespace; /* PROBLEM_LISTEN_OVERFLOW */
	const struct port_use_row *ports;
	enum accounting_loss loss;
};

struct problems {
	struct problem list[PROBLEM_KINDS * PROBLEMS_EACH]; /* by kind, then the largest count first */
	unsigned int count;
	__u64 omitted; /* beyond PROBLEMS_EACH of a kind */
};

/* Finds the problems of the current interval, after summary_settle(). They are valid until the next record. to_ns: the
 * end of the interval, since the Unix epoch.
 */
void problems_find(struct problems *problems, struct summary *summary, __u64 to_ns);

/* Returns the problem's name for programs: "refused". */
const char *problem_name(enum problem_kind kind);

/* Appends a sentence without a full stop. Printable ASCII. */
void problem_describe(struct text_buffer *text, const struct problem *problem);

/* Appends the command that shows more. It has no name that another program chose, so it is safe to paste. */
void problem_command(struct text_buffer *text, const struct problem *problem, const struct summary_origin *origin);

#endif
