// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/socket_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#define BATCH 512

struct batch {
	__u64 keys[BATCH];
	struct nt_socket sockets[BATCH];
};

/* Needs no memory, but two system calls an entry. The next key is read before the visit, which may remove the entry. Begins
 * again if somebody else removes it, so the number of entries is limited. */
static int visit_one_by_one(const struct loader *loader, socket_table_visitor visit, void *context)
{
	__u32 left = loader->socket_capacity;
	struct nt_socket socket;
	__u64 key, next;
	int error = bpf_map_get_next_key(loader->sockets_fd, NULL, &next);

	while (!error && left--) {
		key = next;
		error = bpf_map_get_next_key(loader->sockets_fd, &key, &next);
		if (!bpf_map_lookup_elem(loader->sockets_fd, &key, &socket))
			visit(context, key, &socket);
	}
	return error == -ENOENT ? 0 : error;
}

int socket_table_visit(const struct loader *loader, socket_table_visitor visit, void *context)
{
	struct batch *batch = malloc(sizeof(*batch));
	__u32 position, next, count, i;
	void *from = NULL;
	int error = 0;

	if (!batch)
		return visit_one_by_one(loader, visit, context);
	while (!error) {
		count = BATCH;
		error = bpf_map_lookup_batch(loader->sockets_fd, from, &next, batch->keys, batch->sockets, &count,
					     NULL);
		if (error && error != -ENOENT) /* at the end of the table */
			break;
		for (i = 0; i < count; i++)
			visit(context, batch->keys[i], &batch->sockets[i]);
		position = next;
		from = &position;
	}
	free(batch);
	return error == -ENOENT ? 0 : error;
}

/* A server's connection counts once it is established. */
static bool is_open(const struct nt_socket *socket)
{
	return socket->state != NT_TCP_CLOSE &&
	       (socket->role != NT_ROLE_SERVER || socket->established_ns || socket->flags & NT_SOCKET_PREEXISTING);
}

static void count_state(void *context, __u64 address, const struct nt_socket *socket)
{
	__u64 *counts = context;

	(void)address;
	if (is_open(socket) && socket->state < NT_TCP_STATES)
		counts[socket->state]++;
}

int socket_table_count_states(const struct loader *loader, __u64 counts[NT_TCP_STATES])
{
	memset(counts, 0, NT_TCP_STATES * sizeof(*counts));
	if (!socket_table_visit(loader, count_state, counts))
		return 0;
	/* since 6.15 a bucket whose lock a halted CPU holds ends the batch: -ETIMEDOUT */
	memset(counts, 0, NT_TCP_STATES * sizeof(*counts));
	return visit_one_by_one(loader, count_state, counts);
}

__u64 socket_table_count_open(const struct loader *loader)
{
	__u64 counts[NT_TCP_STATES], open = 0;
	int state;

	socket_table_count_states(loader, counts);
	for (state = 0; state < NT_TCP_STATES; state++)
		open += counts[state];
	return open;
}
