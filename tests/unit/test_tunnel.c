// SPDX-License-Identifier: GPL-2.0-or-later
/* src/capture/tunnel.h finds the packet inside every kind of tunnel, whole and cut anywhere. The headers are written by
 * hand from the documents that src/capture/tunnel.h names.
 */
#include <linux/types.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "src/capture/tunnel.h"

#include "tests/unit/check.h"
#include "tests/unit/frames.h"

#define LENIENT (NT_PARSE_TUNNELS | NT_PARSE_BEYOND_FRAME)
#define MACS "\x02\0\0\0\0\1\x02\0\0\0\0\2"

enum inside { FOUR, SIX, ETHERNET };

/* The headers between the outer IP header and the inner packet. */
struct sample {
	const char *name;
	__u8 protocol;
	__u16 port; /* UDP destination port; 0: not UDP */
	const char *header;
	__u32 size;
	enum inside inside;
};

/* clang-format off */
#define HEADER(bytes) bytes, sizeof(bytes) - 1
static const struct sample samples[] = {
	{ "GRE", 47, 0, HEADER("\0\0\x08\0"), FOUR },
	{ "GRE, IPv6", 47, 0, HEADER("\0\0\x86\xdd"), SIX },
	{ "GRE with a checksum", 47, 0, HEADER("\x80\0\x08\0\1\2\0\0"), FOUR },
	{ "GRE with a key", 47, 0, HEADER("\x20\0\x08\0\1\2\3\4"), FOUR },
	{ "GRE with a sequence number", 47, 0, HEADER("\x10\0\x08\0\1\2\3\4"), FOUR },
	{ "GRE with all three", 47, 0, HEADER("\xb0\0\x08\0\1\2\3\4\1\2\3\4\1\2\3\4"), FOUR },
	{ "GRE, Ethernet", 47, 0, HEADER("\x20\0\x65\x58\1\2\3\4"), ETHERNET },
	{ "GRE, MPLS", 47, 0, HEADER("\0\0\x88\x47\0\0\x11\x40"), FOUR },
	{ "PPTP", 47, 0, HEADER("\x30\1\x88\x0b\0\x20\0\1\0\0\0\1\xff\3\0\x21"), FOUR },
	{ "PPTP with an acknowledgement", 47, 0, HEADER("\x30\x81\x88\x0b\0\x20\0\1\0\0\0\1\0\0\0\1\x57"), SIX },
	{ "ERSPAN I", 47, 0, HEADER("\0\0\x88\xbe"), ETHERNET },
	{ "ERSPAN II", 47, 0, HEADER("\x10\0\x88\xbe\0\0\0\1" "\x10\1\0\1\0\0\0\0"), ETHERNET },
	{ "ERSPAN III", 47, 0, HEADER("\x10\0\x22\xeb\0\0\0\1" "\x20\1\0\1\0\0\0\0\0\0\0\0"), ETHERNET },
	{ "ERSPAN III, IPv4", 47, 0, HEADER("\x10\0\x22\xeb\0\0\0\1" "\x20\1\0\1\0\0\0\0\0\0\x08\0"), FOUR },
	{ "ERSPAN III, IPv6, longer", 47, 0, HEADER("\x10\0\x22\xeb\0\0\0\1" "\x20\1\0\1\0\0\0\0\0\0\x88\1\0\0\0\0\0\0\0\0"), SIX },
	{ "ERSPAN III, longer", 47, 0, HEADER("\x10\0\x22\xeb\0\0\0\1" "\x20\1\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0"), ETHERNET },
	{ "Aruba", 47, 0, HEADER("\0\0\x82\0\x08\1\0\0" MACS "\2\0\0\0\0\3\x10\0\xaa\xaa\3\0\0\0\x08\0"), FOUR },
	{ "L2TP", 17, 1701, HEADER("\0\2\0\5\0\6\xff\3\0\x21"), FOUR },
	{ "L2TP with all fields", 17, 1701, HEADER("\x4a\2\0\x40\0\5\0\6\0\1\0\0\0\2pp\0\x57"), SIX },
	{ "CAPWAP", 17, 5247, HEADER("\0\x10\2\0\0\0\0\0"), ETHERNET },
	{ "TZSP", 17, 37008, HEADER("\1\0\0\1\x0a\1\xc9\0\1"), ETHERNET },
	{ "MPLS in UDP", 17, 6635, HEADER("\0\0\x11\x40"), FOUR },
	{ "NSH in VXLAN-GPE", 17, 4790, HEADER("\x0c\0\0\4\0\0\7\0\x0f\xc2\2\3\0\0\1\xff"), ETHERNET },
	{ "NSH in GRE", 47, 0, HEADER("\0\0\x89\x4f\x0f\xc2\2\2\0\0\1\xff"), SIX },
	{ "WCCP", 47, 0, HEADER("\0\0\x88\x3e"), FOUR },
	{ "WCCP, redirect header", 47, 0, HEADER("\0\0\x88\x3e\x80\0\0\1"), FOUR },
	{ "EtherIP", 97, 0, HEADER("\x30\0"), ETHERNET },
	{ "MPLS in IP", 137, 0, HEADER("\0\0\x11\x40"), FOUR },
	{ "GRE in UDP", 17, 4754, HEADER("\x20\0\x08\0\1\2\3\4"), FOUR },
	{ "VXLAN", 17, 4789, HEADER("\x08\0\0\0\0\0\7\0"), ETHERNET },
	{ "VXLAN on Linux' old port", 17, 8472, HEADER("\x08\0\0\0\0\0\7\0"), ETHERNET },
	{ "VXLAN, with a VLAN inside", 17, 4789, HEADER("\x08\0\0\0\0\0\7\0" MACS "\x81\0\0\7\x86\xdd"), SIX },
	{ "VXLAN-GPE, IPv4", 17, 4790, HEADER("\x0c\0\0\1\0\0\7\0"), FOUR },
	{ "VXLAN-GPE, IPv6", 17, 4790, HEADER("\x0c\0\0\2\0\0\7\0"), SIX },
	{ "VXLAN-GPE, Ethernet", 17, 4790, HEADER("\x0c\0\0\3\0\0\7\0"), ETHERNET },
	{ "Geneve", 17, 6081, HEADER("\0\0\x65\x58\0\0\7\0"), ETHERNET },
	{ "Geneve with options, IPv6", 17, 6081, HEADER("\2\0\x86\xdd\0\0\7\0" "\1\1\1\1\0\0\0\0"), SIX },
	{ "AYIYA", 17, 5072, HEADER("\x42\x22\x11\x29\0\0\0\0" "0123456789abcdef" "01234567"), SIX },
	{ "GTP-U", 17, 2152, HEADER("\x30\xff\0\x20\0\0\0\1"), FOUR },
	{ "GTP-U, IPv6", 17, 2152, HEADER("\x30\xff\0\x20\0\0\0\1"), SIX },
	{ "GTP-U with a sequence number", 17, 2152, HEADER("\x32\xff\0\x20\0\0\0\1\0\1\0\0"), FOUR },
	{ "GTP-U with extensions", 17, 2152, HEADER("\x34\xff\0\x20\0\0\0\1\0\0\0\x85" "\1\0\0\xc0" "\2\0\0\0\0\0\0\0"), FOUR },
};

/* Packets with the port or the protocol of a tunnel that are no tunnels. */
static const struct sample others[] = {
	{ "GRE of version 2", 47, 0, HEADER("\0\2\x08\0"), FOUR },
	{ "GRE with routes", 47, 0, HEADER("\x40\0\x08\0\0\0\0\0\0\0\0\0"), FOUR },
	{ "PPTP's acknowledgement", 47, 0, HEADER("\x20\x81\x88\x0b\0\0\0\1\0\0\0\1"), FOUR },
	{ "VXLAN without its flag", 17, 4789, HEADER("\0\0\0\0\0\0\7\0"), ETHERNET },
	{ "Geneve of another version", 17, 6081, HEADER("\x40\0\x65\x58\0\0\7\0"), ETHERNET },
	{ "L2TP's control", 17, 1701, HEADER("\xc8\2\0\x0c\0\5\0\6\0\1\0\0"), FOUR },
	{ "L2TP of version 1", 17, 1701, HEADER("\0\1\0\5\0\6\xff\3\0\x21"), FOUR },
	{ "L2TPv3's control", 115, 0, HEADER("\0\0\0\0\xc8\3\0\x0c"), FOUR },
	{ "CAPWAP with DTLS", 17, 5247, HEADER("\1\0\0\0\0\0\0\0"), ETHERNET },
	{ "CAPWAP's keep-alive", 17, 5247, HEADER("\0\x10\2\x08\0\0\0\0"), ETHERNET },
	{ "TZSP's keep-alive", 17, 37008, HEADER("\1\4\0\0\1"), ETHERNET },
	{ "AYIYA's heartbeat", 17, 5072, HEADER("\x42\x22\x10\x3b\0\0\0\0" "0123456789abcdef" "01234567"), SIX },
	{ "GTP-U's echo", 17, 2152, HEADER("\x32\1\0\4\0\0\0\0\0\0\0\0"), FOUR },
	{ "GTP'", 17, 2152, HEADER("\x20\xff\0\x20\0\0\0\1"), FOUR },
	{ "GTP-U longer than UDP", 17, 2152, HEADER("\x30\xff\x20\x20\0\0\0\1"), FOUR },
	{ "another port", 17, 4799, HEADER("\x08\0\0\0\0\0\7\0"), ETHERNET },
	{ "IPv6 in UDP, without an address of Teredo's", 17, 3544, HEADER(""), SIX },
};
/* clang-format on */

static __u32 inner_size(enum inside inside)
{
	return (inside == SIX ? 40 : inside == FOUR ? 20 : 14 + 20) + TCP_SIZE;
}

static void put_inside(struct frame *frame, enum inside inside)
{
	if (inside == ETHERNET)
		put_ethernet(frame, NT_ETHERTYPE_IPV4);
	if (inside == SIX)
		put_ipv6(frame, 6, TCP_SIZE);
	else
		put_ipv4(frame, 0, 0, 6, TCP_SIZE);
	put_tcp(frame);
}

static void put_udp(struct frame *frame, __u16 from, __u16 to, __u32 payload)
{
	put16(frame, from);
	put16(frame, to);
	put16(frame, 8 + payload);
	put16(frame, 0);
}

static void put_sample(struct frame *frame, const struct sample *sample, bool reply)
{
	__u32 payload = sample->size + inner_size(sample->inside);

	frame->length = 0;
	put_ethernet(frame, NT_ETHERTYPE_IPV4);
	put_ipv4(frame, 0, 0, sample->protocol, payload + (sample->port ? 8 : 0));
	if (sample->port)
		put_udp(frame, reply ? sample->port : 50000, reply ? 50000 : sample->port, payload);
	put(frame, sample->header, sample->size);
	put_inside(frame, sample->inside);
}

static enum nt_parse parse(const struct frame *frame, __u32 captured, __u32 options, struct nt_packet *packet)
{
	struct nt_layer layer = { .end = frame->length, .type = NT_ETHERTYPE_BRIDGED, .vlan = NT_NO_VLAN };
	__u8 *block = malloc(captured ? captured : 1);
	struct nt_buffer buffer = { .data = block, .length = captured };
	enum nt_parse result;

	memcpy(block, frame->bytes, captured);
	memset(packet, 0, sizeof(*packet));
	layer.is_end_doubtful = options & NT_PARSE_BEYOND_FRAME;
	result = nt_parse_layers(&buffer, &layer, options, packet);
	free(block);
	return result;
}

static void check_segment(const struct nt_packet *packet, enum inside inside)
{
	CHECK_EQUAL(packet->source_port, SOURCE_PORT);
	CHECK_EQUAL(packet->sequence, SEQUENCE);
	CHECK_EQUAL(packet->payload_length, PAYLOAD);
	CHECK_EQUAL(!memcmp(packet->source, ipv6_source, 16), inside == SIX);
}

/* A missing part of the headers is reported as truncated; a missing part of the payload has no influence. The samples
 * have no TCP options.
 */
static void check_every_length(const struct frame *frame, enum inside inside)
{
	struct nt_packet packet;
	enum nt_parse result;
	__u32 captured;

	for (captured = 0; captured <= frame->length; captured++) {
		result = parse(frame, captured, NT_PARSE_TUNNELS, &packet);
		CHECK_EQUAL(result, captured < frame->length - PAYLOAD ? NT_PACKET_TRUNCATED : NT_PACKET_TCP);
		if (result == NT_PACKET_TCP)
			check_segment(&packet, inside);
	}
}

/* The outer IP header has a shorter length, so that the inner packet exceeds it. It is malformed, or read by its own
 * length.
 */
static void check_shorter(const struct sample *sample)
{
	__u32 whole = sample->size + inner_size(sample->inside) + (sample->port ? 8 : 0), length;
	struct nt_packet packet;
	struct frame frame;

	for (length = 1; length < whole; length++) {
		put_sample(&frame, sample, false);
		frame.bytes[16] = (20 + length) >> 8;
		frame.bytes[17] = 20 + length;
		CHECK(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet) != NT_PACKET_TCP);
		if (!CHECK_EQUAL(parse(&frame, frame.length, LENIENT, &packet), NT_PACKET_TCP))
			printf("  %s: %u\n", sample->name, length);
		check_segment(&packet, sample->inside);
	}
}

static void check_sample(const struct sample *sample)
{
	struct nt_packet packet;
	struct frame frame;

	put_sample(&frame, sample, false);
	CHECK_EQUAL(parse(&frame, frame.length, 0, &packet), NT_PACKET_NOT_TCP);
	if (!CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_TCP))
		printf("  %s\n", sample->name);
	check_every_length(&frame, sample->inside);
	check_shorter(sample);
	put_sample(&frame, sample, true);
	CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_TCP);
}

static void check_other(const struct sample *sample)
{
	struct nt_packet packet;
	struct frame frame;

	put_sample(&frame, sample, false);
	if (!CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_NOT_TCP))
		printf("  %s\n", sample->name);
}

static void put_teredo(struct frame *frame, const char *before, __u32 size)
{
	frame->length = 0;
	put_ethernet(frame, NT_ETHERTYPE_IPV4);
	put_ipv4(frame, 0, 0, 17, 8 + size + inner_size(SIX));
	put_udp(frame, 3797, 32900, size + inner_size(SIX));
	put(frame, before, size);
	put_inside(frame, SIX);
}

static void test_teredo(void)
{
	static const struct sample before[] = {
		/* clang-format off */
		{ "nothing", 0, 0, HEADER(""), SIX },
		{ "the origin", 0, 0, HEADER("\0\0\x12\x34\1\2\3\4"), SIX },
		{ "authentication", 0, 0, HEADER("\0\1\4\2" "abcd" "12" "nonce678" "\0"), SIX },
		{ "both", 0, 0, HEADER("\0\1\0\0" "nonce678" "\0" "\0\0\x12\x34\1\2\3\4"), SIX },
		/* clang-format on */
	};
	struct nt_packet packet;
	struct frame frame;
	unsigned int i;

	for (i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		put_teredo(&frame, before[i].header, before[i].size);
		CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_NOT_TCP);
		/* The Teredo address is that of the sender, or of the receiver. */
		memcpy(frame.bytes + 42 + before[i].size + 8 + (i & 1 ? 16 : 0), "\x20\1\0\0", 4);
		CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_TCP);
		CHECK_EQUAL(packet.payload_length, PAYLOAD);
		CHECK_EQUAL(parse(&frame, frame.length - PAYLOAD - 1, NT_PARSE_TUNNELS, &packet), NT_PACKET_TRUNCATED);
	}
}

/* One to six GRE tunnels, nested. */
static void test_depth(void)
{
	struct nt_packet packet;
	__u32 count, i;

	for (count = 1; count <= 6; count++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, NT_ETHERTYPE_IPV4);
		for (i = count; i; i--) {
			put_ipv4(&frame, 0, 0, NT_PROTOCOL_GRE, 4 + 20 + (i - 1) * 24 + TCP_SIZE);
			put32(&frame, NT_ETHERTYPE_IPV4);
		}
		put_inside(&frame, FOUR);
		CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet),
			    count <= NT_MOST_TUNNELS ? NT_PACKET_TCP : NT_PACKET_MALFORMED);
	}
}

/* The first fragment of a tunnel's packet is shorter than the inner packet. */
static void test_fragments(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet;

	put_sample(&frame, &samples[0], false);
	frame.bytes[20] = 0x20;
	CHECK_EQUAL(parse(&frame, frame.length, NT_PARSE_TUNNELS, &packet), NT_PACKET_FRAGMENT);
	CHECK_EQUAL(packet.network_offset, 14);
}

/* TCP's options need not have been captured. */
static void test_cut_options(void)
{
	struct frame frame = { .length = 0 };
	struct nt_packet packet;
	__u32 captured;

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, 6, 20 + 12 + PAYLOAD);
	put_tcp_header(&frame, 3, NT_SYN);
	put_zeros(&frame, PAYLOAD);
	for (captured = 0; captured <= frame.length; captured++)
		CHECK_EQUAL(parse(&frame, captured, 0, &packet),
			    captured < 14 + 20 + 20 ? NT_PACKET_TRUNCATED : NT_PACKET_TCP);
}

/* Any bytes in the headers: the sanitizer finds no read beyond the block. */
static void test_changed_bytes(void)
{
	struct nt_packet packet;
	struct frame frame;
	__u32 offset, value;
	unsigned int i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		put_sample(&frame, &samples[i], false);
		for (offset = 12; offset < frame.length; offset++) {
			__u8 kept = frame.bytes[offset];

			for (value = 0; value < 256; value += 15) {
				frame.bytes[offset] = value;
				CHECK(parse(&frame, frame.length, value & 1 ? LENIENT : NT_PARSE_TUNNELS, &packet) <=
				      NT_PACKET_MALFORMED);
			}
			frame.bytes[offset] = kept;
		}
	}
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i]);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		check_other(&others[i]);
	test_teredo();
	test_depth();
	test_fragments();
	test_cut_options();
	test_changed_bytes();
	return check_finish();
}
