// SPDX-License-Identifier: GPL-2.0-or-later
/* core/single_table.h with a table of two entries: connections that it begins, reports, and ignores. */
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
	struct nt_tracked tracked;
	bool used;
} table[ENTRIES];
static struct nt_table_step step;
static unsigned int reported;
static enum nt_outcome outcome; /* of the connection reported last */
static bool others_are_first;   /* another CPU removes the entry first */

static struct nt_tracked *nt_tracked_find(const struct nt_key *key)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (table[i].used && nt_key_equals(&table[i].key, key))
			return &table[i].tracked;
	return NULL;
}

static int nt_tracked_remove(const struct nt_key *key)
{
	int i;

	for (i = 0; i < ENTRIES; i++)
		if (table[i].used && nt_key_equals(&table[i].key, key)) {
			memset(&table[i], 0xee, sizeof(table[i])); /* the kernel may reuse an entry immediately */
			table[i].used = false;
			return others_are_first ? -1 : 0;
		}
	return -1;
}

static void nt_tracked_began(struct nt_table_step *begun)
{
	int i;

	for (i = 0; i < ENTRIES && table[i].used; i++)
		;
	if (i == ENTRIES)
		return;
	table[i].key = begun->key;
	table[i].tracked = begun->fresh;
	table[i].used = true;
}

static void nt_tracked_ended(struct nt_table_step *over)
{
	int ended_by;

	reported++;
	outcome = nt_connection_idle_outcome(&over->ended.connection, &ended_by);
}

static unsigned int open_connections(void)
{
	return table[0].used + table[1].used;
}

static struct nt_tracked *take(__u64 now, int source, __u8 flags, __u32 sequence, __u32 acknowledgement)
{
	step.packet = (struct nt_packet){ .flags = flags,
					  .sequence = sequence,
					  .acknowledgement = acknowledgement,
					  .source_port = source,
					  .destination_port = 1 - source,
					  .vlan = NT_NO_VLAN };
	step.packet.source[15] = source;
	step.packet.destination[15] = 1 - source;
	step.now = now;
	return nt_single_table_step(&step, 7);
}

static void clear(void)
{
	memset(table, 0, sizeof(table));
	reported = 0;
	others_are_first = false;
}

static void handshake(void)
{
	clear();
	CHECK(!take(1, CLIENT, NT_SYN, 100, 0)); /* a new entry, not a changed one */
	CHECK_EQUAL(open_connections(), 1);
	CHECK_EQUAL(table[0].key.netns, 7);
	CHECK(take(2, SERVER, NT_SYN | NT_ACK, 500, 101) == &table[0].tracked);
	CHECK(take(3, CLIENT, NT_ACK, 101, 501) == &table[0].tracked);
}

static void closed(void)
{
	handshake();
	CHECK(take(10, SERVER, NT_FIN | NT_ACK, 501, 101) != NULL);
	CHECK_EQUAL(reported, 0);
	CHECK(!take(20, CLIENT, NT_FIN | NT_ACK, 101, 502));
	CHECK_EQUAL(reported, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(open_connections(), 0);
	CHECK(!take(21, SERVER, NT_ACK, 502, 102)); /* the last ACK begins nothing */
	CHECK_EQUAL(open_connections(), 0);
}

static void refused(void)
{
	clear();
	take(1, CLIENT, NT_SYN, 100, 0);
	CHECK(!take(2, SERVER, NT_RST | NT_ACK, 0, 101));
	CHECK_EQUAL(reported, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_REFUSED);
}

/* Data changes only the time of the last packet. */
static void settled(void)
{
	struct nt_connection before;

	handshake();
	before = table[0].tracked.connection;
	CHECK(!take(50, SERVER, NT_ACK | NT_PSH, 501, 101));
	CHECK_EQUAL(table[0].tracked.connection.last_seen_ns, 50);
	before.last_seen_ns = 50;
	CHECK(!memcmp(&before, &table[0].tracked.connection, sizeof(before)));
}

static void replaced(void)
{
	handshake();
	table[0].tracked.mark = 5;
	step.fresh.mark = 6; /* members that the host adds are kept as the host filled them */
	CHECK(!take(60, CLIENT, NT_SYN, 900000, 0));
	CHECK_EQUAL(reported, 0); /* the server may be in the connection still */
	CHECK(!take(61, SERVER, NT_SYN | NT_ACK, 7000, 900001));
	CHECK_EQUAL(reported, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_EXPIRED);
	CHECK_EQUAL(step.ended.mark, 5);
	CHECK_EQUAL(open_connections(), 1);
	CHECK_EQUAL(table[0].tracked.connection.syn_ns, 60);
	CHECK_EQUAL(table[0].tracked.mark, 6);
}

static void removed_by_another_cpu(void)
{
	handshake();
	others_are_first = true;
	CHECK(!take(10, SERVER, NT_RST, 501, 0));
	CHECK_EQUAL(reported, 0);
}

/* Two packets that end a connection at the same time may both miss it. The next packet shows the end. */
static void ended_unnoticed(void)
{
	handshake();
	table[0].tracked.connection.side[CLIENT] |= NT_SIDE_FIN;
	table[0].tracked.connection.side[SERVER] |= NT_SIDE_FIN;
	table[0].tracked.connection.first_closer = 1 + SERVER;
	CHECK(!take(30, SERVER, NT_ACK, 502, 102));
	CHECK_EQUAL(reported, 1);
	CHECK_EQUAL(outcome, NT_OUTCOME_CLOSED);
	CHECK_EQUAL(open_connections(), 0);
}

static void begun_without_a_syn(void)
{
	clear();
	take(1, CLIENT, NT_ACK, 100, 1);
	take(2, CLIENT, NT_FIN | NT_ACK, 100, 1);
	take(3, SERVER, NT_SYN | NT_ACK, 100, 1);
	take(4, CLIENT, NT_SYN | NT_RST, 100, 1);
	CHECK_EQUAL(open_connections(), 0);
	CHECK_EQUAL(reported, 0);
}

int main(void)
{
	closed();
	refused();
	settled();
	replaced();
	removed_by_another_cpu();
	ended_unnoticed();
	begun_without_a_syn();
	return check_finish();
}
