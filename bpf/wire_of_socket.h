/* What the wire knows of a socket's connection, at the socket's events. */
#ifndef NETRACKER_BPF_WIRE_OF_SOCKET_H
#define NETRACKER_BPF_WIRE_OF_SOCKET_H

#include "wire_tables.h"

struct wire_found {
	struct nt_wire *wire; /* NULL: none */
	bool is_half_open;
	int end; /* the key's end that the socket is */
};

/* The cookie tells; without one on either side, the tuple in the namespace of our interfaces does, and that a server's
 * socket is born after the SYN: a later one is the next connection's. */
static __always_inline bool wire_is_sockets(const struct nt_wire *wire, int end, const struct nt_socket *socket)
{
	__u64 cookie = wire->cookie[end & 1];

	if (cookie && socket->cookie)
		return cookie == socket->cookie;
	if (socket->role == NT_ROLE_SERVER && socket->start_ns && wire->connection.first_ns > socket->start_ns)
		return false;
	return socket->netns == config.own_netns;
}

static __always_inline int key_of_socket(struct nt_key *key, const struct nt_socket *socket)
{
	struct nt_packet packet = {};

	__builtin_memcpy(packet.source, socket->local, 16);
	__builtin_memcpy(packet.destination, socket->remote, 16);
	packet.source_port = socket->local_port;
	packet.destination_port = socket->remote_port;
	return nt_key_from_packet(key, &packet, config.own_netns);
}

/* Where to look: a socket's own state says which table its connection should be in. The other one is looked at where
 * the wire can be a step behind (a client's last ACK has not left when it becomes established), or never saw that step
 * (a child of TCP Fast Open): not for every socket that ends. */
static __always_inline void wire_of_socket(struct wire_found *found, const struct nt_socket *socket, __u32 type,
					   __u8 old_state)
{
	bool synchronised = socket->established_ns || socket->flags & NT_SOCKET_FOUND;
	struct nt_key key;

	found->end = key_of_socket(&key, socket);
	found->is_half_open = !synchronised;
	found->wire = synchronised ? bpf_map_lookup_elem(&established, &key) : find_half_open(&key);
	if (!found->wire && (synchronised ? type != NT_EVENT_TYPE_SOCKET_CLOSE : old_state != TCP_SYN_SENT)) {
		found->is_half_open = synchronised;
		found->wire = synchronised ? find_half_open(&key) : bpf_map_lookup_elem(&established, &key);
	}
	if (found->wire && !wire_is_sockets(found->wire, found->end, socket))
		found->wire = NULL;
}

/* Nothing more will be seen of a connection that nobody answered or that lost its peer. */
static __always_inline bool ends_without_packets(__u8 old_state, int error)
{
	return old_state == TCP_SYN_SENT || is_out_of_reach(error);
}

static __always_inline void tell_wire_of_socket(struct nt_socket_event *event, const struct wire_found *found)
{
	struct nt_wire *wire = found->wire;
	struct nt_key key = wire->key;

	event->wire_status = NT_WIRE_OPEN;
	event->has_streams = 0;
	event->wire = *wire;
	if (config.follow_packets) {
		struct nt_streams *followed = bpf_map_lookup_elem(&streams, &key);

		if (followed) {
			event->streams[0] = followed->of[0];
			event->streams[1] = followed->of[1];
			event->has_streams = 1;
		}
	}
	if (event->header.type != NT_EVENT_TYPE_SOCKET_CLOSE)
		return;
	wire->socket_closed[found->end & 1] = 1;
	if (!ends_without_packets(event->counts.old_state, event->counts.error))
		return;
	event->wire_status = NT_WIRE_SETTLED;
	if (found->is_half_open) {
		forget_ack(wire);
		if (!take_half_open(&key))
			count(NT_COUNT_WIRE_SETTLED);
	} else if (!wire->cookie[!found->end]) {
		/* where the other side is a socket of this machine, it has its own end still to tell */
		if (!bpf_map_delete_elem(&established, &key))
			count(NT_COUNT_WIRE_SETTLED);
	}
	if (config.follow_packets)
		bpf_map_delete_elem(&streams, &key);
}

#endif
