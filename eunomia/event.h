/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event that the ring buffer carries for each connection that ended, with the names and meanings of docs/record.md.
 *
 * ecc exports every structure that is defined in this header, even in comments, and ecli prints events as the first of
 * them, so there is only one. ecli has no addresses and no absent values: addresses are text, an unknown time is -1, an
 * unknown text is "-". Every text ends with NUL.
 */
#ifndef NETRACKER_EUNOMIA_EVENT_H
#define NETRACKER_EUNOMIA_EVENT_H

struct event {
	char src_ip[40]; /* IPv4 dotted, IPv6 shortened (RFC 5952) */
	char dst_ip[40];
	char direction[12];    /* of the SYN through the interface: incoming, outgoing; both: each side sent a SYN */
	char outcome[12];      /* closed, reset, refused; timeout, expired: replaced by one with the same tuple */
	char ended_by[8];      /* src, dst */
	unsigned int src_port; /* host byte order */
	unsigned int dst_port;
	unsigned int ifindex;    /* of the interface on which the last packet was seen */
	unsigned int lost;       /* events lost since the start, because the ring buffer was full */
	long long start_ns;      /* time of the SYN, CLOCK_BOOTTIME */
	long long duration_ns;   /* SYN to the last packet that changed the state */
	long long handshake_ns;  /* SYN to the ACK that completes the handshake */
	long long syn_finack_ns; /* SYN to the first FIN of dst */
};

#endif
