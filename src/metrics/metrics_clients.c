// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics_clients.h"

#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

static struct metrics_client *find_client(struct metrics_clients *clients, const void *connection)
{
	unsigned int i;

	for (i = 0; i < METRICS_CLIENT_SLOTS; i++)
		if (clients->slots[i].connection == connection)
			return &clients->slots[i];
	return NULL;
}

static void set_client_address(struct metrics_client *client, const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		memcpy(client->address, &((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
	else if (address->sa_family == AF_INET6)
		memcpy(client->address, &((const struct sockaddr_in6 *)address)->sin6_addr, sizeof(struct in6_addr));
}

void metrics_clients_add(struct metrics_clients *clients, const void *connection, int fd,
			 const struct sockaddr *address)
{
	struct metrics_client *client = find_client(clients, NULL);

	if (!client)
		return;
	*client = (struct metrics_client){ .connection = connection, .fd = fd, .since = ++clients->clock };
	set_client_address(client, address);
}

void metrics_clients_note_answer(struct metrics_clients *clients, const void *connection)
{
	struct metrics_client *client = find_client(clients, connection);

	if (client)
		client->since = ++clients->clock;
}

void metrics_clients_remove(struct metrics_clients *clients, const void *connection)
{
	struct metrics_client *client = find_client(clients, connection);

	if (client)
		*client = (struct metrics_client){ 0 };
}

static bool is_open_client(const struct metrics_client *client)
{
	return client->connection && !client->is_ended;
}

/* Returns how many open clients have the address of this one. */
static unsigned int count_of_address(const struct metrics_clients *clients, const struct metrics_client *client)
{
	unsigned int count = 0, i;

	for (i = 0; i < METRICS_CLIENT_SLOTS; i++)
		count += is_open_client(&clients->slots[i]) &&
			 !memcmp(clients->slots[i].address, client->address, sizeof(client->address));
	return count;
}

int metrics_clients_choose(struct metrics_clients *clients)
{
	struct metrics_client *chosen = NULL;
	unsigned int open = 0, most = 0, i;

	for (i = 0; i < METRICS_CLIENT_SLOTS; i++) {
		struct metrics_client *client = &clients->slots[i];
		unsigned int count = is_open_client(client) ? count_of_address(clients, client) : 0;

		open += count > 0;
		if (count > most || (count && count == most && client->since < chosen->since)) {
			chosen = client;
			most = count;
		}
	}
	if (open <= METRICS_MOST_CLIENTS)
		return -1;
	chosen->is_ended = true;
	return chosen->fd;
}
