// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/shares.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "src/util/message.h"

#define MAPPED_SIZE (NT_FAIR_TABLES * sizeof(struct nt_shares))

__u64 shares_choose_multiplier(void)
{
	__u64 multiplier = 0x9e3779b97f4a7c15ULL; /* 2^64 divided by the golden ratio */

	if (getrandom(&multiplier, sizeof(multiplier), 0) < 0)
		message_detail("no random numbers for the tables' shares: %s", strerror(errno));
	return multiplier | 1;
}

int shares_map(struct shares *shares, int fd)
{
	void *memory = mmap(NULL, MAPPED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		return -errno;
	shares->table = memory;
	return 0;
}

void shares_unmap(struct shares *shares)
{
	if (shares->table)
		munmap(shares->table, MAPPED_SIZE);
	shares->table = NULL;
}

void shares_release(const struct shares *shares, enum nt_fair_table table, __u16 share)
{
	__atomic_fetch_add(&shares->table[table].taken, -1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shares->table[table].of[share & (NT_SHARES - 1)], -1, __ATOMIC_RELAXED);
}
