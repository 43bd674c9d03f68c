/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection by Zeek's rules: its states, its timers, and its conn_state.
 *
 * nt_zeek_begin() starts a connection with its first packet; nt_zeek_take() in src/zeek/zeek_step.h applies every
 * packet, including the first. For each packet the host first runs the due timers of all connections with
 * nt_zeek_timer(), then calls nt_zeek_is_reuse(), then nt_zeek_take(). `now` is the packet's time, `clock` the highest
 * time so far: Zeek's clock never goes back, while packets may be out of order. Times are nanoseconds since the Unix
 * epoch; 0 means unset. When a connection is removed, the host frees history.text and the blocks of both streams.
 *
 *   sender's state       SYN                         FIN               RST               none of these
 *   -------------------- --------------------------- ----------------- ----------------- ------------------------------
 *   INACTIVE, originator SYN_SENT, SYNACK_SENT       CLOSED            RESET             ESTABLISHED for an ACK where
 *                                                                                        the peer is, else PARTIAL
 *   INACTIVE, responder  ESTABLISHED, and the peer   CLOSED            RESET             the same; INACTIVE for a bare
 *                        where it was SYN_SENT                                           ACK of the SYN
 *   SYN_SENT,
 *   SYNACK_SENT          unchanged                   CLOSED            RESET             unchanged
 *   ESTABLISHED          unchanged                   CLOSED (1)        RESET             unchanged
 *   PARTIAL              SYN_SENT while the peer     CLOSED (1)        RESET             unchanged
 *                        is INACTIVE
 *   CLOSED               unchanged                   unchanged         RESET unless the  unchanged
 *                                                                      peer is CLOSED
 *   RESET                unchanged                   unchanged         unchanged         unchanged
 *
 *   (1) A peer that was CLOSED before it sent a RST returns to CLOSED.
 *
 *   timer                set                                        connection is removed if
 *   -------------------- ------------------------------------------ ---------------------------------------------------
 *   attempt, 5 s         the originator's SYN or SYN-ACK            nothing answered
 *   inactivity, 60 s     the first packet; 300 s once the handshake no packet came for that time
 *                        is over, 1 h then for interactive ports
 *   expiry, 5 s          the first packet, then every 6 s; and 6 s  5 s of silence, and: both have closed, or one has
 *                        after the first of two has closed          and the other was reset or is INACTIVE; or both are
 *   removal, 5 s         the connection has ended: both have closed, always; all others but inactivity are cancelled
 *                        or with a RST, or the other is INACTIVE
 */
#ifndef NETRACKER_ZEEK_CONNECTION_H
#define NETRACKER_ZEEK_CONNECTION_H

#include "zeek_history.h"
#include "zeek_ports.h"
#include "zeek_stream.h"

#define NT_ZEEK_SECOND 1000000000ULL
#define NT_ZEEK_FIRST_EXPIRY (5 * NT_ZEEK_SECOND)           /* tcp_SYN_timeout */
#define NT_ZEEK_NEXT_EXPIRY (6 * NT_ZEEK_SECOND)            /* tcp_session_timer */
#define NT_ZEEK_LINGER (5 * NT_ZEEK_SECOND)                 /* tcp_connection_linger */
#define NT_ZEEK_ATTEMPT (5 * NT_ZEEK_SECOND)                /* tcp_attempt_delay */
#define NT_ZEEK_REMOVAL (5 * NT_ZEEK_SECOND)                /* tcp_close_delay */
#define NT_ZEEK_INACTIVITY_BEFORE (60 * NT_ZEEK_SECOND)     /* udp_inactivity_timeout */
#define NT_ZEEK_INACTIVITY (300 * NT_ZEEK_SECOND)           /* tcp_inactivity_timeout */
#define NT_ZEEK_INACTIVITY_OF_PORTS (3600 * NT_ZEEK_SECOND) /* Conn::port_inactivity_timeouts */

/* Results of the host's checks of a packet. */
enum nt_zeek_mark {
	NT_ZEEK_BAD_HEADER = 1, /* the TCP header was not captured whole, or its length is impossible */
	NT_ZEEK_BAD_CHECKSUM = 2,
	NT_ZEEK_CUT_PAYLOAD = 4, /* the payload was not captured whole */
};

struct nt_zeek_timers {
	__u64 attempt, inactivity, removal;
	__u64 expiry[2];
	__u64 inactivity_limit; /* a duration; the others are times */
};

/* endpoint[] and port[] have the same index as the key. */
struct nt_zeek_connection {
	__u64 start; /* time of the first packet */
	__u64 last;  /* time of the last packet before both sides had closed (last_time) */
	__u64 missed_bytes;
	struct nt_zeek_timers timers;
	struct nt_zeek_history history;
	struct nt_zeek_endpoint endpoint[2];
	__u16 port[2];
	__u8 orig;   /* the originator's index */
	__u8 self;   /* both endpoints are the same: every packet is the originator's */
	__u8 active; /* the event for its end was not generated yet (is_active) */
	__u8 partial;
	__u8 close_deferred;     /* a FIN or RST waits for earlier payload of its sender (close_deferred) */
	__u8 gen_event_deferred; /* generate the event then (deferred_gen_event) */
	__u8 first_fin;          /* 1 + index of the endpoint that sent the first FIN; 0: none */
};

/* State of the processing of one packet. */
struct nt_zeek_step {
	const struct nt_packet *packet;
	struct nt_zeek_endpoint *sender, *peer;
	__u64 now;
	__u64 relative;       /* sequence number relative to the sender's SYN */
	int is_orig;          /* the sender was the originator before this packet */
	int underflow;        /* the sequence number is before the sender's first */
	int close, gen_event; /* arguments of nt_zeek_close(), called after the payload was processed */
};

static inline struct nt_zeek_endpoint *nt_zeek_endpoint_of(struct nt_zeek_connection *connection, int is_orig)
{
	return &connection->endpoint[is_orig ? connection->orig : 1 - connection->orig];
}

static inline int nt_zeek_is_orig(const struct nt_zeek_connection *connection, const struct nt_zeek_endpoint *endpoint)
{
	return endpoint == &connection->endpoint[connection->orig];
}

static inline void nt_zeek_flip(struct nt_zeek_connection *connection)
{
	connection->orig = 1 - connection->orig;
	connection->partial = 0;
	nt_zeek_history_add(&connection->history, '^');
}

static inline void nt_zeek_limit_inactivity(struct nt_zeek_connection *connection, __u64 limit)
{
	if (connection->timers.inactivity_limit == limit)
		return;
	connection->timers.inactivity_limit = limit;
	connection->timers.inactivity = connection->last + limit;
}

static inline int nt_zeek_is_handshake(__u8 state)
{
	return state == NT_ENDPOINT_INACTIVE || state == NT_ENDPOINT_SYN_SENT || state == NT_ENDPOINT_SYNACK_SENT;
}

static inline void nt_zeek_set_state(struct nt_zeek_connection *connection, struct nt_zeek_endpoint *endpoint,
				     const struct nt_zeek_endpoint *peer, enum nt_endpoint state)
{
	if (endpoint->state == state)
		return;
	if (!nt_zeek_is_handshake(state) && nt_zeek_is_handshake(endpoint->state) && nt_zeek_is_handshake(peer->state))
		nt_zeek_limit_inactivity(connection, NT_ZEEK_INACTIVITY);
	endpoint->previous_state = endpoint->state;
	endpoint->state = state;
}

static inline void nt_zeek_clear(struct nt_zeek_connection *connection, int source, __u64 now, __u64 clock)
{
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->start = connection->last = now;
	connection->orig = source;
	connection->active = 1;
	connection->endpoint[0].stream.delivered = connection->endpoint[0].stream.trimmed = 1;
	connection->endpoint[1].stream.delivered = connection->endpoint[1].stream.trimmed = 1;
	connection->timers.expiry[0] = clock + NT_ZEEK_FIRST_EXPIRY;
	nt_zeek_limit_inactivity(connection, NT_ZEEK_INACTIVITY_BEFORE);
}

static inline int nt_zeek_is_broadcast(const struct nt_packet *packet)
{
	__u32 all = ~(__u32)0;

	return !packet->address_parts[4] && !packet->address_parts[5] &&
	       packet->address_parts[6] == nt_network32(0xffff) && packet->address_parts[7] == all;
}

/* Begins a connection with its first packet, which the caller passes to nt_zeek_take() next. source: index of its
 * sender. Addresses, ports and flags of the packet must be valid, even with NT_ZEEK_BAD_HEADER.
 */
static inline void nt_zeek_begin(struct nt_zeek_connection *connection, const struct nt_packet *packet, int source,
				 int self, __u64 now, __u64 clock)
{
	nt_zeek_clear(connection, source, now, clock);
	connection->self = self;
	connection->port[source] = packet->source_port;
	connection->port[1 - source] = packet->destination_port;
	if ((packet->flags & (NT_SYN | NT_ACK)) != NT_SYN && nt_zeek_source_is_server(packet) &&
	    !nt_zeek_is_broadcast(packet))
		nt_zeek_flip(connection);
}

/* True if the packet begins a new connection between the same endpoints (IsReuse). */
static inline int nt_zeek_is_reuse(const struct nt_zeek_connection *connection, const struct nt_packet *packet)
{
	const struct nt_zeek_endpoint *orig = &connection->endpoint[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->endpoint[1 - connection->orig];
	const struct nt_zeek_endpoint *opener = orig;

	if (!(packet->flags & NT_SYN))
		return 0;
	if (packet->flags & NT_ACK) {
		if (orig->state != NT_ENDPOINT_INACTIVE)
			return 0;
		opener = resp;
	}
	if (orig->closed || resp->closed)
		return 1;
	if (packet->sequence == opener->start)
		return 0;
	/* Not a reuse if SYN-ACK and SYN were captured out of order. */
	return packet->flags & NT_ACK || opener->state != NT_ENDPOINT_SYNACK_SENT ||
	       resp->state != NT_ENDPOINT_INACTIVE || packet->sequence != resp->start;
}

static inline void nt_zeek_cancel_timers(struct nt_zeek_timers *timers)
{
	timers->attempt = timers->removal = timers->expiry[0] = timers->expiry[1] = 0;
}

/* The endpoint has sent FIN or RST. Closes it, or defers that if earlier payload of it is still missing
 * (ConnectionClosed).
 */
static inline void nt_zeek_close(struct nt_zeek_connection *connection, struct nt_zeek_endpoint *endpoint,
				 struct nt_zeek_endpoint *peer, int gen_event)
{
	connection->close_deferred = nt_zeek_is_pending(endpoint, peer);
	if (connection->close_deferred) {
		connection->gen_event_deferred |= gen_event;
		return;
	}
	if (endpoint->closed)
		return;
	endpoint->closed = 1;
	if (endpoint->state != NT_ENDPOINT_RESET && !peer->closed && peer->state != NT_ENDPOINT_INACTIVE) {
		if (endpoint->previous_state != NT_ENDPOINT_INACTIVE)
			connection->timers.expiry[!!connection->timers.expiry[0]] = connection->last +
										    NT_ZEEK_NEXT_EXPIRY;
		return;
	}
	if (endpoint->previous_state != NT_ENDPOINT_INACTIVE || peer->state != NT_ENDPOINT_INACTIVE) {
		if (gen_event || connection->gen_event_deferred)
			connection->active = 0;
		connection->gen_event_deferred = 0;
	}
	nt_zeek_cancel_timers(&connection->timers);
	connection->timers.removal = connection->last + NT_ZEEK_REMOVAL;
}

/* Completes a deferred close if no earlier payload is missing any more (CheckEOF, EndpointEOF). */
static inline void nt_zeek_check_eof(struct nt_zeek_connection *connection, struct nt_zeek_endpoint *endpoint,
				     struct nt_zeek_endpoint *peer)
{
	if (endpoint->stream.at_end || nt_zeek_is_pending(endpoint, peer) ||
	    !(endpoint->sent_fin || endpoint->state == NT_ENDPOINT_CLOSED || endpoint->state == NT_ENDPOINT_RESET))
		return;
	endpoint->stream.at_end = 1;
	if (!connection->close_deferred)
		return;
	nt_zeek_close(connection, endpoint, peer, connection->gen_event_deferred);
	connection->close_deferred = 0;
}

/* Returns the time of the next timer, or 0 if none is set. */
static inline __u64 nt_zeek_next_timer(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_timers *timers = &connection->timers;
	const __u64 set[] = { timers->inactivity, timers->attempt, timers->removal, timers->expiry[0],
			      timers->expiry[1] };
	__u64 next = 0;
	unsigned int i;

	for (i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		if (set[i] && (!next || set[i] < next))
			next = set[i];
	return next;
}

static inline int nt_zeek_is_expired(const struct nt_zeek_connection *connection, __u64 clock)
{
	const struct nt_zeek_endpoint *a = &connection->endpoint[0], *b = &connection->endpoint[1];
	int one_reset = a->state == NT_ENDPOINT_RESET || b->state == NT_ENDPOINT_RESET;
	int one_inactive = a->state == NT_ENDPOINT_INACTIVE || b->state == NT_ENDPOINT_INACTIVE;

	if (connection->last + NT_ZEEK_LINGER >= clock)
		return 0;
	if (a->closed || b->closed)
		return (a->closed && b->closed) || one_reset || one_inactive;
	/* None of its packets could be parsed. */
	return a->state == NT_ENDPOINT_INACTIVE && b->state == NT_ENDPOINT_INACTIVE;
}

static inline int nt_zeek_is_attempt(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->endpoint[connection->orig];

	return connection->endpoint[1 - connection->orig].state == NT_ENDPOINT_INACTIVE &&
	       (orig->state == NT_ENDPOINT_SYN_SENT || orig->state == NT_ENDPOINT_SYNACK_SENT);
}

/* Runs the timer that is due next. Returns 1 if the host shall remove the connection. */
static inline int nt_zeek_timer(struct nt_zeek_connection *connection, __u64 clock)
{
	struct nt_zeek_timers *timers = &connection->timers;
	__u64 due = nt_zeek_next_timer(connection);
	int second;

	if (due == timers->removal)
		return 1;
	if (due == timers->inactivity) {
		timers->inactivity = connection->last + timers->inactivity_limit;
		return timers->inactivity <= clock;
	}
	if (due == timers->attempt) {
		timers->attempt = 0;
		return connection->active && nt_zeek_is_attempt(connection);
	}
	second = due != timers->expiry[0];
	timers->expiry[second] = connection->active ? clock + NT_ZEEK_NEXT_EXPIRY : 0;
	return connection->active && nt_zeek_is_expired(connection, clock);
}

/* Returns conn_state, Zeek's code for how the connection went. */
static inline const char *nt_zeek_conn_state(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->endpoint[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->endpoint[1 - connection->orig];
	const struct nt_conn_sides sides = {
		.src = orig->state,
		.dst = resp->state,
		.has_payload = nt_zeek_size(orig, resp) || nt_zeek_size(resp, orig),
		.history = connection->history.text,
		.history_length = connection->history.length,
	};

	return nt_conn_state(&sides);
}

#endif
