/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the ring buffer brings for each connection that ended. Names and meanings are those of docs/record.md.
 *
 * ecc is given this header to export from: it takes every structure that is defined here, in comments too, and ecli
 * prints events as the first of them. So there is one. ecli knows no addresses and no absent values: addresses are
 * text, a time that is not known is -1, a text that is not known is "-". Every text ends with NUL.
 */
#ifndef NETRACKER_EUNOMIA_EVENT_H
#define NETRACKER_EUNOMIA_EVENT_H

struct event {
	char src_ip[40]; /* IPv4 dotted, IPv6 shortened (RFC 5952) */
	char dst_ip[40];
	char direction[12];      /* incoming, outgoing: how the SYN passed the interface; both: each side sent one */
	char outcome[12];        /* closed, reset, refused; timeout, expired: replaced by a connection of the same tuple */
	char ended_by[8];        /* src, dst */
	unsigned int src_port;   /* host byte order */
	unsigned int dst_port;
	unsigned int ifindex;    /* of the interface that the last packet was seen on */
	unsigned int lost;       /* events lost before this one, since the start: the ring buffer was full */
	long long start_ns;      /* the SYN, CLOCK_BOOTTIME */
	long long duration_ns;   /* SYN to the last packet that changed the state */
	long long handshake_ns;  /* SYN to the ACK that completes the handshake */
	long long syn_finack_ns; /* SYN to the first FIN of dst */
};

#endif
