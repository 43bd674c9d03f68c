// SPDX-License-Identifier: GPL-2.0-or-later
/* core/single_table.h over a table of two entries: what it begins, tells, and leaves alone. */
#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"

#define NT_TRACKED_MORE int mark;
#include "core/single_table.h"

#include "tests/unit/check.h"

#define CLIENT 1 /* last bytes of the addresses, and the indexes in the key */
#define SERVER 0
#define ENTRIES 2

static struct {
	struct nt_key key;
	struct nt_tracked observed;
	bool used;
} table[ENTRIES];
static struct nt_table_step observer;
static unsigned int told;
static enum nt_outcome outcome; /* of the last that was told */
static bool others_are_first;   /* another processor takes what we want to take out */

static struct nt_tracked *nt_tracked_find(const struct nt_key *key)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (table[i].used && nt_key_equals(&table[i].key, key))
			return &table[i].observed;
	return NULL;
}

static int nt_tracked_remove(const struct nt_key *key)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (table[i].used && nt_key_equals(&table[i].key, key)) {
			memset(&table[i], 0xee, sizeof(table[i])); /* the kernel uses an entry again at once */
			table[i].used = false;
			return others_are_first ? -1 : 0;
		}
	return -1;
}

static void nt_tracked_began(struct nt_table_step *from)
{
	int i;

	for (i = 0; i < ENTRIES && table[i].used; i++)
		;
	if (i == ENTRIES)
		return;
	table[i].key = from->key;
	table[i].observed = from->fresh;
	table[i].used = true;
}

static void nt_tracked_ended(struct nt_table_step *from)
{
	int ended_by;

	told++;
	outcome = nt_connection_idle_outcome(&from->ended.connection, &ended_by);
}

static unsigned int open_connections(void)
{
	return table[0].used + table[1].used;
}

static struct nt_tracked *take(__u64 now, int source, __u8 flags, __u32 sequence, __u32 acknowledgement)
{
	observer.packet = (struct nt_packet){.flags = flags, .sequence = sequence, .acknowledgement = acknowledgement,
					     .source_port = source, .destination_port = 1 - source, .vlan = NT_NO_VLAN};
	observer.packet.source[15] = source;
	observer.packet.destination[15] = 1 - source;
	observer.now = now;
	return nt_single_table_step(&observer, 7);
}

static void begin_again(void)
{
	memset(table, 0, sizeof(table));
	told = 0;
	others_are_first = false;
}

static void handshake(void)
{
	begin_again();
	CHECK(!take(1, CLIENT, NT_SYN, 100, 0)); /* it began, and did not change */
	CHECK_EQUAL(open_connections(), 1);
	CHECK_EQUAL(table[0].key.netns, 7);
	CHECK(take(2, SERVER, NT_SYN | NT_ACK, 500, 101) == &table[0].observed);
	CHECK(take(3, CLIENT, NT_ACK, 101, 501) == &table[0].observed);
}

static void closed(void)
{
	handshake();
	CHECK(take(10, SERVER, NT_FIN | NT_ACK, 501, 101) != NULL);
	CHECK_EQUAL(told, 0);
	CHECK(!take(20, CLIENT, NT_FIN | NT_ACK, 101, 502));
	CHECK_EQUAL(told, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(open_connections(), 0);
	CHECK(!take(21, SERVER, NT_ACK, 502, 102)); /* the last ACK begins nothing */
	CHECK_EQUAL(open_connections(), 0);
}

static void refused(void)
{
	begin_again();
	take(1, CLIENT, NT_SYN, 100, 0);
	CHECK(!take(2, SERVER, NT_RST | NT_ACK, 0, 101));
	CHECK_EQUAL(told, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_REFUSED);
}

/* Data changes nothing but when the connection was seen last. */
static void settled(void)
{
	struct nt_connection before;

	handshake();
	before = table[0].observed.connection;
	CHECK(!take(50, SERVER, NT_ACK | NT_PSH, 501, 101));
	CHECK_EQUAL(table[0].observed.connection.last_seen_ns, 50);
	before.last_seen_ns = 50;
	CHECK(!memcmp(&before, &table[0].observed.connection, sizeof(before)));
}

static void replaced(void)
{
	handshake();
	table[0].observed.mark = 5;
	observer.fresh.mark = 6; /* what the host adds is its own to fill: kept as it is */
	CHECK(!take(60, CLIENT, NT_SYN, 9000, 0));
	CHECK_EQUAL(told, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_EXPIRED);
	CHECK_EQUAL(observer.ended.mark, 5);
	CHECK_EQUAL(open_connections(), 1);
	CHECK_EQUAL(table[0].observed.connection.syn_ns, 60);
	CHECK_EQUAL(table[0].observed.mark, 6);
}

static void two_processors(void)
{
	handshake();
	others_are_first = true;
	CHECK(!take(10, SERVER, NT_RST, 501, 0));
	CHECK_EQUAL(told, 0);
}

/* Two that end a connection at once may neither be told so: the next packet shows it. */
static void ended_untold(void)
{
	handshake();
	table[0].observed.connection.side[CLIENT] |= NT_SIDE_FIN;
	table[0].observed.connection.side[SERVER] |= NT_SIDE_FIN;
	table[0].observed.connection.first_closer = 1 + SERVER;
	CHECK(!take(30, SERVER, NT_ACK, 502, 102));
	CHECK_EQUAL(told, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(open_connections(), 0);
}

static void had_begun_before(void)
{
	begin_again();
	take(1, CLIENT, NT_ACK, 100, 1);
	take(2, CLIENT, NT_FIN | NT_ACK, 100, 1);
	take(3, SERVER, NT_SYN | NT_ACK, 100, 1);
	take(4, CLIENT, NT_SYN | NT_RST, 100, 1);
	CHECK_EQUAL(open_connections(), 0);
	CHECK_EQUAL(told, 0);
}

int main(void)
{
	closed();
	refused();
	settled();
	replaced();
	two_processors();
	ended_untold();
	had_begun_before();
	return check_finish();
}
