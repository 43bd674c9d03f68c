/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of a history: the names of its files, in the order in which they were begun; who may read them; the lock of
 * its writer; and the retention. */
#ifndef NETRACKER_HISTORY_FOLDER_H
#define NETRACKER_HISTORY_FOLDER_H

#include <linux/types.h>
#include <stdbool.h>

#define HISTORY_NAME_SIZE 64
#define HISTORY_PATH_SIZE 4096
#define HISTORY_NEW_SUFFIX ".new" /* of a file that is being made */
#define HISTORY_DEFAULT_FOLDER "/var/lib/netracker/history"

/* A file's name is the day (UTC) on which it was begun, and its number on that day: 2026-11-29-0001.db. A later file's
 * name is always greater, even if the clock was set back.
 */
struct history_entry {
	char name[HISTORY_NAME_SIZE];
	__u32 day;    /* since the Unix epoch */
	__u32 number; /* 1 or more */
	__u64 bytes;  /* with the log (-wal) beside it */
};

struct history_files {
	struct history_entry *entries; /* the oldest first */
	unsigned int count;
};

/* Lists the folder's files; other names are passed over. Returns 0, or -errno; history_folder_list() reports the error. Call
 * history_folder_free() either way. */
int history_folder_read(struct history_files *files, const char *folder);
int history_folder_list(struct history_files *files, const char *folder);
void history_folder_free(struct history_files *files);

/* Returns whether a process is writing the folder now. */
bool history_folder_has_writer(const char *folder);

/* Writes the path of a file, or with a suffix of one beside it. Returns false if it is too long. */
bool history_folder_path(char path[HISTORY_PATH_SIZE], const char *folder, const char *name, const char *suffix);

/* Sets the name of the file that follows `last` (NULL: there is none) at this time. */
void history_folder_set_next(struct history_entry *next, const struct history_entry *last, __u64 now_ns);

/* Makes the folder unless it exists, with the mode 0750 and the group netracker if there is one. If its parent is missing
 * too, that is an error, except for the default folder. Returns 0, or -errno after reporting the error. */
int history_folder_make(const char *folder);

/* Makes a file with the mode 0640 and the group netracker if there is one. Returns its descriptor, or -errno. */
int history_folder_make_file(const char *path, int flags);

/* Locks the folder for this process as its one writer, until the descriptor is closed. Returns the descriptor, or -errno
 * after reporting the error: -EBUSY if another process has the lock. */
int history_folder_lock(const char *folder);

/* Removes a file with what is beside it, or only that: the log of a file that is gone would become part of a new one of the
 * same name. Returns 0 or -errno. */
int history_folder_remove(const char *folder, const char *name);
void history_folder_remove_beside(const char *path);

/* Removes what a crash has left and nothing else would find: a file that was being made, and SQLite's files without the one
 * that they belong to. The caller has the lock. */
void history_folder_sweep(const char *folder);

/* Removes files of days that ended longer ago than `most_age_ns`, then the oldest until all have at most `most_bytes`; 0
 * is no limit. The newest `kept` files stay, and so does one that cannot be removed, which is reported. */
void history_folder_retain(const char *folder, __u64 now_ns, __u64 most_age_ns, __u64 most_bytes, unsigned int kept);

#endif
