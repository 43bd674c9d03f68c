/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Verifies the checksums of packets in memory (RFC 1071). */
#ifndef NETRACKER_CHECKSUM_H
#define NETRACKER_CHECKSUM_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"

/* Verifies the IPv4 header at `offset`. Also true if the header was not captured whole: its checksum is unknown. */
bool checksum_ipv4_header_is_right(const struct nt_buffer *frame, __u32 offset);

/* Verifies a segment that nt_parse_ip() found in the frame. length: bytes of TCP header and payload. Also true if the
 * segment was not captured whole.
 */
bool checksum_tcp_is_right(const struct nt_buffer *frame, const struct nt_packet *packet, __u32 length);

enum checksum {
	CHECKSUM_UNKNOWN, /* not verified, or left to the network card */
	CHECKSUM_RIGHT,
	CHECKSUM_WRONG, /* in the TCP header, or in an IPv4 header without options and not 0 there */
};

/* Verifies the checksums of a segment that nt_parse_ip() found in the frame, if it was captured whole. A checksum that is
 * left to the network card is the sum of the pseudo-header, without the length for segmentation offload.
 */
enum checksum checksum_judge(const struct nt_buffer *frame, const struct nt_packet *packet);

#endif
