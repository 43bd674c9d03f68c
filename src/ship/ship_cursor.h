/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file that says what a destination has received. It is replaced as a whole before each request, so that after a
 * crash the same records are sent again, in the same batch. */
#ifndef NETRACKER_SHIP_CURSOR_H
#define NETRACKER_SHIP_CURSOR_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/record.h"
#include "src/history/history_folder.h"
#include "src/util/text_buffer.h"

#define SHIP_MACHINE_SIZE 256

/* A file of the history, and its last record when it was last read: what retention removes can be counted only by what
 * is known before. */
struct ship_known {
	char name[HISTORY_NAME_SIZE];
	__u64 last_seq;
	unsigned int rest; /* looks until it is read again, after an error that may pass */
	bool is_final;     /* a later file was there, so none is added */
	bool is_damaged;   /* or of a later schema: it is passed over */
};

struct ship_cursor {
	char path[HISTORY_PATH_SIZE], rejected_path[HISTORY_PATH_SIZE];
	char folder[HISTORY_PATH_SIZE];  /* of the history */
	int lock;                        /* descriptor */
	char segment[HISTORY_NAME_SIZE]; /* "": before the first file */
	__u64 seq;                       /* the last record of the segment that was received */
	char id[NT_ID_SIZE];             /* its id, by which the file is known again; "": unknown */
	__u64 pending_end;               /* the last one of a batch that may have been received; 0: none */
	char machine[SHIP_MACHINE_SIZE]; /* the name in records of that batch that have none */
	struct ship_known *known;        /* the segment and later files */
	unsigned int known_count;
	struct text_buffer saved; /* the file */
	int save_error;           /* -errno of the last attempt to write it; 0: none */
};

/* Locks and reads the file, or begins without one. `name`: of the destination, for the file's; if there is only a file of
 * the `former` name, that one is renamed. Returns false after reporting the error; call ship_cursor_close() either way. */
bool ship_cursor_open(struct ship_cursor *cursor, const char *state, const char *folder, const char *name,
		      const char *former);
void ship_cursor_close(struct ship_cursor *cursor);

/* Writes, syncs and renames, unless nothing has changed. Returns 0 or -errno; an error is reported when it begins and when it
 * ends. */
int ship_cursor_save(struct ship_cursor *cursor);

/* Returns whether an error of writing is one of the disk, which may pass. */
bool ship_cursor_may_heal(int error);

/* Returns the known file of this name, which is added unless it is there, or NULL without memory. */
struct ship_known *ship_cursor_know(struct ship_cursor *cursor, const char *name);

/* Removes the known file at an index. */
void ship_cursor_forget(struct ship_cursor *cursor, unsigned int index);

#endif
