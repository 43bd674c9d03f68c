/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connection to a collector, over TCP or UDP. */
#ifndef NETRACKER_IPFIX_SOCKET_H
#define NETRACKER_IPFIX_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

struct ipfix_socket {
	const char *host; /* an IPv6 address has its brackets */
	unsigned int port;
	bool is_udp;
	int timeout_ms;     /* without any progress */
	int descriptor;     /* -1: not connected */
	unsigned int burst; /* datagrams since the last pause */
};

/* These wait until it is done, or `timeout_ms` without progress, or some seconds after a request to stop. They return
 * NULL, or why it is not done: then the connection is closed. */

/* Sets `is_new` unless the connection goes on that was there. */
const char *ipfix_socket_connect(struct ipfix_socket *to, bool *is_new);

/* Writes one message. */
const char *ipfix_socket_write(struct ipfix_socket *to, const void *bytes, size_t size);

/* TCP: waits until the collector's machine has acknowledged all bytes. UDP: waits for the ICMP error by which a machine on
 * the same network says that nobody listens. */
const char *ipfix_socket_finish(struct ipfix_socket *to);

void ipfix_socket_close(struct ipfix_socket *to);

#endif
