/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From captured frames to TCP segments: through link layers, tunnels and fragments, by the one parser in core/. */
#ifndef NETRACKER_CAPTURE_READER_H
#define NETRACKER_CAPTURE_READER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "src/capture/capture_file.h"

/* One segment. A frame holds several where it is an 802.11 A-MSDU. */
struct capture_segment {
	struct nt_packet packet;
	enum nt_parse result; /* NT_PACKET_TCP; else what is wrong with the TCP header that is at packet.transport_offset */
	const struct nt_buffer *frame; /* what the packet's offsets are in; may lack the payload's end where reassembled */
	__u64 ns;             /* of its frame, since the Unix epoch */
	__u32 interface;      /* where the link layer tells it, else 0 */
	__u8 direction;       /* 1: leaving, where the link layer tells it, else 0 */
	bool reassembled;     /* from fragments */
};

struct capture_reader_host {
	/* The segment is the callee's to change; it and its frame are valid until it returns. */
	void (*take)(void *context, struct capture_segment *segment);
	/* False: what has its outermost IP header at `offset` is passed over. NULL: nothing is. */
	bool (*accepts)(void *context, const struct nt_buffer *frame, __u32 offset);
	void *context;
};

struct capture_reader;

/* NULL: no memory. */
struct capture_reader *capture_reader_new(bool tunnels, const struct capture_reader_host *host);

/* NULL is allowed. */
void capture_reader_free(struct capture_reader *reader);

/* The short way for what most packets of most captures are: TCP right behind IP, right behind Ethernet. False where only
 * capture_reader_take() can tell; else segment->frame and ->reassembled are not set, and host->take is not called.
 */
bool capture_reader_plain(const struct capture_packet *captured, struct capture_segment *segment);

/* Gives all segments of a frame to host->take. */
void capture_reader_take(struct capture_reader *reader, const struct capture_packet *captured);

/* What no segment was found in, though there may have been one. */
struct capture_odd {
	__u64 malformed, truncated;
	__u64 incomplete;  /* fragmented, with parts missing */
	__u64 unread;      /* of link types that are not known */
	int unread_type;   /* the first of them, a DLT_ number */
};

struct capture_odd capture_reader_odd(const struct capture_reader *reader);

/* Those that are unread are counted anew. */
void capture_reader_clear_unread(struct capture_reader *reader);

#endif
