/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The wire context's tables. Half-open connections have tables of their own, so that a flood of SYNs evicts only
 * half-open connections.
 *
 * The first place for a connection is an array of slots. If its slot is free, the connection stays there from its SYN
 * to its end and is found without a helper call, which is what costs most (bench/connection-rate). If a flood takes all
 * slots, the other connections use the hash tables, as if there were no slots.
 *
 * An LRU table hands out its elements in turn, so each one is cold in the CPU's caches. Half-open connections are
 * therefore kept in a plain hash table, whose memory is reused at once. The LRU table takes only those that do not fit
 * there.
 */
#ifndef NETRACKER_BPF_WIRE_TABLES_H
#define NETRACKER_BPF_WIRE_TABLES_H

#include "fair_tables.h"

#include "../core/fast_path.h"
#include "../core/first_payload.h"

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

/* The streams of the connections in the tables above; used only if every packet is followed. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct nt_key);
	__type(value, struct nt_streams);
} streams SEC(".maps");

/* One sighting of a packet; a packet that crosses several interfaces has one at each. */
struct sighting {
	struct nt_packet packet;
	struct nt_key key;
	__u64 now;
	__u32 source;  /* the side of the key that sent it */
	__u32 leaving; /* seen on egress */
	__u32 step;    /* enum nt_step bits: its effect on the connection */
};

/* Working memory, one element per CPU: TC programs do not interrupt each other. The verifier takes values in a map for
 * unknown, and so has fewer cases to check than for values on the stack. */
struct workspace {
	struct sighting sighting;
	struct nt_wire fresh;
	struct nt_packet own; /* addresses and ports as the sender's socket has them */
	struct nt_translation translation;
	struct nt_streams followed;
	struct nt_wire_event end;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct workspace);
} workspaces SEC(".maps");

/* For each slot, the numbers of connections that wait for the ACK that completes their handshake, and for payload. If
 * they are 0, packets without SYN, FIN and RST are ignored. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, NT_FAST_PATH_SLOTS / NT_FAST_PATH_IN_LINE);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct nt_fast_path_line);
} waiting SEC(".maps");

static __always_inline struct nt_fast_path_slot *find_waiting_slot(__u32 slot)
{
	__u32 index = slot / NT_FAST_PATH_IN_LINE;
	struct nt_fast_path_line *line = bpf_map_lookup_elem(&waiting, &index);

	return line ? &line->slot[slot % NT_FAST_PATH_IN_LINE] : NULL;
}

static __always_inline void expect_ack(struct nt_wire *wire)
{
	struct nt_fast_path_slot *waits;

	if (wire->waits_for_ack)
		return;
	waits = find_waiting_slot(nt_fast_path_slot(&wire->key));
	if (!waits)
		return;
	/* in this order, so that the count is below 0 only if two CPUs subtracted for one entry */
	__sync_fetch_and_add(&waits->handshakes, 1);
	wire->waits_for_ack = 1;
}

static __always_inline void stop_expecting_ack(struct nt_wire *wire)
{
	struct nt_fast_path_slot *waits;

	if (!wire->waits_for_ack)
		return;
	waits = find_waiting_slot(nt_fast_path_slot(&wire->key));
	if (!waits)
		return;
	wire->waits_for_ack = 0;
	__sync_fetch_and_add(&waits->handshakes, -1);
}

/* Waits for the first payload of both sides. If the count is at its limit, that payload stays unknown. */
static __always_inline void expect_payload(struct nt_wire *wire, __u64 now)
{
	__u64 until = now + NT_PAYLOAD_WAIT_NS;
	__u32 shift = nt_payload_shift(until);
	struct nt_fast_path_slot *waits;

	if (wire->payload_until_ns || nt_first_payloads_are_settled(&wire->connection))
		return;
	waits = find_waiting_slot(nt_fast_path_slot(&wire->key));
	if (!waits || (waits->payloads >> shift & NT_PAYLOAD_MOST_COUNTED) == NT_PAYLOAD_MOST_COUNTED)
		return;
	wire->payload_until_ns = until;
	__sync_fetch_and_add(&waits->payloads, 1U << shift);
}

/* In the last epoch of the wait the count is left to user space, which clears it one epoch later at the earliest. */
static __always_inline void stop_expecting_payload(struct nt_wire *wire, __u64 now)
{
	__u64 until = wire->payload_until_ns;
	struct nt_fast_path_slot *waits;

	if (!until)
		return;
	wire->payload_until_ns = 0;
	if (now + NT_PAYLOAD_EPOCH_NS >= until)
		return;
	waits = find_waiting_slot(nt_fast_path_slot(&wire->key));
	if (waits)
		__sync_fetch_and_add(&waits->payloads, -(1U << nt_payload_shift(until)));
}

enum wire_place { IN_SLOT, IN_HALF_OPEN, IN_ESTABLISHED };

struct wire_found {
	struct nt_wire *wire; /* NULL if there is none */
	struct nt_slot *slot; /* the slot of the key, wherever the connection is; NULL if there is none */
	enum wire_place place;
};

static __always_inline struct nt_slot *look_up_slot(const struct nt_key *key)
{
	__u32 index = nt_fast_path_slot(key) & config.slot_mask;

	return bpf_map_lookup_elem(&slots, &index);
}

/* The protocol of a slot. A new connection claims it, fills `wire` and sets `live`. Removing the connection clears
 * `live` and then releases the claim. User space does the same with C11 atomics (src/kernel/slots.c).
 *
 * At most one processor at a time finds that it is alone in a count, on any machine and without a barrier: additions to
 * one address have one order, and a processor that reads the address after its own addition sees that addition and all
 * earlier ones.
 *
 * Accesses to *different* addresses need barriers:
 * - claim, then fill; clear `live`, then release `takers` and `claims`: otherwise the late store clears the next
 *   connection's `live`, and the slot is never free again;
 * - fill, then set `live`; read `live`, then the key and the rest: otherwise the previous connection is read and
 *   removed;
 * - become alone in `takers`, then read `live`: otherwise one connection is removed twice.
 *
 * On x86 all these orders hold: an atomic addition is a full barrier, and other stores and loads stay in order if the
 * compiler keeps them so. On arm64 and others, an addition whose former value is not used (BPF_XADD, the only one in
 * Linux 5.10 and 5.11) orders nothing in any kernel. An addition that returns the former value (BPF_FETCH, since 5.12)
 * and an exchange are full barriers. There, each access that must be ordered is one of these two, and the kernel must
 * be 5.12 or newer: older ones refuse the programs.
 *
 * `elsewhere` and the counts of core/fast_path.h need no barrier. A packet that must find a connection answers an
 * earlier packet, and the path between the two (locks, queues, the device) contains barriers; a sweep takes the tables'
 * locks.
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

/* Adds 1 and returns true if the caller is alone in the count; otherwise takes it back and returns false. */
static __always_inline bool try_claim(__s32 *count)
{
	add_ordered(count, 1);
	if (*(volatile __s32 *)count == 1)
		return true;
	add_ordered(count, -1);
	return false;
}

static __always_inline bool claim_slot(struct nt_slot *slot)
{
	return !*(volatile __s32 *)&slot->claims && try_claim(&slot->claims);
}

/* Requires that `wire` is filled. */
static __always_inline void publish_slot(struct nt_slot *slot)
{
	store_ordered(&slot->live, 1);
}

static __always_inline bool is_in_slot(struct nt_slot *slot, const struct nt_key *key)
{
	return load_ordered(&slot->live) && nt_key_equals(&slot->wire.key, key);
}

/* Returns true for at most one of several callers. If two try at once, both may get false; then the sweep removes the
 * connection. */
static __always_inline bool remove_from_slot(struct nt_slot *slot, const struct nt_key *key)
{
	bool taken = false;

	if (!try_claim(&slot->takers))
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

static __always_inline struct nt_wire *look_up_half_open(const struct nt_key *key)
{
	struct nt_wire *wire = bpf_map_lookup_elem(&half_open, key);

	if (wire || !shared.overflow_is_used)
		return wire;
	return bpf_map_lookup_elem(&half_open_overflow, key);
}

/* Looks up a connection that is not in its slot, in the more likely table first. */
static __always_inline void look_up_in_tables(struct wire_found *found, const struct nt_key *key, bool likely_half_open)
{
	found->place = likely_half_open ? IN_HALF_OPEN : IN_ESTABLISHED;
	found->wire = likely_half_open ? look_up_half_open(key) : bpf_map_lookup_elem(&established, key);
	if (found->wire)
		return;
	found->place = likely_half_open ? IN_ESTABLISHED : IN_HALF_OPEN;
	found->wire = likely_half_open ? bpf_map_lookup_elem(&established, key) : look_up_half_open(key);
}

static __always_inline void wire_look_up(struct wire_found *found, const struct nt_key *key, bool likely_half_open)
{
	found->wire = NULL;
	found->place = IN_SLOT;
	found->slot = look_up_slot(key);
	if (!found->slot)
		return;
	if (is_in_slot(found->slot, key))
		found->wire = &found->slot->wire;
	else if (found->slot->elsewhere)
		look_up_in_tables(found, key, likely_half_open);
}

/* Returns 0, or after counting the loss less than 0. */
static __always_inline int insert_half_open(struct nt_slot *slot, const struct nt_key *key, const struct nt_wire *wire)
{
	int refusal, error;

	__sync_fetch_and_add(&slot->elsewhere, 1);
	refusal = insert_fairly(&half_open, NT_FAIR_HALF_OPEN, key, wire, wire->share);
	if (refusal == -EEXIST) /* another processor began the same connection */
		refusal = bpf_map_update_elem(&half_open, key, wire, BPF_EXIST);
	error = refusal;
	if (error) {
		if (error != -E2BIG && error != -EDQUOT)
			check_details(error);
		shared.overflow_is_used = 1;
		error = bpf_map_update_elem(&half_open_overflow, key, wire, BPF_ANY);
		shared.overflow_is_used = 1; /* again: a sweep between the two found the table empty */
	}
	if (!error) {
		count(NT_COUNT_HALF_OPEN_BEGUN);
		return 0;
	}
	/* an LRU table's elements are allocated in advance: -ENOMEM means that it is full */
	if (error == -ENOMEM)
		error = refusal == -EDQUOT ? -EDQUOT : -E2BIG;
	count_failure(NT_COUNT_HALF_OPEN_FAILED, error);
	__sync_fetch_and_add(&slot->elsewhere, -1);
	return error;
}

/* Returns 0 for one of several processors that remove the same entry. The caller copies the entry first, because the
 * table reuses it at once. share: the entry's. */
static __always_inline int remove_half_open(const struct nt_key *key, __u16 share)
{
	int error = delete_fairly(&half_open, NT_FAIR_HALF_OPEN, key, share);

	if (error && shared.overflow_is_used)
		error = bpf_map_delete_elem(&half_open_overflow, key);
	if (!error)
		count(NT_COUNT_HALF_OPEN_TAKEN);
	return error;
}

/* Removes the connection from the place where it was found. Returns true for at most one of several callers. */
static __always_inline bool wire_remove(const struct wire_found *found, const struct nt_key *key)
{
	__u16 share;
	int error;

	if (found->place == IN_SLOT)
		return remove_from_slot(found->slot, key);
	share = found->wire->share;
	error = found->place == IN_HALF_OPEN ? remove_half_open(key, share) :
					       delete_fairly(&established, NT_FAIR_ESTABLISHED, key, share);
	if (!error)
		__sync_fetch_and_add(&found->slot->elsewhere, -1);
	return !error;
}

#endif
