// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_states.h"

#include <string.h>

void metrics_states_init(struct metrics_states *states)
{
	memset(states, 0, sizeof(*states));
	pthread_mutex_init(&states->mutex, NULL);
}

void metrics_states_destroy(struct metrics_states *states)
{
	pthread_mutex_destroy(&states->mutex);
}

void metrics_states_set_counter(struct metrics_states *states, metrics_states_counter count, void *context)
{
	pthread_mutex_lock(&states->mutex);
	states->count = count;
	states->context = context;
	states->are_known = false;
	states->counted_ns = 0;
	pthread_mutex_unlock(&states->mutex);
}

void metrics_states_hide(struct metrics_states *states)
{
	__atomic_store_n(&states->are_hidden, true, __ATOMIC_RELAXED);
}

static bool are_hidden(const struct metrics_states *states)
{
	return __atomic_load_n(&states->are_hidden, __ATOMIC_RELAXED);
}

static void count_if_due(struct metrics_states *states, __u64 now_ns)
{
	if (are_hidden(states) || !states->count ||
	    (states->counted_ns && now_ns - states->counted_ns < METRICS_STATES_KEPT_NS))
		return;
	memset(states->counts, 0, sizeof(states->counts));
	states->are_known = states->count(states->context, states->counts);
	states->counted_ns = now_ns;
}

bool metrics_states_read(struct metrics_states *states, __u64 now_ns, __u64 counts[NT_TCP_STATES])
{
	bool are_known;

	pthread_mutex_lock(&states->mutex);
	count_if_due(states, now_ns);
	are_known = states->are_known && !are_hidden(states);
	memcpy(counts, states->counts, sizeof(states->counts));
	pthread_mutex_unlock(&states->mutex);
	return are_known;
}
