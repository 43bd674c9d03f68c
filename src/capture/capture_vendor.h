/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers that vendors' systems put before the frames of their captures: Juniper's, and the BSDs' PFLOG and SLIP. */
#ifndef NETRACKER_CAPTURE_VENDOR_H
#define NETRACKER_CAPTURE_VENDOR_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "src/capture/capture_link.h"

/* link_type: libpcap's DLT_ number. */
bool capture_vendor_is_juniper(int link_type);

/* These do what capture_link_locate() does. */
enum nt_parse capture_vendor_juniper(int link_type, const struct nt_buffer *frame, struct capture_place *place);
enum nt_parse capture_vendor_pflog(const struct nt_buffer *frame, struct capture_place *place);
enum nt_parse capture_vendor_slip(int link_type, const struct nt_buffer *frame, struct capture_place *place);

#endif
