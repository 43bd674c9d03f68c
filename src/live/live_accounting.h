/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The accounting of live tracking: adds up the counters of the kernel side and of the sweep, and announces losses. */
#ifndef NETRACKER_LIVE_ACCOUNTING_H
#define NETRACKER_LIVE_ACCOUNTING_H

#include <linux/types.h>

#include "core/event.h"
#include "src/kernel/loader.h"
#include "src/kernel/sweep.h"
#include "src/delivery/delivery.h"
#include "src/live/publication.h"
#include "src/record/loss_watch.h"

struct live_accounting {
	const struct loader *loader;
	const struct sweep *sweep; /* NULL without the wire context */
	struct delivery *delivery;
	bool has_sockets; /* the socket context is on */
	struct loss_watch watch;
	struct publication publication;
	__u64 socket_records;    /* ended sockets, written or filtered */
	__u64 wire_claimed;      /* wire events that belong to sockets */
	__u64 half_open_begun;   /* NT_COUNT_HALF_OPEN_BEGUN before the last sweep */
	__u64 half_open_missing; /* in the last sweep */
	__u64 half_open_evicted; /* as far as known: never too many */
};

/* Call it with the counters as they were before a sweep. */
void live_accounting_begin_sweep(struct live_accounting *live, const __u64 counters[NT_COUNTERS]);

/* Call it after a sweep: counts the losses so far, announces those that began or ended, and publishes the accounting. */
void live_accounting_update(struct live_accounting *live, __u64 now_ns);

/* After the last sweep, and before the output is finished: counts all losses of the kernel side, and announces the end
 * of all. */
void live_accounting_finish_losses(struct live_accounting *live, __u64 now_ns);

/* Fills in what is left of the accounting, and prints details. */
void live_accounting_finish(struct live_accounting *live);

#endif
