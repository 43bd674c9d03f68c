/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Community ID version 1 of a TCP connection, with the specification's seed 0:
 * https://github.com/corelight/community-id-spec.
 */
#ifndef NETRACKER_COMMUNITY_ID_H
#define NETRACKER_COMMUNITY_ID_H

#include <linux/types.h>

#define COMMUNITY_ID_SIZE 32 /* "1:", 28 characters of base64, NUL */

/* Addresses are in network byte order as in struct nt_record (an IPv4-mapped one is hashed as IPv4), ports in host byte
 * order. Both directions have the same result. Not thread-safe.
 */
void community_id(char out[COMMUNITY_ID_SIZE], const __u8 src[16], __u16 src_port, const __u8 dst[16], __u16 dst_port);

#endif
