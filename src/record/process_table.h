/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the kernel side has described of processes: path of the executable, control group, container. Bounded: the
 * longest unused gives way, a dead one if it can be.
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
	char *executable;                  /* NULL: not known */
	char *cgroup;                      /* NULL: not known */
	char container[NT_CONTAINER_SIZE]; /* "": none in the path */
	TAILQ_ENTRY(process) by_use;
	struct hash_node in_map;
};

struct process_table;

/* capacity: at least 1. Returns NULL where there is no memory, or no randomness. */
struct process_table *process_table_new(unsigned int capacity);
void process_table_free(struct process_table *table);

/* Where there is no memory for it, nothing is known of the process. */
void process_table_add(struct process_table *table, const struct nt_process_event *event);

/* NULL: not described. Valid until the next process_table_add(). */
const struct process *process_table_find(struct process_table *table, const struct nt_process_id *id);

/* The container's id in the name of a cgroup: 64 hexadecimal digits between others than letters and digits (as Docker,
 * Podman, containerd and CRI-O write it). The name may end at `size` without a NUL; digits that reach its last byte may
 * be the beginning of more. False: there is none, or the cgroup is that of a container's monitor. */
bool container_in_name(char container[NT_CONTAINER_SIZE], const char *name, size_t size);

#endif
