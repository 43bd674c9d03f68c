/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An observer of packets in its simplest form: one table, in which a connection stays from its SYN to its end. It is the
 * whole host of the core for those that need no more: the classic mode, the eunomia-bpf version and the BCC version.
 *
 * The includer defines the four functions that are declared here, over its own tables; and before, where its table keeps
 * more of a connection, NT_TRACKED_MORE: the declarations of those members.
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

/* One packet at work. Too much for a BPF stack; and in a map the verifier takes what it holds for unknown, and has fewer
 * cases to go through. */
struct nt_table_step {
	struct nt_packet packet;
	struct nt_key key;
	struct nt_tracked fresh, ended;
	__u64 now;
	__u32 source;      /* index of the key's end that sent the packet */
	__u32 is_outgoing; /* it leaves by the interface */
	__u32 ifindex;
};

/* NULL: there is none. */
NT_INLINE struct nt_tracked *nt_tracked_find(const struct nt_key *key);
/* 0 for the one of several processors that takes it out of the table. */
NT_INLINE int nt_tracked_remove(const struct nt_key *key);
/* Puts `fresh`, whose `connection` is filled, into the table. */
NT_INLINE void nt_tracked_began(struct nt_table_step *observer);
/* Tells of `ended`, which was taken out of the table. */
NT_INLINE void nt_tracked_ended(struct nt_table_step *observer);

/* Nothing can change any more but by FIN and RST: all that most packets do is to be seen. One that has ended, of which
 * neither of two processors was told, is not settled.
 */
NT_INLINE int nt_tracked_is_settled(const struct nt_tracked *observed, const struct nt_packet *packet)
{
	enum nt_state state = nt_connection_state(&observed->connection);

	return !(packet->flags & (NT_SYN | NT_FIN | NT_RST)) && observed->connection.ack_ns &&
	       (state == NT_STATE_ESTABLISHED || state == NT_STATE_HALF_CLOSED);
}

/* Takes one packet. The host has filled in packet and now, and what of the rest its own functions use. What had begun
 * before the observer is not known: a connection begins with its SYN. Returns the packet's connection where it changed
 * and goes on, else NULL.
 */
NT_INLINE struct nt_tracked *nt_single_table_step(struct nt_table_step *observer, __u32 netns)
{
	const struct nt_packet *packet = &observer->packet;
	struct nt_tracked *observed;
	__u32 result = NT_STEP_NEW;

	observer->source = nt_key_from_packet(&observer->key, packet, netns);
	observed = nt_tracked_find(&observer->key);
	if (observed && nt_tracked_is_settled(observed, packet)) {
		observed->connection.last_seen_ns = observer->now;
		return 0;
	}
	if (observed) {
		result = nt_connection_step(&observed->connection, packet, observer->source & 1, observer->now);
		if (!(result & NT_STEP_NEW) && nt_connection_state(&observed->connection) < NT_STATE_CLOSED)
			return result & NT_STEP_CHANGED ? observed : 0;
		observer->ended = *observed; /* a table uses an entry again at once */
		if (!nt_tracked_remove(&observer->key))
			nt_tracked_ended(observer);
	}
	if (result & NT_STEP_NEW && (packet->flags & (NT_SYN | NT_ACK | NT_RST)) == NT_SYN) {
		nt_connection_begin(&observer->fresh.connection, packet, observer->source & 1, observer->now);
		nt_tracked_began(observer);
	}
	return 0;
}

#endif
