/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Adds the wire context's state of a connection to the events of its socket. */
#ifndef NETRACKER_BPF_WIRE_OF_SOCKET_H
#define NETRACKER_BPF_WIRE_OF_SOCKET_H

#include "translations.h"

#include "../core/ownership.h"

/* Looks up the connection whose packets have another tuple than the socket. Returns the socket's side of the key. */
static __always_inline int find_translated_wire(struct wire_found *found, struct nt_key *key,
						const struct nt_socket *socket)
{
	struct nt_translation *translation = bpf_map_lookup_elem(&translations, &socket->cookie);
	int side;

	found->wire = NULL;
	if (!translation)
		return 0;
	*key = translation->key;
	wire_look_up(found, key, false);
	if (!found->wire)
		return 0;
	side = found->wire->cookie[1] == socket->cookie;
	if (found->wire->cookie[side] != socket->cookie)
		found->wire = NULL;
	return side;
}

/* Sets found->wire to the socket's connection, NULL if there is none, and *key to its key. Returns the socket's side of
 * the key. */
static __always_inline int find_wire_of_socket(struct wire_found *found, struct nt_key *key,
					       const struct nt_socket *socket)
{
	bool synchronised = socket->established_ns || socket->flags & NT_SOCKET_PREEXISTING;
	int side = nt_key_of_socket(key, socket, config.own_netns);

	wire_look_up(found, key, !synchronised);
	if (found->wire && nt_socket_owns_latest(found->wire, side, socket, config.own_netns))
		return side;
	found->wire = NULL;
	return shared.has_translations ? find_translated_wire(found, key, socket) : side;
}

/* Records that the handshake made this socket, and whether it is in a sockmap: the other side's may be in it, too, and
 * be taken out before its own state changes. Not inlined, to save the caller's stack. */
static __noinline int wire_add_socket(const struct nt_socket *socket)
{
	struct wire_found found;
	struct nt_key key;
	int side = find_wire_of_socket(&found, &key, socket);

	if (!found.wire)
		return 0;
	found.wire->has_socket[side & 1] = 1;
	found.wire->in_sockmap |= socket->in_sockmap;
	stop_expecting_ack(found.wire);
	return 0;
}

/* Returns whether the wire context has most likely reported the end already: the socket has seen both FINs, and so has
 * the wire if it saw the connection at all. User space has that event by now, or looks up the table for the rare
 * connection that crossed our interfaces in one direction only. If every packet is followed, the last acknowledgement
 * is still to come. */
static __always_inline bool is_wire_end_reported(const struct nt_socket *socket)
{
	return !config.follow_packets && socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;
}

/* Returns whether no more packets are expected: nobody answered the connection, or it lost its peer. */
static __always_inline bool is_silent_end(__u8 old_state, int error)
{
	return old_state == TCP_SYN_SENT || is_unreachable_error(error);
}

/* Returns whether the packets have shown the RST that ended the socket's connection. side: the socket's. */
static __always_inline bool is_reset_seen(const struct nt_wire *wire, int side, const struct nt_socket *socket)
{
	return nt_connection_side_reset(&wire->connection, side & 1) ||
	       (socket->reset_received && nt_connection_side_reset(&wire->connection, !(side & 1)));
}

/* Handles the close of the socket on one side of a connection. Returns the connection's status on the wire. */
static __always_inline enum nt_wire_status wire_handle_socket_close(const struct wire_found *found,
								    const struct nt_key *key, int side,
								    const struct nt_socket *socket, __u8 old_state,
								    int error)
{
	struct nt_wire *wire = found->wire;
	enum nt_wire_status status = NT_WIRE_SETTLED;

	wire->socket_closed[side & 1] = 1;
	if (!is_silent_end(old_state, error) && !is_reset_seen(wire, side, socket))
		return NT_WIRE_OPEN;
	/* if the other side is a socket of this machine, it has yet to report its own end */
	if (nt_ownership_of_side(wire, !side) != NT_OWNED_SOCKET || wire->socket_closed[!(side & 1)]) {
		stop_expecting_ack(wire);
		if (wire->payload_until_ns)
			stop_expecting_payload(wire, bpf_ktime_get_boot_ns());
		remove_translations(wire);
		if (wire_remove(found, key))
			count(NT_COUNT_WIRE_SETTLED);
		else /* another processor reports its end */
			status = NT_WIRE_OPEN;
		if (config.follow_packets)
			bpf_map_delete_elem(&streams, key);
	}
	return status;
}

static __always_inline void emit_wire_of_socket(struct nt_socket_event *event, const struct wire_found *found,
						const struct nt_key *key, int side)
{
	struct nt_wire *wire = found->wire;

	event->wire_status = NT_WIRE_OPEN;
	event->has_streams = 0;
	event->wire = *wire;
	if (config.follow_packets) {
		struct nt_streams *followed = bpf_map_lookup_elem(&streams, key);

		if (followed) {
			event->streams = *followed;
			event->has_streams = 1;
		}
	}
	if (event->header.type != NT_EVENT_TYPE_SOCKET_CLOSE || event->socket.repair == NT_REPAIR_DUMPED)
		return;
	event->wire_status = wire_handle_socket_close(found, key, side, &event->socket, event->counts.old_state,
						      event->counts.error);
}

#endif
