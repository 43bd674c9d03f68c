/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of a history that a question reads. */
#ifndef NETRACKER_QUERY_FILES_H
#define NETRACKER_QUERY_FILES_H

#include <linux/types.h>
#include <pthread.h>
#include <stdbool.h>

#include "src/history/history_reader.h"

struct query_file {
	bool is_unreadable; /* reported; it is passed over */
	bool is_damaged;    /* reported; what can be read of it is part of the answer */
	bool is_removed;    /* by the retention, since the folder was listed */
	struct history_extent extent;
};

/* Any thread may open files and note what is wrong with them. */
struct query_files {
	const char *folder;
	struct history_files names;
	struct query_file *files;
	pthread_mutex_t lock; /* of `files`, and of what follows */
	unsigned int removed;
	bool is_incomplete; /* a file could not be read, or not wholly */
};

/* Has one file open at a time. All zero is none; belongs to one thread. */
struct query_reader {
	struct history_reader *open; /* NULL: no file is open */
	unsigned int file;           /* the one that is open */
};

/* Lists the folder. Returns false after reporting the error. Call query_files_free() either way. */
bool query_files_list(struct query_files *files, const char *folder);
void query_files_free(struct query_files *files);

/* Opens a file instead of the one before, unless it is open already. NULL if it cannot be read, which is reported once, or
 * is not there any more. */
struct history_reader *query_files_open(struct query_files *files, unsigned int file, struct query_reader *reader);
void query_reader_close(struct query_reader *reader);

/* Sets each file's extent: what its marks say of a selection. */
void query_files_measure(struct query_files *files, const struct history_selection *selection);

/* The same for one file, which the reader opens. */
void query_files_measure_one(struct query_files *files, unsigned int file, const struct history_selection *selection,
			     struct query_reader *reader);

/* Notes that the file, or a part of it, could not be read, and reports the first such error of the file. */
void query_files_report_damage(struct query_files *files, const struct query_reader *reader, int error);

/* Notes that the file cannot be read, which is reported already; it is passed over from now on. */
void query_files_give_up(struct query_files *files, unsigned int file);

#endif
