/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Community ID v1 of a TCP connection, seed 0 (https://github.com/corelight/community-id-spec). */
#ifndef NETRACKER_COMMUNITY_ID_H
#define NETRACKER_COMMUNITY_ID_H

#include <linux/types.h>

#define COMMUNITY_ID_SIZE 32 /* "1:", 28 characters of base64, NUL */

/* Addresses as in struct nt_record (network byte order, IPv4-mapped ones are hashed as IPv4), ports in host byte order.
 * The direction does not matter.
 */
void community_id(char out[COMMUNITY_ID_SIZE], const __u8 src[16], __u16 src_port, const __u8 dst[16],
		  __u16 dst_port);

#endif
