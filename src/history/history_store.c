// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/history/history_database.h"
#include "src/history/history_schema.h"
#include "src/util/message.h"

#define NS_PER_DAY (24ULL * 3600 * 1000000000)
#define FILES_WITHIN_SIZE 4 /* removing whole files must be able to keep a small total */

static void read_boot(char *boot, size_t size)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, boot, size - 1);

	boot[length > 0 ? length : 0] = '\0';
	boot[strcspn(boot, "\n")] = '\0';
	if (fd >= 0)
		close(fd);
}

static int report_file(const struct history_store *store, const char *name, const char *action, int error)
{
	message_error("history: %s/%s: cannot %s: %s", store->options->folder, name, action,
		      history_database_reason(error));
	return error;
}

/* Without an answer to what a file is, it is left alone. */
static void complete_file(const struct history_store *store, const char *name)
{
	char path[HISTORY_PATH_SIZE];
	int error;

	if (!history_folder_path(path, store->options->folder, name, "") || !history_file_has_log(path) ||
	    history_file_version(path) < 0)
		return;
	error = history_file_complete(path);
	if (error && error != -EBUSY) /* it is read now; the next start tries again */
		report_file(store, name, "finish", error);
}

static void complete_files(const struct history_store *store, const struct history_files *files, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		complete_file(store, files->entries[i].name);
}

/* Leaves room for the current file. */
static void remove_old_files(const struct history_store *store, __u64 now_ns)
{
	const struct history_options *options = store->options;
	__u64 most_bytes = options->most_bytes ? options->most_bytes - store->most_of_file : 0;

	history_folder_retain(options->folder, now_ns, options->most_age_ns, most_bytes, store->file ? 1 : 0);
}

/* Returns whether the newest file is of today and of this schema, and has room. */
static bool may_continue(const struct history_store *store, const struct history_entry *last, __u64 now_ns)
{
	char path[HISTORY_PATH_SIZE];
	int version;

	if (last->day != now_ns / NS_PER_DAY || last->bytes >= store->most_of_file ||
	    !history_folder_path(path, store->options->folder, last->name, ""))
		return false;
	version = history_file_version(path);
	if (version > HISTORY_SCHEMA_VERSION)
		message_error(
			"history: %s: written by a later netracker (schema %d, this one writes %d); it stays as it "
			"is, and another file is begun",
			path, version, HISTORY_SCHEMA_VERSION);
	else if (version < 0)
		message_error("history: %s: cannot continue it: %s; it stays as it is, and another file is begun", path,
			      version == -EINVAL ? "it is no history" : history_database_reason(version));
	return version == HISTORY_SCHEMA_VERSION;
}

static int open_file(struct history_store *store, bool exists, __u64 now_ns)
{
	char path[HISTORY_PATH_SIZE];
	int error = -ENAMETOOLONG;

	store->day = (__u32)(now_ns / NS_PER_DAY);
	store->writing.begin_ns = now_ns;
	if (history_folder_path(path, store->options->folder, store->current.name, ""))
		error = history_file_open(&store->file, path, exists, &store->writing);
	if (error) {
		history_file_close(store->file);
		store->file = NULL;
	}
	return error;
}

/* Begins a new file, or at the start continues the newest one if it may. */
static int open_current(struct history_store *store, bool is_start, __u64 now_ns)
{
	struct history_files files;
	struct history_entry *last;
	bool exists;
	int error = history_folder_read(&files, store->options->folder);

	if (!error) {
		last = files.count ? &files.entries[files.count - 1] : NULL;
		exists = is_start && last && may_continue(store, last, now_ns);
		complete_files(store, &files, files.count - exists);
		if (exists)
			store->current = *last;
		else
			history_folder_set_next(&store->current, last, now_ns);
		error = open_file(store, exists, now_ns);
	}
	history_folder_free(&files);
	return error;
}

__u64 history_store_drop_oldest(struct history_store *store)
{
	const char *folder = store->options->folder;
	const struct history_entry *oldest;
	struct history_files files;
	__u64 bytes = 0;

	if (history_folder_read(&files, folder))
		return 0;
	oldest = files.entries;
	if (files.count && (!store->file || strcmp(oldest->name, store->current.name)) &&
	    !history_folder_remove(folder, oldest->name)) {
		bytes = oldest->bytes ? oldest->bytes : 1;
		message_error("history: no room: the oldest file, %s/%s, was removed", folder, oldest->name);
	}
	history_folder_free(&files);
	return bytes;
}

int history_store_open(struct history_store *store, const struct history_options *options, __u64 now_ns)
{
	__u64 quarter = options->most_bytes / FILES_WITHIN_SIZE;
	int error;

	*store = (struct history_store){ .options = options, .lock_fd = -1 };
	store->most_of_file = quarter && quarter < HISTORY_MOST_OF_FILE ? quarter : HISTORY_MOST_OF_FILE;
	read_boot(store->boot, sizeof(store->boot));
	store->writing.command = options->command;
	store->writing.boot = store->boot;
	store->writing.is_replay = options->is_replay;
	error = history_folder_make(options->folder);
	if (error)
		return error;
	store->lock_fd = history_folder_lock(options->folder);
	if (store->lock_fd < 0)
		return store->lock_fd;
	history_folder_sweep(options->folder);
	remove_old_files(store, now_ns);
	error = open_current(store, true, now_ns);
	if (error == -ENOSPC && !options->is_replay && history_store_drop_oldest(store))
		error = open_current(store, true, now_ns);
	if (error == -ENOSPC && !options->is_replay) /* the first batch reports it; there may be room by then */
		return 0;
	return error ? report_file(store, store->current.name, "write", error) : 0;
}

static bool is_time_for_new_file(const struct history_store *store, __u64 now_ns)
{
	return store->day != now_ns / NS_PER_DAY || history_file_bytes(store->file) >= store->most_of_file;
}

/* A file that a reader keeps from being completed is completed when the next one is replaced. */
static void finish_current(struct history_store *store, __u64 now_ns)
{
	history_file_finish(store->file, now_ns);
	history_file_close(store->file);
	store->file = NULL;
}

/* After an error: the file goes on if it can be opened. */
static void reopen_current(struct history_store *store, __u64 now_ns)
{
	__u32 day = store->day;

	if (!store->file && store->is_abandoned && !open_file(store, true, now_ns))
		store->day = day;
	store->is_abandoned = false;
}

static bool is_committed(const struct history_store *store)
{
	return store->file && store->doubtful_seq && history_file_next_seq(store->file) == store->doubtful_seq;
}

static int choose_file(struct history_store *store, __u64 now_ns)
{
	int error;

	if (store->file && !history_file_is_there(store->file)) {
		message_error("history: %s/%s: was removed while it was written; another file is begun",
			      store->options->folder, store->current.name);
		history_file_close(store->file);
		store->file = NULL;
	}
	if (store->file && is_time_for_new_file(store, now_ns))
		finish_current(store, now_ns);
	if (store->file)
		return 0;
	error = open_current(store, false, now_ns);
	if (!error)
		remove_old_files(store, now_ns);
	return error;
}

static int write_batch(struct history_store *store, const struct history_block *batch, __u64 now_ns,
		       const __u64 lost[ACCOUNTING_LOSSES])
{
	int error = history_file_begin(store->file);

	for (; batch && !error; batch = batch->next) {
		const struct nt_record *record;
		size_t place = 0;

		while (!error && (record = history_block_next(batch, &place)))
			error = history_file_add(store->file, record);
	}
	return error ? error : history_file_commit(store->file, now_ns, lost);
}

/* A sync that fails may come after the commit is in the log. Before the commit nothing of the batch is there. */
static void abandon_file(struct history_store *store)
{
	if (history_file_is_doubtful(store->file))
		store->doubtful_seq = history_file_next_seq(store->file);
	history_file_undo(store->file);
	history_file_close(store->file);
	store->file = NULL;
	store->is_abandoned = true;
}

void history_store_set_begin(struct history_store *store, __u64 ns)
{
	if (store->file)
		history_file_set_begin(store->file, ns);
}

int history_store_write(struct history_store *store, const struct history_block *batch, __u64 now_ns,
			const __u64 lost[ACCOUNTING_LOSSES])
{
	int error;

	reopen_current(store, now_ns);
	if (is_committed(store)) {
		store->doubtful_seq = 0;
		return 0;
	}
	error = choose_file(store, now_ns);
	if (error)
		return error;
	store->doubtful_seq = 0;
	error = write_batch(store, batch, now_ns, lost);
	if (error && error != -ENOSPC && error != -ENOMEM)
		abandon_file(store);
	else if (error)
		history_file_undo(store->file);
	return error;
}

void history_store_give_up(struct history_store *store)
{
	store->doubtful_seq = 0;
}

int history_store_finish(struct history_store *store, __u64 now_ns)
{
	int error = store->file ? history_file_finish(store->file, now_ns) : 0;

	history_file_close(store->file);
	store->file = NULL;
	if (error && error != -EBUSY)
		report_file(store, store->current.name, "finish", error);
	return error == -EBUSY || error == -ENOSPC ? 0 : error;
}

void history_store_close(struct history_store *store)
{
	history_file_close(store->file);
	store->file = NULL;
	if (store->lock_fd >= 0)
		close(store->lock_fd);
	store->lock_fd = -1;
}
