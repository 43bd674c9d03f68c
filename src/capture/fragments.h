/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembles fragmented IP packets up to the end of their TCP headers; nothing reads the payload.
 *
 * Memory is bounded: at most FRAGMENT_TABLE_SLOTS packets wait at a time, and a new one evicts the oldest. Fragments
 * may come in any order and more than once; where two overlap, the bytes of the first to arrive are used.
 */
#ifndef NETRACKER_FRAGMENTS_H
#define NETRACKER_FRAGMENTS_H

#include <linux/types.h>

#include "core/buffer.h"

#define FRAGMENT_TABLE_SLOTS 512

struct fragment_table;

/* Returns NULL without memory. */
struct fragment_table *fragment_table_new(void);

/* Accepts NULL. */
void fragment_table_free(struct fragment_table *fragments);

enum fragment_result {
	FRAGMENT_WAITS,     /* other fragments are missing, or this one is invalid */
	FRAGMENT_COMPLETES, /* the packet is reassembled */
	FRAGMENT_CUT,       /* not captured to its end: the packet cannot be reassembled */
};

/* Adds the fragment whose IP header is at `offset`; frame_length as for nt_parse_ip(). If no fragment is missing any
 * more, *whole is the packet, beginning at its IP header, without options and extension headers and with the kept part
 * of its payload, and *length the length of the whole packet in bytes. *whole is valid for the next
 * FRAGMENT_TABLE_SLOTS - 1 calls.
 */
enum fragment_result fragment_table_add(struct fragment_table *fragments, const struct nt_buffer *frame, __u32 offset,
					__u32 frame_length, struct nt_buffer *whole, __u32 *length);

/* Returns the number of packets that were evicted incomplete, plus those that still wait for a fragment. */
__u64 fragment_table_incomplete(const struct fragment_table *fragments);

#endif
