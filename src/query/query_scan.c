// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/query_scan.h"

#include <errno.h>
#include <stdlib.h>

#include "src/query/query_columns.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define FILE_SHIFT 40
#define RECORDS_BETWEEN_CLOCKS 4096

/* Without a history: says how to begin one. */
static bool report_no_history(const struct query_scan *scan)
{
	message_error("history: %s: there is no history; netracker record begins one, or name its folder with --from",
		      scan->folder);
	return false;
}

bool query_scan_open(struct query_scan *scan)
{
	progress_begin(&scan->progress, scan->quiet);
	scan->read.unit = "records";
	int error = history_folder_read(&scan->names, scan->folder);

	if (error == -ENOENT)
		return report_no_history(scan);
	if (error) {
		history_folder_free(&scan->names);
		return !history_folder_list(&scan->names, scan->folder);
	}
	if (!scan->names.count)
		return report_no_history(scan);
	scan->files = calloc(scan->names.count, sizeof(*scan->files));
	if (!scan->files)
		message_error("query: out of memory");
	return scan->files;
}

static void close_reader(struct query_reader *reader)
{
	history_reader_close(reader->open);
	reader->open = NULL;
}

void query_scan_close_files(struct query_scan *scan)
{
	close_reader(&scan->deciding);
	close_reader(&scan->whole);
}

void query_scan_close(struct query_scan *scan)
{
	query_scan_close_files(scan);
	free(scan->files);
	scan->files = NULL;
	history_folder_free(&scan->names);
	newest_records_free(&scan->newest);
}

static bool has_open(const struct query_reader *reader, unsigned int index)
{
	return reader->open && reader->file == index;
}

/* Opens a file of the folder instead of the one before, unless that failed already. */
static struct history_reader *open_reader(struct query_scan *scan, unsigned int index, struct query_reader *reader)
{
	struct query_file *file = &scan->files[index];

	if (has_open(reader, index))
		return reader->open;
	close_reader(reader);
	reader->file = index;
	if (file->is_unreadable)
		return NULL;
	if (!history_reader_open(&reader->open, scan->folder, scan->names.entries[index].name))
		return reader->open;
	close_reader(reader);
	file->is_unreadable = scan->is_incomplete = true;
	return NULL;
}

struct history_reader *query_scan_reader(struct query_scan *scan, unsigned int index)
{
	return open_reader(scan, index, &scan->deciding);
}

/* Begins another pass over all files. */
static void begin_pass(struct query_scan *scan)
{
	unsigned int i;

	for (i = 0; i < scan->names.count; i++)
		scan->read.size += scan->names.entries[i].bytes;
}

static void count_record(struct query_scan *scan)
{
	if (++scan->read.count % RECORDS_BETWEEN_CLOCKS == 0 && progress_is_due(&scan->progress))
		progress_show(&scan->progress, &scan->read);
}

static void end_file(struct query_scan *scan, unsigned int file)
{
	history_reader_stop(scan->deciding.open);
	scan->read.position += scan->names.entries[file].bytes;
}

static bool must_not_read(const struct query_scan *scan, const struct query_file *file,
			  const struct history_selection *selection)
{
	return file->is_unreadable || (file->is_damaged && (selection->newest_first || !file->last_seq)) ||
	       (scan->knows_newest && !file->last_seq);
}

/* Calls `visit` for each record of a file. Returns false if it or a signal ended the scan. */
static bool scan_file(struct query_scan *scan, unsigned int index, const struct history_selection *selection,
		      bool (*visit)(struct query_scan *scan, void *context, struct nt_record *record, __u64 position),
		      void *context)
{
	struct query_file *file = &scan->files[index];
	struct history_reader *reader = must_not_read(scan, file, selection) ? NULL : query_scan_reader(scan, index);
	struct nt_record record;
	bool goes_on = true;
	int result;

	if (!reader)
		return true;
	result = history_reader_select(reader, selection);
	while (!result && goes_on && (result = history_reader_next(reader, &record)) == 1) {
		__u64 seq = history_reader_seq(reader);

		result = 0;
		count_record(scan);
		goes_on = visit(scan, context, &record, query_position(index, seq)) && !stop_is_requested();
		if (scan->knows_newest && !selection->newest_first && seq >= file->last_seq)
			break;
	}
	end_file(scan, index);
	if (result < 0)
		file->is_damaged = scan->is_incomplete = true;
	return goes_on;
}

/* ---- the newest record of each id ---- */

/* Returns false if a signal asks to stop. */
static bool note_file(struct query_scan *scan, unsigned int index, const struct history_selection *selection)
{
	struct query_file *file = &scan->files[index];
	struct history_reader *reader = query_scan_reader(scan, index);
	const char *other;
	int result;
	__u64 id;

	if (!reader)
		return true;
	result = history_reader_select(reader, selection);
	while (!result && !stop_is_requested() && (result = history_reader_next_id(reader, &id, &other)) == 1) {
		result = 0;
		count_record(scan);
		file->last_seq = history_reader_seq(reader);
		newest_records_note(&scan->newest, newest_records_mix(id, other),
				    query_position(index, file->last_seq));
	}
	end_file(scan, index);
	if (result < 0)
		file->is_damaged = scan->is_incomplete = true;
	return !stop_is_requested();
}

static __u64 count_records(const struct query_scan *scan)
{
	__u64 bytes = 0;
	unsigned int i;

	for (i = 0; i < scan->names.count; i++)
		bytes += scan->names.entries[i].bytes;
	return bytes / 100; /* a record has some 130 bytes */
}

void query_scan_find_newest(struct query_scan *scan)
{
	struct history_columns columns = { { 0 } };
	struct history_selection selection = scan->selection;
	unsigned int i;

	query_columns_add_keys(&columns, "id");
	selection.wanted = &columns;
	selection.newest_first = false;
	begin_pass(scan);
	if (!newest_records_init(&scan->newest, count_records(scan))) {
		scan->no_memory = true;
		return;
	}
	for (i = 0; i < scan->names.count; i++)
		if (!note_file(scan, i, &selection))
			break;
	scan->knows_newest = true;
	scan->no_memory = scan->newest.failed;
}

/* ---- the records ---- */

struct scan_visit {
	bool (*visit)(void *context, struct nt_record *record, __u64 position);
	void *context;
};

static bool is_newest(struct query_scan *scan, const struct nt_record *record, __u64 position)
{
	__u64 seq = position & ((1ULL << FILE_SHIFT) - 1);

	if (!scan->knows_newest)
		return newest_records_add(&scan->newest, newest_records_number(record->id));
	/* A record that came meanwhile is not known to be the newest. */
	return seq <= scan->files[position >> FILE_SHIFT].last_seq &&
	       newest_records_has(&scan->newest, newest_records_number(record->id), position);
}

static bool visit_newest(struct query_scan *scan, void *context, struct nt_record *record, __u64 position)
{
	const struct scan_visit *visit = context;

	if (!is_newest(scan, record, position) || !filter_accepts(scan->filter, record))
		return true;
	return visit->visit(visit->context, record, position);
}

void query_scan_run(struct query_scan *scan, bool (*visit)(void *context, struct nt_record *record, __u64 position),
		    void *context)
{
	struct scan_visit newest = { visit, context };
	struct history_selection selection = scan->selection;
	unsigned int count = scan->names.count, i;

	selection.newest_first = scan->newest_first;
	begin_pass(scan);
	for (i = 0; i < count; i++)
		if (!scan_file(scan, scan->newest_first ? count - 1 - i : i, &selection, visit_newest, &newest))
			break;
	scan->no_memory = scan->no_memory || scan->newest.failed;
}

static bool visit_accepted(struct query_scan *scan, void *context, struct nt_record *record, __u64 position)
{
	const struct scan_visit *visit = context;

	return !filter_accepts(scan->filter, record) || visit->visit(visit->context, record, position);
}

void query_scan_run_before(struct query_scan *scan,
			   bool (*visit)(void *context, struct nt_record *record, __u64 position), void *context)
{
	struct scan_visit before = { visit, context };
	struct history_selection selection = scan->selection;
	unsigned int i;

	selection.to_ns = selection.from_ns - 1;
	selection.from_ns = 0;
	begin_pass(scan);
	scan->knows_newest = false; /* which limits a scan to the records in the span */
	for (i = 0; i < scan->names.count; i++)
		if (!scan_file(scan, i, &selection, visit_accepted, &before))
			break;
}

bool query_scan_find(struct query_scan *scan, __u64 position, struct nt_record *record)
{
	static const struct history_selection whole = { .match = HISTORY_TIME_IN, .to_ns = ~0ULL };
	unsigned int index = (unsigned int)(position >> FILE_SHIFT);
	bool is_new = !has_open(&scan->whole, index);
	struct history_reader *reader = open_reader(scan, index, &scan->whole);

	if (!reader)
		return false;
	if ((!is_new || !history_reader_select(reader, &whole)) &&
	    history_reader_find(reader, position & ((1ULL << FILE_SHIFT) - 1), record) == 1)
		return true;
	scan->files[index].is_damaged = scan->is_incomplete = true;
	return false;
}
