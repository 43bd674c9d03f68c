/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of a history: the names of its files, in the order in which they were begun, and the lock of its writer. */
#ifndef NETRACKER_HISTORY_FOLDER_H
#define NETRACKER_HISTORY_FOLDER_H

#include <linux/types.h>
#include <stdbool.h>

#define HISTORY_NAME_SIZE 32

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

/* Lists the folder's files; other names are passed over. Returns 0, or -errno after reporting the error. Call
 * history_folder_free() after 0. */
int history_folder_list(struct history_files *files, const char *folder);
void history_folder_free(struct history_files *files);

/* Returns whether a process is writing the folder now. */
bool history_folder_has_writer(const char *folder);

#endif
