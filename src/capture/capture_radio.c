// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_radio.h"

#include <endian.h>
#include <pcap/dlt.h>

#define RADIOTAP_HEADER 8 /* version, padding, length, first word of the presence bits */

#define PRISM_HEADER 144
#define AVS_MAGIC 0x80211000 /* in the first 20 bits of an AVS header, which also occurs under Prism's link type */
#define AVS_MAGIC_MASK 0xfffff000

#define PPI_HEADER 8

/* Radiotap is little-endian on all machines (https://www.radiotap.org). */
static enum nt_parse read_radiotap_length(const struct nt_buffer *frame, __u32 *length)
{
	__u16 size;

	if (NT_LOAD(frame, 2, &size, sizeof(size)) < 0)
		return NT_PACKET_TRUNCATED;
	*length = le16toh(size);
	return *length < RADIOTAP_HEADER ? NT_PACKET_MALFORMED : NT_PACKET_TCP;
}

/* AVS is big-endian; the length follows the magic number. */
static enum nt_parse read_avs_length(const struct nt_buffer *frame, __u32 *length)
{
	__u32 size;

	if (NT_LOAD(frame, 4, &size, sizeof(size)) < 0)
		return NT_PACKET_TRUNCATED;
	*length = be32toh(size);
	return *length < 8 || *length > 0xffff ? NT_PACKET_MALFORMED : NT_PACKET_TCP;
}

static enum nt_parse read_prism_length(const struct nt_buffer *frame, __u32 *length)
{
	__u32 magic;

	if (NT_LOAD(frame, 0, &magic, sizeof(magic)) < 0)
		return NT_PACKET_TRUNCATED;
	if ((be32toh(magic) & AVS_MAGIC_MASK) == AVS_MAGIC)
		return read_avs_length(frame, length);
	*length = PRISM_HEADER;
	return NT_PACKET_TCP;
}

enum nt_parse capture_radio_header(int link_type, const struct nt_buffer *frame, __u32 *length)
{
	*length = 0;
	switch (link_type) {
	case DLT_IEEE802_11_RADIO:
		return read_radiotap_length(frame, length);
	case DLT_PRISM_HEADER:
		return read_prism_length(frame, length);
	case DLT_IEEE802_11_RADIO_AVS:
		return read_avs_length(frame, length);
	default:
		return NT_PACKET_TCP;
	}
}

enum nt_parse capture_radio_ppi(const struct nt_buffer *frame, int *link_type, __u32 *length)
{
	struct {
		__u8 version, flags;
		__u16 length;
		__u32 link_type;
	} header;

	_Static_assert(sizeof(header) == PPI_HEADER, "the layout of the file");
	if (NT_LOAD(frame, 0, &header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	*length = le16toh(header.length);
	*link_type = (int)le32toh(header.link_type);
	if (*length < PPI_HEADER)
		return NT_PACKET_MALFORMED;
	return *length > frame->length ? NT_PACKET_TRUNCATED : NT_PACKET_TCP;
}
