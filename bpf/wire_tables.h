/* The wire context's tables. Half-open connections live apart: a flood of SYNs pushes out only its like.
 *
 * An LRU table hands its elements out in turn, and each is cold in the CPU's caches. So half-open connections are kept
 * in a plain one, whose memory is used again at once, and only those that it has no room for in an LRU one.
 */
#ifndef NETRACKER_BPF_WIRE_TABLES_H
#define NETRACKER_BPF_WIRE_TABLES_H

#include "maps.h"

#include "../core/waiting.h"

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

/* Set when something was put there; user space clears it when it finds it empty. */
__u32 overflow_is_used;

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
	__uint(max_entries, NT_WAITING_SLOTS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __s32); /* an entry that the LRU pushes out leaves its count behind: that costs a look-up, no more */
} waiting SEC(".maps");

static __always_inline __s32 *waiting_slot(const struct nt_key *key)
{
	__u32 slot = nt_waiting_slot(key);

	return bpf_map_lookup_elem(&waiting, &slot);
}

static __always_inline void expect_ack(struct nt_wire *wire)
{
	__s32 *slot = waiting_slot(&wire->key);

	if (wire->waits_for_ack || !slot)
		return;
	wire->waits_for_ack = 1;
	__sync_fetch_and_add(slot, 1);
}

static __always_inline void forget_ack(struct nt_wire *wire)
{
	__s32 *slot = waiting_slot(&wire->key);

	if (!wire->waits_for_ack || !slot)
		return;
	wire->waits_for_ack = 0;
	__sync_fetch_and_add(slot, -1);
}

static __always_inline struct nt_wire *find_half_open(const struct nt_key *key)
{
	struct nt_wire *wire = bpf_map_lookup_elem(&half_open, key);

	if (wire || !overflow_is_used)
		return wire;
	return bpf_map_lookup_elem(&half_open_overflow, key);
}

static __always_inline void put_half_open(const struct nt_key *key, const struct nt_wire *wire)
{
	long error = bpf_map_update_elem(&half_open, key, wire, BPF_ANY);

	if (error) {
		overflow_is_used = 1;
		error = bpf_map_update_elem(&half_open_overflow, key, wire, BPF_ANY);
	}
	count(error ? NT_COUNT_HALF_OPEN_FULL : NT_COUNT_HALF_OPEN_BEGUN);
}

/* Of two processors that take the same entry out, one gets 0. Copy it first: the table reuses it at once. */
static __always_inline long take_half_open(const struct nt_key *key)
{
	long error = bpf_map_delete_elem(&half_open, key);

	if (error && overflow_is_used)
		error = bpf_map_delete_elem(&half_open_overflow, key);
	if (!error)
		count(NT_COUNT_HALF_OPEN_TAKEN);
	return error;
}

#endif
