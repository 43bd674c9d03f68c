/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A layer of a frame: its offset, and its protocol as an EtherType or one of enum nt_layer_type. */
#ifndef NETRACKER_LAYER_LOAD_H
#define NETRACKER_LAYER_LOAD_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"

#define NT_ETHERTYPE_LEAST 0x0600 /* a smaller value is a length (IEEE 802.3 section 3.2.6) */

/* Below all EtherTypes. */
enum nt_layer_type {
	NT_LAYER_UNKNOWN, /* cannot hold IP */
	NT_LAYER_LLC,
	NT_LAYER_IP, /* the first four bits are the version */
	NT_LAYER_IEEE80211,
	NT_LAYER_NLPID,     /* a network layer protocol identifier (ISO/IEC TR 9577) */
	NT_LAYER_ETHERTYPE, /* an EtherType, then what it says */
	NT_LAYER_FRAME_RELAY,
	NT_LAYER_IEEE80211_SWAPPED, /* whose frame control may have its bytes swapped */
	NT_LAYER_HDLC,              /* Cisco's: an address, a control byte and an EtherType */
	NT_LAYER_CAPWAP_ETHERNET,   /* a fragment of CAPWAP's data, like the next */
	NT_LAYER_CAPWAP_IEEE80211,
	NT_LAYER_AMSDU, /* a subframe of an 802.11 A-MSDU */
	NT_LAYER_ICMP,  /* after an IP header, like the next */
	NT_LAYER_ICMPV6,
};

/* Why a packet that may hold TCP is passed over. */
enum nt_passed_over {
	NT_OVER_NONE,
	NT_OVER_LINK,
	NT_OVER_ETHERTYPE,
	NT_OVER_FAMILY,
	NT_OVER_PPP,
	NT_OVER_NLPID,
	NT_OVER_ENCAPSULATION,
	NT_OVER_GRE,
	NT_OVER_PORT, /* not the format of the tunnel that uses the port */
	NT_OVER_L2TP,
	NT_OVER_NSH,
	NT_OVER_ERSPAN,
	NT_OVER_ENCRYPTED_80211,
	NT_OVER_FRAGMENT_80211,
	NT_OVER_MACSEC,
	NT_OVER_ESP,
	NT_OVER_DTLS,
	NT_OVER_MALFORMED,
	NT_OVER_CUT,
	NT_OVER_INCOMPLETE,
};

struct nt_layer {
	__u32 offset;   /* in the frame, as the next three */
	__u32 end;      /* end of the enclosing layer; at first the frame's length as it was sent */
	__u32 more;     /* next subframe of the A-MSDU; 0: none */
	__u32 more_end; /* end of the A-MSDU */
	__u16 type;     /* an EtherType, or enum nt_layer_type */
	__u16 vlan;     /* the outermost VLAN's number, or NT_NO_VLAN */
	/* `end` may be wrong, so that only the frame's end limits what is read. */
	bool is_end_doubtful;
	__u8 over; /* enum nt_passed_over */
	__u32 over_number;
};

/* Says why a packet that cannot be parsed is not ordinary. Returns NT_PACKET_NOT_IP. */
NT_INLINE enum nt_parse nt_pass_over(struct nt_layer *layer, enum nt_passed_over kind, __u32 number)
{
	layer->over = kind;
	layer->over_number = number;
	return NT_PACKET_NOT_IP;
}

/* Copies `size` bytes that begin `at` bytes after the layer's first. Returns NT_PACKET_TCP, which is 0 and means
 * success here and in layer.h, or the error.
 */
NT_INLINE enum nt_parse nt_layer_load(void *frame, const struct nt_layer *layer, __u32 at, void *to, __u32 size)
{
	if (!layer->is_end_doubtful && (layer->offset > layer->end || at + size > layer->end - layer->offset))
		return NT_PACKET_MALFORMED;
	return NT_LOAD(frame, layer->offset + at, to, size) < 0 ? NT_PACKET_TRUNCATED : NT_PACKET_TCP;
}

/* Loads a number in network byte order; *value is in host byte order. */
NT_INLINE enum nt_parse nt_layer_load16(void *frame, const struct nt_layer *layer, __u32 at, __u16 *value)
{
	enum nt_parse result = nt_layer_load(frame, layer, at, value, sizeof(*value));

	if (result == NT_PACKET_TCP)
		*value = nt_network16(*value);
	return result;
}

/* Passes `header` bytes; the inner layer is of `type`. */
NT_INLINE enum nt_parse nt_go_inside(struct nt_layer *layer, __u32 header, __u16 type)
{
	if (!layer->is_end_doubtful && header > layer->end - layer->offset)
		return NT_PACKET_MALFORMED;
	layer->offset += header;
	layer->type = type;
	return NT_PACKET_TCP;
}

/* The packet does not have the tunnel's format, and is no control packet of it. Returns NT_PACKET_NOT_TCP. */
NT_INLINE enum nt_parse nt_is_no_tunnel(struct nt_layer *layer, enum nt_passed_over kind, __u32 number)
{
	nt_pass_over(layer, kind, number);
	return NT_PACKET_NOT_TCP;
}

#endif
