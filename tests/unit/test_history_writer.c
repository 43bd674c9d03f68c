// SPDX-License-Identifier: GPL-2.0-or-later
/* The writer's thread: a disk that takes nothing for seconds, that is full, or that fails loses nothing as long as the
 * queue has room, and what is lost is counted by its cause.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>

#include "src/history/history_writer.h"
#include "src/util/message.h"
#include "tests/unit/history_files.h"

#define STALL_SECONDS 5
#define RECORDS_PER_SECOND 10000
#define BATCHES_PER_SECOND 100
#define BALLAST_BYTES (10 << 20)

static struct history_options options;
static atomic_bool stalls, refuses; /* each sync */
static atomic_uint syncs;

static int sync_or_stall(int fd)
{
	syncs++;
	while (stalls)
		usleep(1000);
	if (refuses) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(SYS_fdatasync, fd);
}

/* Instead of the C library's: SQLite waits for the disk with one of them. */
int fdatasync(int fd)
{
	return sync_or_stall(fd);
}

int fsync(int fd)
{
	return sync_or_stall(fd);
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct history_writer *open_writer(const char *folder)
{
	struct history_writer *writer;

	options = test_options(folder);
	CHECK_EQUAL(history_writer_open(&writer, &options), 0);
	return writer;
}

static __u64 lost_of(struct history_writer *writer, enum accounting_loss cause)
{
	return history_writer_count(writer, NT_EVENT_CLOSE).lost[cause];
}

static __u64 lost_any(struct history_writer *writer)
{
	return lost_of(writer, ACCOUNTING_LOST_HISTORY_SLOW) + lost_of(writer, ACCOUNTING_LOST_HISTORY_DISK_FULL) +
	       lost_of(writer, ACCOUNTING_LOST_HISTORY_FAILED) + lost_of(writer, ACCOUNTING_LOST_NO_MEMORY);
}

static void add_records(struct history_writer *writer, unsigned int first, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		struct nt_record record = numbered_record(first + i, NOON_NS);

		history_writer_add(writer, &record);
	}
}

/* Returns whether no record waits, within 20 s. */
static bool drains(struct history_writer *writer)
{
	double until = seconds_now() + 20;

	while (history_writer_count(writer, NT_EVENT_CLOSE).waiting && seconds_now() < until)
		usleep(10000);
	return !history_writer_count(writer, NT_EVENT_CLOSE).waiting;
}

static long long count_in_folder(const char *folder)
{
	struct history_files files;
	long long count = 0;
	unsigned int i;

	CHECK_EQUAL(history_folder_list(&files, folder), 0);
	for (i = 0; i < files.count; i++)
		count += count_records(folder, files.entries[i].name, NULL);
	history_folder_free(&files);
	return count;
}

/* Adds records at a steady rate for the time that a disk takes nothing. */
static void test_stalled_disk(void)
{
	struct history_writer *writer;
	double begin, longest = 0;
	unsigned int batch, count = RECORDS_PER_SECOND / BATCHES_PER_SECOND;

	make_test_folder();
	writer = open_writer(test_folder);
	stalls = true;
	begin = seconds_now();
	for (batch = 0; batch < STALL_SECONDS * BATCHES_PER_SECOND; batch++) {
		double before, due = begin + (double)batch / BATCHES_PER_SECOND;

		while (seconds_now() < due)
			usleep(1000);
		before = seconds_now();
		add_records(writer, batch * count, count);
		if (seconds_now() - before > longest)
			longest = seconds_now() - before;
	}
	CHECK(history_writer_count(writer, NT_EVENT_CLOSE).waiting > 0);
	CHECK(longest < STALL_SECONDS - 1); /* adding does not wait for the disk */
	stalls = false;
	CHECK(drains(writer));
	CHECK_EQUAL(history_writer_finish(writer), 0);
	CHECK_EQUAL(lost_any(writer), 0);
	history_writer_close(writer);
	CHECK_EQUAL(count_in_folder(test_folder), STALL_SECONDS * RECORDS_PER_SECOND);
	remove_test_folder();
}

/* Beyond 64 MiB records are lost, and only those. */
static void test_full_queue(void)
{
	struct history_writer *writer;
	unsigned int added = 0;
	__u64 lost;

	make_test_folder();
	writer = open_writer(test_folder);
	stalls = true;
	while (!lost_of(writer, ACCOUNTING_LOST_HISTORY_SLOW) && added < 200000) {
		add_records(writer, added, 1000);
		added += 1000;
	}
	CHECK(added > 50000 && added < 200000);
	lost = lost_any(writer);
	CHECK(lost > 0 && lost < 2000);
	CHECK_EQUAL(lost, lost_of(writer, ACCOUNTING_LOST_HISTORY_SLOW));
	CHECK_EQUAL(lost, history_writer_lost_of_all(writer, ACCOUNTING_LOST_HISTORY_SLOW));
	CHECK_EQUAL(history_writer_count(writer, NT_EVENT_CLOSE).waiting, added - lost);
	stalls = false;
	CHECK_EQUAL(history_writer_finish(writer), 0);
	CHECK_EQUAL(lost_any(writer), lost);
	history_writer_close(writer);
	CHECK_EQUAL(count_in_folder(test_folder), added - lost);
	remove_test_folder();
}

/* A commit is there within a second, at one of three times: the machine may stop. */
static void test_commits_in_time(void)
{
	struct history_writer *writer;
	double begin, took = 60;
	int tries = 0;

	make_test_folder();
	writer = open_writer(test_folder);
	while (took >= 1.5 && tries < 3) { /* half a second, and what a busy machine adds */
		begin = seconds_now();
		add_records(writer, tries++, 1);
		CHECK(drains(writer));
		took = seconds_now() - begin;
	}
	CHECK(took < 1.5);
	CHECK_EQUAL(count_in_folder(test_folder), tries);
	CHECK_EQUAL(history_writer_finish(writer), 0);
	history_writer_close(writer);
	remove_test_folder();
}

/* A disk that fails, and works again. */
static void test_failing_disk(void)
{
	struct history_writer *writer;
	unsigned int before;

	make_test_folder();
	writer = open_writer(test_folder);
	refuses = true;
	before = syncs;
	add_records(writer, 0, 100);
	while (syncs < before + 2) /* two attempts failed */
		usleep(10000);
	CHECK_EQUAL(history_writer_count(writer, NT_EVENT_CLOSE).waiting, 100);
	CHECK_EQUAL(lost_any(writer), 0);
	refuses = false;
	CHECK(drains(writer));
	CHECK_EQUAL(history_writer_finish(writer), 0);
	CHECK_EQUAL(lost_any(writer), 0);
	history_writer_close(writer);
	CHECK_EQUAL(count_in_folder(test_folder), 100);
	remove_test_folder();
}

/* At the end it is tried once more; then records are lost for the cause that it has. */
static void test_failing_disk_at_the_end(void)
{
	struct history_writer *writer;

	make_test_folder();
	writer = open_writer(test_folder);
	refuses = true;
	add_records(writer, 0, 100);
	CHECK(history_writer_finish(writer) != 0 || lost_any(writer));
	CHECK_EQUAL(lost_of(writer, ACCOUNTING_LOST_HISTORY_FAILED), 100);
	CHECK_EQUAL(lost_any(writer), 100);
	CHECK_EQUAL(history_writer_count(writer, NT_EVENT_CLOSE).waiting, 0);
	refuses = false;
	history_writer_close(writer);
	remove_test_folder();
}

/* A file system of 12 MiB, in a mount namespace of this process. Returns false if that is not permitted. */
static bool mount_small(const char *folder)
{
	if (geteuid() || unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("none", folder, "tmpfs", 0, "size=12m,mode=0750")) {
		check_skip("a full disk: root only");
		return false;
	}
	return true;
}

static void set_ballast(const char *folder, off_t bytes)
{
	char path[HISTORY_PATH_SIZE];
	int fd;

	CHECK(history_folder_path(path, folder, "ballast", ""));
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	if (bytes)
		CHECK_EQUAL(posix_fallocate(fd, 0, bytes), 0);
	close(fd);
}

/* Fills the disk with records: they wait, then it has room again, and none is lost. */
static void test_full_disk_heals(void)
{
	struct history_writer *writer;

	writer = open_writer(test_folder);
	set_ballast(test_folder, BALLAST_BYTES);
	add_records(writer, 0, 20000); /* 2.5 MB */
	usleep(1500000);
	CHECK(history_writer_count(writer, NT_EVENT_CLOSE).waiting > 0);
	CHECK_EQUAL(lost_any(writer), 0);
	set_ballast(test_folder, 0);
	CHECK(drains(writer));
	CHECK_EQUAL(history_writer_finish(writer), 0);
	CHECK_EQUAL(lost_any(writer), 0);
	history_writer_close(writer);
	CHECK_EQUAL(count_in_folder(test_folder), 20000);
}

/* The oldest file makes room. */
static void test_full_disk_drops_oldest(void)
{
	struct history_store store;
	struct history_writer *writer;

	options = test_options(test_folder);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 0, 28000, NOON_NS), 0); /* 3.5 MB */
	CHECK_EQUAL(history_store_finish(&store, NOON_NS), 0);
	history_store_close(&store);
	set_ballast(test_folder, 13 << 19); /* leaves 2 MB */
	writer = open_writer(test_folder);
	add_records(writer, 0, 20000);
	CHECK(drains(writer));
	CHECK_EQUAL(history_writer_finish(writer), 0);
	CHECK_EQUAL(lost_any(writer), 0);
	history_writer_close(writer);
	CHECK_EQUAL(count_in_folder(test_folder), 20000);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT 1"), -1);
}

/* Records that are more than the queue and the disk hold. */
static void test_full_disk_to_the_end(void)
{
	struct history_writer *writer;

	writer = open_writer(test_folder);
	set_ballast(test_folder, BALLAST_BYTES);
	add_records(writer, 0, 20000);
	history_writer_finish(writer);
	CHECK_EQUAL(lost_of(writer, ACCOUNTING_LOST_HISTORY_DISK_FULL), lost_any(writer));
	CHECK(lost_any(writer) > 0);
	CHECK_EQUAL(count_in_folder(test_folder) + (long long)lost_any(writer), 20000);
	history_writer_close(writer);
	set_ballast(test_folder, 0);
}

static void clear_small(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -f %s/*", test_folder);
	CHECK_EQUAL(system(command), 0);
}

static void test_full_disk(void)
{
	make_test_folder();
	if (mount_small(test_folder)) {
		test_full_disk_heals();
		clear_small();
		test_full_disk_drops_oldest();
		clear_small();
		test_full_disk_to_the_end();
		umount(test_folder);
	}
	remove_test_folder();
}

/* If it comes within so many seconds: at midnight (UTC) a history begins another file. */
static void wait_for_midnight(unsigned int seconds)
{
	unsigned int left = 86400 - time(NULL) % 86400;

	if (left <= seconds)
		sleep(left);
}

/* While the programs were attached nobody tracked. */
static void test_begin_of_tracking(void)
{
	struct history_writer *writer;
	struct history_files files;
	__u64 begin_ns;

	make_test_folder();
	wait_for_midnight(20);
	writer = open_writer(test_folder);
	usleep(20000);
	begin_ns = (__u64)time(NULL) * 1000000000ULL + 5000000000ULL;
	history_writer_set_begin(writer, begin_ns);
	add_records(writer, 0, 1);
	CHECK_EQUAL(history_writer_finish(writer), 0);
	history_writer_close(writer);
	CHECK_EQUAL(history_folder_list(&files, test_folder), 0);
	CHECK_EQUAL(files.count, 1);
	CHECK_EQUAL(ask_file(test_folder, files.entries[0].name, "SELECT begin_ns FROM run"), (long long)begin_ns);
	history_folder_free(&files);
	remove_test_folder();
}

int main(void)
{
	message_set_levels(true, false);
	test_commits_in_time();
	test_begin_of_tracking();
	test_stalled_disk();
	test_full_queue();
	test_failing_disk();
	test_failing_disk_at_the_end();
	test_full_disk();
	return check_finish();
}
