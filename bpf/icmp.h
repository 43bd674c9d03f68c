/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP errors that end attempts. They are all that shows an observer the end. A socket shows its error itself, with one
 * exception: if the message comes during connect(), the socket keeps only sk_err_soft, and getsockopt(SO_ERROR) clears
 * that. With IPv4 the message stays in the error queue (socket_error.h), with IPv6 it does not. A firewall that rejects a
 * local SYN always answers during connect(). That SYN reaches no interface, so its socket is looked up.
 */
#ifndef NETRACKER_BPF_ICMP_H
#define NETRACKER_BPF_ICMP_H

#include "wire_tables.h"

#include "../core/icmp_error.h"

/* A packet that answers the quoted one has this tuple. */
static __always_inline struct bpf_sock *look_up_sender(struct __sk_buff *skb, const struct nt_packet *quoted)
{
	struct bpf_sock_tuple tuple = {
		.ipv6.sport = bpf_htons(quoted->destination_port),
		.ipv6.dport = bpf_htons(quoted->source_port),
	};

	__builtin_memcpy(tuple.ipv6.saddr, quoted->destination, sizeof(tuple.ipv6.saddr));
	__builtin_memcpy(tuple.ipv6.daddr, quoted->source, sizeof(tuple.ipv6.daddr));
	return bpf_skc_lookup_tcp(skb, &tuple, sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
}

/* tcp_v6_err() takes an error that quotes the SYN. */
static __always_inline void record_error_of_socket(struct bpf_sock *sk, const struct nt_packet *quoted, int error)
{
	struct tcp_sock *tp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);
	struct nt_socket *socket;
	__u64 address;

	if (!tp || tp->inet_conn.icsk_inet.sk.__sk_common.skc_state != TCP_SYN_SENT || tp->snd_una != quoted->sequence)
		return;
	address = (__u64)tp;
	socket = bpf_map_lookup_elem(&sockets, &address);
	if (socket)
		socket->attempt_error = error;
}

static __always_inline void record_error_of_sender(struct __sk_buff *skb, const struct nt_packet *quoted, int error)
{
	struct bpf_sock *sk = look_up_sender(skb, quoted);

	if (!sk)
		return;
	record_error_of_socket(sk, quoted, error);
	bpf_sk_release(sk);
}

static __always_inline void record_error_on_wire(struct nt_key *key, const struct nt_packet *quoted, int error,
						 __u64 now)
{
	int source = nt_key_from_packet(key, quoted, config.own_netns);
	struct wire_found found;

	wire_look_up(&found, key, true);
	if (!found.wire || !nt_connection_awaits_answer(&found.wire->connection, source, quoted->sequence))
		return;
	found.wire->attempt_error = error;
	found.wire->connection.last_change_ns = found.wire->connection.last_seen_ns = now;
}

/* Reads the message behind the IP header. Returns the errno, or 0 if no attempt can end by it. *quoted is set to the
 * segment that the error is about. */
static __always_inline int read_icmp_error(struct __sk_buff *skb, __u32 network_offset, bool is_ipv6,
					   struct nt_packet *quoted)
{
	__u32 offset = network_offset + (is_ipv6 ? NT_IPV6_HEADER : NT_IPV4_HEADER);
	struct nt_frame frame = { .skb = skb };
	__u8 header[2];
	int error;

	if (NT_LOAD(&frame, offset, header, sizeof(header)) < 0)
		return 0;
	error = is_ipv6 ? nt_icmpv6_error(header[0], header[1]) : nt_icmp_error(header[0], header[1]);
	if (!error || nt_parse_quote(&frame, offset + NT_ICMP_HEADER, skb->len,
				     is_ipv6 ? NT_ETHERTYPE_IPV6 : NT_ETHERTYPE_IPV4, quoted) != NT_PACKET_TCP)
		return 0;
	return error;
}

#endif
