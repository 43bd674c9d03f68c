/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One endpoint of a connection by Zeek's rules: its states, and its sequence numbers, from which Zeek computes the
 * bytes.
 *
 * Include src/zeek/zeek_step.h, not this header. The rules are Zeek's, also where RFC 9293 differs (docs/zeek.md).
 * Names in comments like update_last_seq are functions and variables of Zeek's src/packet_analysis/protocol/tcp and
 * src/analyzer/protocol/tcp.
 */
#ifndef NETRACKER_ZEEK_ENDPOINT_H
#define NETRACKER_ZEEK_ENDPOINT_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/conn_state.h"
#include "core/packet.h"

/* A sequence number of a SYN or RST that jumps farther is ignored (TOO_LARGE_SEQ_DELTA). */
#define NT_ZEEK_MOST_JUMP 1048576

/* Counts an incident whose letter is added to the history at the 1st, 10th, 100th, ... time. */
struct nt_zeek_scale {
	__u32 count;
	__u32 next; /* the count at which the next letter is added; 0: 1 */
};

/* A range [begin, end) of payload, in sequence numbers relative to the SYN's. */
struct nt_zeek_block {
	__u64 begin, end;
};

/* One endpoint's payload: only the ranges are stored, not the bytes. Sequence numbers are relative to the SYN's. */
struct nt_zeek_stream {
	__u64 delivered;              /* everything before was seen, or counted as a gap (last_reassem_seq) */
	__u64 trimmed;                /* blocks before were freed (trim_seq) */
	__u64 held;                   /* bytes in blocks */
	struct nt_zeek_block *blocks; /* ascending, not overlapping; blocks[first] is the oldest */
	__u32 first, end, room;
	__u8 skipped; /* the limit was exceeded: gaps are no longer detected */
	__u8 at_end;  /* everything before the FIN or RST was delivered */
};

struct nt_zeek_endpoint {
	__u64 packets;
	__u64 network_bytes;      /* sum of the lengths in the IP headers */
	__u64 fin;                /* one beyond the last FIN's sequence number, relative to the SYN's */
	__u64 letter_sequence[3]; /* relative sequence number of the last S or H, F, R in the history */
	struct nt_zeek_stream stream;
	struct nt_zeek_scale bad_checksums, retransmits, zero_windows, gaps;
	__u32 start; /* the SYN's sequence number; derived from the first packet if the SYN was missed */
	__u32 last;  /* the highest sequence number sent */
	__u32 acknowledged;
	__u32 last_wraps, acknowledged_wraps; /* number of wraps at 2^32 of each */
	__u8 state, previous_state;           /* enum nt_endpoint */
	__u8 sent_fin;
	__u8 closed;     /* FIN or RST was seen, and everything before it was delivered (did_close) */
	__u8 first_seen; /* its first packet was seen (first_packet_seen) */
};

static inline int nt_zeek_distance(__u32 to, __u32 from)
{
	return (int)(to - from);
}

static inline __u64 nt_zeek_unwrapped(__u32 sequence, __u32 wraps)
{
	return ((__u64)wraps << 32) + sequence;
}

/* Returns the sequence number relative to the SYN's. It is near `last`, which has wrapped `wraps` times. For a sequence
 * number before the SYN the result is negative in two's complement, and *underflow is set.
 */
static inline __u64 nt_zeek_relative(const struct nt_zeek_endpoint *endpoint, __u32 sequence, __u32 last, __u32 wraps,
				     int *underflow)
{
	int distance = nt_zeek_distance(sequence, last);

	if (distance < 0 && wraps && sequence > last)
		wraps--;
	else if (distance > 0 && sequence < last)
		wraps++;
	if (wraps)
		return nt_zeek_unwrapped(sequence, wraps) - endpoint->start;
	distance = nt_zeek_distance(sequence, endpoint->start);
	*underflow = distance < 0;
	return (__u64)(long long)distance;
}

static inline void nt_zeek_set_start(struct nt_zeek_endpoint *endpoint, __u32 start, __u32 last)
{
	endpoint->start = start;
	endpoint->acknowledged = start;
	endpoint->last = last;
}

/* The first packet, and each further SYN, sets the start of the endpoint's sequence numbers (init_endpoint). */
static inline void nt_zeek_init_endpoint(struct nt_zeek_endpoint *endpoint, const struct nt_packet *packet, __u32 next)
{
	int syn = packet->flags & NT_SYN;

	switch (endpoint->state) {
	case NT_ENDPOINT_INACTIVE:
		/* Without a SYN, assume that it was just before. */
		if (syn)
			nt_zeek_set_start(endpoint, packet->sequence, next);
		else
			nt_zeek_set_start(endpoint, packet->sequence - 1, packet->sequence);
		break;
	case NT_ENDPOINT_SYN_SENT:
	case NT_ENDPOINT_SYNACK_SENT:
		if (syn && packet->sequence != endpoint->start)
			nt_zeek_set_start(endpoint, packet->sequence, next);
		break;
	case NT_ENDPOINT_ESTABLISHED:
	case NT_ENDPOINT_PARTIAL:
		if (syn)
			nt_zeek_set_start(endpoint, packet->sequence, next);
		break;
	case NT_ENDPOINT_RESET:
		if (syn && endpoint->previous_state == NT_ENDPOINT_INACTIVE)
			nt_zeek_set_start(endpoint, packet->sequence, next);
		break;
	default:
		break;
	}
}

static inline void nt_zeek_advance_last(struct nt_zeek_endpoint *endpoint, __u32 last)
{
	endpoint->last_wraps += last < endpoint->last;
	endpoint->last = last;
}

/* Returns 1 if the packet is a retransmission (update_last_seq). */
static inline int nt_zeek_update_last(struct nt_zeek_endpoint *endpoint, const struct nt_packet *packet, __u32 next)
{
	int distance = nt_zeek_distance(next, endpoint->last);

	if ((packet->flags & (NT_SYN | NT_RST)) && (distance > NT_ZEEK_MOST_JUMP || distance < -NT_ZEEK_MOST_JUMP))
		return 0;
	/* Only SYN and FIN were seen; the distance may be over 2 GiB. */
	if ((packet->flags & NT_FIN) && endpoint->last == endpoint->start + 1) {
		nt_zeek_advance_last(endpoint, next);
		return 0;
	}
	if (endpoint->state == NT_ENDPOINT_RESET)
		return 0;
	if (distance > 0)
		nt_zeek_advance_last(endpoint, next);
	return distance <= 0 && packet->payload_length;
}

static inline void nt_zeek_update_acknowledged(struct nt_zeek_endpoint *endpoint, __u32 acknowledgement)
{
	int distance = nt_zeek_distance(acknowledgement, endpoint->acknowledged);

	if (distance <= 0 || (!acknowledgement && distance > NT_ZEEK_MOST_JUMP))
		return;
	endpoint->acknowledged_wraps += acknowledgement < endpoint->acknowledged;
	endpoint->acknowledged = acknowledgement;
}

/* True if at most the SYN was acknowledged (NoDataAcked). */
static inline int nt_zeek_is_unacknowledged(const struct nt_zeek_endpoint *endpoint)
{
	return nt_zeek_unwrapped(endpoint->acknowledged, endpoint->acknowledged_wraps) - endpoint->start <= 1;
}

/* Returns the bytes of payload by sequence numbers, modulo 2^64 if these are inconsistent (Size). */
static inline __u64 nt_zeek_size(const struct nt_zeek_endpoint *endpoint, const struct nt_zeek_endpoint *peer)
{
	__u64 last = nt_zeek_unwrapped(endpoint->last, endpoint->last_wraps);
	__u64 acknowledged = nt_zeek_unwrapped(endpoint->acknowledged, endpoint->acknowledged_wraps);
	__u64 size = (last > acknowledged ? last : acknowledged) - endpoint->start;

	/* The peer has a half-open connection (RFC 9293 section 3.5.1): it acknowledged data of an older connection. */
	if (endpoint->previous_state == NT_ENDPOINT_SYN_SENT && endpoint->state == NT_ENDPOINT_RESET &&
	    peer->state == NT_ENDPOINT_INACTIVE && !nt_zeek_is_unacknowledged(endpoint))
		return 0;
	if (size)
		size--; /* the SYN */
	if (size && endpoint->sent_fin)
		size--;
	return size;
}

#endif
