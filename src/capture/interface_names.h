/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces that captures name: a number and a name that stay valid when the file is closed. Pieces of one capture
 * name the same interfaces in the same order, so an interface is identified by its name and its index in the file.
 */
#ifndef NETRACKER_INTERFACE_NAMES_H
#define NETRACKER_INTERFACE_NAMES_H

#include <linux/types.h>
#include <stddef.h>

/* The index of an interface that the packet's own header names. */
#define INTERFACE_OF_HEADER 0xffff

struct interface_names;

struct capture_interface {
	__u32 number;     /* never 0, and none of an interface index that a packet's header has */
	const char *name; /* NULL: unknown. Owned by struct interface_names */
};

/* Returns NULL without memory. */
struct interface_names *interface_names_new(void);

/* Accepts NULL. */
void interface_names_free(struct interface_names *names);

/* index: at most 65535. name: ends at its first NUL, or after `length` bytes. The interface has no name if it is empty, if
 * names is NULL, without memory, and beyond the first 65,536 interfaces.
 */
struct capture_interface interface_names_find(struct interface_names *names, __u32 index, const void *name,
					      size_t length);

#endif
