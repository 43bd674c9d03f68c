/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A layer of a frame: what begins at an offset, and the number that says what it is, an EtherType or one of
 * enum nt_layer_type.
 */
#ifndef NETRACKER_LAYER_LOAD_H
#define NETRACKER_LAYER_LOAD_H

#include "core/packet.h"

/* No EtherType is so small. */
enum nt_layer_type {
	NT_LAYER_UNKNOWN, /* nothing that leads to IP */
	NT_LAYER_LLC,
	NT_LAYER_IP, /* of the version that it says itself */
	NT_LAYER_IEEE80211,
	NT_LAYER_AMSDU, /* a subframe of an 802.11 A-MSDU */
};

struct nt_layer {
	__u32 offset; /* in the frame */
	__u32 end;    /* of the layer around it; the frame's original length at first */
	__u32 more;     /* where the next subframe of the A-MSDU is; 0: there is none */
	__u32 more_end; /* where the A-MSDU ends */
	__u16 type; /* an EtherType, or enum nt_layer_type */
	__u16 vlan; /* the outermost VLAN's number, or NT_NO_VLAN */
};

/* Copies `size` bytes, `at` bytes behind the layer's beginning. NT_PACKET_TCP, which is 0, here and below means: go on. */
NT_INLINE enum nt_parse nt_layer_load(void *frame, const struct nt_layer *layer, __u32 at, void *to, __u32 size)
{
	if (layer->offset > layer->end || at + size > layer->end - layer->offset)
		return NT_PACKET_MALFORMED;
	return NT_LOAD(frame, layer->offset + at, to, size) < 0 ? NT_PACKET_TRUNCATED : NT_PACKET_TCP;
}

/* The same for a number in network byte order. */
NT_INLINE enum nt_parse nt_layer_load16(void *frame, const struct nt_layer *layer, __u32 at, __u16 *value)
{
	enum nt_parse result = nt_layer_load(frame, layer, at, value, sizeof(*value));

	if (result == NT_PACKET_TCP)
		*value = nt_network16(*value);
	return result;
}

#endif
