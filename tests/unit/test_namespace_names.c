// SPDX-License-Identifier: GPL-2.0-or-later
/* Names of namespaces, with plain files in the place of namespaces: an inode number is all that counts. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/kernel/namespace_names.h"
#include "tests/unit/check.h"

#define MS 1000000ULL
#define SECOND 1000000000ULL

static char directory[] = "/tmp/netracker-test-XXXXXX";
static __u64 now = 100 * SECOND;

static const char *path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static __u32 make(const char *name)
{
	struct stat status = { 0 };

	close(open(path_of(name), O_CREAT | O_WRONLY, 0600));
	CHECK(!stat(path_of(name), &status));
	return (__u32)status.st_ino;
}

/* Sets the time of the directory's last change. */
static void settle(time_t seconds)
{
	const struct timespec times[2] = { { .tv_sec = seconds }, { .tv_sec = seconds } };

	utimensat(AT_FDCWD, directory, times, 0);
}

static const char *name_of(struct namespace_names *names, __u32 inode, __u64 later)
{
	const char *name = namespace_names_find(names, inode, now += later);

	return name ? name : "-";
}

static void without_directory(void)
{
	struct namespace_names names = { .directory = path_of("none") };

	CHECK_STRING(name_of(&names, 1, 0), "-");
	namespace_names_free(&names);
}

static void names_come_and_go(void)
{
	struct namespace_names names = { .directory = directory };
	__u32 red = make("red"), blue;

	CHECK_STRING(name_of(&names, red, 0), "red");
	CHECK_STRING(name_of(&names, red + 1, 0), "-");
	blue = make("blue");
	CHECK_STRING(name_of(&names, blue, SECOND), "blue");
	CHECK_STRING(name_of(&names, red, 0), "red");
	unlink(path_of("red"));
	CHECK_STRING(name_of(&names, red, SECOND), "-");
	CHECK_STRING(name_of(&names, blue, 0), "blue");
	unlink(path_of("blue"));
	namespace_names_free(&names);
}

/* Links lead to namespaces too: /run/netns/NAME to /proc/PID/ns/net. Of several names the first by alphabet counts. */
static void several_names(void)
{
	struct namespace_names names = { .directory = directory };
	__u32 inode = make("m");

	CHECK(!symlink("m", path_of("z")));
	CHECK_STRING(name_of(&names, inode, SECOND), "m");
	CHECK(!symlink("m", path_of("c")));
	CHECK(!symlink("m", path_of("b")));
	CHECK_STRING(name_of(&names, inode, SECOND), "b");
	CHECK(!symlink("gone", path_of("a")));
	CHECK_STRING(name_of(&names, inode, SECOND), "b");
	unlink(path_of("a"));
	unlink(path_of("b"));
	unlink(path_of("c"));
	unlink(path_of("m"));
	unlink(path_of("z"));
	namespace_names_free(&names);
}

/* A namespace that is mounted later on a file that is there does not change the directory: a link in another directory
 * does the same here. It is found at once while the directory's change is recent, else within 10 s. */
static void mounted_later(void)
{
	struct namespace_names names = { .directory = directory };
	char other[] = "/tmp/netracker-test-XXXXXX", link_path[PATH_MAX];
	__u32 inode = make("m");

	CHECK(mkdtemp(other) != NULL);
	snprintf(link_path, sizeof(link_path), "%s/m", other);
	CHECK(!symlink(link_path, path_of("a")));
	CHECK_STRING(name_of(&names, inode, SECOND), "m");
	CHECK(!symlink(path_of("m"), link_path));
	CHECK_STRING(name_of(&names, inode, SECOND), "a");
	settle(1000000000);
	CHECK_STRING(name_of(&names, inode, SECOND), "a");
	unlink(link_path);
	CHECK_STRING(name_of(&names, inode, SECOND), "a");
	CHECK_STRING(name_of(&names, inode, 10 * SECOND), "m");
	unlink(path_of("a"));
	unlink(path_of("m"));
	rmdir(other);
	namespace_names_free(&names);
}

/* The directory is looked at every 20 ms at most. */
static void looks_rarely(void)
{
	struct namespace_names names = { .directory = directory };
	__u32 inode;

	settle(1000000000);
	CHECK_STRING(name_of(&names, 1, SECOND), "-");
	inode = make("late");
	CHECK_STRING(name_of(&names, inode, 19 * MS), "-");
	names.cost_ns = 0;
	CHECK_STRING(name_of(&names, inode, MS), "late");
	unlink(path_of("late"));
	namespace_names_free(&names);
}

static void many_names(void)
{
	struct namespace_names names = { .directory = directory };
	__u32 inodes[500];
	char name[16];
	int i;

	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		inodes[i] = make(name);
	}
	for (i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		CHECK_STRING(name_of(&names, inodes[i], i ? 0 : SECOND), name);
		unlink(path_of(name));
	}
	namespace_names_free(&names);
}

int main(void)
{
	CHECK(mkdtemp(directory) != NULL);
	without_directory();
	names_come_and_go();
	several_names();
	mounted_later();
	looks_rarely();
	many_names();
	rmdir(directory);
	return check_finish();
}
