/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames written by hand from the header diagrams of the RFCs. */
#ifndef NETRACKER_TESTS_FRAMES_H
#define NETRACKER_TESTS_FRAMES_H

#include <linux/types.h>
#include <string.h>

#include "core/packet.h"

#define SEQUENCE 0x01020304
#define ACKNOWLEDGEMENT 0xa1a2a3a4
#define SOURCE_PORT 40000
#define DESTINATION_PORT 443
#define PAYLOAD 7

struct frame {
	__u8 bytes[2048];
	__u32 length;
};

static inline void put(struct frame *frame, const void *bytes, __u32 size)
{
	memcpy(frame->bytes + frame->length, bytes, size);
	frame->length += size;
}

static inline void put8(struct frame *frame, __u8 value)
{
	put(frame, &value, 1);
}

static inline void put16(struct frame *frame, __u16 value)
{
	put8(frame, value >> 8);
	put8(frame, value);
}

static inline void put32(struct frame *frame, __u32 value)
{
	put16(frame, value >> 16);
	put16(frame, value);
}

static inline void put_zeros(struct frame *frame, __u32 count)
{
	while (count--)
		put8(frame, 0);
}

static inline void put_ethernet(struct frame *frame, __u16 ethertype)
{
	put(frame, "\x02\0\0\0\0\1\x02\0\0\0\0\2", 12);
	put16(frame, ethertype);
}

static inline void put_tag(struct frame *frame, __u16 vlan, __u16 ethertype)
{
	put16(frame, vlan);
	put16(frame, ethertype);
}

/* options: in 32-bit words; fragment: the field of flags and offset; payload: bytes after the header. */
static inline void put_ipv4(struct frame *frame, __u32 options, __u16 fragment, __u8 protocol, __u32 payload)
{
	put8(frame, 0x40 | (5 + options));
	put8(frame, 0);
	put16(frame, 20 + options * 4 + payload);
	put16(frame, 0x1234);
	put16(frame, fragment);
	put8(frame, 64);
	put8(frame, protocol);
	put16(frame, 0);
	put(frame, "\xc0\x00\x02\x01", 4);
	put(frame, "\xc6\x33\x64\x02", 4);
	while (options--)
		put32(frame, 0x01010101);
}

static const __u8 ipv6_source[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 };
static const __u8 ipv6_destination[16] = { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };

static inline void put_ipv6(struct frame *frame, __u8 next_header, __u32 payload)
{
	put32(frame, 0x60000000);
	put16(frame, payload);
	put8(frame, next_header);
	put8(frame, 64);
	put(frame, ipv6_source, 16);
	put(frame, ipv6_destination, 16);
}

static inline void put_tcp_header(struct frame *frame, __u32 options, __u8 flags)
{
	put16(frame, SOURCE_PORT);
	put16(frame, DESTINATION_PORT);
	put32(frame, SEQUENCE);
	put32(frame, ACKNOWLEDGEMENT);
	put8(frame, (5 + options) << 4);
	put8(frame, flags);
	put16(frame, 8192);
	put32(frame, 0);
	while (options--)
		put32(frame, 0x01010101);
}

static inline void put_tcp(struct frame *frame)
{
	put_tcp_header(frame, 0, NT_ACK | NT_PSH);
	put_zeros(frame, PAYLOAD);
}

#define TCP_SIZE (20 + PAYLOAD)

/* offset_and_more: as in the IPv4 header. */
static inline void put_ipv4_fragment(struct frame *frame, __u16 offset_and_more, __u32 payload)
{
	put_ethernet(frame, NT_ETHERTYPE_IPV4);
	put_ipv4(frame, 0, offset_and_more, 6, payload);
	put_tcp(frame);
	frame->length = 14 + 20 + payload;
}

static inline void put_ipv6_fragment(struct frame *frame, __u16 offset_and_more, __u32 payload)
{
	put_ethernet(frame, NT_ETHERTYPE_IPV6);
	put_ipv6(frame, NT_PROTOCOL_FRAGMENT, 8 + payload);
	put16(frame, 6 << 8);
	put16(frame, offset_and_more);
	put32(frame, 77);
	put_tcp(frame);
	frame->length = 14 + 40 + 8 + payload;
}

/* A chain of count IPv6 extension headers before TCP. */
static inline void put_chain(struct frame *frame, __u32 count)
{
	__u32 i;

	put_ethernet(frame, NT_ETHERTYPE_IPV6);
	put_ipv6(frame, NT_PROTOCOL_DESTINATION, count * 8 + TCP_SIZE);
	for (i = 1; i <= count; i++) {
		put16(frame, (i == count ? 6 : NT_PROTOCOL_DESTINATION) << 8);
		put_zeros(frame, 6);
	}
	put_tcp(frame);
}

#endif
