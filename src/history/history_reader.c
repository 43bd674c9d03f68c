// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_reader.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/history/history_cache.h"
#include "src/history/history_database.h"
#include "src/history/history_file.h"
#include "src/history/history_rows.h"
#include "src/history/history_schema.h"
#include "src/util/message.h"

struct history_reader {
	sqlite3 *db;
	char path[HISTORY_PATH_SIZE];
	struct history_rows conn, more;
	struct history_cache caches[HISTORY_TABLES]; /* only those of dictionaries are used */
	sqlite3_stmt *marks;
	bool in_mark; /* `conn` returns the records of a mark */
	__u64 seq;
};

static int report_reading(const struct history_reader *reader, int error)
{
	if (error == -EACCES && history_file_has_log(reader->path)) {
		message_error(
			"history: %s: a crash left it with a log; root can read it, and the next netracker record "
			"finishes it",
			reader->path);
		return error;
	}
	message_error("history: %s: cannot read: %s", reader->path, history_database_reason(error));
	return error;
}

/* ---- open ---- */

/* A file with a log whose writer is gone is opened for writing, if that is permitted: SQLite needs it to take the log's
 * commits. */
static int open_database(struct history_reader *reader)
{
	sqlite3_int64 tables;
	int error = history_database_open(&reader->db, reader->path, SQLITE_OPEN_READONLY);

	if (!error)
		error = history_database_number(reader->db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (!error || error == -ENOENT || error == -EUCLEAN)
		return error;
	sqlite3_close(reader->db);
	error = history_database_open(&reader->db, reader->path, SQLITE_OPEN_READWRITE);
	if (!error)
		error = history_database_number(reader->db, "SELECT count(*) FROM sqlite_schema", &tables);
	return error;
}

static int check_version(const struct history_reader *reader)
{
	int version = history_schema_version(reader->db);

	if (version == -EINVAL)
		message_error("history: %s: it is no history of netracker", reader->path);
	else if (version < 0)
		return report_reading(reader, version);
	else if (version > HISTORY_SCHEMA_VERSION)
		message_error("history: %s: written by a later netracker (schema %d, this one reads up to %d); it is "
			      "passed over",
			      reader->path, version, HISTORY_SCHEMA_VERSION);
	return version > 0 && version <= HISTORY_SCHEMA_VERSION ? 0 : -EINVAL;
}

int history_reader_open(struct history_reader **opened, const char *folder, const char *name)
{
	struct history_reader *reader = calloc(1, sizeof(*reader));
	int error;

	*opened = reader;
	if (!reader) {
		message_error("history: out of memory");
		return -ENOMEM;
	}
	if (!history_folder_path(reader->path, folder, name, ""))
		return report_reading(reader, -ENAMETOOLONG);
	error = open_database(reader);
	return error ? report_reading(reader, error) : check_version(reader);
}

/* ---- select ---- */

static void finish_selection(struct history_reader *reader)
{
	enum history_table table;

	sqlite3_finalize(reader->marks);
	sqlite3_finalize(reader->conn.statement);
	sqlite3_finalize(reader->more.statement);
	reader->marks = reader->conn.statement = reader->more.statement = NULL;
	for (table = 0; table < HISTORY_TABLES; table++)
		if (history_table_is_dictionary(table))
			history_cache_free(&reader->caches[table]);
	reader->in_mark = false;
}

static sqlite3_int64 bound(__u64 ns)
{
	return ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)ns;
}

/* ?1 and ?2 are the span, ?3 the last record that is left out. */
static int prepare_marks(struct history_reader *reader, const struct history_selection *selection)
{
	struct text_buffer sql = { 0 };
	int error;

	text_format(&sql,
		    "SELECT max(first_seq,?3+1),last_seq FROM mark WHERE max_time_ns>=?1 AND %s<=?2 AND last_seq>?3 "
		    "ORDER BY first_seq %s",
		    selection->match == HISTORY_ALIVE_IN ? "min_start_ns" : "min_time_ns",
		    selection->newest_first ? "DESC" : "ASC");
	text_char(&sql, '\0');
	error = sql.failed ? -ENOMEM : history_database_prepare(reader->db, &reader->marks, sql.bytes);
	text_free(&sql);
	if (error)
		return error;
	sqlite3_bind_int64(reader->marks, 1, bound(selection->from_ns));
	sqlite3_bind_int64(reader->marks, 2, bound(selection->to_ns));
	sqlite3_bind_int64(reader->marks, 3, bound(selection->after_seq));
	return 0;
}

/* ?1 and ?2 are the span, ?3 and ?4 the records of a mark. */
static int prepare_conn(struct history_reader *reader, const struct history_selection *selection)
{
	const char *order = selection->newest_first ? "DESC" : "ASC";
	struct text_buffer sql = { 0 };
	int error = history_rows_choose(&reader->conn, reader->db, HISTORY_CONN, selection->wanted);

	reader->conn.before = 1;
	text_string(&sql, "SELECT seq");
	history_rows_append_names(&sql, &reader->conn);
	text_format(&sql, " FROM conn WHERE seq BETWEEN ?3 AND ?4 AND time_ns>=?1 AND %s<=?2 ORDER BY seq %s",
		    selection->match == HISTORY_ALIVE_IN ? "ifnull(start_ns,0)" : "time_ns", order);
	text_char(&sql, '\0');
	if (!error)
		error = sql.failed ? -ENOMEM : history_database_prepare(reader->db, &reader->conn.statement, sql.bytes);
	text_free(&sql);
	if (error)
		return error;
	sqlite3_bind_int64(reader->conn.statement, 1, bound(selection->from_ns));
	sqlite3_bind_int64(reader->conn.statement, 2, bound(selection->to_ns));
	return 0;
}

static int prepare_more(struct history_reader *reader, const struct history_selection *selection)
{
	struct text_buffer sql = { 0 };
	int error = history_rows_choose(&reader->more, reader->db, HISTORY_MORE, selection->wanted);

	if (error || !reader->more.count)
		return error;
	reader->more.before = 1;
	text_string(&sql, "SELECT seq");
	history_rows_append_names(&sql, &reader->more);
	text_string(&sql, " FROM more WHERE seq=?");
	text_char(&sql, '\0');
	error = sql.failed ? -ENOMEM : history_database_prepare(reader->db, &reader->more.statement, sql.bytes);
	text_free(&sql);
	return error;
}

static int prepare_caches(struct history_reader *reader, const struct history_selection *selection)
{
	enum history_table table;
	int error = 0;

	for (table = 0; table < HISTORY_TABLES && !error; table++)
		if (history_table_is_dictionary(table))
			error = history_cache_init(&reader->caches[table], reader->db, table, selection->wanted);
	return error;
}

int history_reader_select(struct history_reader *reader, const struct history_selection *selection)
{
	int error;

	finish_selection(reader);
	error = prepare_marks(reader, selection);
	if (!error)
		error = prepare_conn(reader, selection);
	if (!error)
		error = prepare_more(reader, selection);
	if (!error)
		error = prepare_caches(reader, selection);
	return error ? report_reading(reader, error) : 0;
}

/* ---- records ---- */

static const char *column_text(sqlite3_stmt *statement, int index)
{
	const char *text = (const char *)sqlite3_column_text(statement, index);

	return text ? text : "";
}

/* Returns 1, 0 after the last mark, or -errno. The statement of the marks stays in use until then, which keeps the state
 * of the file. */
static int begin_mark(struct history_reader *reader)
{
	int result = sqlite3_step(reader->marks), error = history_database_errno(reader->db, result);

	if (error || result != SQLITE_ROW)
		return error;
	sqlite3_reset(reader->conn.statement);
	sqlite3_bind_int64(reader->conn.statement, 3, sqlite3_column_int64(reader->marks, 0));
	sqlite3_bind_int64(reader->conn.statement, 4, sqlite3_column_int64(reader->marks, 1));
	reader->in_mark = true;
	return 1;
}

/* Returns 1, 0 after the last record, or -errno. */
static int step_conn(struct history_reader *reader)
{
	int result;

	for (;;) {
		result = reader->in_mark ? 1 : begin_mark(reader);
		if (result != 1)
			return result;
		result = sqlite3_step(reader->conn.statement);
		if (result == SQLITE_ROW)
			return 1;
		reader->in_mark = false;
		if (result != SQLITE_DONE)
			return history_database_errno(reader->db, result);
	}
}

static int load_more(struct history_reader *reader, struct nt_record *record)
{
	int result, error;

	if (!reader->more.statement)
		return 0;
	sqlite3_bind_int64(reader->more.statement, 1, (sqlite3_int64)reader->seq);
	result = sqlite3_step(reader->more.statement);
	error = history_database_errno(reader->db, result);
	if (result == SQLITE_ROW && !history_rows_load(&reader->more, record))
		error = -EUCLEAN;
	sqlite3_reset(reader->more.statement);
	return error;
}

static int load_record(struct history_reader *reader, struct nt_record *record)
{
	enum history_table table;
	int error = 0;

	memset(record, 0, sizeof(*record));
	reader->seq = (__u64)sqlite3_column_int64(reader->conn.statement, 0);
	if (!history_rows_load(&reader->conn, record))
		return -EUCLEAN;
	for (table = 0; table < HISTORY_TABLES && !error; table++)
		if (history_table_is_dictionary(table))
			error = history_cache_copy(&reader->caches[table], reader->db,
						   history_rows_reference(&reader->conn, table), record);
	return error ? error : load_more(reader, record);
}

void history_reader_stop(struct history_reader *reader)
{
	sqlite3_reset(reader->conn.statement);
	sqlite3_reset(reader->marks);
	reader->in_mark = false;
}

int history_reader_next(struct history_reader *reader, struct nt_record *record)
{
	int result = step_conn(reader), error;

	if (result == 1) {
		error = load_record(reader, record);
		result = error ? error : 1;
	}
	if (result != 1)
		history_reader_stop(reader);
	return result < 0 ? report_reading(reader, result) : result;
}

int history_reader_next_id(struct history_reader *reader, __u64 *id, const char **other)
{
	int result = step_conn(reader);

	if (result != 1) {
		history_reader_stop(reader);
		return result < 0 ? report_reading(reader, result) : result;
	}
	reader->seq = (__u64)sqlite3_column_int64(reader->conn.statement, 0);
	*id = 0;
	*other = "";
	if (sqlite3_column_type(reader->conn.statement, 1) == SQLITE_INTEGER)
		*id = (__u64)sqlite3_column_int64(reader->conn.statement, 1);
	else
		*other = column_text(reader->conn.statement, 1);
	return 1;
}

static void bind_span(struct history_reader *reader, __u64 from_ns, __u64 to_ns)
{
	sqlite3_bind_int64(reader->conn.statement, 1, bound(from_ns));
	sqlite3_bind_int64(reader->conn.statement, 2, bound(to_ns));
}

int history_reader_find(struct history_reader *reader, __u64 seq, struct nt_record *record)
{
	int result, error;

	sqlite3_reset(reader->conn.statement);
	bind_span(reader, 0, ~0ULL);
	sqlite3_bind_int64(reader->conn.statement, 3, (sqlite3_int64)seq);
	sqlite3_bind_int64(reader->conn.statement, 4, (sqlite3_int64)seq);
	result = sqlite3_step(reader->conn.statement);
	error = history_database_errno(reader->db, result);
	if (!error && result == SQLITE_ROW)
		error = load_record(reader, record);
	sqlite3_reset(reader->conn.statement);
	return error ? report_reading(reader, error) : result == SQLITE_ROW;
}

__u64 history_reader_seq(const struct history_reader *reader)
{
	return reader->seq;
}

/* ---- coverage ---- */

int history_reader_runs(struct history_reader *reader, void (*visit)(void *context, const struct history_run *run),
			void *context)
{
	sqlite3_stmt *statement;
	int result, error = history_database_prepare(
			    reader->db, &statement,
			    "SELECT begin_ns,end_ns,finished,command,boot,version FROM run ORDER BY begin_ns,id");

	if (error)
		return report_reading(reader, error);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const struct history_run run = {
			.begin_ns = (__u64)sqlite3_column_int64(statement, 0),
			.end_ns = (__u64)sqlite3_column_int64(statement, 1),
			.is_finished = sqlite3_column_int(statement, 2),
			.command = column_text(statement, 3),
			.boot = column_text(statement, 4),
			.version = column_text(statement, 5),
		};

		visit(context, &run);
	}
	error = history_database_errno(reader->db, result);
	sqlite3_finalize(statement);
	return error ? report_reading(reader, error) : 0;
}

int history_reader_losses(struct history_reader *reader, void (*visit)(void *context, const struct history_loss *loss),
			  void *context)
{
	sqlite3_stmt *statement;
	int result, error = history_database_prepare(reader->db, &statement,
						     "SELECT time_ns,records,cause FROM loss ORDER BY time_ns");

	if (error)
		return report_reading(reader, error);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const struct history_loss loss = {
			.time_ns = (__u64)sqlite3_column_int64(statement, 0),
			.records = (__u64)sqlite3_column_int64(statement, 1),
			.cause = column_text(statement, 2),
		};

		visit(context, &loss);
	}
	error = history_database_errno(reader->db, result);
	sqlite3_finalize(statement);
	return error ? report_reading(reader, error) : 0;
}

void history_reader_close(struct history_reader *reader)
{
	if (!reader)
		return;
	finish_selection(reader);
	sqlite3_close(reader->db);
	free(reader);
}
