/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recognises packets that were captured twice: on two interfaces, by a mirror port that copies both directions, before
 * and after a router (docs/record.md, "Packets that count once").
 *
 * Two packets are the same if their fingerprints are. These are keyed with a random secret, so that nobody can make
 * packets whose fingerprints collide. Only packets of the last NT_COPY_NS are remembered.
 */
#ifndef NETRACKER_DUPLICATES_H
#define NETRACKER_DUPLICATES_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/stream.h"
#include "src/capture/capture_reader.h"

#define DUPLICATES_FEWEST_BYTES (64 * 1024)
#define DUPLICATES_MOST_BYTES (12 * 1024 * 1024)

struct packet_fingerprint {
	__u32 print;
	__u16 lowest; /* 9 more bits of the hash */
	/* The packet differs from its retransmissions: it has an IP id or a TCP timestamp. Other packets may only be
	 * duplicates of packets that were captured elsewhere.
	 */
	bool is_unique;
};

enum duplicate {
	NO_DUPLICATE,
	DUPLICATE_HERE, /* on the same interface and in the same direction as the packet before */
	DUPLICATE_ELSEWHERE,
};

struct duplicates;

/* most_bytes: of memory; at least DUPLICATES_FEWEST_BYTES. With less than DUPLICATES_MOST_BYTES, fewer packets a second
 * are remembered for all of the time. Returns NULL without memory.
 */
struct duplicates *duplicates_new(__u64 most_bytes);

/* Accepts NULL. */
void duplicates_free(struct duplicates *duplicates);

/* side_hash: a keyed hash of the addresses and ports, another one for each direction; frame: the base of the packet's
 * offsets. Of options and payload of more than 80 bytes together only the first 48, the last 16 and 16 in the middle
 * count. The result goes to duplicates_take() within a few packets.
 */
void duplicates_compute(const struct duplicates *duplicates, const struct capture_segment *segment, __u32 side_hash,
			const struct nt_buffer *frame, struct packet_fingerprint *fingerprint);

/* Returns whether the packet is a duplicate of one that was taken within NT_COPY_NS. */
enum duplicate duplicates_find(struct duplicates *duplicates, const struct capture_segment *segment,
			       const struct packet_fingerprint *fingerprint);

/* Does the same, and remembers the packet. */
enum duplicate duplicates_take(struct duplicates *duplicates, const struct capture_segment *segment,
			       const struct packet_fingerprint *fingerprint);

#endif
