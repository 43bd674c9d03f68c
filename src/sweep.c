#include "src/sweep.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "core/waiting.h"

#define BATCH 512
#define ALL_EVERY_NS (60ULL * 1000000000)
/* Data packets touch no entry. From this age on an entry's slot is marked, so that its next packet does. */
#define WATCH_AGE_NS (3600ULL * 1000000000)

struct sweep {
	int half_open_fd, overflow_fd, established_fd, streams_fd, globals_fd;
	bool follows_packets; /* then what has ended may wait in the tables for its last acknowledgement */
	__s32 *waiting; /* the kernel's slots, mapped */
	__u64 all_swept_ns, half_open_taken;
	__u16 *expected; /* by slot: what its count should be, by the entries there are */
	__u16 *excess;   /* by slot: how much more it was at the last look */
	__u32 *watched;  /* slots that are marked */
	unsigned int watched_count, watched_room;
	struct nt_key *keys;
	struct nt_wire *wires;
};

struct pass {
	struct sweep *sweep;
	int map_fd;
	__u64 now;
	bool finish;
	bool settles; /* the slots are put right after it */
	sweep_handler handler;
	void *context;
};

struct sweep *sweep_new(const struct loader *loader, bool follows_packets)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		return NULL;
	sweep->half_open_fd = loader->half_open_fd;
	sweep->overflow_fd = loader->overflow_fd;
	sweep->globals_fd = loader->globals_fd;
	sweep->established_fd = loader->established_fd;
	sweep->streams_fd = loader->streams_fd;
	sweep->follows_packets = follows_packets;
	sweep->keys = calloc(BATCH, sizeof(*sweep->keys));
	sweep->wires = calloc(BATCH, sizeof(*sweep->wires));
	sweep->waiting = mmap(NULL, NT_WAITING_SLOTS * sizeof(__s32), PROT_READ | PROT_WRITE, MAP_SHARED,
			      loader->waiting_fd, 0);
	if (sweep->waiting == MAP_FAILED)
		sweep->waiting = NULL;
	sweep->expected = calloc(NT_WAITING_SLOTS, sizeof(*sweep->expected));
	sweep->excess = calloc(NT_WAITING_SLOTS, sizeof(*sweep->excess));
	if (sweep->keys && sweep->wires && sweep->waiting && sweep->expected && sweep->excess)
		return sweep;
	sweep_free(sweep);
	return NULL;
}

void sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	if (sweep->waiting)
		munmap(sweep->waiting, NT_WAITING_SLOTS * sizeof(__s32));
	free(sweep->expected);
	free(sweep->excess);
	free(sweep->watched);
	free(sweep->keys);
	free(sweep->wires);
	free(sweep);
}

static void mark_slot(struct sweep *sweep, __u32 slot, __s32 by)
{
	__atomic_fetch_add(&sweep->waiting[slot], by, __ATOMIC_RELAXED);
}

static void watch(struct sweep *sweep, const struct nt_key *key)
{
	if (sweep->watched_count == sweep->watched_room) {
		unsigned int room = sweep->watched_room ? sweep->watched_room * 2 : 256;
		__u32 *watched = realloc(sweep->watched, room * sizeof(*watched));

		if (!watched)
			return;
		sweep->watched = watched;
		sweep->watched_room = room;
	}
	sweep->watched[sweep->watched_count] = nt_waiting_slot(key);
	mark_slot(sweep, sweep->watched[sweep->watched_count++], 1);
}

static void stop_watching(struct sweep *sweep)
{
	while (sweep->watched_count)
		mark_slot(sweep, sweep->watched[--sweep->watched_count], -1);
}

static bool is_a_sockets(const struct nt_wire *wire)
{
	return wire->cookie[0] || wire->cookie[1];
}

/* Every socket of this machine that took part has told of its end: nothing but a RST can follow. */
static bool is_left_over(const struct nt_wire *wire)
{
	return is_a_sockets(wire) && (!wire->cookie[0] || wire->socket_closed[0]) &&
	       (!wire->cookie[1] || wire->socket_closed[1]);
}

static bool is_half_open(const struct pass *pass)
{
	return pass->map_fd != pass->sweep->established_fd;
}

static __u64 limit_of(const struct pass *pass, const struct nt_wire *wire)
{
	if (pass->finish)
		return 0;
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return SWEEP_ENDED_NS;
	if (is_half_open(pass) || is_left_over(wire))
		return SWEEP_HALF_OPEN_NS;
	return is_a_sockets(wire) ? SWEEP_SOCKETS_NS : SWEEP_OBSERVED_NS;
}

static enum nt_wire_why why_of(const struct pass *pass, const struct nt_wire *wire)
{
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return NT_WIRE_ENDED;
	return pass->finish ? NT_WIRE_EXIT : NT_WIRE_IDLE;
}

static void tell(const struct pass *pass, const struct nt_wire *wire)
{
	struct nt_wire_event event = {
		.header = {.type = NT_EVENT_TYPE_WIRE_END, .now = pass->now},
		.wire = *wire,
		.why = why_of(pass, wire),
	};

	if (!bpf_map_lookup_elem(pass->sweep->streams_fd, &wire->key, event.streams)) {
		event.has_streams = 1;
		bpf_map_delete_elem(pass->sweep->streams_fd, &wire->key);
	}
	pass->handler(pass->context, &event, sizeof(event));
}

static void expect(struct sweep *sweep, const struct nt_key *key)
{
	__u16 *expected = &sweep->expected[nt_waiting_slot(key)];

	*expected += *expected < 0xffff;
}

/* What the LRU pushed out has left its count behind: a slot that counted too many twice in a row is put right. */
static void settle_slots(struct sweep *sweep)
{
	__u32 slot;

	for (slot = 0; slot < NT_WAITING_SLOTS; slot++) {
		__s32 excess = sweep->waiting[slot] - sweep->expected[slot];

		if (excess > 0 && sweep->excess[slot]) {
			__s32 by = excess < sweep->excess[slot] ? excess : sweep->excess[slot];

			mark_slot(sweep, slot, -by);
			excess -= by;
		}
		sweep->excess[slot] = excess <= 0 ? 0 : excess < 0xffff ? excess : 0xffff;
	}
	memset(sweep->expected, 0, NT_WAITING_SLOTS * sizeof(*sweep->expected));
}

static void consider(const struct pass *pass, const struct nt_wire *wire)
{
	__u64 limit = limit_of(pass, wire);
	__u64 silent = pass->now > wire->connection.last_seen_ns ? pass->now - wire->connection.last_seen_ns : 0;

	if (silent >= limit) {
		if (bpf_map_delete_elem(pass->map_fd, &wire->key))
			return; /* ended just now: told by the kernel side */
		if (is_half_open(pass))
			pass->sweep->half_open_taken++;
		if (wire->waits_for_ack)
			mark_slot(pass->sweep, nt_waiting_slot(&wire->key), -1);
		tell(pass, wire);
	} else if (pass->settles && limit == SWEEP_OBSERVED_NS && silent >= WATCH_AGE_NS) {
		watch(pass->sweep, &wire->key);
	} else if (pass->settles && wire->waits_for_ack) {
		expect(pass->sweep, &wire->key);
	}
}

/* Returns how many entries there were. */
static __u64 walk(struct pass *pass, int map_fd)
{
	__u32 position, next, count, i;
	void *from = NULL;
	__u64 entries = 0;
	int error;

	pass->map_fd = map_fd;
	do {
		count = BATCH;
		error = bpf_map_lookup_batch(map_fd, from, &next, pass->sweep->keys, pass->sweep->wires, &count, NULL);
		if (error && error != -ENOENT)
			break;
		for (i = 0; i < count; i++)
			consider(pass, &pass->sweep->wires[i]);
		entries += count;
		position = next;
		from = &position;
	} while (!error);
	return entries;
}

/* The table for what a flood leaves no room for is looked at by the kernel side only while it is used. */
static void walk_overflow(struct pass *pass)
{
	struct sweep *sweep = pass->sweep;
	__u32 zero = 0, is_used = 0;

	if (bpf_map_lookup_elem(sweep->globals_fd, &zero, &is_used) || !is_used)
		return;
	if (walk(pass, sweep->overflow_fd))
		return;
	is_used = 0;
	bpf_map_update_elem(sweep->globals_fd, &zero, &is_used, BPF_ANY);
}

void sweep_idle(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	bool all = now - sweep->all_swept_ns >= ALL_EVERY_NS;
	struct pass pass = {.sweep = sweep, .now = now, .settles = all, .handler = handler, .context = context};

	if (all) {
		sweep->all_swept_ns = now;
		stop_watching(sweep);
	}
	walk(&pass, sweep->half_open_fd);
	walk_overflow(&pass);
	if (all)
		settle_slots(sweep);
	if (all || sweep->follows_packets)
		walk(&pass, sweep->established_fd);
}

void sweep_finish(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	struct pass pass = {.sweep = sweep, .now = now, .finish = true, .handler = handler, .context = context};

	walk(&pass, sweep->half_open_fd);
	walk_overflow(&pass);
	walk(&pass, sweep->established_fd);
}

__u64 sweep_half_open_taken(const struct sweep *sweep)
{
	return sweep->half_open_taken;
}

void sweep_closed_sockets(const struct loader *loader, __u64 now)
{
	__u64 *keys = calloc(BATCH, sizeof(*keys));
	struct nt_socket *sockets = calloc(BATCH, sizeof(*sockets));
	__u32 position, next, count, i;
	void *from = NULL;
	int error = keys && sockets ? 0 : -ENOMEM;

	while (!error) {
		count = BATCH;
		error = bpf_map_lookup_batch(loader->sockets_fd, from, &next, keys, sockets, &count, NULL);
		if (error && error != -ENOENT)
			break;
		for (i = 0; i < count; i++)
			if (sockets[i].state == TCP_CLOSE && sockets[i].close_ns + SWEEP_CLOSED_NS < now)
				bpf_map_delete_elem(loader->sockets_fd, &keys[i]);
		position = next;
		from = &position;
	}
	free(keys);
	free(sockets);
}
