/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fuzz_connection reads its input: packets between two ends. */
#ifndef NETRACKER_TESTS_CONNECTION_INPUT_H
#define NETRACKER_TESTS_CONNECTION_INPUT_H

#include <linux/types.h>

#include "core/packet.h"

#define ISN 0xffff8000U /* near the wrap of both */
#define FAR 0x60000000U
#define NS_PER_MS 1000000ULL

enum connection_input_bit {
	CONNECTION_SECOND_END = 1,      /* sends it */
	CONNECTION_SECOND_INTERFACE = 2,
	CONNECTION_LEAVING = 4,
	CONNECTION_FRAGMENT = 8,
	CONNECTION_SELF = 16, /* of the first packet: both ends are one */
	CONNECTION_FAR = 32,  /* sequence numbers beyond all windows */
	CONNECTION_BACK = 64, /* the clock ran backwards */
};

struct connection_input {
	__u8 flags; /* enum nt_tcp_flag */
	__u8 bits;  /* enum connection_input_bit */
	__u8 milliseconds, segments;
	__u16 sequence, acknowledgement; /* from the ends' initial ones */
	__u16 payload_length;
};

/* self: both ends are one. */
static inline struct nt_packet packet_of_input(const struct connection_input *input, int self)
{
	int second = !self && input->bits & CONNECTION_SECOND_END;
	struct nt_packet packet = {
		.sequence = ISN + input->sequence + (input->bits & CONNECTION_FAR ? FAR : 0),
		.acknowledgement = ISN + input->acknowledgement,
		.payload_length = input->payload_length,
		.source_port = second || self ? 80 : 40000,
		.destination_port = second ? 40000 : 80,
		.vlan = NT_NO_VLAN,
		.flags = input->flags,
	};

	packet.source[15] = second || self ? 2 : 1;
	packet.destination[15] = second ? 1 : 2;
	return packet;
}

#endif
