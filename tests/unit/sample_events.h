/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Events as the kernel side emits them. Packets are written as in Zeek's history: S SYN, H SYN-ACK, A ACK, F FIN,
 * R RST, lower case from the side that answered. Each packet comes a millisecond after the one before.
 */
#ifndef NETRACKER_TESTS_SAMPLE_EVENTS_H
#define NETRACKER_TESTS_SAMPLE_EVENTS_H

#include <ctype.h>
#include <linux/types.h>
#include <string.h>

#include "core/event.h"

#define US 1000ULL
#define MS 1000000ULL
#define SECOND 1000000000ULL
#define START (1000 * SECOND)

#define OWN_NETNS 4026531840U
#define OTHER_NETNS 4026532000U
#define CLIENT_COOKIE 0x11
#define SERVER_COOKIE 0x22

struct sample_endpoint {
	__u8 address[16];
	__u16 port;
};

static const struct sample_endpoint sample_client = { { [10] = 0xff, [11] = 0xff, 198, 18, 0, 1 }, 40000 };
static const struct sample_endpoint sample_server = { { [10] = 0xff, [11] = 0xff, 198, 18, 0, 2 }, 80 };

__attribute__((unused)) static struct nt_packet sample_packet(const struct sample_endpoint *from,
							      const struct sample_endpoint *to, char letter,
							      __u32 sequence[2])
{
	bool by_server = islower(letter);
	struct nt_packet packet = {
		.source_port = from->port,
		.destination_port = to->port,
		.sequence = sequence[by_server],
		.acknowledgement = sequence[!by_server],
		.vlan = NT_NO_VLAN,
		.flags = NT_ACK,
	};

	memcpy(packet.source, from->address, 16);
	memcpy(packet.destination, to->address, 16);
	switch (toupper(letter)) {
	case 'S':
		packet.flags = NT_SYN;
		packet.acknowledgement = 0;
		break;
	case 'H':
		/* In a simultaneous open it repeats the sequence number of its own SYN. */
		packet.flags |= NT_SYN;
		packet.sequence = by_server ? 5000 : 1000;
		break;
	case 'F':
		packet.flags |= NT_FIN;
		break;
	case 'R':
		packet.flags |= NT_RST;
		break;
	}
	if (packet.flags & (NT_SYN | NT_FIN))
		sequence[by_server] = packet.sequence + 1;
	return packet;
}

/* A connection between two endpoints whose first packet, a SYN, comes at first_ns. No cookie is known. */
__attribute__((unused)) static struct nt_wire sample_wire_between(const struct sample_endpoint *client,
								  const struct sample_endpoint *server,
								  const char *letters, __u64 first_ns)
{
	struct nt_wire wire = { .ifindex = 2 };
	__u32 sequence[2] = { 1000, 5000 };
	__u64 now = first_ns;

	for (; *letters; letters++, now += MS) {
		bool by_server = islower(*letters);
		struct nt_packet packet = sample_packet(by_server ? server : client, by_server ? client : server,
							*letters, sequence);
		int source = nt_key_from_packet(&wire.key, &packet, OWN_NETNS);

		if (now == first_ns)
			nt_connection_begin(&wire.connection, &packet, source, now);
		else
			nt_connection_step(&wire.connection, &packet, source, now);
	}
	return wire;
}

__attribute__((unused)) static struct nt_wire sample_wire(const char *letters, __u64 first_ns)
{
	return sample_wire_between(&sample_client, &sample_server, letters, first_ns);
}

/* Sets the cookies of the sockets that sent packets of each side; 0: none was seen. */
__attribute__((unused)) static struct nt_wire with_cookies(struct nt_wire wire, __u64 client, __u64 server)
{
	wire.cookie[wire.connection.src_index] = client;
	wire.cookie[1 - wire.connection.src_index] = server;
	wire.has_socket[wire.connection.src_index] = !!client;
	wire.has_socket[1 - wire.connection.src_index] = !!server;
	return wire;
}

__attribute__((unused)) static struct nt_wire_event wire_end(struct nt_wire wire, enum nt_wire_cause cause, __u64 now)
{
	return (struct nt_wire_event){
		.header = { .type = NT_EVENT_TYPE_WIRE_END, .now = now },
		.wire = wire,
		.cause = cause,
	};
}

/* The change to CLOSE of a socket that closed first and whose FIN was acknowledged. */
__attribute__((unused)) static struct nt_socket_event socket_close(enum nt_role role, __u64 start_ns, __u64 close_ns)
{
	bool client = role == NT_ROLE_CLIENT;
	const struct sample_endpoint *local = client ? &sample_client : &sample_server;
	const struct sample_endpoint *remote = client ? &sample_server : &sample_client;
	struct nt_socket_event event = {
		.header = {.type = NT_EVENT_TYPE_SOCKET_CLOSE, .now = close_ns},
		.address = client ? 0xffff888000001000 : 0xffff888000002000,
		.socket = {
			.cookie = client ? CLIENT_COOKIE : SERVER_COOKIE,
			.start_ns = start_ns,
			.established_ns = start_ns + MS,
			.first_fin_ns = close_ns - MS,
			.close_ns = close_ns,
			.local_port = local->port,
			.remote_port = remote->port,
			.netns = OWN_NETNS,
			.owner = {
				.process = {.pid = 4711, .start_ns = 77},
				.comm = "worker",
				.uid = 33,
				.by = client ? NT_OWNER_CONNECT : NT_OWNER_IO,
			},
			.role = role,
			.state = 7,
			.flags = NT_SOCKET_LOCAL_FIN,
		},
		.counts = {.valid = 1, .old_state = 5, .min_rtt_us = ~0U},
	};

	memcpy(event.socket.local, local->address, 16);
	memcpy(event.socket.remote, remote->address, 16);
	return event;
}

__attribute__((unused)) static struct nt_socket_event with_wire(struct nt_socket_event event, struct nt_wire wire,
								enum nt_wire_status status)
{
	event.wire = wire;
	event.wire_status = status;
	return event;
}

#endif
