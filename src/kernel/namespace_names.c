// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/namespace_names.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "src/kernel/clock.h"

#define MOST_NAMES 65536
#define CHECK_EVERY_NS 20000000ULL
#define READ_EVERY_NS 10000000000ULL
#define NS_PER_SECOND 1000000000LL
#define COST_SHARE 20 /* reading the directory takes at most this part of the time */

struct namespace_name {
	__u32 inode;
	char *name;
};

static int compare_inodes(const void *one, const void *other)
{
	const struct namespace_name *first = one, *second = other;

	return first->inode < second->inode ? -1 : first->inode > second->inode;
}

/* The first name by alphabet counts, whatever the order of the directory is. */
static int compare_names(const void *one, const void *other)
{
	const struct namespace_name *first = one, *second = other;
	int order = compare_inodes(one, other);

	return order ? order : strcmp(first->name, second->name);
}

static void forget_names(struct namespace_names *names)
{
	while (names->count)
		free(names->names[--names->count].name);
	free(names->names);
	names->names = NULL;
}

/* Leaves the name out if there is no memory for it. */
static void add_namespace_name(struct namespace_names *names, unsigned int *capacity, __u32 inode, const char *name)
{
	if (names->count == *capacity) {
		unsigned int wanted = *capacity ? 2 * *capacity : 64;
		struct namespace_name *grown = realloc(names->names, wanted * sizeof(*grown));

		if (!grown)
			return;
		names->names = grown;
		*capacity = wanted;
	}
	names->names[names->count].inode = inode;
	names->names[names->count].name = strdup(name);
	if (names->names[names->count].name)
		names->count++;
}

static void read_names(struct namespace_names *names)
{
	DIR *directory = opendir(names->directory);
	unsigned int capacity = 0;
	struct dirent *entry;

	forget_names(names);
	while (directory && names->count < MOST_NAMES && (entry = readdir(directory))) {
		struct stat status;

		if (entry->d_name[0] != '.' && !fstatat(dirfd(directory), entry->d_name, &status, 0) &&
		    status.st_ino <= UINT32_MAX)
			add_namespace_name(names, &capacity, (__u32)status.st_ino, entry->d_name);
	}
	if (directory)
		closedir(directory);
	if (names->count)
		qsort(names->names, names->count, sizeof(*names->names), compare_names);
}

/* The wall clock may have been set back since. */
static bool changed_lately(const struct timespec *moment)
{
	struct timespec now;
	__s64 age;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	age = (now.tv_sec - moment->tv_sec) * NS_PER_SECOND + now.tv_nsec - moment->tv_nsec;
	return age < NS_PER_SECOND && age > -NS_PER_SECOND;
}

/* A name is first a file, then the namespace is mounted on it, which does not change the directory: so names that came
 * within a second before are read again, and all of them every 10 s. */
static bool is_outdated(const struct namespace_names *names, const struct timespec *changed, __u64 now)
{
	return !names->read_ns || changed->tv_sec != names->changed.tv_sec ||
	       changed->tv_nsec != names->changed.tv_nsec || changed_lately(changed) ||
	       now - names->read_ns >= READ_EVERY_NS;
}

static void refresh_names(struct namespace_names *names, __u64 now)
{
	struct stat status = { 0 };

	names->checked_ns = now;
	stat(names->directory, &status);
	if (!is_outdated(names, &status.st_mtim, now) || now - names->read_ns < COST_SHARE * names->cost_ns)
		return;
	names->changed = status.st_mtim;
	names->read_ns = now;
	now = clock_boot_ns();
	read_names(names);
	names->cost_ns = clock_boot_ns() - now;
}

const char *namespace_names_find(struct namespace_names *names, __u32 inode, __u64 now)
{
	const struct namespace_name wanted = { .inode = inode };
	const struct namespace_name *found = NULL;

	if (!names->checked_ns || now - names->checked_ns >= CHECK_EVERY_NS)
		refresh_names(names, now);
	if (names->count)
		found = bsearch(&wanted, names->names, names->count, sizeof(wanted), compare_inodes);
	while (found && found > names->names && found[-1].inode == inode)
		found--;
	return found ? found->name : NULL;
}

void namespace_names_free(struct namespace_names *names)
{
	forget_names(names);
}
