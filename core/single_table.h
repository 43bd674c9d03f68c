/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The single-table tracker: it follows packets only, and keeps a connection in one table from its SYN to its end. It is
 * shared by `netracker attach`, the eunomia-bpf version and the BCC version.
 *
 * The includer defines the four functions that are declared here, over its own table. If its table keeps further
 * members of a connection, it first defines NT_TRACKED_MORE as their declarations.
 */
#ifndef NETRACKER_CORE_SINGLE_TABLE_H
#define NETRACKER_CORE_SINGLE_TABLE_H

#include "key.h"
#include "result.h"

#ifndef NT_TRACKED_MORE
#define NT_TRACKED_MORE
#endif

struct nt_tracked {
	struct nt_connection connection;
	NT_TRACKED_MORE
};

/* Working memory for one packet. It is too large for a BPF stack, and the verifier takes values in a map for unknown
 * and so has fewer cases to check. */
struct nt_table_step {
	struct nt_packet packet;
	struct nt_key key;
	struct nt_tracked fresh, ended;
	__u64 now;
	__u32 source;      /* the side of the key that sent the packet */
	__u32 is_outgoing; /* seen on egress */
	__u32 ifindex;
};

/* Returns the entry of the key, NULL if there is none. */
NT_INLINE struct nt_tracked *nt_tracked_find(const struct nt_key *key);
/* Removes the entry of the key. Returns 0 for one of several processors that do. */
NT_INLINE int nt_tracked_remove(const struct nt_key *key);
/* Inserts `fresh`, whose `connection` is filled, into the table. */
NT_INLINE void nt_tracked_began(struct nt_table_step *step);
/* Reports `ended`, which was removed from the table. */
NT_INLINE void nt_tracked_ended(struct nt_table_step *step);

/* Returns whether only a SYN, FIN or RST can still change the connection, and this packet is none: then only the time
 * of the last packet changes. A connection that has ended is not settled: two processors may both have missed its end.
 */
NT_INLINE int nt_tracked_is_settled(const struct nt_tracked *tracked, const struct nt_packet *packet)
{
	enum nt_state state = nt_connection_state(&tracked->connection);

	return !(packet->flags & (NT_SYN | NT_FIN | NT_RST)) && tracked->connection.ack_ns &&
	       (state == NT_STATE_ESTABLISHED || state == NT_STATE_HALF_CLOSED);
}

/* Takes one packet. The host has set `packet`, `now` and those other members that its own functions use. A connection
 * begins with its SYN; pre-existing ones are ignored. Returns the packet's connection if it changed and is still open,
 * otherwise NULL.
 */
NT_INLINE struct nt_tracked *nt_single_table_step(struct nt_table_step *step, __u32 netns)
{
	const struct nt_packet *packet = &step->packet;
	struct nt_tracked *tracked;
	__u32 result = NT_STEP_NEW;

	step->source = nt_key_from_packet(&step->key, packet, netns);
	tracked = nt_tracked_find(&step->key);
	if (tracked && nt_tracked_is_settled(tracked, packet)) {
		tracked->connection.last_seen_ns = step->now;
		return 0;
	}
	if (tracked) {
		result = nt_connection_step(&tracked->connection, packet, step->source & 1, step->now);
		if (!(result & NT_STEP_NEW) && nt_connection_state(&tracked->connection) < NT_STATE_CLOSED)
			return result & NT_STEP_CHANGED ? tracked : 0;
		step->ended = *tracked; /* copied first, because a table reuses a removed entry at once */
		if (!nt_tracked_remove(&step->key))
			nt_tracked_ended(step);
	}
	if (tracked && result & NT_STEP_NEW)
		nt_connection_begin_next(&step->fresh.connection, &step->ended.connection, packet, step->source & 1,
					 step->now);
	else if (result & NT_STEP_NEW && (packet->flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN)
		nt_connection_begin(&step->fresh.connection, packet, step->source & 1, step->now);
	else
		return 0;
	nt_tracked_began(step);
	return 0;
}

#endif
