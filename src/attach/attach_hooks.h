/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classic mode's programs on an interface: tcx links or clsact filters. */
#ifndef NETRACKER_ATTACH_HOOKS_H
#define NETRACKER_ATTACH_HOOKS_H

#include <linux/types.h>
#include <stdbool.h>

#include "src/attach/attach_pins.h"

/* Attaches by tcx links: 0 and their descriptors, which are to be pinned so that they stay; -errno, -EINVAL before Linux
 * 6.6. */
int attach_hook_tcx(const struct attachment_info *attachment, const int programs[ATTACH_WAYS],
		       int links[ATTACH_WAYS]);

/* The clsact qdisc on an interface: 1 it was made, 0 it was there; -errno. */
int attach_prepare_clsact(unsigned int ifindex);

/* Attaches by filters, which stay. 0, or -errno. */
int attach_hook_clsact(const struct attachment_info *attachment, const int programs[ATTACH_WAYS]);

/* The id of the program that a pin (a link or a program) holds on its interface; 0: it is on none any more. Filters are
 * looked for in the own network namespace. */
__u32 attach_hook_program(const struct attachment_info *attachment, int way, int pin);

/* Takes what a pin holds off its interface, and nothing that is another's. */
void attach_hook_detach(const struct attachment_info *attachment, int way, int pin);

/* Removes the clsact qdisc if it was made for us and nobody has a filter on it. */
void attach_release_qdisc(const struct attachment_info *attachment);

#endif
