// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/slots.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

#include "core/fast_path.h"

int slots_map(struct slots *slots, int fd, __u32 count)
{
	void *memory = mmap(NULL, count * sizeof(struct nt_slot), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	slots->slot = memory;
	slots->count = count;
	return 0;
}

void slots_unmap(struct slots *slots)
{
	if (slots->slot)
		munmap(slots->slot, slots->count * sizeof(struct nt_slot));
	slots->slot = NULL;
}

struct nt_slot *slots_of_key(const struct slots *slots, const struct nt_key *key)
{
	return &slots->slot[nt_fast_path_slot(key) & (slots->count - 1)];
}

bool slots_is_live(const struct nt_slot *slot)
{
	return __atomic_load_n(&slot->live, __ATOMIC_ACQUIRE);
}

bool slots_has(const struct nt_slot *slot, const struct nt_key *key)
{
	return slots_is_live(slot) && nt_key_equals(&slot->wire.key, key);
}

/* Sequentially consistent: no access is moved across it in either direction. */
static void add_ordered_count(__s32 *count, __s32 by)
{
	__atomic_fetch_add(count, by, __ATOMIC_SEQ_CST);
}

/* bpf/wire_tables.h says which accesses must keep their order, and why. */
bool slots_take(struct nt_slot *slot, struct nt_wire *wire)
{
	bool taken;

	if (__atomic_fetch_add(&slot->takers, 1, __ATOMIC_SEQ_CST)) {
		add_ordered_count(&slot->takers, -1);
		return false;
	}
	taken = slots_has(slot, &wire->key) && slot->wire.connection.last_seen_ns == wire->connection.last_seen_ns &&
		slot->wire.connection.first_ns == wire->connection.first_ns;
	if (taken) {
		*wire = slot->wire;
		__atomic_store_n(&slot->live, 0, __ATOMIC_SEQ_CST);
	}
	add_ordered_count(&slot->takers, -1);
	if (taken)
		add_ordered_count(&slot->claims, -1);
	return taken;
}

void slots_clear_elsewhere(const struct slots *slots, const struct nt_key *key)
{
	add_ordered_count(&slots_of_key(slots, key)->elsewhere, -1);
}
