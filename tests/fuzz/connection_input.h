/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The input of fuzz_connection and fuzz_zeek: packets between two sides. */
#ifndef NETRACKER_TESTS_CONNECTION_INPUT_H
#define NETRACKER_TESTS_CONNECTION_INPUT_H

#include <linux/types.h>

#include "core/packet.h"

#define ISN 0xffff8000U /* of both sides, so that their sequence numbers wrap early */
#define FAR 0x60000000U
#define NS_PER_MS 1000000ULL

enum connection_input_bit {
	CONNECTION_SECOND_SIDE = 1, /* the second side is the sender */
	CONNECTION_SECOND_INTERFACE = 2,
	CONNECTION_LEAVING = 4,
	CONNECTION_FRAGMENT = 8,
	CONNECTION_SELF = 16, /* only in the first packet: both sides are the same socket */
	CONNECTION_FAR = 32,  /* sequence number beyond all windows */
	CONNECTION_BACK = 64, /* the clock goes back */
};

struct connection_input {
	__u8 flags; /* enum nt_tcp_flag */
	__u8 bits;  /* enum connection_input_bit */
	__u8 milliseconds, segments;
	__u16 sequence, acknowledgement; /* relative to ISN */
	__u16 payload_length;
};

/* self: both sides are the same socket. */
static inline struct nt_packet packet_of_input(const struct connection_input *input, int self)
{
	int second = !self && input->bits & CONNECTION_SECOND_SIDE;
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
