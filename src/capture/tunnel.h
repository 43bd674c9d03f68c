/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tunnels that core/packet.h does not parse: goes from the outer IP packet to the inner one. Only user space uses it:
 * the BPF programs see the inner packets on the tunnel's own interface.
 *
 * Tunnels over UDP are recognised by their ports, Teredo by its addresses. A packet without the tunnel's valid header
 * is ordinary UDP. References: RFC 2784 and 2890 (GRE), 2637 (PPTP), 8086 (GRE in UDP), 4023 (MPLS in IP), 3378
 * (EtherIP), 7510 (MPLS in UDP), 7348 (VXLAN), draft-ietf-nvo3-vxlan-gpe, 8926 (Geneve), 4380 (Teredo), draft-massar-v6ops-ayiya, 3GPP TS
 * 29.281 (GTP-U), draft-foschiano-erspan, draft-mclaggan-wccp-v2rev1.
 */
#ifndef NETRACKER_TUNNEL_H
#define NETRACKER_TUNNEL_H

#include "src/capture/access_point.h"
#include "src/capture/icmp_layer.h"
#include "src/capture/l2tp.h"
#include "src/capture/layer.h"

#define NT_PROTOCOL_GRE 47
#define NT_PROTOCOL_ESP 50
#define NT_PROTOCOL_ETHERIP 97
#define NT_PROTOCOL_L2TP 115
#define NT_PROTOCOL_MPLS 137

#define NT_UDP_HEADER 8
#define NT_PORT_L2TP 1701
#define NT_PORT_GTP_U 2152
#define NT_PORT_GRE 4754
#define NT_PORT_VXLAN 4789
#define NT_PORT_VXLAN_GPE 4790
#define NT_PORT_AYIYA 5072
#define NT_PORT_GENEVE 6081
#define NT_PORT_CAPWAP_DATA 5247
#define NT_PORT_MPLS 6635
#define NT_PORT_TZSP 37008
#define NT_PORT_VXLAN_LINUX 8472 /* Linux' default, older than IANA's number */

#define NT_GRE_CHECKSUM 0x8000
#define NT_GRE_ROUTING 0x4000
#define NT_GRE_KEY 0x2000
#define NT_GRE_SEQUENCE 0x1000
#define NT_GRE_ACKNOWLEDGEMENT 0x0080 /* version 1 */
#define NT_GRE_VERSION 0x0007
#define NT_GRE_ERSPAN 0x88be /* type I, and with a sequence number type II */
#define NT_GRE_ERSPAN_III 0x22eb
#define NT_ERSPAN_ETHERNET 0 /* types of frames in type III */
#define NT_ERSPAN_IP 2
#define NT_GRE_WCCP 0x883e
#define NT_WCCP_REDIRECT 4
#define NT_GRE_ARUBA_FIRST 0x8200 /* 802.11 from Aruba's access points */
#define NT_GRE_ARUBA_LAST 0x8210
#define NT_GRE_ARUBA_OTHER 0x9000

/* The last 16 bits of a type III header hold the type of the mirrored frame, and in the last bit whether a subheader of
 * eight bytes follows (draft-foschiano-erspan section 4.3).
 */
NT_INLINE enum nt_parse nt_enter_erspan_iii(void *frame, struct nt_layer *layer)
{
	__u16 bits;
	enum nt_parse result = nt_layer_load16(frame, layer, 10, &bits);
	__u16 frame_type = bits >> 10 & 0x1f;

	if (result != NT_PACKET_TCP)
		return result;
	if (frame_type != NT_ERSPAN_ETHERNET && frame_type != NT_ERSPAN_IP)
		return nt_is_no_tunnel(layer, NT_OVER_ERSPAN, frame_type);
	return nt_go_inside(layer, bits & 1 ? 12 + 8 : 12,
			    frame_type == NT_ERSPAN_IP ? NT_LAYER_IP : NT_ETHERTYPE_BRIDGED);
}

/* Version 2 of WCCP puts a redirect header before the packet; its first byte does not look like IP's. */
NT_INLINE enum nt_parse nt_enter_wccp(void *frame, struct nt_layer *layer)
{
	__u8 first;
	enum nt_parse result = nt_layer_load(frame, layer, 0, &first, sizeof(first));

	if (result != NT_PACKET_TCP)
		return result;
	return nt_go_inside(layer, first >> 4 == 4 || first >> 4 == 6 ? 0 : NT_WCCP_REDIRECT, NT_LAYER_IP);
}

NT_INLINE enum nt_parse nt_enter_gre_payload(void *frame, struct nt_layer *layer, __u16 flags, __u16 protocol)
{
	if (protocol == NT_GRE_ERSPAN)
		return nt_go_inside(layer, flags & NT_GRE_SEQUENCE ? 8 : 0, NT_ETHERTYPE_BRIDGED);
	if (protocol == NT_GRE_ERSPAN_III)
		return nt_enter_erspan_iii(frame, layer);
	if ((protocol >= NT_GRE_ARUBA_FIRST && protocol <= NT_GRE_ARUBA_LAST) || protocol == NT_GRE_ARUBA_OTHER)
		return nt_go_inside(layer, 0, NT_LAYER_IEEE80211);
	if (protocol == NT_GRE_WCCP)
		return nt_enter_wccp(frame, layer);
	if (protocol < NT_ETHERTYPE_LEAST)
		return NT_PACKET_NOT_TCP;
	return nt_go_inside(layer, 0, protocol);
}

NT_INLINE enum nt_parse nt_enter_gre(void *frame, struct nt_layer *layer)
{
	__u16 flags, protocol;
	__u32 header = 4;
	enum nt_parse result = nt_layer_load16(frame, layer, 0, &flags);

	if (result == NT_PACKET_TCP)
		result = nt_layer_load16(frame, layer, 2, &protocol);
	if (result != NT_PACKET_TCP)
		return result;
	/* RFC 2784 removed source routes (RFC 1701) from GRE. Version 1 carries only PPP, and a mere acknowledgement
	 * nothing.
	 */
	if ((flags & NT_GRE_VERSION) > 1 || (flags & NT_GRE_ROUTING))
		return nt_is_no_tunnel(layer, NT_OVER_GRE, flags);
	if ((flags & NT_GRE_VERSION) == 1 && (protocol != NT_ETHERTYPE_PPP || !(flags & NT_GRE_SEQUENCE)))
		return NT_PACKET_NOT_TCP;
	header += flags & NT_GRE_CHECKSUM ? 4 : 0;
	header += flags & NT_GRE_KEY ? 4 : 0;
	header += flags & NT_GRE_SEQUENCE ? 4 : 0;
	header += (flags & NT_GRE_VERSION) == 1 && (flags & NT_GRE_ACKNOWLEDGEMENT) ? 4 : 0;
	result = nt_go_inside(layer, header, NT_LAYER_UNKNOWN);
	return result == NT_PACKET_TCP ? nt_enter_gre_payload(frame, layer, flags, protocol) : result;
}

/* The flag of a valid network number must be set. The flag of a next protocol means VXLAN-GPE. */
NT_INLINE enum nt_parse nt_enter_vxlan(void *frame, struct nt_layer *layer)
{
	__u8 header[8];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u16 type = NT_ETHERTYPE_BRIDGED;

	if (result != NT_PACKET_TCP)
		return result;
	if (!(header[0] & 0x08))
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	if (header[0] & 0x04)
		type = nt_next_protocol_type(header[3]);
	if (type == NT_LAYER_UNKNOWN)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	return nt_go_inside(layer, sizeof(header), type);
}

NT_INLINE enum nt_parse nt_enter_geneve(void *frame, struct nt_layer *layer)
{
	__u16 version_and_length, protocol;
	enum nt_parse result = nt_layer_load16(frame, layer, 0, &version_and_length);

	if (result == NT_PACKET_TCP)
		result = nt_layer_load16(frame, layer, 2, &protocol);
	if (result != NT_PACKET_TCP)
		return result;
	if (version_and_length >> 14 || protocol < NT_ETHERTYPE_LEAST)
		return nt_is_no_tunnel(layer, NT_OVER_PORT, 0);
	return nt_go_inside(layer, 8 + (version_and_length >> 8 & 0x3f) * 4, protocol);
}

/* After eight bytes follow an identity, whose length is a power of two, and a signature of 32-bit words. Operation code
 * 1 means a forwarded packet.
 */
NT_INLINE enum nt_parse nt_enter_ayiya(void *frame, struct nt_layer *layer)
{
	__u8 header[8];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u32 length;

	if (result != NT_PACKET_TCP)
		return result;
	length = sizeof(header) + (1U << (header[0] >> 4)) + (header[1] >> 4) * 4;
	if ((header[2] & 0x0f) != 1)
		return NT_PACKET_NOT_TCP;
	if (header[3] == NT_PROTOCOL_IPV6)
		return nt_go_inside(layer, length, NT_ETHERTYPE_IPV6);
	return header[3] == NT_PROTOCOL_IPV4 ? nt_go_inside(layer, length, NT_ETHERTYPE_IPV4) : NT_PACKET_NOT_TCP;
}

/* An extension header begins with its length in words and ends with the type of the next one (TS 29.281 section 5.2).
 */
NT_INLINE enum nt_parse nt_pass_gtp_extensions(void *frame, struct nt_layer *layer, __u8 type)
{
	enum nt_parse result;
	__u8 words;
	int i;

	for (i = 0; type; i++) {
		result = nt_layer_load(frame, layer, 0, &words, sizeof(words));
		if (result != NT_PACKET_TCP)
			return result;
		if (!words || i >= NT_MOST_EXTENSION_HEADERS)
			return NT_PACKET_MALFORMED;
		result = nt_layer_load(frame, layer, words * 4 - 1, &type, sizeof(type));
		if (result != NT_PACKET_TCP)
			return result;
		layer->offset += words * 4;
	}
	return NT_PACKET_TCP;
}

/* Accepts version 1, not GTP', and user packets. If any of three flags is set, four more bytes follow; the last of them
 * is the type of the first extension header.
 */
NT_INLINE enum nt_parse nt_enter_gtp(void *frame, struct nt_layer *layer)
{
	__u8 header[2], type = 0;
	__u16 length;
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));

	if (result == NT_PACKET_TCP)
		result = nt_layer_load16(frame, layer, 2, &length);
	if (result != NT_PACKET_TCP)
		return result;
	if ((header[0] & 0xf0) != 0x30 || header[1] != 0xff ||
	    (!layer->is_end_doubtful && length > layer->end - layer->offset - 4))
		return NT_PACKET_NOT_TCP;
	if (header[0] & 0x04)
		result = nt_layer_load(frame, layer, 11, &type, sizeof(type));
	if (result == NT_PACKET_TCP)
		result = nt_go_inside(layer, header[0] & 0x07 ? 12 : 8, NT_LAYER_IP);
	return result == NT_PACKET_TCP ? nt_pass_gtp_extensions(frame, layer, type) : result;
}

/* 2001:0::/32 */
NT_INLINE int nt_is_teredo_address(const __u32 *address)
{
	return address[0] == nt_network32(0x20010000);
}

/* An authentication header and an origin indication may precede the packet, each at most once (RFC 4380 section 5.1.1).
 */
NT_INLINE enum nt_parse nt_pass_teredo_headers(void *frame, struct nt_layer *layer)
{
	__u8 header[4];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));

	if (result == NT_PACKET_TCP && header[0] == 0 && header[1] == 1) {
		result = nt_go_inside(layer, 4 + header[2] + header[3] + 8 + 1, NT_LAYER_UNKNOWN);
		if (result == NT_PACKET_TCP)
			result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	}
	if (result == NT_PACKET_TCP && header[0] == 0 && header[1] == 0)
		result = nt_go_inside(layer, 8, NT_LAYER_UNKNOWN);
	return result;
}

/* Teredo peers use any ports. The payload is Teredo if it is an IPv6 packet from or to a Teredo address whose length
 * fits.
 */
NT_INLINE enum nt_parse nt_enter_teredo(void *frame, struct nt_layer *layer)
{
	struct nt_ipv6_header header;

	if (nt_pass_teredo_headers(frame, layer) != NT_PACKET_TCP ||
	    nt_layer_load(frame, layer, 0, &header, sizeof(header)) != NT_PACKET_TCP ||
	    header.version_and_class >> 4 != 6 ||
	    nt_network16(header.payload_length) + (__u32)NT_IPV6_HEADER > layer->end - layer->offset ||
	    (!nt_is_teredo_address(header.addresses) && !nt_is_teredo_address(header.addresses + 4)))
		return NT_PACKET_NOT_TCP;
	return nt_go_inside(layer, 0, NT_ETHERTYPE_IPV6);
}

/* Returns NT_PACKET_NOT_IP if no tunnel uses the port. */
NT_INLINE enum nt_parse nt_enter_port(void *frame, struct nt_layer *layer, __u16 port)
{
	switch (port) {
	case NT_PORT_GTP_U:
		return nt_enter_gtp(frame, layer);
	case NT_PORT_L2TP:
		return nt_enter_l2tp_udp(frame, layer);
	case NT_PORT_CAPWAP_DATA:
		return nt_enter_capwap(frame, layer);
	case NT_PORT_MPLS:
		return nt_go_inside(layer, 0, NT_ETHERTYPE_MPLS);
	case NT_PORT_TZSP:
		return nt_enter_tzsp(frame, layer);
	case NT_PORT_GRE:
		return nt_enter_gre(frame, layer);
	case NT_PORT_VXLAN:
	case NT_PORT_VXLAN_GPE:
	case NT_PORT_VXLAN_LINUX:
		return nt_enter_vxlan(frame, layer);
	case NT_PORT_AYIYA:
		return nt_enter_ayiya(frame, layer);
	case NT_PORT_GENEVE:
		return nt_enter_geneve(frame, layer);
	default:
		return NT_PACKET_NOT_IP;
	}
}

/* A sender may have chosen a tunnel's port by chance, so only the receiver's port makes a datagram a tunnel's that does
 * not have its format.
 */
NT_INLINE enum nt_parse nt_enter_datagram(void *frame, struct nt_layer *layer, __u16 source, __u16 destination)
{
	enum nt_parse result = nt_enter_port(frame, layer, destination);

	if (layer->over == NT_OVER_PORT)
		layer->over_number = destination;
	if (result != NT_PACKET_NOT_IP)
		return result;
	result = nt_enter_port(frame, layer, source);
	if (result != NT_PACKET_TCP)
		layer->over = NT_OVER_NONE;
	return result == NT_PACKET_NOT_IP ? nt_enter_teredo(frame, layer) : result;
}

NT_INLINE enum nt_parse nt_enter_udp(void *frame, struct nt_layer *layer)
{
	__u16 header[4];
	enum nt_parse result = nt_layer_load(frame, layer, 0, header, sizeof(header));
	__u32 length = nt_network16(header[2]);

	if (result != NT_PACKET_TCP)
		return result;
	if (!layer->is_end_doubtful && length && length < NT_UDP_HEADER)
		return NT_PACKET_NOT_TCP;
	/* The length is 0 after segmentation offload, and in jumbograms (RFC 2675 section 4). */
	if (length && length < layer->end - layer->offset)
		layer->end = layer->offset + length;
	layer->offset += NT_UDP_HEADER;
	return nt_enter_datagram(frame, layer, nt_network16(header[0]), nt_network16(header[1]));
}

/* The cursor is after an IP header. Sets *layer to what follows, which is no TCP. */
NT_INLINE void nt_enter_other_protocol(const struct nt_cursor *cursor, struct nt_layer *layer)
{
	layer->offset = cursor->offset;
	layer->end = cursor->end;
	layer->type = cursor->protocol == NT_PROTOCOL_ICMP   ? NT_LAYER_ICMP :
		      cursor->protocol == NT_PROTOCOL_ICMPV6 ? NT_LAYER_ICMPV6 :
							       NT_LAYER_UNKNOWN;
}

/* *layer is after an IP header. Sets it to the inner layer; returns NT_PACKET_NOT_TCP if this is no tunnel. */
NT_INLINE enum nt_parse nt_enter_tunnel(void *frame, const struct nt_cursor *cursor, struct nt_layer *layer)
{
	switch (cursor->protocol) {
	case NT_PROTOCOL_MPLS:
		return nt_go_inside(layer, 0, NT_ETHERTYPE_MPLS);
	case NT_PROTOCOL_L2TP:
		return nt_enter_l2tp_session(frame, layer);
	case NT_PROTOCOL_ETHERIP:
		return nt_go_inside(layer, 2, NT_ETHERTYPE_BRIDGED);
	case NT_PROTOCOL_GRE:
		return nt_enter_gre(frame, layer);
	case NT_PROTOCOL_UDP:
		return nt_enter_udp(frame, layer);
	case NT_PROTOCOL_ESP:
		return nt_is_no_tunnel(layer, NT_OVER_ESP, 0);
	default:
		return NT_PACKET_NOT_TCP;
	}
}

/* Parses a captured frame, beginning at *layer, through all layers and, with NT_PARSE_TUNNELS, through tunnels.
 *
 * Moves *layer to the innermost layer reached; after NT_PACKET_NOT_TCP its type shows whether that is an ICMP message.
 * If the result is NT_PACKET_FRAGMENT, or the packet is marked NT_PACKET_FIRST_FRAGMENT, layer->end is the frame length
 * that belongs to packet->network_offset. *packet is set as by nt_parse_ip(), its vlan from the layer. TCP's options
 * need not be in the frame.
 */
NT_INLINE enum nt_parse nt_parse_layers(void *frame, struct nt_layer *layer, __u32 options, struct nt_packet *packet)
{
	struct nt_cursor cursor;
	enum nt_parse result;
	int depth;

	for (depth = 0; depth <= NT_MOST_TUNNELS; depth++) {
		result = nt_pass_layers(frame, layer);
		if (result != NT_PACKET_TCP)
			return result;
		packet->vlan = layer->vlan;
		cursor = (struct nt_cursor){ .offset = layer->offset };
		result = nt_parse_ip_at(frame, &cursor, layer->type, layer->end, options, packet);
		if (result != NT_PACKET_NOT_TCP)
			return result;
		/* The inner packet extends beyond the first fragment of the outer one. */
		if ((options & NT_PARSE_TUNNELS) && cursor.fragment == NT_FIRST_OF_FRAGMENTS)
			return NT_PACKET_FRAGMENT;
		nt_enter_other_protocol(&cursor, layer);
		if (!(options & NT_PARSE_TUNNELS))
			return NT_PACKET_NOT_TCP;
		result = nt_enter_tunnel(frame, &cursor, layer);
		if (result != NT_PACKET_TCP)
			return result;
	}
	return NT_PACKET_MALFORMED;
}

#endif
