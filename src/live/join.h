/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The join: one socket, one record. Pure: time and events come in, what is finished goes out by callback.
 *
 * A socket's end is held until what is still to come of it has come, or can no longer come:
 *   - the wire's end of the same connection, JOIN_WIRE_NS at most (gap `wire_end`);
 *   - its owner, where nobody has read or closed it yet, JOIN_OWNER_NS at most;
 *   - the reason of the RST that ends it, JOIN_REASON_NS at most.
 * A wire's end that belongs to a socket never becomes a record of its own; it waits for its sockets' ends (two, where
 * both sides are on this machine). Whose it is:
 *   1. the sockets' whose cookies its packets carried: a client's from the SYN on, a server's once it is established;
 *   2. else a socket's with the same tuple in the namespace of our interfaces (SYN cookies);
 *   3. else nobody's here: it passed through if its SYN left by an interface, or if its handshake was completed;
 *   4. else it was for this machine, and no socket answered it.
 * Times are nanoseconds of the events' clock.
 */
#ifndef NETRACKER_JOIN_H
#define NETRACKER_JOIN_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"
#include "src/record/socket_record.h"

#define JOIN_WIRE_NS 2000000000ULL
#define JOIN_OWNER_NS 900000000ULL /* its record is to be out within a second of the change to CLOSE */
#define JOIN_REASON_NS 50000000ULL
/* A wire's end waits for a socket: for one whose cookie it has (whose last FIN may be sent again and again until it is
 * acknowledged), and for one that it may have without its cookie. */
#define JOIN_CLAIM_NS 300000000000ULL
#define JOIN_UNCLAIMED_NS 1000000000ULL
/* A peer may reuse one tuple thousands of times a second: only the newest connections of a tuple are searched. */
#define JOIN_LIVES_SEARCHED 64

enum join_route {
	JOIN_NO_SOCKET,  /* answered by no socket: an observer's record */
	JOIN_FORWARDED, /* passed through */
};

struct join_output {
	void *context;
	void (*socket)(void *context, const struct joined_socket *joined);
	void (*observer)(void *context, const struct nt_wire_event *event, enum join_route passage);
	void (*claimed)(void *context);   /* a wire's end was a socket's */
	void (*no_memory)(void *context); /* an end was lost */
	/* Whether the wire still has the connection that a socket's end belongs to, where the kernel side did not look
	 * (NT_WIRE_NOT_ASKED): then it is copied to *wire. */
	bool (*find_wire)(void *context, const struct nt_socket *socket, struct nt_wire *wire);
	/* Whether the socket at that end of the key tells of its end: the kernel side may filter it. NULL: every one does. */
	bool (*reports_side)(void *context, const struct nt_wire *wire, int end);
};

struct join;

/* capacity: the most socket ends, and the most wire ends, that are held; beyond it the oldest goes out as it is.
 * sockets_are_reported: false where the socket context is off: then the wire's ends of sockets are observers' too.
 * Returns NULL where there is no memory, or no randomness. */
struct join *join_new(unsigned int capacity, __u32 own_netns, bool sockets_are_reported, const struct join_output *output);
void join_free(struct join *join);

/* length: of the event as it came, which may be without its wire part. */
void join_add_socket(struct join *join, const struct nt_socket_event *event, size_t length);
void join_add_socket_more(struct join *join, const struct nt_socket_more_event *event);
void join_add_wire(struct join *join, const struct nt_wire_event *event);

/* Lets go of what has waited long enough. */
void join_expire(struct join *join, __u64 now);

/* Lets go of all. */
void join_finish(struct join *join);

#endif
