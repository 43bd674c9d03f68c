/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels from access points and packet sniffers: CAPWAP's data (RFC 5415) and TZSP. Both carry Ethernet or 802.11. */
#ifndef NETRACKER_ACCESS_POINT_H
#define NETRACKER_ACCESS_POINT_H

#include "src/capture/layer.h"

#define NT_CAPWAP_HEADER 8
#define NT_CAPWAP_DTLS 1 /* the preamble's type */
#define NT_CAPWAP_IEEE80211 1
#define NT_CAPWAP_NATIVE 0x01   /* in the third byte: the frame has the format of the radio */
#define NT_CAPWAP_FRAGMENT 0x80 /* in the fourth byte, like the next two */
#define NT_CAPWAP_LAST 0x40
#define NT_CAPWAP_KEEP_ALIVE 0x08

#define NT_TZSP_VERSION 1
#define NT_TZSP_TRANSMIT 1 /* types up to this one carry a frame */
#define NT_TZSP_ETHERNET 1
#define NT_TZSP_IEEE80211 18
#define NT_TZSP_PADDING 0
#define NT_TZSP_END 1
#define NT_TZSP_MOST_TAGS 64

/* The header's length is in words of four bytes. A fragment is left to the caller: NT_PACKET_FRAGMENT, with the layer
 * at the CAPWAP header.
 */
NT_INLINE enum nt_parse nt_enter_capwap(void *frame, struct nt_layer *layer)
{
	__u8 header[NT_CAPWAP_HEADER];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u32 length = (header[1] >> 3) * 4, binding = (header[2] >> 1) & 0x1f;

	if (result != NT_PACKET_TCP)
		return result;
	if (header[0] == NT_CAPWAP_DTLS)
		return nt_is_no_tunnel(layer, NT_OVER_DTLS, 0);
	if (header[0] || length < NT_CAPWAP_HEADER)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	if (header[3] & NT_CAPWAP_KEEP_ALIVE)
		return NT_PACKET_NOT_TCP;
	if ((header[2] & NT_CAPWAP_NATIVE) && binding != NT_CAPWAP_IEEE80211)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	if (header[3] & NT_CAPWAP_FRAGMENT) {
		layer->type = header[2] & NT_CAPWAP_NATIVE ? NT_LAYER_CAPWAP_IEEE80211 : NT_LAYER_CAPWAP_ETHERNET;
		return NT_PACKET_FRAGMENT;
	}
	return nt_go_inside(layer, length,
			    header[2] & NT_CAPWAP_NATIVE ? NT_LAYER_IEEE80211_SWAPPED : NT_ETHERTYPE_BRIDGED);
}

/* A tagged field is its tag, its length and its value, but padding and the end are the tag alone. */
NT_INLINE enum nt_parse nt_pass_tzsp_tags(void *frame, struct nt_layer *layer)
{
	enum nt_parse result;
	__u8 tag, length;
	int i;

	for (i = 0; i < NT_TZSP_MOST_TAGS; i++) {
		result = nt_layer_load(frame, layer, 0, &tag, sizeof(tag));
		if (result != NT_PACKET_TCP)
			return result;
		layer->offset++;
		if (tag == NT_TZSP_END)
			return NT_PACKET_TCP;
		if (tag == NT_TZSP_PADDING)
			continue;
		result = nt_layer_load(frame, layer, 0, &length, sizeof(length));
		if (result != NT_PACKET_TCP)
			return result;
		layer->offset += sizeof(length) + length;
	}
	return NT_PACKET_MALFORMED;
}

NT_INLINE enum nt_parse nt_enter_tzsp(void *frame, struct nt_layer *layer)
{
	__u8 header[4];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u16 encapsulated = header[2] << 8 | header[3];

	if (result != NT_PACKET_TCP)
		return result;
	if (header[0] != NT_TZSP_VERSION)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	if (header[1] > NT_TZSP_TRANSMIT)
		return NT_PACKET_NOT_TCP;
	if (encapsulated != NT_TZSP_ETHERNET && encapsulated != NT_TZSP_IEEE80211)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	layer->type = encapsulated == NT_TZSP_ETHERNET ? NT_ETHERTYPE_BRIDGED : NT_LAYER_IEEE80211;
	layer->offset += sizeof(header);
	return nt_pass_tzsp_tags(frame, layer);
}

#endif
