/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets of a capture by NeTracker's own rules: what src/zeek/zeek_replay.h is for those of Zeek. What is done for every
 * packet before it is followed is inline.
 */
#ifndef NETRACKER_REPLAY_TRACKER_H
#define NETRACKER_REPLAY_TRACKER_H

#include "src/replay/replay_table.h"

#include <linux/types.h>

#include "core/record.h"
#include "src/capture/capture_reader.h"

/* Who is told of connections. The record is the callee's to change, and valid until it returns. */
struct replay_tracker_host {
	void (*began)(void *context);
	void (*established)(void *context, struct nt_record *record); /* NULL: nobody wants to know */
	void (*ended)(void *context, struct nt_record *record);
	void *context;
};

struct replay_tracker {
	struct replay_tracker_host host;
	struct replay_table *table;
	__u64 now; /* the capture's clock, where it stood highest */
};

/* A segment, and which connection it is of. */
struct replay_located {
	struct capture_segment segment;
	struct nt_key key;
	__u32 hash;
	int source; /* as nt_key_from_packet() tells */
};

/* NULL: no memory. */
struct replay_tracker *replay_tracker_new(const struct replay_tracker_host *host);

/* NULL is allowed. */
void replay_tracker_free(struct replay_tracker *tracker);

/* A packet of any kind was captured, at so many nanoseconds since the Unix epoch: ends what is over by then. */
void replay_tracker_clock(struct replay_tracker *tracker, __u64 ns);

/* Fills in the rest of one whose segment is set. */
static inline void replay_tracker_locate(const struct replay_tracker *tracker, struct replay_located *located)
{
	located->source = nt_key_from_packet(&located->key, &located->segment.packet, 0);
	located->hash = replay_table_hash(tracker->table, &located->key);
}

/* Asks memory for what replay_tracker_take() will look at. Best some time after it was located, and before it is taken. */
static inline void replay_tracker_prefetch(const struct replay_tracker *tracker, const struct replay_located *located)
{
	replay_table_prefetch(tracker->table, located->hash);
}

/* 0, or -ENOMEM. */
int replay_tracker_take(struct replay_tracker *tracker, const struct replay_located *located);

/* Ends all connections. */
void replay_tracker_finish(struct replay_tracker *tracker);

#endif
