/* Link layers of capture files: where in a frame the network layer is.
 *
 * Ethernet (with LLC/SNAP), raw IP, null and loop, Linux cooked v1 and v2, PPP, FDDI, Cisco HDLC; between them and IP:
 * VLAN tags, MPLS, PPPoE. Whatever else is no IP, and none of ours.
 */
#ifndef NETRACKER_CAPTURE_LINK_H
#define NETRACKER_CAPTURE_LINK_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"

struct capture_place {
	__u32 offset;    /* of the network layer's header */
	__u16 ethertype; /* host byte order; 0: nothing that has one */
	__u16 vlan;      /* the outermost, or NT_NO_VLAN */
	__u32 interface; /* where the link layer tells it, else 0 */
	__u8 direction;  /* 1: leaving, where the link layer tells it; else 0 */
};

/* link_type: libpcap's DLT_ number. */
bool capture_link_is_known(int link_type);

/* 0, or -1 where the frame ends before its network layer begins. */
int capture_link_locate(int link_type, const struct nt_buffer *frame, struct capture_place *place);

#endif
