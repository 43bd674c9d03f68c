/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments between a client, whose port is 40000, and a server. */
#ifndef NETRACKER_TESTS_SIDE_SEGMENT_H
#define NETRACKER_TESTS_SIDE_SEGMENT_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/packet.h"

#define CLIENT 1 /* indexes in the key; the client is the second here */
#define SERVER 0
#define SERVER_PORT 2000

static struct nt_packet side_segment(int source, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = {
		.sequence = sequence,
		.acknowledgement = flags & NT_ACK ? acknowledgement : 0,
		.payload_length = length,
		.flags = flags,
		.window = 65535,
		.vlan = NT_NO_VLAN,
		.source_port = source == CLIENT ? 40000 : SERVER_PORT,
		.destination_port = source == CLIENT ? SERVER_PORT : 40000,
	};

	packet.source[15] = source;
	packet.destination[15] = 1 - source;
	return packet;
}

#endif
