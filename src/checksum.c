#include "src/checksum.h"

#include <string.h>

#define RIGHT 0xffff /* what everything with its checksum adds up to, in one's complement */

/* Sums in memory's byte order are as good as any other (RFC 1071 section 2 (B)). */
static __u64 add(__u64 sum, const __u8 *bytes, __u32 size)
{
	__u32 word;
	__u16 half = 0;

	for (; size >= sizeof(word); bytes += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	for (; size >= sizeof(half); bytes += sizeof(half), size -= sizeof(half)) {
		memcpy(&half, bytes, sizeof(half));
		sum += half;
	}
	half = 0;
	memcpy(&half, bytes, size);
	return sum + half;
}

static bool is_right(__u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == RIGHT;
}

bool checksum_ipv4_header_is_right(const struct nt_buffer *frame, __u32 offset)
{
	__u32 length;

	if (offset >= frame->length)
		return true;
	length = (frame->data[offset] & 0x0f) * 4;
	if (length > frame->length - offset)
		return true;
	return is_right(add(0, frame->data + offset, length));
}

/* RFC 9293 section 3.1, RFC 8200 section 8.1: where both halves of a sum are taken together, the two are the same. */
static __u64 add_pseudo_header(const struct nt_packet *packet, __u32 length)
{
	bool ipv4 = !packet->address_words[0] && packet->address_parts[2] == nt_network32(0xffff);
	__u64 sum = nt_network32(length) + (__u64)nt_network32(NT_PROTOCOL_TCP);

	if (!ipv4)
		return add(sum, packet->source, 2 * sizeof(packet->source));
	return sum + packet->address_parts[3] + packet->address_parts[7];
}

bool checksum_tcp_is_right(const struct nt_buffer *frame, const struct nt_packet *packet, __u32 length)
{
	__u32 offset = packet->transport_offset;

	if (offset > frame->length || length > frame->length - offset)
		return true;
	return is_right(add(add_pseudo_header(packet, length), frame->data + offset, length));
}
