/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clients that the metrics' server has, so that slow ones do not keep others out: if there are too many, the client that
 * has waited the longest is to be ended, of the address that most clients have. Not thread-safe. */
#ifndef NETRACKER_METRICS_CLIENTS_H
#define NETRACKER_METRICS_CLIENTS_H

#include <linux/types.h>
#include <stdbool.h>
#include <sys/socket.h>

#define METRICS_MOST_CLIENTS 16
#define METRICS_CLIENT_SLOTS 24 /* further ones are those that are being ended */
#define METRICS_CLIENT_ADDRESS_SIZE 16

struct metrics_client {
	const void *connection; /* NULL: no client */
	int fd;
	__u8 address[METRICS_CLIENT_ADDRESS_SIZE]; /* IPv4: the first four bytes */
	__u64 since;                               /* when it came, or had its last answer: a number that only grows */
	bool is_ended;
};

/* All zero is empty. */
struct metrics_clients {
	struct metrics_client slots[METRICS_CLIENT_SLOTS];
	__u64 clock;
};

/* Adds a client; beyond METRICS_CLIENT_SLOTS it is not kept. */
void metrics_clients_add(struct metrics_clients *clients, const void *connection, int fd,
			 const struct sockaddr *address);

/* Notes that the client gets an answer. */
void metrics_clients_note_answer(struct metrics_clients *clients, const void *connection);

void metrics_clients_remove(struct metrics_clients *clients, const void *connection);

/* Returns the file descriptor of a client to end, which counts as ended from now on; -1 if there are not too many. */
int metrics_clients_choose(struct metrics_clients *clients);

#endif
