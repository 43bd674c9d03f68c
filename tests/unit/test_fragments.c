// SPDX-License-Identifier: GPL-2.0-or-later
/* src/capture/fragments.c reassembles IP packets from fragments in any order, and only from captured bytes. */
#include "src/capture/fragments.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>

#include "core/packet.h"

#include "tests/unit/check.h"

#define PAYLOAD 100 /* a TCP header and 80 bytes */
#define NS_PER_SECOND 1000000000ULL

static const struct fragment_rules rules, zeek_rules = { .for_ever = true }, tunnel_rules = { .tunnels = true };
static struct fragment_table *fragments;
static __u64 now = 1000 * NS_PER_SECOND;
static __u8 protocol = NT_PROTOCOL_TCP;
static __u32 sequence = 77; /* of the TCP header in the next packet */
static struct nt_buffer whole;
static enum fragment_result last_result;

/* Fills the payload of the whole packet: a TCP header, then 80 bytes. */
static void fill_payload(__u8 *payload, __u32 size)
{
	struct nt_tcp_header tcp = { .source_port = htons(1000),
				     .destination_port = htons(2000),
				     .sequence = htonl(sequence),
				     .data_offset = 5 << 4,
				     .flags = NT_ACK };

	memset(payload, 0xee, size);
	memcpy(payload, &tcp, sizeof(tcp));
}

/* Adds one fragment, in a block of exactly its captured size; cut: bytes that were not captured. Returns the length of
 * the whole packet if this fragment completes it, or 0.
 */
static __u32 add_part(int version, __u16 identification, __u32 start, __u32 length, bool more, __u32 cut)
{
	struct nt_ipv4_header ipv4 = { .version_and_length = 0x45,
				       .total_length = htons(20 + length),
				       .identification = htons(identification),
				       .fragment = htons(start / 8 | (more ? 0x2000 : 0)),
				       .protocol = protocol,
				       .source = htonl(0xc6120001),
				       .destination = htonl(0xc6120002) };
	struct nt_ipv6_header ipv6 = { .version_and_class = 0x60,
				       .payload_length = htons(8 + length),
				       .next_header = NT_PROTOCOL_FRAGMENT };
	__u8 extension[8] = {
		protocol, 0, start >> 8, (start & 0xf8) | more, 0, 0, identification >> 8, identification
	};
	__u32 header = version == 4 ? 20 : 48, size = header + length - cut, total = 0;
	__u8 *payload = malloc(70000), *block = malloc(size);
	struct nt_buffer frame = { .data = block, .length = size };

	fill_payload(payload, 70000);
	if (version == 4) {
		memcpy(block, &ipv4, 20);
	} else {
		memcpy(block, &ipv6, 40);
		memcpy(block + 40, extension, 8);
	}
	memcpy(block + header, payload + start, length - cut);
	last_result = fragment_table_add(fragments, &frame, 0, now, &whole, &total);
	CHECK_EQUAL(total > 0, last_result == FRAGMENT_COMPLETES);
	free(payload);
	free(block);
	return total;
}

static __u32 add(int version, __u16 identification, __u32 start, __u32 length, bool more)
{
	return add_part(version, identification, start, length, more, 0);
}

static void check_whole(int version, __u32 length, __u32 payload)
{
	__u8 *block = malloc(whole.length);
	struct nt_buffer buffer = { .data = block, .length = whole.length };
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	CHECK_EQUAL(length, (version == 4 ? 20 : 40) + payload);
	memcpy(block, whole.data, whole.length);
	CHECK_EQUAL(nt_parse_ip(&buffer, 0, version == 4 ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6, length, 0, &packet),
		    NT_PACKET_TCP);
	CHECK_EQUAL(packet.source_port, 1000);
	CHECK_EQUAL(packet.sequence, sequence);
	CHECK_EQUAL(packet.payload_length, payload - 20);
	CHECK_EQUAL(packet.marks, 0);
	free(block);
}

static void in_order(int version)
{
	CHECK_EQUAL(add(version, 1, 0, 48, true), 0);
	CHECK_EQUAL(add(version, 1, 48, 48, true), 0);
	check_whole(version, add(version, 1, 96, PAYLOAD - 96, false), PAYLOAD);
}

static void out_of_order(int version)
{
	CHECK_EQUAL(add(version, 2, 96, PAYLOAD - 96, false), 0);
	CHECK_EQUAL(add(version, 2, 8, 88, true), 0);
	check_whole(version, add(version, 2, 0, 8, true), PAYLOAD); /* the TCP header itself is cut */
}

static void twice_and_overlapping(int version)
{
	CHECK_EQUAL(add(version, 3, 0, 48, true), 0);
	CHECK_EQUAL(add(version, 3, 0, 48, true), 0);
	CHECK_EQUAL(add(version, 3, 40, 40, true), 0);
	check_whole(version, add(version, 3, 72, PAYLOAD - 72, false), PAYLOAD);
}

static void mixed(int version)
{
	CHECK_EQUAL(add(version, 4, 0, 48, true), 0);
	CHECK_EQUAL(add(version, 5, 0, 48, true), 0);
	check_whole(version, add(version, 4, 48, PAYLOAD - 48, false), PAYLOAD);
	check_whole(version, add(version, 5, 48, PAYLOAD - 48, false), PAYLOAD);
}

static void large(int version)
{
	__u32 at;

	for (at = 0; at < 60000; at += 1000)
		CHECK_EQUAL(add(version, 6, at, 1000, true), 0);
	check_whole(version, add(version, 6, 60000, 500, false), 60500);
}

/* A fragment that was not captured whole is ignored, even if its length is invalid. */
static void captured_in_part(int version)
{
	CHECK_EQUAL(add_part(version, 7, 0, 48, true, 20), 0);
	CHECK_EQUAL(last_result, FRAGMENT_CUT);
	CHECK_EQUAL(add(version, 7, 48, PAYLOAD - 48, false), 0);
	CHECK_EQUAL(last_result, FRAGMENT_WAITS);
	CHECK_EQUAL(add_part(version, 8, 0, 44, true, 1), 0);
	CHECK_EQUAL(last_result, FRAGMENT_CUT);
}

/* A reassembled packet stays valid while the packet inside, which may be a fragment too, is reassembled. */
static void inside_one_another(int version)
{
	const __u8 *outer;

	CHECK_EQUAL(add(version, 11, 0, 48, true), 0);
	CHECK(add(version, 11, 48, PAYLOAD - 48, false) > 0);
	outer = whole.data;
	CHECK_EQUAL(add(version, 11, 0, 48, true), 0);
	CHECK(add(version, 11, 48, PAYLOAD - 48, false) > 0);
	CHECK(whole.data != outer);
}

static void impossible(int version)
{
	CHECK_EQUAL(add(version, 9, 0, 44, true), 0); /* not the last, and no multiple of 8 bytes */
	CHECK_EQUAL(add(version, 9, 48, PAYLOAD - 48, false), 0);
	CHECK_EQUAL(add(version, 10, 65528, 100, false), 0); /* beyond the largest packet */
	CHECK_EQUAL(add(version, 10, 0, 48, true), 0);
}

/* Fragments wait for 60 s (RFC 1122 section 3.3.2). After that, another packet has the same identification. */
static void expired(int version)
{
	__u64 began = fragment_table_incomplete(fragments);

	CHECK_EQUAL(add(version, 12, 0, 48, true), 0);
	now += 61 * NS_PER_SECOND;
	sequence = 78;
	CHECK_EQUAL(add(version, 12, 48, PAYLOAD - 48, false), 0);
	check_whole(version, add(version, 12, 0, 48, true), PAYLOAD);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began + 1);
	CHECK_EQUAL(add(version, 12, 0, 48, true), 0);
	now += 59 * NS_PER_SECOND;
	check_whole(version, add(version, 12, 48, PAYLOAD - 48, false), PAYLOAD);
	sequence = 77;
}

/* A fragment that contradicts those that wait belongs to another packet with the same identification. */
static void used_again(int version)
{
	__u64 began = fragment_table_incomplete(fragments);

	CHECK_EQUAL(add(version, 13, 0, 48, true), 0);
	sequence = 79;
	CHECK_EQUAL(add(version, 13, 0, 48, true), 0); /* another TCP header */
	check_whole(version, add(version, 13, 48, PAYLOAD - 48, false), PAYLOAD);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began + 1);
	CHECK_EQUAL(add(version, 14, 96, PAYLOAD - 96, false), 0);
	CHECK_EQUAL(add(version, 14, 48, 80, true), 0); /* beyond the end of the packet that waits */
	CHECK_EQUAL(add(version, 14, 0, 48, true), 0);
	check_whole(version, add(version, 14, 128, 100, false), 228);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began + 2);
	CHECK_EQUAL(add(version, 15, 48, 48, true), 0);
	CHECK_EQUAL(add(version, 15, 24, 40, false), 0); /* ends before a fragment that waits */
	check_whole(version, add(version, 15, 0, 24, true), 64);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began + 3);
	sequence = 77;
}

/* Fragments captured again after their packet was complete are no incomplete packet; those of the next packet with the
 * same identification are.
 */
static void captured_again(int version)
{
	__u64 began = fragment_table_incomplete(fragments);

	CHECK_EQUAL(add(version, 16, 0, 48, true), 0);
	CHECK(add(version, 16, 48, PAYLOAD - 48, false) > 0);
	CHECK_EQUAL(add(version, 16, 48, PAYLOAD - 48, false), 0);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began);
	sequence = 80;
	CHECK_EQUAL(add(version, 17, 0, 48, true), 0);
	CHECK(add(version, 17, 48, PAYLOAD - 48, false) > 0);
	sequence = 81;
	CHECK_EQUAL(add(version, 17, 0, 48, true), 0);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began + 1);
	sequence = 77;
}

/* A part of a UDP datagram cannot hold TCP, unless tunnels are parsed. */
static void of_udp(int version)
{
	__u64 began = fragment_table_incomplete(fragments);

	protocol = 17;
	CHECK_EQUAL(add(version, 18, 48, 48, true), 0);
	CHECK_EQUAL(fragment_table_incomplete(fragments), began);
	protocol = NT_PROTOCOL_TCP;
}

static void replace_table(const struct fragment_rules *other)
{
	fragment_table_free(fragments);
	fragments = fragment_table_new(other);
}

static void other_rules(void)
{
	replace_table(&zeek_rules);
	CHECK_EQUAL(add(4, 1, 0, 48, true), 0);
	now += 3600 * NS_PER_SECOND;
	check_whole(4, add(4, 1, 48, PAYLOAD - 48, false), PAYLOAD);
	replace_table(&tunnel_rules);
	protocol = 17;
	CHECK_EQUAL(add(4, 1, 0, 48, true), 0);
	CHECK_EQUAL(fragment_table_incomplete(fragments), 1);
	CHECK(add(4, 1, 48, PAYLOAD - 48, false) > 0);
	protocol = NT_PROTOCOL_TCP;
}

static void bounded(void)
{
	__u32 i;

	replace_table(&rules);
	for (i = 0; i < FRAGMENT_TABLE_SLOTS + 10; i++)
		CHECK_EQUAL(add(4, i, 0, 48, true), 0);
	CHECK_EQUAL(fragment_table_incomplete(fragments), FRAGMENT_TABLE_SLOTS + 10);
	CHECK_EQUAL(add(4, 0, 48, PAYLOAD - 48, false), 0); /* the oldest were evicted */
	check_whole(4, add(4, FRAGMENT_TABLE_SLOTS + 9, 48, PAYLOAD - 48, false), PAYLOAD);
}

int main(void)
{
	static void (*const checks[])(int) = {
		in_order, out_of_order,     twice_and_overlapping, mixed,
		large,    captured_in_part, inside_one_another,    impossible,
		expired,  used_again,       captured_again,        of_udp,
	};
	unsigned int i;

	fragments = fragment_table_new(&rules);
	for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		checks[i](4);
		checks[i](6);
	}
	bounded();
	other_rules();
	fragment_table_free(fragments);
	return check_finish();
}
