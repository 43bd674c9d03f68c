// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_backlog.h"

#include <errno.h>
#include <string.h>

#include "src/history/history_reader.h"
#include "src/util/message.h"

#define LOOKS_TO_REST 12 /* a later file that cannot be read does not keep the others from being sent */
#define DAY_SIZE 10      /* 2026-11-29 */

/* As history_folder.h orders the files: by the day, then by the number, which may have more than four digits. "" is
 * before all. */
static int compare_segments(const char *one, const char *other)
{
	size_t a = strlen(one), b = strlen(other);
	int days = strncmp(one, other, DAY_SIZE);

	return days || a == b ? strcmp(one, other) : a < b ? -1 : 1;
}

/* Sets the number of a file's last record. Returns 0, or -errno after reporting the error. */
static int read_last_seq(const struct ship_cursor *cursor, const char *name, __u64 *last_seq)
{
	static const struct history_columns none;
	const struct history_selection newest = { .to_ns = ~0ULL, .newest_first = true, .wanted = &none };
	struct history_reader *reader;
	struct nt_record record;
	int result = history_reader_open(&reader, cursor->folder, name);

	if (!result)
		result = history_reader_select(reader, &newest);
	if (!result)
		result = history_reader_next(reader, &record);
	if (result == 1)
		*last_seq = history_reader_seq(reader);
	history_reader_close(reader);
	return result < 0 ? result : 0;
}

static bool is_lasting_error(int error)
{
	return error == -EUCLEAN || error == -EINVAL || error == -EISDIR;
}

static bool look_at_file(struct ship_backlog *backlog, const struct history_entry *entry, bool has_later)
{
	struct ship_known *known;
	__u64 last_seq = 0;
	int error;

	if (compare_segments(entry->name, backlog->cursor->segment) < 0)
		return true;
	known = ship_cursor_know(backlog->cursor, entry->name);
	if (!known || known->is_final || known->is_damaged)
		return known;
	if (known->rest) {
		known->rest--;
		backlog->has_unreadable = true;
		return true;
	}
	error = read_last_seq(backlog->cursor, entry->name, &last_seq);
	if (is_lasting_error(error)) {
		known->is_damaged = backlog->has_damage = true;
		return true;
	}
	if (error == -ENOENT)
		return true; /* retention removes it now: the next look counts it */
	if (error && strcmp(entry->name, backlog->cursor->segment)) {
		known->rest = LOOKS_TO_REST;
		backlog->has_unreadable = true;
		return true;
	}
	if (error)
		return false;
	known->last_seq = last_seq;
	known->is_final = has_later;
	return true;
}

/* ---- what retention removed ---- */

static bool is_there(const struct history_files *files, const char *name)
{
	unsigned int i;

	for (i = 0; i < files->count; i++)
		if (!strcmp(files->entries[i].name, name))
			return true;
	return false;
}

static __u64 unsent_of(const struct ship_cursor *cursor, const struct ship_known *known)
{
	__u64 sent = strcmp(known->name, cursor->segment) ? 0 : cursor->seq;

	return known->last_seq > sent ? known->last_seq - sent : 0;
}

/* `kept`: the name of a file that is left for later, or "". */
static void count_removed(struct ship_backlog *backlog, const struct history_files *files, const char *kept)
{
	struct ship_cursor *cursor = backlog->cursor;
	unsigned int i = 0;
	__u64 unsent;

	while (i < cursor->known_count) {
		if (is_there(files, cursor->known[i].name) || !strcmp(cursor->known[i].name, kept)) {
			i++;
			continue;
		}
		unsent = unsent_of(cursor, &cursor->known[i]);
		if (unsent)
			message_error("ship: %s: retention removed it before %llu records of it were sent; keep more: "
				      "netracker record --keep",
				      cursor->known[i].name, (unsigned long long)unsent);
		backlog->removed += unsent;
		ship_cursor_forget(cursor, i);
	}
}

/* ---- the cursor's file ---- */

static const struct ship_known *find_next(const struct ship_cursor *cursor)
{
	const struct ship_known *next = NULL;
	unsigned int i;

	for (i = 0; i < cursor->known_count; i++)
		if (compare_segments(cursor->known[i].name, cursor->segment) > 0 &&
		    (!next || compare_segments(cursor->known[i].name, next->name) < 0))
			next = &cursor->known[i];
	return next;
}

static struct ship_known *find_current(const struct ship_cursor *cursor)
{
	unsigned int i;

	for (i = 0; i < cursor->known_count; i++)
		if (!strcmp(cursor->known[i].name, cursor->segment))
			return &cursor->known[i];
	return NULL;
}

bool ship_backlog_can_read(const struct ship_backlog *backlog)
{
	const struct ship_known *current = find_current(backlog->cursor);

	return current && !current->is_damaged;
}

bool ship_backlog_has_next(const struct ship_backlog *backlog)
{
	return find_next(backlog->cursor);
}

void ship_backlog_advance(struct ship_backlog *backlog)
{
	struct ship_cursor *cursor = backlog->cursor;
	const struct ship_known *next = find_next(cursor);
	unsigned int i;

	if (!next)
		return;
	memcpy(cursor->segment, next->name, sizeof(cursor->segment));
	cursor->seq = cursor->pending_end = 0;
	*cursor->id = '\0';
	for (i = cursor->known_count; i > 0; i--)
		if (compare_segments(cursor->known[i - 1].name, cursor->segment) < 0)
			ship_cursor_forget(cursor, i - 1);
}

void ship_backlog_pass_over(struct ship_backlog *backlog)
{
	struct ship_known *current = find_current(backlog->cursor);

	if (current && current->last_seq > backlog->cursor->seq)
		message_error("ship: %s: up to %llu records of it cannot be read, and are not sent", current->name,
			      (unsigned long long)(current->last_seq - backlog->cursor->seq));
	if (current)
		current->is_damaged = true;
	backlog->has_damage = true;
}

static void begin_anew(struct ship_cursor *cursor)
{
	message_note("ship: %s: it is another file than the one that was sent; its records are sent from the first one",
		     cursor->segment);
	cursor->seq = cursor->pending_end = 0;
	*cursor->id = '\0';
}

int ship_backlog_check_file(struct ship_backlog *backlog, struct history_reader *reader)
{
	const struct history_selection all = { .to_ns = ~0ULL };
	struct ship_cursor *cursor = backlog->cursor;
	struct nt_record record;
	int result;

	if (!cursor->seq || !*cursor->id)
		return 0;
	result = history_reader_select(reader, &all);
	if (!result)
		result = history_reader_find(reader, cursor->seq, &record);
	if (result >= 0 && (!result || strcmp(record.id, cursor->id)))
		begin_anew(cursor);
	return result < 0 ? result : 0;
}

static void find_file(struct ship_backlog *backlog)
{
	struct ship_known *current = find_current(backlog->cursor);

	if (current && !current->is_damaged && current->last_seq < backlog->cursor->seq)
		begin_anew(backlog->cursor);
	while ((!current || current->is_damaged) && ship_backlog_has_next(backlog)) {
		ship_backlog_advance(backlog);
		current = find_current(backlog->cursor);
	}
}

static bool look_at_files(struct ship_backlog *backlog, const char *kept)
{
	struct history_files files;
	bool is_complete;
	unsigned int i;

	backlog->has_unreadable = false;
	is_complete = !history_folder_list(&files, backlog->cursor->folder);
	if (is_complete)
		count_removed(backlog, &files, kept);
	for (i = 0; i < files.count && is_complete; i++)
		is_complete = look_at_file(backlog, &files.entries[i], i + 1 < files.count);
	history_folder_free(&files);
	return is_complete;
}

bool ship_backlog_look(struct ship_backlog *backlog)
{
	if (!look_at_files(backlog, ""))
		return false;
	find_file(backlog);
	return true;
}

void ship_backlog_watch(struct ship_backlog *backlog)
{
	look_at_files(backlog, backlog->cursor->segment);
}

__u64 ship_backlog_count(const struct ship_backlog *backlog)
{
	__u64 count = 0;
	unsigned int i;

	for (i = 0; i < backlog->cursor->known_count; i++)
		if (!backlog->cursor->known[i].is_damaged)
			count += unsent_of(backlog->cursor, &backlog->cursor->known[i]);
	return count;
}
