/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parser: extracts the members of struct nt_packet from a frame, for every host.
 *
 * The includer defines, before it includes this header,
 *
 *	NT_LOAD(frame, offset, to, size)
 *
 * which copies `size` bytes (a constant) at `offset` of the frame to `to`. It returns 0, or less than 0 if the frame
 * does not hold all of them. Hosts use bpf_skb_load_bytes() for an skb (it also reads outside the linear area) and
 * core/buffer.h for plain memory. The parser does not access `frame` itself. On the common path (Ethernet, IPv4 or IPv6
 * without options, TCP) the whole parse costs two loads, nt_parse_plain() one.
 *
 * Input is hostile: nothing is read outside of the frame, and every length is checked against the enclosing one before
 * it is used. The exception are captures, where the enclosing lengths may be wrong (NT_PARSE_BEYOND_FRAME): there the
 * length in the IP header counts, unless the header's checksum shows that it is damaged. An interface knows the length of its frames, and the kernel drops an IP packet that
 * is longer than its frame.
 * References: RFC 791 (IPv4), RFC 8200 (IPv6), RFC 9293 (TCP), RFC 4302 (AH), RFC 2003 (IPIP), RFC 4213 (6in4),
 * IEEE 802.1Q.
 */
#ifndef NETRACKER_CORE_PACKET_H
#define NETRACKER_CORE_PACKET_H

#include "port.h"

#ifndef NT_LOAD
#error "define NT_LOAD(frame, offset, to, size) before including packet.h"
#endif

#define NT_ETHERTYPE_IPV4 0x0800
#define NT_ETHERTYPE_IPV6 0x86dd
#define NT_ETHERTYPE_VLAN 0x8100
#define NT_ETHERTYPE_SERVICE_VLAN 0x88a8     /* 802.1ad */
#define NT_ETHERTYPE_OLD_SERVICE_VLAN 0x9100 /* QinQ before 802.1ad, still in use */

#define NT_PROTOCOL_HOP_BY_HOP 0
#define NT_PROTOCOL_ICMP 1
#define NT_PROTOCOL_IPV4 4
#define NT_PROTOCOL_TCP 6
#define NT_PROTOCOL_UDP 17
#define NT_PROTOCOL_IPV6 41
#define NT_PROTOCOL_ROUTING 43
#define NT_PROTOCOL_FRAGMENT 44
#define NT_PROTOCOL_AUTHENTICATION 51
#define NT_PROTOCOL_ICMPV6 58
#define NT_PROTOCOL_DESTINATION 60

#define NT_ETHERNET_HEADER 14
#define NT_IPV4_HEADER 20
#define NT_IPV6_HEADER 40
#define NT_TCP_HEADER 20

#define NT_MOST_VLAN_TAGS 4
#define NT_MOST_EXTENSION_HEADERS 8
#define NT_MOST_TUNNELS 4

#define NT_NO_VLAN 0xffff
#define NT_VLAN_ID(tag) ((tag)&0x0fff)

enum nt_tcp_flag { NT_FIN = 1, NT_SYN = 2, NT_RST = 4, NT_PSH = 8, NT_ACK = 16, NT_URG = 32 };

/* Results of a parse. */
enum nt_parse {
	NT_PACKET_TCP = 0,
	NT_PACKET_NOT_IP,
	NT_PACKET_NOT_TCP,
	NT_PACKET_FRAGMENT,  /* a fragment without the TCP header; network_offset is that of its IP header */
	NT_PACKET_TRUNCATED, /* captured too short to hold the headers */
	NT_PACKET_MALFORMED, /* lengths that contradict each other, or too many headers */
};

/* Options of a parse. */
enum nt_parse_option {
	NT_PARSE_TUNNELS = 1,      /* decapsulate IPIP and 6in4; with tunnel.h all other tunnels too */
	NT_PARSE_BEYOND_FRAME = 2, /* an IP packet may be longer than its frame or tunnel, whose length may be wrong */
};

enum nt_packet_mark {
	NT_PACKET_FIRST_FRAGMENT = 1, /* payload_length counts the first fragment only */
	NT_PACKET_REFUSED = 2,        /* its receiver drops it: it counts, but changes nothing */
	NT_PACKET_OTHER_CLOCK = 4,    /* its time cannot be compared with those of the packets before it */
	NT_PACKET_SINGLE = 8,         /* the host knows that it is no copy of a packet that was seen before */
};

/* One TCP segment. Addresses are in network byte order, IPv4 as ::ffff:a.b.c.d; all other members in host byte order.
 * address_parts and address_words have memory order, and serve only to compare and to hash.
 */
struct nt_packet {
	union {
		struct {
			__u8 source[16];
			__u8 destination[16];
		};
		__u32 address_parts[8];
		__u64 address_words[4]; /* source: 0 and 1, destination: 2 and 3 */
	};
	__u32 sequence;
	__u32 acknowledgement;
	__u32 payload_length; /* by the IP length, not by the captured length */
	__u16 source_port;
	__u16 destination_port;
	__u16 window;
	__u16 vlan;             /* the outermost VLAN's number, or NT_NO_VLAN */
	__u16 network_offset;   /* of the (innermost) IP header in the frame */
	__u16 segments;         /* number of segments on the wire: more than 1 if GSO or GRO merged them */
	__u8 flags;             /* enum nt_tcp_flag */
	__u8 marks;             /* enum nt_packet_mark */
	__u16 transport_offset; /* of the TCP header in the frame */
	__u32 network_length;   /* of the (innermost) IP packet by its header; 0 for an IPv4 header without a length */
};
NT_STATIC_ASSERT(sizeof(struct nt_packet) == 64, "struct nt_packet has no hidden padding");

/* Headers as on the wire, naturally aligned, so that a member is loaded at once and not byte by byte. */
struct nt_ipv4_header {
	__u8 version_and_length;
	__u8 service;
	__u16 total_length;
	__u16 identification;
	__u16 fragment;
	__u8 time_to_live;
	__u8 protocol;
	__u16 checksum;
	__u32 source;
	__u32 destination;
};
NT_STATIC_ASSERT(sizeof(struct nt_ipv4_header) == NT_IPV4_HEADER, "RFC 791 section 3.1");

struct nt_ipv6_header {
	__u8 version_and_class;
	__u8 class_and_flow[3];
	__u16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u32 addresses[8];
};
NT_STATIC_ASSERT(sizeof(struct nt_ipv6_header) == NT_IPV6_HEADER, "RFC 8200 section 3");

struct nt_tcp_header {
	__u16 source_port;
	__u16 destination_port;
	__u32 sequence;
	__u32 acknowledgement;
	__u8 data_offset;
	__u8 flags;
	__u16 window;
	__u16 checksum;
	__u16 urgent;
};
NT_STATIC_ASSERT(sizeof(struct nt_tcp_header) == NT_TCP_HEADER, "RFC 9293 section 3.1");

NT_INLINE __u16 nt_network16(__u16 value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16(value);
#else
	return value;
#endif
}

NT_INLINE __u32 nt_network32(__u32 value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap32(value);
#else
	return value;
#endif
}

/* The position of the parser inside one IP packet. */
struct nt_cursor {
	__u32 offset;  /* of the next header to read */
	__u8 protocol; /* of the header at offset */
	__u32 end;     /* offset behind the IP packet */
	/* enum nt_fragment. Not next to `protocol`: GCC would test both in one load, which waits for two stores. */
	__u8 fragment;
	__u8 beyond_frame; /* NT_PARSE_BEYOND_FRAME is set */
};

enum nt_fragment { NT_WHOLE, NT_FIRST_OF_FRAGMENTS, NT_LATER_FRAGMENT };

NT_INLINE int nt_exceeds_frame(__u32 offset, __u32 length, __u32 frame_length)
{
	return offset > frame_length || length > frame_length - offset;
}

/* Returns the offset behind an IP packet of `length` bytes, 0 if it is longer than the frame and must not be. */
NT_INLINE __u32 nt_packet_end(const struct nt_cursor *cursor, __u32 length, __u32 frame_length)
{
	if (!cursor->beyond_frame && nt_exceeds_frame(cursor->offset, length, frame_length))
		return 0;
	return cursor->offset + length;
}

/* Returns 0 if the header is damaged. A checksum of 0 is not computed yet; that of options is not verified. */
NT_INLINE int nt_is_ipv4_sum_plausible(const struct nt_ipv4_header *header)
{
	const __u16 *words = (const __u16 *)header;
	__u32 sum = words[0] + words[1] + words[2] + words[3] + words[4] + words[5] + words[6] + words[7] + words[8] +
		    words[9];

	return !header->checksum || header->version_and_length != 0x45 || (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* Writes whole words, because a load that is wider than the stores before it has to wait for them. */
NT_INLINE void nt_set_ipv4_address(__u64 *words, __u32 address)
{
	words[0] = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	words[1] = (__u64)address << 32 | nt_network32(0xffff);
#else
	words[1] = (__u64)0xffff << 32 | address;
#endif
}

/* Interprets a loaded header: fills the addresses and advances the cursor behind it. nt_take_ipv6_header() does the
 * same for IPv6; nt_take_tcp_header() fills the members of TCP. */
NT_INLINE enum nt_parse nt_take_ipv4_header(const struct nt_ipv4_header *header, __u32 frame_length,
					    struct nt_cursor *cursor, struct nt_packet *packet)
{
	__u32 header_length = (header->version_and_length & 0x0f) * 4;
	__u32 total_length = nt_network16(header->total_length);
	__u32 fragment;

	if (header->version_and_length >> 4 != 4 || header_length < NT_IPV4_HEADER)
		return NT_PACKET_MALFORMED;
	packet->network_length = total_length;
	/* 0: segmentation offload, where the length does not fit (Linux BIG TCP, b1a78b9b9886) or is not yet set. */
	if (!total_length && frame_length > cursor->offset)
		total_length = frame_length - cursor->offset;
	cursor->end = nt_packet_end(cursor, total_length, frame_length);
	if (!cursor->end || total_length < header_length)
		return NT_PACKET_MALFORMED;
	if (cursor->beyond_frame && nt_exceeds_frame(cursor->offset, total_length, frame_length) &&
	    !nt_is_ipv4_sum_plausible(header))
		return NT_PACKET_MALFORMED;

	fragment = nt_network16(header->fragment);
	if (fragment & 0x1fff)
		cursor->fragment = NT_LATER_FRAGMENT;
	else if (fragment & 0x2000)
		cursor->fragment = NT_FIRST_OF_FRAGMENTS;
	cursor->protocol = header->protocol;
	cursor->offset += header_length;
	nt_set_ipv4_address(packet->address_words, header->source);
	nt_set_ipv4_address(packet->address_words + 2, header->destination);
	return NT_PACKET_TCP;
}

NT_INLINE enum nt_parse nt_parse_ipv4_header(void *frame, __u32 frame_length, struct nt_cursor *cursor,
					     struct nt_packet *packet)
{
	struct nt_ipv4_header header;

	if (NT_LOAD(frame, cursor->offset, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	return nt_take_ipv4_header(&header, frame_length, cursor, packet);
}

NT_INLINE enum nt_parse nt_take_ipv6_header(const struct nt_ipv6_header *header, __u32 frame_length,
					    struct nt_cursor *cursor, struct nt_packet *packet)
{
	__u32 total_length = NT_IPV6_HEADER + nt_network16(header->payload_length);

	if (header->version_and_class >> 4 != 6)
		return NT_PACKET_MALFORMED;
	packet->network_length = total_length;
	/* 0: a jumbogram (RFC 2675) or Linux BIG TCP, with or without the hop-by-hop header that shows it. */
	if (!header->payload_length && frame_length > cursor->offset)
		total_length = frame_length - cursor->offset;
	cursor->end = nt_packet_end(cursor, total_length, frame_length);
	if (!cursor->end || total_length < NT_IPV6_HEADER)
		return NT_PACKET_MALFORMED;

	cursor->protocol = header->next_header;
	cursor->offset += NT_IPV6_HEADER;
	__builtin_memcpy(packet->address_parts, header->addresses, sizeof(header->addresses));
	return NT_PACKET_TCP;
}

NT_INLINE enum nt_parse nt_parse_ipv6_header(void *frame, __u32 frame_length, struct nt_cursor *cursor,
					     struct nt_packet *packet)
{
	struct nt_ipv6_header header;

	if (NT_LOAD(frame, cursor->offset, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	return nt_take_ipv6_header(&header, frame_length, cursor, packet);
}

/* Advances the cursor behind one extension header. Returns NT_PACKET_TCP, NT_PACKET_NOT_TCP if the next header is no
 * extension header, or an error. */
NT_INLINE enum nt_parse nt_pass_extension_header(void *frame, struct nt_cursor *cursor)
{
	__u16 part[2]; /* next header and length; of a fragment header also the offset and the more-fragments bit */
	const __u8 *bytes = (const __u8 *)part;
	__u32 length, fragment;

	switch (cursor->protocol) {
	case NT_PROTOCOL_HOP_BY_HOP:
	case NT_PROTOCOL_ROUTING:
	case NT_PROTOCOL_DESTINATION:
	case NT_PROTOCOL_FRAGMENT:
	case NT_PROTOCOL_AUTHENTICATION:
		break;
	default:
		return NT_PACKET_NOT_TCP;
	}
	if (cursor->end - cursor->offset < 8)
		return NT_PACKET_MALFORMED;
	if (NT_LOAD(frame, cursor->offset, part, sizeof(part)) < 0)
		return NT_PACKET_TRUNCATED;
	length = (bytes[1] + 1) * 8;
	if (cursor->protocol == NT_PROTOCOL_AUTHENTICATION)
		length = (bytes[1] + 2) * 4; /* RFC 4302 section 2.2 */
	if (cursor->protocol == NT_PROTOCOL_FRAGMENT) {
		length = 8;
		fragment = nt_network16(part[1]);
		if (fragment & 0xfff8)
			cursor->fragment = NT_LATER_FRAGMENT;
		else if (fragment & 1) /* an atomic fragment (RFC 6946) is a whole packet */
			cursor->fragment = NT_FIRST_OF_FRAGMENTS;
	}
	if (length > cursor->end - cursor->offset)
		return NT_PACKET_MALFORMED;
	cursor->protocol = bytes[0];
	cursor->offset += length;
	return NT_PACKET_TCP;
}

/* Advances the cursor to the first header that is no extension header. Returns NT_PACKET_TCP whatever its protocol is,
 * or an error. */
NT_INLINE enum nt_parse nt_pass_extension_headers(void *frame, struct nt_cursor *cursor)
{
	enum nt_parse result;
	int i;

	for (i = 0; i <= NT_MOST_EXTENSION_HEADERS; i++) {
		/* A later fragment holds the middle of a packet, whatever its next header says. */
		if (cursor->fragment == NT_LATER_FRAGMENT)
			return NT_PACKET_FRAGMENT;
		if (cursor->protocol == NT_PROTOCOL_TCP)
			return NT_PACKET_TCP;
		result = nt_pass_extension_header(frame, cursor);
		if (result == NT_PACKET_NOT_TCP)
			return NT_PACKET_TCP;
		if (result != NT_PACKET_TCP)
			return result;
	}
	return NT_PACKET_MALFORMED;
}

NT_INLINE enum nt_parse nt_take_tcp_header(const struct nt_tcp_header *header, const struct nt_cursor *cursor,
					   struct nt_packet *packet)
{
	__u32 room = cursor->end - cursor->offset;
	__u32 header_length = (header->data_offset >> 4) * 4;

	packet->source_port = nt_network16(header->source_port);
	packet->destination_port = nt_network16(header->destination_port);
	packet->flags = header->flags;
	packet->transport_offset = cursor->offset;
	if (header_length < NT_TCP_HEADER)
		return NT_PACKET_MALFORMED;
	if (header_length > room)
		return cursor->fragment == NT_FIRST_OF_FRAGMENTS ? NT_PACKET_FRAGMENT : NT_PACKET_MALFORMED;

	packet->sequence = nt_network32(header->sequence);
	packet->acknowledgement = nt_network32(header->acknowledgement);
	packet->window = nt_network16(header->window);
	packet->segments = 1;
	packet->payload_length = room - header_length;
	packet->marks = cursor->fragment == NT_FIRST_OF_FRAGMENTS ? NT_PACKET_FIRST_FRAGMENT : 0;
	return NT_PACKET_TCP;
}

NT_INLINE enum nt_parse nt_parse_tcp_header(void *frame, const struct nt_cursor *cursor, struct nt_packet *packet)
{
	struct nt_tcp_header header;

	if (cursor->end - cursor->offset < NT_TCP_HEADER)
		return cursor->fragment == NT_FIRST_OF_FRAGMENTS ? NT_PACKET_FRAGMENT : NT_PACKET_MALFORMED;
	if (NT_LOAD(frame, cursor->offset, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	return nt_take_tcp_header(&header, cursor, packet);
}

/* Parses one IP header with its extension headers. The cursor is then at its payload. */
NT_INLINE enum nt_parse nt_parse_network_header(void *frame, __u32 frame_length, __u16 ethertype,
						struct nt_cursor *cursor, struct nt_packet *packet)
{
	enum nt_parse result;

	packet->network_offset = cursor->offset;
	cursor->fragment = NT_WHOLE;
	if (ethertype == NT_ETHERTYPE_IPV4)
		result = nt_parse_ipv4_header(frame, frame_length, cursor, packet);
	else if (ethertype == NT_ETHERTYPE_IPV6)
		result = nt_parse_ipv6_header(frame, frame_length, cursor, packet);
	else
		return NT_PACKET_NOT_IP;
	if (result != NT_PACKET_TCP)
		return result;
	return nt_pass_extension_headers(frame, cursor);
}

/* Does the same as nt_parse_ip(), with a cursor at the IP header. After NT_PACKET_NOT_TCP the cursor is at the header
 * of the other protocol.
 */
NT_INLINE enum nt_parse nt_parse_ip_at(void *frame, struct nt_cursor *cursor, __u16 ethertype, __u32 frame_length,
				       __u32 options, struct nt_packet *packet)
{
	enum nt_parse result;
	int depth;

	cursor->beyond_frame = !!(options & NT_PARSE_BEYOND_FRAME);
	for (depth = 0; depth <= NT_MOST_TUNNELS; depth++) {
		result = nt_parse_network_header(frame, frame_length, ethertype, cursor, packet);
		if (result != NT_PACKET_TCP)
			return result;
		if (cursor->protocol == NT_PROTOCOL_TCP)
			return nt_parse_tcp_header(frame, cursor, packet);
		if (!(options & NT_PARSE_TUNNELS))
			return NT_PACKET_NOT_TCP;
		if (cursor->protocol == NT_PROTOCOL_IPV4)
			ethertype = NT_ETHERTYPE_IPV4;
		else if (cursor->protocol == NT_PROTOCOL_IPV6)
			ethertype = NT_ETHERTYPE_IPV6;
		else
			return NT_PACKET_NOT_TCP;
		/* The first fragment of a tunnel packet holds an inner packet that is longer than the fragment. */
		if (cursor->fragment == NT_FIRST_OF_FRAGMENTS)
			return NT_PACKET_FRAGMENT;
		frame_length = cursor->end;
	}
	return NT_PACKET_MALFORMED;
}

/* Parses from the IP header on.
 *
 * offset: of the IP header in the frame; ethertype: in host byte order; frame_length: the frame's length when it was
 * sent, in bytes from the frame's beginning (skb->len, or a capture's original length); options: enum nt_parse_option.
 * packet->vlan is not changed: the caller sets it to NT_NO_VLAN, or to the VLAN whose tag the device removed.
 * packet->segments is set to 1, as no header shows more; a caller that knows the number sets it later (skb->gso_segs).
 * The other members are valid only for NT_PACKET_TCP; network_offset and network_length also for NT_PACKET_FRAGMENT.
 * After NT_PACKET_MALFORMED, a transport_offset other than 0 (the caller sets it to 0 before) shows that only the
 * length of the TCP header is wrong: addresses, ports and flags are valid.
 */
NT_INLINE enum nt_parse nt_parse_ip(void *frame, __u32 offset, __u16 ethertype, __u32 frame_length, __u32 options,
				    struct nt_packet *packet)
{
	struct nt_cursor cursor = { .offset = offset };

	return nt_parse_ip_at(frame, &cursor, ethertype, frame_length, options, packet);
}

NT_INLINE int nt_is_vlan(__u16 ethertype)
{
	return ethertype == NT_ETHERTYPE_VLAN || ethertype == NT_ETHERTYPE_SERVICE_VLAN ||
	       ethertype == NT_ETHERTYPE_OLD_SERVICE_VLAN;
}

/* Advances *offset behind the VLAN tags in the frame and *ethertype, their type, to the type of the payload. Sets *vlan
 * to the outermost VLAN unless it is set. VLAN number 0 is a priority without a VLAN (802.1Q section 9.6).
 * Returns 0, or -1 if the frame ends inside the tags.
 */
NT_INLINE int nt_pass_vlan_tags(void *frame, __u32 *offset, __u16 *ethertype, __u16 *vlan)
{
	__u16 tag[2];
	int i;

	for (i = 0; i < NT_MOST_VLAN_TAGS; i++) {
		if (!nt_is_vlan(*ethertype))
			return 0;
		if (NT_LOAD(frame, *offset, tag, sizeof(tag)) < 0)
			return -1;
		if (*vlan == NT_NO_VLAN && NT_VLAN_ID(nt_network16(tag[0])))
			*vlan = NT_VLAN_ID(nt_network16(tag[0]));
		*ethertype = nt_network16(tag[1]);
		*offset += sizeof(tag);
	}
	return 0;
}

/* Parses what follows an EtherType: VLAN tags that are still in the frame, then IP. Arguments as for nt_parse_ip(). */
NT_INLINE enum nt_parse nt_parse_ethertype(void *frame, __u32 offset, __u16 ethertype, __u32 frame_length,
					   __u32 options, struct nt_packet *packet)
{
	if (nt_pass_vlan_tags(frame, &offset, &ethertype, &packet->vlan) < 0)
		return NT_PACKET_TRUNCATED;
	return nt_parse_ip(frame, offset, ethertype, frame_length, options, packet);
}

/* Parses a frame that begins with its network header. ethertype: in host byte order. If the device left a VLAN tag in
 * front of that header, this is the type of the tag; the IP version is then read from the header. Other arguments as
 * for nt_parse_ip().
 */
NT_INLINE enum nt_parse nt_parse_network(void *frame, __u16 ethertype, __u32 frame_length, struct nt_packet *packet)
{
	__u8 version = 0;

	if (nt_is_vlan(ethertype)) {
		NT_LOAD(frame, 0, &version, sizeof(version));
		ethertype = version >> 4 == 4 ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6;
	}
	packet->vlan = NT_NO_VLAN;
	return nt_parse_ip(frame, 0, ethertype, frame_length, 0, packet);
}

struct nt_plain_ipv4_tcp {
	struct nt_ipv4_header ip;
	struct nt_tcp_header tcp;
};

struct nt_plain_ipv6_tcp {
	struct nt_ipv6_header ip;
	struct nt_tcp_header tcp;
};

/* Parses most packets: TCP directly behind an IP header without options, not fragmented. Both headers are loaded at
 * once, which hosts can do in place if the offset is a constant. Returns 1, or 0 if nt_parse_ethertype() must parse the
 * packet.
 */
NT_INLINE int nt_parse_plain(void *frame, __u32 offset, __u16 ethertype, __u32 frame_length, struct nt_packet *packet)
{
	struct nt_cursor cursor = { .offset = offset };
	const struct nt_tcp_header *tcp;
	struct nt_plain_ipv4_tcp ipv4;
	struct nt_plain_ipv6_tcp ipv6;

	if (ethertype == NT_ETHERTYPE_IPV4) {
		if (NT_LOAD(frame, offset, &ipv4, sizeof(ipv4)) < 0 || ipv4.ip.version_and_length != 0x45 ||
		    nt_take_ipv4_header(&ipv4.ip, frame_length, &cursor, packet) != NT_PACKET_TCP)
			return 0;
		tcp = &ipv4.tcp;
	} else if (ethertype == NT_ETHERTYPE_IPV6) {
		if (NT_LOAD(frame, offset, &ipv6, sizeof(ipv6)) < 0 ||
		    nt_take_ipv6_header(&ipv6.ip, frame_length, &cursor, packet) != NT_PACKET_TCP)
			return 0;
		tcp = &ipv6.tcp;
	} else {
		return 0;
	}
	if (cursor.protocol != NT_PROTOCOL_TCP || cursor.fragment != NT_WHOLE ||
	    nt_take_tcp_header(tcp, &cursor, packet) != NT_PACKET_TCP)
		return 0;
	packet->network_offset = offset;
	return 1;
}

/* Parses an Ethernet frame at offset 0. */
NT_INLINE enum nt_parse nt_parse_ethernet(void *frame, __u32 frame_length, __u32 options, struct nt_packet *packet)
{
	__u16 ethertype;

	if (NT_LOAD(frame, NT_ETHERNET_HEADER - 2, &ethertype, sizeof(ethertype)) < 0)
		return NT_PACKET_TRUNCATED;
	return nt_parse_ethertype(frame, NT_ETHERNET_HEADER, nt_network16(ethertype), frame_length, options, packet);
}

#endif
