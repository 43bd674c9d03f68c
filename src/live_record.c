#include "src/live_record.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#include "core/verdict.h"
#include "src/community_id.h"
#include "src/observer.h"
#include "src/record_id.h"

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

static void set_reason(struct nt_record *record, const char *reason)
{
	snprintf(record->reason, sizeof(record->reason), "%s", reason);
	nt_record_set(record, NT_HAS_REASON);
}

/* src is who opened: a client's own side, a server's peer. */
static void fill_tuple(struct nt_record *record, const struct nt_socket *socket)
{
	bool client = socket->role != NT_ROLE_SERVER;

	record->role = socket->role;
	memcpy(record->src_ip, client ? socket->local : socket->remote, 16);
	memcpy(record->dst_ip, client ? socket->remote : socket->local, 16);
	record->src_port = client ? socket->local_port : socket->remote_port;
	record->dst_port = client ? socket->remote_port : socket->local_port;
	community_id(record->community_id, record->src_ip, record->src_port, record->dst_ip, record->dst_port);
	nt_record_set(record, NT_HAS_COMMUNITY_ID);
	set_u32(record, NT_HAS_NETNS, &record->netns, socket->netns);
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

/* A server's connection starts with the first SYN, where that was seen. */
static __u64 start_of(const struct nt_socket *socket, const struct nt_wire *wire)
{
	if (socket->role == NT_ROLE_SERVER && wire && wire->connection.syn_ns)
		return wire->connection.syn_ns;
	return socket->start_ns;
}

static void fill_times(struct nt_record *record, const struct nt_socket *socket, const struct nt_wire *wire,
		       const struct live_names *names, __u64 end)
{
	__u64 start = start_of(socket, wire);
	__u64 first_fin = wire && nt_connection_first_end(&wire->connection) ? nt_connection_first_end(&wire->connection)
									   : socket->first_fin_ns;

	if (!start)
		record->gaps |= NT_GAP_START;
	else
		set_u64(record, NT_HAS_START, &record->start_ns, start + names->boot_to_utc_ns);
	set_span(record, NT_HAS_DURATION, &record->duration_ns, start, end);
	set_span(record, NT_HAS_FIRST_FIN, &record->first_fin_ns, start, first_fin);
	if (!nt_record_has(record, NT_HAS_HANDSHAKE) && socket->role == NT_ROLE_CLIENT && !wire)
		set_span(record, NT_HAS_HANDSHAKE, &record->handshake_ns, socket->start_ns, socket->established_ns);
}

static void fill_wire(struct nt_record *record, const struct nt_wire *wire, const struct live_names *names)
{
	const char *name = names->interface_name(names->context, wire->ifindex);

	record->seen |= NT_SEEN_WIRE;
	observer_wire_part(record, &wire->connection);
	if (name) {
		snprintf(record->ifname, sizeof(record->ifname), "%s", name);
		nt_record_set(record, NT_HAS_IFNAME);
	}
}

static void fill_rtt(struct nt_record *record, const struct nt_socket_counts *counts)
{
	if (counts->srtt_us)
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
	int own = socket->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;

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
	int outcome;
	int ended_by; /* enum nt_end; -1: absent */
};

static void fill_verdict(struct nt_record *record, struct verdict verdict)
{
	record->outcome = verdict.outcome;
	if (verdict.ended_by < 0)
		return;
	record->ended_by = verdict.ended_by;
	nt_record_set(record, NT_HAS_ENDED_BY);
}

/* A port unreachable from a firewall refuses as a RST does; only the wire tells them apart. */
static struct verdict verdict_of_attempt(struct nt_record *record, int error, const struct nt_wire *wire)
{
	switch (error) {
	case ECONNREFUSED:
		if (wire && !nt_connection_reset_by_anyone(&wire->connection)) {
			set_reason(record, "econnrefused");
			return (struct verdict){NT_OUTCOME_UNREACHABLE, -1};
		}
		return (struct verdict){NT_OUTCOME_REFUSED, NT_DST};
	case ECONNRESET:
		return (struct verdict){NT_OUTCOME_REFUSED, NT_DST};
	case EHOSTUNREACH:
		set_reason(record, "ehostunreach");
		return (struct verdict){NT_OUTCOME_UNREACHABLE, -1};
	case ENETUNREACH:
		set_reason(record, "enetunreach");
		return (struct verdict){NT_OUTCOME_UNREACHABLE, -1};
	case 0:
	case ECONNABORTED: /* ss -K */
		set_reason(record, "gave_up");
		return (struct verdict){NT_OUTCOME_TIMEOUT, -1};
	default:
		set_reason(record, "etimedout");
		return (struct verdict){NT_OUTCOME_TIMEOUT, -1};
	}
}

static bool both_fins(const struct nt_socket *socket)
{
	return socket->flags & NT_SOCKET_LOCAL_FIN && socket->flags & NT_SOCKET_REMOTE_FIN;
}

static struct verdict verdict_of_socket(const struct nt_socket *socket, const struct nt_socket_counts *counts)
{
	int own = socket->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;
	bool reset_received = counts->error == ECONNRESET || counts->error == EPIPE;
	bool left_in_order = counts->old_state == TCP_FIN_WAIT2 || counts->old_state == TCP_CLOSING ||
			     counts->old_state == TCP_LAST_ACK;

	if (both_fins(socket) || (left_in_order && !reset_received && !(socket->flags & NT_SOCKET_RESET_SENT)))
		return (struct verdict){NT_OUTCOME_CLOSED, socket->flags & NT_SOCKET_REMOTE_FIRST ? !own : own};
	if (reset_received && !(socket->flags & NT_SOCKET_RESET_SENT))
		return (struct verdict){NT_OUTCOME_RESET, !own};
	return (struct verdict){NT_OUTCOME_RESET, own};
}

/* sk_err's timeouts and ICMP errors win, then a RST, then FINs; the wire knows who sent which first. */
static struct verdict verdict_of_established(struct nt_record *record, const struct nt_socket *socket,
					     const struct nt_socket_counts *counts, const struct nt_wire *wire,
					     const char *reset_reason)
{
	struct verdict wires;

	switch (counts->error) {
	case ETIMEDOUT:
		set_reason(record, reset_reason && strstr(reset_reason, "keepalive") ? "keepalive_timeout" : "etimedout");
		return (struct verdict){NT_OUTCOME_TIMEOUT, -1};
	case EHOSTUNREACH:
	case ENETUNREACH:
		set_reason(record, counts->error == EHOSTUNREACH ? "ehostunreach" : "enetunreach");
		return (struct verdict){NT_OUTCOME_UNREACHABLE, -1};
	}
	if (wire) {
		wires.outcome = nt_connection_outcome(&wire->connection, &wires.ended_by);
		if (wires.outcome == NT_OUTCOME_CLOSED || wires.outcome == NT_OUTCOME_RESET)
			return wires;
	}
	return verdict_of_socket(socket, counts);
}

static void fill_outcome(struct nt_record *record, const struct joined_socket *joined, const struct live_names *names)
{
	const struct nt_socket *socket = &joined->event->socket;
	const struct nt_socket_counts *counts = &joined->event->counts;
	const char *reset_reason = socket->reset_reason ? names->reset_reason(names->context, socket->reset_reason) : NULL;
	int own = socket->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;
	struct verdict verdict;

	if (counts->old_state == TCP_SYN_SENT)
		verdict = verdict_of_attempt(record, counts->error, joined->wire);
	else
		verdict = verdict_of_established(record, socket, counts, joined->wire, reset_reason);
	fill_verdict(record, verdict);
	if (verdict.outcome == NT_OUTCOME_RESET && verdict.ended_by == own && reset_reason)
		set_reason(record, reset_reason);
}

static bool is_connected_to_itself(const struct nt_socket *socket)
{
	return socket->local_port == socket->remote_port && !memcmp(socket->local, socket->remote, 16);
}

static void fill_gaps(struct nt_record *record, const struct joined_socket *joined, const struct live_names *names)
{
	const struct nt_socket *socket = &joined->event->socket;

	if (socket->flags & NT_SOCKET_FOUND || (socket->flags & NT_SOCKET_SIMULTANEOUS && !is_connected_to_itself(socket)))
		record->gaps |= NT_GAP_DIRECTION;
	if (joined->wire && !joined->wire_ended && record->event == NT_EVENT_CLOSE)
		record->gaps |= NT_GAP_WIRE_END;
	if (names->events_lost)
		record->gaps |= NT_GAP_EVENTS;
}

void live_record_socket(struct nt_record *record, enum nt_event_kind event, const struct joined_socket *joined,
			const struct live_names *names, __u64 now)
{
	const struct nt_socket *socket = &joined->event->socket;
	bool closed = event == NT_EVENT_CLOSE;

	memset(record, 0, sizeof(*record));
	record->event = event;
	record->outcome = NT_OUTCOME_OPEN;
	record->seen = NT_SEEN_SOCKET;
	fill_tuple(record, socket);
	record_id_socket(record, names->boot_hash, socket->cookie ? socket->cookie : joined->event->address, socket->nth);
	fill_owner(record, &socket->owner, names->processes);
	if (joined->wire)
		fill_wire(record, joined->wire, names);
	if (joined->streams)
		observer_streams_part(record, &joined->wire->connection, joined->streams);
	fill_times(record, socket, joined->wire, names, closed ? socket->close_ns : now);
	fill_counts(record, socket, &joined->event->counts);
	if (closed) {
		fill_outcome(record, joined, names);
	} else {
		record->state = socket->state;
		nt_record_set(record, NT_HAS_STATE);
	}
	fill_gaps(record, joined, names);
}

void live_record_observer(struct nt_record *record, const struct nt_wire_event *event, const struct live_names *names)
{
	struct observer_traffic traffic[2] = {
		observer_traffic_of(&event->streams[0]),
		observer_traffic_of(&event->streams[1]),
	};
	struct observer_view view = {
		.key = &event->wire.key,
		.connection = &event->wire.connection,
		.traffic = event->has_streams ? traffic : NULL,
		.interface = names->interface_name(names->context, event->wire.ifindex),
		.why = event->why,
		.now = event->header.now,
		.to_utc_ns = names->boot_to_utc_ns,
	};

	observer_record(record, &view);
	if (names->events_lost)
		record->gaps |= NT_GAP_EVENTS;
}
