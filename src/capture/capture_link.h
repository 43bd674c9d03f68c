/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Link layers of capture files: what a frame begins with, up to the first layer that src/capture/layer.h knows.
 *
 * docs/captures.md lists the link types. Whatever else is no IP, and none of ours.
 */
#ifndef NETRACKER_CAPTURE_LINK_H
#define NETRACKER_CAPTURE_LINK_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "src/capture/layer.h"

struct capture_place {
	struct nt_layer layer; /* behind the link layer's header */
	__u32 interface; /* where the link layer tells it, else 0 */
	__u8 direction;  /* 1: leaving, where the link layer tells it; else 0 */
};

/* link_type: libpcap's DLT_ number. */
bool capture_link_is_known(int link_type);

/* frame_length: the frame's length as it was sent, in bytes. NT_PACKET_TCP, which is 0: *place is set. Else what is
 * wrong, NT_PACKET_NOT_IP where there is nothing to be found.
 */
enum nt_parse capture_link_locate(int link_type, const struct nt_buffer *frame, __u32 frame_length,
				  struct capture_place *place);

#endif
