// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/summary_item.h"

#include <string.h>

#include "core/socket.h"

static bool is_loopback(const __u8 *address)
{
	static const __u8 ipv6_loopback[16] = { [15] = 1 };

	return nt_address_family(address) == 4 ? address[12] == 127 : !memcmp(address, ipv6_loopback, 16);
}

static void fill_tuple(struct summary_tuple *tuple, const struct nt_record *record)
{
	bool has_src = nt_record_has(record, NT_HAS_WIRE_SRC), has_dst = nt_record_has(record, NT_HAS_WIRE_DST);

	*tuple = (struct summary_tuple){ 0 };
	memcpy(tuple->src_ip, has_src ? record->wire_src_ip : record->src_ip, sizeof(tuple->src_ip));
	memcpy(tuple->dst_ip, has_dst ? record->wire_dst_ip : record->dst_ip, sizeof(tuple->dst_ip));
	tuple->src_port = has_src ? record->wire_src_port : record->src_port;
	tuple->dst_port = has_dst ? record->wire_dst_port : record->dst_port;
	if (is_loopback(tuple->dst_ip) && nt_record_has(record, NT_HAS_NETNS))
		tuple->netns = record->netns;
}

/* A local listener that made no socket has an observer's record; the client may be local. */
static bool can_be_local(const struct nt_record *record)
{
	return record->role != NT_ROLE_OBSERVER ||
	       (nt_record_has(record, NT_HAS_REASON) && !strcmp(record->reason, "no_socket"));
}

static bool is_hanging(const struct nt_record *record)
{
	return record->outcome == NT_OUTCOME_UNANSWERED && nt_record_has(record, NT_HAS_DURATION) &&
	       record->duration_ns >= SUMMARY_HANGING_NS;
}

/* A pre-existing socket whose change of state was not seen has been in its state since tracking began, at least. */
static __u64 least_state_age(const struct nt_record *record, __u64 begins_ns)
{
	if (nt_record_has(record, NT_HAS_STATE_AGE))
		return record->state_age_ns;
	if (!(record->gaps & NT_GAP_START) || !begins_ns || record->end_ns < begins_ns)
		return 0;
	return record->end_ns - begins_ns;
}

static bool is_leaked(const struct nt_record *record, __u64 begins_ns)
{
	return nt_record_has(record, NT_HAS_STATE) && record->state == NT_TCP_CLOSE_WAIT &&
	       least_state_age(record, begins_ns) > SUMMARY_CLOSE_WAIT_NS;
}

static bool closed_first(const struct nt_record *record)
{
	enum nt_side own = record->role == NT_ROLE_SERVER ? NT_DST : NT_SRC;

	return record->outcome == NT_OUTCOME_CLOSED && nt_record_has(record, NT_HAS_ENDED_BY) &&
	       record->ended_by == own;
}

static void fill_item_owner(struct summary_item *item, const struct nt_record *record)
{
	item->has_pid = nt_record_has(record, NT_HAS_PID);
	item->has_comm = nt_record_has(record, NT_HAS_COMM);
	if (item->has_pid)
		item->pid = record->pid;
	if (item->has_comm)
		memcpy(item->comm, record->comm, strnlen(record->comm, sizeof(record->comm)));
}

void summary_item_fill(struct summary_item *item, const struct nt_record *record, const struct bytes_moved *moved,
		       __u64 begins_ns)
{
	*item = (struct summary_item){
		.moved = *moved,
		.start_ns = nt_record_has(record, NT_HAS_START) ? record->start_ns : 0,
		.end_ns = record->end_ns,
		.src_port = record->src_port,
		.dst_port = record->dst_port,
		.netns = nt_record_has(record, NT_HAS_NETNS) ? record->netns : 0,
		.role = record->role,
		.outcome = record->outcome,
		.has_handshake = nt_record_has(record, NT_HAS_HANDSHAKE) && record->handshake_ns >= 0,
		.has_ended = record->event == NT_EVENT_CLOSE,
		.is_hanging = is_hanging(record),
		.is_leaked = is_leaked(record, begins_ns),
		.is_evicted = record->gaps & NT_GAP_EVICTED,
		.leaves_time_wait = closed_first(record),
		.can_be_local = can_be_local(record),
	};
	memcpy(item->src_ip, record->src_ip, sizeof(item->src_ip));
	memcpy(item->dst_ip, record->dst_ip, sizeof(item->dst_ip));
	if (item->has_handshake)
		item->handshake_ns = (__u64)record->handshake_ns;
	fill_tuple(&item->tuple, record);
	fill_item_owner(item, record);
}
