/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds the TCP segments in captured frames: passes link layers, tunnels and fragments, and uses the parser of core/.
 */
#ifndef NETRACKER_CAPTURE_READER_H
#define NETRACKER_CAPTURE_READER_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "src/capture/capture_file.h"
#include "src/capture/passed_over.h"

/* One segment. An 802.11 A-MSDU holds several in one frame. */
struct capture_segment {
	struct nt_packet packet;
	enum nt_parse result;          /* NT_PACKET_TCP, or the error in the TCP header at packet.transport_offset */
	const struct nt_buffer *frame; /* base of the packet's offsets; without the payload's rest if reassembled */
	__u64 ns;                      /* capture time of the frame, nanoseconds since the Unix epoch */
	struct capture_interface interface;    /* number 0: unknown */
	__u8 direction;                        /* 1: leaving; 0: coming in, or unknown */
	const struct capture_process *process; /* valid until the callee returns; NULL: unknown */
	bool reassembled;                      /* from fragments */
	bool is_whole;                         /* the whole frame was captured */
};

struct capture_reader_host {
	/* Receives each segment. The callee may change it; it and its frame are valid until the callee returns. */
	void (*take)(void *context, struct capture_segment *segment);
	/* Receives each ICMP error about a segment that can end an attempt to connect. Of segment->packet only the
	 * addresses, ports and the sequence number of the quoted segment are set; error: the errno of a socket of Linux.
	 * NULL: not called.
	 */
	void (*take_error)(void *context, const struct capture_segment *segment, int error);
	/* Returns false to ignore the packet whose outermost IP header is at `offset`. NULL: accept all packets. */
	bool (*accepts)(void *context, const struct nt_buffer *frame, __u32 offset);
	void *context;
	/* An IP packet that is longer than its frame or tunnel is malformed. If false, the capture may have wrong
	 * lengths outside of IP, and the length in the IP header counts.
	 */
	bool trusts_frame_lengths;
	bool keeps_fragments; /* fragments never expire */
};

struct capture_reader;

/* tunnels: also parse packets inside tunnels. Returns NULL without memory. */
struct capture_reader *capture_reader_new(bool tunnels, const struct capture_reader_host *host);

/* Accepts NULL. */
void capture_reader_free(struct capture_reader *reader);

/* Returns where the names of the interfaces are kept; they stay valid until capture_reader_free(). */
struct interface_names *capture_reader_interfaces(struct capture_reader *reader);

/* Parses the most frequent kind of packet: Ethernet, IP without options or extension headers, TCP. Returns false for
 * others, which capture_reader_take() must parse. Does not set segment->frame and ->reassembled, and does not call
 * host->take.
 */
bool capture_reader_parse_plain(const struct capture_packet *captured, struct capture_segment *segment);

/* Passes all segments of a frame to host->take. */
void capture_reader_take(struct capture_reader *reader, const struct capture_packet *captured);

/* Returns the packets that may have held a segment, but could not be parsed. */
struct passed_over capture_reader_passed_over(const struct capture_reader *reader);

/* Returns the number of frames of unsupported link types since the last call, and sets *link_type to that of the first
 * of them, a DLT_ number.
 */
__u64 capture_reader_take_unread(struct capture_reader *reader, int *link_type);

#endif
