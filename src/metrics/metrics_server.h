/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Serves metrics over HTTP at /metrics, from a thread of its own: the tracker never waits for a client.
 *
 * Hostile clients: 16 connections at a time, each with 16 KiB for a request, closed after 10 s without progress.
 */
#ifndef NETRACKER_METRICS_SERVER_H
#define NETRACKER_METRICS_SERVER_H

#include "src/metrics/metrics.h"
#include "src/metrics/metrics_address.h"
#include "src/metrics/metrics_states.h"

struct metrics_server;

/* Serves until metrics_server_close(); `metrics` must outlive it. Returns 0, or -errno after reporting the error. */
int metrics_server_open(struct metrics_server **server, const struct metrics_address *address, struct metrics *metrics);

/* From now on the metrics have the counts of sockets by state, which the server's thread reads until
 * metrics_server_close(). */
void metrics_server_set_states(struct metrics_server *server, metrics_states_counter count, void *context);

/* From now on they have them no more. Does not wait. */
void metrics_server_hide_states(struct metrics_server *server);

void metrics_server_close(struct metrics_server *server); /* NULL is allowed */

#endif
