/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembles fragmented IP packets up to the end of their TCP headers; nothing reads the payload.
 *
 * Memory is bounded: at most FRAGMENT_TABLE_SLOTS packets wait at a time, and a new one evicts the oldest. Fragments
 * may come in any order and more than once; where two overlap, the bytes of the first to arrive are used. Senders use
 * an identification again: a fragment that contradicts those that wait begins another packet, as does one that comes
 * too late for them.
 */
#ifndef NETRACKER_FRAGMENTS_H
#define NETRACKER_FRAGMENTS_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "src/capture/layer_load.h"

#define FRAGMENT_TABLE_SLOTS 512

/* RFC 1122 section 3.3.2: between 60 and 120 s */
#define FRAGMENT_EXPIRES_NS (60 * 1000000000ULL)

struct fragment_table;

struct fragment_rules {
	bool tunnels;  /* reassemble the packets of tunnels too, not only those of TCP */
	bool for_ever; /* fragments never expire, and never contradict those that wait, as in Zeek */
};

/* Returns NULL without memory. */
struct fragment_table *fragment_table_new(const struct fragment_rules *rules);

/* Accepts NULL. */
void fragment_table_free(struct fragment_table *fragments);

enum fragment_result {
	FRAGMENT_WAITS,     /* other fragments are missing, or this one is invalid or cannot hold TCP */
	FRAGMENT_COMPLETES, /* the packet is reassembled */
	FRAGMENT_CUT,       /* not captured to its end: the packet cannot be reassembled */
};

/* Adds the fragment whose IP header is at `offset` of a frame that was captured at the time `ns`. If no fragment is
 * missing any more, *whole is the packet, beginning at its IP header, without options and extension headers and with
 * the kept part of its payload, and *length the length of the whole packet in bytes. *whole is valid for the next
 * FRAGMENT_TABLE_SLOTS - 1 calls.
 */
enum fragment_result fragment_table_add(struct fragment_table *fragments, const struct nt_buffer *frame, __u32 offset,
					__u64 ns, struct nt_buffer *whole, __u32 *length);

/* The same for a fragment of CAPWAP's data whose CAPWAP header is at the layer's beginning. packet: the IP packet that it came in.
 * *whole is the Ethernet or 802.11 frame.
 */
enum fragment_result fragment_table_add_capwap(struct fragment_table *fragments, const struct nt_buffer *frame,
					       const struct nt_packet *packet, const struct nt_layer *layer, __u64 ns,
					       struct nt_buffer *whole, __u32 *length);

/* Returns the number of packets that were given up incomplete, plus those that still wait for a fragment. Fragments that
 * were captured again after their packet was complete do not count.
 */
__u64 fragment_table_incomplete(const struct fragment_table *fragments);

#endif
