/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracks the packets of a capture by NeTracker's own rules. src/zeek/zeek_replay.h does the same by Zeek's rules.
 * Functions that run for each packet before it is tracked are inline.
 */
#ifndef NETRACKER_REPLAY_TRACKER_H
#define NETRACKER_REPLAY_TRACKER_H

#include "src/replay/duplicates.h"
#include "src/replay/early_packets.h"
#include "src/replay/packet_clock.h"
#include "src/replay/replay_table.h"

#include <linux/types.h>

#include "core/record.h"
#include "src/capture/capture_reader.h"

/* Callbacks. A record is valid until the callee returns; the callee may change it. */
struct replay_tracker_host {
	void (*began)(void *context);
	void (*established)(void *context, struct nt_record *record); /* NULL: not called */
	void (*ended)(void *context, struct nt_record *record);
	void *context;
};

struct replay_tracker {
	struct replay_tracker_host host;
	struct replay_table *table;
	struct packet_time time; /* the clock */
	struct early_packets *early;
	struct withheld *withheld;
	struct doubted_answers *doubted;
	__u64 taken_back; /* connections that began, and begin again */
};

/* A segment with the key of its connection. */
struct replay_located {
	struct capture_segment segment;
	struct packet_time time;
	struct packet_fingerprint fingerprint;
	struct nt_key key;
	__u32 hash;
	int source; /* index of the sender, from nt_key_from_packet() */
	enum checksum checksum;
	bool is_counted; /* set when it is taken: it counts as a packet of its side */
};

/* most_bytes: of memory for connections, at least REPLAY_FEWEST_BYTES. What finds no room evicts another connection, whose
 * record has the gap NT_GAP_EVICTED: of those that are half-open the one without packets for the longest time, else of
 * those that ended, else of the established ones. Returns NULL without memory.
 */
struct replay_tracker *replay_tracker_new(const struct replay_tracker_host *host, __u64 most_bytes);

/* Returns whether the receiver refuses the segment, whose checksum is wrong. */
bool replay_tracker_refuses_checksum(const struct replay_tracker *tracker, const struct replay_located *located);

/* Accepts NULL. */
void replay_tracker_free(struct replay_tracker *tracker);

/* Sets the clock to that of a captured packet of any kind, and ends expired connections. */
void replay_tracker_clock(struct replay_tracker *tracker, const struct packet_time *time);

/* Sets key, hash and source of a struct whose segment and time are set. */
static inline void replay_tracker_locate(const struct replay_tracker *tracker, struct replay_located *located)
{
	located->source = nt_key_from_packet(&located->key, &located->segment.packet, 0);
	located->hash = replay_table_hash(tracker->table, &located->key);
}

/* Prefetches the entry that replay_tracker_take() will read. Call it some time after replay_tracker_locate() and before
 * replay_tracker_take().
 */
static inline void replay_tracker_prefetch(const struct replay_tracker *tracker, const struct replay_located *located)
{
	replay_table_prefetch(tracker->table, located->hash);
}

/* Tracks a segment, and marks it if its receiver refuses it. Returns 0, or -ENOMEM. */
int replay_tracker_take(struct replay_tracker *tracker, struct replay_located *located);

/* Takes a copy, seen on another interface or in another direction, of a segment that was tracked: it counts nowhere. */
void replay_tracker_take_copy(struct replay_tracker *tracker, const struct replay_located *located);

/* Takes an ICMP error: the packet of `located` is the segment that it quotes, as capture_reader_host.take_error gives it. */
void replay_tracker_take_error(struct replay_tracker *tracker, const struct replay_located *located, int error);

/* Ends all connections. */
void replay_tracker_finish(struct replay_tracker *tracker);

#endif
