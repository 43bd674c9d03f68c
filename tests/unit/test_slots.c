// SPDX-License-Identifier: GPL-2.0-or-later
/* src/kernel/slots.h on an array in the states that the kernel side leaves it in. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "src/kernel/slots.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

#define COUNT 1024

static struct slots slots;

/* Maps a file in memory in place of the kernel's array. */
static void begin(void)
{
	int fd = memfd_create("slots", MFD_CLOEXEC);

	CHECK(!ftruncate(fd, COUNT * sizeof(struct nt_slot)));
	CHECK_EQUAL(slots_map(&slots, fd, COUNT), 0);
	close(fd);
}

static void end(void)
{
	slots_unmap(&slots);
	CHECK(!slots.slot);
}

static struct nt_slot *put(const struct nt_wire *wire)
{
	struct nt_slot *slot = slots_of_key(&slots, &wire->key);

	slot->claims = 1;
	slot->wire = *wire;
	slot->live = 1;
	return slot;
}

static void found_by_its_key(void)
{
	struct nt_wire wire = sample_wire("ShA", START), other = wire;
	struct nt_slot *slot;

	begin();
	CHECK(!slots_has(slots_of_key(&slots, &wire.key), &wire.key));
	slot = put(&wire);
	CHECK(slots_has(slot, &wire.key));
	other.key.port[0]++;
	CHECK(!slots_has(slot, &other.key));
	end();
}

/* A slot is taken once, and is free afterwards. */
static void taken_once(void)
{
	struct nt_wire wire = sample_wire("ShA", START), other = wire;
	struct nt_slot *slot;

	begin();
	slot = put(&wire);
	other.key.port[0]++;
	CHECK(!slots_take(slot, &other));
	CHECK(slots_take(slot, &wire));
	CHECK(!slots_take(slot, &wire));
	CHECK_EQUAL(slot->claims, 0);
	CHECK_EQUAL(slot->takers, 0);
	CHECK(!slot->live);
	end();
}

/* A packet came after the slot was read, so the connection is not idle. */
static void not_taken_when_it_changed(void)
{
	struct nt_wire wire = sample_wire("ShA", START);
	struct nt_slot *slot;

	begin();
	slot = put(&wire);
	slot->wire.connection.last_seen_ns++;
	CHECK(!slots_take(slot, &wire));
	CHECK_EQUAL(slot->claims, 1);
	CHECK_EQUAL(slot->takers, 0);
	CHECK(slot->live);
	end();
}

/* While another takes the slot nothing is changed. */
static void not_taken_while_another_takes_it(void)
{
	struct nt_wire wire = sample_wire("ShA", START);
	struct nt_slot *slot;

	begin();
	slot = put(&wire);
	slot->takers = 1;
	CHECK(!slots_take(slot, &wire));
	CHECK_EQUAL(slot->takers, 1);
	CHECK_EQUAL(slot->claims, 1);
	CHECK(slot->live);
	end();
}

static void counts_connections_elsewhere(void)
{
	struct nt_wire wire = sample_wire("ShA", START);

	begin();
	slots_of_key(&slots, &wire.key)->elsewhere = 2;
	slots_clear_elsewhere(&slots, &wire.key);
	CHECK_EQUAL(slots_of_key(&slots, &wire.key)->elsewhere, 1);
	end();
}

/* Both directions of a connection name the same slot, inside the array. */
static void one_slot_a_connection(void)
{
	__u32 ports[2];

	begin();
	for (ports[0] = 1; ports[0] < 65536; ports[0] += 997) {
		for (ports[1] = 1; ports[1] < 65536; ports[1] += 4999) {
			struct nt_key key = { .port = { ports[0], ports[1] }, .netns = OWN_NETNS };
			struct nt_key back = { .port = { ports[1], ports[0] }, .netns = OWN_NETNS };
			struct nt_slot *slot = slots_of_key(&slots, &key);

			CHECK(slot >= slots.slot && slot < slots.slot + COUNT);
			CHECK(slot == slots_of_key(&slots, &back));
		}
	}
	end();
}

int main(void)
{
	found_by_its_key();
	taken_once();
	not_taken_when_it_changed();
	not_taken_while_another_takes_it();
	counts_connections_elsewhere();
	one_slot_a_connection();
	return check_finish();
}
