// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/socket_record.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "core/ownership.h"
#include "core/verdict.h"
#include "src/record/packet_record.h"
#include "src/record/record_id.h"

static void set_u64(struct nt_record *record, int bit, __u64 *member, __u64 value)
{
	*member = value;
	nt_record_set(record, bit);
}

static void set_u32(struct nt_record *record, int bit, __u32 *member, __u32 value)
{
	*member = value;
	nt_record_set(record, bit);
}

/* Does nothing if either time is unknown. */
static void socket_set_span(struct nt_record *record, int bit, __u64 *member, __u64 from, __u64 to)
{
	if (from && to && to >= from)
		set_u64(record, bit, member, to - from);
}

static bool is_connected_to_itself(const struct nt_socket *socket)
{
	return socket->local_port == socket->remote_port && !memcmp(socket->local, socket->remote, 16);
}

static void socket_fill_tuple(struct nt_record *record, const struct nt_socket *socket)
{
	bool client = nt_socket_own_side(socket) == NT_SRC;

	record->role = socket->role;
	memcpy(record->src_ip, client ? socket->local : socket->remote, 16);
	memcpy(record->dst_ip, client ? socket->remote : socket->local, 16);
	record->src_port = client ? socket->local_port : socket->remote_port;
	record->dst_port = client ? socket->remote_port : socket->local_port;
	set_u32(record, NT_HAS_NETNS, &record->netns, socket->netns);
}

static void fill_netns_name(struct nt_record *record, const struct record_lookups *lookups)
{
	if (!nt_record_has(record, NT_HAS_NETNS) || !lookups->netns_name)
		return;
	record->netns_name = lookups->netns_name(lookups->context, record->netns);
	if (record->netns_name)
		nt_record_set(record, NT_HAS_NETNS_NAME);
}

/* Without a cookie the address and the start identify the socket: a later socket may have the same address. */
static void fill_id(struct nt_record *record, const struct nt_socket_event *event, const struct record_lookups *lookups)
{
	const __u64 life[2] = { event->address, event->socket.start_ns };
	__u64 socket = event->socket.cookie ? event->socket.cookie : record_id_hash(life, sizeof(life));

	record_id_socket(record, lookups->boot_hash, socket, event->socket.nth);
}

static void fill_process(struct nt_record *record, const struct process *process)
{
	record->exe = process->executable;
	record->cgroup = process->cgroup;
	if (record->exe)
		nt_record_set(record, NT_HAS_EXE);
	if (record->cgroup)
		nt_record_set(record, NT_HAS_CGROUP);
	if (process->container[0]) {
		memcpy(record->container, process->container, sizeof(record->container));
		nt_record_set(record, NT_HAS_CONTAINER);
	}
}

static void fill_owner_process(struct nt_record *record, const struct nt_owner *owner, struct process_table *processes)
{
	const struct process *process = process_table_find(processes, &owner->process);

	set_u32(record, NT_HAS_PID, &record->pid, owner->process.pid);
	set_u32(record, NT_HAS_UID, &record->uid, owner->uid);
	memcpy(record->comm, owner->comm, sizeof(record->comm));
	nt_record_set(record, NT_HAS_COMM);
	if (process)
		fill_process(record, process);
}

static void fill_owner(struct nt_record *record, const struct nt_owner *owner, struct process_table *processes)
{
	if (owner->by == NT_OWNER_LISTEN || !owner->process.pid)
		record->gaps |= NT_GAP_OWNER;
	if (!owner->process.pid)
		return;
	fill_owner_process(record, owner, processes);
	record->owner_by = owner->by;
	nt_record_set(record, NT_HAS_OWNER_BY);
	if (!record->exe || !record->cgroup)
		record->gaps |= NT_GAP_OWNER_PARTIAL;
}

/* Returns the wire's connection with the socket's src: in a simultaneous open that is the socket's own side, and not
 * the side whose SYN was seen first.
 */
static struct nt_connection orient_to_socket(const struct nt_wire *wire, const struct nt_socket *socket)
{
	struct nt_connection oriented = wire->connection;
	int own = nt_side_of_socket(wire, socket);
	int src = nt_socket_own_side(socket) == NT_SRC ? own : !own, i;

	if (own < 0 || oriented.src_index == src || oriented.marks & NT_MARK_SELF)
		return oriented;
	oriented.src_index = src;
	for (i = 0; i < oriented.history_length && i < NT_CONNECTION_HISTORY; i++)
		oriented.history[i] = isupper(oriented.history[i]) ? tolower(oriented.history[i]) :
								     toupper(oriented.history[i]);
	return oriented;
}

/* The tuple of the packets is that of the socket, unless address translation changed it. */
static void fill_wire_tuple(struct nt_record *record, const struct nt_key *key, const struct nt_connection *wire)
{
	int src = wire->src_index, dst = wire->marks & NT_MARK_SELF ? src : !src;

	if (!nt_key_side_is(key, src, record->src_ip, record->src_port)) {
		memcpy(record->wire_src_ip, key->address[src], sizeof(record->wire_src_ip));
		record->wire_src_port = key->port[src];
		nt_record_set(record, NT_HAS_WIRE_SRC);
	}
	if (!nt_key_side_is(key, dst, record->dst_ip, record->dst_port)) {
		memcpy(record->wire_dst_ip, key->address[dst], sizeof(record->wire_dst_ip));
		record->wire_dst_port = key->port[dst];
		nt_record_set(record, NT_HAS_WIRE_DST);
	}
}

/* A FIN that waits for the process that holds the socket is taken this much after the packets show it, at most. */
#define FIN_DELAY_NS 50000000ULL

static bool has_taken_reset(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	return socket->reset_received || counts->error == ECONNRESET || counts->error == EPIPE ||
	       counts->error == ECONNREFUSED;
}

static bool has_taken_both_fins(const struct nt_socket *socket)
{
	return socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;
}

/* Returns whether the socket shows that it did not take the peer's FIN. In FIN_WAIT2 it may close without having seen
 * the FIN that is still to come.
 */
static bool has_refused_fin(const struct nt_socket *socket, const struct nt_socket_counts *counts, __u64 fin_ns)
{
	if (socket->flags & NT_SOCKET_REMOTE_FIRST)
		return false;
	if (socket->flags & NT_SOCKET_LOCAL_FIN && fin_ns + FIN_DELAY_NS < socket->first_fin_ns)
		return true;
	return !(socket->flags & NT_SOCKET_REMOTE_FIN) &&
	       (!(socket->flags & NT_SOCKET_LOCAL_FIN) || has_taken_reset(socket, counts));
}

static void drop_fin(struct nt_connection *connection, int side)
{
	connection->side[side] &= (__u8)~NT_SIDE_FIN;
	connection->fin_ns[side] = 0;
	nt_connection_find_first_closer(connection);
}

/* The FIN that was seen was a forged one in the right place: the true one has an unknown time, and is the second. */
static void delay_fin(struct nt_connection *connection, int side)
{
	connection->fin_ns[side] = 0;
	connection->first_closer = (__u8)(2 - side);
}

/* Corrects the peer's FIN. */
static void judge_peer_fin(struct nt_connection *connection, int peer, const struct nt_socket_event *event)
{
	if (!(connection->side[peer] & NT_SIDE_FIN) ||
	    !has_refused_fin(&event->socket, &event->counts, connection->fin_ns[peer]))
		return;
	if (has_taken_both_fins(&event->socket))
		delay_fin(connection, peer);
	else
		drop_fin(connection, peer);
}

/* Corrects the socket's own FIN. */
static void judge_own_fin(struct nt_connection *connection, int own, const struct nt_socket *socket)
{
	if (!(connection->side[own] & NT_SIDE_FIN))
		return;
	if (!(socket->flags & NT_SOCKET_LOCAL_FIN))
		drop_fin(connection, own);
	else if (socket->flags & NT_SOCKET_REMOTE_FIRST && connection->fin_ns[1 - own] > connection->fin_ns[own])
		delay_fin(connection, own);
}

/* Takes the RSTs and FINs that the socket did not take or send out of the connection. The packets show what passed by;
 * the socket knows what counted. Before the handshake it has no evidence of its own, nor if its end was missed.
 */
static void drop_refused(struct nt_connection *connection, int own, const struct nt_socket_event *event)
{
	const struct nt_socket *socket = &event->socket;
	int peer = 1 - own;

	if (own < 0 || connection->marks & NT_MARK_SELF || socket->missed_end ||
	    nt_is_attempt(socket, event->counts.old_state))
		return;
	if (nt_connection_side_reset(connection, peer) && !has_taken_reset(socket, &event->counts))
		nt_connection_revive(connection, own, peer);
	if (nt_connection_side_reset(connection, own) && has_taken_both_fins(socket))
		nt_connection_revive(connection, peer, own);
	judge_peer_fin(connection, peer, event);
	judge_own_fin(connection, own, socket);
}

static void socket_fill_wire(struct nt_record *record, const struct joined_socket *joined,
			     const struct nt_connection *wire, const struct record_lookups *lookups)
{
	if (!wire)
		return;
	record_add_wire(record, wire);
	fill_wire_tuple(record, &joined->wire->key, wire);
	record_add_place(record, wire, lookups->interface_name(lookups->context, joined->wire->ifindex));
	if (joined->streams)
		record_add_streams(record, wire, joined->streams);
}

static void fill_interface(struct nt_record *record, __u32 ifindex, const struct record_lookups *lookups)
{
	const char *name = ifindex && lookups->scope_name ? lookups->scope_name(record->netns, ifindex) : NULL;

	if (!name)
		return;
	snprintf(record->ifname, sizeof(record->ifname), "%s", name);
	nt_record_set(record, NT_HAS_IFNAME);
}

/* A link-local address means nothing without its interface, so the record names that though no packet was seen. */
static void fill_scope(struct nt_record *record, const struct nt_socket *socket, const struct record_lookups *lookups)
{
	if (!nt_record_has(record, NT_HAS_IFNAME))
		fill_interface(record, socket->scope_ifindex, lookups);
}

/* A server's connection starts with the first SYN, if that was seen. The SYN of a restored connection made another
 * socket. */
static __u64 socket_start_ns(const struct nt_socket *socket, const struct nt_connection *wire)
{
	if (socket->flags & NT_SOCKET_PREEXISTING)
		return 0;
	return socket->role == NT_ROLE_SERVER && wire && wire->syn_ns ? wire->syn_ns : socket->start_ns;
}

/* If a side sent FINs in two places, the packets show the last one. The socket has sent or taken the first if it knows
 * of an earlier one. */
static bool is_first_fin_refused(const struct nt_socket *socket, const struct nt_connection *wire)
{
	return wire->marks & NT_MARK_TWO_FINS && socket->first_fin_ns &&
	       nt_connection_first_fin_or_rst(wire) > socket->first_fin_ns;
}

static __u64 first_fin_ns_of(const struct nt_record *record, const struct nt_socket *socket,
			     const struct nt_connection *wire)
{
	if (wire && nt_connection_first_fin_or_rst(wire) && !is_first_fin_refused(socket, wire))
		return nt_connection_first_fin_or_rst(wire);
	if (socket->flags & (NT_SOCKET_LOCAL_FIN | NT_SOCKET_REMOTE_FIN))
		return socket->first_fin_ns;
	/* Without a FIN, a RST that ended the connection was sent or received at the change to CLOSE. */
	if (record->outcome == NT_OUTCOME_RESET || record->outcome == NT_OUTCOME_REFUSED ||
	    socket->flags & NT_SOCKET_RESET_SENT)
		return socket->missed_end == NT_END_MISSED_UNTIMED ? 0 : socket->close_ns;
	return 0;
}

static void socket_fill_times(struct nt_record *record, const struct nt_socket *socket,
			      const struct nt_connection *wire, const struct nt_streams *streams,
			      const struct record_lookups *lookups, __u64 end_ns)
{
	__u64 start = socket_start_ns(socket, wire);

	record->end_ns = end_ns + lookups->boot_to_utc_ns;
	if (start)
		set_u64(record, NT_HAS_START, &record->start_ns, start + lookups->boot_to_utc_ns);
	else
		record->gaps |= NT_GAP_START;
	if (socket->missed_end != NT_END_MISSED_UNTIMED)
		socket_set_span(record, NT_HAS_DURATION, &record->duration_ns, start, end_ns);
	socket_set_span(record, NT_HAS_FIRST_FIN, &record->first_fin_ns, start, first_fin_ns_of(record, socket, wire));
	if (wire)
		record_add_first_payloads(record, wire, start);
	if (wire && streams)
		record_add_last_exchange(record, wire, &streams->exchange, start);
	if (socket->role == NT_ROLE_CLIENT && !wire && start && socket->established_ns >= start) {
		record->handshake_ns = (long long)(socket->established_ns - start);
		nt_record_set(record, NT_HAS_HANDSHAKE);
	}
}

static void fill_rtt(struct nt_record *record, const struct nt_socket_counts *counts)
{
	/* Without a sample min_rtt_us is left over from the socket's earlier connection. */
	if (!counts->srtt_us)
		return;
	set_u32(record, NT_HAS_RTT, &record->rtt_us, counts->srtt_us);
	if (counts->min_rtt_us != ~0U)
		set_u32(record, NT_HAS_MIN_RTT, &record->min_rtt_us, counts->min_rtt_us);
}

/* Names the cause with the largest part of the time since it was established. The kernel counts time while data waits
 * to be sent; the rest is the application's.
 */
static void fill_limited_by(struct nt_record *record, const struct nt_socket_counts *counts)
{
	__u32 sending = counts->busy_jiffies + counts->receiver_limited_jiffies + counts->sndbuf_limited_jiffies;
	__u32 most = counts->busy_jiffies;

	if (!sending || !counts->lifetime_jiffies)
		return;
	record->limited_by = NT_LIMITED_NETWORK;
	if (counts->receiver_limited_jiffies > most) {
		most = counts->receiver_limited_jiffies;
		record->limited_by = NT_LIMITED_RECEIVER;
	}
	if (counts->sndbuf_limited_jiffies > most) {
		most = counts->sndbuf_limited_jiffies;
		record->limited_by = NT_LIMITED_SNDBUF;
	}
	if (counts->lifetime_jiffies > sending && counts->lifetime_jiffies - sending > most)
		record->limited_by = NT_LIMITED_IDLE;
	nt_record_set(record, NT_HAS_LIMITED_BY);
}

static void socket_fill_counts(struct nt_record *record, const struct nt_socket *socket,
			       const struct nt_socket_counts *counts)
{
	enum nt_side own = nt_socket_own_side(socket);

	if (!counts->valid)
		return;
	set_u64(record, NT_HAS_SRC_BYTES + own, &record->bytes[own], counts->bytes_sent);
	set_u64(record, NT_HAS_SRC_BYTES + !own, &record->bytes[!own], counts->bytes_received);
	if (!(record->seen & NT_SEEN_PACKETS)) {
		set_u64(record, NT_HAS_SRC_PACKETS + own, &record->packets[own], counts->segments_out);
		set_u64(record, NT_HAS_SRC_PACKETS + !own, &record->packets[!own], counts->segments_in);
		set_u64(record, NT_HAS_SRC_RETRANSMITS + own, &record->retransmits[own], counts->retransmits);
	}
	fill_rtt(record, counts);
	fill_limited_by(record, counts);
}

/* TCP counts no byte that a program of a sockmap moved from one socket to another. */
static void leave_out_bypassed_bytes(struct nt_record *record)
{
	nt_record_unset(record, NT_HAS_SRC_BYTES);
	nt_record_unset(record, NT_HAS_DST_BYTES);
	record->gaps |= NT_GAP_BYPASS;
}

/* ---- outcome ---- */

struct verdict {
	enum nt_outcome outcome;
	int ended_by;       /* enum nt_side; -1: absent */
	const char *reason; /* NULL: absent */
};

static struct verdict verdict_ended_by(enum nt_outcome outcome, enum nt_side by)
{
	return (struct verdict){ .outcome = outcome, .ended_by = by };
}

static struct verdict verdict_failed(enum nt_outcome outcome, const char *reason)
{
	return (struct verdict){ .outcome = outcome, .ended_by = -1, .reason = reason };
}

static struct verdict verdict_unreachable(int error)
{
	return verdict_failed(NT_OUTCOME_UNREACHABLE, strerrorname_np(error));
}

/* The other cause of ECONNREFUSED is an ICMP port unreachable. A RST that the wire context did not see may still have
 * arrived, by an interface that is not watched.
 */
static bool was_refused_by_reset(const struct nt_socket *socket, const struct nt_connection *wire)
{
	return socket->reset_received || (wire && nt_connection_reset_by_anyone(wire));
}

/* Returns the error that ended the socket. If no program saw the end, the application may have taken the error since.
 * If the peer still had to answer something, a timer ended the socket, unless a RST of the peer did. */
static __u32 infer_error(const struct nt_socket *socket, const struct nt_socket_counts *counts,
			 const struct nt_connection *wire)
{
	enum nt_side peer = nt_socket_own_side(socket) == NT_SRC ? NT_DST : NT_SRC;
	int peer_index = wire ? (peer == NT_SRC ? wire->src_index : 1 - wire->src_index) : 0;

	if (counts->error || !socket->missed_end || !counts->valid || counts->waited_for == NT_WAITED_FOR_NOTHING)
		return counts->error;
	if (socket->reset_received || (wire && wire->side[peer_index & 1] & NT_SIDE_RST))
		return 0;
	return ETIMEDOUT;
}

static struct verdict verdict_of_attempt(const struct nt_socket *socket, int error, const struct nt_connection *wire)
{
	int by;

	if (error == ETIMEDOUT)
		return verdict_failed(NT_OUTCOME_TIMEOUT, "etimedout");
	if (error == ECONNRESET) /* simultaneous open */
		return verdict_ended_by(NT_OUTCOME_REFUSED, NT_DST);
	if (error == ECONNREFUSED && was_refused_by_reset(socket, wire))
		return verdict_ended_by(NT_OUTCOME_REFUSED, NT_DST);
	if (nt_is_icmp_error(error))
		return verdict_unreachable(error);
	if (wire && nt_connection_outcome(wire, &by) == NT_OUTCOME_REFUSED)
		return verdict_ended_by(NT_OUTCOME_REFUSED, NT_DST);
	return verdict_failed(NT_OUTCOME_TIMEOUT, "gave_up");
}

/* Judges without packets: by the side that sent a RST, or closed first. */
static struct verdict verdict_of_socket(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	bool reset_sent = socket->flags & NT_SOCKET_RESET_SENT;
	bool reset_received = !reset_sent && (counts->error == ECONNRESET || counts->error == EPIPE);
	/* If the change to CLOSE was missed, so may be earlier state changes. Without a RST or an error it was closed
	 * in order: FIN_WAIT2 stands for the old state, as it does not require both FINs to be known.
	 */
	bool in_order = socket->missed_end && !reset_sent && !counts->error;
	__u8 old_state = in_order ? TCP_FIN_WAIT2 : counts->old_state;
	struct verdict verdict = {};

	verdict.outcome = nt_socket_outcome(socket, old_state, reset_received, &verdict.ended_by);
	return verdict;
}

/* Returns whether an error of TCP's timers, and not the peer, ended the socket. */
static bool is_silent_error(int error)
{
	return error == ETIMEDOUT || nt_is_icmp_error(error);
}

/* A socket that leaves LAST_ACK or CLOSING without the acknowledgement of its FIN has waited for it in vain. */
static bool took_both_fins(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	bool both = socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;

	return both && (counts->fin_acknowledged || !is_silent_error(counts->error));
}

/* Returns the name of the timer that ended the socket. NULL: unknown. Only the keep-alive timer sends a RST when it
 * gives up, but after an end that no program saw its RST is unknown too. */
static const char *find_timer(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	if (socket->flags & NT_SOCKET_RESET_SENT)
		return "keepalive_timeout";
	return socket->missed_end && counts->waited_for == NT_WAITED_FOR_PROBE ? NULL : "etimedout";
}

/* The order is that of the rules in docs/record.md. Packets show which side was first. */
static struct verdict verdict_of_connection(const struct nt_socket *socket, const struct nt_socket_counts *counts,
					    const struct nt_connection *wire)
{
	struct verdict by_packets = verdict_failed(NT_OUTCOME_OPEN, NULL);

	if (!took_both_fins(socket, counts)) {
		if (counts->error == ETIMEDOUT)
			return verdict_failed(NT_OUTCOME_TIMEOUT, find_timer(socket, counts));
		if (nt_is_icmp_error(counts->error)) /* else a RST that the socket took would be the error */
			return verdict_unreachable(counts->error);
	}
	if (wire)
		by_packets.outcome = nt_connection_outcome(wire, &by_packets.ended_by);
	if (by_packets.outcome == NT_OUTCOME_CLOSED || by_packets.outcome == NT_OUTCOME_RESET)
		return by_packets;
	return verdict_of_socket(socket, counts);
}

static void socket_fill_outcome(struct nt_record *record, const struct joined_socket *joined,
				const struct nt_connection *wire, const struct record_lookups *lookups)
{
	const struct nt_socket_event *event = joined->event;
	const struct nt_socket *socket = &event->socket;
	struct nt_socket_counts counts = event->counts;
	struct verdict verdict;

	counts.error = infer_error(socket, &event->counts, wire);
	if (!counts.error && wire && nt_is_attempt(socket, counts.old_state))
		counts.error = joined->wire->attempt_error;
	verdict = nt_is_attempt(socket, counts.old_state) ? verdict_of_attempt(socket, (int)counts.error, wire) :
							    verdict_of_connection(socket, &counts, wire);
	if (verdict.outcome == NT_OUTCOME_RESET && verdict.ended_by == (int)nt_socket_own_side(socket) &&
	    socket->reset_reason)
		verdict.reason = lookups->reset_reason(lookups->context, socket->reset_reason);
	/* After a missed change to CLOSE, no error means that the application gave up or has read it: unknown. */
	if (verdict.reason && !(nt_is_attempt(socket, counts.old_state) && socket->missed_end && !counts.error))
		record_set_reason(record, verdict.reason);
	record->outcome = verdict.outcome;
	if (verdict.ended_by < 0)
		return;
	record->ended_by = verdict.ended_by;
	nt_record_set(record, NT_HAS_ENDED_BY);
}

/* The kernel side takes the packets of an attempt to end with its socket, so wire_ended is true even if the RST that
 * refused it was not seen. */
static bool has_unseen_refusal(const struct nt_socket_event *event, const struct nt_connection *wire)
{
	return nt_is_attempt(&event->socket, event->counts.old_state) && event->socket.reset_received &&
	       !nt_connection_reset_by_anyone(wire);
}

/* A socket that was in SYN_SENT when it was found is the client, without doubt. */
static bool has_inferred_role(const struct nt_socket_event *event)
{
	const struct nt_socket *socket = &event->socket;

	if (socket->repair == NT_REPAIR_RESTORED)
		return true;
	return socket->flags & NT_SOCKET_PREEXISTING && !socket->established_ns && socket->state != TCP_SYN_SENT &&
	       !nt_is_attempt(socket, event->counts.old_state);
}

/* Returns whether packets may have been hidden in this time. */
static bool were_packets_hidden(const struct record_lookups *lookups, __u64 from, __u64 until)
{
	return lookups->hidden_from_ns && from <= lookups->hidden_until_ns && until >= lookups->hidden_from_ns;
}

/* Returns whether packets went over an interface that may have carried some before it was watched. */
static bool were_packets_early(const struct record_lookups *lookups, const struct nt_streams *streams, __u64 first_ns)
{
	return lookups->interface_joined_ns > first_ns &&
	       (nt_stream_has_moved(&streams->of[0].core) || nt_stream_has_moved(&streams->of[1].core));
}

static void fill_gaps(struct nt_record *record, const struct joined_socket *joined, const struct nt_connection *wire,
		      const struct record_lookups *lookups)
{
	const struct nt_socket *socket = &joined->event->socket;
	bool both_opened = socket->flags & NT_SOCKET_SIMULTANEOUS && !is_connected_to_itself(socket);

	if (has_inferred_role(joined->event) || both_opened)
		record->gaps |= NT_GAP_DIRECTION;
	if (record->event == NT_EVENT_CLOSE && wire && (!joined->wire_ended || has_unseen_refusal(joined->event, wire)))
		record->gaps |= NT_GAP_WIRE_END;
	if (lookups->every_packet &&
	    (!joined->streams || (wire && were_packets_early(lookups, joined->streams, wire->first_ns))))
		record->gaps |= NT_GAP_PACKETS;
	if ((wire || socket->netns == lookups->own_netns) &&
	    were_packets_hidden(lookups, socket->start_ns, joined->event->header.now))
		record->gaps |= NT_GAP_HIDDEN;
	if (lookups->events_lost || socket->missed_end)
		record->gaps |= NT_GAP_EVENTS;
}

/* The outcome of a socket that is not closed. Its packets may show an answer that did not reach it. */
static enum nt_outcome open_outcome(enum nt_event_kind event, const struct nt_socket *socket,
				    const struct nt_connection *wire)
{
	bool waits = socket->state == TCP_SYN_SENT && !(wire && nt_connection_has_synack(wire));

	return event == NT_EVENT_EXIT && waits ? NT_OUTCOME_UNANSWERED : NT_OUTCOME_OPEN;
}

/* The kernel keeps the times of the handshake too, so that they mean payload only if there was some. */
static void fill_last_payload(struct nt_record *record, const struct nt_socket_queues *queues,
			      const struct nt_socket_counts *counts, __u64 tick_ns)
{
	if (counts->bytes_sent)
		set_u64(record, NT_HAS_LAST_SENT, &record->last_sent_ns, queues->since_sent * tick_ns);
	if (counts->bytes_received && queues->receipt_is_set)
		set_u64(record, NT_HAS_LAST_RECEIVED, &record->last_received_ns, queues->since_received * tick_ns);
}

static void fill_queues(struct nt_record *record, const struct nt_socket_event *event, __u64 tick_ns)
{
	struct nt_socket_queues queues = event->queues;

	if (!queues.valid)
		return;
	nt_socket_queues_leave_payload(&queues, &event->socket);
	set_u32(record, NT_HAS_RECV_QUEUE, &record->recv_queue_bytes, queues.unread);
	set_u32(record, NT_HAS_SEND_QUEUE, &record->send_queue_bytes, queues.unsent);
	set_u32(record, NT_HAS_UNACKED, &record->unacked_bytes, queues.unacked);
	set_u32(record, NT_HAS_CWND, &record->cwnd, queues.cwnd);
	fill_last_payload(record, &queues, &event->counts, tick_ns);
}

static void socket_fill_state(struct nt_record *record, const struct nt_socket_event *event,
			      const struct nt_connection *wire, __u64 now)
{
	bool is_dumped = event->socket.repair == NT_REPAIR_DUMPED;

	record->outcome = open_outcome(record->event, &event->socket, wire);
	record->state = is_dumped ? event->counts.old_state : event->socket.state;
	nt_record_set(record, NT_HAS_STATE);
	if (is_dumped)
		record_set_reason(record, "repair");
	else
		socket_set_span(record, NT_HAS_STATE_AGE, &record->state_age_ns, event->socket.state_ns, now);
}

void record_fill_from_socket(struct nt_record *record, enum nt_event_kind event, const struct joined_socket *joined,
			     const struct record_lookups *lookups, __u64 now)
{
	const struct nt_socket *socket = &joined->event->socket;
	bool closed = event == NT_EVENT_CLOSE;
	const struct nt_connection *wire = NULL;
	struct nt_connection oriented;

	memset(record, 0, sizeof(*record));
	record->event = event;
	record->seen = NT_SEEN_SOCKET;
	if (joined->wire) {
		oriented = orient_to_socket(joined->wire, socket);
		if (closed)
			drop_refused(&oriented, nt_side_of_socket(joined->wire, socket), joined->event);
		wire = &oriented;
	}
	socket_fill_tuple(record, socket);
	fill_netns_name(record, lookups);
	fill_id(record, joined->event, lookups);
	fill_owner(record, &socket->owner, lookups->processes);
	if (closed)
		socket_fill_outcome(record, joined, wire, lookups);
	else
		socket_fill_state(record, joined->event, wire, now);
	socket_fill_wire(record, joined, wire, lookups);
	fill_scope(record, socket, lookups);
	socket_fill_times(record, socket, wire, joined->streams, lookups, closed ? socket->close_ns : now);
	socket_fill_counts(record, socket, &joined->event->counts);
	fill_queues(record, joined->event, lookups->tick_ns);
	if (socket->in_sockmap || (joined->wire && joined->wire->in_sockmap))
		leave_out_bypassed_bytes(record);
	fill_gaps(record, joined, wire, lookups);
}

void record_fill_from_open_socket(struct nt_record *record, enum nt_event_kind kind,
				  const struct nt_socket_event *event, size_t length,
				  const struct record_lookups *lookups)
{
	struct nt_socket_event whole = {};
	struct joined_socket joined = { .event = &whole };

	memcpy(&whole, event, length < sizeof(whole) ? length : sizeof(whole));
	if (whole.wire_status != NT_WIRE_ABSENT)
		joined.wire = &whole.wire;
	if (whole.wire_status != NT_WIRE_ABSENT && whole.has_streams)
		joined.streams = &whole.streams;
	record_fill_from_socket(record, kind, &joined, lookups, whole.header.now);
}

void record_fill_from_wire(struct nt_record *record, const struct nt_wire_event *event,
			   const struct record_lookups *lookups)
{
	struct packet_traffic traffic[2] = {
		traffic_of_stream(&event->streams.of[0]),
		traffic_of_stream(&event->streams.of[1]),
	};
	struct packet_account oriented = {
		.key = &event->wire.key,
		.connection = &event->wire.connection,
		.traffic = event->has_streams ? traffic : NULL,
		.exchange = event->has_streams ? &event->streams.exchange : NULL,
		.interface = lookups->interface_name(lookups->context, event->wire.ifindex),
		.error = event->wire.attempt_error,
		.cause = event->cause,
		.now = event->header.now,
		.to_utc_ns = lookups->boot_to_utc_ns,
	};

	record_fill_from_packets(record, &oriented);
	fill_netns_name(record, lookups);
	if (lookups->every_packet &&
	    (!event->has_streams || were_packets_early(lookups, &event->streams, event->wire.connection.first_ns)))
		record->gaps |= NT_GAP_PACKETS;
	if (were_packets_hidden(lookups, event->wire.connection.first_ns, event->header.now))
		record->gaps |= NT_GAP_HIDDEN;
	if (lookups->events_lost)
		record->gaps |= NT_GAP_EVENTS;
}

static bool is_any_ipv6(const __u8 address[16])
{
	static const __u8 any[16];

	return !memcmp(address, any, sizeof(any));
}

static void fill_backlog(struct nt_record *record, const struct nt_listener_event *event)
{
	set_u32(record, NT_HAS_BACKLOG, &record->backlog, event->backlog);
	set_u32(record, NT_HAS_BACKLOG_MAX, &record->backlog_max, event->backlog_max);
	if (event->has_drops)
		set_u32(record, NT_HAS_DROPS, &record->drops, event->drops);
	if (!is_any_ipv6(event->local))
		return;
	record->dual_stack = !event->ipv6_only;
	nt_record_set(record, NT_HAS_DUAL_STACK);
}

void record_fill_from_listener(struct nt_record *record, const struct nt_listener_event *event,
			       const struct record_lookups *lookups)
{
	const __u64 life[2] = { event->address, 0 };
	__u64 socket = event->cookie ? event->cookie : record_id_hash(life, sizeof(life));

	memset(record, 0, sizeof(*record));
	record->event = NT_EVENT_LISTENER;
	record->role = NT_ROLE_SERVER;
	record->outcome = NT_OUTCOME_OPEN;
	record->end_ns = event->header.now + lookups->boot_to_utc_ns;
	memcpy(record->dst_ip, event->local, sizeof(record->dst_ip));
	record->dst_port = event->local_port;
	record_id_socket(record, lookups->boot_hash, socket, 0);
	set_u32(record, NT_HAS_NETNS, &record->netns, event->netns);
	fill_netns_name(record, lookups);
	fill_interface(record, event->ifindex, lookups);
	if (event->owner.process.pid)
		fill_owner_process(record, &event->owner, lookups->processes);
	fill_backlog(record, event);
}

void record_set_no_socket(struct nt_record *record)
{
	record_set_reason(record, "no_socket");
}
