/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A table of processes: executable, control group and container, as the kernel side reported them. Bounded: the least
 * recently used process is evicted, preferably a dead one.
 */
#ifndef NETRACKER_PROCESS_TABLE_H
#define NETRACKER_PROCESS_TABLE_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "core/event.h"
#include "src/util/hash_map.h"

struct process {
	struct nt_process_id id;
	char *executable;                  /* NULL if unknown */
	char *cgroup;                      /* NULL if unknown */
	char container[NT_CONTAINER_SIZE]; /* "" if the path has none */
	TAILQ_ENTRY(process) by_use;
	struct hash_node in_map;
};

struct process_table;

/* `capacity` is at least 1. Returns NULL without memory or without random bytes. Caller frees. */
struct process_table *process_table_new(unsigned int capacity);
void process_table_free(struct process_table *table);

/* Without memory the process stays unknown. */
void process_table_add(struct process_table *table, const struct nt_compact_process_event *event);
void process_table_add_long(struct process_table *table, const struct nt_process_event *event);

/* Returns NULL if unknown. The result is valid until the next process_table_add(). */
const struct process *process_table_find(struct process_table *table, const struct nt_process_id *id);

/* Finds the container's id in a component of a cgroup's path: 64 hexadecimal digits with no letter or digit before or
 * after them, as Docker, Podman, containerd and CRI-O write it. The name may end at `size` without a NUL; digits that
 * reach its last byte are rejected, as the name may be truncated there. Returns false if there is none, or if the
 * cgroup belongs to a container's monitor.
 */
bool container_in_name(char container[NT_CONTAINER_SIZE], const char *name, size_t size);

#endif
