/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attach the programs of `netracker attach` to an interface: by tcx links, or by clsact filters. */
#ifndef NETRACKER_ATTACH_HOOKS_H
#define NETRACKER_ATTACH_HOOKS_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/attach/attach_pins.h"

/* Attaches by tcx links. programs: file descriptors, by direction. Returns 0 and the links' file descriptors (-1:
 * none), which the caller closes; pin the links to keep them. Returns -errno on failure, -EINVAL before Linux 6.6.
 */
int attach_hook_tcx(const struct attachment_info *attachment, const int programs[ATTACH_DIRECTIONS],
		    int links[ATTACH_DIRECTIONS]);

/* Ensures that the interface has a clsact qdisc. Returns 1 if it was created, 0 if it existed, or -errno. */
int attach_prepare_clsact(unsigned int ifindex);

/* Attaches by clsact filters, which stay after the process ends. Returns 0, or -errno. */
int attach_hook_clsact(const struct attachment_info *attachment, const int programs[ATTACH_DIRECTIONS]);

/* Returns the id of the program that is attached by this pin, 0 if it is attached no longer. pin: a file descriptor
 * of a link (tcx) or a program (clsact). Filters are looked up in the network namespace of the caller.
 */
__u32 attach_hook_program(const struct attachment_info *attachment, int direction, int pin);

/* Detaches the program that is attached by this pin. Leaves the programs and filters of others alone. */
void attach_hook_detach(const struct attachment_info *attachment, int direction, int pin);

/* Removes the clsact qdisc if attach_prepare_clsact() created it and it has no filters. */
void attach_release_qdisc(const struct attachment_info *attachment);

#endif
