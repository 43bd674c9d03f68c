// SPDX-License-Identifier: GPL-2.0-or-later
/* Values that name objects of the system, and the objects that do not exist. */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/filter/filter_tree.h"
#include "src/util/quantity.h"

#define NAMED_NAMESPACES "/run/netns/"
#define NO_UID ((__u32)-1) /* no user id: setresuid(2) takes it for "unchanged" */
#define PATH_SIZE 4352

/* Looks up a name before it tries a number, as POSIX requires for chown(1): a name may consist of digits. */
bool filter_parse_user(const char *text, struct filter_value *value, struct filter_error *error)
{
	const struct passwd *user = getpwnam(text);
	__u64 number;

	if (!user && !quantity_number(text, 0, NO_UID - 1, &number))
		return filter_fail(error, "no such user: %.60s; valid: a user's name, or a number from 0 to 4294967294",
				   text);
	value->low = value->high = user ? user->pw_uid : (__s64)number;
	return true;
}

/* Returns the inode number of the network namespace at the path. 0 if there is none. */
static __u32 netns_at(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	__u32 inode = 0;

	if (fd < 0)
		return 0;
	if (ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET && !fstat(fd, &status))
		inode = (__u32)status.st_ino;
	close(fd);
	return inode;
}

/* Accepts a name of `ip netns`, a path with a slash, or an inode number. */
bool filter_parse_netns(const char *text, struct filter_value *value, struct filter_error *error)
{
	char path[512];
	__u64 number;
	__u32 inode;

	snprintf(path, sizeof(path), "%s%s", strchr(text, '/') ? "" : NAMED_NAMESPACES, text);
	inode = netns_at(path);
	if (!inode && quantity_number(text, 1, 0xffffffff, &number))
		inode = (__u32)number;
	value->low = value->high = inode;
	if (inode)
		return true;
	return filter_fail(error,
			   "no such network namespace: %.60s; valid: a name that ip netns lists, an inode number, or a "
			   "path: /proc/PID/ns/net",
			   text);
}

/* ---- objects that may not exist ---- */

typedef void (*object_report)(const char *kind, const char *name);

static void check_pid_exists(const struct filter_value *value, object_report report)
{
	char path[64], name[32];

	snprintf(path, sizeof(path), "/proc/%lld", (long long)value->low);
	snprintf(name, sizeof(name), "%lld", (long long)value->low);
	if (value->low == value->high && access("/proc/self", F_OK) == 0 && access(path, F_OK))
		report("process", name);
}

static void check_cgroup_exists(const struct filter_value *value, object_report report)
{
	static const char *const mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd" };
	char path[PATH_SIZE];
	size_t i;

	if (value->pattern || !value->size || *value->text != '/' || access(mounts[0], F_OK))
		return;
	for (i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", mounts[i], value->text);
		if (!access(path, F_OK))
			return;
	}
	report("control group", value->text);
}

static void check_node(const struct filter_node *node, object_report report)
{
	unsigned int i;

	if (!node)
		return;
	check_node(node->left, report);
	check_node(node->right, report);
	if (node->kind != FILTER_COMPARE || !filter_tests_equality(node))
		return;
	for (i = 0; i < node->count; i++) {
		if (!strcmp(node->field.name, "pid"))
			check_pid_exists(&node->values[i], report);
		else if (node->field.type == FILTER_CGROUP)
			check_cgroup_exists(&node->values[i], report);
	}
}

void filter_check_objects(const struct filter *filter, object_report report)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < filter->option_count; i++)
		check_node(filter->options[i], report);
	check_node(filter->expression, report);
}
