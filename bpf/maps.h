/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions that all programs of the native kernel side share: configuration, ring buffer, counters.
 *
 * The loader sets the sizes of all maps to suit the machine (src/kernel/loader.c). Results of helpers that change a map
 * are kept in an int: before Linux 6.4 (d7ba4cc900bf) only these 32 bits are set. */
#ifndef NETRACKER_BPF_MAPS_H
#define NETRACKER_BPF_MAPS_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* The core's parser reads a packet in place if the bytes are in the linear area, and otherwise copies them. */
struct nt_frame {
	struct __sk_buff *skb;
};

#define NT_LOAD(frame, offset, to, size) load_bytes(((struct nt_frame *)(frame))->skb, (offset), (to), (size))

/* Returns 0, or less than 0. With a constant offset, as on the fast path, only the linear area is read: the caller can
 * do without the rest. */
static __always_inline long load_bytes(struct __sk_buff *skb, __u32 offset, void *to, __u32 size)
{
	const void *from = (void *)(long)skb->data + offset;

	if (!__builtin_constant_p(offset))
		return bpf_skb_load_bytes(skb, offset, to, size);
	if (from + size > (void *)(long)skb->data_end)
		return -1;
	__builtin_memcpy(to, __builtin_assume_aligned(from, 4), size);
	return 0;
}

#include "../core/event.h"
#include "../core/kernel_filter.h"

const volatile struct nt_config config SEC(".rodata.config");
const volatile struct nt_filter wanted SEC(".rodata.filter");

/* Prevents the compiler from using the filter's initial value: the loader sets it later. */
static __always_inline const struct nt_filter *filter(void)
{
	const struct nt_filter *place = (const struct nt_filter *)&wanted;

	NT_FORGET(place);
	return place;
}

struct nt_shared shared;

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NT_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct nt_publication);
} published SEC(".maps");

/* Atomic, because a softirq that interrupts a process may count the same on its CPU. */
static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		__sync_fetch_and_add(value, 1);
}

static __always_inline enum nt_failure failure_of(int error)
{
	switch (error) {
	case -E2BIG:
		return NT_FAILED_FULL;
	case -EDQUOT: /* no table returns this: bpf/fair_tables.h */
		return NT_FAILED_SHARE;
	case -ENOMEM:
		return NT_FAILED_NO_MEMORY;
	case -EBUSY: /* before 6.15 */
	case -EDEADLK:
	case -ETIMEDOUT:
		return NT_FAILED_LOCK;
	default:
		return NT_FAILED_OTHER;
	}
}

/* Counts a failed insertion into a table, by the error of the update. */
static __always_inline void count_failure(__u32 counter, int error)
{
	count(counter + failure_of(error));
}

/* Counts a failed insertion that loses no connection. 0 and -EEXIST are no failures. */
static __always_inline void check_details(int error)
{
	if (error && error != -EEXIST)
		count_failure(NT_COUNT_DETAILS_FAILED, error);
}

/* Counts an event that the ring buffer did not take. The helpers return the same error for a full buffer and for a lock
 * that they could not take. A buffer that is less than half full was not the cause; one that was full may have been
 * read a little since then. */
static __always_inline void count_ring_failure(__u32 counter)
{
	bool full = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= 2ULL * config.wakeup_bytes;

	count(counter + (full ? NT_FAILED_FULL : NT_FAILED_LOCK));
}

/* Events that a CPU emits between two queries of the buffer's fill level. */
#define EVENTS_PER_QUERY 16

/* Returns the flags for the next event. The reader polls on a short timer and is woken only if the buffer fills faster,
 * so that many events share a wake-up. */
static __always_inline __u64 ring_flags(void)
{
	__u32 counter = NT_COUNT_EVENTS;
	__u64 *emitted = bpf_map_lookup_elem(&counters, &counter);

	if (emitted && ++*emitted % EVENTS_PER_QUERY)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= config.wakeup_bytes ? BPF_RB_FORCE_WAKEUP :
										      BPF_RB_NO_WAKEUP;
}

#endif
