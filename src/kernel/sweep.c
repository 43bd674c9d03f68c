// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/sweep.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "core/ownership.h"
#include "core/verdict.h"
#include "core/fast_path.h"

#define BATCH 512
#define WAITING_SIZE (NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE * sizeof(struct nt_fast_path_line))
#define ALL_EVERY_NS (60ULL * 1000000000)
/* Data packets touch no entry. From this age on an entry's slot is marked, so that its next packet does. */
#define WATCH_AGE_NS (3600ULL * 1000000000)

/* Counts that the kernel side keeps drift: what the LRU pushes out leaves its counts behind, and two processors may take
 * one off for the same entry. Entries come and go while the tables are walked, so a count is wrong for sure only where it
 * was so before the walk and after it; too many costs look-ups only and is put right after several looks, too few would
 * hide connections and is put right at once. */
#define LOOKS_TO_SETTLE 4

struct count_audit {
	__s32 before;    /* the count before the walk */
	__u16 expected;  /* what it should be, by the entries that were walked */
	__u16 least;     /* by how much it was too many at each of the last looks */
	__u8 looks;      /* how many of them */
};

struct audit {
	struct count_audit *counts;
	__u32 size;
};

struct sweep {
	int half_open_fd, overflow_fd, established_fd, streams_fd;
	volatile struct nt_shared *shared;
	struct slots slots; /* the loader's */
	bool follows_packets; /* then what has ended may wait in the tables for its last acknowledgement */
	struct nt_fast_path_line *waiting; /* the kernel's, mapped */
	__u64 all_swept_ns, half_open_taken;
	struct audit waits, elsewhere;
	__u32 *watched;  /* slots that are marked */
	unsigned int watched_count, watched_room;
	struct nt_key *keys;
	struct nt_wire *wires;
};

struct pass {
	struct sweep *sweep;
	int map_fd; /* of the table that is walked; -1: the slots */
	__u64 now;
	bool finish;
	bool looks;   /* everything stays where it is */
	bool settles; /* the slots are put right after it */
	sweep_handler handler;
	void *context;
};

static bool audit_new(struct audit *audit, __u32 size)
{
	audit->size = size;
	audit->counts = calloc(size, sizeof(*audit->counts));
	return audit->counts;
}

struct sweep *sweep_new(const struct loader *loader, bool follows_packets)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		return NULL;
	sweep->half_open_fd = loader->half_open_fd;
	sweep->overflow_fd = loader->overflow_fd;
	sweep->shared = loader->shared;
	sweep->slots = loader->slots;
	sweep->established_fd = loader->established_fd;
	sweep->streams_fd = loader->streams_fd;
	sweep->follows_packets = follows_packets;
	sweep->keys = calloc(BATCH, sizeof(*sweep->keys));
	sweep->wires = calloc(BATCH, sizeof(*sweep->wires));
	sweep->waiting = mmap(NULL, WAITING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			      loader->waiting_fd, 0);
	if (sweep->waiting == MAP_FAILED)
		sweep->waiting = NULL;
	if (audit_new(&sweep->waits, NT_FAST_PATH_SLOTS) && audit_new(&sweep->elsewhere, loader->slots.count) && sweep->keys &&
	    sweep->wires && sweep->waiting)
		return sweep;
	sweep_free(sweep);
	return NULL;
}

void sweep_free(struct sweep *sweep)
{
	if (!sweep)
		return;
	if (sweep->waiting)
		munmap(sweep->waiting, WAITING_SIZE);
	free(sweep->waits.counts);
	free(sweep->elsewhere.counts);
	free(sweep->watched);
	free(sweep->keys);
	free(sweep->wires);
	free(sweep);
}

static int *waiting_count(struct sweep *sweep, __u32 slot)
{
	return &sweep->waiting[slot / NT_FAST_PATH_IN_LINE].count[slot % NT_FAST_PATH_IN_LINE];
}

static void mark_slot(struct sweep *sweep, __u32 slot, __s32 by)
{
	__atomic_fetch_add(waiting_count(sweep, slot), by, __ATOMIC_RELAXED);
}

static void expect(struct audit *audit, __u32 index)
{
	audit->counts[index].expected += audit->counts[index].expected < 0xffff;
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
	sweep->watched[sweep->watched_count] = nt_fast_path_slot(key);
	expect(&sweep->waits, sweep->watched[sweep->watched_count]);
	mark_slot(sweep, sweep->watched[sweep->watched_count++], 1);
}

static void stop_watching(struct sweep *sweep)
{
	while (sweep->watched_count)
		mark_slot(sweep, sweep->watched[--sweep->watched_count], -1);
}

static bool side_is_over(const struct nt_wire *wire, int side)
{
	return !nt_side_has_socket(wire, side) || wire->socket_closed[side];
}

/* Every socket of this machine that took part has told of its end: nothing but a RST can follow. */
static bool is_left_over(const struct nt_wire *wire)
{
	return nt_wire_has_socket(wire) && side_is_over(wire, 0) && side_is_over(wire, 1);
}

static __u64 limit_of(const struct pass *pass, const struct nt_wire *wire)
{
	if (pass->finish)
		return 0;
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return SWEEP_ENDED_NS;
	if (is_left_over(wire))
		return NT_HALF_OPEN_NS;
	if (nt_wire_has_socket(wire) && nt_connection_is_established(&wire->connection))
		return SWEEP_SOCKETS_NS;
	return nt_connection_idle_limit(&wire->connection);
}

static enum nt_wire_cause cause_of(const struct pass *pass, const struct nt_wire *wire)
{
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return NT_WIRE_ENDED;
	return pass->finish || pass->looks ? NT_WIRE_EXIT : NT_WIRE_IDLE;
}

static void tell(const struct pass *pass, const struct nt_wire *wire)
{
	struct nt_wire_event event = {
		.header = {.type = NT_EVENT_TYPE_WIRE_END, .now = pass->now},
		.wire = *wire,
		.cause = cause_of(pass, wire),
	};

	if (!bpf_map_lookup_elem(pass->sweep->streams_fd, &wire->key, event.streams)) {
		event.has_streams = 1;
		if (!pass->looks)
			bpf_map_delete_elem(pass->sweep->streams_fd, &wire->key);
	}
	pass->handler(pass->context, &event, sizeof(event));
}

/* By how much a count is too many (less than 0: too few), as far as that is sure. */
static __s32 excess_of(struct count_audit *count, __s32 now)
{
	__s32 least = now < count->before ? now : count->before, most = now > count->before ? now : count->before;
	__s32 excess = least - count->expected, missing = most - count->expected;

	count->expected = 0;
	if (excess <= 0) {
		count->looks = 0;
		return missing < 0 ? missing : 0;
	}
	if (!count->looks || excess < count->least)
		count->least = excess < 0xffff ? excess : 0xffff;
	if (++count->looks < LOOKS_TO_SETTLE)
		return 0;
	count->looks = 0;
	return count->least;
}

static void note_counts(struct sweep *sweep)
{
	__u32 i;

	for (i = 0; i < sweep->waits.size; i++)
		sweep->waits.counts[i].before = *waiting_count(sweep, i);
	for (i = 0; i < sweep->elsewhere.size; i++)
		sweep->elsewhere.counts[i].before = sweep->slots.slot[i].elsewhere;
}

static void settle_counts(struct sweep *sweep)
{
	__u32 i;

	for (i = 0; i < sweep->waits.size; i++) {
		__s32 excess = excess_of(&sweep->waits.counts[i], *waiting_count(sweep, i));

		if (excess)
			mark_slot(sweep, i, -excess);
	}
	for (i = 0; i < sweep->elsewhere.size; i++) {
		__s32 *elsewhere = &sweep->slots.slot[i].elsewhere;
		__s32 excess = excess_of(&sweep->elsewhere.counts[i], *elsewhere);

		if (excess)
			__atomic_fetch_add(elsewhere, -excess, __ATOMIC_RELAXED);
	}
}

/* False where it changed since it was read, or the kernel side took it out just now. */
static bool take(const struct pass *pass, const struct nt_wire *wire)
{
	struct nt_wire now;

	if (pass->map_fd < 0)
		return slots_take(slots_of_key(&pass->sweep->slots, &wire->key), wire);
	if (bpf_map_lookup_elem(pass->map_fd, &wire->key, &now) ||
	    now.connection.last_seen_ns != wire->connection.last_seen_ns || bpf_map_delete_elem(pass->map_fd, &wire->key))
		return false;
	slots_clear_elsewhere(&pass->sweep->slots, &wire->key);
	if (pass->map_fd != pass->sweep->established_fd)
		pass->sweep->half_open_taken++;
	return true;
}

static void look(const struct pass *pass, const struct nt_wire *wire)
{
	if (nt_connection_is_established(&wire->connection) && nt_connection_state(&wire->connection) < NT_STATE_CLOSED)
		tell(pass, wire);
}

static void consider(const struct pass *pass, const struct nt_wire *wire)
{
	struct sweep *sweep = pass->sweep;
	__u64 limit = limit_of(pass, wire);
	__u64 silent = pass->now > wire->connection.last_seen_ns ? pass->now - wire->connection.last_seen_ns : 0;

	if (pass->looks)
		return look(pass, wire);
	if (silent >= limit) {
		if (!take(pass, wire))
			return;
		if (wire->waits_for_ack)
			mark_slot(sweep, nt_fast_path_slot(&wire->key), -1);
		tell(pass, wire);
		return;
	}
	if (!pass->settles)
		return;
	if (pass->map_fd >= 0)
		expect(&sweep->elsewhere, nt_fast_path_slot(&wire->key) & (sweep->slots.count - 1));
	if (limit == NT_TRACKED_NS && silent >= WATCH_AGE_NS)
		watch(sweep, &wire->key);
	else if (wire->waits_for_ack)
		expect(&sweep->waits, nt_fast_path_slot(&wire->key));
}

static void walk_slots(struct pass *pass)
{
	const struct slots *slots = &pass->sweep->slots;
	__u32 i;

	pass->map_fd = -1;
	for (i = 0; i < slots->count; i++) {
		struct nt_wire wire;

		if (!slots_is_live(&slots->slot[i]))
			continue;
		wire = slots->slot[i].wire;
		consider(pass, &wire);
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

	if (!sweep->shared->overflow_is_used)
		return;
	sweep->shared->overflow_is_used = 0;
	if (walk(pass, sweep->overflow_fd))
		sweep->shared->overflow_is_used = 1;
}

void sweep_idle(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	bool all = now - sweep->all_swept_ns >= ALL_EVERY_NS;
	struct pass pass = {.sweep = sweep, .now = now, .settles = all, .handler = handler, .context = context};

	if (all) {
		sweep->all_swept_ns = now;
		stop_watching(sweep);
		note_counts(sweep);
	}
	walk_slots(&pass);
	walk(&pass, sweep->half_open_fd);
	walk_overflow(&pass);
	if (all || sweep->follows_packets)
		walk(&pass, sweep->established_fd);
	if (all)
		settle_counts(sweep);
}

void sweep_finish(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	struct pass pass = {.sweep = sweep, .now = now, .finish = true, .handler = handler, .context = context};

	walk_slots(&pass);
	walk(&pass, sweep->half_open_fd);
	walk_overflow(&pass);
	walk(&pass, sweep->established_fd);
}

void sweep_report_open(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	struct pass pass = {.sweep = sweep, .now = now, .looks = true, .handler = handler, .context = context};

	walk_slots(&pass);
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
