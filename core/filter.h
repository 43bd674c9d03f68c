/* Which connections are asked for, as far as the kernel side can tell: it leaves the others untold and counts them. User
 * space applies the same tests to every record (src/filter.c).
 *
 * Addresses are 16 bytes in network byte order (IPv4 as IPv4-mapped IPv6), in two words as memory has them; ports are in
 * host byte order.
 */
#ifndef NETRACKER_CORE_FILTER_H
#define NETRACKER_CORE_FILTER_H

#include "record.h"

#define NT_FILTER_NETWORKS 32

struct nt_port_set {
	__u32 given;          /* 0: every port */
	__u8 bits[65536 / 8]; /* bit (port & 7) of byte (port >> 3) */
};

struct nt_network {
	__u64 address[2], mask[2]; /* no bit of the address is outside the mask */
	__u64 family;              /* 4 or 6: ::/0 holds no IPv4 address, as users mean it */
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

/* Whether one of the two ends is in one of the networks. */
NT_INLINE int nt_networks_pass(const struct nt_network_set *set, const __u64 one[2], const __u64 other[2])
{
	int family = nt_address_family((const __u8 *)one);
	__u32 i;

	for (i = 0; i < NT_FILTER_NETWORKS && i < set->count; i++)
		if (nt_network_has(&set->network[i], one, family) || nt_network_has(&set->network[i], other, family))
			return 1;
	return !set->count;
}

#endif
