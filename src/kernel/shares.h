/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counts of the tables that are shared fairly (core/share.h), mapped: user space subtracts the entries that it
 * deletes. */
#ifndef NETRACKER_SHARES_H
#define NETRACKER_SHARES_H

#include <linux/types.h>

#include "core/event.h"

struct shares {
	struct nt_shares *table; /* by enum nt_fair_table; NULL: not mapped */
};

/* Returns a multiplier for core/share.h. */
__u64 shares_choose_multiplier(void);

/* Maps the kernel side's array fd. Returns 0, or -errno. */
int shares_map(struct shares *shares, int fd);
void shares_unmap(struct shares *shares);

/* Counts that an entry of this share was deleted from the table. */
void shares_release(const struct shares *shares, enum nt_fair_table table, __u16 share);

#endif
