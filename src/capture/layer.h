/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Passes the headers between the link layer and IP. Only user space uses it: BPF programs get frames whose link layer
 * the kernel has parsed.
 *
 * nt_pass_layers() goes from layer to layer until it reaches IP or an unknown protocol. References: IEEE 802.1Q (VLAN),
 * 802.1ah (PBB), 802.1BR (E-TAG) and 802.2 (LLC), RFC 1042 (SNAP), RFC 2427 and 2684 (NLPID), RFC 8300 (NSH), RFC 1661 and 1662 (PPP), RFC 2516 (PPPoE), RFC 3032
 * (MPLS), RFC 4385 and 4448 (pseudowires).
 */
#ifndef NETRACKER_LAYER_H
#define NETRACKER_LAYER_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "src/capture/frame_relay.h"
#include "src/capture/ieee80211.h"
#include "src/capture/layer_load.h"

#define NT_ETHERTYPE_ARP 0x0806
#define NT_ETHERTYPE_BRIDGED 0x6558 /* a whole Ethernet frame (RFC 1701) */
#define NT_ETHERTYPE_PPP 0x880b
#define NT_ETHERTYPE_MPLS 0x8847
#define NT_ETHERTYPE_MPLS_UPSTREAM 0x8848
#define NT_ETHERTYPE_PPPOE_SESSION 0x8864
#define NT_ETHERTYPE_PBB 0x88e7
#define NT_ETHERTYPE_FABRICPATH 0x8903
#define NT_ETHERTYPE_DSA 0xdada /* the tag of Marvell's switches, with an EtherType */
#define NT_ETHERTYPE_NSH 0x894f
#define NT_ETHERTYPE_VN_TAG 0x8926
#define NT_ETHERTYPE_E_TAG 0x893f

#define NT_PPP_IPV4 0x0021
#define NT_PPP_IPV6 0x0057
#define NT_PPP_MPLS 0x0281
#define NT_PPP_MULTILINK 0x003d
#define NT_PPP_OSI 0x0023
#define NT_PPP_APPLETALK 0x0029
#define NT_PPP_IPX 0x002b
#define NT_PPP_CDP 0x0207
#define NT_PPP_CONTROLS 0x4000 /* the first of the protocols that hold no packets */
#define NT_PPP_WHOLE 0xc0      /* in a multilink header: begins and ends a packet */
#define NT_PPP_ADDRESS 0xff
#define NT_PPP_CONTROL 0x03

#define NT_HDLC_UNICAST 0x0f
#define NT_HDLC_MULTICAST 0x8f
#define NT_HDLC_HEADER 4

#define NT_LLC_IP 0x06 /* the service access point of IP itself */
#define NT_LLC_SNAP 0xaa
#define NT_LLC_NLPID 0xfe
#define NT_LLC_UNNUMBERED 0x03

#define NT_DSA_TAG 4
#define NT_DSA_TAGGED 0x20 /* in its first byte: the frame's VLAN is in the tag */
#define NT_CONTROL_WORD 4
#define NT_LEAST_NSH 8

#define NT_MOST_LAYERS 16
#define NT_MOST_LABELS 16

/* The field is an EtherType, or a length, which LLC follows. */
NT_INLINE __u16 nt_layer_type_of(__u16 ethertype)
{
	return ethertype < NT_ETHERTYPE_LEAST ? NT_LAYER_LLC : ethertype;
}

/* Passes `header` bytes whose last two are an EtherType. */
NT_INLINE enum nt_parse nt_pass_to_ethertype(void *frame, struct nt_layer *layer, __u32 header)
{
	__u16 ethertype;
	enum nt_parse result = nt_layer_load16(frame, layer, header - 2, &ethertype);

	if (result != NT_PACKET_TCP)
		return result;
	layer->type = nt_layer_type_of(ethertype);
	layer->offset += header;
	return NT_PACKET_TCP;
}

NT_INLINE enum nt_parse nt_pass_vlan(void *frame, struct nt_layer *layer)
{
	__u16 ethertype = layer->type;

	if (nt_pass_vlan_tags(frame, &layer->offset, &ethertype, &layer->vlan) < 0)
		return NT_PACKET_TRUNCATED;
	layer->type = nt_layer_type_of(ethertype);
	return NT_PACKET_TCP;
}

/* A packet of a multilink bundle that is not fragmented has both bits set, and the next protocol after its sequence
 * number (RFC 1990 section 3). The long format is the default.
 */
NT_INLINE enum nt_parse nt_pass_multilink(void *frame, struct nt_layer *layer)
{
	__u8 bits;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &bits, sizeof(bits));

	if (result != NT_PACKET_TCP)
		return result;
	if ((bits & NT_PPP_WHOLE) != NT_PPP_WHOLE)
		return nt_pass_over(layer, NT_OVER_PPP, NT_PPP_MULTILINK);
	layer->offset += 4;
	layer->type = NT_ETHERTYPE_PPP;
	return NT_PACKET_TCP;
}

/* Protocols from 0x4000 on control the link (RFC 1661 section 2). IPX and the like cannot hold IP. */
NT_INLINE enum nt_parse nt_set_ppp_protocol(void *frame, struct nt_layer *layer, __u16 protocol)
{
	layer->type = NT_LAYER_UNKNOWN;
	switch (protocol) {
	case NT_PPP_IPV4:
		layer->type = NT_ETHERTYPE_IPV4;
		return NT_PACKET_TCP;
	case NT_PPP_IPV6:
		layer->type = NT_ETHERTYPE_IPV6;
		return NT_PACKET_TCP;
	case NT_PPP_MPLS:
		layer->type = NT_ETHERTYPE_MPLS;
		return NT_PACKET_TCP;
	case NT_PPP_MULTILINK:
		return nt_pass_multilink(frame, layer);
	case NT_PPP_OSI:
	case NT_PPP_APPLETALK:
	case NT_PPP_IPX:
	case NT_PPP_CDP:
		return NT_PACKET_NOT_IP;
	default:
		return protocol < NT_PPP_CONTROLS ? nt_pass_over(layer, NT_OVER_PPP, protocol) : NT_PACKET_NOT_IP;
	}
}

/* The protocol field has one or two bytes: an odd byte is its last (RFC 1661 section 2). The address and control bytes
 * of HDLC-like framing may precede it (RFC 1662 section 3.1); no protocol number begins with that address.
 */
NT_INLINE enum nt_parse nt_pass_ppp(void *frame, struct nt_layer *layer)
{
	__u8 byte = 0;
	__u16 protocol;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &byte, sizeof(byte));

	if (result == NT_PACKET_TCP && byte == NT_PPP_ADDRESS) {
		layer->offset += 2;
		result = nt_layer_load(frame, layer, 0, &byte, sizeof(byte));
	}
	protocol = byte;
	if (result == NT_PACKET_TCP && !(byte & 1))
		result = nt_layer_load16(frame, layer, 0, &protocol);
	if (result != NT_PACKET_TCP)
		return result;
	layer->offset += byte & 1 ? 1 : 2;
	return nt_set_ppp_protocol(frame, layer, protocol);
}

/* Version 1, type 1, code 0 is a packet of a session (RFC 2516 section 4). Its length is ignored, because some devices
 * write one that is shorter than the IP packet, which has its own.
 */
NT_INLINE enum nt_parse nt_pass_pppoe(void *frame, struct nt_layer *layer)
{
	__u16 header[3];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));

	layer->type = NT_LAYER_UNKNOWN;
	if (result != NT_PACKET_TCP || nt_network16(header[0]) != 0x1100)
		return result;
	layer->type = NT_ETHERTYPE_PPP;
	layer->offset += sizeof(header);
	return NT_PACKET_TCP;
}

NT_INLINE int nt_leads_to_ip(__u16 ethertype)
{
	switch (ethertype) {
	case NT_ETHERTYPE_IPV4:
	case NT_ETHERTYPE_IPV6:
	case NT_ETHERTYPE_MPLS:
	case NT_ETHERTYPE_MPLS_UPSTREAM:
	case NT_ETHERTYPE_PPPOE_SESSION:
		return 1;
	default:
		return nt_is_vlan(ethertype);
	}
}

/* Tries an Ethernet frame that begins `at` bytes after the labels. Returns NT_PACKET_NOT_IP if its EtherType excludes
 * it.
 */
NT_INLINE enum nt_parse nt_find_pseudowire(void *frame, struct nt_layer *layer, __u32 at)
{
	__u16 ethertype;
	enum nt_parse result = nt_layer_load16(frame, layer, at + NT_ETHERNET_HEADER - 2, &ethertype);

	if (result != NT_PACKET_TCP)
		return result;
	if (!nt_leads_to_ip(ethertype))
		return NT_PACKET_NOT_IP;
	layer->offset += at;
	layer->type = NT_ETHERTYPE_BRIDGED;
	return NT_PACKET_TCP;
}

/* Ethernet that is bridged over ATM has two bytes of padding before it (RFC 2684), over frame relay none (RFC 2427). */
NT_INLINE enum nt_parse nt_pass_bridged(void *frame, struct nt_layer *layer)
{
	enum nt_parse result = nt_find_pseudowire(frame, layer, 0);

	return result == NT_PACKET_NOT_IP ? nt_find_pseudowire(frame, layer, 2) : result;
}

/* SNAP holds an organisation's number and a type, which is an EtherType if the number is 0 (RFC 1042). */
NT_INLINE enum nt_parse nt_pass_snap(void *frame, struct nt_layer *layer)
{
	__u8 snap[5];
	enum nt_parse result = nt_layer_load(frame, layer, 0, snap, sizeof(snap));

	layer->type = NT_LAYER_UNKNOWN;
	if (result != NT_PACKET_TCP)
		return result;
	if (!snap[0] && (snap[1] == 0x80 && snap[2] == 0xc2) && !snap[3] && (snap[4] == 1 || snap[4] == 7)) {
		layer->offset += sizeof(snap);
		return nt_pass_bridged(frame, layer);
	}
	return snap[0] || snap[1] || snap[2] ? NT_PACKET_TCP : nt_pass_to_ethertype(frame, layer, sizeof(snap));
}

NT_INLINE enum nt_parse nt_pass_llc(void *frame, struct nt_layer *layer)
{
	__u8 llc[3];
	enum nt_parse result = nt_layer_load(frame, layer, 0, llc, sizeof(llc));

	layer->type = NT_LAYER_UNKNOWN;
	if (result != NT_PACKET_TCP || llc[2] != NT_LLC_UNNUMBERED || llc[0] != llc[1])
		return result;
	if (llc[0] != NT_LLC_IP && llc[0] != NT_LLC_NLPID && llc[0] != NT_LLC_SNAP)
		return NT_PACKET_TCP;
	layer->offset += sizeof(llc);
	if (llc[0] == NT_LLC_SNAP)
		return nt_pass_snap(frame, layer);
	layer->type = llc[0] == NT_LLC_IP ? NT_ETHERTYPE_IPV4 : NT_LAYER_NLPID;
	return NT_PACKET_TCP;
}

/* RFC 2427 section 4. A byte of padding may precede the identifier; that of FRF.12 precedes a whole frame. */
NT_INLINE enum nt_parse nt_pass_nlpid(void *frame, struct nt_layer *layer)
{
	__u8 nlpid;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &nlpid, sizeof(nlpid));

	if (result != NT_PACKET_TCP)
		return result;
	layer->offset++;
	switch (nlpid) {
	case NT_NLPID_PADDING:
	case NT_FRAME_RELAY_UI:
		return NT_PACKET_TCP;
	case NT_NLPID_IPV4:
		layer->type = NT_ETHERTYPE_IPV4;
		return NT_PACKET_TCP;
	case NT_NLPID_IPV6:
		layer->type = NT_ETHERTYPE_IPV6;
		return NT_PACKET_TCP;
	case NT_NLPID_PPP:
		layer->type = NT_ETHERTYPE_PPP;
		return NT_PACKET_TCP;
	case NT_NLPID_SNAP:
		return nt_pass_snap(frame, layer);
	case NT_NLPID_FRAGMENT:
		return nt_pass_frame_relay_piece(frame, layer, NT_LAYER_NLPID);
	case NT_NLPID_Q933:
	case NT_NLPID_CISCO_LMI:
		return NT_PACKET_NOT_IP;
	default:
		if (nlpid >= NT_NLPID_OSI_FIRST && nlpid <= NT_NLPID_OSI_LAST)
			return NT_PACKET_NOT_IP;
		return nt_pass_over(layer, NT_OVER_NLPID, nlpid);
	}
}

/* The tag replaces a VLAN tag of the frame, and holds its number. */
NT_INLINE void nt_set_dsa_vlan(struct nt_layer *layer, const __u8 tag[NT_DSA_TAG])
{
	__u16 vlan = NT_VLAN_ID(tag[2] << 8 | tag[3]);

	if ((tag[0] & NT_DSA_TAGGED) && vlan && layer->vlan == NT_NO_VLAN)
		layer->vlan = vlan;
}

/* Passes `before` bytes, the tag of a Marvell switch, and the EtherType of the frame. */
NT_INLINE enum nt_parse nt_pass_dsa(void *frame, struct nt_layer *layer, __u32 before)
{
	__u8 tag[NT_DSA_TAG];
	enum nt_parse result = nt_layer_load(frame, layer, before, tag, sizeof(tag));

	if (result != NT_PACKET_TCP)
		return result;
	nt_set_dsa_vlan(layer, tag);
	return nt_pass_to_ethertype(frame, layer, before + sizeof(tag) + 2);
}

/* MPLS has no field for the protocol below the labels, so it is guessed. IP begins with its version, a pseudowire's
 * control word with 0 (RFC 4385 section 3). Ethernet, with or without a control word, is recognised by its EtherType.
 */
NT_INLINE enum nt_parse nt_pass_under_labels(void *frame, struct nt_layer *layer)
{
	__u8 version = 0;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &version, sizeof(version));

	if (result != NT_PACKET_TCP)
		return result;
	version >>= 4;
	if (version == 4 || version == 6) {
		layer->type = version == 4 ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6;
		return NT_PACKET_TCP;
	}
	result = version ? NT_PACKET_NOT_IP : nt_find_pseudowire(frame, layer, NT_CONTROL_WORD);
	return result == NT_PACKET_NOT_IP ? nt_find_pseudowire(frame, layer, 0) : result;
}

NT_INLINE enum nt_parse nt_pass_labels(void *frame, struct nt_layer *layer)
{
	__u8 label[4];
	enum nt_parse result;
	int i;

	for (i = 0; i < NT_MOST_LABELS; i++) {
		result = nt_layer_load(frame, layer, 0, label, sizeof(label));
		if (result != NT_PACKET_TCP)
			return result;
		layer->offset += sizeof(label);
		if (label[2] & 1)
			return nt_pass_under_labels(frame, layer);
	}
	return NT_PACKET_MALFORMED;
}

/* The numbers of the next protocol in NSH (RFC 8300 section 11.2.5) and VXLAN-GPE. */
NT_INLINE __u16 nt_next_protocol_type(__u8 number)
{
	switch (number) {
	case 1:
		return NT_ETHERTYPE_IPV4;
	case 2:
		return NT_ETHERTYPE_IPV6;
	case 3:
		return NT_ETHERTYPE_BRIDGED;
	case 4:
		return NT_ETHERTYPE_NSH;
	case 5:
		return NT_ETHERTYPE_MPLS;
	default:
		return NT_LAYER_UNKNOWN;
	}
}

/* The header's length is in words of four bytes, the last six bits of its first two bytes. */
NT_INLINE enum nt_parse nt_pass_nsh(void *frame, struct nt_layer *layer)
{
	__u8 header[4];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u32 length = (header[1] & 0x3f) * 4;

	if (result != NT_PACKET_TCP)
		return result;
	if (header[0] >> 6 || length < NT_LEAST_NSH)
		return NT_PACKET_MALFORMED;
	layer->type = nt_next_protocol_type(header[3]);
	layer->offset += length;
	return layer->type == NT_LAYER_UNKNOWN ? nt_pass_over(layer, NT_OVER_NSH, header[3]) : NT_PACKET_TCP;
}

NT_INLINE enum nt_parse nt_pass_ip_version(void *frame, struct nt_layer *layer)
{
	__u8 version;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &version, sizeof(version));

	if (result != NT_PACKET_TCP)
		return result;
	layer->type = version >> 4 == 4 ? NT_ETHERTYPE_IPV4 : version >> 4 == 6 ? NT_ETHERTYPE_IPV6 : NT_LAYER_UNKNOWN;
	return NT_PACKET_TCP;
}

/* Passes one layer. */
NT_INLINE enum nt_parse nt_pass_layer(void *frame, struct nt_layer *layer)
{
	switch (layer->type) {
	case NT_ETHERTYPE_BRIDGED:
		return nt_pass_to_ethertype(frame, layer, NT_ETHERNET_HEADER);
	case NT_ETHERTYPE_VN_TAG:
		return nt_pass_to_ethertype(frame, layer, 4 + 2);
	case NT_ETHERTYPE_E_TAG:
		return nt_pass_to_ethertype(frame, layer, 6 + 2);
	case NT_ETHERTYPE_PBB: /* the service's tag, then the customer's Ethernet header */
		return nt_pass_to_ethertype(frame, layer, 4 + NT_ETHERNET_HEADER);
	case NT_ETHERTYPE_FABRICPATH: /* a tag with a time to live, then the encapsulated Ethernet header */
		return nt_pass_to_ethertype(frame, layer, 2 + NT_ETHERNET_HEADER);
	case NT_ETHERTYPE_PPPOE_SESSION:
		return nt_pass_pppoe(frame, layer);
	case NT_ETHERTYPE_PPP:
		return nt_pass_ppp(frame, layer);
	case NT_ETHERTYPE_MPLS:
	case NT_ETHERTYPE_MPLS_UPSTREAM:
		return nt_pass_labels(frame, layer);
	case NT_ETHERTYPE_NSH:
		return nt_pass_nsh(frame, layer);
	case NT_LAYER_HDLC:
		return nt_pass_to_ethertype(frame, layer, NT_HDLC_HEADER);
	case NT_ETHERTYPE_DSA: /* two bytes are reserved */
		return nt_pass_dsa(frame, layer, 2);
	case NT_LAYER_NLPID:
		return nt_pass_nlpid(frame, layer);
	case NT_LAYER_FRAME_RELAY:
		return nt_pass_frame_relay(frame, layer);
	case NT_LAYER_ETHERTYPE:
		return nt_pass_to_ethertype(frame, layer, 2);
	case NT_LAYER_LLC:
		return nt_pass_llc(frame, layer);
	case NT_LAYER_IP:
		return nt_pass_ip_version(frame, layer);
	case NT_LAYER_IEEE80211:
	case NT_LAYER_IEEE80211_SWAPPED:
		return nt_pass_ieee80211(frame, layer);
	case NT_LAYER_AMSDU:
		return nt_pass_subframe(frame, layer);
	default:
		return nt_is_vlan(layer->type) ? nt_pass_vlan(frame, layer) : NT_PACKET_NOT_IP;
	}
}

/* Goes to the IP header. Returns NT_PACKET_TCP with its EtherType in layer->type, or the reason why there is none. */
NT_INLINE enum nt_parse nt_pass_layers(void *frame, struct nt_layer *layer)
{
	enum nt_parse result;
	int i;

	for (i = 0; i < NT_MOST_LAYERS; i++) {
		if (layer->type == NT_ETHERTYPE_IPV4 || layer->type == NT_ETHERTYPE_IPV6)
			return NT_PACKET_TCP;
		result = nt_pass_layer(frame, layer);
		if (result != NT_PACKET_TCP)
			return result;
	}
	return NT_PACKET_MALFORMED;
}

/* Goes to the next subframe. Returns 1, or 0 if there is none. */
NT_INLINE int nt_next_subframe(struct nt_layer *layer)
{
	if (!layer->more)
		return 0;
	layer->offset = layer->more;
	layer->end = layer->more_end;
	layer->more = 0;
	layer->over = NT_OVER_NONE;
	layer->type = NT_LAYER_AMSDU;
	return 1;
}

#endif
