/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The join puts together the close event of a socket and the wire event of its connection: one record for each socket.
 * It does no I/O and reads no clock: the caller passes in events and the time, callbacks receive the results.
 *
 * A close event (struct nt_socket_event) is held until nothing more can arrive for its socket:
 *   - the wire event of its connection, for JOIN_WIRE_NS at most; without it the record has the gap `wire_end`. If its
 *     packets show no connection, JOIN_LATE_WIRE_NS;
 *   - its owner, if no process has read from the socket or closed it yet, for JOIN_OWNER_NS at most;
 *   - the reason of the RST that ended it, for JOIN_REASON_NS at most.
 *
 * A wire event (struct nt_wire_event) reports that a connection has ended as far as its packets show. If a socket owns
 * the connection, the wire event never becomes a record: it is held for the close event of that socket, or of two
 * sockets if both endpoints are on this machine. These rules find the owner; core/ownership.h has them in full:
 *   1. The owners are the sockets whose cookies the packets carried: a client's from the SYN on, a server's once the
 *      connection is established.
 *   2. Otherwise, the owner is a socket with the same tuple in the network namespace of our interfaces (SYN cookies).
 *   3. Otherwise, the connection was forwarded if its SYN left by an interface or its handshake was completed.
 *   4. Otherwise, the connection was addressed to this machine and no socket answered.
 * A listener of this machine that completed the handshake (before rule 3), but made no socket of it, owns nothing.
 *
 * Times are nanoseconds of CLOCK_BOOTTIME.
 */
#ifndef NETRACKER_JOIN_H
#define NETRACKER_JOIN_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "src/record/socket_record.h"

#define JOIN_WIRE_NS 2000000000ULL
/* A RST that was refused may delay the wire event until the other side's next packet, behind the close event. */
#define JOIN_LATE_WIRE_NS 100000000ULL
#define JOIN_OWNER_NS 900000000ULL /* the record must be written within a second of the change to CLOSE */
#define JOIN_REASON_NS 50000000ULL
/* How long a wire event is held: JOIN_CLAIM_NS for a socket whose cookie it has, because that socket may retransmit its
 * last FIN until it is acknowledged; JOIN_UNCLAIMED_NS for a socket that may own the connection but left no cookie. */
#define JOIN_CLAIM_NS 300000000000ULL
#define JOIN_UNCLAIMED_NS 1000000000ULL
/* A peer may reuse one tuple thousands of times a second: only this many of the newest held events of a tuple are
 * searched. */
#define JOIN_LIVES_SEARCHED 64

enum join_route {
	JOIN_OBSERVED,  /* no socket answered it, or sockets are not tracked */
	JOIN_NO_SOCKET, /* a listener of this machine completed the handshake, and no socket came of it */
	JOIN_FORWARDED,
};

/* The callbacks must not call the join. Their arguments are valid until they return. */
struct join_output {
	void *context;
	void (*socket)(void *context, const struct joined_socket *joined);
	void (*observer)(void *context, const struct nt_wire_event *event, enum join_route route);
	void (*claimed)(void *context);   /* a wire event was released that belongs to a socket */
	void (*no_memory)(void *context); /* an event was lost */
	/* Looks up the socket's connection in the kernel side's tables, for an event of which the kernel side left that
	 * out (NT_WIRE_NOT_ASKED). Returns whether it is there, after copying it to *wire. */
	bool (*find_wire)(void *context, const struct nt_socket *socket, struct nt_wire *wire);
	/* Returns whether a socket at that side of the key has a close event, which the kernel side's filter may
	 * suppress. NULL: every socket has one. */
	bool (*is_side_reported)(void *context, const struct nt_wire *wire, int side);
};

struct join;

/* capacity: how many close events, and how many wire events, are held at most; beyond it the oldest is released as it
 * is. sockets_are_reported: false if the socket context is off; then every wire event becomes an observer's record.
 * *output is copied. Returns NULL without memory or random numbers. join_free() frees it. */
struct join *join_new(unsigned int capacity, __u32 own_netns, bool sockets_are_reported,
		      const struct join_output *output);

/* Drops held events without a callback; join_finish() releases them. NULL is allowed. */
void join_free(struct join *join);

/* length: bytes received of the event; the kernel side leaves out the wire part where there is none. */
void join_add_socket(struct join *join, const struct nt_socket_event *event, size_t length);
void join_add_socket_more(struct join *join, const struct nt_socket_more_event *event);
void join_add_wire(struct join *join, const struct nt_wire_event *event);

/* Releases the events whose time limits are over. */
void join_expire(struct join *join, __u64 now);

/* Releases all held events. */
void join_finish(struct join *join);

#endif
