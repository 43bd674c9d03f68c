// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/kernel/net_namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util/message.h"

#define OWN_NAMESPACE "/proc/self/ns/net"

static __u32 read_inode(const char *path)
{
	struct stat status;

	return stat(path, &status) ? 0 : (__u32)status.st_ino;
}

__u32 net_namespace_own(void)
{
	return read_inode(OWN_NAMESPACE);
}

__u32 net_namespace_of_process_1(void)
{
	return read_inode("/proc/1/ns/net");
}

int net_namespace_check_proc(const char *action)
{
	if (net_namespace_own())
		return EXIT_STATUS_DONE;
	message_error("cannot %s: no /proc is mounted here (%s: %s), which shows the network namespaces and their "
		      "processes; mount it: mount -t proc proc /proc",
		      action, OWN_NAMESPACE, strerror(errno));
	return EXIT_STATUS_KERNEL;
}

/* Opens a mounted namespace: `ip netns` and container engines mount theirs. In a line of proc_pid_mountinfo(5) the
 * fourth word is net:[INODE], the fifth is the path. */
static int open_mounted(__u32 inode)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], path[4096];
	__u32 mounted;
	int fd = -1;

	while (file && fd < 0 && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*u %*u %*s net:[%u] %4095s", &mounted, path) == 2 && mounted == inode)
			fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file)
		fclose(file);
	return fd;
}

/* Opens a namespace that is the target of one of the links that the pattern matches. */
static int open_matching(const char *pattern, __u32 inode)
{
	glob_t found;
	int fd = -1;
	size_t i;

	if (glob(pattern, 0, NULL, &found))
		return -1;
	for (i = 0; i < found.gl_pathc && fd < 0; i++)
		if (read_inode(found.gl_pathv[i]) == inode)
			fd = open(found.gl_pathv[i], O_RDONLY | O_CLOEXEC);
	globfree(&found);
	return fd;
}

static int open_of_a_task(__u32 inode)
{
	int fd = open_matching("/proc/[1-9]*/ns/net", inode);

	return fd >= 0 ? fd : open_matching("/proc/[1-9]*/task/[1-9]*/ns/net", inode);
}

int net_namespace_enter(__u32 inode)
{
	int before = open(OWN_NAMESPACE, O_RDONLY | O_CLOEXEC), fd;

	if (before < 0 || read_inode(OWN_NAMESPACE) == inode)
		return before;
	fd = open_mounted(inode);
	if (fd < 0)
		fd = open_of_a_task(inode);
	if (fd < 0 || setns(fd, CLONE_NEWNET)) {
		close(before);
		before = -1;
	}
	if (fd >= 0)
		close(fd);
	return before;
}

void net_namespace_return(int before)
{
	struct stat status;
	bool is_inside = !fstat(before, &status) && (__u32)status.st_ino == net_namespace_own();

	if (!is_inside && setns(before, CLONE_NEWNET))
		message_error("cannot return to netracker's own network namespace: %s; start it again",
			      strerror(errno));
	close(before);
}

const char *net_namespace_interface_name(__u32 inode, __u32 ifindex)
{
	static char name[IF_NAMESIZE];
	int before = net_namespace_enter(inode);
	const char *found;

	if (before < 0)
		return NULL;
	found = if_indextoname(ifindex, name);
	net_namespace_return(before);
	return found;
}
