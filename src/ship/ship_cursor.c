// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/util/message.h"

#define FIRST_LINE "netracker-ship 1\n"
#define LINE_SIZE (HISTORY_PATH_SIZE + 16)
#define STATE_MODE 0750
#define FILE_MODE 0640
#define MOST_OF_NAME (NAME_MAX - (sizeof(".cursor.lock") - 1))

static bool report_state(const char *path, const char *action, const char *remedy)
{
	message_error("ship: %s: cannot %s: %s; %s", path, action, strerror(errno), remedy);
	return false;
}

/* ---- known files ---- */

struct ship_known *ship_cursor_know(struct ship_cursor *cursor, const char *name)
{
	struct ship_known *more;
	unsigned int i;

	for (i = 0; i < cursor->known_count; i++)
		if (!strcmp(cursor->known[i].name, name))
			return &cursor->known[i];
	more = reallocarray(cursor->known, cursor->known_count + 1, sizeof(*more));
	if (!more) {
		message_error("ship: out of memory");
		return NULL;
	}
	cursor->known = more;
	more += cursor->known_count++;
	*more = (struct ship_known){ 0 };
	snprintf(more->name, sizeof(more->name), "%s", name);
	return more;
}

void ship_cursor_forget(struct ship_cursor *cursor, unsigned int index)
{
	struct ship_known *known = &cursor->known[index];

	cursor->known_count--;
	memmove(known, known + 1, (cursor->known_count - index) * sizeof(*known));
}

/* ---- read ---- */

static bool parse_line(struct ship_cursor *cursor, char *line)
{
	char name[HISTORY_NAME_SIZE], id[NT_ID_SIZE] = "";
	unsigned long long seq, end;
	struct ship_known *known;

	line[strcspn(line, "\n")] = '\0';
	if (!strncmp(line, "folder ", 7))
		return snprintf(cursor->folder, sizeof(cursor->folder), "%s", line + 7) < (int)sizeof(cursor->folder);
	if (!strncmp(line, "machine ", 8))
		return snprintf(cursor->machine, sizeof(cursor->machine), "%s", line + 8) < SHIP_MACHINE_SIZE;
	if (sscanf(line, "at %63s %llu %llu %16s", name, &seq, &end, id) >= 3) {
		memcpy(cursor->segment, name, sizeof(name));
		cursor->seq = seq;
		cursor->pending_end = end;
		memcpy(cursor->id, id, sizeof(id));
		return !end || end > seq;
	}
	if (sscanf(line, "known %63s %llu", name, &seq) != 2)
		return false;
	known = ship_cursor_know(cursor, name);
	if (known)
		known->last_seq = seq;
	return known;
}

static bool parse_cursor(struct ship_cursor *cursor, FILE *file)
{
	char line[LINE_SIZE];

	if (!fgets(line, sizeof(line), file) || strcmp(line, FIRST_LINE))
		return false;
	while (fgets(line, sizeof(line), file))
		if (!parse_line(cursor, line))
			return false;
	return !ferror(file) && *cursor->folder;
}

static bool read_cursor(struct ship_cursor *cursor, const char *folder)
{
	FILE *file = fopen(cursor->path, "re");
	bool is_read;

	if (!file && errno == ENOENT) {
		snprintf(cursor->folder, sizeof(cursor->folder), "%s", folder);
		return true;
	}
	if (!file)
		return report_state(cursor->path, "read it", "name another folder: --cursors FOLDER");
	is_read = parse_cursor(cursor, file);
	fclose(file);
	if (!is_read)
		message_error("ship: %s: it is no cursor of this version; without it all records are sent again, which "
			      "leaves each once in the table",
			      cursor->path);
	else if (strcmp(cursor->folder, folder))
		message_error(
			"ship: %s: it belongs to the history %s; name another folder for this one: --cursors FOLDER",
			cursor->path, cursor->folder);
	return is_read && !strcmp(cursor->folder, folder);
}

/* ---- open ---- */

static bool set_paths(struct ship_cursor *cursor, const char *state, const char *name)
{
	if (strlen(name) > MOST_OF_NAME) {
		message_error("ship: the URL is too long: user, host and path are the name of the cursor's file");
		return false;
	}
	if (history_folder_path(cursor->path, state, name, ".cursor") &&
	    history_folder_path(cursor->rejected_path, state, name, ".rejected"))
		return true;
	errno = ENAMETOOLONG;
	return report_state(state, "use it", "name another folder: --cursors FOLDER");
}

/* Returns the locked file, or -1 after reporting the error. */
static int lock_file(const char *cursor_path)
{
	char path[HISTORY_PATH_SIZE + 8];
	int lock;

	snprintf(path, sizeof(path), "%s.lock", cursor_path);
	lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	if (lock < 0) {
		report_state(path, "make it", "it needs a folder that this user may write: --cursors FOLDER");
		return -1;
	}
	if (!flock(lock, LOCK_EX | LOCK_NB))
		return lock;
	message_error("ship: %s: another netracker ship sends to this destination already", cursor_path);
	close(lock);
	return -1;
}

/* The rename itself is on the disk once the folder is. */
static bool sync_folder_of(const char *path)
{
	char copy[HISTORY_PATH_SIZE];
	bool is_synced;
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	is_synced = !fsync(fd);
	close(fd);
	return is_synced;
}

/* The cursor comes last, so that a crash before it leaves all to be done again. */
static bool rename_former(const struct ship_cursor *cursor, const char *path, const char *rejected_path)
{
	char lock_path[HISTORY_PATH_SIZE + 8];

	if (rename(rejected_path, cursor->rejected_path) && errno != ENOENT)
		return report_state(rejected_path, "rename it", "nothing is sent without it");
	if (rename(path, cursor->path) || !sync_folder_of(path))
		return report_state(path, "rename it", "nothing is sent without it");
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	unlink(lock_path);
	message_note("ship: %s: it is %s now", path, cursor->path);
	return true;
}

static bool take_over(const struct ship_cursor *cursor, const char *state, const char *former)
{
	char path[HISTORY_PATH_SIZE], rejected_path[HISTORY_PATH_SIZE];
	bool is_done;
	int lock;

	if (!access(cursor->path, F_OK) || !history_folder_path(path, state, former, ".cursor") ||
	    !history_folder_path(rejected_path, state, former, ".rejected") || access(path, F_OK))
		return true;
	lock = lock_file(path);
	if (lock < 0)
		return false;
	is_done = rename_former(cursor, path, rejected_path);
	close(lock);
	return is_done;
}

bool ship_cursor_open(struct ship_cursor *cursor, const char *state, const char *folder, const char *name,
		      const char *former)
{
	char whole[HISTORY_PATH_SIZE];

	cursor->lock = -1;
	if (!realpath(folder, whole))
		return report_state(folder, "find this history", "netracker record begins one; --from names another");
	if (strchr(whole, '\n')) {
		message_error(
			"ship: %s: a folder with a line break in its name cannot be a line of the cursor; rename it",
			whole);
		return false;
	}
	if (mkdir(state, STATE_MODE) && errno != EEXIST)
		return report_state(state, "make this folder", "name one that this user may write: --cursors FOLDER");
	if (!set_paths(cursor, state, name))
		return false;
	cursor->lock = lock_file(cursor->path);
	return cursor->lock >= 0 && take_over(cursor, state, former) && read_cursor(cursor, whole);
}

void ship_cursor_close(struct ship_cursor *cursor)
{
	if (cursor->lock >= 0)
		close(cursor->lock);
	free(cursor->known);
	cursor->known = NULL;
	text_free(&cursor->saved);
}

/* ---- write ---- */

static void append_cursor(const struct ship_cursor *cursor, struct text_buffer *text)
{
	unsigned int i;

	text_string(text, FIRST_LINE "folder ");
	text_string(text, cursor->folder);
	text_string(text, "\nmachine ");
	text_string(text, cursor->machine);
	text_char(text, '\n');
	if (*cursor->segment)
		text_format(text, "at %s %llu %llu %s\n", cursor->segment, cursor->seq, cursor->pending_end,
			    cursor->id);
	for (i = 0; i < cursor->known_count; i++)
		text_format(text, "known %s %llu\n", cursor->known[i].name, cursor->known[i].last_seq);
}

static bool write_whole(const char *path, const struct text_buffer *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	bool is_written;

	if (fd < 0)
		return false;
	errno = ENOSPC; /* of a write that is short */
	is_written = write(fd, text->bytes, text->used) == (ssize_t)text->used && !fsync(fd);
	close(fd);
	return is_written;
}

static int write_cursor(const struct ship_cursor *cursor, const struct text_buffer *text)
{
	char path[HISTORY_PATH_SIZE + 8];

	if (text->failed)
		return -ENOMEM;
	snprintf(path, sizeof(path), "%s.new", cursor->path);
	return write_whole(path, text) && !rename(path, cursor->path) && sync_folder_of(cursor->path) ? 0 : -errno;
}

static void report_save(struct ship_cursor *cursor, int error)
{
	if (error == cursor->save_error)
		return;
	cursor->save_error = error;
	errno = -error;
	if (error)
		report_state(cursor->path, "write it", "nothing is sent without it; make room for it");
	else
		message_note("ship: %s: it can be written again", cursor->path);
}

int ship_cursor_save(struct ship_cursor *cursor)
{
	struct text_buffer text = { 0 };
	int error;

	append_cursor(cursor, &text);
	if (!text.failed && text.used == cursor->saved.used && !memcmp(text.bytes, cursor->saved.bytes, text.used)) {
		text_free(&text);
		return 0;
	}
	error = write_cursor(cursor, &text);
	text_free(&cursor->saved);
	if (error)
		text_free(&text);
	else
		cursor->saved = text;
	report_save(cursor, error);
	return error;
}

bool ship_cursor_may_heal(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EIO || error == -ENOMEM;
}
