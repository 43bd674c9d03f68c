/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame in plain memory. Defines NT_LOAD of packet.h for all hosts that are no BPF programs.
 *
 * Include this before packet.h. The frame is passed as a struct nt_buffer; nothing beyond `length` is ever read.
 */
#ifndef NETRACKER_CORE_BUFFER_H
#define NETRACKER_CORE_BUFFER_H

#include "port.h"

struct nt_buffer {
	const __u8 *data;
	__u32 length; /* bytes captured, which may be fewer than the frame had */
};

/* Returns 0, or -1 if the buffer does not hold all of the bytes. */
NT_INLINE int nt_buffer_load(const struct nt_buffer *buffer, __u32 offset, void *to, __u32 length)
{
	if (offset > buffer->length || length > buffer->length - offset)
		return -1;
	__builtin_memcpy(to, buffer->data + offset, length);
	return 0;
}

#define NT_LOAD(frame, offset, to, size) nt_buffer_load((const struct nt_buffer *)(frame), (offset), (to), (size))

#endif
