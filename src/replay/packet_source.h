/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads the packets of captures together with the capture's clock. Where a packet's time is far from the clock, it reads
 * on, to decide whether that time is wrong, and keeps copies of the packets until they are returned.
 */
#ifndef NETRACKER_PACKET_SOURCE_H
#define NETRACKER_PACKET_SOURCE_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/capture/capture_file.h"
#include "src/replay/packet_clock.h"

struct held_packet {
	struct capture_packet packet;
	struct capture_process process;
	__u8 *data;
	__u32 room; /* of data */
};

/* All zero at first. */
struct packet_source {
	struct packet_clock clock;
	struct held_packet held[PACKET_CLOCK_WINDOW];
	int first, count; /* of held[], used as a ring */
	bool ended;       /* no more packet can be read before those held are returned */
	int end;          /* result of capture_file_next() after them; 1: packets that there was no memory to hold */
};

/* Reads the next packet; its data are valid until the next call. may_wait: packets that follow may be read before this
 * one is returned; false for a pipe, which may have no more for now. Returns as capture_file_next().
 */
int packet_source_next(struct packet_source *source, struct capture_file *file, bool may_wait,
		       struct capture_packet *packet, struct packet_time *time);

void packet_source_free(struct packet_source *source);

#endif
