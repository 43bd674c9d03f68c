// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the join on events of sockets and wire in any order: checks that each event is output once, and each live
 * record.
 *
 * Input: a byte that selects an action, then the action's values; repeated.
 */
#include "tests/fuzz/fuzz.h"

#include "src/live/join.h"
#include "src/record/socket_record.h"
#include "src/record/process_table.h"
#include "tests/unit/sample_events.h"

#define CAPACITY 8

enum action { SOCKET_CLOSES, WIRE_ENDS, SOCKET_MORE, TIME_PASSES, PROCESS_DESCRIBED, ACTIONS };

struct fuzzed_join {
	struct join *join;
	struct process_table *processes;
	struct record_lookups names;
	struct fuzz_input input;
	__u64 now;
	unsigned int sockets_in, sockets_out, wires_in, wires_out;
};

static const char *any_interface(void *context, __u32 ifindex)
{
	(void)context;
	return ifindex ? "eth0" : NULL;
}

static const char *any_reason(void *context, unsigned int reason)
{
	(void)context;
	return reason & 1 ? "ABORT_ON_CLOSE" : NULL;
}

static void check_socket(void *context, const struct joined_socket *joined)
{
	struct fuzzed_join *fuzzed = context;
	struct nt_record record;

	fuzzed->sockets_out++;
	record_fill_from_socket(&record, NT_EVENT_CLOSE, joined, &fuzzed->names, fuzzed->now);
	fuzz_check_record(&record);
}

static void check_wire(void *context, const struct nt_wire_event *event, enum join_route route)
{
	struct fuzzed_join *fuzzed = context;
	struct nt_record record;

	(void)route;
	fuzzed->wires_out++;
	record_fill_from_wire(&record, event, &fuzzed->names);
	fuzz_check_record(&record);
}

static void count_claimed(void *context)
{
	((struct fuzzed_join *)context)->wires_out++;
}

static void fail_no_memory(void *context)
{
	(void)context;
	MUST(!"memory suffices");
}

/* Makes a wire of random letters of both sides' history, the argument of sample_wire(). */
static struct nt_wire any_wire(struct fuzzed_join *fuzzed)
{
	static const char letters[] = "ShAaFfRr";
	static const __u64 cookies[] = { 0, CLIENT_COOKIE, SERVER_COOKIE, 0x33 };
	__u8 count = fuzz_byte(&fuzzed->input) % 12, cookie = fuzz_byte(&fuzzed->input);
	char history[16] = "S";
	struct nt_wire wire;
	int i;

	for (i = 1; i <= count; i++)
		history[i] = letters[fuzz_byte(&fuzzed->input) % (sizeof(letters) - 1)];
	wire = sample_wire(history, fuzzed->now - fuzz_byte(&fuzzed->input) * MS);
	wire = with_cookies(wire, cookies[cookie & 3], cookies[cookie >> 2 & 3]);
	wire.syn_left = cookie >> 4 & 1;
	wire.ifindex = cookie >> 5 & 1;
	return wire;
}

static void close_socket(struct fuzzed_join *fuzzed)
{
	__u8 bits = fuzz_byte(&fuzzed->input);
	struct nt_socket_event event = socket_close(bits & 1 ? NT_ROLE_CLIENT : NT_ROLE_SERVER,
						    fuzzed->now - fuzz_byte(&fuzzed->input) * MS, fuzzed->now);
	struct nt_socket *socket = &event.socket;

	event.wire_status = bits >> 1 & 3;
	if (event.wire_status == NT_WIRE_OPEN || event.wire_status == NT_WIRE_SETTLED)
		event.wire = any_wire(fuzzed);
	event.has_streams = bits >> 3 & 1;
	socket->netns = bits & 16 ? OTHER_NETNS : OWN_NETNS;
	socket->cookie = bits & 32 ? 0 : socket->cookie;
	socket->flags = fuzz_byte(&fuzzed->input);
	socket->missed_end = fuzz_byte(&fuzzed->input) % (NT_END_MISSED_UNTIMED + 1);
	socket->reset_reason = fuzz_byte(&fuzzed->input);
	socket->nth = bits >> 6 & 1;
	event.counts.error = fuzz_byte(&fuzzed->input);
	event.counts.old_state = 1 + fuzz_byte(&fuzzed->input) % 12;
	event.counts.valid = bits >> 7;
	socket->owner.process.pid = fuzz_byte(&fuzzed->input) & 3;
	fuzz_take(&fuzzed->input, socket->owner.comm, sizeof(socket->owner.comm));
	fuzzed->sockets_in++;
	if (event.wire_status == NT_WIRE_ABSENT)
		join_add_socket(fuzzed->join, &event, NT_SOCKET_EVENT_SHORT);
	else
		join_add_socket(fuzzed->join, &event, sizeof(event));
}

static void end_wire(struct fuzzed_join *fuzzed)
{
	struct nt_wire wire = any_wire(fuzzed);
	enum nt_wire_cause cause = fuzz_byte(&fuzzed->input) % (NT_WIRE_EXIT + 1);
	struct nt_wire_event event = wire_end(wire, cause, fuzzed->now);

	event.has_streams = fuzz_byte(&fuzzed->input) & 1;
	fuzzed->wires_in++;
	join_add_wire(fuzzed->join, &event);
}

static void add_socket_more(struct fuzzed_join *fuzzed)
{
	__u8 bits = fuzz_byte(&fuzzed->input);
	struct nt_socket_event of = socket_close(bits & 1 ? NT_ROLE_CLIENT : NT_ROLE_SERVER, fuzzed->now, fuzzed->now);
	struct nt_socket_more_event more = {
		.header = { .type = NT_EVENT_TYPE_SOCKET_MORE, .now = fuzzed->now },
		.address = of.address,
		.cookie = bits & 2 ? 0 : of.socket.cookie,
		.nth = bits >> 2 & 1,
		.reset_sent = bits >> 3 & 1,
		.reset_reason = bits,
		.awaits_owner = bits >> 4 & 1,
	};

	fuzz_take(&fuzzed->input, more.owner.comm, sizeof(more.owner.comm));
	more.owner.process.pid = bits >> 5 & 3;
	join_add_socket_more(fuzzed->join, &more);
}

/* All components are hostile, but no longer than the kernel side allows. */
static void any_path(struct fuzz_input *input, struct nt_path *path)
{
	__u8 bits = fuzz_byte(input);
	__u32 i;

	path->count = bits % (NT_PATH_COMPONENTS + 1);
	path->known = bits >> 7;
	for (i = 0; i < path->count; i++)
		fuzz_take(input, path->component[i], fuzz_byte(input) % NT_PATH_COMPONENT_SIZE);
}

static void describe_process(struct fuzzed_join *fuzzed)
{
	struct nt_process_event event = {
		.header = { .type = NT_EVENT_TYPE_LONG_PROCESS, .now = fuzzed->now },
		.process = { .pid = fuzz_byte(&fuzzed->input) & 3, .start_ns = fuzz_byte(&fuzzed->input) & 1 ? 77 : 0 },
	};

	any_path(&fuzzed->input, &event.executable);
	any_path(&fuzzed->input, &event.cgroup);
	process_table_add_long(fuzzed->processes, &event);
}

static bool find_open_wire(void *context, const struct nt_socket *socket, struct nt_wire *wire)
{
	struct fuzzed_join *fuzzed = context;

	(void)socket;
	if (fuzz_byte(&fuzzed->input) & 1)
		return false;
	*wire = any_wire(fuzzed);
	return true;
}

static void run_action(struct fuzzed_join *fuzzed)
{
	switch (fuzz_byte(&fuzzed->input) % ACTIONS) {
	case SOCKET_CLOSES:
		return close_socket(fuzzed);
	case WIRE_ENDS:
		return end_wire(fuzzed);
	case SOCKET_MORE:
		return add_socket_more(fuzzed);
	case PROCESS_DESCRIBED:
		return describe_process(fuzzed);
	}
	fuzzed->now += fuzz_byte(&fuzzed->input) * 20 * MS;
	join_expire(fuzzed->join, fuzzed->now);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzzed_join fuzzed = { .input = { data, size }, .now = START };
	const struct join_output output = { &fuzzed,        check_socket,   check_wire, count_claimed,
					    fail_no_memory, find_open_wire, NULL };
	__u8 choice = fuzz_byte(&fuzzed.input);

	fuzzed.names = (struct record_lookups){
		.interface_name = any_interface,
		.reset_reason = any_reason,
		.every_packet = choice & 1,
		.events_lost = choice & 2,
	};
	fuzzed.processes = fuzzed.names.processes = process_table_new(CAPACITY);
	fuzzed.join = join_new(CAPACITY, OWN_NETNS, choice & 4, &output);
	MUST(fuzzed.processes && fuzzed.join);
	while (fuzzed.input.size) {
		run_action(&fuzzed);
		/* beyond its capacity the join evicts the oldest */
		MUST(fuzzed.sockets_in - fuzzed.sockets_out <= CAPACITY);
		MUST(fuzzed.wires_in - fuzzed.wires_out <= CAPACITY);
	}
	join_finish(fuzzed.join);
	MUST(fuzzed.sockets_in == fuzzed.sockets_out && fuzzed.wires_in == fuzzed.wires_out);
	join_free(fuzzed.join);
	process_table_free(fuzzed.processes);
	return 0;
}
