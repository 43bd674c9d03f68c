/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembles fragmented IP packets up to the end of their TCP headers; nothing reads the payload.
 *
 * Memory is bounded: at most REPLAY_FRAGMENTED packets wait at a time, and a new one evicts the oldest. Fragments may come in
 * any order and more than once; where two overlap, the bytes of the first to arrive are used.
 */
#ifndef NETRACKER_FRAGMENTS_H
#define NETRACKER_FRAGMENTS_H

#include <linux/types.h>

#include "core/buffer.h"

#define REPLAY_FRAGMENTED 512

struct replay_fragments;

/* NULL: no memory. */
struct replay_fragments *replay_fragments_new(void);

/* NULL is allowed. */
void replay_fragments_free(struct replay_fragments *fragments);

enum replay_fragment {
	REPLAY_FRAGMENT_WAITS,     /* other fragments are missing, or this one is invalid */
	REPLAY_FRAGMENT_COMPLETES, /* the packet is reassembled */
	REPLAY_FRAGMENT_CUT,       /* not captured to its end: the packet cannot be reassembled */
};

/* Adds the fragment whose IP header is at `offset`; frame_length as for nt_parse_ip(). If no fragment is missing any more,
 * *whole is the packet, beginning at its IP header, without options and extension headers and with the kept part of its
 * payload, and *length the length of the whole packet in bytes. *whole is valid for the next REPLAY_FRAGMENTED - 1 calls.
 */
enum replay_fragment replay_fragments_add(struct replay_fragments *fragments, const struct nt_buffer *frame,
					  __u32 offset, __u32 frame_length, struct nt_buffer *whole, __u32 *length);

/* Returns the number of packets that were evicted incomplete, plus those that still wait for a fragment. */
__u64 replay_fragments_given_up(const struct replay_fragments *fragments);

#endif
