/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frame relay (Q.922, FRF.12, FRF.16) with RFC 2427's network layer protocol identifiers (NLPID), or Cisco's EtherTypes.
 */
#ifndef NETRACKER_FRAME_RELAY_H
#define NETRACKER_FRAME_RELAY_H

#include "src/capture/layer_load.h"

#define NT_FRAME_RELAY_LAST 0x01 /* in the last byte of an address */
#define NT_FRAME_RELAY_LEAST_ADDRESS 2
#define NT_FRAME_RELAY_MOST_ADDRESS 4
#define NT_FRAME_RELAY_UI 0x03
#define NT_MULTILINK_WHOLE 0xc0 /* begins and ends a frame */
#define NT_MULTILINK_CONTROL 0x20

#define NT_NLPID_PADDING 0x00
#define NT_NLPID_Q933 0x08
#define NT_NLPID_CISCO_LMI 0x09
#define NT_NLPID_SNAP 0x80
#define NT_NLPID_OSI_FIRST 0x81
#define NT_NLPID_OSI_LAST 0x83
#define NT_NLPID_IPV6 0x8e
#define NT_NLPID_FRAGMENT 0xb1
#define NT_NLPID_IPV4 0xcc
#define NT_NLPID_PPP 0xcf

/* A frame that is not fragmented begins and ends in one piece of a multilink bundle (FRF.16), or behind the header of
 * FRF.12. `type` is that of the layer behind the two bytes.
 */
NT_INLINE enum nt_parse nt_pass_frame_relay_piece(void *frame, struct nt_layer *layer, __u16 type)
{
	__u8 bits;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &bits, sizeof(bits));

	if (result != NT_PACKET_TCP)
		return result;
	if (bits & NT_MULTILINK_CONTROL)
		return NT_PACKET_NOT_IP;
	if ((bits & NT_MULTILINK_WHOLE) != NT_MULTILINK_WHOLE)
		return nt_pass_over(layer, NT_OVER_NLPID, NT_NLPID_FRAGMENT);
	return nt_go_inside(layer, 2, type);
}

/* The address has two to four bytes; its last one is marked. Cisco's own format has an EtherType behind it. */
NT_INLINE enum nt_parse nt_pass_frame_relay(void *frame, struct nt_layer *layer)
{
	__u8 address[NT_FRAME_RELAY_MOST_ADDRESS], control;
	enum nt_parse result = NT_PACKET_TCP;
	__u32 size = 0;

	do {
		result = nt_layer_load(frame, layer, size, &address[size], 1);
		if (result != NT_PACKET_TCP)
			return result;
		size++;
	} while (!(address[size - 1] & NT_FRAME_RELAY_LAST) && size < NT_FRAME_RELAY_MOST_ADDRESS);
	if (size < NT_FRAME_RELAY_LEAST_ADDRESS || !(address[size - 1] & NT_FRAME_RELAY_LAST))
		return NT_PACKET_MALFORMED;
	layer->offset += size;
	result = nt_layer_load(frame, layer, 0, &control, sizeof(control));
	if (result != NT_PACKET_TCP)
		return result;
	if (control == NT_FRAME_RELAY_UI)
		return nt_go_inside(layer, sizeof(control), NT_LAYER_NLPID);
	result = nt_layer_load16(frame, layer, 0, &layer->type);
	layer->offset += sizeof(layer->type);
	return result;
}

/* Whether the byte is a NLPID that can lead to IP. */
NT_INLINE bool nt_nlpid_leads_to_ip(__u8 nlpid)
{
	return nlpid == NT_NLPID_IPV4 || nlpid == NT_NLPID_IPV6 || nlpid == NT_NLPID_SNAP || nlpid == NT_NLPID_PPP;
}

#endif
