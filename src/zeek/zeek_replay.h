/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packets of a capture by Zeek's rules: what src/replay/replay_tracker.h is for those of NeTracker. */
#ifndef NETRACKER_ZEEK_REPLAY_H
#define NETRACKER_ZEEK_REPLAY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/record.h"
#include "src/capture/capture_reader.h"

/* Who is told of connections. The record is the callee's to change, and valid until it returns. */
struct zeek_replay_host {
	void (*began)(void *context);
	void (*ended)(void *context, struct nt_record *record);
	void *context;
	bool ignore_checksums;
};

struct zeek_replay;

/* NULL: no memory. */
struct zeek_replay *zeek_replay_new(const struct zeek_replay_host *host);

/* NULL is allowed. */
void zeek_replay_free(struct zeek_replay *replay);

/* A packet of any kind was captured, at so many nanoseconds since the Unix epoch: ends what is over by then. */
void zeek_replay_clock(struct zeek_replay *replay, __u64 ns);

/* False where Zeek does not look into a packet whose outermost IP header is at `offset`. */
bool zeek_replay_accepts(const struct zeek_replay *replay, const struct nt_buffer *frame, __u32 offset);

/* 0, or -ENOMEM. */
int zeek_replay_take(struct zeek_replay *replay, struct capture_segment *segment);

/* Ends all connections. */
void zeek_replay_finish(struct zeek_replay *replay);

#endif
