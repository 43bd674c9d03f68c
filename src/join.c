#include "src/join.h"

#include <stdlib.h>
#include <string.h>

struct held_socket {
	struct nt_socket_event event;
	struct nt_wire wire;
	struct nt_stream streams[2];
	bool has_wire, has_streams, wire_ended;
	__u64 wire_deadline, owner_deadline, reason_deadline; /* 0: waits for it no more */
	struct held_socket *older, *newer, *next_in_tuple, *next_in_address;
};

struct held_wire {
	struct nt_wire_event event;
	bool claimed[2]; /* by index of the key's end */
	__u64 deadline;
	struct held_wire *older, *newer, *next_in_tuple;
};

struct join {
	struct join_output output;
	__u32 own_netns;
	bool sockets_are_told;
	unsigned int capacity, buckets, socket_count, wire_count;
	struct held_socket *oldest_socket, *newest_socket, **sockets_by_tuple, **sockets_by_address;
	struct held_wire *oldest_wire, *newest_wire, **wires_by_tuple;
};

struct join *join_new(unsigned int capacity, __u32 own_netns, bool sockets_are_told, const struct join_output *output)
{
	struct join *join = calloc(1, sizeof(*join));

	if (!join)
		return NULL;
	join->output = *output;
	join->own_netns = own_netns;
	join->sockets_are_told = sockets_are_told;
	join->capacity = capacity;
	join->buckets = capacity / 2 + 1;
	join->sockets_by_tuple = calloc(join->buckets, sizeof(*join->sockets_by_tuple));
	join->sockets_by_address = calloc(join->buckets, sizeof(*join->sockets_by_address));
	join->wires_by_tuple = calloc(join->buckets, sizeof(*join->wires_by_tuple));
	if (!join->sockets_by_tuple || !join->sockets_by_address || !join->wires_by_tuple) {
		join_free(join);
		return NULL;
	}
	return join;
}

/* The same for both directions and both ends. */
static unsigned int tuple_bucket(const struct join *join, const __u8 *one, __u16 one_port, const __u8 *other,
				 __u16 other_port)
{
	__u64 a[2], b[2];

	memcpy(a, one, sizeof(a));
	memcpy(b, other, sizeof(b));
	return (((a[0] ^ a[1]) + (b[0] ^ b[1]) + ((__u64)one_port + other_port) * 0x10001) * 0x9e3779b97f4a7c15ULL >>
		32) % join->buckets;
}

static unsigned int socket_bucket(const struct join *join, const struct nt_socket *socket)
{
	return tuple_bucket(join, socket->local, socket->local_port, socket->remote, socket->remote_port);
}

static unsigned int wire_bucket(const struct join *join, const struct nt_key *key)
{
	return tuple_bucket(join, key->address[0], key->port[0], key->address[1], key->port[1]);
}

static unsigned int address_bucket(const struct join *join, __u64 address)
{
	return (address * 0x9e3779b97f4a7c15ULL >> 32) % join->buckets;
}

static bool end_is(const struct nt_key *key, int end, const __u8 *address, __u16 port)
{
	return key->port[end] == port && !memcmp(key->address[end], address, 16);
}

/* Which end of the wire's connection the socket is, or -1 where it is not this connection. */
static int end_of_socket(const struct join *join, const struct nt_wire *wire, const struct nt_socket *socket)
{
	int end = end_is(&wire->key, 0, socket->local, socket->local_port) ? 0 : 1;
	__u64 cookie = wire->cookie[end], first = wire->connection.first_ns;

	if (!end_is(&wire->key, end, socket->local, socket->local_port) ||
	    !end_is(&wire->key, !end, socket->remote, socket->remote_port))
		return -1;
	if (cookie && socket->cookie ? cookie != socket->cookie : socket->netns != join->own_netns)
		return -1;
	/* One descriptor can connect the same tuple again: the packets belong to the life they were sent in. A
	 * client's SYN follows its connect(), a server's socket follows the SYN. */
	if (socket->role == NT_ROLE_CLIENT && first < socket->start_ns)
		return -1;
	return first <= socket->close_ns ? end : -1;
}

/* ---- socket ends ---- */

static void unlink_socket(struct join *join, struct held_socket *held)
{
	struct held_socket **link = &join->sockets_by_tuple[socket_bucket(join, &held->event.socket)];

	while (*link != held)
		link = &(*link)->next_in_tuple;
	*link = held->next_in_tuple;
	link = &join->sockets_by_address[address_bucket(join, held->event.address)];
	while (*link != held)
		link = &(*link)->next_in_address;
	*link = held->next_in_address;
	*(held->older ? &held->older->newer : &join->oldest_socket) = held->newer;
	*(held->newer ? &held->newer->older : &join->newest_socket) = held->older;
	join->socket_count--;
}

static void link_socket(struct join *join, struct held_socket *held)
{
	struct held_socket **tuple = &join->sockets_by_tuple[socket_bucket(join, &held->event.socket)];
	struct held_socket **address = &join->sockets_by_address[address_bucket(join, held->event.address)];

	held->next_in_tuple = *tuple;
	*tuple = held;
	held->next_in_address = *address;
	*address = held;
	held->older = join->newest_socket;
	*(held->older ? &held->older->newer : &join->oldest_socket) = held;
	join->newest_socket = held;
	join->socket_count++;
}

static void tell_socket(const struct join *join, const struct held_socket *held)
{
	struct joined_socket joined = {
		.event = &held->event,
		.wire = held->has_wire ? &held->wire : NULL,
		.streams = held->has_wire && held->has_streams ? held->streams : NULL,
		.wire_ended = held->wire_ended,
	};

	join->output.socket(join->output.context, &joined);
}

static void release_socket(struct join *join, struct held_socket *held)
{
	unlink_socket(join, held);
	tell_socket(join, held);
	free(held);
}

static bool socket_is_complete(const struct held_socket *held)
{
	return !held->wire_deadline && !held->owner_deadline && !held->reason_deadline;
}

static void give_wire(struct held_socket *held, const struct nt_wire *wire, const struct nt_stream *streams, bool ended)
{
	held->has_wire = true;
	held->wire = *wire;
	held->has_streams = streams;
	if (streams)
		memcpy(held->streams, streams, sizeof(held->streams));
	held->wire_ended = ended;
	if (ended)
		held->wire_deadline = 0;
}

/* ---- wire ends ---- */

static void unlink_wire(struct join *join, struct held_wire *held)
{
	struct held_wire **link = &join->wires_by_tuple[wire_bucket(join, &held->event.wire.key)];

	while (*link != held)
		link = &(*link)->next_in_tuple;
	*link = held->next_in_tuple;
	*(held->older ? &held->older->newer : &join->oldest_wire) = held->newer;
	*(held->newer ? &held->newer->older : &join->newest_wire) = held->older;
	join->wire_count--;
}

static void link_wire(struct join *join, struct held_wire *held)
{
	struct held_wire **tuple = &join->wires_by_tuple[wire_bucket(join, &held->event.wire.key)];

	held->next_in_tuple = *tuple;
	*tuple = held;
	held->older = join->newest_wire;
	*(held->older ? &held->older->newer : &join->oldest_wire) = held;
	join->newest_wire = held;
	join->wire_count++;
}

/* A client's socket is known by its SYN; a server's exists only once the connection is established. */
static bool end_is_a_socket(const struct nt_wire *wire, int end)
{
	return wire->cookie[end] &&
	       (end == wire->connection.src_index || nt_connection_is_established(&wire->connection));
}

static bool is_any_sockets(const struct held_wire *held)
{
	return held->claimed[0] || held->claimed[1] || end_is_a_socket(&held->event.wire, 0) ||
	       end_is_a_socket(&held->event.wire, 1);
}

static bool all_have_claimed(const struct held_wire *held)
{
	const struct nt_wire *wire = &held->event.wire;

	return is_any_sockets(held) && (held->claimed[0] || !end_is_a_socket(wire, 0)) &&
	       (held->claimed[1] || !end_is_a_socket(wire, 1));
}

static enum join_passage passage_of(const struct nt_wire *wire)
{
	return wire->syn_left || nt_connection_is_established(&wire->connection) ? JOIN_FORWARDED : JOIN_OBSERVED;
}

static void release_wire(struct join *join, struct held_wire *held)
{
	unlink_wire(join, held);
	if (is_any_sockets(held))
		join->output.claimed(join->output.context);
	else
		join->output.observer(join->output.context, &held->event, passage_of(&held->event.wire));
	free(held);
}

static const struct nt_stream *streams_of(const struct nt_wire_event *event)
{
	return event->has_streams ? event->streams : NULL;
}

static void claim_ended_wire(struct join *join, struct held_socket *socket)
{
	struct held_wire *wire = join->wires_by_tuple[socket_bucket(join, &socket->event.socket)];

	for (; wire; wire = wire->next_in_tuple) {
		int end = end_of_socket(join, &wire->event.wire, &socket->event.socket);

		if (end < 0 || wire->claimed[end])
			continue;
		give_wire(socket, &wire->event.wire, streams_of(&wire->event), true);
		wire->claimed[end] = true;
		if (nt_key_is_self(&wire->event.wire.key))
			wire->claimed[!end] = true;
		if (all_have_claimed(wire))
			release_wire(join, wire);
		return;
	}
}

static void claim_by_held_sockets(struct join *join, struct held_wire *wire)
{
	struct held_socket *socket = join->sockets_by_tuple[wire_bucket(join, &wire->event.wire.key)], *next;

	for (; socket; socket = next) {
		int end = socket->wire_deadline ? end_of_socket(join, &wire->event.wire, &socket->event.socket) : -1;

		next = socket->next_in_tuple;
		if (end < 0 || wire->claimed[end])
			continue;
		wire->claimed[end] = true;
		if (nt_key_is_self(&wire->event.wire.key))
			wire->claimed[!end] = true;
		give_wire(socket, &wire->event.wire, streams_of(&wire->event), true);
		if (socket_is_complete(socket))
			release_socket(join, socket);
	}
}

/* ---- what comes in ---- */

static void hold_back(struct held_socket *held, const struct nt_socket_event *event)
{
	const struct nt_socket *socket = &event->socket;
	const struct nt_stream *streams = event->has_streams ? event->streams : NULL;

	if (event->wire_status == NT_WIRE_SETTLED)
		give_wire(held, &event->wire, streams, true);
	if (event->wire_status == NT_WIRE_OPEN) {
		give_wire(held, &event->wire, streams, false);
		held->wire_deadline = socket->close_ns + JOIN_WIRE_NS;
	}
	if (socket->flags & NT_SOCKET_AWAITS_OWNER)
		held->owner_deadline = socket->close_ns + JOIN_OWNER_NS;
	if (socket->flags & NT_SOCKET_AWAITS_REASON)
		held->reason_deadline = socket->close_ns + JOIN_REASON_NS;
}

void join_socket(struct join *join, const struct nt_socket_event *event, size_t length)
{
	struct held_socket *held = calloc(1, sizeof(*held));

	if (!held) {
		join->output.no_memory(join->output.context);
		return;
	}
	memcpy(&held->event, event, length < sizeof(*event) ? length : sizeof(*event));
	hold_back(held, &held->event);
	link_socket(join, held);
	if (!held->has_wire)
		claim_ended_wire(join, held);
	if (socket_is_complete(held))
		release_socket(join, held);
	else if (join->socket_count > join->capacity)
		release_socket(join, join->oldest_socket);
}

void join_more(struct join *join, const struct nt_socket_more_event *event)
{
	struct held_socket *held = join->sockets_by_address[address_bucket(join, event->address)];

	while (held && (held->event.address != event->address || held->event.socket.cookie != event->cookie ||
			held->event.socket.nth != event->nth))
		held = held->next_in_address;
	if (!held)
		return;
	if (event->reset_sent) {
		held->event.socket.flags |= NT_SOCKET_RESET_SENT;
		held->event.socket.reset_reason = event->reset_reason;
		held->reason_deadline = 0;
	}
	if (held->owner_deadline && !event->awaits_owner) {
		held->event.socket.owner = event->owner;
		held->owner_deadline = 0;
	}
	if (socket_is_complete(held))
		release_socket(join, held);
}

void join_wire(struct join *join, const struct nt_wire_event *event)
{
	struct held_wire *held;

	if (!join->sockets_are_told) {
		join->output.observer(join->output.context, event, JOIN_OBSERVED);
		return;
	}
	held = calloc(1, sizeof(*held));
	if (!held) {
		join->output.no_memory(join->output.context);
		return;
	}
	held->event = *event;
	link_wire(join, held);
	claim_by_held_sockets(join, held);
	if (is_any_sockets(held))
		held->deadline = event->header.now + JOIN_CLAIM_NS;
	else if (nt_connection_is_established(&event->wire.connection) && event->why != NT_WIRE_EXIT)
		held->deadline = event->header.now + JOIN_UNCLAIMED_NS;
	else
		held->deadline = event->header.now;
	if (all_have_claimed(held) || held->deadline <= event->header.now)
		release_wire(join, held);
	else if (join->wire_count > join->capacity)
		release_wire(join, join->oldest_wire);
}

static void give_up_waiting(__u64 *deadline, __u64 now)
{
	if (*deadline <= now)
		*deadline = 0;
}

void join_expire(struct join *join, __u64 now)
{
	struct held_socket *socket, *next_socket;
	struct held_wire *wire, *next_wire;

	for (socket = join->oldest_socket; socket; socket = next_socket) {
		next_socket = socket->newer;
		give_up_waiting(&socket->wire_deadline, now);
		give_up_waiting(&socket->owner_deadline, now);
		give_up_waiting(&socket->reason_deadline, now);
		if (socket_is_complete(socket))
			release_socket(join, socket);
	}
	for (wire = join->oldest_wire; wire; wire = next_wire) {
		next_wire = wire->newer;
		if (wire->deadline <= now)
			release_wire(join, wire);
	}
}

void join_finish(struct join *join)
{
	while (join->oldest_socket)
		release_socket(join, join->oldest_socket);
	while (join->oldest_wire)
		release_wire(join, join->oldest_wire);
}

unsigned int join_held(const struct join *join)
{
	return join->socket_count;
}

void join_free(struct join *join)
{
	if (!join)
		return;
	while (join->oldest_socket) {
		struct held_socket *held = join->oldest_socket;

		unlink_socket(join, held);
		free(held);
	}
	while (join->oldest_wire) {
		struct held_wire *held = join->oldest_wire;

		unlink_wire(join, held);
		free(held);
	}
	free(join->sockets_by_tuple);
	free(join->sockets_by_address);
	free(join->wires_by_tuple);
	free(join);
}
