/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognises packets that were captured twice: on two interfaces, by a mirror port that copies both directions, before
 * and after a router (docs/record.md, "Packets that count once").
 *
 * Two packets are the same if their fingerprints are. These are keyed with a random secret, so that nobody can make
 * packets whose fingerprints collide. Only packets of the last DUPLICATE_NS are remembered.
 */
#ifndef NETRACKER_DUPLICATES_H
#define NETRACKER_DUPLICATES_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "src/capture/capture_reader.h"

#define DUPLICATE_NS 10000000ULL
#define DUPLICATES_FEWEST_BYTES (64 * 1024)
#define DUPLICATES_MOST_BYTES (12 * 1024 * 1024)

struct packet_fingerprint {
	__u64 hash; /* 40 bits, odd */
	/* The packet differs from its retransmissions: it has an IP id or a TCP timestamp. Other packets may only be
	 * duplicates of packets that were captured elsewhere.
	 */
	bool is_unique;
};

struct duplicates;

/* most_bytes: of memory; at least DUPLICATES_FEWEST_BYTES. With less than DUPLICATES_MOST_BYTES, fewer than 52 million packets
 * a second are remembered for all of the time. Returns NULL without memory.
 */
struct duplicates *duplicates_new(__u64 most_bytes);

/* Accepts NULL. */
void duplicates_free(struct duplicates *duplicates);

/* key_hash: the keyed hash of the packet's addresses; frame: the base of its offsets. Of a payload of more than 48 bytes
 * only the first, the middle and the last 16 count. The result goes to duplicates_take() within a few packets.
 */
void duplicates_compute(const struct duplicates *duplicates, const struct capture_segment *segment, __u32 key_hash,
			const struct nt_buffer *frame, struct packet_fingerprint *fingerprint);

/* Returns whether the packet is a duplicate of an earlier one, and remembers it. */
bool duplicates_take(struct duplicates *duplicates, const struct capture_segment *segment,
		     const struct packet_fingerprint *fingerprint);

#endif
