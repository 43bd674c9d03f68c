// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_link.h"

#include <pcap/dlt.h>

#include "src/capture/capture_radio.h"

#define RAW_BSD 14 /* what OpenBSD calls DLT_RAW; libpcap does not translate it */
#define SLL_OUTGOING 4
#define SLL_8023_FRAME 1 /* protocols that are no EtherTypes: LLC follows */
#define SLL_LLC 4
#define CISCO_HDLC_HEADER 4

/* Address families in null and loop headers: 2 everywhere; IPv6 as Linux, Windows, NetBSD and OpenBSD, FreeBSD, Darwin
 * have it.
 */
#define FAMILY_IPV4 2
#define FAMILY_IPV6_LINUX 10
#define FAMILY_IPV6_WINDOWS 23
#define FAMILY_IPV6_NETBSD 24
#define FAMILY_IPV6_FREEBSD 28
#define FAMILY_IPV6_DARWIN 30

#define NFLOG_PAYLOAD 9
#define NFLOG_MOST_ATTRIBUTES 32

/* Behind `header` bytes. */
static enum nt_parse go_to(struct capture_place *place, __u32 header, __u16 type)
{
	place->layer.offset = header;
	place->layer.type = type;
	return NT_PACKET_TCP;
}

static __u16 type_of_family(__u32 family)
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

/* A null header is in the byte order of the machine that captured; no family's number is above 255. */
static enum nt_parse locate_null(const struct nt_buffer *frame, struct capture_place *place)
{
	__u32 family;

	if (NT_LOAD(frame, 0, &family, sizeof(family)) < 0)
		return NT_PACKET_TRUNCATED;
	return go_to(place, sizeof(family), type_of_family(family > 0xff ? __builtin_bswap32(family) : family));
}

static __u16 type_of_cooked(__u16 protocol)
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
	return go_to(place, sizeof(header), type_of_cooked(nt_network16(header[7])));
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
	return go_to(place, sizeof(header), type_of_cooked(nt_network16(header.protocol)));
}

/* A byte before the frame says whether it was sent. */
static void take_direction(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 sent = 0;

	nt_buffer_load(frame, 0, &sent, sizeof(sent));
	place->direction = !!sent;
	place->layer.offset = 1;
}

/* Linux' PPP with a direction: in the address byte's place, or before the whole frame. */
static enum nt_parse locate_ppp_pppd(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 control;

	take_direction(frame, place);
	if (NT_LOAD(frame, 1, &control, sizeof(control)) < 0)
		return NT_PACKET_TRUNCATED;
	return go_to(place, control == NT_PPP_CONTROL ? 2 : 1, NT_ETHERTYPE_PPP);
}

static enum nt_parse locate_cisco_hdlc(const struct nt_buffer *frame, struct capture_place *place)
{
	return nt_pass_to_ethertype((void *)frame, &place->layer, CISCO_HDLC_HEADER);
}

/* Attributes: length and type in the byte order of the machine that captured, where no type is above 255; then a value.
 * Each begins at a multiple of four bytes.
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
			return go_to(place, offset + sizeof(attribute), type_of_family(header[0]));
		offset += (length + 3) & ~3U;
	}
	return NT_PACKET_MALFORMED;
}

static enum nt_parse locate(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	switch (link_type) {
	case DLT_EN10MB:
		return go_to(place, 0, NT_ETHERTYPE_BRIDGED);
	case DLT_RAW:
	case RAW_BSD:
	case DLT_IPV4:
	case DLT_IPV6:
		return go_to(place, 0, NT_LAYER_IP);
	case DLT_NULL:
	case DLT_LOOP:
		return locate_null(frame, place);
	case DLT_LINUX_SLL:
		return locate_cooked(frame, place);
	case DLT_LINUX_SLL2:
		return locate_cooked_v2(frame, place);
	case DLT_PPP:
	case DLT_PPP_SERIAL:
		return go_to(place, 0, NT_ETHERTYPE_PPP);
	case DLT_PPP_ETHER:
		return go_to(place, 0, NT_ETHERTYPE_PPPOE_SESSION);
	case DLT_PPP_PPPD:
		return locate_ppp_pppd(frame, place);
	case DLT_PPP_WITH_DIR:
		take_direction(frame, place);
		return go_to(place, 1, NT_ETHERTYPE_PPP);
	case DLT_C_HDLC:
		return locate_cisco_hdlc(frame, place);
	case DLT_C_HDLC_WITH_DIR:
		take_direction(frame, place);
		return locate_cisco_hdlc(frame, place);
	case DLT_FDDI: /* frame control and two addresses */
		return go_to(place, 1 + 12, NT_LAYER_LLC);
	case DLT_MPLS:
		return go_to(place, 0, NT_ETHERTYPE_MPLS);
	case DLT_NFLOG:
		return locate_nflog(frame, place);
	case DLT_IEEE802_11:
	case DLT_PRISM_HEADER:
	case DLT_IEEE802_11_RADIO_AVS:
	case DLT_IEEE802_11_RADIO:
		place->layer.type = NT_LAYER_IEEE80211;
		return capture_radio_header(link_type, frame, &place->layer.offset);
	default:
		return NT_PACKET_NOT_IP;
	}
}

bool capture_link_is_known(int link_type)
{
	static const int known[] = {
		DLT_EN10MB, DLT_RAW, RAW_BSD, DLT_IPV4, DLT_IPV6, DLT_NULL, DLT_LOOP, DLT_LINUX_SLL, DLT_LINUX_SLL2,
		DLT_PPP, DLT_PPP_SERIAL, DLT_PPP_ETHER, DLT_PPP_PPPD, DLT_PPP_WITH_DIR, DLT_C_HDLC, DLT_C_HDLC_WITH_DIR,
		DLT_FDDI, DLT_MPLS, DLT_NFLOG, DLT_IEEE802_11, DLT_PRISM_HEADER, DLT_IEEE802_11_RADIO_AVS,
		DLT_IEEE802_11_RADIO, DLT_PPI,
	};
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == link_type)
			return true;
	return false;
}

enum nt_parse capture_link_locate(int link_type, const struct nt_buffer *frame, __u32 frame_length,
				  struct capture_place *place)
{
	enum nt_parse result = NT_PACKET_TCP;
	struct nt_buffer inner = *frame;
	__u32 header = 0;

	*place = (struct capture_place){ .layer.vlan = NT_NO_VLAN };
	/* A header of PPI's stands before a frame of another type. */
	if (link_type == DLT_PPI)
		result = capture_radio_ppi(frame, &link_type, &header);
	if (result != NT_PACKET_TCP)
		return result;
	inner.data += header;
	inner.length -= header;
	place->layer.end = frame_length - header;
	result = locate(link_type, &inner, place);
	place->layer.offset += header;
	place->layer.end += header;
	return result;
}
