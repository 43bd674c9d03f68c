// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/checksum.h"

#include <string.h>

#define ROUTE_SOURCE 0           /* RFC 2460 section 4.4, deprecated by RFC 5095 */
#define ROUTE_HOME 2             /* RFC 6275 section 6.4 */
#define OPTION_PAD1 0            /* RFC 8200 section 4.2 */
#define OPTION_HOME_ADDRESS 0xc9 /* RFC 6275 section 6.3 */

#define LONG_SEGMENT 256   /* takes longer to sum up than to see that the network card shall do it */
#define CORRECT_SUM 0xffff /* one's complement sum of data that includes its correct checksum */

static __u64 load_32(const __u8 *bytes)
{
	__u32 word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* The sum does not depend on the byte order (RFC 1071 section 2 (B)). */
static __u64 add_bytes(__u64 sum, const __u8 *bytes, __u32 size)
{
	__u16 half;

	for (; size >= 16; bytes += 16, size -= 16)
		sum += load_32(bytes) + load_32(bytes + 4) + load_32(bytes + 8) + load_32(bytes + 12);
	for (; size >= 4; bytes += 4, size -= 4)
		sum += load_32(bytes);
	if (size & 2) {
		memcpy(&half, bytes, sizeof(half));
		sum += half;
		bytes += sizeof(half);
	}
	if (size & 1) {
		half = 0;
		memcpy(&half, bytes, 1);
		sum += half;
	}
	return sum;
}

/* A sum that is not 0 folds to 0xffff if it is a multiple of that. */
static bool is_correct_sum(__u64 sum)
{
	return !(sum % CORRECT_SUM);
}

bool checksum_ipv4_header_is_right(const struct nt_buffer *frame, __u32 offset)
{
	__u32 length;

	if (offset >= frame->length)
		return true;
	length = (frame->data[offset] & 0x0f) * 4;
	if (length > frame->length - offset)
		return true;
	return is_correct_sum(add_bytes(0, frame->data + offset, length));
}

static bool is_ipv4(const struct nt_packet *packet)
{
	return !packet->address_words[0] && packet->address_parts[2] == nt_network32(0xffff);
}

/* The addresses of the pseudo-header. IPv6 extension headers may replace those of the IPv6 header. */
struct pseudo_addresses {
	__u8 source[16], destination[16];
};

/* The last address of a routing header is the final destination (RFC 8200 section 8.1). */
static void apply_route(const struct nt_buffer *frame, __u32 offset, struct pseudo_addresses *addresses)
{
	struct {
		__u8 next_header, length, type, segments_left;
	} route;

	if (NT_LOAD(frame, offset, &route, sizeof(route)) < 0 || !route.segments_left)
		return;
	if ((route.type == ROUTE_SOURCE && route.length && !(route.length % 2)) ||
	    (route.type == ROUTE_HOME && route.length == 2))
		NT_LOAD(frame, offset + route.length * 8 - 8, addresses->destination, sizeof(addresses->destination));
}

/* A mobile node's home address is in a destination option, and replaces the source address. */
static void apply_home_address(const struct nt_buffer *frame, __u32 offset, __u32 end,
			       struct pseudo_addresses *addresses)
{
	__u8 option[2];
	__u32 size;

	for (offset += 2; offset < end; offset += size) {
		size = 1;
		if (NT_LOAD(frame, offset, option, 1) < 0)
			return;
		if (option[0] == OPTION_PAD1)
			continue;
		if (NT_LOAD(frame, offset, option, sizeof(option)) < 0)
			return;
		size = sizeof(option) + option[1];
		if (option[0] == OPTION_HOME_ADDRESS && option[1] == sizeof(addresses->source))
			NT_LOAD(frame, offset + sizeof(option), addresses->source, sizeof(addresses->source));
	}
}

static void find_pseudo_addresses(const struct nt_buffer *frame, const struct nt_packet *packet,
				  struct pseudo_addresses *addresses)
{
	struct nt_cursor cursor = { .offset = packet->network_offset };
	struct nt_packet unused;
	__u32 begin;
	__u8 protocol;

	memcpy(addresses->source, packet->source, sizeof(addresses->source));
	memcpy(addresses->destination, packet->destination, sizeof(addresses->destination));
	if (nt_parse_ipv6_header((void *)frame, ~0U, &cursor, &unused) != NT_PACKET_TCP)
		return;
	while (cursor.offset < packet->transport_offset) {
		begin = cursor.offset;
		protocol = cursor.protocol;
		if (nt_pass_extension_header((void *)frame, &cursor) != NT_PACKET_TCP)
			return;
		if (protocol == NT_PROTOCOL_ROUTING)
			apply_route(frame, begin, addresses);
		if (protocol == NT_PROTOCOL_DESTINATION)
			apply_home_address(frame, begin, cursor.offset, addresses);
	}
}

/* RFC 9293 section 3.1, RFC 8200 section 8.1. Leaves out the length. */
static __u64 add_pseudo_header(const struct nt_buffer *frame, const struct nt_packet *packet)
{
	__u64 sum = nt_network32(NT_PROTOCOL_TCP);
	struct pseudo_addresses addresses;

	if (is_ipv4(packet))
		return sum + packet->address_parts[3] + packet->address_parts[7];
	if (packet->transport_offset == packet->network_offset + NT_IPV6_HEADER)
		return add_bytes(sum, (const __u8 *)packet->address_words, sizeof(addresses));
	find_pseudo_addresses(frame, packet, &addresses);
	return add_bytes(sum, (const __u8 *)&addresses, sizeof(addresses));
}

bool checksum_tcp_is_right(const struct nt_buffer *frame, const struct nt_packet *packet, __u32 length)
{
	__u32 offset = packet->transport_offset;

	if (offset > frame->length || length > frame->length - offset)
		return true;
	return is_correct_sum(
		add_bytes(add_pseudo_header(frame, packet) + nt_network32(length), frame->data + offset, length));
}

static bool is_header_plausible(const struct nt_buffer *frame, const struct nt_packet *packet)
{
	struct nt_ipv4_header header;

	return !is_ipv4(packet) || NT_LOAD(frame, packet->network_offset, &header, sizeof(header)) < 0 ||
	       nt_is_ipv4_sum_plausible(&header);
}

/* Returns whether the checksum is the sum of the pseudo-header; both are not inverted. */
static bool is_left_to_card(__u16 checksum, __u64 pseudo, __u32 length)
{
	return checksum && (is_correct_sum(pseudo + (__u16)~checksum) ||
			    is_correct_sum(pseudo + nt_network32(length) + (__u16)~checksum));
}

enum checksum checksum_judge(const struct nt_buffer *frame, const struct nt_packet *packet)
{
	__u32 length, offset = packet->transport_offset;
	struct nt_tcp_header header;
	__u64 pseudo;

	if (packet->marks & NT_PACKET_FIRST_FRAGMENT || !packet->network_length ||
	    NT_LOAD(frame, offset, &header, sizeof(header)) < 0)
		return CHECKSUM_UNKNOWN;
	length = (header.data_offset >> 4) * 4 + packet->payload_length;
	if (length > frame->length - offset)
		return CHECKSUM_UNKNOWN;
	pseudo = add_pseudo_header(frame, packet);
	if (length > LONG_SEGMENT && is_left_to_card(header.checksum, pseudo, length))
		return CHECKSUM_UNKNOWN;
	if (!is_correct_sum(add_bytes(pseudo + nt_network32(length), frame->data + offset, length)))
		return is_left_to_card(header.checksum, pseudo, length) ? CHECKSUM_UNKNOWN : CHECKSUM_WRONG;
	return is_header_plausible(frame, packet) ? CHECKSUM_RIGHT : CHECKSUM_WRONG;
}
