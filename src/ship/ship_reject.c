// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_reject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "src/history/history_reader.h"
#include "src/output/format.h"
#include "src/util/message.h"

#define REJECTED_MODE 0640

/* A batch has the records in the form of its destination, so the lines come from the history again. */
static bool read_lines(struct text_buffer *lines, const struct ship_cursor *cursor, const struct ship_batch *batch,
		       const unsigned int *bad, unsigned int count)
{
	static const struct format_view view;
	const struct history_selection all = { .to_ns = ~0ULL };
	struct history_reader *reader;
	struct nt_record record;
	unsigned int i;
	int result = history_reader_open(&reader, cursor->folder, cursor->segment);

	if (!result)
		result = history_reader_select(reader, &all);
	for (i = 0; !result && i < count; i++) {
		result = history_reader_find(reader, batch->after_seq + 1 + bad[i], &record) == 1 ? 0 : -ENOENT;
		if (result)
			break;
		ship_batch_complete(batch, &record, cursor->machine);
		format_json.record(lines, &record, &view);
	}
	history_reader_close(reader);
	if (result || lines->failed)
		message_error("ship: %s: cannot read rejected records", cursor->segment);
	return !result && !lines->failed;
}

/* A part of a line would spoil the next one, so the file has all lines or none of them. */
static bool write_lines(int fd, const struct text_buffer *lines)
{
	off_t end = lseek(fd, 0, SEEK_END);

	errno = ENOSPC; /* of a write that is short */
	if (end >= 0 && write(fd, lines->bytes, lines->used) == (ssize_t)lines->used && !fsync(fd))
		return true;
	if (end >= 0 && ftruncate(fd, end))
		message_error("ship: the file of rejected records may end with a part of a line");
	return false;
}

static bool append_lines(const char *path, const struct text_buffer *lines)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, REJECTED_MODE);
	bool is_written = fd >= 0 && write_lines(fd, lines);

	if (!is_written)
		message_error("ship: %s: cannot write rejected records: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return is_written;
}

bool ship_reject_write(const struct ship_cursor *cursor, const struct ship_batch *batch, const unsigned int *bad,
		       unsigned int count)
{
	struct text_buffer lines = { 0 };
	bool is_written = read_lines(&lines, cursor, batch, bad, count) && append_lines(cursor->rejected_path, &lines);

	text_free(&lines);
	return is_written;
}
