/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the classic mode (programs that stay on an interface without a process) keeps under /sys/fs/bpf/netracker: a
 * directory for each interface, with the pins `attached_by`, `counters`, `connections`, and `ingress` and `egress`: links
 * where the kernel has tcx, else the programs of clsact filters.
 */
#ifndef NETRACKER_ATTACH_PINS_H
#define NETRACKER_ATTACH_PINS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "bpf/attachment.h"
#include "src/attach/mounts.h"

#define ATTACH_PINS BPFFS "/netracker"
#define ATTACH_WAYS 2 /* 0: ingress, 1: egress */

enum attach_state {
	ATTACH_STATE_ATTACHED,
	ATTACH_STATE_PARTLY,     /* somebody took off one way of two */
	ATTACH_STATE_GONE,       /* left over: the interface or its namespace is gone, or somebody took the programs off */
	ATTACH_STATE_UNFINISHED, /* left over: attaching was interrupted */
	ATTACH_STATE_FOREIGN,    /* laid out by another version of netracker */
};

struct attach_entry {
	char directory[256]; /* its name in ATTACH_PINS */
	enum attach_state state;
	struct attachment_info attachment; /* not where ATTACH_STATE_UNFINISHED or ATTACH_STATE_FOREIGN */
	__u32 program_ids[ATTACH_WAYS];      /* 0: not attached that way */
};

struct attach_entries {
	struct attach_entry *list;
	size_t count;
};

/* The name of an interface's directory, in the network namespace with this inode number. bpffs takes no dot in a name:
 * it is written %2e, and the percent sign %25. Outside of process 1's network namespace a colon and the inode number
 * follow: no interface has a colon in its name. */
void attach_pins_name(char *directory, size_t size, const char *interface, __u32 netns);

void attach_pin_path(char *path, size_t size, const char *directory, const char *pin);

extern const char *const attach_way_names[ATTACH_WAYS];

/* Whether this process may do `what`, and is where pins last. An exit status, told of where it is not
 * EXIT_STATUS_DONE. */
int attach_check_privileges(const char *what);

/* Nobody else attaches or detaches until attach_unlock(), which leaves a lock of -1 alone. An exit status, as above. */
int attach_lock(int *lock);
void attach_unlock(int lock);

/* All there are; none where bpffs is not mounted. False: out of memory. attach_entries_free() either way. */
bool attach_entries_read(struct attach_entries *entries);
void attach_entries_free(struct attach_entries *entries);

/* Whether its programs are on an interface. */
bool attach_entry_is_on(const struct attach_entry *entry);

/* The one on this interface of the own network namespace. NULL: none. */
const struct attach_entry *attach_entries_find(const struct attach_entries *entries, unsigned int ifindex);

/* Removes a directory with its pins: 0, or -errno. What is attached by a pin alone ends with it. */
int attach_remove_pins(const char *directory);

#endif
