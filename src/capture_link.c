#include "src/capture_link.h"

#include <arpa/inet.h>
#include <pcap/dlt.h>
#include <string.h>

#include "core/packet.h"

#define ETHERTYPE_MPLS 0x8847
#define ETHERTYPE_MPLS_MULTICAST 0x8848
#define ETHERTYPE_PPPOE_SESSION 0x8864
#define ETHERTYPE_LEAST 0x0600 /* below it is a length (IEEE 802.3 section 3.2.6) */
#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057
#define PPP_FRAMING 0xff03
#define SLL_OUTGOING 4
#define MOST_LAYERS 8

/* Address families in null and loop headers: 2 everywhere; IPv6 as NetBSD and OpenBSD, FreeBSD, Darwin have it. */
#define FAMILY_IPV4 2
#define FAMILY_IPV6_NETBSD 24
#define FAMILY_IPV6_FREEBSD 28
#define FAMILY_IPV6_DARWIN 30

static int load16(const struct nt_buffer *frame, __u32 offset, __u16 *value)
{
	if (NT_LOAD(frame, offset, value, sizeof(*value)) < 0)
		return -1;
	*value = ntohs(*value);
	return 0;
}

/* LLC with SNAP (IEEE 802.2, RFC 1042): aa aa 03, an organisation's number, then a type. */
static int locate_llc(const struct nt_buffer *frame, struct capture_place *place)
{
	static const __u8 snap[] = { 0xaa, 0xaa, 0x03, 0, 0, 0 };
	__u8 header[sizeof(snap)];

	place->ethertype = 0;
	if (NT_LOAD(frame, place->offset, header, sizeof(header)) < 0)
		return -1;
	if (memcmp(header, snap, sizeof(snap)))
		return 0;
	place->offset += sizeof(header) + 2;
	return load16(frame, place->offset - 2, &place->ethertype);
}

static int locate_ethernet(const struct nt_buffer *frame, struct capture_place *place)
{
	place->offset = NT_ETHERNET_HEADER;
	if (load16(frame, place->offset - 2, &place->ethertype))
		return -1;
	return place->ethertype < ETHERTYPE_LEAST ? locate_llc(frame, place) : 0;
}

static int locate_raw(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 version;

	place->offset = 0;
	if (NT_LOAD(frame, 0, &version, sizeof(version)) < 0)
		return -1;
	place->ethertype = version >> 4 == 6 ? NT_ETHERTYPE_IPV6 : NT_ETHERTYPE_IPV4;
	return 0;
}

static __u16 ethertype_of_family(__u32 family)
{
	switch (family) {
	case FAMILY_IPV4:
		return NT_ETHERTYPE_IPV4;
	case FAMILY_IPV6_NETBSD:
	case FAMILY_IPV6_FREEBSD:
	case FAMILY_IPV6_DARWIN:
		return NT_ETHERTYPE_IPV6;
	default:
		return 0;
	}
}

/* A null header is in the byte order of the machine that captured; no family's number is above 255. */
static int locate_null(const struct nt_buffer *frame, struct capture_place *place)
{
	__u32 family;

	place->offset = sizeof(family);
	if (NT_LOAD(frame, 0, &family, sizeof(family)) < 0)
		return -1;
	place->ethertype = ethertype_of_family(family > 0xff ? __builtin_bswap32(family) : family);
	return 0;
}

static int locate_cooked(const struct nt_buffer *frame, struct capture_place *place)
{
	__u16 type;

	place->offset = 16;
	if (load16(frame, 0, &type) || load16(frame, 14, &place->ethertype))
		return -1;
	place->direction = type == SLL_OUTGOING;
	return 0;
}

static int locate_cooked_v2(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 type;

	place->offset = 20;
	if (load16(frame, 0, &place->ethertype) || NT_LOAD(frame, 4, &place->interface, 4) < 0 ||
	    NT_LOAD(frame, 10, &type, sizeof(type)) < 0)
		return -1;
	place->interface = ntohl(place->interface);
	place->direction = type == SLL_OUTGOING;
	return NT_LOAD(frame, 19, &type, sizeof(type));
}

/* PPP's protocol at place->offset, of one byte or two (RFC 1661 section 2: the last is the odd one). */
static int pass_ppp_protocol(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 byte;
	__u16 protocol;

	if (NT_LOAD(frame, place->offset, &byte, sizeof(byte)) < 0)
		return -1;
	protocol = byte;
	if (!(byte & 1) && load16(frame, place->offset, &protocol))
		return -1;
	place->offset += byte & 1 ? 1 : 2;
	place->ethertype = protocol == PPP_IPV4 ? NT_ETHERTYPE_IPV4 : protocol == PPP_IPV6 ? NT_ETHERTYPE_IPV6 : 0;
	return 0;
}

/* With or without the HDLC-like framing's ff 03 (RFC 1662 section 3.1). */
static int locate_ppp(const struct nt_buffer *frame, struct capture_place *place)
{
	__u16 framing;

	if (load16(frame, 0, &framing))
		return -1;
	place->offset = framing == PPP_FRAMING ? 2 : 0;
	return pass_ppp_protocol(frame, place);
}

static int locate_fddi(const struct nt_buffer *frame, struct capture_place *place)
{
	place->offset = 13;
	return locate_llc(frame, place);
}

static int locate_link(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	switch (link_type) {
	case DLT_EN10MB:
		return locate_ethernet(frame, place);
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		return locate_raw(frame, place);
	case DLT_NULL:
	case DLT_LOOP:
		return locate_null(frame, place);
	case DLT_LINUX_SLL:
		return locate_cooked(frame, place);
	case DLT_LINUX_SLL2:
		return locate_cooked_v2(frame, place);
	case DLT_PPP:
		return locate_ppp(frame, place);
	case DLT_FDDI:
		return locate_fddi(frame, place);
	case DLT_C_HDLC:
		place->offset = 4;
		return load16(frame, 2, &place->ethertype);
	default:
		return -1;
	}
}

bool capture_link_is_known(int link_type)
{
	static const int known[] = { DLT_EN10MB,    DLT_RAW,	    DLT_IPV4, DLT_IPV6,	 DLT_NULL, DLT_LOOP,
				     DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_PPP,  DLT_FDDI, DLT_C_HDLC };
	unsigned int i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i] == link_type)
			return true;
	return false;
}

/* A label stack (RFC 3032), under which only the IP version tells what there is. */
static int pass_mpls(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 label[4], version;
	int i;

	for (i = 0; i < MOST_LAYERS; i++) {
		if (NT_LOAD(frame, place->offset, label, sizeof(label)) < 0)
			return -1;
		place->offset += sizeof(label);
		if (!(label[2] & 1))
			continue;
		if (NT_LOAD(frame, place->offset, &version, sizeof(version)) < 0)
			return -1;
		place->ethertype = version >> 4 == 4 ? NT_ETHERTYPE_IPV4 : version >> 4 == 6 ? NT_ETHERTYPE_IPV6 : 0;
		return 0;
	}
	place->ethertype = 0;
	return 0;
}

/* RFC 2516: six bytes, then PPP's protocol. */
static int pass_pppoe(const struct nt_buffer *frame, struct capture_place *place)
{
	place->offset += 6;
	return pass_ppp_protocol(frame, place);
}

static int pass_layer(const struct nt_buffer *frame, struct capture_place *place)
{
	switch (place->ethertype) {
	case ETHERTYPE_MPLS:
	case ETHERTYPE_MPLS_MULTICAST:
		return pass_mpls(frame, place);
	case ETHERTYPE_PPPOE_SESSION:
		return pass_pppoe(frame, place);
	default:
		return nt_pass_vlan_tags((void *)frame, &place->offset, &place->ethertype, &place->vlan);
	}
}

static bool is_layer(__u16 ethertype)
{
	return nt_is_vlan(ethertype) || ethertype == ETHERTYPE_MPLS || ethertype == ETHERTYPE_MPLS_MULTICAST ||
	       ethertype == ETHERTYPE_PPPOE_SESSION;
}

int capture_link_locate(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	int i;

	*place = (struct capture_place){ .vlan = NT_NO_VLAN };
	if (locate_link(link_type, frame, place))
		return -1;
	for (i = 0; i < MOST_LAYERS && is_layer(place->ethertype); i++)
		if (pass_layer(frame, place))
			return -1;
	return 0;
}
