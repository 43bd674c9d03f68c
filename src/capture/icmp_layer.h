/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMP and ICMPv6 errors in a capture: core/icmp_error.h at a layer of the frame. */
#ifndef NETRACKER_ICMP_LAYER_H
#define NETRACKER_ICMP_LAYER_H

#include <linux/types.h>

#include "core/buffer.h"
#include "core/icmp_error.h"
#include "src/capture/layer_load.h"

/* Parses the message at the layer, whose type is NT_LAYER_ICMP or NT_LAYER_ICMPV6. Returns the errno and sets addresses,
 * ports and sequence number of *quoted, or returns 0 if no attempt can end by it: no error, or not about TCP.
 */
NT_INLINE int nt_parse_icmp_error(void *frame, const struct nt_layer *layer, struct nt_packet *quoted)
{
	__u16 ethertype = layer->type == NT_LAYER_ICMP ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6;
	__u8 header[2];
	int error;

	if (nt_layer_load(frame, layer, 0, header, sizeof(header)) != NT_PACKET_TCP)
		return 0;
	error = layer->type == NT_LAYER_ICMP ? nt_icmp_error(header[0], header[1]) :
					       nt_icmpv6_error(header[0], header[1]);
	if (!error ||
	    nt_parse_quote(frame, layer->offset + NT_ICMP_HEADER, layer->end, ethertype, quoted) != NT_PACKET_TCP)
		return 0;
	return error;
}

#endif
