/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection by Zeek's rules: what it comes to, when it is forgotten, and what its packets did before.
 *
 * nt_zeek_begin() starts one with its first packet, nt_zeek_take() in src/zeek/zeek_step.h takes every packet, the first
 * too. Before a packet is taken the host asks nt_zeek_is_reuse(), and before any packet of the capture it runs what is
 * due of every connection: nt_zeek_timer(). `now` is the packet's own time, `clock` the latest of all so far: Zeek's
 * clock never goes back, its packets may. Times are nanoseconds; 0 is no time. At the end of a connection the host
 * frees history.text and the blocks of both streams.
 *
 *   sender's state       SYN                         FIN               RST               nothing of these
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
 *   (1) and a peer that was CLOSED before it sent a RST is CLOSED again.
 *
 *   timer                set                                        connection is forgotten where
 *   -------------------- ------------------------------------------ ---------------------------------------------------
 *   attempt, 5 s         the originator's SYN or SYN-ACK            nothing answered
 *   inactivity, 60 s     the first packet; 300 s once the handshake no packet came for so long
 *                        is over, 1 h then for interactive ports
 *   expiry, 5 s          the first packet, then every 6 s; and 6 s  5 s of silence, and: both have closed, or one has
 *                        after the first of two has closed          and the other was reset or is INACTIVE; or both are
 *   removal, 5 s         it is over: the last of both has closed,   always; the others but inactivity are cancelled
 *                        or with a RST, or the other is INACTIVE
 */
#ifndef NETRACKER_ZEEK_CONNECTION_H
#define NETRACKER_ZEEK_CONNECTION_H

#include "zeek_history.h"
#include "zeek_ports.h"
#include "zeek_stream.h"

#define NT_ZEEK_SECOND 1000000000ULL
#define NT_ZEEK_FIRST_EXPIRY (5 * NT_ZEEK_SECOND) /* tcp_SYN_timeout */
#define NT_ZEEK_NEXT_EXPIRY (6 * NT_ZEEK_SECOND)  /* tcp_session_timer */
#define NT_ZEEK_LINGER (5 * NT_ZEEK_SECOND)	  /* tcp_connection_linger */
#define NT_ZEEK_ATTEMPT (5 * NT_ZEEK_SECOND)	  /* tcp_attempt_delay */
#define NT_ZEEK_REMOVAL (5 * NT_ZEEK_SECOND)	  /* tcp_close_delay */
#define NT_ZEEK_INACTIVITY_BEFORE (60 * NT_ZEEK_SECOND) /* udp_inactivity_timeout */
#define NT_ZEEK_INACTIVITY (300 * NT_ZEEK_SECOND)	/* tcp_inactivity_timeout */
#define NT_ZEEK_INACTIVITY_OF_PORTS (3600 * NT_ZEEK_SECOND) /* Conn::port_inactivity_timeouts */

/* What the host knows of a packet beyond the parse. */
enum nt_zeek_mark {
	NT_ZEEK_BAD_HEADER = 1,   /* the TCP header was not captured whole, or its length cannot be */
	NT_ZEEK_BAD_CHECKSUM = 2,
	NT_ZEEK_CUT_PAYLOAD = 4,  /* the payload was not captured whole */
};

struct nt_zeek_timers {
	__u64 attempt, inactivity, removal;
	__u64 expiry[2];
	__u64 inactivity_limit; /* how long, not when */
};

/* end[] is indexed as the key is. */
struct nt_zeek_connection {
	__u64 start; /* the first packet's time */
	__u64 last;  /* until both sides have closed (last_time) */
	__u64 missed_bytes;
	struct nt_zeek_timers timers;
	struct nt_zeek_history history;
	struct nt_zeek_endpoint end[2];
	__u16 port[2];
	__u8 orig;   /* the originator's index */
	__u8 self;   /* both end points are the same: every packet is the originator's */
	__u8 active; /* its end was not told yet (is_active) */
	__u8 partial;
	__u8 close_deferred; /* an end is waiting for what was sent before it (close_deferred) */
	__u8 tell_deferred;  /* and shall be told then (deferred_gen_event) */
	__u8 first_fin; /* 1 + index of the side that sent the first FIN; 0: none */
};

/* One packet on its way through the rules. */
struct nt_zeek_step {
	const struct nt_packet *packet;
	struct nt_zeek_endpoint *sender, *peer;
	__u64 now;
	__u64 relative; /* its sequence number */
	int is_orig;    /* its sender was the originator when it came */
	int underflow;  /* its sequence number is before the sender's first */
	int close, tell;
};

static inline struct nt_zeek_endpoint *nt_zeek_role(struct nt_zeek_connection *connection, int is_orig)
{
	return &connection->end[is_orig ? connection->orig : 1 - connection->orig];
}

static inline int nt_zeek_is_orig(const struct nt_zeek_connection *connection,
				  const struct nt_zeek_endpoint *endpoint)
{
	return endpoint == &connection->end[connection->orig];
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
	if (!nt_zeek_is_handshake(state) && nt_zeek_is_handshake(endpoint->state) &&
	    nt_zeek_is_handshake(peer->state))
		nt_zeek_limit_inactivity(connection, NT_ZEEK_INACTIVITY);
	endpoint->previous_state = endpoint->state;
	endpoint->state = state;
}

static inline void nt_zeek_init(struct nt_zeek_connection *connection, int source, __u64 now, __u64 clock)
{
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->start = connection->last = now;
	connection->orig = source;
	connection->active = 1;
	connection->end[0].stream.delivered = connection->end[0].stream.trimmed = 1;
	connection->end[1].stream.delivered = connection->end[1].stream.trimmed = 1;
	connection->timers.expiry[0] = clock + NT_ZEEK_FIRST_EXPIRY;
	nt_zeek_limit_inactivity(connection, NT_ZEEK_INACTIVITY_BEFORE);
}

static inline int nt_zeek_is_broadcast(const struct nt_packet *packet)
{
	__u32 all = ~(__u32)0;

	return !packet->address_parts[4] && !packet->address_parts[5] &&
	       packet->address_parts[6] == nt_network32(0xffff) && packet->address_parts[7] == all;
}

/* Begins a connection with its first packet, which is to be taken afterwards. source: the index of its sender. Of
 * the packet at least addresses, ports and flags are valid, also where it has NT_ZEEK_BAD_HEADER.
 */
static inline void nt_zeek_begin(struct nt_zeek_connection *connection, const struct nt_packet *packet, int source,
				 int self, __u64 now, __u64 clock)
{
	nt_zeek_init(connection, source, now, clock);
	connection->self = self;
	connection->port[source] = packet->source_port;
	connection->port[1 - source] = packet->destination_port;
	if ((packet->flags & (NT_SYN | NT_ACK)) != NT_SYN && nt_zeek_source_is_server(packet) &&
	    !nt_zeek_is_broadcast(packet))
		nt_zeek_flip(connection);
}

/* The packet begins another connection of these end points (IsReuse). */
static inline int nt_zeek_is_reuse(const struct nt_zeek_connection *connection, const struct nt_packet *packet)
{
	const struct nt_zeek_endpoint *orig = &connection->end[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->end[1 - connection->orig];
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
	/* SYN-ACK and SYN were captured in the wrong order. */
	return packet->flags & NT_ACK || opener->state != NT_ENDPOINT_SYNACK_SENT || resp->state != NT_ENDPOINT_INACTIVE ||
	       packet->sequence != resp->start;
}

static inline void nt_zeek_cancel_timers(struct nt_zeek_timers *timers)
{
	timers->attempt = timers->removal = timers->expiry[0] = timers->expiry[1] = 0;
}

/* The end point has closed, unless something that it sent before is still to come (ConnectionClosed). */
static inline void nt_zeek_close(struct nt_zeek_connection *connection, struct nt_zeek_endpoint *endpoint,
				 struct nt_zeek_endpoint *peer, int tell)
{
	connection->close_deferred = nt_zeek_is_pending(endpoint, peer);
	if (connection->close_deferred) {
		connection->tell_deferred |= tell;
		return;
	}
	if (endpoint->closed)
		return;
	endpoint->closed = 1;
	if (endpoint->state != NT_ENDPOINT_RESET && !peer->closed && peer->state != NT_ENDPOINT_INACTIVE) {
		if (endpoint->previous_state != NT_ENDPOINT_INACTIVE)
			connection->timers.expiry[!!connection->timers.expiry[0]] =
				connection->last + NT_ZEEK_NEXT_EXPIRY;
		return;
	}
	if (endpoint->previous_state != NT_ENDPOINT_INACTIVE || peer->state != NT_ENDPOINT_INACTIVE) {
		if (tell || connection->tell_deferred)
			connection->active = 0;
		connection->tell_deferred = 0;
	}
	nt_zeek_cancel_timers(&connection->timers);
	connection->timers.removal = connection->last + NT_ZEEK_REMOVAL;
}

/* An end that was waiting has all that was sent before it (CheckEOF, EndpointEOF). */
static inline void nt_zeek_check_end(struct nt_zeek_connection *connection, struct nt_zeek_endpoint *endpoint,
				     struct nt_zeek_endpoint *peer)
{
	if (endpoint->stream.at_end || nt_zeek_is_pending(endpoint, peer) ||
	    !(endpoint->sent_fin || endpoint->state == NT_ENDPOINT_CLOSED || endpoint->state == NT_ENDPOINT_RESET))
		return;
	endpoint->stream.at_end = 1;
	if (!connection->close_deferred)
		return;
	nt_zeek_close(connection, endpoint, peer, connection->tell_deferred);
	connection->close_deferred = 0;
}

/* When the next timer is due; 0: none is set. */
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
	const struct nt_zeek_endpoint *a = &connection->end[0], *b = &connection->end[1];
	int one_reset = a->state == NT_ENDPOINT_RESET || b->state == NT_ENDPOINT_RESET;
	int one_inactive = a->state == NT_ENDPOINT_INACTIVE || b->state == NT_ENDPOINT_INACTIVE;

	if (connection->last + NT_ZEEK_LINGER >= clock)
		return 0;
	if (a->closed || b->closed)
		return (a->closed && b->closed) || one_reset || one_inactive;
	/* Nothing ever happened: its packets were not readable. */
	return a->state == NT_ENDPOINT_INACTIVE && b->state == NT_ENDPOINT_INACTIVE;
}

static inline int nt_zeek_is_attempt(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->end[connection->orig];

	return connection->end[1 - connection->orig].state == NT_ENDPOINT_INACTIVE &&
	       (orig->state == NT_ENDPOINT_SYN_SENT || orig->state == NT_ENDPOINT_SYNACK_SENT);
}

/* Runs the timer that is due next. 1: the connection is to be forgotten. */
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

/* Zeek's summary of how it went (conn_state). */
static inline const char *nt_zeek_conn_state(const struct nt_zeek_connection *connection)
{
	const struct nt_zeek_endpoint *orig = &connection->end[connection->orig];
	const struct nt_zeek_endpoint *resp = &connection->end[1 - connection->orig];
	const struct nt_conn_sides ends = {
		.src = orig->state,
		.dst = resp->state,
		.has_payload = nt_zeek_size(orig, resp) || nt_zeek_size(resp, orig),
		.history = connection->history.text,
		.history_length = connection->history.length,
	};

	return nt_conn_state(&ends);
}

#endif
