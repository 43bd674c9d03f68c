/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pins of `netracker attach` under /sys/fs/bpf/netracker: a directory for each interface with the maps
 * `attached_by`, `counters` and `connections`, and with `ingress` and `egress`. Those are links where the kernel
 * has tcx, else the programs of clsact filters.
 */
#ifndef NETRACKER_ATTACH_PINS_H
#define NETRACKER_ATTACH_PINS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "bpf/attachment.h"
#include "src/attach/mounts.h"

#define ATTACH_PINS BPFFS "/netracker"
#define ATTACH_DIRECTIONS 2 /* 0: ingress, 1: egress */

enum attach_state {
	ATTACH_STATE_ATTACHED,
	ATTACH_STATE_PARTLY,     /* another program detached one of the two directions */
	ATTACH_STATE_GONE,       /* pins only: the interface or its namespace is gone, or the programs were detached */
	ATTACH_STATE_UNFINISHED, /* pins only: attaching was interrupted */
	ATTACH_STATE_FOREIGN,    /* pins of another version of netracker, with another layout */
};

struct attach_entry {
	char directory[256]; /* its name under ATTACH_PINS */
	enum attach_state state;
	struct attachment_info attachment;    /* unset if ATTACH_STATE_UNFINISHED or ATTACH_STATE_FOREIGN */
	__u32 program_ids[ATTACH_DIRECTIONS]; /* 0: not attached in that direction */
};

struct attach_entries {
	struct attach_entry *list;
	size_t count;
};

/* Formats the name of the directory for an interface in the network namespace with this inode number. bpffs allows no
 * dot in a name, so a dot is written %2e and a percent sign %25. Outside process 1's network namespace, a colon and the
 * inode number follow; no interface's name contains a colon.
 */
void attach_format_directory(char *directory, size_t size, const char *interface, __u32 netns);

/* Formats the path of a pin in this directory. */
void attach_format_pin_path(char *path, size_t size, const char *directory, const char *pin);

extern const char *const attach_direction_names[ATTACH_DIRECTIONS];

/* Checks the privileges and enters the mount namespace in which pins persist. action: completes "cannot ..." in the
 * error message. Returns an exit status; any but EXIT_STATUS_DONE is reported.
 */
int attach_check_privileges(const char *action);

/* Waits for the lock that keeps other processes from attaching or detaching. attach_unlock() ignores a lock of -1.
 * Returns an exit status; any but EXIT_STATUS_DONE is reported.
 */
int attach_lock(int *lock);
void attach_unlock(int lock);

/* Reads all entries, none if bpffs is not mounted. Returns false if memory is short. Call attach_entries_free() in any
 * case.
 */
bool attach_entries_read(struct attach_entries *entries);
void attach_entries_free(struct attach_entries *entries);

/* Returns whether at least one of its programs is attached. */
bool attach_entry_is_attached(const struct attach_entry *entry);

/* Returns the entry whose programs are attached to this interface of the caller's network namespace, NULL if none
 * is.
 */
const struct attach_entry *attach_entries_find(const struct attach_entries *entries, unsigned int ifindex);

/* Removes a directory with its pins. A link that only its pin kept alive is detached. Returns 0, or -errno. */
int attach_remove_pins(const char *directory);

#endif
