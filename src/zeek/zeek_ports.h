/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ports by which Zeek guesses the originator of a connection without SYN, and ports with a longer inactivity timeout.
 */
#ifndef NETRACKER_ZEEK_PORTS_H
#define NETRACKER_ZEEK_PORTS_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/packet.h"

/* likely_server_ports of Zeek's default policy for TCP: the ports of the protocols that it analyzes. */
static inline int nt_zeek_is_server_port(__u16 port)
{
	switch (port) {
	/* clang-format off */
	case 21: case 22: case 25: case 53: case 79: case 80: case 81: case 88:
	case 135: case 139: case 143: case 389: case 443: case 445: case 465:
	case 502: case 514: case 563: case 585: case 587: case 614: case 631: case 636:
	case 989: case 990: case 992: case 993: case 995:
	case 1080: case 1434: case 1883: case 2811: case 3128: case 3268: case 3306: case 3389:
	case 5222: case 5223: case 5269: case 5432: case 6379: case 6666: case 6667: case 6668: case 6669:
	case 8000: case 8080: case 8888: case 20000:
		/* clang-format on */
		return 1;
	default:
		return 0;
	}
}

/* Conn::port_inactivity_timeouts: FTP, SSH, Telnet, rlogin. */
static inline int nt_zeek_is_interactive_port(__u16 port)
{
	return port == 21 || port == 22 || port == 23 || port == 513;
}

/* True if the sender of a first packet that is no SYN is probably the server (WantConnection). If both ports are server
 * ports, a SYN-ACK may belong to a scan: its sender stays the originator.
 */
static inline int nt_zeek_source_is_server(const struct nt_packet *packet)
{
	if (!nt_zeek_is_server_port(packet->source_port))
		return 0;
	if (!nt_zeek_is_server_port(packet->destination_port))
		return 1;
	return !(packet->flags & NT_SYN) && packet->source_port < packet->destination_port;
}

#endif
