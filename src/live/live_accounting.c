// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/live/live_accounting.h"

#include "src/kernel/socket_table.h"
#include "src/record/record_fields.h"
#include "src/util/message.h"

static __u64 count_replaced_sockets(const __u64 counters[NT_COUNTERS])
{
	__u64 replaced = 0;
	int state;

	for (state = 0; state < NT_TCP_STATES; state++)
		replaced += counters[NT_COUNT_SOCKETS_REPLACED + state];
	return replaced;
}

static const char *replaced_state_name(unsigned int state)
{
	const char *name = field_name(&record_state_names, state);

	return name ? name : "no state";
}

/* The last known states of the sockets whose close was missed show which calls the kernel skipped. */
static void print_replaced_sockets(const struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	const volatile struct nt_shared *shared = live->loader->shared;
	int state;

	for (state = 0; state < NT_TCP_STATES; state++)
		if (counters[NT_COUNT_SOCKETS_REPLACED + state])
			message_detail("sockets whose close was missed, last seen in %s: %llu",
				       replaced_state_name(state),
				       (unsigned long long)counters[NT_COUNT_SOCKETS_REPLACED + state]);
	if (count_replaced_sockets(counters))
		message_detail("the last of them: a %s in %s, flags 0x%x",
			       shared->replaced_role == NT_ROLE_SERVER ? "server" : "client",
			       replaced_state_name(shared->replaced_state), shared->replaced_flags);
}

_Static_assert(ACCOUNTING_LOST_HALF_OPEN_OTHER - ACCOUNTING_LOST_HALF_OPEN_FULL == NT_FAILED_OTHER &&
		       ACCOUNTING_LOST_ESTABLISHED_OTHER - ACCOUNTING_LOST_ESTABLISHED_FULL == NT_FAILED_OTHER &&
		       ACCOUNTING_LOST_SOCKETS_OTHER - ACCOUNTING_LOST_SOCKETS_FULL == NT_FAILED_OTHER,
	       "one loss for each enum nt_failure");

/* Both arrays are in the order of enum nt_failure. */
static void count_table_losses(__u64 lost[NT_FAILURES], const __u64 failed[NT_FAILURES])
{
	int i;

	for (i = 0; i < NT_FAILURES; i++)
		lost[i] = failed[i];
}

static void count_ring_losses(__u64 *lost, const __u64 *socket, const __u64 *wire)
{
	lost[ACCOUNTING_LOST_RING_FULL] = socket[NT_FAILED_FULL] + wire[NT_FAILED_FULL];
	lost[ACCOUNTING_LOST_RING_LOCK] = socket[NT_FAILED_LOCK] + wire[NT_FAILED_LOCK];
}

/* The overflow table of half-open connections is an LRU table, which does not report evictions: an entry was evicted if
 * neither the kernel side nor the sweep removed it, and the sweep did not find it. What began after `begun` was read
 * can only make the result too small.
 *
 * An entry that a halted CPU removed and has not counted yet, or that a failed look-up left out, is missing in one sweep
 * only. So an entry counts as evicted when two sweeps miss it. */
static void count_evicted_half_open(struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	__u64 known = counters[NT_COUNT_HALF_OPEN_TAKEN] + (live->sweep ? sweep_half_open_seen(live->sweep) : 0);
	__u64 evicted = live->half_open_begun > known ? live->half_open_begun - known : 0;
	__u64 settled = evicted < live->half_open_missing ? evicted : live->half_open_missing;

	live->half_open_missing = evicted;
	if (settled > live->half_open_evicted)
		live->half_open_evicted = settled;
}

static void count_losses(struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	__u64 *lost = live->delivery->accounting.lost;

	count_evicted_half_open(live, counters);
	count_table_losses(&lost[ACCOUNTING_LOST_SOCKETS_FULL], &counters[NT_COUNT_SOCKETS_FAILED]);
	count_table_losses(&lost[ACCOUNTING_LOST_HALF_OPEN_FULL], &counters[NT_COUNT_HALF_OPEN_FAILED]);
	count_table_losses(&lost[ACCOUNTING_LOST_ESTABLISHED_FULL], &counters[NT_COUNT_ESTABLISHED_FAILED]);
	count_ring_losses(lost, &counters[NT_COUNT_SOCKET_RING_FAILED], &counters[NT_COUNT_WIRE_RING_FAILED]);
	lost[ACCOUNTING_LOST_EVICTED] = counters[NT_COUNT_SOCKETS_EVICTED];
	lost[ACCOUNTING_LOST_HALF_OPEN_FULL] += live->half_open_evicted;
}

void live_accounting_begin_sweep(struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	live->half_open_begun = counters[NT_COUNT_HALF_OPEN_BEGUN];
}

static __u64 subtract(__u64 from, __u64 count)
{
	return from > count ? from - count : 0;
}

static __u64 count_open_sockets(const struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	__u64 begun = counters[NT_COUNT_SOCKETS_OPENED] + counters[NT_COUNT_SOCKETS_PREEXISTING];
	__u64 ended = live->socket_records + counters[NT_COUNT_SOCKETS_NOT_BEGUN] +
		      counters[NT_COUNT_SOCKETS_FILTERED] + counters[NT_COUNT_SOCKETS_EVICTED] +
		      loader_failures(counters, NT_COUNT_SOCKET_RING_FAILED);

	return subtract(begun, ended);
}

/* Returns how many events the kernel skipped, at least. It counts those of a program that was running already, but not
 * those in a soft interrupt on top of certain tasks (docs/architecture.md), which an end that was found later shows. */
static __u64 count_skipped_events(const struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	__u64 counted = loader_recursion_misses(live->loader, counters[NT_COUNT_RECURSION_CAUGHT]);

	return counted > counters[NT_COUNT_ENDS_MISSED] ? counted : counters[NT_COUNT_ENDS_MISSED];
}

/* While tracking goes on, all that is under way counts as open: what waits in the join, or to be written. A connection on
 * the wire counts only once it is known to be no socket's. */
static void publish(struct live_accounting *live, const __u64 counters[NT_COUNTERS])
{
	struct accounting now;
	__u64 waiting = delivery_copy_accounting(live->delivery, &now);

	now.open = waiting + count_open_sockets(live, counters);
	now.open += live->sweep ? sweep_open_connections(live->sweep, !live->has_sockets) : 0;
	now.filtered[ACCOUNTING_FILTERED_OPTION] += counters[NT_COUNT_SOCKETS_FILTERED] +
						    counters[NT_COUNT_WIRE_FILTERED];
	now.preexisting = counters[NT_COUNT_SOCKETS_PREEXISTING];
	now.opened = subtract(now.written + accounting_filtered(&now) + now.open + accounting_lost(&now),
			      now.preexisting);
	now.recursion_misses = count_skipped_events(live, counters);
	publication_update(&live->publication, live->loader, &now);
	delivery_publish_accounting(live->delivery, &now);
}

void live_accounting_update(struct live_accounting *live, __u64 now_ns)
{
	__u64 counters[NT_COUNTERS], lost[ACCOUNTING_LOSSES];

	loader_counters(live->loader, counters);
	count_losses(live, counters);
	delivery_report_losses(live->delivery, lost);
	loss_watch_update(&live->watch, lost, now_ns);
	publish(live, counters);
}

void live_accounting_finish_losses(struct live_accounting *live, __u64 now_ns)
{
	__u64 counters[NT_COUNTERS], lost[ACCOUNTING_LOSSES];

	loader_counters(live->loader, counters);
	live_accounting_begin_sweep(live, counters);
	live->half_open_missing = UINT64_MAX; /* nothing changes any more: one sweep is enough */
	count_losses(live, counters);
	delivery_report_losses(live->delivery, lost);
	loss_watch_finish(&live->watch, lost, now_ns);
}

/* The wire context's connections count as opened only if no socket owns them: the socket is counted already. */
void live_accounting_finish(struct live_accounting *live)
{
	struct accounting *accounting = &live->delivery->accounting;
	__u64 counters[NT_COUNTERS];

	loader_counters(live->loader, counters);
	accounting->filtered[ACCOUNTING_FILTERED_OPTION] += counters[NT_COUNT_SOCKETS_FILTERED] +
							    counters[NT_COUNT_WIRE_FILTERED];
	accounting->preexisting = counters[NT_COUNT_SOCKETS_PREEXISTING];
	accounting->opened = counters[NT_COUNT_SOCKETS_OPENED] - counters[NT_COUNT_SOCKETS_NOT_BEGUN] +
			     loader_failures(counters, NT_COUNT_SOCKETS_FAILED) + counters[NT_COUNT_WIRE_OPENED] -
			     counters[NT_COUNT_WIRE_SETTLED] - live->wire_claimed;
	accounting->open += socket_table_count_open(live->loader);
	accounting->recursion_misses = count_skipped_events(live, counters);
	print_replaced_sockets(live, counters);
	if (counters[NT_COUNT_OPEN_RING_FAILED])
		message_detail("the ring buffer dropped %llu events of open connections",
			       (unsigned long long)counters[NT_COUNT_OPEN_RING_FAILED]);
	message_detail("tracking ended: %llu malformed packets, %llu processes not described, %llu details not stored "
		       "(%llu out of memory, %llu lock contended)",
		       (unsigned long long)counters[NT_COUNT_PACKETS_MALFORMED],
		       (unsigned long long)counters[NT_COUNT_PROCESS_RING_FAILED],
		       (unsigned long long)loader_failures(counters, NT_COUNT_DETAILS_FAILED),
		       (unsigned long long)counters[NT_COUNT_DETAILS_FAILED + NT_FAILED_NO_MEMORY],
		       (unsigned long long)counters[NT_COUNT_DETAILS_FAILED + NT_FAILED_LOCK]);
}
