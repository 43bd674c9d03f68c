/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fast path: decides before any look-up whether a packet may complete a handshake, or be the first payload of a
 * side. Each slot counts the connections that wait for an ACK, and those that wait for payload. The kernel side counts
 * them, and user space subtracts expired ones.
 *
 * A connection waits for payload for NT_PAYLOAD_WAIT_NS at most. It is counted in the field of the epoch in which that
 * time ends, and user space clears the field when the epoch is over: so no table is searched for connections that have
 * waited too long, and a wrong count lasts no longer than a right one.
 *
 * The slot of a plain packet is found with one load and no full parse (nt_peek_slot()), or from a connection's key.
 */
#ifndef NETRACKER_CORE_FAST_PATH_H
#define NETRACKER_CORE_FAST_PATH_H

#include "key.h"

/* Few enough to stay in a CPU's cache, because every packet reads one slot. */
#define NT_FAST_PATH_SLOT_BITS 14
#define NT_FAST_PATH_SLOTS (1 << NT_FAST_PATH_SLOT_BITS)

/* Slots in one element of the map, which is as long as a cache line. */
#define NT_FAST_PATH_IN_LINE 8

/* A count that is too high costs look-ups; one that is too low would hide the end of a handshake, or payload. */
struct nt_fast_path_slot {
	int handshakes;
	__u32 payloads; /* NT_PAYLOAD_EPOCHS counts */
};

struct nt_fast_path_line {
	struct nt_fast_path_slot slot[NT_FAST_PATH_IN_LINE];
};

#define NT_PAYLOAD_WAIT_NS 2000000000ULL
/* Long enough that a wait spans no more than 7 of them: the field before the present one is then in nobody's use. */
#define NT_PAYLOAD_EPOCH_NS 340000000ULL
#define NT_PAYLOAD_EPOCHS 8
#define NT_PAYLOAD_COUNT_BITS 4
#define NT_PAYLOAD_MOST_COUNTED 15U

/* Returns the position of the field of the epoch that has this time. */
NT_INLINE __u32 nt_payload_shift(__u64 ns)
{
	return ns / NT_PAYLOAD_EPOCH_NS % NT_PAYLOAD_EPOCHS * NT_PAYLOAD_COUNT_BITS;
}

/* Returns the same slot for both directions: endpoints are combined by exclusive or. The common prefix of IPv4-mapped
 * addresses cancels out. */
NT_INLINE __u32 nt_slot_from_mix(__u64 addresses, __u16 ports)
{
	return (addresses ^ ports) * 0x9e3779b97f4a7c15ULL >> (64 - NT_FAST_PATH_SLOT_BITS);
}

NT_INLINE __u32 nt_fast_path_slot(const struct nt_key *key)
{
	return nt_slot_from_mix(key->words[0][0] ^ key->words[0][1] ^ key->words[1][0] ^ key->words[1][1],
				nt_network16(key->port[0] ^ key->port[1]));
}

/* Combines two 32-bit words that are adjacent in memory into one 64-bit word. */
NT_INLINE __u64 nt_join_words(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (__u64)second << 32 | first;
#else
	return (__u64)first << 32 | second;
#endif
}

/* The headers of most packets: TCP directly behind an IP header without options. */
struct nt_plain_tcp {
	__u16 source_port, destination_port;
	__u32 sequence, acknowledgement;
	__u8 data_offset, flags;
};
#define NT_PLAIN_TCP 14 /* bytes of struct nt_plain_tcp without its padding */

struct nt_plain_ipv4 {
	__u8 version_and_length, service;
	__u16 total_length, identification, fragment;
	__u8 time_to_live, protocol;
	__u16 checksum;
	__u32 source, destination;
	struct nt_plain_tcp tcp;
};

struct nt_plain_ipv6 {
	__u32 version;
	__u16 payload_length;
	__u8 next_header, hop_limit;
	__u32 addresses[8];
	struct nt_plain_tcp tcp;
};

enum nt_fast_path {
	NT_FAST_PATH_DONE,  /* not TCP: ignore it */
	NT_FAST_PATH_SLOT,  /* plain TCP without SYN, FIN and RST: relevant only if a connection of *slot waits */
	NT_FAST_PATH_PARSE, /* a full parse is needed */
	NT_FAST_PATH_ICMP,  /* ICMP or ICMPv6 directly behind an IP header without options */
};

NT_INLINE enum nt_fast_path nt_fast_path_classify(const struct nt_plain_tcp *tcp, __u64 addresses, __u32 *slot)
{
	if (tcp->flags & (NT_SYN | NT_FIN | NT_RST))
		return NT_FAST_PATH_PARSE;
	*slot = nt_slot_from_mix(addresses, tcp->source_port ^ tcp->destination_port);
	return NT_FAST_PATH_SLOT;
}

NT_INLINE enum nt_fast_path nt_fast_path_other_ipv4(const struct nt_plain_ipv4 *ipv4)
{
	if (ipv4->protocol == NT_PROTOCOL_AUTHENTICATION)
		return NT_FAST_PATH_PARSE;
	if (ipv4->protocol == NT_PROTOCOL_ICMP && ipv4->version_and_length == 0x45 &&
	    !(ipv4->fragment & nt_network16(0x3fff)))
		return NT_FAST_PATH_ICMP;
	return NT_FAST_PATH_DONE;
}

NT_INLINE enum nt_fast_path nt_fast_path_other_ipv6(__u8 next_header)
{
	switch (next_header) {
	case NT_PROTOCOL_UDP:
		return NT_FAST_PATH_DONE;
	case NT_PROTOCOL_ICMPV6:
		return NT_FAST_PATH_ICMP;
	default: /* TCP may be behind extension headers */
		return NT_FAST_PATH_PARSE;
	}
}

/* Classifies a packet. offset: of the IP header in the frame; ethertype: in host byte order. Sets *slot only for
 * NT_FAST_PATH_SLOT. */
NT_INLINE enum nt_fast_path nt_peek_slot(void *frame, __u32 offset, __u16 ethertype, __u32 *slot)
{
	struct nt_plain_ipv4 ipv4;
	struct nt_plain_ipv6 ipv6;
	__u32 high, low;

	switch (ethertype) {
	case NT_ETHERTYPE_IPV4:
		if (NT_LOAD(frame, offset, &ipv4, NT_IPV4_HEADER + NT_PLAIN_TCP) < 0)
			return NT_FAST_PATH_PARSE;
		if (ipv4.protocol != NT_PROTOCOL_TCP)
			return nt_fast_path_other_ipv4(&ipv4);
		if (ipv4.version_and_length != 0x45 || ipv4.fragment & nt_network16(0x3fff))
			return NT_FAST_PATH_PARSE;
		return nt_fast_path_classify(&ipv4.tcp, nt_join_words(0, ipv4.source ^ ipv4.destination), slot);
	case NT_ETHERTYPE_IPV6:
		if (NT_LOAD(frame, offset, &ipv6, NT_IPV6_HEADER + NT_PLAIN_TCP) < 0)
			return NT_FAST_PATH_PARSE;
		if (ipv6.next_header != NT_PROTOCOL_TCP)
			return nt_fast_path_other_ipv6(ipv6.next_header);
		high = ipv6.addresses[0] ^ ipv6.addresses[2] ^ ipv6.addresses[4] ^ ipv6.addresses[6];
		low = ipv6.addresses[1] ^ ipv6.addresses[3] ^ ipv6.addresses[5] ^ ipv6.addresses[7];
		return nt_fast_path_classify(&ipv6.tcp, nt_join_words(high, low), slot);
	default:
		return nt_is_vlan(ethertype) ? NT_FAST_PATH_PARSE : NT_FAST_PATH_DONE;
	}
}

/* Returns whether a packet for which nt_peek_slot() found a slot has payload. An IP length of 0 is that of a packet of
 * more than 64 KiB, which the kernel has not cut into segments yet.
 */
NT_INLINE int nt_peek_has_payload(void *frame, __u32 offset, __u16 ethertype)
{
	struct nt_plain_ipv4 ipv4;
	struct nt_plain_ipv6 ipv6;
	__u32 length, header;

	if (ethertype == NT_ETHERTYPE_IPV4) {
		if (NT_LOAD(frame, offset, &ipv4, NT_IPV4_HEADER + NT_PLAIN_TCP) < 0)
			return 1;
		length = nt_network16(ipv4.total_length);
		header = NT_IPV4_HEADER + ipv4.tcp.data_offset / 16 * 4;
	} else {
		if (NT_LOAD(frame, offset, &ipv6, NT_IPV6_HEADER + NT_PLAIN_TCP) < 0)
			return 1;
		length = nt_network16(ipv6.payload_length);
		header = ipv6.tcp.data_offset / 16 * 4;
	}
	return !length || length > header;
}

#endif
