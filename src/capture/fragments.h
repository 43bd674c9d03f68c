/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts fragments of IP packets together again, as far as the headers go: the payload itself nobody asks for.
 *
 * Bounded: REPLAY_FRAGMENTED packets at a time, the oldest gives way. Fragments may come in any order and twice; where
 * two overlap, the first that came is kept.
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
	REPLAY_FRAGMENT_WAITS,     /* others are missing, or it is none that can be */
	REPLAY_FRAGMENT_COMPLETES,
	REPLAY_FRAGMENT_CUT,       /* not captured to its end: its packet can never be put together */
};

/* Takes the fragment whose IP header is at `offset`; frame_length as for nt_parse_ip(). Where it was the last that was
 * missing, *whole is the packet from its IP header on, without options and extension headers, with as much of its
 * payload as is kept, and *length the packet's whole length in bytes. Valid for the next REPLAY_FRAGMENTED - 1 calls.
 */
enum replay_fragment replay_fragments_add(struct replay_fragments *fragments, const struct nt_buffer *frame,
					  __u32 offset, __u32 frame_length, struct nt_buffer *whole, __u32 *length);

/* Packets that were given up because a fragment of theirs never came, and those that are waiting for one. */
__u64 replay_fragments_given_up(const struct replay_fragments *fragments);

#endif
