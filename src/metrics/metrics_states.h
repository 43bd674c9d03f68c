/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How many sockets are in each TCP state, as the tracker's tables show when metrics are scraped. */
#ifndef NETRACKER_METRICS_STATES_H
#define NETRACKER_METRICS_STATES_H

#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>

#include "core/event.h"

/* Counting takes time with each socket, so the counts are kept for so long, however often they are asked for. */
#define METRICS_STATES_KEPT_NS 2000000000ULL

/* Sets the count of sockets in each state, by the kernel's number. Returns false if they cannot be read. */
typedef bool (*metrics_states_counter)(void *context, __u64 counts[NT_TCP_STATES]);

struct metrics_states {
	bool are_hidden;       /* atomic */
	pthread_mutex_t mutex; /* for all below */
	metrics_states_counter count;
	void *context;
	bool are_known;
	__u64 counted_ns; /* 0: not yet */
	__u64 counts[NT_TCP_STATES];
};

void metrics_states_init(struct metrics_states *states);
void metrics_states_destroy(struct metrics_states *states);

/* Before the first call the counts are unknown. */
void metrics_states_set_counter(struct metrics_states *states, metrics_states_counter count, void *context);

/* From now on the counts are unknown. Does not wait for a counter that runs. */
void metrics_states_hide(struct metrics_states *states);

/* For any thread; calls the counter in it. Returns false if the counts are unknown. */
bool metrics_states_read(struct metrics_states *states, __u64 now_ns, __u64 counts[NT_TCP_STATES]);

#endif
