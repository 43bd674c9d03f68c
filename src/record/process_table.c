// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/process_table.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest search for a dead process to evict; bounds the system calls of one insertion. */
#define MOST_SPARED 16

struct process_table {
	unsigned int capacity, count;
	TAILQ_HEAD(, process) processes; /* least recently used first */
	struct hash_map by_id;
};

static bool is_same_process(const struct nt_process_id *a, const struct nt_process_id *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns && a->exec_id == b->exec_id &&
	       a->cgroup_id == b->cgroup_id;
}

_Static_assert(sizeof(struct nt_process_id) == 2 * sizeof(__u64) + 2 * sizeof(__u32), "a hashed key has no padding");

static __u64 hash_id(const struct process_table *table, const struct nt_process_id *id)
{
	return hash_map_hash(&table->by_id, id, sizeof(*id));
}

struct process_table *process_table_new(unsigned int capacity)
{
	struct process_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->capacity = capacity;
	TAILQ_INIT(&table->processes);
	if (hash_map_init(&table->by_id))
		return table;
	free(table);
	return NULL;
}

static void remove_process(struct process_table *table, struct process *process)
{
	TAILQ_REMOVE(&table->processes, process, by_use);
	hash_map_remove(&table->by_id, &process->in_map);
	free(process->executable);
	free(process->cgroup);
	free(process);
	table->count--;
}

void process_table_free(struct process_table *table)
{
	if (!table)
		return;
	while (!TAILQ_EMPTY(&table->processes))
		remove_process(table, TAILQ_FIRST(&table->processes));
	hash_map_free(&table->by_id);
	free(table);
}

static void mark_as_used(struct process_table *table, struct process *process)
{
	TAILQ_REMOVE(&table->processes, process, by_use);
	TAILQ_INSERT_TAIL(&table->processes, process, by_use);
}

static bool is_alive(const struct process *process)
{
	return !kill(process->id.pid, 0) || errno == EPERM;
}

/* Prefers a dead process: one that is alive may own a connection that ends hours from now. */
static void evict_process(struct process_table *table)
{
	int spared;

	for (spared = 0; spared < MOST_SPARED && is_alive(TAILQ_FIRST(&table->processes)); spared++)
		mark_as_used(table, TAILQ_FIRST(&table->processes));
	remove_process(table, TAILQ_FIRST(&table->processes));
}

/* A component that fills its array may be truncated. */
static bool is_whole_path(const struct nt_path *path)
{
	__u32 i;

	if (!path->known || path->count > NT_PATH_COMPONENTS)
		return false;
	for (i = 0; i < path->count; i++)
		if (strnlen(path->component[i], NT_PATH_COMPONENT_SIZE) >= NT_PATH_COMPONENT_SIZE - 1)
			return false;
	return true;
}

/* Returns "/first/.../last", or "/" without components. NULL if unknown, or without memory. Caller frees. */
static char *path_text(const struct nt_path *path)
{
	char text[NT_PATH_COMPONENTS * NT_PATH_COMPONENT_SIZE + 1] = "/", *end = text;
	__u32 i;

	if (!is_whole_path(path))
		return NULL;
	for (i = path->count; i > 0; i--) {
		*end++ = '/';
		end = stpcpy(end, path->component[i - 1]);
	}
	return strdup(text);
}

/* A monitor runs beside its container, not in it: libpod-conmon-ID.scope, crio-conmon-ID.scope. */
static bool is_monitor(const char *name, size_t before_id)
{
	static const char mark[] = "conmon-";
	size_t length = sizeof(mark) - 1;

	return before_id >= length && !memcmp(name + before_id - length, mark, length);
}

bool container_in_name(char container[NT_CONTAINER_SIZE], const char *name, size_t size)
{
	size_t length = strnlen(name, size), id = NT_CONTAINER_SIZE - 1, at = 0;

	while (at < length) {
		size_t run = 0;

		while (at + run < length && isalnum((unsigned char)name[at + run]))
			run++;
		if (run == id && strspn(name + at, "0123456789abcdefABCDEF") >= run && at + run < size - 1 &&
		    !is_monitor(name, at)) {
			memcpy(container, name + at, run);
			container[run] = '\0';
			return true;
		}
		at += run ? run : 1;
	}
	return false;
}

/* Searches from the innermost component, so that of nested containers the inner one is found. Accepts a truncated path:
 * it may still have the id.
 */
static void fill_container(char container[NT_CONTAINER_SIZE], const struct nt_path *path)
{
	__u32 i;

	for (i = 0; i < path->count && i < NT_PATH_COMPONENTS; i++)
		if (container_in_name(container, path->component[i], NT_PATH_COMPONENT_SIZE))
			return;
}

void process_table_add_long(struct process_table *table, const struct nt_process_event *event)
{
	struct process *process;

	if (process_table_find(table, &event->process))
		return;
	process = calloc(1, sizeof(*process));
	if (!process)
		return;
	if (table->count == table->capacity)
		evict_process(table);
	process->id = event->process;
	process->executable = path_text(&event->executable);
	process->cgroup = path_text(&event->cgroup);
	fill_container(process->container, &event->cgroup);
	TAILQ_INSERT_TAIL(&table->processes, process, by_use);
	hash_map_insert(&table->by_id, &process->in_map, hash_id(table, &process->id));
	table->count++;
}

static void expand_path(struct nt_path *path, const struct nt_compact_path *compact)
{
	const char *name = compact->text, *end = name + sizeof(compact->text);

	path->known = compact->known;
	for (path->count = 0; path->count < compact->count && path->count < NT_PATH_COMPONENTS && name < end;
	     path->count++) {
		size_t length = strnlen(name, (size_t)(end - name));

		snprintf(path->component[path->count], NT_PATH_COMPONENT_SIZE, "%.*s", (int)length, name);
		name += length + 1;
	}
	if (path->count < compact->count)
		path->known = 0;
}

void process_table_add(struct process_table *table, const struct nt_compact_process_event *event)
{
	struct nt_process_event expanded = { .process = event->process };

	expand_path(&expanded.executable, &event->executable);
	expand_path(&expanded.cgroup, &event->cgroup);
	process_table_add_long(table, &expanded);
}

const struct process *process_table_find(struct process_table *table, const struct nt_process_id *id)
{
	struct hash_node *node;

	for (node = hash_map_first(&table->by_id, hash_id(table, id)); node; node = hash_map_next(node)) {
		struct process *process = hash_map_entry(node, struct process, in_map);

		if (!is_same_process(&process->id, id))
			continue;
		mark_as_used(table, process);
		return process;
	}
	return NULL;
}
