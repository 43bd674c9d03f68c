/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filters, as far as the kernel side can apply them: it counts excluded connections and does not emit them.
 * User space applies the whole filter to every record (src/filter/).
 *
 * Addresses are 16 bytes in network byte order (IPv4 as IPv4-mapped IPv6), read as two 64-bit words in memory order;
 * ports are in host byte order.
 */
#ifndef NETRACKER_CORE_KERNEL_FILTER_H
#define NETRACKER_CORE_KERNEL_FILTER_H

#include "event.h"

#define NT_FILTER_NETWORKS 32

struct nt_port_set {
	__u32 given;          /* 0: every port */
	__u8 bits[65536 / 8]; /* bit (port & 7) of byte (port >> 3) */
};

struct nt_network {
	__u64 address[2], mask[2]; /* no bit of the address is outside the mask */
	__u64 family;              /* 4 or 6, so that ::/0 contains no IPv4 address */
};

struct nt_network_set {
	__u64 count; /* 0: every address */
	struct nt_network network[NT_FILTER_NETWORKS];
};

NT_INLINE void nt_port_set_add(struct nt_port_set *set, __u16 port)
{
	set->given = 1;
	set->bits[port >> 3] |= 1U << (port & 7);
}

NT_INLINE int nt_port_passes(const struct nt_port_set *set, __u16 port)
{
	return !set->given || set->bits[port >> 3] & 1U << (port & 7);
}

NT_INLINE int nt_network_has(const struct nt_network *network, const __u64 address[2], int family)
{
	return network->family == (__u64)family && (address[0] & network->mask[0]) == network->address[0] &&
	       (address[1] & network->mask[1]) == network->address[1];
}

/* Returns whether one of the two addresses is in one of the networks. */
NT_INLINE int nt_networks_pass(const struct nt_network_set *set, const __u64 one[2], const __u64 other[2])
{
	int family = nt_address_family((const __u8 *)one);
	__u32 i;

	for (i = 0; i < NT_FILTER_NETWORKS && i < set->count; i++)
		if (nt_network_has(&set->network[i], one, family) || nt_network_has(&set->network[i], other, family))
			return 1;
	return !set->count;
}

/* The conditions that a connection must meet to be emitted. */
struct nt_filter {
	__u32 family; /* 4 or 6; 0: both */
	__u32 roles;  /* bits 1 << NT_ROLE_*; 0: any */
	struct nt_port_set local_ports, remote_ports;
	struct nt_port_set either_port; /* one of both ports, or both */
	struct nt_network_set networks;
	/* The members below are set only if no packets are tracked: the report of a connection's packets would wait in
	 * vain for the event of a socket that one of them excludes. */
	__u32 netns; /* inode number; 0: any */
	__u32 pid;   /* 0: any */
	__u32 uid_given, uid;
	char comm[NT_COMM_SIZE]; /* "": any */
};

NT_INLINE int nt_filter_has_addresses(const struct nt_filter *filter, const __u64 one[2], const __u64 other[2])
{
	if (filter->family && nt_address_family((const __u8 *)one) != (int)filter->family)
		return 0;
	return nt_networks_pass(&filter->networks, one, other);
}

NT_INLINE int nt_filter_has_ports(const struct nt_filter *filter, __u16 local, __u16 remote)
{
	return nt_port_passes(&filter->local_ports, local) && nt_port_passes(&filter->remote_ports, remote) &&
	       (nt_port_passes(&filter->either_port, local) || nt_port_passes(&filter->either_port, remote));
}

/* Returns whether a record of the connection can pass, whether it is a socket's on either side or an observer's. A
 * socket whose packets were translated has addresses that the wire does not know. */
NT_INLINE int nt_filter_has_wire(const struct nt_filter *filter, const struct nt_wire *wire)
{
	const struct nt_key *key = &wire->key;

	if (wire->translated[0] || wire->translated[1])
		return 1;
	return nt_filter_has_addresses(filter, key->words[0], key->words[1]) &&
	       (nt_filter_has_ports(filter, key->port[0], key->port[1]) ||
		nt_filter_has_ports(filter, key->port[1], key->port[0]));
}

/* Returns whether the record of a socket on this side of the key, if there is one, may pass. */
NT_INLINE int nt_filter_has_side(const struct nt_filter *filter, const struct nt_wire *wire, int side)
{
	int opened = side == wire->connection.src_index || wire->connection.marks & NT_MARK_SIMULTANEOUS;
	const struct nt_key *key = &wire->key;

	if (filter->roles && !(filter->roles & 1U << (opened ? NT_ROLE_CLIENT : NT_ROLE_SERVER)))
		return 0;
	if (wire->translated[side & 1])
		return 1;
	return nt_filter_has_addresses(filter, key->words[0], key->words[1]) &&
	       nt_filter_has_ports(filter, key->port[side], key->port[!side]);
}

NT_INLINE int nt_filter_has_comm(const struct nt_filter *filter, const char comm[NT_COMM_SIZE])
{
	int i;

	for (i = 0; i < NT_COMM_SIZE; i++) {
		if (filter->comm[i] != comm[i])
			return 0;
		if (!comm[i])
			break;
	}
	return 1;
}

NT_INLINE int nt_filter_has_owner(const struct nt_filter *filter, const struct nt_owner *owner)
{
	if (!filter->pid && !filter->uid_given && !filter->comm[0])
		return 1;
	if (!owner->process.pid || (filter->pid && filter->pid != owner->process.pid))
		return 0;
	if (filter->uid_given && filter->uid != owner->uid)
		return 0;
	return !filter->comm[0] || nt_filter_has_comm(filter, owner->comm);
}

/* awaits_owner: the owner may still change, so it is not tested. */
NT_INLINE int nt_filter_has_socket(const struct nt_filter *filter, const struct nt_socket *socket, int awaits_owner)
{
	__u64 local[2], remote[2];

	if (filter->roles && !(filter->roles & 1U << (socket->role & 1)))
		return 0;
	if (filter->netns && filter->netns != socket->netns)
		return 0;
	if (!awaits_owner && !nt_filter_has_owner(filter, &socket->owner))
		return 0;
	__builtin_memcpy(local, __builtin_assume_aligned(socket->local, 8), sizeof(local));
	__builtin_memcpy(remote, __builtin_assume_aligned(socket->remote, 8), sizeof(remote));
	return nt_filter_has_ports(filter, socket->local_port, socket->remote_port) &&
	       nt_filter_has_addresses(filter, local, remote);
}

#endif
