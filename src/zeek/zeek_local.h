/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The addresses that are local in Zeek's default policy (Site::private_address_space). */
#ifndef NETRACKER_ZEEK_LOCAL_H
#define NETRACKER_ZEEK_LOCAL_H

#include <linux/types.h>
#include <stdbool.h>

/* address: network byte order, IPv4 as ::ffff:a.b.c.d */
bool zeek_address_is_local(const __u8 address[16]);

#endif
