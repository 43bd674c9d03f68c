// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/loss_watch.h"

#include "src/util/message.h"

#define TOO_MANY_AT_ONCE "more are open at once than it holds: docs/architecture.md, \"When something is full\""
#define TOO_MANY_OF_ONE \
	"it holds a quarter of the table or more, what is free is kept for others: docs/architecture.md, \"Fair shares\""
#define GIVE_MEMORY "free some memory, or raise the limit of netracker's memory cgroup"
#define REPORT "please report it"

static const char *const remedies[ACCOUNTING_LOSSES] = {
	[ACCOUNTING_LOST_HALF_OPEN_FULL] = TOO_MANY_AT_ONCE,
	[ACCOUNTING_LOST_HALF_OPEN_SHARE] = TOO_MANY_OF_ONE,
	[ACCOUNTING_LOST_HALF_OPEN_NO_MEMORY] = GIVE_MEMORY,
	[ACCOUNTING_LOST_HALF_OPEN_LOCK] = REPORT,
	[ACCOUNTING_LOST_HALF_OPEN_OTHER] = REPORT,
	[ACCOUNTING_LOST_ESTABLISHED_FULL] = TOO_MANY_AT_ONCE,
	[ACCOUNTING_LOST_ESTABLISHED_SHARE] = TOO_MANY_OF_ONE,
	[ACCOUNTING_LOST_ESTABLISHED_NO_MEMORY] = GIVE_MEMORY,
	[ACCOUNTING_LOST_ESTABLISHED_LOCK] = REPORT,
	[ACCOUNTING_LOST_ESTABLISHED_OTHER] = REPORT,
	[ACCOUNTING_LOST_SOCKETS_FULL] = TOO_MANY_AT_ONCE,
	[ACCOUNTING_LOST_SOCKETS_SHARE] = TOO_MANY_OF_ONE,
	[ACCOUNTING_LOST_SOCKETS_NO_MEMORY] = GIVE_MEMORY,
	[ACCOUNTING_LOST_SOCKETS_LOCK] = REPORT,
	[ACCOUNTING_LOST_SOCKETS_OTHER] = REPORT,
	[ACCOUNTING_LOST_RING_FULL] = "events come faster than netracker gets CPU time: filter them (-L, -D, --net), "
				      "or raise its priority",
	[ACCOUNTING_LOST_RING_LOCK] = REPORT,
	[ACCOUNTING_LOST_EVICTED] = "the kernel skipped events: docs/architecture.md, \"Ends that no program saw\"",
	[ACCOUNTING_LOST_NO_MEMORY] = "netracker has no memory: free some",
	[ACCOUNTING_LOST_HISTORY_SLOW] = "its disk takes them too slowly: keep it on another one, or filter them",
	[ACCOUNTING_LOST_HISTORY_DISK_FULL] = "free some room there, or keep less: --keep",
	[ACCOUNTING_LOST_HISTORY_FAILED] = "the error above says why",
};

static void announce_begin(enum accounting_loss cause)
{
	message_error("records are being lost: %s; %s", accounting_loss_name(cause), remedies[cause]);
}

static void announce_end(struct loss_period *period, enum accounting_loss cause)
{
	__u64 count = period->lost - period->announced;

	message_error("records are no longer lost: %s; %llu %s lost", accounting_loss_name(cause),
		      (unsigned long long)count, count == 1 ? "was" : "were");
	period->is_ongoing = false;
	period->announced = period->lost;
}

static void update_period(struct loss_period *period, enum accounting_loss cause, __u64 lost, __u64 now_ns)
{
	if (lost > period->lost) {
		period->lost = lost;
		period->changed_ns = now_ns;
		if (!period->is_ongoing)
			announce_begin(cause);
		period->is_ongoing = true;
	} else if (period->is_ongoing && now_ns - period->changed_ns >= LOSS_WATCH_QUIET_NS) {
		announce_end(period, cause);
	}
}

void loss_watch_update(struct loss_watch *watch, const __u64 lost[ACCOUNTING_LOSSES], __u64 now_ns)
{
	unsigned int cause;

	for (cause = 0; cause < ACCOUNTING_LOSSES; cause++)
		if (cause != ACCOUNTING_LOST_SINK_FAILED)
			update_period(&watch->causes[cause], cause, lost[cause], now_ns);
}

void loss_watch_finish(struct loss_watch *watch, const __u64 lost[ACCOUNTING_LOSSES], __u64 now_ns)
{
	unsigned int cause;

	loss_watch_update(watch, lost, now_ns);
	for (cause = 0; cause < ACCOUNTING_LOSSES; cause++)
		if (watch->causes[cause].is_ongoing)
			announce_end(&watch->causes[cause], cause);
}
