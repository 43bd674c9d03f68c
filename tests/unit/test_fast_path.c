// SPDX-License-Identifier: GPL-2.0-or-later
/* core/fast_path.h finds the slot of a plain packet without the parser. It must be the slot of the connection's key.
 * All other packets are left to the parser. Every frame is in a block of exactly its size, for the sanitizer.
 */
#include <linux/types.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "core/fast_path.h"

#include "tests/unit/check.h"
#include "tests/unit/frames.h"

#define NO_SLOT 0xffffffffu

static __u32 slot;

static enum nt_fast_path peek_at_part(const struct frame *frame, __u32 captured, __u16 ethertype)
{
	__u8 *block = malloc(captured ? captured : 1);
	struct nt_buffer buffer = { .data = block, .length = captured };
	enum nt_fast_path result;

	memcpy(block, frame->bytes, captured);
	slot = NO_SLOT;
	result = nt_peek_slot(&buffer, 14, ethertype, &slot);
	free(block);
	return result;
}

static enum nt_fast_path peek_at(const struct frame *frame)
{
	return peek_at_part(frame, frame->length, frame->bytes[12] << 8 | frame->bytes[13]);
}

static __u32 network_header_of(const struct frame *frame)
{
	return frame->bytes[12] == 0x08 ? 20 : 40;
}

static struct frame plain(__u16 ethertype, __u8 flags)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, ethertype);
	if (ethertype == NT_ETHERTYPE_IPV4)
		put_ipv4(&frame, 0, 0x4000, 6, TCP_SIZE);
	else
		put_ipv6(&frame, 6, TCP_SIZE);
	put_tcp_header(&frame, 0, flags);
	put_zeros(&frame, PAYLOAD);
	return frame;
}

static void swap(__u8 *one, __u8 *other, __u32 size)
{
	__u8 kept[16];

	memcpy(kept, one, size);
	memcpy(one, other, size);
	memcpy(other, kept, size);
}

static void swap_direction(struct frame *frame)
{
	__u32 network = network_header_of(frame), size = network == 20 ? 4 : 16;
	__u8 *tcp = frame->bytes + 14 + network;

	swap(tcp - 2 * size, tcp - size, size);
	swap(tcp, tcp + 2, 2);
}

/* Sets random addresses and ports. */
static void set_random_tuple(struct frame *frame)
{
	__u32 network = network_header_of(frame), size = network == 20 ? 4 : 16, i;
	__u8 *tcp = frame->bytes + 14 + network;

	for (i = 0; i < 2 * size; i++)
		tcp[(int)i - 2 * (int)size] = rand();
	for (i = 0; i < 4; i++)
		tcp[i] = rand();
}

static __u32 slot_of_key(const struct frame *frame)
{
	struct nt_buffer buffer = { .data = frame->bytes, .length = frame->length };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };
	struct nt_key key;

	CHECK_EQUAL(nt_parse_ethernet(&buffer, frame->length, 0, &packet), NT_PACKET_TCP);
	nt_key_from_packet(&key, &packet, 4026531840u);
	return nt_fast_path_slot(&key);
}

static void check_slot(struct frame *frame)
{
	__u32 forth;

	CHECK_EQUAL(peek_at(frame), NT_FAST_PATH_SLOT);
	CHECK(slot < NT_FAST_PATH_SLOTS);
	CHECK_EQUAL(slot, slot_of_key(frame));
	forth = slot;
	swap_direction(frame);
	CHECK_EQUAL(peek_at(frame), NT_FAST_PATH_SLOT);
	CHECK_EQUAL(slot, forth);
	CHECK_EQUAL(slot_of_key(frame), forth);
}

static void slots_of_packets_and_keys(void)
{
	static const __u16 ethertypes[] = { NT_ETHERTYPE_IPV4, NT_ETHERTYPE_IPV6 };
	__u32 version, i;

	srand(1);
	for (version = 0; version < 2; version++) {
		struct frame frame = plain(ethertypes[version], NT_ACK | NT_PSH);

		check_slot(&frame);
		for (i = 0; i < 1000; i++) {
			set_random_tuple(&frame);
			check_slot(&frame);
		}
	}
}

/* Connections between one client and one server must spread over the slots: a busy server has thousands of them. */
static void slots_are_spread(void)
{
	static __u8 taken[NT_FAST_PATH_SLOTS];
	struct frame frame = plain(NT_ETHERTYPE_IPV4, NT_ACK);
	__u32 distinct = 0, port;

	for (port = 32768; port < 32768 + 1000; port++) {
		frame.bytes[14 + 20] = port >> 8;
		frame.bytes[14 + 20 + 1] = port;
		peek_at(&frame);
		distinct += !taken[slot % NT_FAST_PATH_SLOTS];
		taken[slot % NT_FAST_PATH_SLOTS] = 1;
	}
	CHECK(distinct > 900);
}

/* The slot is found if the frame includes the flags; a shorter frame goes to the parser. */
static void short_frames(void)
{
	struct frame ipv4 = plain(NT_ETHERTYPE_IPV4, NT_ACK), ipv6 = plain(NT_ETHERTYPE_IPV6, NT_ACK);
	__u32 captured;

	for (captured = 0; captured < 14 + 20 + 14; captured++)
		CHECK_EQUAL(peek_at_part(&ipv4, captured, NT_ETHERTYPE_IPV4), NT_FAST_PATH_PARSE);
	for (; captured <= ipv4.length; captured++)
		CHECK_EQUAL(peek_at_part(&ipv4, captured, NT_ETHERTYPE_IPV4), NT_FAST_PATH_SLOT);
	for (captured = 0; captured < 14 + 40 + 14; captured++)
		CHECK_EQUAL(peek_at_part(&ipv6, captured, NT_ETHERTYPE_IPV6), NT_FAST_PATH_PARSE);
	for (; captured <= ipv6.length; captured++)
		CHECK_EQUAL(peek_at_part(&ipv6, captured, NT_ETHERTYPE_IPV6), NT_FAST_PATH_SLOT);
}

static void every_flag(void)
{
	unsigned int flags;

	for (flags = 0; flags < 256; flags++) {
		struct frame ipv4 = plain(NT_ETHERTYPE_IPV4, flags), ipv6 = plain(NT_ETHERTYPE_IPV6, flags);
		enum nt_fast_path expected = flags & (NT_SYN | NT_FIN | NT_RST) ? NT_FAST_PATH_PARSE :
										  NT_FAST_PATH_SLOT;

		CHECK_EQUAL(peek_at(&ipv4), expected);
		CHECK_EQUAL(peek_at(&ipv6), expected);
	}
}

static void left_to_the_parser(void)
{
	struct frame first = { .length = 0 }, last = { .length = 0 }, first_ipv6 = { .length = 0 };
	__u32 count;

	for (count = 1; count <= 10; count++) {
		struct frame options = { .length = 0 };

		put_ethernet(&options, NT_ETHERTYPE_IPV4);
		put_ipv4(&options, count, 0, 6, TCP_SIZE);
		put_tcp(&options);
		CHECK_EQUAL(peek_at(&options), NT_FAST_PATH_PARSE);
	}
	for (count = 1; count <= NT_MOST_EXTENSION_HEADERS; count++) {
		struct frame chain = { .length = 0 };

		put_chain(&chain, count);
		CHECK_EQUAL(peek_at(&chain), NT_FAST_PATH_PARSE);
	}
	put_ipv4_fragment(&first, 0x2000, 24);
	CHECK_EQUAL(peek_at(&first), NT_FAST_PATH_PARSE);
	put_ipv4_fragment(&last, 3, 24);
	CHECK_EQUAL(peek_at(&last), NT_FAST_PATH_PARSE);
	put_ipv6_fragment(&first_ipv6, 1, 24);
	CHECK_EQUAL(peek_at(&first_ipv6), NT_FAST_PATH_PARSE);
}

static void authentication_headers(void)
{
	struct frame frame = { .length = 0 };

	put_ethernet(&frame, NT_ETHERTYPE_IPV4);
	put_ipv4(&frame, 0, 0, NT_PROTOCOL_AUTHENTICATION, 24 + TCP_SIZE);
	put16(&frame, 6 << 8 | 4);
	put_zeros(&frame, 22);
	put_tcp(&frame);
	CHECK_EQUAL(peek_at(&frame), NT_FAST_PATH_PARSE);
}

static void vlan_tags(void)
{
	static const __u16 types[] = { NT_ETHERTYPE_VLAN, NT_ETHERTYPE_SERVICE_VLAN, NT_ETHERTYPE_OLD_SERVICE_VLAN };
	__u32 i;

	for (i = 0; i < 3; i++) {
		struct frame frame = { .length = 0 };

		put_ethernet(&frame, types[i]);
		put_tag(&frame, 101, NT_ETHERTYPE_IPV4);
		put_ipv4(&frame, 0, 0, 6, TCP_SIZE);
		put_tcp(&frame);
		CHECK_EQUAL(peek_at(&frame), NT_FAST_PATH_PARSE);
	}
}

static void no_tcp(void)
{
	struct frame udp = { .length = 0 }, arp = { .length = 0 };

	put_ethernet(&udp, NT_ETHERTYPE_IPV4);
	put_ipv4(&udp, 0, 0, 17, TCP_SIZE);
	put_tcp(&udp);
	CHECK_EQUAL(peek_at(&udp), NT_FAST_PATH_DONE);
	put_ethernet(&arp, 0x0806);
	put_zeros(&arp, 46);
	CHECK_EQUAL(peek_at(&arp), NT_FAST_PATH_DONE);
}

static int has_payload(const struct frame *frame)
{
	struct nt_buffer buffer = { .data = frame->bytes, .length = frame->length };

	return nt_peek_has_payload(&buffer, 14, frame->bytes[12] << 8 | frame->bytes[13]);
}

/* length: of the TCP header and the payload; offset: of the payload in them, as the TCP header says. */
static struct frame with_lengths(__u16 ethertype, __u32 length, __u32 offset)
{
	struct frame frame = plain(ethertype, NT_ACK);
	__u32 network = network_header_of(&frame), total = network == 20 ? network + length : length;
	__u8 *place = frame.bytes + 14 + (network == 20 ? 2 : 4);

	place[0] = total >> 8;
	place[1] = total;
	frame.bytes[14 + network + 12] = offset / 4 << 4;
	return frame;
}

static void payload_by_lengths(void)
{
	static const __u16 ethertypes[] = { NT_ETHERTYPE_IPV4, NT_ETHERTYPE_IPV6 };
	__u32 i, header;

	for (i = 0; i < 2; i++) {
		for (header = 20; header <= 60; header += 4) {
			struct frame without = with_lengths(ethertypes[i], header, header);
			struct frame one_byte = with_lengths(ethertypes[i], header + 1, header);
			struct frame full = with_lengths(ethertypes[i], 65000, header);

			CHECK(!has_payload(&without));
			CHECK(has_payload(&one_byte));
			CHECK(has_payload(&full));
		}
	}
}

/* A packet of more than 64 KiB that is still to be cut into segments has no IP length. */
static void payload_without_length(void)
{
	struct frame ipv4 = with_lengths(NT_ETHERTYPE_IPV4, 0, 20), ipv6 = with_lengths(NT_ETHERTYPE_IPV6, 0, 20);

	ipv4.bytes[14 + 2] = ipv4.bytes[14 + 3] = 0;
	CHECK(has_payload(&ipv4));
	CHECK(has_payload(&ipv6));
}

/* While waits that began in the last 2 s are counted, the field before the present one holds none of them. So user space
 * can clear it.
 */
static void payload_epochs(void)
{
	__u64 now, began;

	for (now = 1000 * NT_PAYLOAD_WAIT_NS; now < 1003 * NT_PAYLOAD_WAIT_NS; now += 7000001) {
		__u32 cleared = nt_payload_shift(now - NT_PAYLOAD_EPOCH_NS);

		CHECK(cleared <= 28 && cleared % NT_PAYLOAD_COUNT_BITS == 0);
		for (began = now - NT_PAYLOAD_WAIT_NS; began <= now; began += NT_PAYLOAD_WAIT_NS / 100)
			CHECK(nt_payload_shift(began + NT_PAYLOAD_WAIT_NS) != cleared);
	}
}

int main(void)
{
	slots_of_packets_and_keys();
	slots_are_spread();
	short_frames();
	every_flag();
	left_to_the_parser();
	authentication_headers();
	vlan_tags();
	no_tcp();
	payload_by_lengths();
	payload_without_length();
	payload_epochs();
	return check_finish();
}
