/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of a record that the summary needs: one endpoint's account of a connection in one interval. */
#ifndef NETRACKER_SUMMARY_ITEM_H
#define NETRACKER_SUMMARY_ITEM_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/summary/byte_marks.h"

#define SUMMARY_HANGING_NS 3000000000ULL     /* two retransmissions of a SYN: after 1 s and after 3 s */
#define SUMMARY_CLOSE_WAIT_NS 60000000000ULL /* an application that will close has closed by then */

enum summary_direction { SUMMARY_SENT, SUMMARY_RECEIVED };

/* The same for the client's and the server's record of one connection. Hashed: it has no padding. */
struct summary_tuple {
	__u8 src_ip[16], dst_ip[16]; /* of the packets: after an address translation */
	__u16 src_port, dst_port;
	__u32 netns; /* of loopback addresses, which each namespace has; else 0 */
};

struct summary_item {
	struct summary_tuple tuple;
	struct bytes_moved moved;
	__u64 handshake_ns;
	__u64 start_ns, end_ns; /* since the Unix epoch; start_ns 0: unknown */
	__u8 src_ip[16], dst_ip[16];
	__u16 src_port, dst_port;
	__u32 netns, pid;
	char comm[NT_COMM_SIZE]; /* padded with zeros */
	__u8 role, outcome;
	bool has_pid, has_comm, has_handshake;
	bool has_ended;        /* from a close record */
	bool is_hanging;       /* an attempt that has been without an answer for SUMMARY_HANGING_NS */
	bool is_leaked;        /* in close_wait for over SUMMARY_CLOSE_WAIT_NS */
	bool is_evicted;       /* replay had no memory for all of it */
	bool leaves_time_wait; /* it ended, and this side closed it first */
	bool can_be_local;     /* another socket of this machine may have a record of the same connection */
};

/* `moved` is of this record. begins_ns: when tracking began, since the Unix epoch; 0: unknown. */
void summary_item_fill(struct summary_item *item, const struct nt_record *record, const struct bytes_moved *moved,
		       __u64 begins_ns);

/* Returns the side that sends in this direction: this machine's is SUMMARY_SENT's; an observer's is `src`. */
static inline enum nt_side summary_item_sender(const struct summary_item *item, enum summary_direction direction)
{
	bool src_is_ours = item->role != NT_ROLE_SERVER;

	return src_is_ours == (direction == SUMMARY_SENT) ? NT_SRC : NT_DST;
}

/* Returns the address of the other side; for an observer, that of `dst`. */
static inline const __u8 *summary_item_peer(const struct summary_item *item)
{
	return item->role == NT_ROLE_SERVER ? item->src_ip : item->dst_ip;
}

#endif
