// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/follow.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "src/query/query_columns.h"
#include "src/util/stop.h"

#define POLL_NS 250000000L /* the history commits once a second, or more often */

static __u64 find_last_seq(struct query_scan *scan, unsigned int file)
{
	struct history_columns columns = { { 0 } };
	const struct history_selection newest = {
		.match = HISTORY_TIME_IN, .to_ns = ~0ULL, .newest_first = true, .wanted = &columns
	};
	struct history_reader *reader = query_scan_reader(scan, file);
	const char *other;
	__u64 id;

	query_columns_add_keys(&columns, "id");
	if (!reader || history_reader_select(reader, &newest) || history_reader_next_id(reader, &id, &other) != 1)
		return 0;
	return history_reader_seq(reader);
}

void follow_begin(struct follow *follow, struct query_scan *scan)
{
	unsigned int last = scan->names.count - 1;

	follow->folder = scan->folder;
	snprintf(follow->name, sizeof(follow->name), "%s", scan->names.entries[last].name);
	follow->seq = scan->knows_newest ? scan->files[last].last_seq : find_last_seq(scan, last);
	follow->is_unreadable = scan->files[last].is_unreadable;
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
	if (result < 0)
		follow->is_unreadable = follow->is_incomplete = true;
	history_reader_close(reader);
}

static void follow_files(struct follow *follow, struct delivery *delivery)
{
	struct history_files files;
	unsigned int i;

	if (history_folder_read(&files, follow->folder))
		files.count = 0; /* removed; it may come again */
	for (i = 0; i < files.count; i++) {
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
}
