#include "src/process_table.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct process_table {
	unsigned int capacity, count, buckets;
	struct process *oldest, *newest;
	struct process **bucket;
};

static bool same_process(const struct nt_process_id *a, const struct nt_process_id *b)
{
	return a->pid == b->pid && a->start_ns == b->start_ns && a->exec_id == b->exec_id &&
	       a->cgroup_id == b->cgroup_id;
}

static struct process **bucket_of(const struct process_table *table, const struct nt_process_id *id)
{
	__u64 hash = (id->start_ns ^ id->cgroup_id * 31 ^ ((__u64)id->pid << 20) ^ id->exec_id) * 0x9e3779b97f4a7c15ULL;

	return &table->bucket[(hash >> 32) % table->buckets];
}

struct process_table *process_table_new(unsigned int capacity)
{
	struct process_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->capacity = capacity;
	table->buckets = capacity;
	table->bucket = calloc(capacity, sizeof(*table->bucket));
	if (!table->bucket) {
		free(table);
		return NULL;
	}
	return table;
}

static void unlink_age(struct process_table *table, struct process *process)
{
	*(process->older ? &process->older->newer : &table->oldest) = process->newer;
	*(process->newer ? &process->newer->older : &table->newest) = process->older;
}

static void link_newest(struct process_table *table, struct process *process)
{
	process->older = table->newest;
	process->newer = NULL;
	*(table->newest ? &table->newest->newer : &table->oldest) = process;
	table->newest = process;
}

static void process_remove(struct process_table *table, struct process *process)
{
	struct process **link = bucket_of(table, &process->id);

	while (*link != process)
		link = &(*link)->next_in_bucket;
	*link = process->next_in_bucket;
	unlink_age(table, process);
	free(process->executable);
	free(process->cgroup);
	free(process);
	table->count--;
}

void process_table_free(struct process_table *table)
{
	if (!table)
		return;
	while (table->oldest)
		process_remove(table, table->oldest);
	free(table->bucket);
	free(table);
}

/* Last component first becomes "/first/.../last"; none becomes "/". NULL: not known, or no memory. */
static char *path_turned(const struct nt_path *path)
{
	char *text = malloc(NT_PATH_COMPONENTS * NT_PATH_COMPONENT_SIZE + 2), *end = text;
	__u32 i;

	if (!text || !path->known || path->count > NT_PATH_COMPONENTS) {
		free(text);
		return NULL;
	}
	*end++ = '/';
	for (i = path->count; i > 0; i--) {
		size_t length = strnlen(path->component[i - 1], NT_PATH_COMPONENT_SIZE - 1);

		if (i != path->count)
			*end++ = '/';
		memcpy(end, path->component[i - 1], length);
		end += length;
	}
	*end++ = '\0';
	return realloc(text, end - text);
}

void container_of_cgroup(char container[NT_CONTAINER_SIZE], const char *cgroup)
{
	const char *at = cgroup;

	container[0] = '\0';
	while (*at) {
		size_t run = 0;

		while (isxdigit((unsigned char)at[run]))
			run++;
		if (run == NT_CONTAINER_SIZE - 1) {
			memcpy(container, at, run);
			container[run] = '\0';
		}
		at += run ? run : 1;
	}
}

void process_table_add(struct process_table *table, const struct nt_process_event *event)
{
	struct process *process = (struct process *)process_table_find(table, &event->process);
	struct process **bucket;

	if (process)
		return;
	if (table->count == table->capacity)
		process_remove(table, table->oldest);
	process = calloc(1, sizeof(*process));
	if (!process)
		return;
	process->id = event->process;
	process->executable = path_turned(&event->executable);
	process->cgroup = path_turned(&event->cgroup);
	if (process->cgroup)
		container_of_cgroup(process->container, process->cgroup);
	bucket = bucket_of(table, &process->id);
	process->next_in_bucket = *bucket;
	*bucket = process;
	link_newest(table, process);
	table->count++;
}

const struct process *process_table_find(struct process_table *table, const struct nt_process_id *id)
{
	struct process *process = *bucket_of(table, id);

	while (process && !same_process(&process->id, id))
		process = process->next_in_bucket;
	if (process) {
		unlink_age(table, process);
		link_newest(table, process);
	}
	return process;
}
