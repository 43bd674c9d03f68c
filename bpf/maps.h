/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel side's tables. Their sizes are set by the loader, for the machine (src/kernel/loader.c). What helpers that change a
 * table return is kept in an int: before 6.4 (d7ba4cc900bf) only those 32 bits are set. */
#ifndef NETRACKER_BPF_MAPS_H
#define NETRACKER_BPF_MAPS_H

#include "kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

/* How the core's parser reads a packet: in place where the bytes are in the linear area, else by copy. */
struct nt_frame {
	struct __sk_buff *skb;
};

#define NT_LOAD(frame, offset, to, size) load_bytes(((struct nt_frame *)(frame))->skb, (offset), (to), (size))

/* Where the offset is a constant, only what lies in place is read: a quick look, which can do without. */
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
#include "../core/filter.h"

const volatile struct nt_config config SEC(".rodata.config");
const volatile struct nt_filter wanted SEC(".rodata.filter");

/* The compiler must not take what stands there before it is loaded for its value. */
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

/* Atomic: a softirq that interrupts a process may count the same on its CPU. */
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

/* Counts that a table took no new entry, by what its update returned. */
static __always_inline void count_failure(__u32 counter, int error)
{
	count(counter + failure_of(error));
}

/* The same where no connection is lost by it. 0 and -EEXIST are no failures. */
static __always_inline void check_details(int error)
{
	if (error && error != -EEXIST)
		count_failure(NT_COUNT_DETAILS_FAILED, error);
}

/* Counts that the ring buffer took no event. The helpers give one answer for a full buffer and for a lock that they
 * could not take. A buffer that is not even half full was not the cause; one that was full may have been read a little
 * since. */
static __always_inline void count_ring_failure(__u32 counter)
{
	bool full = bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= 2ULL * config.wakeup_bytes;

	count(counter + (full ? NT_FAILED_FULL : NT_FAILED_LOCK));
}

/* How many events a CPU tells between two looks at how full the buffer is. */
#define EVENTS_PER_QUERY 16

/* One wake-up for many events: the reader polls on a short timer, and is woken only where the buffer fills faster. */
static __always_inline __u64 ring_flags(void)
{
	__u32 counter = NT_COUNT_EVENTS;
	__u64 *told = bpf_map_lookup_elem(&counters, &counter);

	if (told && ++*told % EVENTS_PER_QUERY)
		return BPF_RB_NO_WAKEUP;
	return bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >= config.wakeup_bytes ? BPF_RB_FORCE_WAKEUP
										     : BPF_RB_NO_WAKEUP;
}

#endif
