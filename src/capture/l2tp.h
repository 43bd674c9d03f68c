/* SPDX-License-Identifier: GPL-2.0-or-later */
/* L2TP (RFC 2661) with PPP, and version 3 (RFC 3931) with Ethernet, PPP, Cisco HDLC or IP.
 *
 * Version 3 negotiates the length of the cookie and whether a sublayer follows; data packets do not show it. So the
 * payload is looked for at each possible offset.
 */
#ifndef NETRACKER_L2TP_H
#define NETRACKER_L2TP_H

#include "src/capture/layer.h"

#define NT_L2TP_CONTROL 0x8000
#define NT_L2TP_LENGTH 0x4000
#define NT_L2TP_SEQUENCE 0x0800
#define NT_L2TP_OFFSET 0x0200
#define NT_L2TP_VERSION 0x000f
#define NT_L2TP_SESSION 4
#define NT_L2TP_MOST_BEFORE 12 /* a cookie of eight bytes and a sublayer of four */

/* True if the bytes can begin an IP packet of the EtherType, or another packet that Ethernet carries. */
NT_INLINE bool nt_is_plausible_payload(__u16 ethertype, __u8 first)
{
	if (ethertype == NT_ETHERTYPE_IPV4)
		return first >> 4 == 4 && (first & 0x0f) >= 5;
	if (ethertype == NT_ETHERTYPE_IPV6)
		return first >> 4 == 6;
	if (ethertype == NT_ETHERTYPE_ARP)
		return first == 0;
	return nt_leads_to_ip(ethertype);
}

/* Returns the type of the payload at an offset where a PPP frame or Cisco's HDLC may begin, or NT_LAYER_UNKNOWN. */
NT_INLINE __u16 nt_serial_type(const __u8 *bytes)
{
	__u16 type = bytes[2] << 8 | bytes[3];

	if (bytes[0] == NT_PPP_ADDRESS && bytes[1] == NT_PPP_CONTROL && bytes[2] != NT_PPP_ADDRESS)
		return NT_ETHERTYPE_PPP;
	if (bytes[0] == 0 && ((bytes[1] == NT_PPP_IPV4 && nt_is_plausible_payload(NT_ETHERTYPE_IPV4, bytes[2])) ||
			      (bytes[1] == NT_PPP_IPV6 && nt_is_plausible_payload(NT_ETHERTYPE_IPV6, bytes[2]))))
		return NT_ETHERTYPE_PPP;
	if ((bytes[0] == NT_HDLC_UNICAST || bytes[0] == NT_HDLC_MULTICAST) && bytes[1] == 0 && nt_leads_to_ip(type))
		return NT_LAYER_HDLC;
	return NT_LAYER_UNKNOWN;
}

/* Returns the type of the payload `at` bytes after the layer's first, or NT_LAYER_UNKNOWN. */
NT_INLINE __u16 nt_l2tp_payload_type(void *frame, const struct nt_layer *layer, __u32 at)
{
	__u8 bytes[4], ethernet[3], address[16];
	__u16 total_length = 0;

	if (nt_layer_load(frame, layer, at, bytes, sizeof(bytes)) != NT_PACKET_TCP)
		return NT_LAYER_UNKNOWN;
	if (nt_serial_type(bytes) != NT_LAYER_UNKNOWN)
		return nt_serial_type(bytes);
	if (nt_layer_load(frame, layer, at + 12, ethernet, sizeof(ethernet)) == NT_PACKET_TCP &&
	    nt_is_plausible_payload(ethernet[0] << 8 | ethernet[1], ethernet[2]))
		return NT_ETHERTYPE_BRIDGED;
	total_length = bytes[2] << 8 | bytes[3];
	if (nt_is_plausible_payload(NT_ETHERTYPE_IPV4, bytes[0]) && total_length == layer->end - layer->offset - at)
		return NT_LAYER_IP;
	if (nt_is_plausible_payload(NT_ETHERTYPE_IPV6, bytes[0]) &&
	    nt_layer_load(frame, layer, at, address, sizeof(address)) == NT_PACKET_TCP &&
	    (__u32)(address[4] << 8 | address[5]) + NT_IPV6_HEADER == layer->end - layer->offset - at)
		return NT_LAYER_IP;
	return NT_LAYER_UNKNOWN;
}

/* The layer is at the session's number, which is 0 in a control packet over IP. */
NT_INLINE enum nt_parse nt_enter_l2tp_session(void *frame, struct nt_layer *layer)
{
	__u32 session, at;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &session, sizeof(session));

	if (result != NT_PACKET_TCP || !session)
		return result == NT_PACKET_TCP ? NT_PACKET_NOT_TCP : result;
	layer->offset += NT_L2TP_SESSION;
	for (at = 0; at <= NT_L2TP_MOST_BEFORE; at += 4) {
		layer->type = nt_l2tp_payload_type(frame, layer, at);
		if (layer->type != NT_LAYER_UNKNOWN) {
			layer->offset += at;
			return NT_PACKET_TCP;
		}
	}
	return nt_is_no_tunnel(layer, NT_OVER_L2TP, 0);
}

/* Optional fields follow the flags; the offset field counts bytes of padding behind it. */
NT_INLINE enum nt_parse nt_enter_l2tp_v2(void *frame, struct nt_layer *layer, __u16 flags)
{
	__u32 header = 2 + (flags & NT_L2TP_LENGTH ? 2 : 0) + 4 + (flags & NT_L2TP_SEQUENCE ? 4 : 0);
	enum nt_parse result;
	__u16 padding = 0;

	if (flags & NT_L2TP_OFFSET) {
		result = nt_layer_load16(frame, layer, header, &padding);
		if (result != NT_PACKET_TCP)
			return result;
		header += 2 + padding;
	}
	return nt_go_inside(layer, header, NT_ETHERTYPE_PPP);
}

NT_INLINE enum nt_parse nt_enter_l2tp_udp(void *frame, struct nt_layer *layer)
{
	__u16 flags;
	enum nt_parse result = nt_layer_load16(frame, layer, 0, &flags);

	if (result != NT_PACKET_TCP)
		return result;
	if ((flags & NT_L2TP_VERSION) != 2 && (flags & NT_L2TP_VERSION) != 3)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	if (flags & NT_L2TP_CONTROL)
		return NT_PACKET_NOT_TCP;
	if ((flags & NT_L2TP_VERSION) == 2)
		return nt_enter_l2tp_v2(frame, layer, flags);
	layer->offset += 4;
	return nt_enter_l2tp_session(frame, layer);
}

#endif
