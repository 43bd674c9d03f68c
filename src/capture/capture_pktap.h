/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PKTAP, the header before the packets of macOS and iOS that names interface, direction and process. It has two versions,
 * of Apple's net/pktap.h. All numbers are little-endian.
 */
#ifndef NETRACKER_CAPTURE_PKTAP_H
#define NETRACKER_CAPTURE_PKTAP_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "src/capture/capture_link.h"

/* Replaces the link type by that of the frame inside, and sets the header's length and the place's interface, direction
 * and process. Returns NT_PACKET_TCP, which is 0, or the error.
 */
enum nt_parse capture_pktap_header(const struct nt_buffer *frame, int *link_type, __u32 *length,
				   struct capture_place *place);

#endif
