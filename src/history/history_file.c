// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/history/history_database.h"
#include "src/history/history_dictionary.h"
#include "src/history/history_folder.h"
#include "src/history/history_schema.h"

#define RECORDS_PER_MARK 1024
#define WAIT_FOR_READERS_MS 200
#define WRITE_VERSION_OFFSET 18
#define WRITE_VERSION_OF_LOG 2

/* A commit is on the disk before the next one begins, and one sync a commit is enough for that. The log is made short
 * again after a burst. */
static const char settings[] = "PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;PRAGMA journal_size_limit=16777216;"
			       "PRAGMA cache_size=-4096;";
static const char insert_mark[] = "INSERT INTO mark VALUES(?,?,?,?,?)";
static const char insert_run[] = "INSERT INTO run VALUES(NULL,?,?,?,?,?,?)";
static const char update_run[] = "UPDATE run SET begin_ns=?,end_ns=?,finished=? WHERE id=?";
static const char delete_run[] = "DELETE FROM run WHERE id=?";
static const char insert_loss[] = "INSERT INTO loss VALUES(?,?,?)";

/* Consecutive records of one commit. */
struct mark {
	__u64 first_seq, records;
	__u64 min_start_ns, min_time_ns, max_time_ns;
};

struct history_file {
	sqlite3 *db;
	char path[HISTORY_PATH_SIZE];
	dev_t device;
	ino_t inode;
	const struct history_writing *writing;
	sqlite3_stmt *inserts[HISTORY_TABLES];
	sqlite3_stmt *begin, *commit, *undo, *mark_statement, *run_statement, *loss_statement, *page_count;
	struct history_dictionary dictionaries[HISTORY_TABLES]; /* only those of dictionaries are used */
	struct text_buffer scratch;
	struct mark mark;
	__u64 next_seq, committed_seq; /* the next records' numbers, now and after undoing */
	__u64 page_size, bytes;
	__u64 run;
	bool has_failed_commit, has_records;
	__u64 run_begin_ns, run_end_ns; /* of a replay: as its records say */
};

/* ---- open ---- */

static int remember_inode(struct history_file *file)
{
	struct stat status;

	if (stat(file->path, &status))
		return -errno;
	file->device = status.st_dev;
	file->inode = status.st_ino;
	return 0;
}

bool history_file_is_there(const struct history_file *file)
{
	struct stat status;

	return !stat(file->path, &status) && status.st_dev == file->device && status.st_ino == file->inode;
}

static int make_tables(const char *path)
{
	sqlite3 *db;
	int error = history_database_open(&db, path, SQLITE_OPEN_READWRITE);

	if (!error)
		error = history_schema_create(db);
	sqlite3_close(db);
	return error;
}

/* Under another name first, so that nobody finds a file without tables. */
static int make_file(const char *path)
{
	char new_path[HISTORY_PATH_SIZE + sizeof(HISTORY_NEW_SUFFIX)];
	int fd, error;

	snprintf(new_path, sizeof(new_path), "%s%s", path, HISTORY_NEW_SUFFIX);
	unlink(new_path);
	fd = history_folder_make_file(new_path, O_RDWR | O_EXCL);
	if (fd < 0)
		return fd;
	close(fd);
	error = make_tables(new_path);
	history_folder_remove_beside(path);
	if (!error && rename(new_path, path))
		error = -errno;
	if (error)
		unlink(new_path);
	return error;
}

static int prepare_inserts(struct history_file *file)
{
	enum history_table table;
	int error = 0;

	for (table = 0; table < HISTORY_TABLES && !error; table++) {
		file->scratch.used = 0;
		history_schema_append_insert(&file->scratch, table);
		error = file->scratch.failed ?
				-ENOMEM :
				history_database_prepare(file->db, &file->inserts[table], file->scratch.bytes);
	}
	return error;
}

static int prepare_others(struct history_file *file)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} all[] = {
		{ &file->begin, "BEGIN IMMEDIATE" },
		{ &file->commit, "COMMIT" },
		{ &file->undo, "ROLLBACK" },
		{ &file->mark_statement, insert_mark },
		{ &file->run_statement, update_run },
		{ &file->loss_statement, insert_loss },
		{ &file->page_count, "PRAGMA page_count" },
	};
	int error = 0;
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]) && !error; i++)
		error = history_database_prepare(file->db, all[i].statement, all[i].sql);
	return error;
}

static int open_dictionaries(struct history_file *file)
{
	enum history_table table;
	sqlite3_int64 last;
	char sql[64];
	int error = 0;

	for (table = 0; table < HISTORY_TABLES && !error; table++) {
		if (!history_table_is_dictionary(table))
			continue;
		snprintf(sql, sizeof(sql), "SELECT max(id) FROM %s", history_table_names[table]);
		error = history_database_number(file->db, sql, &last);
		if (!error && !history_dictionary_init(&file->dictionaries[table], table, (__u64)last + 1))
			error = -ENOMEM;
	}
	return error;
}

static int step_once(struct history_file *file, sqlite3_stmt *statement)
{
	int error = history_database_errno(file->db, sqlite3_step(statement));

	sqlite3_reset(statement);
	return error;
}

static int insert_span(struct history_file *file, const struct history_span *span, bool is_finished)
{
	const struct history_writing *writing = file->writing;
	sqlite3_stmt *statement;
	int error = history_database_prepare(file->db, &statement, insert_run);

	if (error)
		return error;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)span->begin_ns);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)span->end_ns);
	sqlite3_bind_int(statement, 3, is_finished);
	sqlite3_bind_text(statement, 4, writing->command, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 5, writing->boot, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, NETRACKER_VERSION, -1, SQLITE_STATIC);
	error = step_once(file, statement);
	sqlite3_finalize(statement);
	return error;
}

static int begin_run(struct history_file *file)
{
	const struct history_span span = { file->writing->begin_ns, file->writing->begin_ns };
	int error = insert_span(file, &span, false);

	file->run = (__u64)sqlite3_last_insert_rowid(file->db);
	file->run_begin_ns = file->run_end_ns = file->writing->begin_ns;
	return error;
}

static int update_bytes(struct history_file *file)
{
	int result = sqlite3_step(file->page_count);

	if (result == SQLITE_ROW)
		file->bytes = (__u64)sqlite3_column_int64(file->page_count, 0) * file->page_size;
	sqlite3_reset(file->page_count);
	return history_database_errno(file->db, result);
}

static int read_state(struct history_file *file)
{
	sqlite3_int64 last_seq, page_size;
	int error = history_database_number(file->db, "SELECT max(seq) FROM conn", &last_seq);

	if (!error)
		error = history_database_number(file->db, "PRAGMA page_size", &page_size);
	if (error)
		return error;
	file->next_seq = file->committed_seq = (__u64)last_seq + 1;
	file->page_size = (__u64)page_size;
	return update_bytes(file);
}

static int set_up_file(struct history_file *file)
{
	int error = history_database_run(file->db, settings);

	if (!error)
		error = prepare_inserts(file);
	if (!error)
		error = prepare_others(file);
	if (!error)
		error = open_dictionaries(file);
	if (!error)
		error = read_state(file);
	if (!error)
		error = begin_run(file);
	return error;
}

int history_file_open(struct history_file **opened, const char *path, bool exists,
		      const struct history_writing *writing)
{
	struct history_file *file = calloc(1, sizeof(*file));
	int error;

	*opened = file;
	if (!file)
		return -ENOMEM;
	if (snprintf(file->path, sizeof(file->path), "%s", path) >= (int)sizeof(file->path))
		return -ENAMETOOLONG;
	file->writing = writing;
	error = exists ? 0 : make_file(path);
	if (!error)
		error = remember_inode(file);
	if (!error)
		error = history_database_open(&file->db, path, SQLITE_OPEN_READWRITE);
	if (!error)
		error = set_up_file(file);
	return error;
}

int history_file_version(const char *path)
{
	sqlite3 *db;
	int result = history_database_open(&db, path, SQLITE_OPEN_READWRITE);

	if (!result)
		result = history_schema_version(db);
	sqlite3_close(db);
	return result;
}

/* Does not wait for long for those who read the file: records come meanwhile. */
static int remove_log(sqlite3 *db)
{
	int error;

	sqlite3_busy_timeout(db, WAIT_FOR_READERS_MS);
	error = history_database_run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	if (error)
		return error;
	return history_database_run(db, "PRAGMA journal_mode=DELETE");
}

/* The database header has the versions that are needed to write and to read it: 2 with a log (SQLite's file format, 1.3).
 */
bool history_file_has_log(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char version = 0;
	bool is_read = fd >= 0 && pread(fd, &version, 1, WRITE_VERSION_OFFSET) == 1;
	char journal[HISTORY_PATH_SIZE + 16];

	if (fd >= 0)
		close(fd);
	snprintf(journal, sizeof(journal), "%s-journal", path);
	return (is_read && version == WRITE_VERSION_OF_LOG) || !access(journal, F_OK);
}

int history_file_complete(const char *path)
{
	sqlite3 *db;
	int error = history_database_open(&db, path, SQLITE_OPEN_READWRITE);

	if (!error)
		error = remove_log(db);
	sqlite3_close(db);
	return error;
}

/* ---- records ---- */

static int insert_row(struct history_file *file, enum history_table table, __u64 key, const struct nt_record *record,
		      const __u64 references[HISTORY_TABLES])
{
	sqlite3_stmt *statement = file->inserts[table];
	unsigned int count, i;
	const struct history_column *columns = history_columns_of(table, &count);
	int parameter = 1, result = sqlite3_bind_int64(statement, parameter++, (sqlite3_int64)key);

	for (i = 0; i < count && result == SQLITE_OK; i++) {
		const struct history_column *column = &columns[i];

		if (column->field)
			result = history_column_bind(column, record, statement, parameter++, &file->scratch);
		else if (references[column->dictionary])
			result = sqlite3_bind_int64(statement, parameter++,
						    (sqlite3_int64)references[column->dictionary]);
		else
			result = sqlite3_bind_null(statement, parameter++);
	}
	return result == SQLITE_OK ? step_once(file, statement) : history_database_errno(file->db, result);
}

static int add_to_dictionary(struct history_file *file, enum history_table table, const struct nt_record *record,
			     __u64 *id)
{
	bool is_new;

	*id = history_dictionary_find(&file->dictionaries[table], record, &is_new);
	if (*id == ~0ULL)
		return -ENOMEM;
	return is_new ? insert_row(file, table, *id, record, NULL) : 0;
}

static bool has_more(const struct nt_record *record)
{
	unsigned int count, i;
	const struct history_column *columns = history_columns_of(HISTORY_MORE, &count);

	for (i = 0; i < count; i++)
		if (history_column_is_present(&columns[i], record))
			return true;
	return false;
}

static int write_mark(struct history_file *file)
{
	sqlite3_stmt *statement = file->mark_statement;
	const struct mark *mark = &file->mark;

	if (!mark->records)
		return 0;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)mark->first_seq);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)(mark->first_seq + mark->records - 1));
	sqlite3_bind_int64(statement, 3, (sqlite3_int64)mark->min_start_ns);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)mark->min_time_ns);
	sqlite3_bind_int64(statement, 5, (sqlite3_int64)mark->max_time_ns);
	file->mark.records = 0;
	return step_once(file, statement);
}

static int add_to_mark(struct history_file *file, const struct nt_record *record, __u64 seq)
{
	__u64 start_ns = nt_record_has(record, NT_HAS_START) ? record->start_ns : 0;
	struct mark *mark = &file->mark;

	if (!mark->records++)
		*mark = (struct mark){ seq, 1, start_ns, record->end_ns, record->end_ns };
	if (start_ns < mark->min_start_ns)
		mark->min_start_ns = start_ns;
	if (record->end_ns < mark->min_time_ns)
		mark->min_time_ns = record->end_ns;
	if (record->end_ns > mark->max_time_ns)
		mark->max_time_ns = record->end_ns;
	return mark->records < RECORDS_PER_MARK ? 0 : write_mark(file);
}

/* A replay's run lasts from its records' first time to the last. */
static void add_to_run(struct history_file *file, const struct nt_record *record)
{
	__u64 start_ns = nt_record_has(record, NT_HAS_START) ? record->start_ns : record->end_ns;

	if (!file->writing->is_replay)
		return;
	if (file->run_begin_ns == file->writing->begin_ns || start_ns < file->run_begin_ns)
		file->run_begin_ns = start_ns;
	if (file->run_end_ns == file->writing->begin_ns || record->end_ns > file->run_end_ns)
		file->run_end_ns = record->end_ns;
}

void history_file_set_begin(struct history_file *file, __u64 ns)
{
	if (ns > file->run_begin_ns)
		file->run_begin_ns = ns;
}

int history_file_begin(struct history_file *file)
{
	return step_once(file, file->begin);
}

int history_file_add(struct history_file *file, const struct nt_record *record)
{
	__u64 references[HISTORY_TABLES] = { 0 }, seq = file->next_seq;
	enum history_table table;
	int error = 0;

	for (table = 0; table < HISTORY_TABLES && !error; table++)
		if (history_table_is_dictionary(table))
			error = add_to_dictionary(file, table, record, &references[table]);
	if (!error)
		error = insert_row(file, HISTORY_CONN, seq, record, references);
	if (!error && has_more(record))
		error = insert_row(file, HISTORY_MORE, seq, record, references);
	if (!error)
		error = add_to_mark(file, record, seq);
	add_to_run(file, record);
	file->next_seq++;
	file->has_records = true;
	return error;
}

static int write_run(struct history_file *file, __u64 now_ns, bool is_finished)
{
	sqlite3_stmt *statement = file->run_statement;

	if (!file->writing->is_replay)
		file->run_end_ns = now_ns;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)file->run_begin_ns);
	sqlite3_bind_int64(statement, 2, (sqlite3_int64)file->run_end_ns);
	sqlite3_bind_int(statement, 3, is_finished);
	sqlite3_bind_int64(statement, 4, (sqlite3_int64)file->run);
	return step_once(file, statement);
}

static int write_losses(struct history_file *file, __u64 now_ns, const __u64 lost[ACCOUNTING_LOSSES])
{
	sqlite3_stmt *statement = file->loss_statement;
	unsigned int cause;
	int error = 0;

	for (cause = 0; cause < ACCOUNTING_LOSSES && !error; cause++) {
		if (!lost[cause])
			continue;
		sqlite3_bind_int64(statement, 1, (sqlite3_int64)now_ns);
		sqlite3_bind_text(statement, 2, accounting_loss_name(cause), -1, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 3, (sqlite3_int64)lost[cause]);
		error = step_once(file, statement);
	}
	return error;
}

int history_file_commit(struct history_file *file, __u64 now_ns, const __u64 lost[ACCOUNTING_LOSSES])
{
	int error = write_mark(file);

	if (!error)
		error = write_losses(file, now_ns, lost);
	if (!error)
		error = write_run(file, now_ns, false);
	if (error)
		return error;
	error = step_once(file, file->commit);
	file->has_failed_commit = error;
	if (error)
		return error;
	file->committed_seq = file->next_seq;
	update_bytes(file); /* an error leaves the size of before; the next commit shows whether the file is broken */
	return 0;
}

bool history_file_is_doubtful(const struct history_file *file)
{
	return file->has_failed_commit && file->next_seq != file->committed_seq;
}

/* After some errors SQLite has ended the transaction itself, and there is nothing to roll back. */
void history_file_undo(struct history_file *file)
{
	enum history_table table;

	if (!sqlite3_get_autocommit(file->db))
		step_once(file, file->undo);
	file->next_seq = file->committed_seq;
	file->has_failed_commit = false;
	file->mark.records = 0;
	for (table = 0; table < HISTORY_TABLES; table++)
		if (history_table_is_dictionary(table))
			history_dictionary_forget(&file->dictionaries[table]);
}

__u64 history_file_next_seq(const struct history_file *file)
{
	return file->next_seq;
}

__u64 history_file_bytes(const struct history_file *file)
{
	return file->bytes;
}

/* ---- end ---- */

static int remove_run(struct history_file *file)
{
	sqlite3_stmt *statement;
	int error = history_database_prepare(file->db, &statement, delete_run);

	if (error)
		return error;
	sqlite3_bind_int64(statement, 1, (sqlite3_int64)file->run);
	error = step_once(file, statement);
	sqlite3_finalize(statement);
	return error;
}

/* The captures' own spans replace the run of the records, which goes from the first capture to the last. Without either
 * there was no run. */
static int replace_run(struct history_file *file)
{
	const struct history_writing *writing = file->writing;
	int error = step_once(file, file->begin);
	unsigned int i;

	if (error)
		return error;
	error = remove_run(file);
	for (i = 0; i < writing->span_count && !error; i++)
		error = insert_span(file, &writing->spans[i], true);
	if (!error)
		error = step_once(file, file->commit);
	if (error && !sqlite3_get_autocommit(file->db))
		step_once(file, file->undo);
	return error;
}

static int finish_run(struct history_file *file, __u64 now_ns)
{
	if (file->writing->is_replay && (file->writing->span_count || !file->has_records))
		return replace_run(file);
	return write_run(file, now_ns, true);
}

/* A prepared statement of a connection keeps it from changing the mode of the journal only while it runs. */
int history_file_finish(struct history_file *file, __u64 now_ns)
{
	int error = finish_run(file, now_ns), left = remove_log(file->db);

	return error ? error : left;
}

static void finalize_statements(struct history_file *file)
{
	sqlite3_stmt *statement;

	while ((statement = sqlite3_next_stmt(file->db, NULL)))
		sqlite3_finalize(statement);
}

void history_file_close(struct history_file *file)
{
	enum history_table table;

	if (!file)
		return;
	if (file->db)
		finalize_statements(file);
	sqlite3_close(file->db);
	for (table = 0; table < HISTORY_TABLES; table++)
		if (history_table_is_dictionary(table))
			history_dictionary_free(&file->dictionaries[table]);
	text_free(&file->scratch);
	free(file);
}
