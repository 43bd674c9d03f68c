/* What the classic mode (programs that stay on an interface without a process) keeps under /sys/fs/bpf/netracker: a
 * directory for each interface, with the pins `attached_by`, `books`, `connections`, and `ingress` and `egress`: links
 * where the kernel has tcx, else the programs of clsact filters.
 */
#ifndef NETRACKER_CLASSIC_PINS_H
#define NETRACKER_CLASSIC_PINS_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

#include "bpf/attachment.h"
#include "src/attach/mounts.h"

#define CLASSIC_PINS BPFFS "/netracker"
#define CLASSIC_WAYS 2 /* 0: ingress, 1: egress */

enum classic_state {
	CLASSIC_ATTACHED,
	CLASSIC_PARTLY,     /* somebody took off one way of two */
	CLASSIC_GONE,       /* left over: the interface or its namespace is gone, or somebody took the programs off */
	CLASSIC_UNFINISHED, /* left over: attaching was interrupted */
	CLASSIC_FOREIGN,    /* laid out by another version of netracker */
};

struct classic_entry {
	char directory[256]; /* its name in CLASSIC_PINS */
	enum classic_state state;
	struct classic_attachment attachment; /* not where CLASSIC_UNFINISHED or CLASSIC_FOREIGN */
	__u32 program_ids[CLASSIC_WAYS];      /* 0: not attached that way */
};

struct classic_entries {
	struct classic_entry *list;
	size_t count;
};

/* The name of an interface's directory, in the network namespace with this inode number. bpffs takes no dot in a name:
 * it is written %2e, and the percent sign %25. Outside of process 1's network namespace a colon and the inode number
 * follow: no interface has a colon in its name. */
void classic_pins_name(char *directory, size_t size, const char *interface, __u32 netns);

void classic_pin_path(char *path, size_t size, const char *directory, const char *pin);

extern const char *const classic_way_names[CLASSIC_WAYS];

/* Whether this process may do `what`, and is where pins last. An exit status, told of where it is not
 * EXIT_STATUS_DONE. */
int classic_may(const char *what);

/* Nobody else attaches or detaches until classic_unlock(), which leaves a lock of -1 alone. An exit status, as above. */
int classic_lock(int *lock);
void classic_unlock(int lock);

/* All there are; none where bpffs is not mounted. False: out of memory. classic_entries_free() either way. */
bool classic_entries_read(struct classic_entries *entries);
void classic_entries_free(struct classic_entries *entries);

/* Whether its programs are on an interface. */
bool classic_is_on(const struct classic_entry *entry);

/* The one on this interface of the own network namespace. NULL: none. */
const struct classic_entry *classic_find(const struct classic_entries *entries, unsigned int ifindex);

/* Removes a directory with its pins: 0, or -errno. What is attached by a pin alone ends with it. */
int classic_unpin(const char *directory);

#endif
