// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_wait.h"

#define NS_PER_US 1000ULL

static bool is_positive(const struct nt_record *record, int bit, long long value)
{
	return nt_record_has(record, bit) && value >= 0;
}

static struct record_wait_part part_of(__u64 ns)
{
	return (struct record_wait_part){ .known = true, .ns = ns };
}

/* Returns the time from the SYN to its answer at the place of capture. A SYN that was lost makes it longer; the client's
 * socket knows better. */
static __u64 round_trip_ns(const struct nt_record *record)
{
	__u64 ns = (__u64)record->syn_synack_ns, least = record->min_rtt_us * NS_PER_US;

	return record->role == NT_ROLE_CLIENT && nt_record_has(record, NT_HAS_MIN_RTT) && least < ns ? least : ns;
}

/* The server's time begins with the request, or with the handshake's end if no request came before. */
static struct record_wait_part compute_server(const struct nt_record *record)
{
	__u64 asked = (__u64)record->handshake_ns, unavoidable;

	if (!nt_record_has(record, NT_HAS_RESPONSE))
		return (struct record_wait_part){ .known = false };
	if (nt_record_has(record, NT_HAS_REQUEST) && record->request_ns <= record->response_ns &&
	    record->request_ns > asked)
		asked = record->request_ns;
	unavoidable = asked + round_trip_ns(record);
	return part_of(record->response_ns > unavoidable ? record->response_ns - unavoidable : 0);
}

static enum record_wait_rest find_rest(const struct nt_record *record)
{
	if (!nt_record_has(record, NT_HAS_LIMITED_BY))
		return RECORD_WAIT_IDLE;
	switch (record->limited_by) {
	case NT_LIMITED_RECEIVER:
		return RECORD_WAIT_READER;
	case NT_LIMITED_SNDBUF:
		return RECORD_WAIT_WRITER;
	case NT_LIMITED_NETWORK:
		return RECORD_WAIT_NETWORK;
	default:
		return RECORD_WAIT_IDLE;
	}
}

struct record_wait record_wait_compute(const struct nt_record *record)
{
	struct record_wait wait = { .rest_is = find_rest(record) };
	__u64 explained;

	if (!is_positive(record, NT_HAS_SYN_SYNACK, record->syn_synack_ns) ||
	    !is_positive(record, NT_HAS_HANDSHAKE, record->handshake_ns))
		return wait;
	wait.network = part_of((__u64)record->handshake_ns + round_trip_ns(record));
	wait.server = compute_server(record);
	explained = wait.network.ns + wait.server.ns;
	if (wait.server.known && record->role != NT_ROLE_OBSERVER && nt_record_has(record, NT_HAS_DURATION))
		wait.rest = part_of(record->duration_ns > explained ? record->duration_ns - explained : 0);
	return wait;
}

const char *record_wait_server_name(const struct nt_record *record)
{
	return record->role == NT_ROLE_SERVER ? "local" : "peer";
}

const char *record_wait_rest_name(enum record_wait_rest rest)
{
	static const char *const names[] = {
		[RECORD_WAIT_IDLE] = "idle",
		[RECORD_WAIT_READER] = "reader",
		[RECORD_WAIT_WRITER] = "writer",
		[RECORD_WAIT_NETWORK] = "network",
	};

	return names[rest];
}
