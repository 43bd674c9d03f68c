// SPDX-License-Identifier: GPL-2.0-or-later
/* core/icmp_error.h and src/capture/icmp_layer.h against messages written by hand from the header diagrams of RFC 792
 * and RFC 4443. Every frame is parsed from a block of exactly its size, so that the sanitizer finds a read beyond it.
 */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "src/capture/tunnel.h"

#include "tests/unit/check.h"
#include "tests/unit/frames.h"

#define LENIENT NT_PARSE_BEYOND_FRAME
#define QUOTED_TCP 8

/* Returns as nt_parse_icmp_error(), from a block of exactly the bytes that were captured. */
static int parse_part(const struct frame *frame, __u32 captured, __u32 options, struct nt_packet *packet)
{
	__u8 *block = malloc(captured ? captured : 1);
	struct nt_buffer buffer = { .data = block, .length = captured };
	struct nt_layer layer = {
		.end = frame->length,
		.type = NT_ETHERTYPE_BRIDGED,
		.vlan = NT_NO_VLAN,
		.is_end_doubtful = !!(options & NT_PARSE_BEYOND_FRAME),
	};
	int error = 0;

	memcpy(block, frame->bytes, captured);
	memset(packet, 0, sizeof(*packet));
	if (nt_parse_layers(&buffer, &layer, options, packet) == NT_PACKET_NOT_TCP &&
	    (layer.type == NT_LAYER_ICMP || layer.type == NT_LAYER_ICMPV6))
		error = nt_parse_icmp_error(&buffer, &layer, packet);
	free(block);
	return error;
}

static int error_of(const struct frame *frame)
{
	struct nt_packet packet;

	return parse_part(frame, frame->length, LENIENT, &packet);
}

/* quoted: bytes of the quoted packet that follow. */
static void put_icmp(struct frame *frame, __u8 type, __u8 code, __u32 quoted)
{
	frame->length = 0;
	put_ethernet(frame, NT_ETHERTYPE_IPV4);
	put_ipv4(frame, 0, 0, NT_PROTOCOL_ICMP, NT_ICMP_HEADER + quoted);
	put8(frame, type);
	put8(frame, code);
	put_zeros(frame, 6);
}

static void put_icmpv6(struct frame *frame, __u8 type, __u8 code, __u32 quoted)
{
	frame->length = 0;
	put_ethernet(frame, NT_ETHERTYPE_IPV6);
	put_ipv6(frame, NT_PROTOCOL_ICMPV6, NT_ICMP_HEADER + quoted);
	put8(frame, type);
	put8(frame, code);
	put_zeros(frame, 6);
}

static void put_quoted_tcp(struct frame *frame)
{
	put16(frame, SOURCE_PORT);
	put16(frame, DESTINATION_PORT);
	put32(frame, SEQUENCE);
}

/* The quoted packet's own length is that of the whole segment. */
static void put_ipv4_error(struct frame *frame, __u8 type, __u8 code)
{
	put_icmp(frame, type, code, 20 + QUOTED_TCP);
	put_ipv4(frame, 0, 0x4000, 6, TCP_SIZE);
	put_quoted_tcp(frame);
}

static void put_ipv6_error(struct frame *frame, __u8 type, __u8 code)
{
	put_icmpv6(frame, type, code, 40 + QUOTED_TCP);
	put_ipv6(frame, 6, TCP_SIZE);
	put_quoted_tcp(frame);
}

static void check_quote(const struct nt_packet *packet)
{
	CHECK_EQUAL(packet->source_port, SOURCE_PORT);
	CHECK_EQUAL(packet->destination_port, DESTINATION_PORT);
	CHECK_EQUAL(packet->sequence, SEQUENCE);
}

/* A frame cut anywhere shows no error; with any option, the whole one does. */
static void check_every_length(const struct frame *frame, int error)
{
	struct nt_packet packet;
	__u32 captured;

	for (captured = 0; captured < frame->length; captured++) {
		CHECK_EQUAL(parse_part(frame, captured, LENIENT, &packet), 0);
		CHECK_EQUAL(parse_part(frame, captured, NT_PARSE_TUNNELS, &packet), 0);
	}
	CHECK_EQUAL(parse_part(frame, captured, NT_PARSE_TUNNELS, &packet), error);
	check_quote(&packet);
	CHECK_EQUAL(parse_part(frame, captured, LENIENT, &packet), error);
	check_quote(&packet);
}

static void test_ipv4_error(void)
{
	static const __u8 source[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1 };
	static const __u8 destination[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 2 };
	struct frame frame;
	struct nt_packet packet;

	put_ipv4_error(&frame, 3, 3);
	check_every_length(&frame, ECONNREFUSED);
	CHECK_EQUAL(parse_part(&frame, frame.length, 0, &packet), ECONNREFUSED);
	CHECK(!memcmp(packet.source, source, 16));
	CHECK(!memcmp(packet.destination, destination, 16));
}

static void test_ipv6_error(void)
{
	struct frame frame;
	struct nt_packet packet;

	put_ipv6_error(&frame, 1, 4);
	check_every_length(&frame, ECONNREFUSED);
	CHECK_EQUAL(parse_part(&frame, frame.length, 0, &packet), ECONNREFUSED);
	CHECK(!memcmp(packet.source, ipv6_source, 16));
	CHECK(!memcmp(packet.destination, ipv6_destination, 16));
}

/* The expected values are the errors of a socket of Linux in SYN_SENT; 0: it waits on. */
static void test_errors(void)
{
	static const int unreachable[] = { ENETUNREACH,
					   EHOSTUNREACH,
					   ENOPROTOOPT,
					   ECONNREFUSED,
					   0,
					   EOPNOTSUPP,
					   ENETUNREACH,
					   EHOSTDOWN,
					   ENONET,
					   ENETUNREACH,
					   EHOSTUNREACH,
					   ENETUNREACH,
					   EHOSTUNREACH,
					   EHOSTUNREACH,
					   EHOSTUNREACH,
					   EHOSTUNREACH,
					   0 };
	static const int unreachable_ipv6[] = { ENETUNREACH,  EACCES, EHOSTUNREACH, EHOSTUNREACH,
						ECONNREFUSED, EACCES, EACCES,       EPROTO };
	struct frame frame;
	unsigned int type;
	__u8 code;

	for (type = 0; type < 256; type++) {
		put_ipv4_error(&frame, type, 0);
		CHECK_EQUAL(error_of(&frame), type == 3  ? ENETUNREACH :
					      type == 11 ? EHOSTUNREACH :
					      type == 12 ? EPROTO :
							   0);
		put_ipv6_error(&frame, type, 0);
		CHECK_EQUAL(error_of(&frame), type == 1                ? ENETUNREACH :
					      type == 3                ? EHOSTUNREACH :
					      type == 2 || type >= 128 ? 0 :
									 EPROTO);
	}
	for (code = 0; code < sizeof(unreachable) / sizeof(unreachable[0]); code++) {
		put_ipv4_error(&frame, 3, code);
		CHECK_EQUAL(error_of(&frame), unreachable[code]);
	}
	for (code = 0; code < sizeof(unreachable_ipv6) / sizeof(unreachable_ipv6[0]); code++) {
		put_ipv6_error(&frame, 1, code);
		CHECK_EQUAL(error_of(&frame), unreachable_ipv6[code]);
	}
	put_ipv4_error(&frame, 11, 1);
	CHECK_EQUAL(error_of(&frame), 0);
	put_ipv6_error(&frame, 3, 1);
	CHECK_EQUAL(error_of(&frame), EHOSTUNREACH);
}

static void test_quoted_headers(void)
{
	struct frame frame;

	put_icmp(&frame, 3, 3, 20 + 4 * 4 + QUOTED_TCP);
	put_ipv4(&frame, 4, 0x2000, 6, TCP_SIZE); /* options, a first fragment */
	put_quoted_tcp(&frame);
	check_every_length(&frame, ECONNREFUSED);
	put_icmpv6(&frame, 1, 4, 40 + 8 + QUOTED_TCP);
	put_ipv6(&frame, NT_PROTOCOL_HOP_BY_HOP, 8 + TCP_SIZE);
	put32(&frame, 6 << 24);
	put_zeros(&frame, 4);
	put_quoted_tcp(&frame);
	check_every_length(&frame, ECONNREFUSED);
}

static void test_other_quotes(void)
{
	struct frame frame;

	put_icmp(&frame, 3, 3, 20 + QUOTED_TCP);
	put_ipv4(&frame, 0, 0, 17, TCP_SIZE); /* UDP */
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
	put_icmp(&frame, 3, 3, 20 + QUOTED_TCP);
	put_ipv4(&frame, 0, 7, 6, TCP_SIZE); /* a later fragment */
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
	put_icmp(&frame, 3, 3, 20 + QUOTED_TCP);
	put_ipv4(&frame, 0, 0, 6, QUOTED_TCP - 1); /* no TCP header fits into its length */
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
	put_icmp(&frame, 3, 3, 20 + QUOTED_TCP - 1); /* the last byte is the frame's, not the message's */
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
	put_icmp(&frame, 3, 3, 40 + QUOTED_TCP);
	put_ipv6(&frame, 6, TCP_SIZE);
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
	put_icmpv6(&frame, 1, 4, 20 + QUOTED_TCP);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_quoted_tcp(&frame);
	CHECK_EQUAL(error_of(&frame), 0);
}

/* Whatever a byte becomes, nothing outside of the block is read. */
static void test_changed_bytes(void)
{
	struct frame frame;
	struct nt_packet packet;
	__u32 offset, value;
	int family, error;

	for (family = 0; family < 2; family++) {
		if (family)
			put_ipv6_error(&frame, 1, 4);
		else
			put_ipv4_error(&frame, 3, 3);
		for (offset = 12; offset < frame.length; offset++) {
			__u8 kept = frame.bytes[offset];

			for (value = 0; value < 256; value++) {
				frame.bytes[offset] = value;
				error = parse_part(&frame, frame.length, value & 1 ? LENIENT : NT_PARSE_TUNNELS,
						   &packet);
				CHECK(error >= 0);
			}
			frame.bytes[offset] = kept;
		}
	}
}

int main(void)
{
	test_ipv4_error();
	test_ipv6_error();
	test_errors();
	test_quoted_headers();
	test_other_quotes();
	test_changed_bytes();
	return check_finish();
}
