/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fair shares of a table: while more than three quarters of it are taken, no group of connections may hold more than a
 * quarter. A group is a user in a network namespace or, where the user is unknown, the peers of one network.
 *
 * Groups are counted by a hash, so the memory is bounded. Its multiplier is random and secret: nobody can choose
 * addresses or users that share a count with another's. A table is an array of 2^NT_SHARE_BITS counts; two groups that
 * share one by chance share the quarter.
 */
#ifndef NETRACKER_CORE_SHARE_H
#define NETRACKER_CORE_SHARE_H

#include "fast_path.h"
#include "record.h"

#define NT_SHARE_BITS 14
#define NT_SHARES (1 << NT_SHARE_BITS)

/* The counts of one table. They are changed by atomic additions, each after the entry was inserted or deleted, so they
 * may be off by the insertions and deletions that are under way. */
struct nt_shares {
	__s32 taken; /* entries of the table */
	__s32 padding[15];
	__s32 of[NT_SHARES]; /* entries of each share */
};

/* multiplier: random and odd; multiply-shift hashing is universal then. */
NT_INLINE __u16 nt_share_from_group(__u64 group, __u64 multiplier)
{
	return group * multiplier >> (64 - NT_SHARE_BITS);
}

NT_INLINE __u16 nt_share_of_user(__u32 netns, __u32 uid, __u64 multiplier)
{
	return nt_share_from_group((__u64)netns << 32 | uid, multiplier);
}

/* Returns the share of the network of an address: /24 for IPv4, /64 for IPv6. */
NT_INLINE __u16 nt_share_of_peer(const __u32 address[4], __u64 multiplier)
{
	if (nt_address_family((const __u8 *)address) == 4)
		return nt_share_from_group(nt_join_words(address[2], address[3] & nt_network32(0xffffff00)),
					   multiplier);
	return nt_share_from_group(nt_join_words(address[0], address[1]), multiplier);
}

/* Returns whether another entry must be refused. size: of the table. */
NT_INLINE int nt_share_is_full(const struct nt_shares *shares, __u16 share, __u32 size)
{
	__s32 taken = *(const volatile __s32 *)&shares->taken;

	if (taken < (__s32)(size - size / 4))
		return 0;
	return *(const volatile __s32 *)&shares->of[share & (NT_SHARES - 1)] >= (__s32)(size / 4);
}

#endif
