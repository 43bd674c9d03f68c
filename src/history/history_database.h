/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SQLite as the writer and the reader of a history use it: open, run statements, name errors. */
#ifndef NETRACKER_HISTORY_DATABASE_H
#define NETRACKER_HISTORY_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>

/* Returns -errno for a result of SQLite, with what it knows of the system's error: -ENOSPC without room, -EUCLEAN if the
 * file is damaged or no database, -ENOMEM, -EBUSY, -EACCES, -ENOENT, else -EIO. 0 for SQLITE_OK, _ROW and _DONE. `db` may be NULL. */
int history_database_errno(sqlite3 *db, int result);

/* Returns what a user can understand of an error that the function above returned. */
const char *history_database_reason(int error);

/* Opens the file. `flags` are those of sqlite3_open_v2(). A lock of another process is waited for, 5 s at most. Returns 0 or
 * -errno; nothing is reported. *db is NULL after an error. */
int history_database_open(sqlite3 **db, const char *path, int flags);

/* Runs statements without results. Returns 0 or -errno. */
int history_database_run(sqlite3 *db, const char *sql);

/* Prepares a statement that is used again and again. Returns 0 or -errno. */
int history_database_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql);

/* Runs a statement that returns one number. Returns 0 or -errno; *number is 0 if there is no row. */
int history_database_number(sqlite3 *db, const char *sql, sqlite3_int64 *number);

#endif
