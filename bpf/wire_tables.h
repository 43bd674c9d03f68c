/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context's tables. Half-open connections live apart: a flood of SYNs pushes out only its like.
 *
 * Before them stands an array of slots. A connection that finds its slot free stays there from its SYN to its end, and
 * is found without a call of a helper, which is what costs most (bench/connection-rate). A flood that takes all slots
 * leaves the tables to the others, as if there were no slots.
 *
 * An LRU table hands its elements out in turn, and each is cold in the CPU's caches. So half-open connections are kept
 * in a plain one, whose memory is used again at once, and only those that it has no room for in an LRU one.
 */
#ifndef NETRACKER_BPF_WIRE_TABLES_H
#define NETRACKER_BPF_WIRE_TABLES_H

#include "maps.h"

#include "../core/fast_path.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nt_slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct nt_key);
	__type(value, struct nt_wire);
} half_open SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct nt_key);
	__type(value, struct nt_wire);
} half_open_overflow SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct nt_key);
	__type(value, struct nt_wire);
} established SEC(".maps");

/* Where every packet is followed: the streams of what is in the tables above. */
struct nt_streams {
	struct nt_stream of[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct nt_key);
	__type(value, struct nt_streams);
} streams SEC(".maps");

/* One way of a packet through an interface. */
struct sighting {
	struct nt_packet packet;
	struct nt_key key;
	__u64 now;
	__u32 source; /* index of the key's end that sent it */
	__u32 leaving;
	__u32 step; /* enum nt_step: what it did to its connection */
};

/* Room to work in: TC programs are not interrupted by others on their CPU. In a map the verifier takes what it holds
 * for unknown, and has fewer cases to go through than on the stack. */
struct workspace {
	struct sighting sighting;
	struct nt_wire fresh;
	struct nt_streams followed;
	struct nt_wire_event end;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

/* How many connections whose key falls on a slot wait for the ACK that completes their handshake. All other packets
 * without SYN, FIN or RST leave after a look at it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nt_fast_path_line);
} waiting SEC(".maps");

static __always_inline int *waiting_count(__u32 slot)
{
	__u32 index = slot / NT_FAST_PATH_IN_LINE;
	struct nt_fast_path_line *line = bpf_map_lookup_elem(&waiting, &index);

	return line ? &line->count[slot % NT_FAST_PATH_IN_LINE] : NULL;
}

static __always_inline void expect_ack(struct nt_wire *wire)
{
	int *waits;

	if (wire->waits_for_ack)
		return;
	waits = waiting_count(nt_fast_path_slot(&wire->key));
	if (!waits)
		return;
	wire->waits_for_ack = 1;
	__sync_fetch_and_add(waits, 1);
}

static __always_inline void clear_ack(struct nt_wire *wire)
{
	int *waits;

	if (!wire->waits_for_ack)
		return;
	waits = waiting_count(nt_fast_path_slot(&wire->key));
	if (!waits)
		return;
	wire->waits_for_ack = 0;
	__sync_fetch_and_add(waits, -1);
}

/* Where a connection is kept. */
enum wire_place { IN_SLOT, IN_HALF_OPEN, IN_ESTABLISHED };

struct wire_found {
	struct nt_wire *wire; /* NULL: none */
	struct nt_slot *slot; /* its key's */
	enum wire_place place;
};

static __always_inline struct nt_slot *slot_of(const struct nt_key *key)
{
	__u32 index = nt_fast_path_slot(key) & config.slot_mask;

	return bpf_map_lookup_elem(&slots, &index);
}

/* The protocol of a slot. A connection claims it, fills `wire`, sets `live`; whoever takes the connection out clears `live`
 * and then gives the claim back. User space does the same by C11 atomics (src/kernel/slots.c).
 *
 * Only one can be alone in a count, on any machine and without a barrier: additions to one address are in one order, and
 * a processor that reads the address after its own addition sees that addition and all before it.
 *
 * The order of accesses to *different* addresses is what needs barriers:
 * - claim, then fill; clear `live`, then give back `takers` and `claims`: else the late store clears the next
 *   connection's `live`, and its slot is never free again;
 * - fill, then set `live`; read `live`, then the key and the rest: else the connection before is read and taken out;
 * - be alone in `takers`, then read `live`: else one connection is taken out twice.
 *
 * On x86 all these hold: an atomic addition is a full barrier, and other stores and loads keep their order, if the
 * compiler leaves it. On arm64 and others, an addition whose former value is not asked for (BPF_XADD, all that Linux
 * 5.10 and 5.11 have) orders nothing, in no kernel. One that returns the former value (BPF_FETCH, since 5.12), and an
 * exchange, are full barriers. So there every access that must be ordered is one of these, and the kernel must be 5.12 or
 * newer: an older one refuses the programs.
 *
 * `elsewhere` and the counts of core/fast_path.h need no barrier. A packet that must find a connection answers one that
 * was seen before, and the ways between (locks, queues, the device) are barriers; a sweep takes the tables' locks.
 */
#ifdef __TARGET_ARCH_x86
#define NT_COMPILER_BARRIER() asm volatile("" : : : "memory")

static __always_inline void add_ordered(__s32 *count, __s32 by)
{
	__sync_fetch_and_add(count, by);
}

static __always_inline __u32 load_ordered(__u32 *value)
{
	__u32 loaded = *(volatile __u32 *)value;

	NT_COMPILER_BARRIER();
	return loaded;
}

static __always_inline void store_ordered(__u32 *value, __u32 stored)
{
	NT_COMPILER_BARRIER();
	*(volatile __u32 *)value = stored;
}
#else
/* The compiler sets BPF_FETCH only where the former value is used. */
#define NT_USE(value) asm volatile("" : : "r"(value))

static __always_inline void add_ordered(__s32 *count, __s32 by)
{
	__s32 former = __sync_fetch_and_add(count, by);

	NT_USE(former);
}

static __always_inline __u32 load_ordered(__u32 *value)
{
	__u32 loaded = __sync_fetch_and_add(value, 0);

	NT_USE(loaded);
	return loaded;
}

static __always_inline void store_ordered(__u32 *value, __u32 stored)
{
	__u32 former = __sync_lock_test_and_set(value, stored);

	NT_USE(former);
}
#endif

static __always_inline bool alone_in(__s32 *count)
{
	add_ordered(count, 1);
	if (*(volatile __s32 *)count == 1)
		return true;
	add_ordered(count, -1);
	return false;
}

static __always_inline bool claim_slot(struct nt_slot *slot)
{
	return !*(volatile __s32 *)&slot->claims && alone_in(&slot->claims);
}

/* After `wire` was filled. */
static __always_inline void publish_slot(struct nt_slot *slot)
{
	store_ordered(&slot->live, 1);
}

static __always_inline bool is_in_slot(struct nt_slot *slot, const struct nt_key *key)
{
	return load_ordered(&slot->live) && nt_key_equals(&slot->wire.key, key);
}

/* Of several that take the connection out, one is told true; none where two try at once: then the sweep does it. */
static __always_inline bool take_out_of_slot(struct nt_slot *slot, const struct nt_key *key)
{
	bool taken = false;

	if (!alone_in(&slot->takers))
		return false;
	if (is_in_slot(slot, key)) {
		store_ordered(&slot->live, 0);
		taken = true;
	}
	add_ordered(&slot->takers, -1);
	if (taken)
		add_ordered(&slot->claims, -1);
	return taken;
}

static __always_inline struct nt_wire *find_half_open(const struct nt_key *key)
{
	struct nt_wire *wire = bpf_map_lookup_elem(&half_open, key);

	if (wire || !shared.overflow_is_used)
		return wire;
	return bpf_map_lookup_elem(&half_open_overflow, key);
}

/* Not in its slot: in which table is it? The more likely one is looked at first. */
static __always_inline void find_in_tables(struct wire_found *found, const struct nt_key *key, bool likely_half_open)
{
	found->place = likely_half_open ? IN_HALF_OPEN : IN_ESTABLISHED;
	found->wire = likely_half_open ? find_half_open(key) : bpf_map_lookup_elem(&established, key);
	if (found->wire)
		return;
	found->place = likely_half_open ? IN_ESTABLISHED : IN_HALF_OPEN;
	found->wire = likely_half_open ? bpf_map_lookup_elem(&established, key) : find_half_open(key);
}

static __always_inline void find_wire(struct wire_found *found, const struct nt_key *key, bool likely_half_open)
{
	found->wire = NULL;
	found->place = IN_SLOT;
	found->slot = slot_of(key);
	if (!found->slot)
		return;
	if (is_in_slot(found->slot, key))
		found->wire = &found->slot->wire;
	else if (found->slot->elsewhere)
		find_in_tables(found, key, likely_half_open);
}

static __always_inline void put_half_open(struct nt_slot *slot, const struct nt_key *key, const struct nt_wire *wire)
{
	int error;

	__sync_fetch_and_add(&slot->elsewhere, 1);
	error = bpf_map_update_elem(&half_open, key, wire, BPF_ANY);
	if (error) {
		if (error != -E2BIG)
			check_details(error);
		shared.overflow_is_used = 1;
		error = bpf_map_update_elem(&half_open_overflow, key, wire, BPF_ANY);
	}
	if (!error) {
		count(NT_COUNT_HALF_OPEN_BEGUN);
		return;
	}
	/* an LRU table's elements are there from the start: that none can be had means that it is full */
	count_failure(NT_COUNT_HALF_OPEN_FAILED, error == -ENOMEM ? -E2BIG : error);
	__sync_fetch_and_add(&slot->elsewhere, -1);
}

/* Of two processors that take the same entry out, one gets 0. Copy it first: the table reuses it at once. */
static __always_inline int take_half_open(const struct nt_key *key)
{
	int error = bpf_map_delete_elem(&half_open, key);

	if (error && shared.overflow_is_used)
		error = bpf_map_delete_elem(&half_open_overflow, key);
	if (!error)
		count(NT_COUNT_HALF_OPEN_TAKEN);
	return error;
}

/* Takes the connection out of where it was found: true for one of several that do. */
static __always_inline bool take_wire(const struct wire_found *found, const struct nt_key *key)
{
	int error;

	if (found->place == IN_SLOT)
		return take_out_of_slot(found->slot, key);
	error = found->place == IN_HALF_OPEN ? take_half_open(key) : bpf_map_delete_elem(&established, key);
	if (!error)
		__sync_fetch_and_add(&found->slot->elsewhere, -1);
	return !error;
}

#endif
