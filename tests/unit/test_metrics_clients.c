// SPDX-License-Identifier: GPL-2.0-or-later
/* Which client of the metrics' server is ended if there are too many. */
#include "src/metrics/metrics_clients.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/unit/check.h"

static const char connections[METRICS_CLIENT_SLOTS + 10];
static struct metrics_clients clients;

static void add_client(int number, const char *address)
{
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };

	CHECK_EQUAL(inet_pton(AF_INET, address, &ipv4.sin_addr), 1);
	metrics_clients_add(&clients, &connections[number], number, (const struct sockaddr *)&ipv4);
}

static void add_clients(int from, int to, const char *address)
{
	int i;

	for (i = from; i < to; i++)
		add_client(i, address);
}

static void test_oldest(void)
{
	clients = (struct metrics_clients){ 0 };
	add_clients(0, METRICS_MOST_CLIENTS, "127.0.0.1");
	CHECK_EQUAL(metrics_clients_choose(&clients), -1);
	metrics_clients_note_answer(&clients, &connections[0]);
	add_client(16, "127.0.0.1");
	CHECK_EQUAL(metrics_clients_choose(&clients), 1);
	CHECK_EQUAL(metrics_clients_choose(&clients), -1); /* it counts as ended */
	add_client(17, "127.0.0.1");
	CHECK_EQUAL(metrics_clients_choose(&clients), 2);
	metrics_clients_remove(&clients, &connections[1]);
	metrics_clients_remove(&clients, &connections[5]);
	add_client(18, "127.0.0.1");
	CHECK_EQUAL(metrics_clients_choose(&clients), -1);
}

/* The client of another address stays, however long it has waited, and whichever client comes last. */
static void test_addresses(void)
{
	clients = (struct metrics_clients){ 0 };
	add_client(0, "192.0.2.1");
	add_clients(1, 17, "198.51.100.7");
	CHECK_EQUAL(metrics_clients_choose(&clients), 1);
	add_client(17, "192.0.2.1");
	CHECK_EQUAL(metrics_clients_choose(&clients), 2);
}

static void test_more_than_slots(void)
{
	clients = (struct metrics_clients){ 0 };
	add_clients(0, METRICS_CLIENT_SLOTS + 5, "192.0.2.1");
	metrics_clients_remove(&clients, &connections[METRICS_CLIENT_SLOTS + 1]);
	metrics_clients_note_answer(&clients, &connections[METRICS_CLIENT_SLOTS + 1]);
	CHECK_EQUAL(metrics_clients_choose(&clients), 0);
}

int main(void)
{
	test_oldest();
	test_addresses();
	test_more_than_slots();
	return check_finish();
}
