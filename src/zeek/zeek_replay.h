/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracks the packets of a capture by Zeek's rules. src/replay/replay_tracker.h does the same by NeTracker's rules. */
#ifndef NETRACKER_ZEEK_REPLAY_H
#define NETRACKER_ZEEK_REPLAY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/record.h"
#include "src/capture/capture_reader.h"

/* Callbacks. A record is valid until the callee returns; the callee may change it. */
struct zeek_replay_host {
	void (*began)(void *context);
	void (*ended)(void *context, struct nt_record *record);
	void *context;
	bool ignore_checksums;
	__u64 most_bytes; /* of memory for connections; those that find no room evict others */
};

struct zeek_replay;

/* Returns NULL without memory. */
struct zeek_replay *zeek_replay_new(const struct zeek_replay_host *host);

/* Accepts NULL. */
void zeek_replay_free(struct zeek_replay *replay);

/* Sets the clock to the time of a captured packet of any kind, in nanoseconds since the Unix epoch, and ends the
 * connections whose timers are due.
 */
void zeek_replay_clock(struct zeek_replay *replay, __u64 ns);

/* Returns false if Zeek ignores the packet whose outermost IP header is at `offset`. */
bool zeek_replay_accepts(const struct zeek_replay *replay, const struct nt_buffer *frame, __u32 offset);

/* Tracks a segment. Returns 0, or -ENOMEM. */
int zeek_replay_take(struct zeek_replay *replay, struct capture_segment *segment);

/* Ends all connections. */
void zeek_replay_finish(struct zeek_replay *replay);

#endif
