/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP and ICMPv6 errors: the TCP segment that the error is about, and the error that a socket of Linux gets from it in
 * SYN_SENT. The kernel side uses it where the socket shows no error (bpf/icmp.h).
 *
 * An error quotes the packet that caused it: at least eight bytes after its IP header, so the ports and the sequence
 * number of TCP. References: RFC 792, RFC 4443; Linux: icmp_unreach() and tcp_v4_err() in net/ipv4,
 * icmpv6_err_convert() and tcp_v6_err() in net/ipv6.
 */
#ifndef NETRACKER_CORE_ICMP_ERROR_H
#define NETRACKER_CORE_ICMP_ERROR_H

#include "packet.h"
#include "socket.h"

#define NT_ICMP_HEADER 8
#define NT_ICMP_UNREACHABLE 3
#define NT_ICMP_TIME_EXCEEDED 11
#define NT_ICMP_PARAMETER_PROBLEM 12
#define NT_ICMP_REASSEMBLY_TIME 1 /* a code of "time exceeded" */
#define NT_ICMPV6_UNREACHABLE 1
#define NT_ICMPV6_TOO_BIG 2
#define NT_ICMPV6_TIME_EXCEEDED 3
#define NT_ICMPV6_FIRST_INFORMATION 128 /* from here on the types are no errors */

/* The least part of a TCP header that an error quotes. */
struct nt_quoted_tcp {
	__u16 source_port;
	__u16 destination_port;
	__u32 sequence;
};

/* By code: icmp_err_convert[] of Linux. Returns an errno, or 0 if the message ends no attempt. */
NT_INLINE int nt_icmp_unreachable_error(__u8 code)
{
	switch (code) {
	case 0:  /* network unreachable */
	case 6:  /* network unknown */
	case 9:  /* network prohibited */
	case 11: /* network unreachable for this type of service */
		return NT_ENETUNREACH;
	case 1:  /* host unreachable */
	case 10: /* host prohibited */
	case 12: /* host unreachable for this type of service */
	case 13: /* communication prohibited */
	case 14: /* precedence violation */
	case 15: /* precedence cutoff */
		return NT_EHOSTUNREACH;
	case 2: /* protocol unreachable */
		return NT_ENOPROTOOPT;
	case 3: /* port unreachable */
		return NT_ECONNREFUSED;
	case 5: /* source route failed */
		return NT_EOPNOTSUPP;
	case 7: /* host unknown */
		return NT_EHOSTDOWN;
	case 8: /* source host isolated */
		return NT_ENONET;
	default: /* also 4, fragmentation needed: the packets become smaller */
		return 0;
	}
}

NT_INLINE int nt_icmp_error(__u8 type, __u8 code)
{
	switch (type) {
	case NT_ICMP_UNREACHABLE:
		return nt_icmp_unreachable_error(code);
	case NT_ICMP_TIME_EXCEEDED:
		return code == NT_ICMP_REASSEMBLY_TIME ? 0 : NT_EHOSTUNREACH;
	case NT_ICMP_PARAMETER_PROBLEM:
		return NT_EPROTO;
	default:
		return 0;
	}
}

/* By code: tab_unreach[] of Linux. */
NT_INLINE int nt_icmpv6_unreachable_error(__u8 code)
{
	switch (code) {
	case 0: /* no route */
		return NT_ENETUNREACH;
	case 2: /* beyond the scope of the source address */
	case 3: /* address unreachable */
		return NT_EHOSTUNREACH;
	case 4: /* port unreachable */
		return NT_ECONNREFUSED;
	case 1: /* prohibited */
	case 5: /* the source address failed a policy */
	case 6: /* a route that rejects */
		return NT_EACCES;
	default:
		return NT_EPROTO;
	}
}

/* Returns as nt_icmp_error(). Errors of unknown types and codes reach TCP, too. */
NT_INLINE int nt_icmpv6_error(__u8 type, __u8 code)
{
	if (type == NT_ICMPV6_TOO_BIG || type >= NT_ICMPV6_FIRST_INFORMATION)
		return 0;
	if (type == NT_ICMPV6_TIME_EXCEEDED)
		return NT_EHOSTUNREACH;
	return type == NT_ICMPV6_UNREACHABLE ? nt_icmpv6_unreachable_error(code) : NT_EPROTO;
}

/* The quoted packet is longer than what is quoted of it, so its own lengths limit nothing outside of it. */
#define NT_ANY_FRAME_LENGTH (~0U)

/* Parses the quoted packet at `offset`; the message ends at `end`. Returns NT_PACKET_TCP, or the reason why it shows no
 * segment. A later fragment has no ports.
 */
NT_INLINE enum nt_parse nt_parse_quote(void *frame, __u32 offset, __u32 end, __u16 ethertype, struct nt_packet *quoted)
{
	struct nt_cursor cursor = { .offset = offset };
	struct nt_quoted_tcp tcp;
	enum nt_parse result = nt_parse_network_header(frame, NT_ANY_FRAME_LENGTH, ethertype, &cursor, quoted);

	if (result != NT_PACKET_TCP)
		return result;
	if (cursor.protocol != NT_PROTOCOL_TCP)
		return NT_PACKET_NOT_TCP;
	if (cursor.end - cursor.offset < sizeof(tcp) || nt_exceeds_frame(cursor.offset, sizeof(tcp), end))
		return NT_PACKET_MALFORMED;
	if (NT_LOAD(frame, cursor.offset, &tcp, sizeof(tcp)) < 0)
		return NT_PACKET_TRUNCATED;
	quoted->source_port = nt_network16(tcp.source_port);
	quoted->destination_port = nt_network16(tcp.destination_port);
	quoted->sequence = nt_network32(tcp.sequence);
	return NT_PACKET_TCP;
}

#endif
