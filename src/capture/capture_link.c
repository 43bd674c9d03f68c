// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_link.h"

#include <pcap/dlt.h>

#include "src/capture/capture_pktap.h"
#include "src/capture/capture_radio.h"
#include "src/capture/capture_vendor.h"

#define RAW_BSD 14            /* OpenBSD's number of DLT_RAW; libpcap does not translate it */
#define PKTAP_APPLE DLT_USER2 /* Apple's number of DLT_PKTAP */
#define SLL_OUTGOING 4
#define SLL_8023_FRAME 1 /* no EtherTypes, like the next: LLC follows */
#define SLL_LLC 4
#define ADDRESSES 12 /* of an Ethernet header */
#define BROADCOM_TAG 4
#define IPOIB_ROUTE 40 /* a global route header */

/* Address families in null and loop headers. AF_INET is 2 on all systems, AF_INET6 differs; OpenBSD has NetBSD's. */
#define FAMILY_IPV4 2
#define FAMILY_IPV6_LINUX 10
#define FAMILY_IPV6_WINDOWS 23
#define FAMILY_IPV6_NETBSD 24
#define FAMILY_IPV6_FREEBSD 28
#define FAMILY_IPV6_DARWIN 30

#define NFLOG_PAYLOAD 9
#define NFLOG_MOST_ATTRIBUTES 32

/* Sets the layer that begins after a header of `header` bytes. Returns NT_PACKET_TCP, as its callers do on success. */
static enum nt_parse set_layer(struct capture_place *place, __u32 header, __u16 type)
{
	place->layer.offset = header;
	place->layer.type = type;
	return NT_PACKET_TCP;
}

static __u16 ethertype_of_family(__u32 family)
{
	switch (family) {
	case FAMILY_IPV4:
		return NT_ETHERTYPE_IPV4;
	case FAMILY_IPV6_LINUX:
	case FAMILY_IPV6_WINDOWS:
	case FAMILY_IPV6_NETBSD:
	case FAMILY_IPV6_FREEBSD:
	case FAMILY_IPV6_DARWIN:
		return NT_ETHERTYPE_IPV6;
	default:
		return NT_LAYER_UNKNOWN;
	}
}

enum nt_parse capture_link_set_family(struct capture_place *place, __u32 header, __u32 family)
{
	if (ethertype_of_family(family) == NT_LAYER_UNKNOWN)
		return nt_pass_over(&place->layer, NT_OVER_FAMILY, family);
	return set_layer(place, header, ethertype_of_family(family));
}

/* A null header has the byte order of the capturing machine. Families are below 256, which reveals a swapped one. */
static enum nt_parse locate_null(const struct nt_buffer *frame, struct capture_place *place)
{
	__u32 family;

	if (NT_LOAD(frame, 0, &family, sizeof(family)) < 0)
		return NT_PACKET_TRUNCATED;
	return capture_link_set_family(place, sizeof(family), family > 0xff ? __builtin_bswap32(family) : family);
}

static __u16 layer_type_of_cooked(__u16 protocol)
{
	if (protocol >= NT_ETHERTYPE_LEAST)
		return protocol;
	return protocol == SLL_LLC || protocol == SLL_8023_FRAME ? NT_LAYER_LLC : NT_LAYER_UNKNOWN;
}

static enum nt_parse locate_cooked(const struct nt_buffer *frame, struct capture_place *place)
{
	__u16 header[8];

	if (NT_LOAD(frame, 0, header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	place->direction = nt_network16(header[0]) == SLL_OUTGOING;
	return set_layer(place, sizeof(header), layer_type_of_cooked(nt_network16(header[7])));
}

static enum nt_parse locate_cooked_v2(const struct nt_buffer *frame, struct capture_place *place)
{
	struct {
		__u16 protocol, reserved;
		__u32 interface;
		__u16 hardware;
		__u8 packet_type, address_length, address[8];
	} header;

	if (NT_LOAD(frame, 0, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	place->interface = nt_network32(header.interface);
	place->direction = header.packet_type == SLL_OUTGOING;
	return set_layer(place, sizeof(header), layer_type_of_cooked(nt_network16(header.protocol)));
}

/* The byte before the frame is 0 for a received one. */
static void read_direction(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 sent = 0;

	nt_buffer_load(frame, 0, &sent, sizeof(sent));
	place->direction = !!sent;
	place->layer.offset = 1;
}

/* Linux' PPP with a direction: the byte replaces PPP's address byte, or precedes the whole frame. */
static enum nt_parse locate_ppp_pppd(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 control;

	read_direction(frame, place);
	if (NT_LOAD(frame, 1, &control, sizeof(control)) < 0)
		return NT_PACKET_TRUNCATED;
	return set_layer(place, control == NT_PPP_CONTROL ? 2 : 1, NT_ETHERTYPE_PPP);
}

/* Sets the layer behind a byte with the direction. */
static enum nt_parse locate_with_direction(const struct nt_buffer *frame, struct capture_place *place, __u16 type)
{
	read_direction(frame, place);
	return set_layer(place, 1, type);
}

/* IP over Infiniband has an EtherType and two reserved bytes before the packet. */
static enum nt_parse locate_ipoib(const struct nt_buffer *frame, struct capture_place *place)
{
	enum nt_parse result;

	place->layer.offset = IPOIB_ROUTE;
	result = nt_pass_to_ethertype((void *)frame, &place->layer, 2);
	place->layer.offset += 2;
	return result;
}

/* An attribute is its length, its type and its value, and begins at a multiple of four bytes. Length and type have the
 * byte order of the capturing machine. Types are below 256, which reveals that order.
 */
static enum nt_parse locate_nflog(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 header[4], attribute[4];
	__u32 offset = sizeof(header), length;
	bool big;
	int i;

	if (NT_LOAD(frame, 0, header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	if (header[1]) /* the version */
		return NT_PACKET_NOT_IP;
	for (i = 0; i < NFLOG_MOST_ATTRIBUTES; i++) {
		if (NT_LOAD(frame, offset, attribute, sizeof(attribute)) < 0)
			return NT_PACKET_TRUNCATED;
		big = !attribute[2];
		length = attribute[!big] << 8 | attribute[big];
		if (length < sizeof(attribute))
			return NT_PACKET_MALFORMED;
		if (attribute[2 + big] == NFLOG_PAYLOAD)
			return set_layer(place, offset + sizeof(attribute), ethertype_of_family(header[0]));
		offset += (length + 3) & ~3U;
	}
	return NT_PACKET_MALFORMED;
}

static enum nt_parse locate_layer(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	switch (link_type) {
	case DLT_EN10MB:
		return set_layer(place, 0, NT_ETHERTYPE_BRIDGED);
	case DLT_RAW:
	case RAW_BSD:
	case DLT_IPV4:
	case DLT_IPV6:
		return set_layer(place, 0, NT_LAYER_IP);
	case DLT_NULL:
	case DLT_LOOP:
		return locate_null(frame, place);
	case DLT_LINUX_SLL:
		return locate_cooked(frame, place);
	case DLT_LINUX_SLL2:
		return locate_cooked_v2(frame, place);
	case DLT_PPP:
	case DLT_PPP_SERIAL:
		return set_layer(place, 0, NT_ETHERTYPE_PPP);
	case DLT_PPP_ETHER:
		return set_layer(place, 0, NT_ETHERTYPE_PPPOE_SESSION);
	case DLT_PPP_PPPD:
		return locate_ppp_pppd(frame, place);
	case DLT_PPP_WITH_DIR:
		return locate_with_direction(frame, place, NT_ETHERTYPE_PPP);
	case DLT_C_HDLC:
		return set_layer(place, 0, NT_LAYER_HDLC);
	case DLT_C_HDLC_WITH_DIR:
		return locate_with_direction(frame, place, NT_LAYER_HDLC);
	case DLT_FRELAY:
		return set_layer(place, 0, NT_LAYER_FRAME_RELAY);
	case DLT_FRELAY_WITH_DIR:
		return locate_with_direction(frame, place, NT_LAYER_FRAME_RELAY);
	case DLT_MFR:
		return nt_pass_frame_relay_piece((void *)frame, &place->layer, NT_LAYER_FRAME_RELAY);
	case DLT_SLIP:
	case DLT_SLIP_BSDOS:
		return capture_vendor_slip(link_type, frame, place);
	case DLT_PFLOG:
		return capture_vendor_pflog(frame, place);
	case DLT_DSA_TAG_BRCM:
		return nt_pass_to_ethertype((void *)frame, &place->layer, ADDRESSES + BROADCOM_TAG + 2);
	case DLT_DSA_TAG_BRCM_PREPEND:
		return set_layer(place, BROADCOM_TAG, NT_ETHERTYPE_BRIDGED);
	case DLT_DSA_TAG_DSA:
		return nt_pass_dsa((void *)frame, &place->layer, ADDRESSES);
	case DLT_DSA_TAG_EDSA: /* has an EtherType of its own */
		return set_layer(place, 0, NT_ETHERTYPE_BRIDGED);
	case DLT_IPOIB:
		return locate_ipoib(frame, place);
	case DLT_FDDI: /* frame control and two addresses */
		return set_layer(place, 1 + 12, NT_LAYER_LLC);
	case DLT_MPLS:
		return set_layer(place, 0, NT_ETHERTYPE_MPLS);
	case DLT_NFLOG:
		return locate_nflog(frame, place);
	case DLT_IEEE802_11:
	case DLT_PRISM_HEADER:
	case DLT_IEEE802_11_RADIO_AVS:
	case DLT_IEEE802_11_RADIO:
		place->layer.type = NT_LAYER_IEEE80211;
		return capture_radio_header(link_type, frame, &place->layer.offset);
	default:
		return capture_vendor_juniper(link_type, frame, place);
	}
}

bool capture_link_is_known(int link_type)
{
	static const int known[] = {
		DLT_EN10MB,
		DLT_RAW,
		RAW_BSD,
		DLT_IPV4,
		DLT_IPV6,
		DLT_NULL,
		DLT_LOOP,
		DLT_LINUX_SLL,
		DLT_LINUX_SLL2,
		DLT_PPP,
		DLT_PPP_SERIAL,
		DLT_PPP_ETHER,
		DLT_PPP_PPPD,
		DLT_PPP_WITH_DIR,
		DLT_C_HDLC,
		DLT_C_HDLC_WITH_DIR,
		DLT_FRELAY,
		DLT_FRELAY_WITH_DIR,
		DLT_MFR,
		DLT_SLIP,
		DLT_SLIP_BSDOS,
		DLT_PFLOG,
		DLT_DSA_TAG_BRCM,
		DLT_DSA_TAG_BRCM_PREPEND,
		DLT_DSA_TAG_DSA,
		DLT_DSA_TAG_EDSA,
		DLT_IPOIB,
		DLT_FDDI,
		DLT_MPLS,
		DLT_NFLOG,
		DLT_IEEE802_11,
		DLT_PRISM_HEADER,
		DLT_IEEE802_11_RADIO_AVS,
		DLT_IEEE802_11_RADIO,
		DLT_PPI,
		DLT_PKTAP,
		PKTAP_APPLE,
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == link_type)
			return true;
	return capture_vendor_is_juniper(link_type);
}

enum nt_parse capture_link_locate(int link_type, const struct nt_buffer *frame, __u32 frame_length,
				  struct capture_place *place)
{
	enum nt_parse result = NT_PACKET_TCP;
	struct nt_buffer inner = *frame;
	__u32 header = 0;

	*place = (struct capture_place){ .layer.vlan = NT_NO_VLAN };
	/* Headers of PPI and PKTAP precede a frame of another link type. */
	if (link_type == DLT_PPI)
		result = capture_radio_ppi(frame, &link_type, &header);
	else if (link_type == DLT_PKTAP || link_type == PKTAP_APPLE)
		result = capture_pktap_header(frame, &link_type, &header, place);
	if (result != NT_PACKET_TCP)
		return result;
	inner.data += header;
	inner.length -= header;
	place->layer.end = frame_length - header;
	if (!capture_link_is_known(link_type)) /* that of the frame behind the header */
		return nt_pass_over(&place->layer, NT_OVER_LINK, (__u32)link_type);
	result = locate_layer(link_type, &inner, place);
	place->layer.offset += header;
	place->layer.end += header;
	return result;
}
