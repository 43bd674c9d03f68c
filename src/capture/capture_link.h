/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Link layers of capture files: finds the first layer of a frame that src/capture/layer.h can parse.
 *
 * docs/captures.md lists the link types.
 */
#ifndef NETRACKER_CAPTURE_LINK_H
#define NETRACKER_CAPTURE_LINK_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "src/capture/capture_process.h"
#include "src/capture/layer.h"

struct capture_place {
	struct nt_layer layer; /* begins after the link layer's header */
	__u32 interface;       /* from the link layer's header; 0 if it has none */
	__u8 direction;        /* from the link layer's header; 1: leaving; 0: coming in, or unknown */
	const char *ifname;    /* the interface's name in the header, padded with NUL; NULL: none */
	__u32 ifname_size;
	struct capture_process process; /* from the link layer's header */
};

/* link_type: libpcap's DLT_ number. */
bool capture_link_is_known(int link_type);

/* frame_length: bytes of the frame as it was sent. Returns NT_PACKET_TCP, which is 0, after setting *place;
 * NT_PACKET_NOT_IP if the frame cannot hold IP; else the error.
 */
enum nt_parse capture_link_locate(int link_type, const struct nt_buffer *frame, __u32 frame_length,
				  struct capture_place *place);

/* Sets the layer of *place after a header of `header` bytes that names an address family, one of any system. Returns
 * NT_PACKET_TCP, or NT_PACKET_NOT_IP if the family is not IP's.
 */
enum nt_parse capture_link_set_family(struct capture_place *place, __u32 header, __u32 family);

#endif
