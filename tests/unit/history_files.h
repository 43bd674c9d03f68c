/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the tests of the history: a folder of their own, records that differ, and what SQLite says of a file. */
#ifndef NETRACKER_TESTS_HISTORY_FILES_H
#define NETRACKER_TESTS_HISTORY_FILES_H

#include <linux/types.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/history/history_reader.h"
#include "src/history/history_store.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

#define DAY_NS (24ULL * 3600 * 1000000000)
#define NOON_NS (20000 * DAY_NS + DAY_NS / 2) /* 2024-10-04 12:00 UTC */

static char test_folder[64]; /* made by make_test_folder() */

__attribute__((unused)) static void make_test_folder(void)
{
	/* in memory where possible: each commit waits for the disk */
	snprintf(test_folder, sizeof(test_folder), "%s/netracker-history-XXXXXX",
		 access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	CHECK(mkdtemp(test_folder) != NULL);
}

__attribute__((unused)) static void remove_test_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", test_folder);
	CHECK_EQUAL(system(command), 0);
}

__attribute__((unused)) static struct history_options test_options(const char *folder)
{
	return (struct history_options){ .folder = folder, .command = "record" };
}

/* A record that nobody else has, of a connection that lasted a second up to this time. */
__attribute__((unused)) static struct nt_record numbered_record(unsigned int number, __u64 time_ns)
{
	struct nt_record record = sample_record();

	snprintf(record.id, sizeof(record.id), "%016x", number);
	record.src_port = (__u16)number;
	record.end_ns = time_ns;
	record.start_ns = time_ns - 1000000000;
	return record;
}

/* Commits `count` records in one batch. Returns as history_store_write(). */
__attribute__((unused)) static int write_records(struct history_store *store, unsigned int first, unsigned int count,
						 __u64 now_ns)
{
	struct history_queue queue = { .most_bytes = 64 << 20 };
	const __u64 lost[ACCOUNTING_LOSSES] = { 0 };
	struct history_block *batch;
	unsigned int i;
	int error;

	for (i = 0; i < count; i++) {
		struct nt_record record = numbered_record(first + i, now_ns);

		CHECK_EQUAL(history_queue_add(&queue, &record), HISTORY_ADDED);
	}
	batch = history_queue_take(&queue);
	error = history_store_write(store, batch, now_ns, lost);
	history_queue_release(&queue, batch);
	history_queue_free(&queue);
	return error;
}

/* Returns the number that a statement returns for a file, -1 if it fails. */
__attribute__((unused)) static long long ask_file(const char *folder, const char *name, const char *sql)
{
	char path[HISTORY_PATH_SIZE];
	sqlite3_stmt *statement;
	long long number = -1;
	sqlite3 *db;

	CHECK(history_folder_path(path, folder, name, ""));
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK) {
		if (sqlite3_step(statement) == SQLITE_ROW)
			number = sqlite3_column_int64(statement, 0);
		sqlite3_finalize(statement);
	}
	sqlite3_close(db);
	return number;
}

/* Returns how many records the reader finds in a file, -1 if it reports an error. */
__attribute__((unused)) static int count_records(const char *folder, const char *name,
						 const struct history_selection *selection)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	struct history_reader *reader;
	struct nt_record record;
	int count = 0, result = history_reader_open(&reader, folder, name);

	if (!result)
		result = history_reader_select(reader, selection ? selection : &all);
	if (!result)
		while ((result = history_reader_next(reader, &record)) == 1)
			count++;
	history_reader_close(reader);
	return result ? -1 : count;
}

/* Returns whether the folder has these files, the oldest first, ended by NULL. */
__attribute__((unused)) static int has_files(const char *folder, const char *const *names)
{
	struct history_files files;
	unsigned int i = 0;
	int same = !history_folder_list(&files, folder);

	for (; same && i < files.count; i++) {
		same = names[i] && !strcmp(names[i], files.entries[i].name);
		if (!same)
			printf("  file %u is %s\n", i, files.entries[i].name);
	}
	same = same && !names[i];
	history_folder_free(&files);
	return same;
}

#endif
