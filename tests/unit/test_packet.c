// SPDX-License-Identifier: GPL-2.0-or-later
/* core/packet.h and core/key.h against frames written by hand from the header diagrams of the RFCs. Every frame is
 * parsed from a block of exactly its size, so that the sanitizer finds a read beyond it.
 */
#include <linux/types.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "core/key.h"
#include "core/packet.h"

#include "tests/unit/check.h"
#include "tests/unit/frames.h"

/* nt_parse_plain() must agree with the whole parser, or decline. Returns whether it accepted the packet. */
static int check_plain_agrees(struct nt_buffer *buffer, __u32 frame_length, enum nt_parse result,
			      const struct nt_packet *packet)
{
	struct nt_packet plain = { .vlan = NT_NO_VLAN };
	__u16 ethertype;

	if (nt_buffer_load(buffer, 12, &ethertype, sizeof(ethertype)) < 0 ||
	    !nt_parse_plain(buffer, 14, nt_network16(ethertype), frame_length, &plain))
		return 0;
	CHECK_EQUAL(result, NT_PACKET_TCP);
	CHECK(!memcmp(&plain, packet, sizeof(plain)));
	return 1;
}

/* Parses a block of exactly the bytes that were captured. */
static enum nt_parse parse_part(const struct frame *frame, __u32 captured, __u32 options, struct nt_packet *packet)
{
	__u8 *block = malloc(captured ? captured : 1);
	struct nt_buffer buffer = { .data = block, .length = captured };
	enum nt_parse result;

	memcpy(block, frame->bytes, captured);
	memset(packet, 0, sizeof(*packet));
	packet->vlan = NT_NO_VLAN;
	result = nt_parse_ethernet(&buffer, frame->length, options, packet);
	check_plain_agrees(&buffer, frame->length, result, packet);
	free(block);
	return result;
}

static enum nt_parse parse(const struct frame *frame, struct nt_packet *packet)
{
	return parse_part(frame, frame->length, 0, packet);
}

static enum nt_parse result_of(const struct frame *frame)
{
	struct nt_packet packet;

	return parse(frame, &packet);
}

static enum nt_parse result_in_tunnels(const struct frame *frame)
{
	struct nt_packet packet;

	return parse_part(frame, frame->length, NT_PARSE_TUNNELS, &packet);
}

/* The headers end at offset `headers`. A frame cut before is truncated; one cut after it is parsed. */
static void check_every_length(const struct frame *frame, __u32 headers, __u32 options)
{
	struct nt_packet packet;
	__u32 captured;

	for (captured = 0; captured < headers; captured++)
		CHECK_EQUAL(parse_part(frame, captured, options, &packet), NT_PACKET_TRUNCATED);
	for (; captured <= frame->length; captured++) {
		CHECK_EQUAL(parse_part(frame, captured, options, &packet), NT_PACKET_TCP);
		CHECK_EQUAL(packet.payload_length, PAYLOAD);
	}
}

static void check_segment(const struct nt_packet *packet)
{
	CHECK_EQUAL(packet->source_port, SOURCE_PORT);
	CHECK_EQUAL(packet->destination_port, DESTINATION_PORT);
	CHECK_EQUAL(packet->sequence, SEQUENCE);
	CHECK_EQUAL(packet->acknowledgement, ACKNOWLEDGEMENT);
	CHECK_EQUAL(packet->flags, NT_ACK | NT_PSH);
	CHECK_EQUAL(packet->window, 8192);
	CHECK_EQUAL(packet->payload_length, PAYLOAD);
	CHECK_EQUAL(packet->segments, 1);
	CHECK_EQUAL(packet->marks, 0);
}

static void test_ipv4(void)
{
	static const __u8 source[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 };
	static const __u8 destination[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2 };
	struct frame frame = { .length = 0 };
	struct nt_packet packet;

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0x4000, 6, TCP_SIZE);
	put_tcp(&frame);
	CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
	CHECK(!memcmp(packet.source, source, 16));
	CHECK(!memcmp(packet.destination, destination, 16));
	CHECK_EQUAL(packet.vlan, NT_NO_VLAN);
	CHECK_EQUAL(packet.network_offset, 14);
	CHECK_EQUAL(packet.network_length, 20 + TCP_SIZE);
	CHECK_EQUAL(packet.transport_offset, 34);
	check_segment(&packet);
	check_every_length(&frame, 14 + 20 + 20, 0);
	put_zeros(&frame, 9); /* Ethernet's padding is no payload */
	CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, PAYLOAD);
}

static void test_ipv4_options(void)
{
	struct nt_packet packet;
	__u32 options;

	for (options = 1; options <= 10; options++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, NT_ETHERTYPE_IPV4);
		put_ipv4(&frame, options, 0, 6, TCP_SIZE);
		put_tcp(&frame);
		CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
		CHECK_EQUAL(packet.network_length, 20 + options * 4 + TCP_SIZE);
		CHECK_EQUAL(packet.transport_offset, 34 + options * 4);
		check_segment(&packet);
		/* The options are not read. */
		check_every_length(&frame, 14 + 20 + options * 4 + 20, 0);
	}
}

/* Segmentation offload leaves the length 0; the segment extends to the end of the frame. */
static void test_ipv4_without_length(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet;

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	frame.bytes[16] = frame.bytes[17] = 0;
	CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.network_length, 0);
	check_segment(&packet);
}

static void test_tcp_options(void)
{
	struct nt_packet packet;
	__u32 options;

	for (options = 1; options <= 10; options++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, NT_ETHERTYPE_IPV4);
		put_ipv4(&frame, 0, 0, 6, 20 + options * 4 + PAYLOAD);
		put_tcp_header(&frame, options, NT_ACK);
		put_zeros(&frame, PAYLOAD);
		CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
		CHECK_EQUAL(packet.payload_length, PAYLOAD);
		check_every_length(&frame, 14 + 20 + 20, 0);
	}
}

static void test_ipv6(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet;

	put_ethernet(&frame, NT_ETHERTYPE_IPV6);
	put_ipv6(&frame, 6, TCP_SIZE);
	put_tcp(&frame);
	CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
	CHECK(!memcmp(packet.source, ipv6_source, 16));
	CHECK(!memcmp(packet.destination, ipv6_destination, 16));
	CHECK_EQUAL(packet.network_length, 40 + TCP_SIZE);
	CHECK_EQUAL(packet.transport_offset, 54);
	check_segment(&packet);
	check_every_length(&frame, 14 + 40 + 20, 0);
}

static void test_extension_headers(void)
{
	static const __u8 plain[] = { NT_PROTOCOL_HOP_BY_HOP, NT_PROTOCOL_ROUTING, NT_PROTOCOL_DESTINATION };
	struct nt_packet packet;
	__u32 i, units;

	for (i = 0; i < sizeof(plain); i++) {
		for (units = 0; units < 4; units++) {
			struct frame frame = { .length = 0 };

			put_ethernet(&frame, NT_ETHERTYPE_IPV6);
			put_ipv6(&frame, plain[i], (units + 1) * 8 + TCP_SIZE);
			put16(&frame, 6 << 8 | units);
			put_zeros(&frame, units * 8 + 6);
			put_tcp(&frame);
			CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
			check_segment(&packet);
			check_every_length(&frame, 14 + 40 + (units + 1) * 8 + 20, 0);
		}
	}
}

static void test_authentication_header(void)
{
	struct frame ipv4 = { .length = 0 }, ipv6 = { .length = 0 };
	struct nt_packet packet;

	put_ethernet(&ipv4, NT_ETHERTYPE_IPV4);
	put_ipv4(&ipv4, 0, 0, NT_PROTOCOL_AUTHENTICATION, 24 + TCP_SIZE);
	put16(&ipv4, 6 << 8 | 4); /* (4 + 2) * 4 bytes */
	put_zeros(&ipv4, 22);
	put_tcp(&ipv4);
	CHECK_EQUAL(parse(&ipv4, &packet), NT_PACKET_TCP);
	check_segment(&packet);
	check_every_length(&ipv4, 14 + 20 + 24 + 20, 0);

	put_ethernet(&ipv6, NT_ETHERTYPE_IPV6);
	put_ipv6(&ipv6, NT_PROTOCOL_AUTHENTICATION, 24 + TCP_SIZE);
	put16(&ipv6, 6 << 8 | 4);
	put_zeros(&ipv6, 22);
	put_tcp(&ipv6);
	CHECK_EQUAL(parse(&ipv6, &packet), NT_PACKET_TCP);
	check_segment(&packet);
	check_every_length(&ipv6, 14 + 40 + 24 + 20, 0);
}

static void test_chains(void)
{
	__u32 count;

	for (count = 1; count <= 12; count++) {
		struct frame frame = { .length = 0 };

		put_chain(&frame, count);
		CHECK_EQUAL(result_of(&frame),
			    count <= NT_MOST_EXTENSION_HEADERS ? NT_PACKET_TCP : NT_PACKET_MALFORMED);
	}
}

static void test_extension_header_beyond_the_end(void)
{
	struct frame frame = { .length = 0 }, cut = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV6);
	put_ipv6(&frame, NT_PROTOCOL_ROUTING, 8 + TCP_SIZE);
	put16(&frame, 6 << 8 | 200);
	put_zeros(&frame, 6);
	put_tcp(&frame);
	CHECK_EQUAL(result_of(&frame), NT_PACKET_MALFORMED);

	put_ethernet(&cut, NT_ETHERTYPE_IPV6);
	put_ipv6(&cut, NT_PROTOCOL_ROUTING, 4);
	put_zeros(&cut, 4);
	CHECK_EQUAL(result_of(&cut), NT_PACKET_MALFORMED);
}

static void test_not_tcp(void)
{
	static const __u8 protocols[] = { 1, 17, 50 /* ESP */, 58, 59 /* no next header */, 132, 255 };
	__u32 i;

	for (i = 0; i < sizeof(protocols); i++) {
		struct frame ipv4 = { .length = 0 }, ipv6 = { .length = 0 };

		put_ethernet(&ipv4, NT_ETHERTYPE_IPV4);
		put_ipv4(&ipv4, 0, 0, protocols[i], TCP_SIZE);
		put_tcp(&ipv4);
		CHECK_EQUAL(result_of(&ipv4), NT_PACKET_NOT_TCP);
		put_ethernet(&ipv6, NT_ETHERTYPE_IPV6);
		put_ipv6(&ipv6, protocols[i], TCP_SIZE);
		put_tcp(&ipv6);
		CHECK_EQUAL(result_of(&ipv6), NT_PACKET_NOT_TCP);
	}
}

static void test_not_ip(void)
{
	static const __u16 ethertypes[] = { 0x0000, 0x0026, 0x0806, 0x8847, 0x88cc, 0xffff };
	__u32 i;

	for (i = 0; i < sizeof(ethertypes) / sizeof(ethertypes[0]); i++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, ethertypes[i]);
		put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
		put_tcp(&frame);
		CHECK_EQUAL(result_of(&frame), NT_PACKET_NOT_IP);
	}
}

static void test_vlan_tags(void)
{
	static const __u16 types[] = { NT_ETHERTYPE_VLAN, NT_ETHERTYPE_SERVICE_VLAN, NT_ETHERTYPE_OLD_SERVICE_VLAN };
	struct nt_packet packet;
	__u32 tags, type, i;

	for (type = 0; type < 3; type++) {
		for (tags = 1; tags <= 5; tags++) {
			struct frame frame = { .length = 0 };

			put_ethernet(&frame, types[type]);
			for (i = 1; i <= tags; i++)
				put_tag(&frame, 0xe000 | (100 + i), i == tags ? NT_ETHERTYPE_IPV6 : NT_ETHERTYPE_VLAN);
			put_ipv6(&frame, 6, TCP_SIZE);
			put_tcp(&frame);
			if (tags > NT_MOST_VLAN_TAGS) {
				CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_NOT_IP);
				continue;
			}
			CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
			CHECK_EQUAL(packet.vlan, 101);
			CHECK_EQUAL(packet.network_offset, 14 + tags * 4);
			check_segment(&packet);
			check_every_length(&frame, 14 + tags * 4 + 40 + 20, 0);
		}
	}
}

static void test_stripped_and_priority_tags(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet = { .vlan = 55 };
	struct nt_buffer buffer = { .data = frame.bytes };

	put_ethernet(&frame, NT_ETHERTYPE_SERVICE_VLAN);
	put_tag(&frame, 0xe000, NT_ETHERTYPE_VLAN);
	put_tag(&frame, 7, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	buffer.length = frame.length;
	/* The tag that the device stripped is the outermost. */
	CHECK_EQUAL(nt_parse_ethernet(&buffer, frame.length, 0, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.vlan, 55);
	CHECK_EQUAL(parse(&frame, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.vlan, 7);
}

static void test_without_link_layer(void)
{
	struct frame frame = { .length = 0 };
	struct nt_buffer buffer = { .data = frame.bytes };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	buffer.length = frame.length;
	CHECK_EQUAL(nt_parse_ip(&buffer, 0, NT_ETHERTYPE_IPV4, frame.length, 0, &packet), NT_PACKET_TCP);
	check_segment(&packet);
	CHECK_EQUAL(nt_parse_ip(&buffer, 0, NT_ETHERTYPE_IPV6, frame.length, 0, &packet), NT_PACKET_MALFORMED);
}

/* Parses a frame of IPv4 and TCP with one byte replaced. */
static enum nt_parse result_with(__u32 offset, __u8 value)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	frame.bytes[offset] = value;
	return result_of(&frame);
}

static void test_wrong_ipv4_lengths(void)
{
	__u32 words, length;

	for (words = 0; words < 5; words++)
		CHECK_EQUAL(result_with(14, 0x40 | words), NT_PACKET_MALFORMED);
	CHECK_EQUAL(result_with(14, 0x65), NT_PACKET_MALFORMED);
	CHECK_EQUAL(result_with(14, 0x05), NT_PACKET_MALFORMED);
	for (length = 1; length < 40; length++) /* shorter than the headers */
		CHECK_EQUAL(result_with(17, length), NT_PACKET_MALFORMED);
	for (length = 20 + TCP_SIZE + 1; length < 256; length++) /* longer than the frame */
		CHECK_EQUAL(result_with(17, length), NT_PACKET_MALFORMED);
	CHECK_EQUAL(result_with(16, 0xff), NT_PACKET_MALFORMED);
}

/* An IP packet that is longer than its frame, whose length may be wrong, has the payload that its own
 * length says.
 */
static void test_packets_beyond_the_frame(void)
{
	struct frame four = { .length = 0 }, six = { .length = 0 }, inner = { .length = 0 };
	const __u32 options = NT_PARSE_TUNNELS | NT_PARSE_BEYOND_FRAME;
	struct nt_packet packet;

	put_ethernet(&four, NT_ETHERTYPE_IPV4);
	put_ipv4(&four, 0, 0, 6, TCP_SIZE + 1000);
	put_tcp(&four);
	CHECK_EQUAL(result_of(&four), NT_PACKET_MALFORMED);
	CHECK_EQUAL(parse_part(&four, four.length, options, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, PAYLOAD + 1000);
	put_ethernet(&six, NT_ETHERTYPE_IPV6);
	put_ipv6(&six, 6, TCP_SIZE + 65000);
	put_tcp(&six);
	CHECK_EQUAL(result_of(&six), NT_PACKET_MALFORMED);
	CHECK_EQUAL(parse_part(&six, six.length, options, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, PAYLOAD + 65000);
	put_ethernet(&inner, NT_ETHERTYPE_IPV4);
	put_ipv4(&inner, 0, 0, NT_PROTOCOL_IPV4, 10);
	put_ipv4(&inner, 0, 0, 6, TCP_SIZE);
	put_tcp(&inner);
	CHECK_EQUAL(parse_part(&inner, inner.length, options, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, PAYLOAD);
	/* A damaged header has no plausible length. */
	four.bytes[14 + 10] = 0x12;
	CHECK_EQUAL(parse_part(&four, four.length, options, &packet), NT_PACKET_MALFORMED);
	four.bytes[14 + 10] = 0;
	/* The length of the IP header itself must hold the TCP header. */
	four.bytes[16] = 0;
	four.bytes[17] = 39;
	CHECK_EQUAL(parse_part(&four, four.length, options, &packet), NT_PACKET_MALFORMED);
}

static void test_wrong_tcp_lengths(void)
{
	__u32 words;

	for (words = 0; words < 5; words++)
		CHECK_EQUAL(result_with(14 + 20 + 12, words << 4), NT_PACKET_MALFORMED);
	CHECK_EQUAL(result_with(14 + 20 + 12, 6 << 4), NT_PACKET_TCP); /* 4 of the 7 bytes are options now */
	for (words = 7; words < 16; words++)
		CHECK_EQUAL(result_with(14 + 20 + 12, words << 4), NT_PACKET_MALFORMED);
}

static void test_wrong_ipv6_lengths(void)
{
	__u32 length;

	for (length = 1; length < 256; length++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, NT_ETHERTYPE_IPV6);
		put_ipv6(&frame, 6, length);
		put_tcp(&frame);
		CHECK_EQUAL(result_of(&frame), length < 20 || length > TCP_SIZE ? NT_PACKET_MALFORMED : NT_PACKET_TCP);
	}
}

/* Segments of more than 64 KiB that offload has not split: the IP length is 0. */
static void test_offloaded_segments(void)
{
	struct frame ipv4 = { .length = 0 }, ipv6 = { .length = 0 };
	struct nt_buffer buffer = { .data = ipv4.bytes };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	put_ethernet(&ipv4, NT_ETHERTYPE_IPV4);
	put_ipv4(&ipv4, 0, 0, 6, TCP_SIZE);
	put_tcp(&ipv4);
	ipv4.bytes[16] = ipv4.bytes[17] = 0;
	buffer.length = ipv4.length;
	CHECK_EQUAL(nt_parse_ethernet(&buffer, 14 + 20 + 20 + 180000, 0, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, 180000);

	put_ethernet(&ipv6, NT_ETHERTYPE_IPV6);
	put_ipv6(&ipv6, NT_PROTOCOL_HOP_BY_HOP, 0);
	put32(&ipv6, 6 << 24 | 0xc204); /* the jumbo payload option (RFC 2675 section 2) */
	put32(&ipv6, 8 + 20 + 180000);
	put_tcp(&ipv6);
	buffer = (struct nt_buffer){ .data = ipv6.bytes, .length = ipv6.length };
	CHECK_EQUAL(nt_parse_ethernet(&buffer, 14 + 40 + 8 + 20 + 180000, 0, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.payload_length, 180000);
}

static void test_ipv4_fragments(void)
{
	struct frame first = { .length = 0 }, middle = { .length = 0 }, last = { .length = 0 }, tiny = { .length = 0 };
	struct nt_packet packet;

	put_ipv4_fragment(&first, 0x2000, 24);
	CHECK_EQUAL(parse(&first, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.marks, NT_PACKET_FIRST_FRAGMENT);
	CHECK_EQUAL(packet.payload_length, 4);
	put_ipv4_fragment(&middle, 0x2000 | 3, 24);
	CHECK_EQUAL(parse(&middle, &packet), NT_PACKET_FRAGMENT);
	CHECK_EQUAL(packet.network_offset, 14);
	put_ipv4_fragment(&last, 3, 24);
	CHECK_EQUAL(result_of(&last), NT_PACKET_FRAGMENT);
	/* RFC 1858 section 3: a first fragment with the ports but without the flags. */
	put_ipv4_fragment(&tiny, 0x2000, 8);
	CHECK_EQUAL(result_of(&tiny), NT_PACKET_FRAGMENT);
}

static void test_ipv6_fragments(void)
{
	struct frame first = { .length = 0 }, last = { .length = 0 }, tiny = { .length = 0 }, whole = { .length = 0 };
	struct nt_packet packet;

	put_ipv6_fragment(&first, 1, 24);
	CHECK_EQUAL(parse(&first, &packet), NT_PACKET_TCP);
	CHECK_EQUAL(packet.marks, NT_PACKET_FIRST_FRAGMENT);
	put_ipv6_fragment(&last, 24, 24);
	CHECK_EQUAL(result_of(&last), NT_PACKET_FRAGMENT);
	put_ipv6_fragment(&tiny, 1, 8);
	CHECK_EQUAL(result_of(&tiny), NT_PACKET_FRAGMENT);
	put_ipv6_fragment(&whole, 0, TCP_SIZE); /* an atomic fragment (RFC 6946) */
	CHECK_EQUAL(parse(&whole, &packet), NT_PACKET_TCP);
	check_segment(&packet);
	check_every_length(&whole, 14 + 40 + 8 + 20, 0);
}

/* Puts a packet inside count IPv4-in-IPv4 tunnels. */
static void put_tunnels(struct frame *frame, __u32 count)
{
	__u32 i;

	put_ethernet(frame, NT_ETHERTYPE_IPV4);
	for (i = count; i; i--)
		put_ipv4(frame, 0, 0, NT_PROTOCOL_IPV4, i * 20 + TCP_SIZE);
	put_ipv4(frame, 0, 0, 6, TCP_SIZE);
	put_tcp(frame);
}

static void test_tunnel_depth(void)
{
	__u32 count;

	for (count = 1; count <= 6; count++) {
		struct frame frame = { .length = 0 };

		put_tunnels(&frame, count);
		CHECK_EQUAL(result_of(&frame), NT_PACKET_NOT_TCP); /* without NT_PARSE_TUNNELS */
		CHECK_EQUAL(result_in_tunnels(&frame), count <= NT_MOST_TUNNELS ? NT_PACKET_TCP : NT_PACKET_MALFORMED);
		if (count <= NT_MOST_TUNNELS)
			check_every_length(&frame, 14 + count * 20 + 20 + 20, NT_PARSE_TUNNELS);
	}
}

static void test_tunnels(void)
{
	struct frame six_in_four = { .length = 0 }, four_in_six = { .length = 0 }, too_long = { .length = 0 };
	struct frame fragment = { .length = 0 };
	struct nt_packet packet;

	put_ethernet(&six_in_four, NT_ETHERTYPE_IPV4);
	put_ipv4(&six_in_four, 0, 0, NT_PROTOCOL_IPV6, 40 + TCP_SIZE);
	put_ipv6(&six_in_four, 6, TCP_SIZE);
	put_tcp(&six_in_four);
	CHECK_EQUAL(parse_part(&six_in_four, six_in_four.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_TCP);
	CHECK(!memcmp(packet.source, ipv6_source, 16));
	CHECK_EQUAL(packet.network_offset, 34);
	check_segment(&packet);
	check_every_length(&six_in_four, 14 + 20 + 40 + 20, NT_PARSE_TUNNELS);

	put_ethernet(&four_in_six, NT_ETHERTYPE_IPV6);
	put_ipv6(&four_in_six, NT_PROTOCOL_IPV4, 20 + TCP_SIZE);
	put_ipv4(&four_in_six, 0, 0, 6, TCP_SIZE);
	put_tcp(&four_in_six);
	CHECK_EQUAL(result_in_tunnels(&four_in_six), NT_PACKET_TCP);
	check_every_length(&four_in_six, 14 + 40 + 20 + 20, NT_PARSE_TUNNELS);

	/* The inner packet's length exceeds the outer packet. */
	put_ethernet(&too_long, NT_ETHERTYPE_IPV4);
	put_ipv4(&too_long, 0, 0, NT_PROTOCOL_IPV4, 20 + TCP_SIZE - 1);
	put_ipv4(&too_long, 0, 0, 6, TCP_SIZE);
	put_tcp(&too_long);
	CHECK_EQUAL(result_in_tunnels(&too_long), NT_PACKET_MALFORMED);

	put_ethernet(&fragment, NT_ETHERTYPE_IPV4);
	put_ipv4(&fragment, 0, 0x2000, NT_PROTOCOL_IPV4, 20 + TCP_SIZE);
	put_ipv4(&fragment, 0, 0, 6, TCP_SIZE + 64);
	put_tcp(&fragment);
	CHECK_EQUAL(result_in_tunnels(&fragment), NT_PACKET_FRAGMENT);
}

/* Random bytes: no read beyond the end, which the sanitizer would find, and always a valid result. */
static void test_random_bytes(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet;
	__u32 offset, value, invalid = 0, i;

	put_chain(&frame, 3);
	for (offset = 12; offset < frame.length; offset++) {
		__u8 kept = frame.bytes[offset];

		for (value = 0; value < 256; value++) {
			frame.bytes[offset] = value;
			invalid += parse_part(&frame, frame.length, rand() & 3, &packet) > NT_PACKET_MALFORMED;
		}
		frame.bytes[offset] = kept;
	}
	srand(1);
	for (i = 0; i < 20000; i++) {
		frame.length = rand() % 200;
		for (offset = 14; offset < frame.length; offset++)
			frame.bytes[offset] = rand() % 3 ? rand() : rand() % 8;
		invalid += parse_part(&frame, frame.length, rand() & 3, &packet) > NT_PACKET_MALFORMED;
	}
	CHECK_EQUAL(invalid, 0);
}

static struct nt_packet packet_between(__u8 source, __u16 source_port, __u8 destination, __u16 destination_port)
{
	struct nt_packet packet = { .source_port = source_port, .destination_port = destination_port };

	memcpy(packet.source, ipv6_source, 16);
	memcpy(packet.destination, ipv6_source, 16);
	packet.source[7] = packet.source[15] = source;
	packet.destination[7] = packet.destination[15] = destination;
	return packet;
}

static void check_key_of(struct nt_packet forth, struct nt_packet back)
{
	struct nt_key one, other;
	int source;

	memset(&one, 0x55, sizeof(one));
	memset(&other, 0xaa, sizeof(other));
	source = nt_key_from_packet(&one, &forth, 9);
	CHECK_EQUAL(nt_key_from_packet(&other, &back, 9), 1 - source);
	CHECK(!memcmp(&one, &other, sizeof(one)));
	CHECK(!memcmp(one.address[source], forth.source, 16));
	CHECK(!memcmp(one.address[1 - source], forth.destination, 16));
	CHECK_EQUAL(one.port[source], forth.source_port);
	CHECK_EQUAL(one.port[1 - source], forth.destination_port);
	CHECK_EQUAL(one.netns, 9);
	CHECK(!nt_key_is_self(&one));
}

static void test_key(void)
{
	struct nt_packet self = packet_between(3, 5000, 3, 5000);
	struct nt_key key;

	check_key_of(packet_between(1, 80, 2, 40000), packet_between(2, 40000, 1, 80));
	check_key_of(packet_between(2, 80, 1, 40000), packet_between(1, 40000, 2, 80));
	check_key_of(packet_between(3, 80, 3, 40000), packet_between(3, 40000, 3, 80));
	check_key_of(packet_between(3, 40000, 3, 80), packet_between(3, 80, 3, 40000));
	CHECK_EQUAL(nt_key_from_packet(&key, &self, 0), 0);
	CHECK(nt_key_is_self(&key));
}

/* nt_parse_plain() accepts packets without anything between their headers, and only these. */
static void check_plain(void (*put_headers)(struct frame *frame), __u16 ethertype, int expected)
{
	struct frame frame = { .length = 0 };
	struct nt_buffer buffer = { .data = frame.bytes };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	put_ethernet(&frame, ethertype);
	put_headers(&frame);
	put_tcp(&frame);
	buffer.length = frame.length;
	CHECK_EQUAL(nt_parse_plain(&buffer, 14, ethertype, frame.length, &packet), expected);
	if (expected) {
		CHECK_EQUAL(packet.payload_length, PAYLOAD);
		CHECK_EQUAL(packet.network_offset, 14);
		CHECK_EQUAL(packet.sequence, SEQUENCE);
	}
}

static void put_plain_ipv4(struct frame *frame)
{
	put_ipv4(frame, 0, 0x4000, 6, TCP_SIZE);
}

static void put_ipv4_with_options(struct frame *frame)
{
	put_ipv4(frame, 2, 0x4000, 6, TCP_SIZE);
}

static void put_first_ipv4_fragment(struct frame *frame)
{
	put_ipv4(frame, 0, 0x2000, 6, TCP_SIZE);
}

static void put_plain_ipv6(struct frame *frame)
{
	put_ipv6(frame, 6, TCP_SIZE);
}

static void put_ipv6_with_options(struct frame *frame)
{
	put_ipv6(frame, NT_PROTOCOL_DESTINATION, 8 + TCP_SIZE);
	put16(frame, 6 << 8);
	put_zeros(frame, 6);
}

static void test_plain(void)
{
	check_plain(put_plain_ipv4, NT_ETHERTYPE_IPV4, 1);
	check_plain(put_plain_ipv6, NT_ETHERTYPE_IPV6, 1);
	check_plain(put_ipv4_with_options, NT_ETHERTYPE_IPV4, 0);
	check_plain(put_first_ipv4_fragment, NT_ETHERTYPE_IPV4, 0);
	check_plain(put_ipv6_with_options, NT_ETHERTYPE_IPV6, 0);
	check_plain(put_plain_ipv4, NT_ETHERTYPE_VLAN, 0);
}

int main(void)
{
	test_plain();
	test_ipv4();
	test_ipv4_options();
	test_ipv4_without_length();
	test_tcp_options();
	test_ipv6();
	test_extension_headers();
	test_authentication_header();
	test_chains();
	test_extension_header_beyond_the_end();
	test_not_tcp();
	test_not_ip();
	test_vlan_tags();
	test_stripped_and_priority_tags();
	test_without_link_layer();
	test_wrong_ipv4_lengths();
	test_packets_beyond_the_frame();
	test_wrong_tcp_lengths();
	test_wrong_ipv6_lengths();
	test_offloaded_segments();
	test_ipv4_fragments();
	test_ipv6_fragments();
	test_tunnel_depth();
	test_tunnels();
	test_random_bytes();
	test_key();
	return check_finish();
}
