// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/follow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/util/stop.h"

#define POLL_NS 250000000L /* the history commits once a second, or more often */

static __u64 find_last_seq(struct query_files *files, unsigned int file)
{
	const struct history_selection all = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	struct query_reader reader = { 0 };
	struct history_extent extent = { 0 };
	int error = 0;

	if (query_files_open(files, file, &reader))
		error = history_reader_measure(reader.open, &all, &extent);
	if (error) {
		query_files_report_damage(files, &reader, error);
		query_files_give_up(files, file); /* its old records would come as new ones */
	}
	query_reader_close(&reader);
	return extent.last_seq;
}

void follow_begin(struct follow *follow, struct query_scan *scan)
{
	struct query_files *files = &scan->files;
	unsigned int last = files->names.count - 1;
	bool is_measured = scan->threads;

	follow->folder = files->folder;
	snprintf(follow->name, sizeof(follow->name), "%s", files->names.entries[last].name);
	follow->seq = is_measured ? files->files[last].extent.last_seq : find_last_seq(files, last);
	follow->is_unreadable = files->files[last].is_unreadable;
}

/* Writes the records of the file that came since. */
static void follow_file(struct follow *follow, struct delivery *delivery)
{
	const struct history_selection later = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL, .after_seq = follow->seq };
	struct history_reader *reader;
	struct nt_record record;
	int result = history_reader_open(&reader, follow->folder, follow->name);

	if (!result)
		result = history_reader_select(reader, &later);
	while (!result && !delivery_is_over(delivery) && (result = history_reader_next(reader, &record)) == 1) {
		result = 0;
		follow->seq = history_reader_seq(reader);
		delivery_write(delivery, &record);
	}
	follow->is_busy = result == -EBUSY;
	if (result < 0 && !follow->is_busy) {
		follow->is_unreadable = true;
		follow->is_incomplete = follow->is_incomplete || result != -ENOENT; /* the retention removed it */
	}
	history_reader_close(reader);
}

static void follow_files(struct follow *follow, struct delivery *delivery)
{
	struct history_files files;
	unsigned int i;

	if (history_folder_read(&files, follow->folder))
		files.count = 0; /* removed; it may come again */
	follow->is_busy = false;
	for (i = 0; i < files.count && !follow->is_busy; i++) {
		int order = strcmp(files.entries[i].name, follow->name);

		if (order < 0)
			continue;
		if (order > 0) {
			snprintf(follow->name, sizeof(follow->name), "%s", files.entries[i].name);
			follow->seq = 0;
			follow->is_unreadable = false;
		}
		if (!follow->is_unreadable)
			follow_file(follow, delivery);
	}
	history_folder_free(&files);
}

void follow_run(struct follow *follow, struct delivery *delivery)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };

	delivery_flush(delivery);
	while (!stop_is_requested() && !delivery_is_over(delivery)) {
		nanosleep(&pause, NULL);
		follow_files(follow, delivery);
		delivery_flush(delivery);
	}
	follow->is_incomplete = follow->is_incomplete || follow->is_busy;
}
