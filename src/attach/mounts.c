// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/attach/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "src/util/message.h"

#define INIT_NAMESPACE "/proc/1/ns/mnt"
#define TRACEFS "/sys/kernel/tracing"
#define TRACEFS_IN_DEBUGFS "/sys/kernel/debug/tracing"
#define MOUNT_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static bool is_temporary; /* this mount namespace may end with the command: it could not be compared with process 1's */

static bool is_mounted(const char *path, long type)
{
	struct statfs status;

	return !statfs(path, &status) && (long)status.f_type == type;
}

int mounts_enter_init_namespace(void)
{
	struct stat own, init;
	int fd, error;

	if (stat("/proc/self/ns/mnt", &own) || stat(INIT_NAMESPACE, &init)) {
		message_detail("unknown whether this mount namespace outlives the command: %s: %s", INIT_NAMESPACE,
			       strerror(errno));
		is_temporary = true;
		return EXIT_STATUS_DONE;
	}
	if (own.st_ino == init.st_ino)
		return EXIT_STATUS_DONE;
	fd = open(INIT_NAMESPACE, O_RDONLY | O_CLOEXEC);
	error = fd < 0 || setns(fd, CLONE_NEWNS) ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (!error)
		return EXIT_STATUS_DONE;
	message_error("cannot enter the mount namespace of process 1, where pins persist: %s; run it there, as root",
		      strerror(error));
	return EXIT_STATUS_PRIVILEGES;
}

bool mounts_has_bpffs(void)
{
	return is_mounted(BPFFS, BPF_FS_MAGIC);
}

int mounts_ensure_bpffs(void)
{
	if (mounts_has_bpffs())
		return EXIT_STATUS_DONE;
	if (!mount("bpf", BPFFS, "bpf", MOUNT_FLAGS, "mode=700")) {
		message_detail("mounted bpffs on " BPFFS);
		if (is_temporary)
			message_note(
				"mounted bpffs in this mount namespace only: the programs are detached when it ends");
		return EXIT_STATUS_DONE;
	}
	message_error("cannot mount bpffs, which keeps programs without a process: %s; try: mount -t bpf bpf " BPFFS,
		      strerror(errno));
	return errno == EPERM || errno == EACCES ? EXIT_STATUS_PRIVILEGES : EXIT_STATUS_KERNEL;
}

const char *mounts_find_tracefs(void)
{
	if (is_mounted(TRACEFS, TRACEFS_MAGIC))
		return TRACEFS;
	return is_mounted(TRACEFS_IN_DEBUGFS, TRACEFS_MAGIC) ? TRACEFS_IN_DEBUGFS : NULL;
}

void mounts_try_tracefs(void)
{
	if (mounts_find_tracefs())
		return;
	if (!mount("tracefs", TRACEFS, "tracefs", MOUNT_FLAGS, NULL))
		message_detail("mounted tracefs on " TRACEFS);
	else
		message_note(
			"cannot mount tracefs, from which the lines are read: %s; try: mount -t tracefs tracefs " TRACEFS,
			strerror(errno));
}
