/* SPDX-License-Identifier: GPL-2.0-or-later */
/* IEEE 802.11 data frames (802.11-2020 section 9.3.2).
 *
 * Encrypted frames and fragments are passed over.
 */
#ifndef NETRACKER_IEEE80211_H
#define NETRACKER_IEEE80211_H

#include "src/capture/layer_load.h"

#define NT_80211_HEADER 24
#define NT_80211_VERSION 0x03
#define NT_80211_DATA 0x08 /* the type, in the first byte */
#define NT_80211_TYPE 0x0c
#define NT_80211_NO_DATA 0x40 /* subtypes: null function and the like */
#define NT_80211_QOS 0x80
#define NT_80211_TO_AND_FROM 0x03 /* in the second byte; if both bits are set, a fourth address follows */
#define NT_80211_MORE_FRAGMENTS 0x04
#define NT_80211_PROTECTED 0x40
#define NT_80211_HT_CONTROL 0x80 /* in frames with QoS */
#define NT_80211_AMSDU 0x80      /* in the first byte of the QoS control */
#define NT_80211_FRAGMENT 0x0f   /* in the first byte of the sequence control */

/* A subframe has destination, source and length, as in Ethernet, and always holds LLC (9.3.2.2.2). It begins at a
 * multiple of four bytes after the first one.
 */
NT_INLINE enum nt_parse nt_pass_subframe(void *frame, struct nt_layer *layer)
{
	__u32 end = layer->end, next;
	__u16 length;
	enum nt_parse result = nt_layer_load16(frame, layer, NT_ETHERNET_HEADER - 2, &length);

	if (result != NT_PACKET_TCP)
		return result;
	next = layer->offset + ((NT_ETHERNET_HEADER + length + 3) & ~3U);
	layer->offset += NT_ETHERNET_HEADER;
	if (!layer->is_end_doubtful && length > end - layer->offset)
		return NT_PACKET_MALFORMED;
	layer->end = layer->offset + length;
	layer->type = NT_LAYER_LLC;
	if (next < end && end - next > NT_ETHERNET_HEADER) {
		layer->more = next;
		layer->more_end = end;
	}
	return NT_PACKET_TCP;
}

/* The version is 0, so that a set bit of it shows that the bytes are swapped: some CAPWAP access points do that. */
NT_INLINE void nt_swap_frame_control(__u8 control[2])
{
	__u8 first = control[0];

	control[0] = control[1];
	control[1] = first;
}

NT_INLINE enum nt_parse nt_pass_ieee80211(void *frame, struct nt_layer *layer)
{
	__u8 control[2], sequence, quality = 0;
	__u32 header = NT_80211_HEADER;
	enum nt_parse result = nt_layer_load(frame, layer, 0, control, sizeof(control));

	if (result == NT_PACKET_TCP && layer->type == NT_LAYER_IEEE80211_SWAPPED && control[0] & NT_80211_VERSION)
		nt_swap_frame_control(control);
	if (result == NT_PACKET_TCP &&
	    ((control[0] & NT_80211_TYPE) != NT_80211_DATA || (control[0] & NT_80211_NO_DATA)))
		return NT_PACKET_NOT_IP;
	if (result == NT_PACKET_TCP && (control[1] & NT_80211_PROTECTED))
		return nt_pass_over(layer, NT_OVER_ENCRYPTED_80211, 0);
	if (result == NT_PACKET_TCP)
		result = nt_layer_load(frame, layer, NT_80211_HEADER - 2, &sequence, sizeof(sequence));
	if (result == NT_PACKET_TCP && ((sequence & NT_80211_FRAGMENT) || (control[1] & NT_80211_MORE_FRAGMENTS)))
		return nt_pass_over(layer, NT_OVER_FRAGMENT_80211, 0);
	if ((control[1] & NT_80211_TO_AND_FROM) == NT_80211_TO_AND_FROM)
		header += 6;
	if (result == NT_PACKET_TCP && (control[0] & NT_80211_QOS)) {
		result = nt_layer_load(frame, layer, header, &quality, sizeof(quality));
		header += control[1] & NT_80211_HT_CONTROL ? 6 : 2;
	}
	if (result != NT_PACKET_TCP)
		return result;
	layer->offset += header;
	layer->type = quality & NT_80211_AMSDU ? NT_LAYER_AMSDU : NT_LAYER_LLC;
	return NT_PACKET_TCP;
}

#endif
