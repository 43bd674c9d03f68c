/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first packets of connections that began without a SYN, kept for a while: their SYN may come later in the file.
 * Programs that capture on several processors or ports write the packets of a moment in any order.
 */
#ifndef NETRACKER_EARLY_PACKETS_H
#define NETRACKER_EARLY_PACKETS_H

#include <linux/types.h>
#include <stdbool.h>

#define EARLY_PACKETS_MOST 15 /* of one connection before its SYN */

struct early_packets;
struct replay_located;

/* Returns NULL without memory. */
struct early_packets *early_packets_new(void);

/* Accepts NULL. */
void early_packets_free(struct early_packets *early);

/* Keeps the packet in place of the oldest one. */
void early_packets_keep(struct early_packets *early, const struct replay_located *located);

/* Copies the latest `count` packets of the connection to found[], in the order of the file. Returns false if they are no
 * longer kept, or are none that followed on the SYN or SYN-ACK `first` within a second.
 */
bool early_packets_find(const struct early_packets *early, const struct replay_located *first, int count,
			struct replay_located *found);

#endif
