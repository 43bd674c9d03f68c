/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checksums of packets in memory (RFC 1071). */
#ifndef NETRACKER_CHECKSUM_H
#define NETRACKER_CHECKSUM_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"

/* Of the IPv4 header at `offset`. True also where it is not there as a whole: nothing was found to be wrong. */
bool checksum_ipv4_header_is_right(const struct nt_buffer *frame, __u32 offset);

/* Of a segment that nt_parse_ip() found in the frame; length: of the TCP header and the payload, in bytes. True also
 * where the frame does not hold all of it.
 */
bool checksum_tcp_is_right(const struct nt_buffer *frame, const struct nt_packet *packet, __u32 length);

#endif
