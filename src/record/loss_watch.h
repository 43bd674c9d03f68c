/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Announces losses of records on stderr while tracking goes on: one line for each cause when records begin to be lost
 * for it, and one with their number when no more are.
 */
#ifndef NETRACKER_LOSS_WATCH_H
#define NETRACKER_LOSS_WATCH_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/record/accounting.h"

/* A loss has ended when no record was lost for this long. */
#define LOSS_WATCH_QUIET_NS 5000000000ULL

struct loss_period {
	__u64 announced; /* records that were lost in earlier periods */
	__u64 lost;
	__u64 changed_ns; /* when the last loss was found */
	bool is_ongoing;
};

/* All zero is a valid start. */
struct loss_watch {
	struct loss_period causes[ACCOUNTING_LOSSES];
};

/* Compares the counts, by enum accounting_loss, with those of the last call. Announces what began and what ended. Leaves
 * out ACCOUNTING_LOST_SINK_FAILED, which the sink itself announces. */
void loss_watch_update(struct loss_watch *watch, const __u64 lost[ACCOUNTING_LOSSES], __u64 now_ns);

/* As loss_watch_update() with the last counts; announces the end of all losses. */
void loss_watch_finish(struct loss_watch *watch, const __u64 lost[ACCOUNTING_LOSSES], __u64 now_ns);

#endif
