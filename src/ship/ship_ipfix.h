/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The destination IPFIX: a collector of flows (RFC 7011). Nothing that it answers says what it has. */
#ifndef NETRACKER_SHIP_IPFIX_H
#define NETRACKER_SHIP_IPFIX_H

#include "src/ship/ship_destination.h"

extern const struct ship_destination ship_ipfix; /* over TCP */
extern const struct ship_destination ship_ipfix_udp;

#endif
