// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_database.h"

#include <errno.h>
#include <string.h>

#define PRIMARY_CODE 0xff /* the bits above it are details */
#define WAIT_FOR_LOCK_MS 5000

/* A file system without room makes SQLite report an I/O error where it cannot make a file longer. */
static int errno_of_io(sqlite3 *db)
{
	int error = db ? sqlite3_system_errno(db) : 0;

	return error == ENOSPC || error == EDQUOT ? -ENOSPC : error == EACCES || error == EPERM ? -EACCES : -EIO;
}

static int errno_of_opening(sqlite3 *db)
{
	int error = db ? sqlite3_system_errno(db) : 0;

	return error ? -error : -EIO;
}

int history_database_errno(sqlite3 *db, int result)
{
	switch (result & PRIMARY_CODE) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CANTOPEN:
		return errno_of_opening(db);
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	default:
		return errno_of_io(db);
	}
}

const char *history_database_reason(int error)
{
	if (error == -EUCLEAN)
		return "it is damaged, or no SQLite file";
	if (error == -EBUSY)
		return "another process holds it";
	return strerror(-error);
}

/* A file may come from somebody else: it has no views for this program, since one with the name of a table could count
 * for ever, and its triggers do not run. */
static void distrust_schema(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
	sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
}

int history_database_open(sqlite3 **db, const char *path, int flags)
{
	int result = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	int error = history_database_errno(*db, result);

	if (error) {
		sqlite3_close(*db);
		*db = NULL;
		return error;
	}
	distrust_schema(*db);
	sqlite3_busy_timeout(*db, WAIT_FOR_LOCK_MS);
	return 0;
}

int history_database_run(sqlite3 *db, const char *sql)
{
	return history_database_errno(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int history_database_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql)
{
	return history_database_errno(db, sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL));
}

int history_database_number(sqlite3 *db, const char *sql, sqlite3_int64 *number)
{
	sqlite3_stmt *statement;
	int error = history_database_prepare(db, &statement, sql);

	*number = 0;
	if (error)
		return error;
	error = history_database_errno(db, sqlite3_step(statement));
	*number = error || !sqlite3_data_count(statement) ? 0 : sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return error;
}
