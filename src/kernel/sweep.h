/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sweep goes through the wire context's tables from user space: it removes and reports the connections that have
 * been idle for too long. Times are nanoseconds of CLOCK_BOOTTIME. */
#ifndef NETRACKER_SWEEP_H
#define NETRACKER_SWEEP_H

#include <linux/types.h>
#include <stddef.h>

#include "src/kernel/loader.h"

/* The idle limit of an established connection with a local socket. Such a connection may be idle for any time; the
 * limit removes those whose socket's close was missed. */
#define SWEEP_SOCKETS_NS (5ULL * 24 * 3600 * 1000000000)

/* With --packets: how long an ended connection waits for its last ACK. */
#define SWEEP_ENDED_NS 1000000000ULL

/* How long a closed socket may stay in the table of sockets before its destruction counts as missed. */
#define SWEEP_CLOSED_NS (600ULL * 1000000000)

struct sweep;

/* data: a struct nt_wire_event, valid until the return. The result is ignored. */
typedef int (*sweep_handler)(void *context, void *data, size_t size);

/* Uses the loader's tables, which must outlive it. sockets_enabled: local sockets are tracked too. NULL without memory. */
struct sweep *sweep_new(const struct loader *loader, bool follows_packets, bool sockets_enabled);
void sweep_free(struct sweep *sweep);

/* Removes and reports idle connections. Call it about every second. */
void sweep_idle(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Ends the waits for payload that have lasted NT_PAYLOAD_WAIT_NS (core/fast_path.h). Call it several times in each
 * NT_PAYLOAD_EPOCH_NS; connections wait longer if it is called less often. */
void sweep_expire_payload_waits(struct sweep *sweep, __u64 now);

/* Removes all connections and reports those that have not ended as still open. */
void sweep_finish(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Reports the established connections as still open and leaves them in the tables. */
void sweep_report_open(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Removes sockets that closed more than SWEEP_CLOSED_NS ago: their destruction was missed. Call it about every minute.
 * If a process does hold the descriptor of a closed socket for that long, only the number of its earlier connections is
 * lost. */
void sweep_closed_sockets(const struct loader *loader, __u64 now);

/* Returns how many open connections of no socket the last sweeps found; with_sockets: of all. */
__u64 sweep_open_connections(const struct sweep *sweep, bool with_sockets);

/* Returns how many half-open entries the sweeps have removed, and found in the last one. */
__u64 sweep_half_open_seen(const struct sweep *sweep);

#endif
