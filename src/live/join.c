// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/live/join.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "core/ownership.h"
#include "src/util/hash_map.h"

struct held_socket {
	struct nt_socket_event event; /* the join updates its wire part */
	bool wire_ended;
	__u64 wire_deadline, owner_deadline, reason_deadline; /* 0: nothing to wait for */
	TAILQ_ENTRY(held_socket) by_age;
	struct hash_node by_tuple;  /* in the map until wire_ended */
	struct hash_node by_cookie; /* the same, if its packets have another tuple */
	struct hash_node by_life;
};

struct held_wire;

struct cookie_node {
	struct hash_node node;
	struct held_wire *wire;
};

struct held_wire {
	struct nt_wire_event event;
	bool claimed[2]; /* by side of the key: the close event of the socket there was matched */
	__u64 deadline;
	TAILQ_ENTRY(held_wire) by_age;
	struct hash_node by_tuple;
	struct cookie_node by_cookie[2]; /* by side, if the socket there has another tuple */
};

/* The lower endpoint comes first, so that both directions have one key. */
struct tuple {
	__u8 address[2][16];
	__u16 port[2];
};

/* One life of a socket: the kernel reuses the address for another socket, and a socket may connect several times. */
struct life {
	__u64 address, cookie, nth;
};

struct join {
	struct join_output output;
	__u32 own_netns;
	bool sockets_are_reported;
	unsigned int capacity, socket_count, wire_count;
	__u64 wires_due;                   /* no wire event has an earlier deadline */
	TAILQ_HEAD(, held_socket) sockets; /* oldest first */
	TAILQ_HEAD(, held_wire) wires;
	struct hash_map sockets_by_tuple, sockets_by_cookie, sockets_by_life, wires_by_tuple, wires_by_cookie;
};

struct join *join_new(unsigned int capacity, __u32 own_netns, bool sockets_are_reported,
		      const struct join_output *output)
{
	struct join *join = calloc(1, sizeof(*join));

	if (!join)
		return NULL;
	join->output = *output;
	join->own_netns = own_netns;
	join->sockets_are_reported = sockets_are_reported;
	join->capacity = capacity;
	TAILQ_INIT(&join->sockets);
	TAILQ_INIT(&join->wires);
	if (hash_map_init(&join->sockets_by_tuple) && hash_map_init(&join->sockets_by_cookie) &&
	    hash_map_init(&join->sockets_by_life) && hash_map_init(&join->wires_by_tuple) &&
	    hash_map_init(&join->wires_by_cookie))
		return join;
	join_free(join);
	return NULL;
}

/* ---- ownership ---- */

static void set_tuple_side(struct tuple *tuple, int side, const __u8 *address, __u16 port)
{
	memcpy(tuple->address[side], address, sizeof(tuple->address[side]));
	tuple->port[side] = port;
}

/* Each map has a secret of its own, so the hash of one does not serve another. */
static __u64 join_hash_tuple(const struct hash_map *map, const __u8 *one, __u16 one_port, const __u8 *other,
			     __u16 other_port)
{
	int order = memcmp(one, other, 16);
	bool one_is_first = order ? order < 0 : one_port <= other_port;
	struct tuple tuple;

	set_tuple_side(&tuple, !one_is_first, one, one_port);
	set_tuple_side(&tuple, one_is_first, other, other_port);
	return hash_map_hash(map, &tuple, sizeof(tuple));
}

static __u64 hash_socket_tuple(const struct hash_map *map, const struct nt_socket *socket)
{
	return join_hash_tuple(map, socket->local, socket->local_port, socket->remote, socket->remote_port);
}

static __u64 hash_wire_tuple(const struct hash_map *map, const struct nt_key *key)
{
	return join_hash_tuple(map, key->address[0], key->port[0], key->address[1], key->port[1]);
}

static __u64 hash_life(const struct hash_map *map, __u64 address, __u64 cookie, __u64 nth)
{
	struct life life = { .address = address, .cookie = cookie, .nth = nth };

	return hash_map_hash(map, &life, sizeof(life));
}

static __u64 hash_cookie(const struct hash_map *map, __u64 cookie)
{
	return hash_map_hash(map, &cookie, sizeof(cookie));
}

static bool is_translated(const struct nt_wire *wire)
{
	return wire->translated[0] || wire->translated[1];
}

/* Returns the side of the connection that the socket owns, or -1 if the socket belongs to another connection. */
static int find_owned_side(const struct join *join, const struct nt_wire *wire, const struct nt_socket *socket)
{
	int side = nt_side_of_socket(wire, socket);

	return side >= 0 && nt_socket_owns(wire, side, socket, join->own_netns) ? side : -1;
}

/* Without cookies several connections may match a socket: it owns the one whose start is closest to its own. */
static __u64 start_distance_ns(const struct nt_wire *wire, const struct nt_socket *socket)
{
	__u64 first = wire->connection.first_ns;

	return first > socket->start_ns ? first - socket->start_ns : socket->start_ns - first;
}

static bool has_local_socket(const struct held_wire *held)
{
	return held->claimed[0] || held->claimed[1] || nt_wire_has_socket(&held->event.wire);
}

static enum join_route choose_route(const struct join *join, const struct nt_wire *wire)
{
	if (join->sockets_are_reported && nt_is_unaccepted(wire))
		return JOIN_NO_SOCKET;
	return nt_is_forwarded(wire, join->sockets_are_reported) ? JOIN_FORWARDED : JOIN_OBSERVED;
}

/* ---- held events ---- */

static void link_socket(struct join *join, struct held_socket *held)
{
	const struct nt_socket *socket = &held->event.socket;

	TAILQ_INSERT_TAIL(&join->sockets, held, by_age);
	if (!held->wire_ended)
		hash_map_insert(&join->sockets_by_tuple, &held->by_tuple,
				hash_socket_tuple(&join->sockets_by_tuple, socket));
	if (!held->wire_ended && held->event.wire_status == NT_WIRE_OPEN && is_translated(&held->event.wire))
		hash_map_insert(&join->sockets_by_cookie, &held->by_cookie,
				hash_cookie(&join->sockets_by_cookie, socket->cookie));
	hash_map_insert(&join->sockets_by_life, &held->by_life,
			hash_life(&join->sockets_by_life, held->event.address, socket->cookie, socket->nth));
	join->socket_count++;
}

/* No later wire event can belong to the socket. */
static void stop_matching_socket(struct join *join, struct held_socket *held)
{
	hash_map_remove(&join->sockets_by_tuple, &held->by_tuple);
	hash_map_remove(&join->sockets_by_cookie, &held->by_cookie);
}

static void unlink_socket(struct join *join, struct held_socket *held)
{
	TAILQ_REMOVE(&join->sockets, held, by_age);
	stop_matching_socket(join, held);
	hash_map_remove(&join->sockets_by_life, &held->by_life);
	join->socket_count--;
}

static void link_wire(struct join *join, struct held_wire *held)
{
	const struct nt_wire *wire = &held->event.wire;
	int side;

	TAILQ_INSERT_TAIL(&join->wires, held, by_age);
	hash_map_insert(&join->wires_by_tuple, &held->by_tuple, hash_wire_tuple(&join->wires_by_tuple, &wire->key));
	for (side = 0; side < 2; side++)
		if (wire->translated[side]) {
			held->by_cookie[side].wire = held;
			hash_map_insert(&join->wires_by_cookie, &held->by_cookie[side].node,
					hash_cookie(&join->wires_by_cookie, wire->cookie[side]));
		}
	join->wire_count++;
}

static void unlink_wire(struct join *join, struct held_wire *held)
{
	TAILQ_REMOVE(&join->wires, held, by_age);
	hash_map_remove(&join->wires_by_tuple, &held->by_tuple);
	hash_map_remove(&join->wires_by_cookie, &held->by_cookie[0].node);
	hash_map_remove(&join->wires_by_cookie, &held->by_cookie[1].node);
	join->wire_count--;
}

static bool is_socket_complete(const struct held_socket *held)
{
	return !held->wire_deadline && !held->owner_deadline && !held->reason_deadline;
}

static void release_socket(struct join *join, struct held_socket *held)
{
	bool has_wire = held->event.wire_status != NT_WIRE_ABSENT;
	struct joined_socket joined = {
		.event = &held->event,
		.wire = has_wire ? &held->event.wire : NULL,
		.streams = has_wire && held->event.has_streams ? &held->event.streams : NULL,
		.wire_ended = held->wire_ended,
	};

	unlink_socket(join, held);
	join->output.socket(join->output.context, &joined);
	free(held);
}

static void release_wire(struct join *join, struct held_wire *held)
{
	unlink_wire(join, held);
	if (has_local_socket(held))
		join->output.claimed(join->output.context);
	else
		join->output.observer(join->output.context, &held->event, choose_route(join, &held->event.wire));
	free(held);
}

/* Returns whether a socket at this side may still report that it closed. */
static bool is_close_expected(const struct join *join, const struct held_wire *held, int side)
{
	if (held->claimed[side])
		return false;
	return !join->output.is_side_reported ||
	       join->output.is_side_reported(join->output.context, &held->event.wire, side);
}

/* Returns the time until which a close event may still arrive for it, or 0 if none will. */
static __u64 compute_wire_deadline(const struct join *join, const struct held_wire *held)
{
	const struct nt_wire *wire = &held->event.wire;
	__u64 deadline = 0;
	int side;

	if (held->event.cause == NT_WIRE_EXIT)
		return 0;
	for (side = 0; side < 2; side++) {
		enum nt_ownership ownership = nt_ownership_of_side(wire, side);

		if (ownership == NT_OWNED_NONE || !is_close_expected(join, held, side))
			continue;
		if (ownership != NT_OWNED_MAYBE)
			return held->event.header.now + JOIN_CLAIM_NS;
		deadline = held->event.header.now + JOIN_UNCLAIMED_NS;
	}
	return deadline;
}

/* ---- matching ---- */

/* Copies the wire event into the close event of the socket at that side. */
static void claim_wire(struct join *join, struct held_wire *wire, int side, struct held_socket *socket)
{
	wire->claimed[side] = true;
	socket->event.wire_status = NT_WIRE_SETTLED;
	socket->event.wire = wire->event.wire;
	socket->event.has_streams = wire->event.has_streams;
	if (wire->event.has_streams)
		socket->event.streams = wire->event.streams;
	socket->wire_ended = wire->event.cause != NT_WIRE_EXIT;
	if (socket->wire_ended)
		stop_matching_socket(join, socket);
	socket->wire_deadline = 0;
}

/* Keeps the better of two wire events for the socket: the one that began closer to it. */
static void consider_wire(const struct join *join, struct held_wire **best, struct held_wire *wire,
			  const struct nt_socket *socket)
{
	int side = find_owned_side(join, &wire->event.wire, socket);

	if (side < 0 || wire->claimed[side])
		return;
	if (!*best || start_distance_ns(&wire->event.wire, socket) < start_distance_ns(&(*best)->event.wire, socket))
		*best = wire;
}

static struct held_wire *find_wire_by_cookie(const struct join *join, const struct held_socket *held)
{
	const struct nt_socket *socket = &held->event.socket;
	const struct hash_map *map = &join->wires_by_cookie;
	struct hash_node *node = map->count ? hash_map_first(map, hash_cookie(map, socket->cookie)) : NULL;
	struct held_wire *best = NULL;
	int searched = 0;

	for (; node && searched < JOIN_LIVES_SEARCHED; node = hash_map_next(node), searched++) {
		struct held_wire *wire = hash_map_entry(node, struct cookie_node, node)->wire;

		/* the packets were translated between two interfaces: the kernel side chose one of the tuples */
		if (held->event.wire_status == NT_WIRE_OPEN &&
		    !nt_key_equals(&wire->event.wire.key, &held->event.wire.key))
			continue;
		consider_wire(join, &best, wire, socket);
	}
	return best;
}

/* Returns the unclaimed wire event of the socket's connection, or NULL. */
static struct held_wire *find_held_wire(const struct join *join, const struct held_socket *held)
{
	const struct nt_socket *socket = &held->event.socket;
	const struct hash_map *map = &join->wires_by_tuple;
	struct hash_node *node = hash_map_first(map, hash_socket_tuple(map, socket));
	struct held_wire *best = NULL;
	int searched = 0;

	for (; node && searched < JOIN_LIVES_SEARCHED; node = hash_map_next(node), searched++)
		consider_wire(join, &best, hash_map_entry(node, struct held_wire, by_tuple), socket);
	return best ? best : find_wire_by_cookie(join, held);
}

/* Keeps the better of two sockets for that side of the wire event. */
static void consider_socket(const struct join *join, struct held_socket **best, struct held_socket *socket,
			    const struct nt_wire *wire, int side)
{
	if (find_owned_side(join, wire, &socket->event.socket) != side)
		return;
	if (!*best || start_distance_ns(wire, &socket->event.socket) < start_distance_ns(wire, &(*best)->event.socket))
		*best = socket;
}

static struct held_socket *find_socket_by_cookie(const struct join *join, const struct nt_wire *wire, int side)
{
	const struct hash_map *map = &join->sockets_by_cookie;
	struct hash_node *node = hash_map_first(map, hash_cookie(map, wire->cookie[side]));
	struct held_socket *best = NULL;
	int searched = 0;

	for (; node && searched < JOIN_LIVES_SEARCHED; node = hash_map_next(node), searched++)
		consider_socket(join, &best, hash_map_entry(node, struct held_socket, by_cookie), wire, side);
	return best;
}

/* Returns the close event of the socket that owns this side, or NULL. */
static struct held_socket *find_held_socket(const struct join *join, const struct held_wire *held, int side)
{
	const struct nt_wire *wire = &held->event.wire;
	const struct hash_map *map = &join->sockets_by_tuple;
	struct hash_node *node = hash_map_first(map, hash_wire_tuple(map, &wire->key));
	struct held_socket *best = NULL;
	int searched = 0;

	if (wire->translated[side])
		return find_socket_by_cookie(join, wire, side);
	for (; node && searched < JOIN_LIVES_SEARCHED; node = hash_map_next(node), searched++)
		consider_socket(join, &best, hash_map_entry(node, struct held_socket, by_tuple), wire, side);
	return best;
}

static void match_wire(struct join *join, struct held_socket *socket)
{
	struct held_wire *wire = find_held_wire(join, socket);

	if (!wire)
		return;
	claim_wire(join, wire, nt_side_of_socket(&wire->event.wire, &socket->event.socket), socket);
	wire->deadline = compute_wire_deadline(join, wire);
	if (!wire->deadline)
		release_wire(join, wire);
	else if (wire->deadline < join->wires_due)
		join->wires_due = wire->deadline;
}

static void match_sockets(struct join *join, struct held_wire *wire)
{
	int side;

	for (side = 0; side < 2; side++) {
		struct held_socket *socket = find_held_socket(join, wire, side);

		if (!socket)
			continue;
		claim_wire(join, wire, side, socket);
		if (is_socket_complete(socket))
			release_socket(join, socket);
	}
}

/* ---- input ---- */

/* Does the look-up that the kernel side left out: see NT_WIRE_NOT_ASKED. Usually the wire event is already held. */
static void resolve_wire_status(struct join *join, struct held_socket *held)
{
	struct nt_socket_event *event = &held->event;

	event->wire_status = NT_WIRE_ABSENT;
	match_wire(join, held);
	if (event->wire_status == NT_WIRE_ABSENT &&
	    join->output.find_wire(join->output.context, &event->socket, &event->wire))
		event->wire_status = NT_WIRE_OPEN;
}

/* is_resolved: its status was NT_WIRE_NOT_ASKED. Then the wire event may come after it. */
static void set_deadlines(const struct join *join, struct held_socket *held, bool is_resolved)
{
	struct nt_socket_event *event = &held->event;
	const struct nt_socket *socket = &event->socket;

	/* The look-up was by tuple: it may have found the next connection with the same tuple. */
	if (event->wire_status != NT_WIRE_ABSENT && find_owned_side(join, &event->wire, socket) < 0)
		event->wire_status = NT_WIRE_ABSENT;
	held->wire_ended = event->wire_status == NT_WIRE_SETTLED;
	if (socket->repair == NT_REPAIR_DUMPED) /* its packets go on, with another socket */
		return;
	if (event->wire_status == NT_WIRE_OPEN)
		held->wire_deadline = socket->close_ns + JOIN_WIRE_NS;
	else if (is_resolved && event->wire_status == NT_WIRE_ABSENT)
		held->wire_deadline = socket->close_ns + JOIN_LATE_WIRE_NS;
	if (socket->flags & NT_SOCKET_AWAITS_OWNER)
		held->owner_deadline = socket->close_ns + JOIN_OWNER_NS;
	if (socket->flags & NT_SOCKET_AWAITS_REASON)
		held->reason_deadline = socket->close_ns + JOIN_REASON_NS;
}

/* malloc() reuses what was freed just before (glibc's per-thread cache); calloc() does not. */
static void *allocate_zeroed(size_t size)
{
	void *memory = malloc(size);

	return memory ? memset(memory, 0, size) : NULL;
}

void join_add_socket(struct join *join, const struct nt_socket_event *event, size_t length)
{
	struct held_socket *held = allocate_zeroed(sizeof(*held));
	bool is_resolved = event->wire_status == NT_WIRE_NOT_ASKED;

	if (!held) {
		join->output.no_memory(join->output.context);
		return;
	}
	memcpy(&held->event, event, length < sizeof(*event) ? length : sizeof(*event));
	if (is_resolved)
		resolve_wire_status(join, held);
	set_deadlines(join, held, is_resolved);
	link_socket(join, held);
	if (!is_resolved && !held->wire_ended)
		match_wire(join, held);
	if (is_socket_complete(held))
		release_socket(join, held);
	else if (join->socket_count > join->capacity)
		release_socket(join, TAILQ_FIRST(&join->sockets));
}

static struct held_socket *find_socket_by_life(const struct join *join, const struct nt_socket_more_event *event)
{
	const struct hash_map *map = &join->sockets_by_life;
	struct hash_node *node = hash_map_first(map, hash_life(map, event->address, event->cookie, event->nth));

	for (; node; node = hash_map_next(node)) {
		struct held_socket *held = hash_map_entry(node, struct held_socket, by_life);

		if (held->event.address == event->address && held->event.socket.cookie == event->cookie &&
		    held->event.socket.nth == event->nth)
			return held;
	}
	return NULL;
}

void join_add_socket_more(struct join *join, const struct nt_socket_more_event *event)
{
	struct held_socket *held = find_socket_by_life(join, event);

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
	if (is_socket_complete(held))
		release_socket(join, held);
}

static void hold_wire(struct join *join, const struct nt_wire_event *event)
{
	struct held_wire *held = allocate_zeroed(sizeof(*held));

	if (!held) {
		join->output.no_memory(join->output.context);
		return;
	}
	held->event = *event;
	link_wire(join, held);
	match_sockets(join, held);
	held->deadline = compute_wire_deadline(join, held);
	if (!held->deadline)
		return release_wire(join, held);
	if (held->deadline < join->wires_due)
		join->wires_due = held->deadline;
	if (join->wire_count > join->capacity)
		release_wire(join, TAILQ_FIRST(&join->wires));
}

void join_add_wire(struct join *join, const struct nt_wire_event *event)
{
	const struct nt_wire *wire = &event->wire;

	if (join->sockets_are_reported)
		hold_wire(join, event);
	else if (nt_wire_has_socket(wire))
		join->output.observer(join->output.context, event, JOIN_OBSERVED);
	else
		join->output.observer(join->output.context, event, choose_route(join, wire));
}

/* ---- expiry ---- */

static void clear_if_reached(__u64 *deadline, __u64 now)
{
	if (*deadline <= now)
		*deadline = 0;
}

static void expire_sockets(struct join *join, __u64 now)
{
	struct held_socket *held = TAILQ_FIRST(&join->sockets), *next;

	for (; held; held = next) {
		next = TAILQ_NEXT(held, by_age);
		clear_if_reached(&held->wire_deadline, now);
		clear_if_reached(&held->owner_deadline, now);
		clear_if_reached(&held->reason_deadline, now);
		if (is_socket_complete(held))
			release_socket(join, held);
	}
}

static void expire_wires(struct join *join, __u64 now)
{
	struct held_wire *held = TAILQ_FIRST(&join->wires), *next;

	if (now < join->wires_due)
		return;
	join->wires_due = ~0ULL;
	for (; held; held = next) {
		next = TAILQ_NEXT(held, by_age);
		if (held->deadline <= now)
			release_wire(join, held);
		else if (held->deadline < join->wires_due)
			join->wires_due = held->deadline;
	}
}

void join_expire(struct join *join, __u64 now)
{
	expire_sockets(join, now);
	expire_wires(join, now);
}

void join_finish(struct join *join)
{
#ifndef __clang_analyzer__ /* It does not follow TAILQ_REMOVE(), and reports a use after free(). */
	while (!TAILQ_EMPTY(&join->sockets))
		release_socket(join, TAILQ_FIRST(&join->sockets));
	while (!TAILQ_EMPTY(&join->wires))
		release_wire(join, TAILQ_FIRST(&join->wires));
#endif
}

void join_free(struct join *join)
{
	struct held_socket *socket;
	struct held_wire *wire;

	if (!join)
		return;
	while ((socket = TAILQ_FIRST(&join->sockets))) {
		unlink_socket(join, socket);
		free(socket);
	}
	while ((wire = TAILQ_FIRST(&join->wires))) {
		unlink_wire(join, wire);
		free(wire);
	}
	hash_map_free(&join->sockets_by_tuple);
	hash_map_free(&join->sockets_by_cookie);
	hash_map_free(&join->sockets_by_life);
	hash_map_free(&join->wires_by_tuple);
	hash_map_free(&join->wires_by_cookie);
	free(join);
}
