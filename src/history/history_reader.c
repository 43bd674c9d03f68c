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

	/* history_reader_scan() */
	sqlite3_stmt *inside, *across; /* for marks whose records all are in the span, and for others */
	bool (*visit)(void *context, const struct history_row *row, struct nt_record *record);
	void *context;
	int visit_error;
};

int history_reader_report(const struct history_reader *reader, int error)
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
		return history_reader_report(reader, version);
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
		return history_reader_report(reader, -ENAMETOOLONG);
	error = open_database(reader);
	if (error)
		return error == -ENOENT ? error : history_reader_report(reader, error);
	return check_version(reader);
}

/* ---- select ---- */

static void finish_selection(struct history_reader *reader)
{
	enum history_table table;

	sqlite3_finalize(reader->marks);
	sqlite3_finalize(reader->conn.statement);
	sqlite3_finalize(reader->more.statement);
	sqlite3_finalize(reader->inside);
	sqlite3_finalize(reader->across);
	reader->marks = reader->conn.statement = reader->more.statement = reader->inside = reader->across = NULL;
	for (table = 0; table < HISTORY_TABLES; table++)
		if (history_table_is_dictionary(table))
			history_cache_free(&reader->caches[table]);
	reader->in_mark = false;
}

static sqlite3_int64 bound(__u64 ns)
{
	return ns > INT64_MAX ? INT64_MAX : (sqlite3_int64)ns;
}

/* Prepares the text, and frees it. */
static int prepare_text(struct history_reader *reader, sqlite3_stmt **statement, struct text_buffer *sql)
{
	int error;

	text_char(sql, '\0');
	error = sql->failed ? -ENOMEM : history_database_prepare(reader->db, statement, sql->bytes);
	text_free(sql);
	return error;
}

static void bind_span(sqlite3_stmt *statement, __u64 from_ns, __u64 to_ns)
{
	sqlite3_bind_int64(statement, 1, bound(from_ns));
	sqlite3_bind_int64(statement, 2, bound(to_ns));
}

/* Appends the condition on the span ?1 to ?2. */
static void append_span(struct text_buffer *sql, const struct history_selection *selection)
{
	text_format(sql, "time_ns>=?1 AND %s<=?2",
		    selection->match == HISTORY_ALIVE_IN ? "ifnull(start_ns,0)" : "time_ns");
}

static void append_order(struct text_buffer *sql, const struct history_selection *selection)
{
	text_string(sql, selection->newest_first ? " ORDER BY seq DESC" : " ORDER BY seq");
}

/* The marks of a selection: ?1 and ?2 are the span, ?3 and ?4 the records before and up to which it goes. */
static void append_marks(struct text_buffer *sql, const struct history_selection *selection)
{
	text_format(sql, " FROM mark WHERE max_time_ns>=?1 AND %s<=?2 AND last_seq>?3 AND first_seq<=?4",
		    selection->match == HISTORY_ALIVE_IN ? "min_start_ns" : "min_time_ns");
}

static void bind_marks(sqlite3_stmt *statement, const struct history_selection *selection)
{
	bind_span(statement, selection->from_ns, selection->to_ns);
	sqlite3_bind_int64(statement, 3, bound(selection->after_seq));
	sqlite3_bind_int64(statement, 4, bound(selection->last_seq ? selection->last_seq : ~0ULL));
}

static int prepare_marks(struct history_reader *reader, const struct history_selection *selection)
{
	struct text_buffer sql = { 0 };
	int error;

	text_string(&sql, "SELECT max(first_seq,?3+1),min(last_seq,?4),min_time_ns>=?1 AND max_time_ns<=?2");
	append_marks(&sql, selection);
	text_string(&sql, selection->newest_first ? " ORDER BY first_seq DESC" : " ORDER BY first_seq");
	error = prepare_text(reader, &reader->marks, &sql);
	if (error)
		return error;
	bind_marks(reader->marks, selection);
	return 0;
}

/* ?3 and ?4 are the records of a mark. */
static int prepare_conn(struct history_reader *reader, const struct history_selection *selection)
{
	struct text_buffer sql = { 0 };
	int error;

	text_string(&sql, "SELECT seq");
	history_rows_append_names(&sql, &reader->conn);
	text_string(&sql, " FROM conn WHERE seq BETWEEN ?3 AND ?4 AND ");
	append_span(&sql, selection);
	append_order(&sql, selection);
	error = prepare_text(reader, &reader->conn.statement, &sql);
	if (!error)
		bind_span(reader->conn.statement, selection->from_ns, selection->to_ns);
	return error;
}

static int prepare_more(struct history_reader *reader, const struct history_selection *selection)
{
	struct text_buffer sql = { 0 };
	int error = history_rows_choose(&reader->more, reader->db, HISTORY_MORE, selection->wanted);

	if (error || !reader->more.count)
		return error;
	text_string(&sql, "SELECT seq");
	history_rows_append_names(&sql, &reader->more);
	text_string(&sql, " FROM more WHERE seq=?");
	return prepare_text(reader, &reader->more.statement, &sql);
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

/* Ends the selection of before, and prepares all but the statement that returns the records. */
static int begin_selection(struct history_reader *reader, const struct history_selection *selection)
{
	int error;

	finish_selection(reader);
	error = prepare_marks(reader, selection);
	if (!error)
		error = history_rows_choose(&reader->conn, reader->db, HISTORY_CONN, selection->wanted);
	if (!error)
		error = prepare_more(reader, selection);
	if (!error)
		error = prepare_caches(reader, selection);
	return error;
}

int history_reader_select(struct history_reader *reader, const struct history_selection *selection)
{
	int error = begin_selection(reader, selection);

	if (!error)
		error = prepare_conn(reader, selection);
	return error ? history_reader_report(reader, error) : 0;
}

/* ---- records ---- */

static const char *column_text(sqlite3_stmt *statement, int index)
{
	const char *text = (const char *)sqlite3_column_text(statement, index);

	return text ? text : "";
}

/* Sets the statement to the records of the mark that was read last. */
static void bind_mark(struct history_reader *reader, sqlite3_stmt *statement)
{
	sqlite3_reset(statement);
	sqlite3_bind_int64(statement, 3, sqlite3_column_int64(reader->marks, 0));
	sqlite3_bind_int64(statement, 4, sqlite3_column_int64(reader->marks, 1));
}

/* Returns 1, 0 after the last mark, or -errno. The statement of the marks stays in use until then, which keeps the state
 * of the file. */
static int step_mark(struct history_reader *reader)
{
	int result = sqlite3_step(reader->marks), error = history_database_errno(reader->db, result);

	return error ? error : result == SQLITE_ROW;
}

static int begin_mark(struct history_reader *reader)
{
	int result = step_mark(reader);

	if (result == 1)
		bind_mark(reader, reader->conn.statement);
	reader->in_mark = result == 1;
	return result;
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
	sqlite3_value *values[HISTORY_MOST_COLUMNS];
	int result, error;

	if (!reader->more.statement)
		return 0;
	sqlite3_bind_int64(reader->more.statement, 1, (sqlite3_int64)reader->seq);
	result = sqlite3_step(reader->more.statement);
	error = history_database_errno(reader->db, result);
	if (result == SQLITE_ROW) {
		history_rows_take(&reader->more, values);
		error = history_rows_load(&reader->more, record, values);
	}
	sqlite3_reset(reader->more.statement);
	return error;
}

/* `values` are those of a row of `conn`; its number is reader->seq. */
static int load_values(struct history_reader *reader, struct nt_record *record, sqlite3_value *const *values)
{
	enum history_table table;
	int error;

	memset(record, 0, sizeof(*record));
	error = history_rows_load(&reader->conn, record, values);
	for (table = HISTORY_PROG; table < HISTORY_TABLES && !error; table++)
		error = history_cache_copy(&reader->caches[table], reader->db,
					   history_rows_reference(&reader->conn, table, values), record);
	return error ? error : load_more(reader, record);
}

static int load_record(struct history_reader *reader, struct nt_record *record)
{
	sqlite3_value *values[HISTORY_MOST_COLUMNS];

	reader->seq = (__u64)sqlite3_column_int64(reader->conn.statement, 0);
	history_rows_take(&reader->conn, values);
	return load_values(reader, record, values);
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
	return result < 0 ? history_reader_report(reader, result) : result;
}

int history_reader_fetch(struct history_reader *reader, __u64 seq, struct nt_record *record)
{
	int result, error;

	sqlite3_reset(reader->conn.statement);
	bind_span(reader->conn.statement, 0, ~0ULL);
	sqlite3_bind_int64(reader->conn.statement, 3, (sqlite3_int64)seq);
	sqlite3_bind_int64(reader->conn.statement, 4, (sqlite3_int64)seq);
	result = sqlite3_step(reader->conn.statement);
	error = history_database_errno(reader->db, result);
	if (!error && result == SQLITE_ROW)
		error = load_record(reader, record);
	sqlite3_reset(reader->conn.statement);
	return error ? error : result == SQLITE_ROW;
}

int history_reader_find(struct history_reader *reader, __u64 seq, struct nt_record *record)
{
	int result = history_reader_fetch(reader, seq, record);

	return result < 0 ? history_reader_report(reader, result) : result;
}

__u64 history_reader_seq(const struct history_reader *reader)
{
	return reader->seq;
}

/* ---- scan ---- */

/* The arguments are seq, id and the chosen columns. A row for which it returns 1 ends the statement. */
static void visit_row(sqlite3_context *sql, int count, sqlite3_value **values)
{
	struct history_reader *reader = sqlite3_user_data(sql);
	struct history_row row = { .seq = (__u64)sqlite3_value_int64(values[0]), .other_id = "" };
	struct nt_record record;
	int error = 0;

	reader->seq = row.seq;
	if (sqlite3_value_type(values[1]) == SQLITE_INTEGER)
		row.id = (__u64)sqlite3_value_int64(values[1]);
	else if (sqlite3_value_text(values[1]))
		row.other_id = (const char *)sqlite3_value_text(values[1]);
	if (count > 2)
		error = load_values(reader, &record, values + 2);
	reader->visit_error = error;
	sqlite3_result_int(sql, error || !reader->visit(reader->context, &row, &record));
}

/* SQLite calls visit_row() while it looks for rows, and finds none: that takes half of the time of returning each. */
static int prepare_visits(struct history_reader *reader, const struct history_selection *selection, bool has_span,
			  sqlite3_stmt **statement)
{
	struct text_buffer sql = { 0 };
	int error;

	text_string(&sql, "SELECT 1 FROM conn WHERE seq BETWEEN ?3 AND ?4 AND ");
	if (has_span) {
		text_string(&sql, "CASE WHEN ");
		append_span(&sql, selection);
		text_string(&sql, " THEN ");
	}
	text_string(&sql, "netracker_visit(seq,id");
	history_rows_append_names(&sql, &reader->conn);
	text_string(&sql, has_span ? ") END" : ")");
	append_order(&sql, selection);
	error = prepare_text(reader, statement, &sql);
	if (!error && has_span)
		bind_span(*statement, selection->from_ns, selection->to_ns);
	return error;
}

/* Returns 1 if the visitor ended the scan, 0 after the last mark, or -errno. */
static int scan_marks(struct history_reader *reader, bool may_be_inside)
{
	sqlite3_stmt *statement;
	int result, error;

	while ((result = step_mark(reader)) == 1) {
		statement = may_be_inside && sqlite3_column_int(reader->marks, 2) ? reader->inside : reader->across;
		bind_mark(reader, statement);
		result = sqlite3_step(statement);
		error = history_database_errno(reader->db, result);
		sqlite3_reset(statement);
		if (error || reader->visit_error)
			return error ? error : reader->visit_error;
		if (result == SQLITE_ROW)
			return 1;
	}
	return result;
}

int history_reader_scan(struct history_reader *reader, const struct history_selection *selection,
			bool (*visit)(void *context, const struct history_row *row, struct nt_record *record),
			void *context)
{
	int error = begin_selection(reader, selection), result = 0;

	reader->visit = visit;
	reader->context = context;
	reader->visit_error = 0;
	if (!error)
		error = history_database_errno(reader->db, sqlite3_create_function(reader->db, "netracker_visit", -1,
										   SQLITE_UTF8 | SQLITE_DIRECTONLY,
										   reader, visit_row, NULL, NULL));
	if (!error)
		error = prepare_visits(reader, selection, true, &reader->across);
	if (!error)
		error = prepare_visits(reader, selection, false, &reader->inside);
	if (!error)
		result = scan_marks(reader, selection->match == HISTORY_TIME_IN);
	finish_selection(reader);
	return error ? error : result < 0 ? result : 0;
}

/* Returns 0 or -errno. */
static int read_extent(struct history_reader *reader, sqlite3_stmt *statement, struct history_extent *extent)
{
	int error = history_database_errno(reader->db, sqlite3_step(statement));

	if (error)
		return error;
	extent->first_seq = (__u64)sqlite3_column_int64(statement, 0);
	extent->records = (__u64)sqlite3_column_int64(statement, 1);
	extent->last_seq = (__u64)sqlite3_column_int64(statement, 2);
	return 0;
}

/* A record takes more than a byte. What a damaged file says beyond that would be work without end. */
static int check_extent(struct history_reader *reader, const struct history_extent *extent)
{
	sqlite3_int64 pages, page_size;
	int error = history_database_number(reader->db, "PRAGMA page_count", &pages);

	if (!error)
		error = history_database_number(reader->db, "PRAGMA page_size", &page_size);
	if (error)
		return error;
	return extent->last_seq > (__u64)pages * (__u64)page_size || extent->first_seq > extent->last_seq + 1 ?
		       -EUCLEAN :
		       0;
}

int history_reader_measure(struct history_reader *reader, const struct history_selection *selection,
			   struct history_extent *extent)
{
	struct text_buffer sql = { 0 };
	sqlite3_stmt *statement = NULL;
	int error;

	*extent = (struct history_extent){ 0 };
	text_string(&sql, "SELECT min(first_seq),sum(last_seq-first_seq+1),(SELECT max(seq) FROM conn)");
	append_marks(&sql, selection);
	error = prepare_text(reader, &statement, &sql);
	if (!error) {
		bind_marks(statement, selection);
		error = read_extent(reader, statement, extent);
	}
	if (!error)
		error = check_extent(reader, extent);
	if (error)
		*extent = (struct history_extent){ 0 };
	sqlite3_finalize(statement);
	return error;
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
		return history_reader_report(reader, error);
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
	return error ? history_reader_report(reader, error) : 0;
}

int history_reader_losses(struct history_reader *reader, void (*visit)(void *context, const struct history_loss *loss),
			  void *context)
{
	sqlite3_stmt *statement;
	int result, error = history_database_prepare(reader->db, &statement,
						     "SELECT time_ns,records,cause FROM loss ORDER BY time_ns");

	if (error)
		return history_reader_report(reader, error);
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
	return error ? history_reader_report(reader, error) : 0;
}

void history_reader_close(struct history_reader *reader)
{
	if (!reader)
		return;
	finish_selection(reader);
	sqlite3_close(reader->db);
	free(reader);
}
