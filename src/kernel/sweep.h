/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's wire tables, read from user space: what was silent too long is taken out and told of. */
#ifndef NETRACKER_SWEEP_H
#define NETRACKER_SWEEP_H

#include <linux/types.h>
#include <stddef.h>

#include "src/kernel/loader.h"

/* What a socket of this machine holds open may be silent for as long as it likes; but sockets' ends can be missed. */
#define SWEEP_SOCKETS_NS (5ULL * 24 * 3600 * 1000000000)

/* Where every packet is followed: how long the last acknowledgement may take. */
#define SWEEP_ENDED_NS 1000000000ULL

#define SWEEP_CLOSED_NS (600ULL * 1000000000)

struct sweep;

/* Takes a struct nt_wire_event. */
typedef int (*sweep_handler)(void *context, void *data, size_t size);

/* NULL: no memory. */
struct sweep *sweep_new(const struct loader *loader, bool follows_packets);
void sweep_free(struct sweep *sweep);

/* To be called about every second. now: CLOCK_BOOTTIME, ns. */
void sweep_idle(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Takes everything out, as still open. */
void sweep_finish(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Tells of what is established, as open, and leaves it there. */
void sweep_report_open(struct sweep *sweep, __u64 now, sweep_handler handler, void *context);

/* Takes entries of sockets out that closed long ago and whose destruction was missed. To be called about every minute; a
 * socket whose descriptor is really held for that long has only its number of earlier connections forgotten. */
void sweep_closed_sockets(const struct loader *loader, __u64 now);

/* Half-open entries that were taken out from here. */
__u64 sweep_half_open_taken(const struct sweep *sweep);

#endif
