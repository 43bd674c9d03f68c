/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the wire knows of a socket's connection, at the socket's events. */
#ifndef NETRACKER_BPF_WIRE_OF_SOCKET_H
#define NETRACKER_BPF_WIRE_OF_SOCKET_H

#include "wire_tables.h"

#include "../core/ownership.h"

/* Returns the key's end that the socket is. */
static __always_inline int wire_of_socket(struct wire_found *found, const struct nt_socket *socket)
{
	bool synchronised = socket->established_ns || socket->flags & NT_SOCKET_PREEXISTING;
	struct nt_key key;
	int end = nt_key_of_socket(&key, socket, config.own_netns);

	find_wire(found, &key, !synchronised);
	if (found->wire && !nt_socket_owns_latest(found->wire, end, socket, config.own_netns))
		found->wire = NULL;
	return end;
}

/* The socket has seen both FINs, and so has the wire if it saw the connection at all: it told of its end then. The reader
 * has it by now, or asks the table for the rare one that passed our interfaces one way only. Where every packet is
 * followed the last acknowledgement is still to come. */
static __always_inline bool wire_has_ended(const struct nt_socket *socket)
{
	return !config.follow_packets && socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;
}

/* Nothing more will be seen of a connection that nobody answered or that lost its peer. */
static __always_inline bool ends_without_packets(__u8 old_state, int error)
{
	return old_state == TCP_SYN_SENT || is_out_of_reach(error);
}

/* Its socket has come to its end: what is left of it on the wire. */
static __always_inline enum nt_wire_status wire_loses_socket(const struct wire_found *found, const struct nt_key *key,
							     int end, __u8 old_state, int error)
{
	struct nt_wire *wire = found->wire;
	enum nt_wire_status status = NT_WIRE_SETTLED;

	wire->socket_closed[end & 1] = 1;
	if (!ends_without_packets(old_state, error))
		return NT_WIRE_OPEN;
	/* where the other side is a socket of this machine, it has its own end still to tell */
	if (nt_ownership_of_side(wire, !end) != NT_OWNED_SOCKET) {
		clear_ack(wire);
		if (take_wire(found, key))
			count(NT_COUNT_WIRE_SETTLED);
		else /* its end is told by another processor */
			status = NT_WIRE_OPEN;
	}
	if (config.follow_packets)
		bpf_map_delete_elem(&streams, key);
	return status;
}

static __always_inline void emit_wire_of_socket(struct nt_socket_event *event, const struct wire_found *found, int end)
{
	struct nt_wire *wire = found->wire;
	struct nt_key key;

	nt_key_of_socket(&key, &event->socket, config.own_netns);

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
	event->wire_status = wire_loses_socket(found, &key, end, event->counts.old_state, event->counts.error);
}

#endif
