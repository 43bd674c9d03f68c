/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which addresses Zeek takes for local where it was not told (Site::private_address_space of its default policy). */
#ifndef NETRACKER_ZEEK_LOCAL_H
#define NETRACKER_ZEEK_LOCAL_H

#include <linux/types.h>
#include <stdbool.h>

/* address: network byte order, IPv4 as ::ffff:a.b.c.d */
bool zeek_address_is_local(const __u8 address[16]);

#endif
