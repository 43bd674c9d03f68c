/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers that capture drivers put before 802.11 frames: radiotap, PPI, Prism, AVS. */
#ifndef NETRACKER_CAPTURE_RADIO_H
#define NETRACKER_CAPTURE_RADIO_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/packet.h"

/* Sets *length to the length of the header in bytes, or to 0 if link_type has none. Returns NT_PACKET_TCP, which is 0,
 * or the error.
 */
enum nt_parse capture_radio_header(int link_type, const struct nt_buffer *frame, __u32 *length);

/* The same for a PPI header, which also holds the link type of the frame that follows it. */
enum nt_parse capture_radio_ppi(const struct nt_buffer *frame, int *link_type, __u32 *length);

#endif
