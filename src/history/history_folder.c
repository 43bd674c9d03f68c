// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/util/message.h"

#define GROUP "netracker"
#define FOLDER_MODE 0750
#define FILE_MODE 0640
#define LOCK_NAME "lock"
#define NS_PER_SECOND 1000000000ULL
#define NS_PER_DAY (24 * 3600 * NS_PER_SECOND)
#define SECONDS_PER_DAY 86400
#define MOST_DAYS 2932896 /* 9999-12-31: the year has four digits */
#define MOST_NUMBER 999999999

/* SQLite's files beside a database. */
static const char *const beside[] = { "-wal", "-shm", "-journal" };
#define BESIDE_COUNT (sizeof(beside) / sizeof(beside[0]))

static int report_folder(const char *folder, const char *action, int error, const char *remedy)
{
	message_error("history: %s: cannot %s: %s; %s", folder, action, strerror(error), remedy);
	return -error;
}

/* SQLite takes a name that begins with `file:` as a URI. */
bool history_folder_path(char path[HISTORY_PATH_SIZE], const char *folder, const char *name, const char *suffix)
{
	const char *before = strncmp(folder, "file:", 5) ? "" : "./";

	return snprintf(path, HISTORY_PATH_SIZE, "%s%s/%s%s", before, folder, name, suffix) < HISTORY_PATH_SIZE;
}

/* ---- names ---- */

static void write_name(struct history_entry *entry)
{
	time_t seconds = (time_t)entry->day * SECONDS_PER_DAY;
	struct tm utc;

	gmtime_r(&seconds, &utc);
	snprintf(entry->name, sizeof(entry->name), "%04d-%02d-%02d-%04u.db", utc.tm_year + 1900, utc.tm_mon + 1,
		 utc.tm_mday, entry->number);
}

/* The name must be the one that its day and number have. */
static bool parse_name(struct history_entry *entry, const char *name)
{
	struct tm utc = { 0 };
	time_t seconds;

	if (strlen(name) >= HISTORY_NAME_SIZE ||
	    sscanf(name, "%4d-%2d-%2d-%u", &utc.tm_year, &utc.tm_mon, &utc.tm_mday, &entry->number) != 4)
		return false;
	utc.tm_year -= 1900;
	utc.tm_mon--;
	seconds = timegm(&utc);
	if (seconds < 0 || seconds / SECONDS_PER_DAY >= MOST_DAYS || !entry->number || entry->number > MOST_NUMBER)
		return false;
	entry->day = (__u32)(seconds / SECONDS_PER_DAY);
	write_name(entry);
	return !strcmp(entry->name, name);
}

void history_folder_set_next(struct history_entry *next, const struct history_entry *last, __u64 now_ns)
{
	__u64 today = now_ns / NS_PER_DAY;

	*next = (struct history_entry){ .day = today < MOST_DAYS ? (__u32)today : MOST_DAYS - 1, .number = 1 };
	if (last && last->day >= next->day) {
		bool is_last_number = last->number == MOST_NUMBER;

		next->day = last->day + is_last_number;
		next->number = is_last_number ? 1 : last->number + 1;
	}
	write_name(next);
}

/* A pipe would make its reader wait, and a symbolic link could lead out of the folder. A folder is listed: no file can
 * have its name. */
static bool may_be_listed(const char *folder, const char *name)
{
	char path[HISTORY_PATH_SIZE];
	struct stat status;

	return history_folder_path(path, folder, name, "") && !lstat(path, &status) &&
	       (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
}

static __u64 size_of(const char *folder, const char *name, const char *suffix)
{
	char path[HISTORY_PATH_SIZE];
	struct stat status;

	return history_folder_path(path, folder, name, suffix) && !stat(path, &status) ? (__u64)status.st_size : 0;
}

static int compare_entries(const void *one, const void *other)
{
	const struct history_entry *a = one, *b = other;

	if (a->day != b->day)
		return a->day < b->day ? -1 : 1;
	return a->number < b->number ? -1 : a->number > b->number;
}

/* Returns false without memory. */
static bool add_file_entry(struct history_files *files, const struct history_entry *entry)
{
	struct history_entry *more = realloc(files->entries, (files->count + 1) * sizeof(*more));

	if (!more)
		return false;
	files->entries = more;
	more[files->count++] = *entry;
	return true;
}

static int read_entries(struct history_files *files, const char *folder, DIR *directory)
{
	struct history_entry entry;
	struct dirent *item;

	while ((item = readdir(directory))) {
		if (!parse_name(&entry, item->d_name) || !may_be_listed(folder, entry.name))
			continue;
		entry.bytes = size_of(folder, entry.name, "") + size_of(folder, entry.name, "-wal");
		if (!add_file_entry(files, &entry))
			return -ENOMEM;
	}
	if (files->count)
		qsort(files->entries, files->count, sizeof(entry), compare_entries);
	return 0;
}

int history_folder_read(struct history_files *files, const char *folder)
{
	DIR *directory = opendir(folder);
	int error;

	*files = (struct history_files){ 0 };
	if (!directory)
		return -errno;
	error = read_entries(files, folder, directory);
	closedir(directory);
	return error;
}

int history_folder_list(struct history_files *files, const char *folder)
{
	int error = history_folder_read(files, folder);

	if (!error)
		return 0;
	return report_folder(folder, "list", -error,
			     error == -EACCES ? "members of the group netracker may read it" :
			     error == -ENOENT ? "name the folder of a history" :
						"it cannot be read now");
}

void history_folder_free(struct history_files *files)
{
	free(files->entries);
	*files = (struct history_files){ 0 };
}

/* ---- permissions ---- */

/* Not to have the group, or not to be permitted to give the file to it, leaves the file to its owner. */
static void give_to_group(int fd)
{
	const struct group *group = getgrnam(GROUP);

	if (group && fchown(fd, (uid_t)-1, group->gr_gid))
		return;
}

static int make_one_folder(const char *folder)
{
	int fd;

	if (mkdir(folder, FOLDER_MODE))
		return -errno;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	give_to_group(fd);
	fchmod(fd, FOLDER_MODE); /* whatever the umask */
	close(fd);
	return 0;
}

static bool is_folder(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISDIR(status.st_mode);
}

int history_folder_make(const char *folder)
{
	int error;

	if (is_folder(folder))
		return 0;
	error = make_one_folder(folder);
	if (error == -ENOENT && !strcmp(folder, HISTORY_DEFAULT_FOLDER)) {
		char parent[] = HISTORY_DEFAULT_FOLDER;

		*strrchr(parent, '/') = '\0';
		error = make_one_folder(parent);
		if (!error)
			error = make_one_folder(folder);
	}
	if (!error)
		return 0;
	return report_folder(folder, "make this folder", -error,
			     error == -EACCES ? "run it as root, or name another folder: --history=FOLDER" :
			     error == -EEXIST ? "it is no folder; name another one: --history=FOLDER" :
						"name a folder in one that exists: --history=FOLDER");
}

int history_folder_make_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);

	if (fd < 0)
		return -errno;
	give_to_group(fd);
	fchmod(fd, FILE_MODE);
	return fd;
}

/* ---- the lock ---- */

/* A lock of the open file: it ends with the process, and a reader can look at it without taking it. */
static struct flock whole_file(void)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int refuse_second_writer(const char *folder, int fd)
{
	char pid[16] = "";
	ssize_t size = pread(fd, pid, sizeof(pid) - 1, 0);

	pid[size > 0 ? strcspn(pid, "\n") : 0] = '\0';
	message_error("history: %s: process %s writes it already; end that one, or name another folder: "
		      "--history=FOLDER",
		      folder, pid);
	return -EBUSY;
}

/* Members of the group may read the file, so they can lock it too, but not as a writer does. */
static int refuse_reader(const char *folder)
{
	message_error("history: %s/%s: a process that does not write the history has locked this file; find it by "
		      "`fuser`, and end it",
		      folder, LOCK_NAME);
	return -EBUSY;
}

/* Its content is replaced, so it must be no other file by another name. */
static bool is_own_file(int fd)
{
	struct stat status;

	return !fstat(fd, &status) && S_ISREG(status.st_mode) && status.st_nlink == 1;
}

/* Returns 0, or -errno after reporting the error. */
static int take_lock(const char *folder, int fd)
{
	struct flock lock = whole_file();

	if (!is_own_file(fd))
		return report_folder(folder, "lock it", EINVAL, "the file `lock` in it is none of its own; remove it");
	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return report_folder(folder, "lock it", errno, "name a folder on a local disk: --history=FOLDER");
	lock = whole_file();
	if (!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type == F_RDLCK)
		return refuse_reader(folder);
	return refuse_second_writer(folder, fd);
}

int history_folder_lock(const char *folder)
{
	char path[HISTORY_PATH_SIZE];
	int fd, error;

	if (!history_folder_path(path, folder, LOCK_NAME, ""))
		return report_folder(folder, "lock it", ENAMETOOLONG, "name another folder: --history=FOLDER");
	fd = history_folder_make_file(path, O_RDWR | O_NONBLOCK);
	if (fd < 0)
		return report_folder(folder, "write into it", -fd,
				     "run it as root, or name another folder: --history=FOLDER");
	error = take_lock(folder, fd);
	if (error) {
		close(fd);
		return error;
	}
	if (!ftruncate(fd, 0))
		dprintf(fd, "%d\n", (int)getpid());
	return fd;
}

bool history_folder_has_writer(const char *folder)
{
	struct flock lock = whole_file();
	char path[HISTORY_PATH_SIZE];
	int fd = history_folder_path(path, folder, LOCK_NAME, "") ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	bool is_locked;

	if (fd < 0)
		return false;
	is_locked = !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type == F_WRLCK;
	close(fd);
	return is_locked;
}

/* ---- what a crash left ---- */

/* Returns whether the name is that of a history's file and this suffix; cuts the suffix off. */
static bool cut_suffix(char *name, const char *suffix)
{
	size_t length = strlen(name), cut = strlen(suffix);
	struct history_entry entry;

	if (length <= cut || strcmp(name + length - cut, suffix))
		return false;
	name[length - cut] = '\0';
	return parse_name(&entry, name);
}

static bool is_of_crash(const char *folder, const char *name)
{
	char base[HISTORY_NAME_SIZE];
	size_t i;

	for (i = 0; i < BESIDE_COUNT && strlen(name) < sizeof(base); i++) {
		strcpy(base, name);
		if (cut_suffix(base, beside[i]))
			return !may_be_listed(folder, base);
		if (cut_suffix(base, HISTORY_NEW_SUFFIX))
			return true;
	}
	return false;
}

void history_folder_sweep(const char *folder)
{
	DIR *directory = opendir(folder);
	char path[HISTORY_PATH_SIZE];
	struct dirent *item;

	while (directory && (item = readdir(directory)))
		if (is_of_crash(folder, item->d_name) && history_folder_path(path, folder, item->d_name, ""))
			unlink(path);
	if (directory)
		closedir(directory);
}

/* ---- retention ---- */

void history_folder_remove_beside(const char *path)
{
	char other[HISTORY_PATH_SIZE + 16];
	size_t i;

	for (i = 0; i < BESIDE_COUNT; i++) {
		snprintf(other, sizeof(other), "%s%s", path, beside[i]);
		unlink(other);
	}
}

int history_folder_remove(const char *folder, const char *name)
{
	char path[HISTORY_PATH_SIZE];

	if (!history_folder_path(path, folder, name, ""))
		return -ENAMETOOLONG;
	history_folder_remove_beside(
		path); /* first: nothing would find it without its file, if a crash comes between */
	return unlink(path) ? -errno : 0;
}

static __u64 total_bytes(const struct history_files *files)
{
	__u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < files->count; i++)
		bytes += files->entries[i].bytes;
	return bytes;
}

/* Returns when the file was last written; 0: unknown. */
static __u64 modified_ns(const char *folder, const struct history_entry *entry)
{
	char path[HISTORY_PATH_SIZE];
	struct stat status;

	if (!history_folder_path(path, folder, entry->name, "") || stat(path, &status) || status.st_mtim.tv_sec < 0)
		return 0;
	return (__u64)status.st_mtim.tv_sec * NS_PER_SECOND + (__u64)status.st_mtim.tv_nsec;
}

/* A name may be of a day that has not come: the clock was ahead then. */
static bool is_too_old(const char *folder, const struct history_entry *entry, __u64 now_ns, __u64 most_age_ns)
{
	__u64 ended_ns = ((__u64)entry->day + 1) * NS_PER_DAY, written_ns = modified_ns(folder, entry);

	if (written_ns && written_ns < ended_ns)
		ended_ns = written_ns;
	return most_age_ns && now_ns > ended_ns && now_ns - ended_ns > most_age_ns;
}

/* A clock that is ahead, as before the network's time is known, makes no file old: the time is at most that at which the
 * newest file was written, besides those that are kept. */
static __u64 limit_now(const char *folder, const struct history_files *files, unsigned int kept, __u64 now_ns)
{
	__u64 newest_ns = files->count > kept ? modified_ns(folder, &files->entries[files->count - kept - 1]) : 0;

	return newest_ns && newest_ns < now_ns ? newest_ns : now_ns;
}

void history_folder_retain(const char *folder, __u64 now_ns, __u64 most_age_ns, __u64 most_bytes, unsigned int kept)
{
	struct history_files files;
	__u64 bytes;
	unsigned int i;

	if (history_folder_read(&files, folder))
		files.count = 0;
	bytes = total_bytes(&files);
	now_ns = limit_now(folder, &files, kept, now_ns);
	for (i = 0; i + kept < files.count; i++) {
		const struct history_entry *entry = &files.entries[i];
		int error = 0;

		if (!is_too_old(folder, entry, now_ns, most_age_ns) && (!most_bytes || bytes <= most_bytes))
			continue;
		error = history_folder_remove(folder, entry->name);
		if (error)
			message_error("history: %s/%s: cannot remove: %s; it stays", folder, entry->name,
				      strerror(-error));
		bytes -= entry->bytes;
	}
	history_folder_free(&files);
}
