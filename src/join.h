/* The join: one socket, one record. Pure: time and events come in, what is finished goes out by callback.
 *
 * A socket's end is held until what is still to come of it has come, or can no longer come:
 *   - the wire's end of the same connection, JOIN_WIRE_NS at most (gap `wire_end`);
 *   - its owner, where nobody has read or closed it yet, JOIN_OWNER_NS at most;
 *   - the reason of the RST that ends it, JOIN_REASON_NS at most.
 * A wire's end that belongs to a socket never becomes a record of its own; it waits for its sockets' ends (two, where
 * both sides are on this machine) for JOIN_CLAIM_NS. Whose it is, is decided in the order that docs/architecture.md
 * gives. Times are nanoseconds of the events' clock.
 */
#ifndef NETRACKER_JOIN_H
#define NETRACKER_JOIN_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/event.h"

#define JOIN_WIRE_NS 2000000000ULL
#define JOIN_OWNER_NS 900000000ULL
#define JOIN_REASON_NS 50000000ULL
#define JOIN_CLAIM_NS 300000000000ULL
#define JOIN_UNCLAIMED_NS 1000000000ULL /* a finished connection that no cookie tells of: whether a socket does */

/* A socket's end with all that is known of it. */
struct joined_socket {
	const struct nt_socket_event *event;
	const struct nt_wire *wire;        /* NULL: the wire saw nothing of it */
	const struct nt_stream *streams;   /* two, by index of the key's end; NULL: not followed */
	bool wire_ended;
};

enum join_passage {
	JOIN_OBSERVED, /* answered by no socket: an observer's record */
	JOIN_FORWARDED, /* passed through */
};

struct join_output {
	void *context;
	void (*socket)(void *context, const struct joined_socket *joined);
	void (*observer)(void *context, const struct nt_wire_event *event, enum join_passage passage);
	void (*claimed)(void *context);   /* a wire's end was a socket's */
	void (*no_memory)(void *context); /* an end was lost */
};

struct join;

/* capacity: the most socket ends, and the most wire ends, that are held; beyond it the oldest goes out as it is.
 * sockets_are_told: false where the socket context is off, and all that the wire tells is an observer's. NULL: no
 * memory. */
struct join *join_new(unsigned int capacity, __u32 own_netns, bool sockets_are_told, const struct join_output *output);
void join_free(struct join *join);

/* length: of the event as it came, which may be without its wire part. */
void join_socket(struct join *join, const struct nt_socket_event *event, size_t length);
void join_more(struct join *join, const struct nt_socket_more_event *event);
void join_wire(struct join *join, const struct nt_wire_event *event);

/* Lets go of what has waited long enough. */
void join_expire(struct join *join, __u64 now);

/* Lets go of all. */
void join_finish(struct join *join);

/* Socket ends that are held. */
unsigned int join_held(const struct join *join);

#endif
