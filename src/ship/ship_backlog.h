/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which records of a history wait to be sent, and which ones retention removed before that. */
#ifndef NETRACKER_SHIP_BACKLOG_H
#define NETRACKER_SHIP_BACKLOG_H

#include "src/history/history_reader.h"
#include "src/ship/ship_cursor.h"

struct ship_backlog {
	struct ship_cursor *cursor;
	__u64 removed;       /* records that retention removed unsent */
	bool has_damage;     /* a file was passed over */
	bool has_unreadable; /* a file could not be read, which may pass */
};

/* Looks at the folder: notes new files and new records, counts what was removed, and moves the cursor to the file that is
 * to be read now. Returns false after reporting an error, which may pass. */
bool ship_backlog_look(struct ship_backlog *backlog);

/* As ship_backlog_look(), while a batch may be on its way: the cursor does not move, and what was removed of its file is
 * counted by the next ship_backlog_look(). */
void ship_backlog_watch(struct ship_backlog *backlog);

/* Returns whether the cursor is at a file, and that is not known as damaged. */
bool ship_backlog_can_read(const struct ship_backlog *backlog);

/* Begins the cursor's file anew if it has another record where the last one that was sent was: a folder that was emptied
 * begins again with the same names. Returns 0, or -errno after reporting it. */
int ship_backlog_check_file(struct ship_backlog *backlog, struct history_reader *reader);

/* Returns whether a later file than the cursor's is there, so that the cursor's gets no more records. */
bool ship_backlog_has_next(const struct ship_backlog *backlog);

/* Moves the cursor to the next file, after the last record of its own. */
void ship_backlog_advance(struct ship_backlog *backlog);

/* Passes over the rest of the cursor's file, which is damaged. */
void ship_backlog_pass_over(struct ship_backlog *backlog);

/* Returns how many known records were not received yet. */
__u64 ship_backlog_count(const struct ship_backlog *backlog);

#endif
