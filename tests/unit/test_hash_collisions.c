// SPDX-License-Identifier: GPL-2.0-or-later
/* A peer or a capture can choose keys that collide. The steps of a look-up must stay bounded. The keys of this test
 * collide in hashes without a secret that add or XOR the words of a key.
 */
#include <stdbool.h>
#include <stdlib.h>

#include "src/live/join.h"
#include "src/record/process_table.h"
#include "src/util/hash_map.h"
#include "src/zeek/zeek_table.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_events.h"

#define FIRST_PORT 1024
#define PAIRS (65536 - FIRST_PORT)
#define PORT_FACTOR 0x10001ULL
/* Every event takes one or two look-ups, and a bucket has one node on average. */
#define STEPS_A_KEY 4

/* Endpoint i of one /64. Its interface identifier compensates for the port, so all keys have the same sum. */
static struct sample_endpoint colliding_endpoint(unsigned int i)
{
	struct sample_endpoint endpoint = { { 0x20, 0x01, 0x0d, 0xb8 }, (__u16)(FIRST_PORT + i) };
	__u64 words[2];

	memcpy(words, endpoint.address, sizeof(words));
	words[1] = words[0] ^ (0x123456789abcdefULL - endpoint.port * PORT_FACTOR);
	memcpy(endpoint.address, words, sizeof(words));
	return endpoint;
}

/* ---- the join ---- */

static struct {
	unsigned int joined, alone, claimed, observed, lost;
} reported;

static void take_socket(void *context, const struct joined_socket *joined)
{
	(void)context;
	*(joined->wire_ended ? &reported.joined : &reported.alone) += 1;
}

static void take_observer(void *context, const struct nt_wire_event *event, enum join_route route)
{
	(void)context;
	(void)event;
	(void)route;
	reported.observed++;
}

static void take_claimed(void *context)
{
	(void)context;
	reported.claimed++;
}

static void take_loss(void *context)
{
	(void)context;
	reported.lost++;
}

static bool find_nothing(void *context, const struct nt_socket *socket, struct nt_wire *wire)
{
	(void)context;
	(void)socket;
	(void)wire;
	return false;
}

static struct join *begin(void)
{
	const struct join_output output = { NULL,      take_socket,  take_observer, take_claimed,
					    take_loss, find_nothing, NULL };

	memset(&reported, 0, sizeof(reported));
	return join_new(2 * PAIRS, OWN_NETNS, true, &output);
}

static struct nt_socket_event close_from(const struct sample_endpoint *client, __u64 cookie)
{
	struct nt_socket_event event = socket_close(NT_ROLE_SERVER, START + 3 * MS, START + SECOND);

	event.socket.cookie = cookie;
	event.socket.remote_port = client->port;
	memcpy(event.socket.remote, client->address, sizeof(event.socket.remote));
	return event;
}

static void feed_wire(struct join *join, const struct sample_endpoint *client, __u64 cookie)
{
	struct nt_wire wire = with_cookies(sample_wire_between(client, &sample_server, "ShAR", START), 0, cookie);
	struct nt_wire_event event = wire_end(wire, NT_WIRE_ENDED, START + SECOND);

	join_add_wire(join, &event);
}

static bool steps_are_bounded(__u64 before, unsigned int keys)
{
	return hash_map_steps() - before <= (__u64)STEPS_A_KEY * keys;
}

/* All wires first, then all sockets. Stops early if there are too many steps. */
static void join_wires_then_sockets(void)
{
	struct join *join = begin();
	__u64 before = hash_map_steps();
	unsigned int i;

	for (i = 0; i < PAIRS; i++) {
		struct sample_endpoint client = colliding_endpoint(i);

		feed_wire(join, &client, i + 1);
	}
	for (i = 0; i < PAIRS && steps_are_bounded(before, 2 * PAIRS); i++) {
		struct sample_endpoint client = colliding_endpoint(i);
		struct nt_socket_event event = close_from(&client, i + 1);

		join_add_socket(join, &event, sizeof(event));
	}
	CHECK(steps_are_bounded(before, 2 * PAIRS));
	CHECK_EQUAL(reported.joined, PAIRS);
	CHECK_EQUAL(reported.claimed, PAIRS);
	join_finish(join);
	join_free(join);
	CHECK_EQUAL(reported.alone + reported.observed + reported.lost, 0);
}

/* The sockets wait for their wires and owners; all have the same address in the kernel. */
static void join_sockets_then_wires(void)
{
	struct join *join = begin();
	__u64 before = hash_map_steps();
	unsigned int i;

	for (i = 0; i < PAIRS && steps_are_bounded(before, 3 * PAIRS); i++) {
		struct sample_endpoint client = colliding_endpoint(i);
		struct nt_socket_event event = close_from(&client, i + 1);

		event = with_wire(event, sample_wire_between(&client, &sample_server, "ShA", START), NT_WIRE_OPEN);
		event.socket.flags |= NT_SOCKET_AWAITS_OWNER;
		join_add_socket(join, &event, sizeof(event));
	}
	for (i = 0; i < PAIRS && steps_are_bounded(before, 3 * PAIRS); i++) {
		struct sample_endpoint client = colliding_endpoint(i);
		struct nt_socket_event event = close_from(&client, i + 1);
		struct nt_socket_more_event more = { .address = event.address, .cookie = i + 1 };

		feed_wire(join, &client, i + 1);
		join_add_socket_more(join, &more);
	}
	CHECK(steps_are_bounded(before, 3 * PAIRS));
	CHECK_EQUAL(reported.joined, PAIRS);
	CHECK_EQUAL(reported.claimed, PAIRS);
	join_finish(join);
	join_free(join);
	CHECK_EQUAL(reported.alone + reported.observed + reported.lost, 0);
}

/* One tuple many times. No wire fits its socket, which is in another namespace. */
static void join_one_tuple(void)
{
	struct join *join = begin();
	__u64 before = hash_map_steps();
	unsigned int lives = 2000, i;

	for (i = 0; i < lives; i++) {
		struct nt_socket_event event = close_from(&sample_client, i + 1);

		event.socket.netns = OTHER_NETNS;
		feed_wire(join, &sample_client, 0);
		join_add_socket(join, &event, sizeof(event));
	}
	CHECK_EQUAL(reported.alone, lives);
	CHECK(hash_map_steps() - before <= (__u64)lives * (JOIN_LIVES_SEARCHED + 1));
	join_free(join);
}

/* Sockets that have their wires and wait for their owners do not slow the search for other wires. */
static void join_one_tuple_without_owners(void)
{
	struct join *join = begin();
	__u64 before = hash_map_steps();
	unsigned int lives = 2000, i;

	for (i = 0; i < lives; i++) {
		struct nt_socket_event event = close_from(&sample_client, i + 1);

		event.socket.flags |= NT_SOCKET_AWAITS_OWNER;
		feed_wire(join, &sample_client, i + 1);
		join_add_socket(join, &event, sizeof(event));
	}
	CHECK_EQUAL(reported.claimed, lives);
	CHECK(steps_are_bounded(before, lives));
	join_finish(join);
	CHECK_EQUAL(reported.joined, lives);
	join_free(join);
}

/* ---- the tables ---- */

#define PROCESSES 8192

static void processes(void)
{
	struct process_table *table = process_table_new(PROCESSES);
	__u64 before = hash_map_steps();
	unsigned int found = 0, i;

	for (i = 0; i < PROCESSES && steps_are_bounded(before, 2 * PROCESSES); i++) {
		struct nt_process_event event = { .process = { .start_ns = (__u64)i << 20, .pid = i } };

		process_table_add_long(table, &event);
	}
	for (i = 0; i < PROCESSES && steps_are_bounded(before, 2 * PROCESSES); i++) {
		struct nt_process_id id = { .start_ns = (__u64)i << 20, .pid = i };

		found += process_table_find(table, &id) != NULL;
	}
	CHECK(steps_are_bounded(before, 2 * PROCESSES));
	CHECK_EQUAL(found, PROCESSES);
	process_table_free(table);
}

static struct nt_key zeek_key(unsigned int i)
{
	struct sample_endpoint client = colliding_endpoint(i);

	return sample_wire_between(&client, &sample_server, "S", START).key;
}

static void zeek_connections(void)
{
	struct zeek_table *table = zeek_table_new(1ULL << 30);
	__u64 before = hash_map_steps();
	unsigned int wrong = 0, i;

	for (i = 0; i < PAIRS && steps_are_bounded(before, 2 * PAIRS); i++) {
		struct nt_key key = zeek_key(i);

		wrong += zeek_table_find(table, &key) || !zeek_table_add(table, &key);
	}
	for (i = 0; i < PAIRS && steps_are_bounded(before, 2 * PAIRS); i++) {
		struct nt_key key = zeek_key(i);
		struct zeek_entry *entry = zeek_table_find(table, &key);

		wrong += !entry || !nt_key_equals(&entry->key, &key);
	}
	CHECK(steps_are_bounded(before, 2 * PAIRS));
	CHECK_EQUAL(i, PAIRS);
	CHECK_EQUAL(wrong, 0);
	zeek_table_free(table);
}

int main(void)
{
	join_wires_then_sockets();
	join_sockets_then_wires();
	join_one_tuple();
	join_one_tuple_without_owners();
	processes();
	zeek_connections();
	return check_finish();
}
