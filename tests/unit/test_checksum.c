// SPDX-License-Identifier: GPL-2.0-or-later
/* src/capture/checksum.c accepts checksums computed as in RFC 1071, and rejects a packet with one bit changed. */
#include <linux/types.h>
#include <stdlib.h>

#include "src/capture/checksum.h"

#include "tests/unit/check.h"
#include "tests/unit/frames.h"

/* One's complement sum of 16-bit words in network byte order (RFC 1071 section 4.1). */
static __u16 sum_of(const __u8 *bytes, __u32 size, __u32 sum)
{
	for (; size > 1; bytes += 2, size -= 2)
		sum += bytes[0] << 8 | bytes[1];
	if (size)
		sum += bytes[0] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void set16(struct frame *frame, __u32 at, __u16 value)
{
	frame->bytes[at] = value >> 8;
	frame->bytes[at + 1] = value;
}

/* Returns enum checksum, or -1 if the frame holds no TCP. */
static int judge(const struct frame *frame, __u32 captured)
{
	struct nt_buffer buffer = { .data = malloc(captured), .length = captured };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };
	int judged = -1;

	memcpy((void *)buffer.data, frame->bytes, captured);
	if (nt_parse_ethernet(&buffer, frame->length, 0, &packet) == NT_PACKET_TCP)
		judged = checksum_judge(&buffer, &packet);
	free((void *)buffer.data);
	return judged;
}

static int is_right(const struct frame *frame, __u32 captured)
{
	struct nt_buffer buffer = { .data = malloc(captured), .length = captured };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };
	int right = -1;

	memcpy((void *)buffer.data, frame->bytes, captured);
	if (nt_parse_ethernet(&buffer, frame->length, 0, &packet) == NT_PACKET_TCP)
		right = checksum_tcp_is_right(&buffer, &packet, frame->length - packet.transport_offset);
	free((void *)buffer.data);
	return right;
}

/* Sets the checksum for these addresses. A changed byte must be found in a whole segment, and not in one cut short. The
 * sum of the pseudo-header, with and without the length, is left to the network card. */
static void check_segment(struct frame *frame, __u32 transport, const __u8 *source, const __u8 *destination,
			  __u32 address_size)
{
	__u32 length = frame->length - transport, at, sum;

	set16(frame, transport + 16, 0);
	sum = sum_of(source, address_size, 0) + sum_of(destination, address_size, 0) + 6 + length;
	set16(frame, transport + 16, ~sum_of(frame->bytes + transport, length, sum));
	CHECK_EQUAL(is_right(frame, frame->length), 1);
	CHECK_EQUAL(judge(frame, frame->length), CHECKSUM_RIGHT);
	for (at = transport + 4; at < frame->length; at++) {
		if (at == transport + 12) /* the data offset: changes how the packet is parsed */
			continue;
		frame->bytes[at] ^= 0x10;
		CHECK_EQUAL(is_right(frame, frame->length), 0);
		CHECK_EQUAL(is_right(frame, frame->length - 1), 1);
		CHECK_EQUAL(judge(frame, frame->length), CHECKSUM_WRONG);
		CHECK_EQUAL(judge(frame, frame->length - 1), CHECKSUM_UNKNOWN);
		frame->bytes[at] ^= 0x10;
	}
	set16(frame, transport + 16, sum_of(NULL, 0, sum));
	CHECK_EQUAL(judge(frame, frame->length), CHECKSUM_UNKNOWN);
	set16(frame, transport + 16, sum_of(NULL, 0, sum - length));
	CHECK_EQUAL(judge(frame, frame->length), CHECKSUM_UNKNOWN);
	set16(frame, transport + 16, 0);
	CHECK_EQUAL(judge(frame, frame->length), CHECKSUM_WRONG);
}

static void test_ipv4(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	check_segment(&frame, 34, frame.bytes + 26, frame.bytes + 30, 4);
}

static void test_ipv6(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV6);
	put_ipv6(&frame, 6, TCP_SIZE);
	put_tcp(&frame);
	check_segment(&frame, 54, ipv6_source, ipv6_destination, 16);
}

static const __u8 other[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7 };

/* The packet is on its way to the last address of the route (RFC 8200 section 8.1). */
static void test_route(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV6);
	put_ipv6(&frame, 43, 40 + TCP_SIZE);
	put(&frame, "\6\4\0\1\0\0\0\0", 8);
	put_zeros(&frame, 16);
	put(&frame, other, 16);
	put_tcp(&frame);
	check_segment(&frame, 94, ipv6_source, other, 16);
	frame.bytes[57] = 0; /* no segments left: the destination is in the IPv6 header */
	check_segment(&frame, 94, ipv6_source, ipv6_destination, 16);
}

/* A mobile node away from home (RFC 6275 section 6.3): Pad1, PadN, then its home address. */
static void test_home_address(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV6);
	put_ipv6(&frame, 60, 24 + TCP_SIZE);
	put(&frame, "\6\2\0\1\1\0\xc9\x10", 8);
	put(&frame, other, 16);
	put_tcp(&frame);
	check_segment(&frame, 78, other, ipv6_destination, 16);
}

static void test_ipv4_header(void)
{
	/* A UDP packet from 192.168.0.1 to 192.168.0.199; the sum of its words without the checksum is 479e. */
	static const __u8 header[20] = { 0x45, 0,    0,    0x73, 0, 0, 0x40, 0,    0x40, 0x11,
					 0xb8, 0x61, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0,    0xc7 };
	struct nt_buffer buffer = { .data = header, .length = sizeof(header) };
	__u8 wrong[20];

	CHECK(checksum_ipv4_header_is_right(&buffer, 0));
	memcpy(wrong, header, sizeof(wrong));
	wrong[19]++;
	buffer.data = wrong;
	CHECK(!checksum_ipv4_header_is_right(&buffer, 0));
	buffer.length--; /* cut short: cannot be checked */
	CHECK(checksum_ipv4_header_is_right(&buffer, 0));
	CHECK(checksum_ipv4_header_is_right(&buffer, 100));
}

/* The IPv4 header counts, but not if its checksum is 0. */
static void test_judged_header(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
	put_tcp(&frame);
	check_segment(&frame, 34, frame.bytes + 26, frame.bytes + 30, 4);
	set16(&frame, 50,
	      ~sum_of(frame.bytes + 34, frame.length - 34, sum_of(frame.bytes + 26, 8, 6 + frame.length - 34)));
	set16(&frame, 24, 0);
	CHECK_EQUAL(judge(&frame, frame.length), CHECKSUM_RIGHT);
	set16(&frame, 24, ~sum_of(frame.bytes + 14, 20, 0));
	CHECK_EQUAL(judge(&frame, frame.length), CHECKSUM_RIGHT);
	frame.bytes[25] ^= 1;
	CHECK_EQUAL(judge(&frame, frame.length), CHECKSUM_WRONG);
}

int main(void)
{
	test_ipv4();
	test_ipv6();
	test_route();
	test_home_address();
	test_ipv4_header();
	test_judged_header();
	return check_finish();
}
