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

/* Where both moments were seen. */
static void set_span(struct nt_record *record, int bit, __u64 *member, __u64 from, __u64 to)
{
	if (from && to && to >= from)
		set_u64(record, bit, member, to - from);
}

static bool is_connected_to_itself(const struct nt_socket *socket)
{
	return socket->local_port == socket->remote_port && !memcmp(socket->local, socket->remote, 16);
}

static void fill_tuple(struct nt_record *record, const struct nt_socket *socket)
{
	bool client = nt_socket_own_side(socket) == NT_SRC;

	record->role = socket->role;
	memcpy(record->src_ip, client ? socket->local : socket->remote, 16);
	memcpy(record->dst_ip, client ? socket->remote : socket->local, 16);
	record->src_port = client ? socket->local_port : socket->remote_port;
	record->dst_port = client ? socket->remote_port : socket->local_port;
	set_u32(record, NT_HAS_NETNS, &record->netns, socket->netns);
}

/* Without a cookie its address stands for the socket, from its start on: another may have the address after it. */
static void fill_id(struct nt_record *record, const struct nt_socket_event *event, const struct record_lookups *names)
{
	const __u64 life[2] = {event->address, event->socket.start_ns};
	__u64 socket = event->socket.cookie ? event->socket.cookie : record_id_hash(life, sizeof(life));

	record_id_socket(record, names->boot_hash, socket, event->socket.nth);
}

static void fill_owner(struct nt_record *record, const struct nt_owner *owner, struct process_table *processes)
{
	const struct process *process;

	if (owner->by == NT_OWNER_LISTEN || !owner->process.pid)
		record->gaps |= NT_GAP_OWNER;
	if (!owner->process.pid)
		return;
	set_u32(record, NT_HAS_PID, &record->pid, owner->process.pid);
	set_u32(record, NT_HAS_UID, &record->uid, owner->uid);
	memcpy(record->comm, owner->comm, sizeof(record->comm));
	record->owner_by = owner->by;
	nt_record_set(record, NT_HAS_COMM);
	nt_record_set(record, NT_HAS_OWNER_BY);
	process = process_table_find(processes, &owner->process);
	if (!process)
		return;
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

/* The wire's connection as the socket's record tells it: where both sides opened it, src is the socket's own side, and
 * not the one that was seen first. */
static struct nt_connection view_of_socket(const struct nt_wire *wire, const struct nt_socket *socket)
{
	struct nt_connection view = wire->connection;
	int end = nt_side_of_socket(&wire->key, socket);
	int src = nt_socket_own_side(socket) == NT_SRC ? end : !end, i;

	if (end < 0 || view.src_index == src || view.marks & NT_MARK_SELF)
		return view;
	view.src_index = src;
	for (i = 0; i < view.history_length && i < NT_CONNECTION_HISTORY; i++)
		view.history[i] = isupper(view.history[i]) ? tolower(view.history[i]) : toupper(view.history[i]);
	return view;
}

static void fill_wire(struct nt_record *record, const struct joined_socket *joined, const struct nt_connection *wire,
		      const struct record_lookups *names)
{
	if (!wire)
		return;
	record_add_wire(record, wire);
	record_add_place(record, wire, names->interface_name(names->context, joined->wire->ifindex));
	if (joined->streams)
		record_add_streams(record, wire, joined->streams);
}

/* A server's connection starts with the first SYN, where that was seen. */
static __u64 start_of(const struct nt_socket *socket, const struct nt_connection *wire)
{
	return socket->role == NT_ROLE_SERVER && wire && wire->syn_ns ? wire->syn_ns : socket->start_ns;
}

static __u64 first_fin_of(const struct nt_record *record, const struct nt_socket *socket,
			  const struct nt_connection *wire)
{
	if (wire && nt_connection_first_fin_or_rst(wire))
		return nt_connection_first_fin_or_rst(wire);
	if (socket->flags & (NT_SOCKET_LOCAL_FIN | NT_SOCKET_REMOTE_FIN))
		return socket->first_fin_ns;
	/* No FIN: the RST that ended it, if there was one, came or went as it changed to CLOSE. */
	if (record->outcome == NT_OUTCOME_RESET || record->outcome == NT_OUTCOME_REFUSED ||
	    socket->flags & NT_SOCKET_RESET_SENT)
		return socket->missed_end == NT_END_MISSED_UNTIMED ? 0 : socket->close_ns;
	return 0;
}

static void fill_times(struct nt_record *record, const struct nt_socket *socket, const struct nt_connection *wire,
		       const struct record_lookups *names, __u64 end)
{
	__u64 start = start_of(socket, wire);

	record->end_ns = end + names->boot_to_utc_ns;
	if (start)
		set_u64(record, NT_HAS_START, &record->start_ns, start + names->boot_to_utc_ns);
	else
		record->gaps |= NT_GAP_START;
	if (socket->missed_end != NT_END_MISSED_UNTIMED)
		set_span(record, NT_HAS_DURATION, &record->duration_ns, start, end);
	set_span(record, NT_HAS_FIRST_FIN, &record->first_fin_ns, start, first_fin_of(record, socket, wire));
	if (socket->role == NT_ROLE_CLIENT && !wire && start && socket->established_ns >= start) {
		record->handshake_ns = (long long)(socket->established_ns - start);
		nt_record_set(record, NT_HAS_HANDSHAKE);
	}
}

static void fill_rtt(struct nt_record *record, const struct nt_socket_counts *counts)
{
	/* Without a sample the least one is that of the connection which the descriptor had before. */
	if (!counts->srtt_us)
		return;
	set_u32(record, NT_HAS_RTT, &record->rtt_us, counts->srtt_us);
	if (counts->min_rtt_us != ~0U)
		set_u32(record, NT_HAS_MIN_RTT, &record->min_rtt_us, counts->min_rtt_us);
}

/* What took longest of the time since it was established; the application's part is what is left. */
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
		record->limited_by = NT_LIMITED_APP;
	nt_record_set(record, NT_HAS_LIMITED_BY);
}

static void fill_counts(struct nt_record *record, const struct nt_socket *socket, const struct nt_socket_counts *counts)
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

/* ---- outcome ---- */

struct verdict {
	enum nt_outcome outcome;
	int ended_by;       /* enum nt_side; -1: absent */
	const char *reason; /* NULL: absent */
};

static struct verdict ended(enum nt_outcome outcome, enum nt_side by)
{
	return (struct verdict){.outcome = outcome, .ended_by = by};
}

static struct verdict failed(enum nt_outcome outcome, const char *reason)
{
	return (struct verdict){.outcome = outcome, .ended_by = -1, .reason = reason};
}

/* What the kernel makes of ICMP (icmp_err_convert[] and icmpv6_err_convert()) and of a neighbour that does not answer;
 * but ECONNREFUSED, which a RST gives too. */
static bool is_unreachable(int error)
{
	switch (error) {
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENONET:
	case EACCES:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
	case EPROTO:
		return true;
	default:
		return false;
	}
}

/* The other way to ECONNREFUSED is a port unreachable (ICMP). That the wire saw no RST proves nothing: it may have come in
 * where nobody watches. */
static bool was_refused_by_reset(const struct nt_socket *socket, const struct nt_connection *wire)
{
	return socket->reset_received || (wire && nt_connection_reset_by_anyone(wire));
}

static struct verdict verdict_of_attempt(const struct nt_socket *socket, int error, const struct nt_connection *wire)
{
	int by;

	if (is_unreachable(error))
		return failed(NT_OUTCOME_UNREACHABLE, strerrorname_np(error));
	switch (error) {
	case ETIMEDOUT:
		return failed(NT_OUTCOME_TIMEOUT, "etimedout");
	case ECONNREFUSED:
		if (!was_refused_by_reset(socket, wire))
			return failed(NT_OUTCOME_UNREACHABLE, strerrorname_np(error));
		return ended(NT_OUTCOME_REFUSED, NT_DST);
	case ECONNRESET: /* simultaneous open */
		return ended(NT_OUTCOME_REFUSED, NT_DST);
	}
	if (wire && nt_connection_outcome(wire, &by) == NT_OUTCOME_REFUSED)
		return ended(NT_OUTCOME_REFUSED, NT_DST);
	return failed(NT_OUTCOME_TIMEOUT, "gave_up");
}

/* Without what the wire knows: whoever sent a RST, or who closed first. */
static struct verdict verdict_of_socket(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	bool reset_sent = socket->flags & NT_SOCKET_RESET_SENT;
	bool reset_received = !reset_sent && (counts->error == ECONNRESET || counts->error == EPIPE);
	/* of an end that was missed not each step was seen either: what no RST and no error ended was closed, as from
	 * FIN_WAIT2, whose FINs need not both be known */
	bool in_order = socket->missed_end && !reset_sent && !counts->error;
	__u8 old_state = in_order ? TCP_FIN_WAIT2 : counts->old_state;
	struct verdict verdict = {};

	verdict.outcome = nt_socket_outcome(socket, old_state, reset_received, &verdict.ended_by);
	return verdict;
}

/* sk_err's timeouts and ICMP errors win, then a RST, then FINs; the wire knows who sent which first. */
static struct verdict verdict_of_connection(const struct nt_socket *socket, const struct nt_socket_counts *counts,
					    const struct nt_connection *wire)
{
	struct verdict wires = failed(NT_OUTCOME_OPEN, NULL);

	if (counts->error == ETIMEDOUT) /* of the timers only that of keep-alive resets what it gives up */
		return failed(NT_OUTCOME_TIMEOUT,
			      socket->flags & NT_SOCKET_RESET_SENT ? "keepalive_timeout" : "etimedout");
	if (is_unreachable(counts->error) || counts->error == ECONNREFUSED)
		return failed(NT_OUTCOME_UNREACHABLE, strerrorname_np(counts->error));
	if (wire)
		wires.outcome = nt_connection_outcome(wire, &wires.ended_by);
	if (wires.outcome == NT_OUTCOME_CLOSED || wires.outcome == NT_OUTCOME_RESET)
		return wires;
	return verdict_of_socket(socket, counts);
}

static bool was_only_tried(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	return counts->old_state == TCP_SYN_SENT ||
	       (counts->old_state == TCP_SYN_RECV && socket->role == NT_ROLE_CLIENT);
}

static void set_reason(struct nt_record *record, const char *reason)
{
	size_t i;

	for (i = 0; reason[i] && i < sizeof(record->reason) - 1; i++)
		record->reason[i] = tolower((unsigned char)reason[i]);
	nt_record_set(record, NT_HAS_REASON);
}

static void fill_outcome(struct nt_record *record, const struct nt_socket_event *event,
			 const struct nt_connection *wire, const struct record_lookups *names)
{
	const struct nt_socket *socket = &event->socket;
	struct verdict verdict = was_only_tried(socket, &event->counts)
					 ? verdict_of_attempt(socket, event->counts.error, wire)
					 : verdict_of_connection(socket, &event->counts, wire);

	if (verdict.outcome == NT_OUTCOME_RESET && verdict.ended_by == (int)nt_socket_own_side(socket) && socket->reset_reason)
		verdict.reason = names->reset_reason(names->context, socket->reset_reason);
	/* whether the application gave up or took the error away is not known of an end that was missed */
	if (verdict.reason && !(was_only_tried(socket, &event->counts) && socket->missed_end && !event->counts.error))
		set_reason(record, verdict.reason);
	record->outcome = verdict.outcome;
	if (verdict.ended_by < 0)
		return;
	record->ended_by = verdict.ended_by;
	nt_record_set(record, NT_HAS_ENDED_BY);
}

/* An attempt's end on the wire is settled with the socket's, whatever the wire saw. */
static bool wire_missed_refusal(const struct nt_socket_event *event, const struct nt_connection *wire)
{
	return was_only_tried(&event->socket, &event->counts) && event->socket.reset_received &&
	       !nt_connection_reset_by_anyone(wire);
}

static void fill_gaps(struct nt_record *record, const struct joined_socket *joined, const struct nt_connection *wire,
		      const struct record_lookups *names)
{
	const struct nt_socket *socket = &joined->event->socket;
	bool both_opened = socket->flags & NT_SOCKET_SIMULTANEOUS && !is_connected_to_itself(socket);

	if (socket->flags & NT_SOCKET_PREEXISTING || both_opened)
		record->gaps |= NT_GAP_DIRECTION;
	if (record->event == NT_EVENT_CLOSE && wire && (!joined->wire_ended || wire_missed_refusal(joined->event, wire)))
		record->gaps |= NT_GAP_WIRE_END;
	if (names->every_packet && !joined->streams)
		record->gaps |= NT_GAP_PACKETS;
	if (names->events_lost || socket->missed_end)
		record->gaps |= NT_GAP_EVENTS;
}

void record_fill_from_socket(struct nt_record *record, enum nt_event_kind event, const struct joined_socket *joined,
			const struct record_lookups *names, __u64 now)
{
	const struct nt_socket *socket = &joined->event->socket;
	bool closed = event == NT_EVENT_CLOSE;
	const struct nt_connection *wire = NULL;
	struct nt_connection view;

	memset(record, 0, sizeof(*record));
	record->event = event;
	record->outcome = NT_OUTCOME_OPEN;
	record->seen = NT_SEEN_SOCKET;
	if (joined->wire) {
		view = view_of_socket(joined->wire, socket);
		wire = &view;
	}
	fill_tuple(record, socket);
	fill_id(record, joined->event, names);
	fill_owner(record, &socket->owner, names->processes);
	if (closed) {
		fill_outcome(record, joined->event, wire, names);
	} else {
		record->state = socket->state;
		nt_record_set(record, NT_HAS_STATE);
	}
	fill_wire(record, joined, wire, names);
	fill_times(record, socket, wire, names, closed ? socket->close_ns : now);
	fill_counts(record, socket, &joined->event->counts);
	fill_gaps(record, joined, wire, names);
}

void record_fill_from_open_socket(struct nt_record *record, enum nt_event_kind kind, const struct nt_socket_event *event,
			     size_t length, const struct record_lookups *names)
{
	struct nt_socket_event whole = {};
	struct joined_socket joined = {.event = &whole};

	memcpy(&whole, event, length < sizeof(whole) ? length : sizeof(whole));
	if (whole.wire_status != NT_WIRE_ABSENT)
		joined.wire = &whole.wire;
	if (whole.wire_status != NT_WIRE_ABSENT && whole.has_streams)
		joined.streams = whole.streams;
	record_fill_from_socket(record, kind, &joined, names, whole.header.now);
}

void record_fill_from_wire(struct nt_record *record, const struct nt_wire_event *event, const struct record_lookups *names)
{
	struct packet_traffic traffic[2] = {
		traffic_of_stream(&event->streams[0]),
		traffic_of_stream(&event->streams[1]),
	};
	struct packet_account view = {
		.key = &event->wire.key,
		.connection = &event->wire.connection,
		.traffic = event->has_streams ? traffic : NULL,
		.interface = names->interface_name(names->context, event->wire.ifindex),
		.cause = event->cause,
		.now = event->header.now,
		.to_utc_ns = names->boot_to_utc_ns,
	};

	record_fill_from_packets(record, &view);
	if (names->every_packet && !event->has_streams)
		record->gaps |= NT_GAP_PACKETS;
	if (names->events_lost)
		record->gaps |= NT_GAP_EVENTS;
}
