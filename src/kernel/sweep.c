// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/sweep.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>

#include "core/fast_path.h"
#include "core/ownership.h"
#include "core/verdict.h"
#include "src/kernel/socket_table.h"

#define BATCH 512
#define WAITING_SIZE (NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE * sizeof(struct nt_fast_path_line))
#define FULL_SWEEP_EVERY_NS (60ULL * 1000000000)
/* In between, the table of established connections is swept when an entry in it expires, but not at once where there are
 * many: a sweep takes about 0.5 microseconds for each entry, so this is 1 % of a CPU at most. */
#define EARLY_SWEEP_EVERY_NS (2ULL * 1000000000)
#define EARLY_SWEEP_PER_ENTRY_NS 50000ULL
/* On the fast path, data packets do not update their entry's time. For an entry that has been idle for this long, the
 * sweep counts a waiting connection in its slot: then its next packet takes the full path and updates the time. */
#define WATCH_AGE_NS (3600ULL * 1000000000)

/* The audit corrects counts of the kernel side that drift: an entry that the LRU evicts leaves its counts behind, and
 * two CPUs may subtract for the same entry. Entries come and go during a sweep, so a count is certainly wrong only if
 * it was wrong both before and after the sweep. A count that is too high costs look-ups only and is corrected after
 * several rounds; one that is too low would hide connections and is corrected at once. */
#define ROUNDS_TO_CORRECT 4

struct count_audit {
	__s32 before;   /* the count before the sweep */
	__u16 expected; /* the right count, by the entries that were swept */
	__u16 least;    /* the smallest excess of the last rounds */
	__u8 rounds;    /* rounds in succession that found an excess */
};

struct audit {
	struct count_audit *counts;
	__u32 size;
};

struct sweep {
	int half_open_fd, overflow_fd, established_fd, streams_fd, translations_fd, translations_back_fd;
	volatile struct nt_shared *shared;
	struct slots slots;                /* the loader's */
	struct shares shares;              /* the loader's */
	bool follows_packets;              /* then ended connections may wait in the tables for their last ACK */
	bool sockets_enabled;              /* sockets report whether they took a RST */
	struct nt_fast_path_line *waiting; /* the kernel's, mapped */
	__u64 full_sweep_ns, half_open_removed, payload_epoch;
	/* The last sweep of the table of established connections was at ..._swept_ns and found ..._found entries; the
	 * first of them expires at ..._due_ns. */
	__u64 established_swept_ns, established_found, established_due_ns;
	/* Found by the last sweeps; [1] in the table of established connections, which is swept less often. */
	__u64 open[2], without_socket[2];
	__u64 half_open_found; /* entries of both half-open tables in the last sweep */
	struct audit waits, elsewhere;
	__u32 *watched; /* slots in which the sweep itself counts a waiting connection */
	unsigned int watched_count, watched_room;
	struct nt_key *keys;
	struct nt_wire *wires;
};

struct pass {
	struct sweep *sweep;
	int map_fd; /* the table that is swept; -1: the slots */
	__u64 now;
	bool finish;
	bool report_only; /* removes nothing */
	bool audits;      /* the counts are corrected afterwards */
	sweep_handler handler;
	void *context;
};

static bool audit_init(struct audit *audit, __u32 size)
{
	audit->size = size;
	audit->counts = calloc(size, sizeof(*audit->counts));
	return audit->counts;
}

struct sweep *sweep_new(const struct loader *loader, bool follows_packets, bool sockets_enabled)
{
	struct sweep *sweep = calloc(1, sizeof(*sweep));

	if (!sweep)
		return NULL;
	sweep->half_open_fd = loader->half_open_fd;
	sweep->overflow_fd = loader->overflow_fd;
	sweep->shared = loader->shared;
	sweep->slots = loader->slots;
	sweep->shares = loader->shares;
	sweep->established_fd = loader->established_fd;
	sweep->streams_fd = loader->streams_fd;
	sweep->translations_fd = loader->translations_fd;
	sweep->translations_back_fd = loader->translations_back_fd;
	sweep->follows_packets = follows_packets;
	sweep->sockets_enabled = sockets_enabled;
	sweep->keys = calloc(BATCH, sizeof(*sweep->keys));
	sweep->wires = calloc(BATCH, sizeof(*sweep->wires));
	sweep->waiting = mmap(NULL, WAITING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, loader->waiting_fd, 0);
	if (sweep->waiting == MAP_FAILED)
		sweep->waiting = NULL;
	if (audit_init(&sweep->waits, NT_FAST_PATH_SLOTS) && audit_init(&sweep->elsewhere, loader->slots.count) &&
	    sweep->keys && sweep->wires && sweep->waiting)
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

static struct nt_fast_path_slot *waiting_slot(struct sweep *sweep, __u32 slot)
{
	return &sweep->waiting[slot / NT_FAST_PATH_IN_LINE].slot[slot % NT_FAST_PATH_IN_LINE];
}

static int *waiting_count_of_slot(struct sweep *sweep, __u32 slot)
{
	return &waiting_slot(sweep, slot)->handshakes;
}

static void add_to_waiting(struct sweep *sweep, __u32 slot, __s32 by)
{
	__atomic_fetch_add(waiting_count_of_slot(sweep, slot), by, __ATOMIC_RELAXED);
}

/* Two CPUs may subtract for the same entry. Then the ACK of the slot's next handshake would not be read. */
static void correct_negative_count(int *count)
{
	int found = __atomic_load_n(count, __ATOMIC_RELAXED);

	if (found < 0)
		__atomic_fetch_add(count, -found, __ATOMIC_RELAXED);
}

/* A mapped element is read without a lock; the kernel side adds to it meanwhile. */
void sweep_expire_payload_waits(struct sweep *sweep, __u64 now)
{
	__u32 field = NT_PAYLOAD_MOST_COUNTED << nt_payload_shift(now - NT_PAYLOAD_EPOCH_NS), i;

	if (now / NT_PAYLOAD_EPOCH_NS == sweep->payload_epoch)
		return;
	sweep->payload_epoch = now / NT_PAYLOAD_EPOCH_NS;
	for (i = 0; i < NT_FAST_PATH_SLOTS; i++) {
		__u32 *payloads = &waiting_slot(sweep, i)->payloads;

		if (__atomic_load_n(payloads, __ATOMIC_RELAXED) & field)
			__atomic_fetch_and(payloads, ~field, __ATOMIC_RELAXED);
		correct_negative_count(&waiting_slot(sweep, i)->handshakes);
	}
}

static void count_expected(struct audit *audit, __u32 index)
{
	audit->counts[index].expected += audit->counts[index].expected < 0xffff;
}

static void watch_slot(struct sweep *sweep, const struct nt_key *key)
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
	count_expected(&sweep->waits, sweep->watched[sweep->watched_count]);
	add_to_waiting(sweep, sweep->watched[sweep->watched_count++], 1);
}

static void unwatch_slots(struct sweep *sweep)
{
	while (sweep->watched_count)
		add_to_waiting(sweep, sweep->watched[--sweep->watched_count], -1);
}

/* Returns whether the side has no local socket, or one that has closed. */
static bool is_side_over(const struct nt_wire *wire, int side)
{
	return !nt_side_has_socket(wire, side) || wire->socket_closed[side];
}

/* Returns whether all local sockets of the connection have closed: only a RST can follow. */
static bool is_left_over(const struct nt_wire *wire)
{
	return nt_wire_has_socket(wire) && is_side_over(wire, 0) && is_side_over(wire, 1);
}

/* Returns after how many nanoseconds without a packet the connection expires. */
static __u64 idle_limit(const struct pass *pass, const struct nt_wire *wire)
{
	if (pass->finish)
		return 0;
	if (nt_connection_state(&wire->connection) == NT_STATE_RESET && nt_connection_is_established(&wire->connection))
		return pass->sweep->sockets_enabled && nt_wire_awaits_socket(wire) ? SWEEP_SOCKETS_NS : NT_OUTLIVED_NS;
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return SWEEP_ENDED_NS;
	if (is_left_over(wire))
		return NT_HALF_OPEN_NS;
	if (!nt_wire_has_socket(wire) && nt_is_unaccepted(wire))
		return NT_HALF_OPEN_NS;
	if (nt_wire_has_socket(wire) && nt_connection_is_established(&wire->connection))
		return SWEEP_SOCKETS_NS;
	return nt_connection_idle_limit(&wire->connection);
}

static enum nt_wire_cause choose_cause(const struct pass *pass, const struct nt_wire *wire)
{
	if (nt_connection_state(&wire->connection) >= NT_STATE_CLOSED)
		return NT_WIRE_ENDED;
	return pass->finish || pass->report_only ? NT_WIRE_EXIT : NT_WIRE_IDLE;
}

static void report_wire(const struct pass *pass, const struct nt_wire *wire)
{
	struct nt_wire_event event = {
		.header = { .type = NT_EVENT_TYPE_WIRE_END, .now = pass->now },
		.wire = *wire,
		.cause = choose_cause(pass, wire),
	};

	if (!bpf_map_lookup_elem(pass->sweep->streams_fd, &wire->key, &event.streams)) {
		event.has_streams = 1;
		if (!pass->report_only)
			bpf_map_delete_elem(pass->sweep->streams_fd, &wire->key);
	}
	pass->handler(pass->context, &event, sizeof(event));
}

/* Returns by how much a count is certainly too high, or, below 0, too low. after: the count after the sweep. */
static __s32 compute_excess(struct count_audit *count, __s32 after)
{
	__s32 least = after < count->before ? after : count->before;
	__s32 most = after > count->before ? after : count->before;
	__s32 excess = least - count->expected, missing = most - count->expected;

	count->expected = 0;
	if (excess <= 0) {
		count->rounds = 0;
		return missing < 0 ? missing : 0;
	}
	if (!count->rounds || excess < count->least)
		count->least = excess < 0xffff ? excess : 0xffff;
	if (++count->rounds < ROUNDS_TO_CORRECT)
		return 0;
	count->rounds = 0;
	return count->least;
}

static void save_counts(struct sweep *sweep)
{
	__u32 i;

	for (i = 0; i < sweep->waits.size; i++)
		sweep->waits.counts[i].before = *waiting_count_of_slot(sweep, i);
	for (i = 0; i < sweep->elsewhere.size; i++)
		sweep->elsewhere.counts[i].before = sweep->slots.slot[i].elsewhere;
}

static void correct_counts(struct sweep *sweep)
{
	__u32 i;

	for (i = 0; i < sweep->waits.size; i++) {
		__s32 excess = compute_excess(&sweep->waits.counts[i], *waiting_count_of_slot(sweep, i));

		if (excess)
			add_to_waiting(sweep, i, -excess);
	}
	for (i = 0; i < sweep->elsewhere.size; i++) {
		__s32 *elsewhere = &sweep->slots.slot[i].elsewhere;
		__s32 excess = compute_excess(&sweep->elsewhere.counts[i], *elsewhere);

		if (excess)
			__atomic_fetch_add(elsewhere, -excess, __ATOMIC_RELAXED);
	}
}

/* The overflow table is not shared fairly: it evicts. */
static void release_share(const struct pass *pass, const struct nt_wire *wire)
{
	const struct sweep *sweep = pass->sweep;

	if (pass->map_fd == sweep->established_fd)
		shares_release(&sweep->shares, NT_FAIR_ESTABLISHED, wire->share);
	else if (pass->map_fd == sweep->half_open_fd)
		shares_release(&sweep->shares, NT_FAIR_HALF_OPEN, wire->share);
}

/* Returns false if a packet came since the entry was read, or if the kernel side has removed it. Otherwise *wire is what
 * was removed: a socket may have closed meanwhile. */
static bool remove_unchanged(const struct pass *pass, struct nt_wire *wire)
{
	struct nt_wire current;

	if (pass->map_fd < 0)
		return slots_take(slots_of_key(&pass->sweep->slots, &wire->key), wire);
	if (bpf_map_lookup_elem(pass->map_fd, &wire->key, &current) ||
	    current.connection.last_seen_ns != wire->connection.last_seen_ns ||
	    bpf_map_delete_elem(pass->map_fd, &wire->key))
		return false;
	*wire = current;
	release_share(pass, wire);
	slots_clear_elsewhere(&pass->sweep->slots, &wire->key);
	if (pass->map_fd != pass->sweep->established_fd)
		pass->sweep->half_open_removed++;
	return true;
}

/* The way back may be a later connection's, of another socket with the same tuple. */
static void delete_translation_back(const struct sweep *sweep, const struct nt_key *socket_key,
				    const struct nt_key *key)
{
	struct nt_translation back;

	if (!bpf_map_lookup_elem(sweep->translations_back_fd, socket_key, &back) && nt_key_equals(&back.key, key))
		bpf_map_delete_elem(sweep->translations_back_fd, socket_key);
}

static void delete_translations(const struct sweep *sweep, const struct nt_wire *wire)
{
	struct nt_translation translation;
	int side;

	for (side = 0; side < 2; side++) {
		if (!wire->translated[side] ||
		    bpf_map_lookup_elem(sweep->translations_fd, &wire->cookie[side], &translation) ||
		    !nt_key_equals(&translation.key, &wire->key))
			continue;
		delete_translation_back(sweep, &translation.socket_key, &wire->key);
		bpf_map_delete_elem(sweep->translations_fd, &wire->cookie[side]);
	}
}

static void report_if_open(const struct pass *pass, const struct nt_wire *wire)
{
	if (nt_connection_is_established(&wire->connection) && nt_connection_state(&wire->connection) < NT_STATE_CLOSED)
		report_wire(pass, wire);
}

static void sweep_wire(const struct pass *pass, struct nt_wire *wire)
{
	struct sweep *sweep = pass->sweep;
	__u64 limit = idle_limit(pass, wire);
	__u64 idle = pass->now > wire->connection.last_seen_ns ? pass->now - wire->connection.last_seen_ns : 0;

	if (pass->report_only)
		return report_if_open(pass, wire);
	if (idle >= limit) {
		if (!remove_unchanged(pass, wire))
			return;
		if (wire->waits_for_ack)
			add_to_waiting(sweep, nt_fast_path_slot(&wire->key), -1);
		delete_translations(sweep, wire);
		report_wire(pass, wire);
		return;
	}
	if (pass->map_fd == sweep->established_fd && pass->now - idle + limit < sweep->established_due_ns)
		sweep->established_due_ns = pass->now - idle + limit;
	sweep->open[pass->map_fd == sweep->established_fd]++;
	sweep->without_socket[pass->map_fd == sweep->established_fd] += !nt_wire_has_socket(wire);
	if (!pass->audits)
		return;
	if (pass->map_fd >= 0)
		count_expected(&sweep->elsewhere, nt_fast_path_slot(&wire->key) & (sweep->slots.count - 1));
	if (limit == NT_TRACKED_NS && idle >= WATCH_AGE_NS)
		watch_slot(sweep, &wire->key);
	else if (wire->waits_for_ack)
		count_expected(&sweep->waits, nt_fast_path_slot(&wire->key));
}

static void sweep_slots(struct pass *pass)
{
	const struct slots *slots = &pass->sweep->slots;
	__u32 i;

	pass->map_fd = -1;
	for (i = 0; i < slots->count; i++) {
		struct nt_wire wire;

		if (!slots_is_live(&slots->slot[i]))
			continue;
		wire = slots->slot[i].wire;
		sweep_wire(pass, &wire);
	}
}

/* Returns how many entries the table had. */
static __u64 sweep_table(struct pass *pass, int map_fd)
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
			sweep_wire(pass, &pass->sweep->wires[i]);
		entries += count;
		position = next;
		from = &position;
	} while (!error);
	return entries;
}

/* The kernel side looks up half-open connections in the overflow table only while overflow_is_used is set. It is
 * cleared before the sweep, so that an entry that is inserted meanwhile sets it again. */
static void sweep_overflow(struct pass *pass)
{
	struct sweep *sweep = pass->sweep;
	__u64 found;

	if (!sweep->shared->overflow_is_used)
		return;
	sweep->shared->overflow_is_used = 0;
	found = sweep_table(pass, sweep->overflow_fd);
	if (found)
		sweep->shared->overflow_is_used = 1;
	sweep->half_open_found += found;
}

/* A reset connection without a socket expires soon. The kernel side reports that. */
static bool is_established_due(const struct sweep *sweep, __u64 now)
{
	__u64 least = sweep->established_found * EARLY_SWEEP_PER_ENTRY_NS;

	if (sweep->follows_packets)
		return true;
	if (least < EARLY_SWEEP_EVERY_NS)
		least = EARLY_SWEEP_EVERY_NS;
	return now - sweep->established_swept_ns >= least &&
	       (now >= sweep->established_due_ns || sweep->shared->has_reset);
}

static void sweep_established(struct pass *pass)
{
	struct sweep *sweep = pass->sweep;

	sweep->shared->has_reset = 0;
	sweep->established_swept_ns = pass->now;
	sweep->established_due_ns = UINT64_MAX;
	sweep->open[1] = sweep->without_socket[1] = 0;
	sweep->established_found = sweep_table(pass, sweep->established_fd);
}

void sweep_idle(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	bool full = now - sweep->full_sweep_ns >= FULL_SWEEP_EVERY_NS;
	struct pass pass = { .sweep = sweep, .now = now, .audits = full, .handler = handler, .context = context };

	if (full) {
		sweep->full_sweep_ns = now;
		unwatch_slots(sweep);
		save_counts(sweep);
	}
	sweep->open[0] = sweep->without_socket[0] = 0;
	sweep_slots(&pass);
	sweep->half_open_found = sweep_table(&pass, sweep->half_open_fd);
	sweep_overflow(&pass);
	if (full || is_established_due(sweep, now))
		sweep_established(&pass);
	if (full)
		correct_counts(sweep);
}

void sweep_finish(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	struct pass pass = { .sweep = sweep, .now = now, .finish = true, .handler = handler, .context = context };

	sweep_slots(&pass);
	sweep_table(&pass, sweep->half_open_fd);
	sweep_overflow(&pass);
	sweep_table(&pass, sweep->established_fd);
	sweep->half_open_found = 0;
}

void sweep_report_open(struct sweep *sweep, __u64 now, sweep_handler handler, void *context)
{
	struct pass pass = { .sweep = sweep, .now = now, .report_only = true, .handler = handler, .context = context };

	sweep_slots(&pass);
	sweep_table(&pass, sweep->established_fd);
}

__u64 sweep_open_connections(const struct sweep *sweep, bool with_sockets)
{
	return with_sockets ? sweep->open[0] + sweep->open[1] : sweep->without_socket[0] + sweep->without_socket[1];
}

__u64 sweep_half_open_seen(const struct sweep *sweep)
{
	return sweep->half_open_removed + sweep->half_open_found;
}

struct closed_sweep {
	const struct loader *loader;
	__u64 now;
};

/* The kernel side changes an entry while it is copied: the copy may have the state of a connection that has just closed,
 * and no time of its end yet. */
static bool has_closed_long_ago(const struct nt_socket *socket, __u64 now)
{
	return socket->state == TCP_CLOSE && socket->close_ns && socket->close_ns + SWEEP_CLOSED_NS < now;
}

/* A batch is old when its entries are visited: the address may be another socket's by now. So the entry is read again. */
static void remove_if_closed(void *context, __u64 address, const struct nt_socket *visited)
{
	const struct closed_sweep *closed = context;
	struct nt_socket socket;

	if (!has_closed_long_ago(visited, closed->now) ||
	    bpf_map_lookup_elem(closed->loader->sockets_fd, &address, &socket) ||
	    !has_closed_long_ago(&socket, closed->now))
		return;
	if (!bpf_map_delete_elem(closed->loader->sockets_fd, &address))
		shares_release(&closed->loader->shares, NT_FAIR_SOCKETS, socket.share);
}

void sweep_closed_sockets(const struct loader *loader, __u64 now)
{
	struct closed_sweep closed = { loader, now };

	socket_table_visit(loader, remove_if_closed, &closed);
}
