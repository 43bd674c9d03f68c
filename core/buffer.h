/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame in plain memory: what packet.h's NT_LOAD reads in every host that is no BPF program.
 *
 * Include this before packet.h. The frame is given as a struct nt_buffer; nothing beyond `length` is ever read.
 */
#ifndef NETRACKER_CORE_BUFFER_H
#define NETRACKER_CORE_BUFFER_H

#include "port.h"

struct nt_buffer {
	const __u8 *data;
	__u32 length; /* bytes captured, which may be fewer than the frame had */
};

/* 0, or -1 where the bytes are not all there. */
NT_INLINE int nt_buffer_load(const struct nt_buffer *buffer, __u32 offset, void *to, __u32 length)
{
	if (offset > buffer->length || length > buffer->length - offset)
		return -1;
	__builtin_memcpy(to, buffer->data + offset, length);
	return 0;
}

#define NT_LOAD(frame, offset, to, size) nt_buffer_load((const struct nt_buffer *)(frame), (offset), (to), (size))

#endif
