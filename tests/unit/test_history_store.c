// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of a history: when one follows another, what is removed, what a crash leaves, and what is refused. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "src/history/history_schema.h"
#include "src/util/message.h"
#include "tests/unit/history_files.h"

#define BATCH 100

static struct history_options options;
static struct history_store store;

static void open_store(__u64 now_ns)
{
	CHECK_EQUAL(history_store_open(&store, &options, now_ns), 0);
}

static void close_store(__u64 now_ns)
{
	CHECK_EQUAL(history_store_finish(&store, now_ns), 0);
	history_store_close(&store);
}

static void begin_test(void)
{
	make_test_folder();
	options = test_options(test_folder);
}

static void expect_files(const char *const *names)
{
	CHECK(has_files(test_folder, names));
}

#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void test_rotation_by_day(void)
{
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 3, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 3, 3, NOON_NS + DAY_NS / 2 - 1), 0);
	expect_files(FILES("2024-10-04-0001.db"));
	CHECK_EQUAL(write_records(&store, 6, 1, NOON_NS + DAY_NS / 2), 0);
	expect_files(FILES("2024-10-04-0001.db", "2024-10-05-0001.db"));
	close_store(NOON_NS + DAY_NS);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), 6);
	CHECK_EQUAL(count_records(test_folder, "2024-10-05-0001.db", NULL), 1);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT finished FROM run"), 1);
	remove_test_folder();
}

static long long file_bytes(const char *name)
{
	char path[HISTORY_PATH_SIZE];
	struct stat status;

	CHECK(history_folder_path(path, test_folder, name, ""));
	return stat(path, &status) ? -1 : status.st_size;
}

static void test_rotation_by_size(void)
{
	unsigned int i;

	begin_test();
	options.most_bytes = 1 << 20; /* of a file: 256 KiB */
	open_store(NOON_NS);
	for (i = 0; i < 40; i++)
		CHECK_EQUAL(write_records(&store, i * BATCH, BATCH, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK(file_bytes("2024-10-04-0002.db") >= 256 * 1024);
	CHECK(file_bytes("2024-10-04-0002.db") < 300 * 1024);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0003.db", "SELECT min(seq) FROM conn"), 1);
	remove_test_folder();
}

/* A clock that is set back must not make the order of the files wrong. */
static void test_clock_set_back(void)
{
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 1, 1, NOON_NS - 30 * DAY_NS), 0);
	CHECK_EQUAL(write_records(&store, 2, 1, NOON_NS + DAY_NS), 0);
	close_store(NOON_NS + DAY_NS);
	expect_files(FILES("2024-10-04-0001.db", "2024-10-04-0002.db", "2024-10-05-0001.db"));
	remove_test_folder();
}

static void test_restart_continues(void)
{
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 5, NOON_NS), 0);
	close_store(NOON_NS + 1000);
	open_store(NOON_NS + 5000);
	CHECK_EQUAL(write_records(&store, 5, 5, NOON_NS + 6000), 0);
	close_store(NOON_NS + 7000);
	expect_files(FILES("2024-10-04-0001.db"));
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), 10);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT max(seq) FROM conn"), 10);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT count(*) FROM run WHERE finished"), 2);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT end_ns FROM run WHERE id=1"), NOON_NS + 1000);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT begin_ns FROM run WHERE id=2"), NOON_NS + 5000);
	remove_test_folder();
}

static void test_retention_by_age(void)
{
	unsigned int day;

	begin_test();
	options.most_age_ns = 2 * DAY_NS;
	for (day = 0; day < 5; day++) {
		open_store(NOON_NS + day * DAY_NS);
		CHECK_EQUAL(write_records(&store, day, 1, NOON_NS + day * DAY_NS), 0);
		close_store(NOON_NS + day * DAY_NS);
	}
	/* the 5th ended 2.5 days before noon of the 8th, the 6th 1.5 days before */
	expect_files(FILES("2024-10-06-0001.db", "2024-10-07-0001.db", "2024-10-08-0001.db"));
	open_store(NOON_NS + 5 * DAY_NS);
	expect_files(FILES("2024-10-07-0001.db", "2024-10-08-0001.db", "2024-10-09-0001.db"));
	close_store(NOON_NS + 5 * DAY_NS);
	remove_test_folder();
}

static __u64 folder_bytes(void)
{
	struct history_files files;
	unsigned int i;
	__u64 bytes = 0;

	CHECK_EQUAL(history_folder_list(&files, test_folder), 0);
	for (i = 0; i < files.count; i++)
		bytes += files.entries[i].bytes;
	history_folder_free(&files);
	return bytes;
}

static void test_retention_by_size(void)
{
	unsigned int i;

	begin_test();
	options.most_bytes = 1 << 20;
	open_store(NOON_NS);
	for (i = 0; i < 200; i++)
		CHECK_EQUAL(write_records(&store, i * BATCH, BATCH, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK(folder_bytes() <= 1 << 20);
	CHECK(folder_bytes() > 1 << 19);
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT 1"), -1);
	remove_test_folder();
}

static void test_two_writers(void)
{
	struct history_store second;

	begin_test();
	CHECK(!history_folder_has_writer(test_folder));
	open_store(NOON_NS);
	CHECK(history_folder_has_writer(test_folder));
	CHECK_EQUAL(history_store_open(&second, &options, NOON_NS), -EBUSY);
	history_store_close(&second);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK(!history_folder_has_writer(test_folder));
	remove_test_folder();
}

/* A member of the group can lock the file as a reader does; that is no writer, and the message says so. */
static void test_locked_by_reader(void)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	char path[HISTORY_PATH_SIZE];
	int fd;

	begin_test();
	open_store(NOON_NS);
	close_store(NOON_NS);
	CHECK(history_folder_path(path, test_folder, "lock", ""));
	fd = open(path, O_RDONLY);
	CHECK_EQUAL(fcntl(fd, F_OFD_SETLK, &lock), 0);
	CHECK(!history_folder_has_writer(test_folder));
	options = test_options(test_folder);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), -EBUSY);
	history_store_close(&store);
	close(fd);
	open_store(NOON_NS);
	close_store(NOON_NS);
	remove_test_folder();
}

/* The process id that is written into `lock` must not reach another file, and a pipe must not make the start wait. */
static void test_lock_that_is_another_file(void)
{
	char lock[HISTORY_PATH_SIZE], other[HISTORY_PATH_SIZE];
	int fd;

	begin_test();
	CHECK(history_folder_path(lock, test_folder, "lock", ""));
	CHECK(history_folder_path(other, test_folder, "other", ""));
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	CHECK_EQUAL(write(fd, "text", 4), 4);
	CHECK_EQUAL(link(other, lock), 0);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), -EINVAL);
	history_store_close(&store);
	CHECK_EQUAL(lseek(fd, 0, SEEK_END), 4);
	close(fd);
	unlink(lock);
	CHECK_EQUAL(mkfifo(lock, 0600), 0);
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), -EINVAL);
	history_store_close(&store);
	remove_test_folder();
}

/* Sets the time at which a file was last changed. */
static void set_modified(const char *name, __u64 ns)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = (time_t)(ns / 1000000000) } };
	char path[HISTORY_PATH_SIZE];

	CHECK(history_folder_path(path, test_folder, name, ""));
	CHECK_EQUAL(utimensat(AT_FDCWD, path, times, 0), 0);
}

/* A start with a clock that is years ahead removes nothing, and what was written then becomes old as everything does. */
static void test_clock_ahead(void)
{
	begin_test();
	options.most_age_ns = 30 * DAY_NS;
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	set_modified("2024-10-04-0001.db", NOON_NS);
	open_store(NOON_NS + 4000 * DAY_NS);
	CHECK_EQUAL(write_records(&store, 1, 1, NOON_NS + 4000 * DAY_NS), 0);
	close_store(NOON_NS + 4000 * DAY_NS);
	expect_files(FILES("2024-10-04-0001.db", "2035-09-17-0001.db"));
	set_modified("2035-09-17-0001.db", NOON_NS);
	open_store(NOON_NS + 20 * DAY_NS);
	CHECK_EQUAL(write_records(&store, 2, 1, NOON_NS + 20 * DAY_NS), 0);
	close_store(NOON_NS + 20 * DAY_NS);
	set_modified("2035-09-17-0002.db", NOON_NS + 40 * DAY_NS);
	open_store(NOON_NS + 41 * DAY_NS);
	close_store(NOON_NS + 41 * DAY_NS);
	expect_files(FILES("2035-09-17-0002.db", "2035-09-17-0003.db"));
	remove_test_folder();
}

/* A batch whose transaction could not begin is written when it can. */
static void test_locked_by_another(void)
{
	char path[HISTORY_PATH_SIZE];
	sqlite3 *db;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 10, NOON_NS), 0);
	CHECK(history_folder_path(path, test_folder, "2024-10-04-0001.db", ""));
	CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_EQUAL(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	CHECK_EQUAL(write_records(&store, 10, 10, NOON_NS), -EBUSY);
	sqlite3_close(db);
	CHECK_EQUAL(write_records(&store, 10, 10, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 20, 10, NOON_NS), 0);
	close_store(NOON_NS);
	expect_files(FILES("2024-10-04-0001.db"));
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT count(*) FROM conn"), 30);
	remove_test_folder();
}

static void run_sql(const char *name, const char *sql)
{
	char path[HISTORY_PATH_SIZE];
	sqlite3 *db;

	CHECK(history_folder_path(path, test_folder, name, ""));
	CHECK_EQUAL(sqlite3_open(path, &db), SQLITE_OK);
	CHECK_EQUAL(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* It is not written, not read, and not removed. */
static void test_later_schema(void)
{
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	run_sql("2024-10-04-0001.db", "PRAGMA user_version=2");
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), -1);
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 1, 1, NOON_NS), 0);
	close_store(NOON_NS);
	expect_files(FILES("2024-10-04-0001.db", "2024-10-04-0002.db"));
	CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT count(*) FROM conn"), 1);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0002.db", NULL), 1);
	remove_test_folder();
}

/* Tables of a file that somebody else made may be views that never end, and it may have triggers. */
static void test_hostile_schema(void)
{
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 3, NOON_NS), 0);
	close_store(NOON_NS);
	run_sql("2024-10-04-0001.db", "CREATE TRIGGER t AFTER INSERT ON conn BEGIN DELETE FROM conn; END");
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 3, 3, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), 6);
	run_sql("2024-10-04-0001.db", "ALTER TABLE mark RENAME TO other;CREATE VIEW mark AS WITH RECURSIVE n(first_seq,"
				      "last_seq,min_start_ns,min_time_ns,max_time_ns) AS (SELECT 1,1,1,1,1 UNION ALL "
				      "SELECT * FROM n) SELECT * FROM n");
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), -1);
	remove_test_folder();
}

/* A file without some columns, as an earlier version would have made it, is read; what it lacks is absent. */
static void test_earlier_columns(void)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	struct history_reader *reader;
	struct nt_record record;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 7, 1, NOON_NS), 0);
	close_store(NOON_NS);
	run_sql("2024-10-04-0001.db", "DROP VIEW record; ALTER TABLE conn DROP COLUMN rtt_us;"
				      "ALTER TABLE conn DROP COLUMN pid; ALTER TABLE kind DROP COLUMN reason");
	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_select(reader, &all), 0);
	CHECK_EQUAL(history_reader_next(reader, &record), 1);
	CHECK(!nt_record_has(&record, NT_HAS_RTT) && !nt_record_has(&record, NT_HAS_PID) &&
	      !nt_record_has(&record, NT_HAS_REASON));
	CHECK_STRING(record.id, "0000000000000007");
	CHECK_EQUAL(record.min_rtt_us, 40);
	CHECK_STRING(record.conn_state, "RSTR");
	history_reader_close(reader);
	remove_test_folder();
}

static void write_file(const char *name, const char *bytes, size_t size)
{
	char path[HISTORY_PATH_SIZE];
	FILE *file;

	CHECK(history_folder_path(path, test_folder, name, ""));
	file = fopen(path, "w");
	CHECK(file != NULL);
	CHECK_EQUAL(fwrite(bytes, 1, size, file), size);
	fclose(file);
}

static void test_files_that_are_no_history(void)
{
	static char noise[8192];
	size_t i;

	for (i = 0; i < sizeof(noise); i++)
		noise[i] = (char)(i * 7 + 1);
	begin_test();
	write_file("2024-10-04-0001.db", noise, sizeof(noise));
	write_file("2024-10-04-0002.db", "", 0);
	write_file("2024-1-4-1.db", "", 0);      /* not a name that netracker gives */
	write_file("2024-13-01-0001.db", "", 0); /* no such month */
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	expect_files(FILES("2024-10-04-0001.db", "2024-10-04-0002.db", "2024-10-04-0003.db"));
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), -1);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0002.db", NULL), -1);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0003.db", NULL), 1);
	remove_test_folder();
}

/* Damage in the middle of a file: what is before it is read, and an error is returned. */
static void test_damaged_file(void)
{
	char path[HISTORY_PATH_SIZE], noise[4096];
	unsigned int i;
	int fd;

	begin_test();
	open_store(NOON_NS);
	for (i = 0; i < 20; i++)
		CHECK_EQUAL(write_records(&store, i * BATCH, BATCH, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK(history_folder_path(path, test_folder, "2024-10-04-0001.db", ""));
	memset(noise, 0xa5, sizeof(noise));
	fd = open(path, O_WRONLY);
	for (i = 15; i < 45; i++)
		CHECK_EQUAL(pwrite(fd, noise, sizeof(noise), i * 4096), sizeof(noise));
	close(fd);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), -1);
	remove_test_folder();
}

/* A value that netracker never writes. */
static void test_wrong_values(void)
{
	static const char *const changes[] = {
		"UPDATE conn SET outcome=99",
		"UPDATE conn SET src_port=70000",
		"UPDATE conn SET src_ip=x'010203'",
		"UPDATE kind SET gaps=1<<40",
		"UPDATE kind SET seen=-1",
		"UPDATE kind SET history='a b'",
		"UPDATE conn SET prog=12345",
		"UPDATE conn SET event=NULL, role=-1",
		"UPDATE prog SET comm='12345678901234567'",
	};
	size_t i;

	for (i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		begin_test();
		open_store(NOON_NS);
		CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
		close_store(NOON_NS);
		run_sql("2024-10-04-0001.db", changes[i]);
		if (!CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), -1))
			printf("  %s\n", changes[i]);
		remove_test_folder();
	}
}

/* Ends the writer by kill -9 while it writes, so long after its first batch. */
static void kill_writer(unsigned int milliseconds)
{
	int written[2];
	pid_t child;
	char byte;

	CHECK_EQUAL(pipe(written), 0);
	child = fork();
	if (!child) {
		unsigned int i;

		history_store_open(&store, &options, NOON_NS);
		for (i = 0;; i++) {
			write_records(&store, i * BATCH, BATCH, NOON_NS + i);
			if (!i && write(written[1], "", 1) != 1)
				_exit(1);
		}
	}
	close(written[1]);
	CHECK_EQUAL(read(written[0], &byte, 1), 1);
	close(written[0]);
	usleep(milliseconds * 1000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void test_killed_in_mid_write(void)
{
	int round, count;

	for (round = 0; round < 5; round++) {
		begin_test();
		kill_writer(300 + 37 * round);
		count = count_records(test_folder, "2024-10-04-0001.db", NULL);
		CHECK(count > 0 && count % BATCH == 0);
		CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db",
				     "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check='ok'"),
			    1);
		open_store(NOON_NS + DAY_NS); /* a later day: it only completes the file */
		close_store(NOON_NS + DAY_NS);
		CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), count);
		CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT finished FROM run"), 0);
		CHECK_EQUAL(ask_file(test_folder, "2024-10-04-0001.db", "SELECT end_ns FROM run"),
			    NOON_NS + count / BATCH - 1);
		remove_test_folder();
	}
}

static void test_completed_after_kill(void)
{
	char path[HISTORY_PATH_SIZE], log[HISTORY_PATH_SIZE];

	begin_test();
	kill_writer(300);
	CHECK(history_folder_path(path, test_folder, "2024-10-04-0001.db", ""));
	CHECK(history_folder_path(log, test_folder, "2024-10-04-0001.db", "-wal"));
	CHECK(history_file_has_log(path) && !access(log, F_OK));
	open_store(NOON_NS + DAY_NS);
	CHECK(!history_file_has_log(path) && access(log, F_OK));
	close_store(NOON_NS + DAY_NS);
	remove_test_folder();
}

/* Two readers of a file that is written see whole batches, and do not keep it from being finished for ever. */
static void test_reader_beside_writer(void)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	struct history_selection later = all;
	struct history_reader *reader;
	struct nt_record record;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 2, NOON_NS), 0);
	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_select(reader, &all), 0);
	CHECK_EQUAL(history_reader_next(reader, &record), 1);
	CHECK_EQUAL(write_records(&store, 2, 2, NOON_NS), 0);
	CHECK_EQUAL(history_reader_next(reader, &record), 1);
	CHECK_EQUAL(history_reader_next(reader, &record), 0);
	later.after_seq = history_reader_seq(reader);
	CHECK_EQUAL(later.after_seq, 2);
	CHECK_EQUAL(history_reader_select(reader, &later), 0);
	CHECK_EQUAL(history_reader_next(reader, &record), 1);
	CHECK_STRING(record.id, "0000000000000002");
	CHECK_EQUAL(history_reader_next(reader, &record), 1);
	CHECK_EQUAL(history_reader_next(reader, &record), 0);
	history_reader_close(reader);
	close_store(NOON_NS);
	remove_test_folder();
}

static int count_selected(enum history_match match, __u64 from_ns, __u64 to_ns)
{
	const struct history_selection selection = { .match = match, .from_ns = from_ns, .to_ns = to_ns };

	return count_records(test_folder, "2024-10-04-0001.db", &selection);
}

/* Each record's connection lasted for the second before it. */
static void test_spans(void)
{
	const __u64 second = 1000000000;
	unsigned int i;

	begin_test();
	open_store(NOON_NS);
	for (i = 0; i < 10; i++)
		CHECK_EQUAL(write_records(&store, i, 1, NOON_NS + i * 10 * second), 0);
	close_store(NOON_NS);
	CHECK_EQUAL(count_selected(HISTORY_TIME_IN, NOON_NS + 10 * second, NOON_NS + 20 * second), 2);
	CHECK_EQUAL(count_selected(HISTORY_TIME_IN, NOON_NS + 10 * second + 1, NOON_NS + 20 * second - 1), 0);
	CHECK_EQUAL(count_selected(HISTORY_ALIVE_IN, NOON_NS + 9 * second + 1, NOON_NS + 9 * second + 1), 1);
	CHECK_EQUAL(count_selected(HISTORY_ALIVE_IN, NOON_NS + 11 * second, NOON_NS + 18 * second), 0);
	CHECK_EQUAL(count_selected(HISTORY_ALIVE_IN, NOON_NS + 11 * second, NOON_NS + 29 * second), 2);
	CHECK_EQUAL(count_selected(HISTORY_TIME_IN, 0, ~0ULL), 10);
	remove_test_folder();
}

/* A selection may begin within a batch. */
static void test_after_a_record(void)
{
	struct history_selection selection = { .to_ns = ~0ULL };
	unsigned int i;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 4, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 4, 2, NOON_NS), 0);
	for (i = 0; i <= 6; i++) {
		selection.after_seq = i;
		selection.newest_first = i % 2;
		CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", &selection), 6 - i);
	}
	close_store(NOON_NS);
	remove_test_folder();
}

static void test_newest_first(void)
{
	const struct history_selection selection = { .to_ns = ~0ULL, .newest_first = true };
	struct history_reader *reader;
	struct nt_record record;
	int i;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 2, NOON_NS), 0);
	CHECK_EQUAL(write_records(&store, 2, 2, NOON_NS), 0);
	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_select(reader, &selection), 0);
	for (i = 3; i >= 0; i--) {
		CHECK_EQUAL(history_reader_next(reader, &record), 1);
		CHECK_EQUAL(record.src_port, i);
	}
	CHECK_EQUAL(history_reader_next(reader, &record), 0);
	history_reader_close(reader);
	close_store(NOON_NS);
	remove_test_folder();
}

static unsigned int losses_seen;

static void check_loss(void *context, const struct history_loss *loss)
{
	(void)context;
	losses_seen++;
	CHECK_EQUAL(loss->records, 31);
	CHECK_EQUAL(loss->time_ns, NOON_NS + 5);
	CHECK_STRING(loss->cause, "ring buffer full");
}

static void check_run(void *context, const struct history_run *run)
{
	(void)context;
	CHECK_EQUAL(run->begin_ns, NOON_NS);
	CHECK_EQUAL(run->end_ns, NOON_NS + 9);
	CHECK(run->is_finished);
	CHECK_STRING(run->command, "record");
	CHECK_EQUAL(strlen(run->boot), 36);
	CHECK_STRING(run->version, NETRACKER_VERSION);
}

static void test_coverage(void)
{
	__u64 lost[ACCOUNTING_LOSSES] = { [ACCOUNTING_LOST_RING_FULL] = 31 };
	struct history_reader *reader;

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(history_store_write(&store, NULL, NOON_NS + 5, lost), 0);
	close_store(NOON_NS + 9);
	CHECK_EQUAL(history_reader_open(&reader, test_folder, "2024-10-04-0001.db"), 0);
	CHECK_EQUAL(history_reader_losses(reader, check_loss, NULL), 0);
	CHECK_EQUAL(losses_seen, 1);
	CHECK_EQUAL(history_reader_runs(reader, check_run, NULL), 0);
	history_reader_close(reader);
	remove_test_folder();
}

static void test_file_removed_while_written(void)
{
	char path[HISTORY_PATH_SIZE];

	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	CHECK(history_folder_path(path, test_folder, "2024-10-04-0001.db", ""));
	CHECK_EQUAL(unlink(path), 0);
	CHECK_EQUAL(write_records(&store, 1, 2, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK_EQUAL(count_records(test_folder, "2024-10-04-0001.db", NULL), 2);
	remove_test_folder();
}

/* A start that opens a pipe would wait for ever. */
static void test_names_of_no_files(void)
{
	char path[HISTORY_PATH_SIZE];

	begin_test();
	CHECK(history_folder_path(path, test_folder, "2020-01-01-0001.db", ""));
	CHECK_EQUAL(mkfifo(path, 0600), 0);
	CHECK(history_folder_path(path, test_folder, "2020-01-02-0001.db", ""));
	CHECK_EQUAL(symlink("/dev/zero", path), 0);
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	expect_files(FILES("2024-10-04-0001.db"));
	remove_test_folder();
}

static void make_empty(const char *name)
{
	char path[HISTORY_PATH_SIZE];
	int fd;

	CHECK(history_folder_path(path, test_folder, name, ""));
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	close(fd);
}

static bool exists(const char *name)
{
	char path[HISTORY_PATH_SIZE];

	CHECK(history_folder_path(path, test_folder, name, ""));
	return !access(path, F_OK);
}

/* A crash can leave these; others' files stay. */
static void test_left_over_files(void)
{
	begin_test();
	make_empty("2020-01-01-0001.db.new");
	make_empty("2020-01-02-0001.db-wal");
	make_empty("2020-01-02-0001.db-shm");
	make_empty("2020-01-03-0001.db-notes");
	make_empty("notes.db-wal");
	make_empty("x.new");
	open_store(NOON_NS);
	CHECK(exists("2024-10-04-0001.db-wal"));
	close_store(NOON_NS);
	CHECK(!exists("2020-01-01-0001.db.new"));
	CHECK(!exists("2020-01-02-0001.db-wal"));
	CHECK(!exists("2020-01-02-0001.db-shm"));
	CHECK(exists("2020-01-03-0001.db-notes"));
	CHECK(exists("notes.db-wal"));
	CHECK(exists("x.new"));
	remove_test_folder();
}

/* The name of a file that exists is never given again. */
static void test_last_number_of_a_day(void)
{
	begin_test();
	make_empty("2024-10-04-999999999.db");
	make_empty("2024-10-04-4294967295.db");
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK_EQUAL(count_records(test_folder, "2024-10-05-0001.db", NULL), 1);
	CHECK(exists("2024-10-04-4294967295.db"));
	remove_test_folder();
}

static void test_folder_like_a_uri(void)
{
	char before[HISTORY_PATH_SIZE];

	begin_test();
	CHECK(getcwd(before, sizeof(before)) != NULL);
	CHECK_EQUAL(chdir(test_folder), 0);
	options.folder = "file:x?mode=memory";
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 2, NOON_NS), 0);
	close_store(NOON_NS);
	CHECK_EQUAL(count_records(options.folder, "2024-10-04-0001.db", NULL), 2);
	CHECK_EQUAL(chdir(before), 0);
	remove_test_folder();
}

/* Returns the permissions of a file in the folder, 0 if there is none. */
static int mode_of(const char *name, const char *suffix)
{
	char path[HISTORY_PATH_SIZE];
	struct stat status;

	CHECK(history_folder_path(path, test_folder, name, suffix));
	return stat(path, &status) ? 0 : (int)(status.st_mode & 07777);
}

static void test_modes(void)
{
	char path[HISTORY_PATH_SIZE];
	mode_t before = umask(0);

	begin_test();
	CHECK(history_folder_path(path, test_folder, "below", ""));
	options.folder = path;
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 1, NOON_NS), 0);
	CHECK_EQUAL(mode_of("below", ""), 0750);
	CHECK_EQUAL(mode_of("below/2024-10-04-0001.db", ""), 0640);
	CHECK_EQUAL(mode_of("below/2024-10-04-0001.db", "-wal"), 0640);
	close_store(NOON_NS);
	CHECK_EQUAL(mode_of("below/2024-10-04-0001.db", "-wal"), 0);
	umask(before);
	remove_test_folder();
}

static void test_folders_that_cannot_be(void)
{
	char path[HISTORY_PATH_SIZE];

	begin_test();
	CHECK(history_folder_path(path, test_folder, "missing/below", ""));
	options.folder = path;
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), -ENOENT);
	history_store_close(&store);
	write_file("file", "", 0);
	CHECK(history_folder_path(path, test_folder, "file", ""));
	CHECK_EQUAL(history_store_open(&store, &options, NOON_NS), -EEXIST);
	history_store_close(&store);
	remove_test_folder();
}

/* Another user may neither make nor write the folder, but may read it as a member of its group. */
static void test_permissions(void)
{
	pid_t child;
	int status = -1;

	if (geteuid()) {
		check_skip("permissions of a history: root only");
		return;
	}
	begin_test();
	open_store(NOON_NS);
	CHECK_EQUAL(write_records(&store, 0, 3, NOON_NS), 0);
	CHECK_EQUAL(chown(test_folder, (uid_t)-1, 65534), 0);
	CHECK_EQUAL(chmod(test_folder, 0750), 0);
	child = fork();
	if (!child) {
		struct history_store other;
		int denied;

		if (setgid(65534) || setuid(65534))
			_exit(9);
		denied = history_store_open(&other, &options, NOON_NS);
		_exit(denied == -EACCES ? 0 : 1);
	}
	waitpid(child, &status, 0);
	CHECK_EQUAL(status, 0);
	close_store(NOON_NS);
	remove_test_folder();
}

static void test_queue_is_bounded(void)
{
	struct history_queue queue = { .most_bytes = 1 << 20 };
	struct nt_record record = sample_record();
	struct history_block *blocks;
	unsigned int count = 0;

	while (history_queue_add(&queue, &record) == HISTORY_ADDED)
		count++;
	CHECK(queue.bytes <= 1 << 20);
	CHECK(count > 1000 && count < 2000);
	blocks = history_queue_take(&queue);
	CHECK_EQUAL(history_queue_add(&queue, &record), HISTORY_QUEUE_FULL); /* they still need their room */
	history_queue_release(&queue, blocks);
	CHECK_EQUAL(history_queue_add(&queue, &record), HISTORY_ADDED);
	history_queue_free(&queue);
}

int main(void)
{
	message_set_levels(true, false);
	test_rotation_by_day();
	test_rotation_by_size();
	test_clock_set_back();
	test_restart_continues();
	test_retention_by_age();
	test_retention_by_size();
	test_clock_ahead();
	test_locked_by_another();
	test_two_writers();
	test_locked_by_reader();
	test_lock_that_is_another_file();
	test_later_schema();
	test_hostile_schema();
	test_earlier_columns();
	test_files_that_are_no_history();
	test_damaged_file();
	test_wrong_values();
	test_killed_in_mid_write();
	test_completed_after_kill();
	test_reader_beside_writer();
	test_spans();
	test_after_a_record();
	test_newest_first();
	test_coverage();
	test_file_removed_while_written();
	test_names_of_no_files();
	test_left_over_files();
	test_last_number_of_a_day();
	test_folder_like_a_uri();
	test_modes();
	test_folders_that_cannot_be();
	test_permissions();
	test_queue_is_bounded();
	return check_finish();
}
