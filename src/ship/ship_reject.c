// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_reject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/history/history_reader.h"
#include "src/output/format.h"
#include "src/util/message.h"

#define REJECTED_MODE 0640
#define MOST_REJECTED (1LL << 30) /* bytes of the file */

/* ---- reading ---- */

static int append_rejected(struct text_buffer *lines, struct history_reader *reader, const struct ship_batch *batch,
			   unsigned int index, const char *machine)
{
	static const struct format_view view;
	struct nt_record record;
	int result = history_reader_find(reader, batch->seqs[index], &record);

	if (result != 1)
		return result;
	ship_batch_complete(batch, &record, machine);
	format_json.record(lines, &record, &view);
	return lines->failed ? -ENOMEM : 1;
}

int ship_reject_read(struct text_buffer *lines, const struct ship_cursor *cursor, const struct ship_batch *batch,
		     const unsigned int *bad, unsigned int count)
{
	const struct history_selection all = { .to_ns = ~0ULL };
	struct history_reader *reader;
	unsigned int i;
	int found = 0, result = history_reader_open(&reader, cursor->folder, cursor->segment);

	if (result == -ENOENT)
		return 0;
	if (!result)
		result = history_reader_select(reader, &all);
	for (i = 0; result >= 0 && i < count; i++) {
		result = append_rejected(lines, reader, batch, bad[i], cursor->machine);
		found += result == 1;
	}
	history_reader_close(reader);
	if (result < 0)
		message_error("ship: %s: cannot read rejected records", cursor->segment);
	return result < 0 ? result : found;
}

/* ---- writing ---- */

/* A process that was killed may have left a part of a line. */
static bool has_part_of_line(int fd, off_t size)
{
	char last = '\n';

	return size && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* A part of a line would spoil the next one, so the file has all lines or none of them. */
static int write_lines(int fd, const struct text_buffer *lines)
{
	off_t end = lseek(fd, 0, SEEK_END);
	int error = 0;

	if (end < 0)
		return -errno;
	if (end + (off_t)lines->used > MOST_REJECTED)
		return -EFBIG;
	errno = ENOSPC; /* of a write that is short */
	if ((has_part_of_line(fd, end) && write(fd, "\n", 1) != 1) ||
	    write(fd, lines->bytes, lines->used) != (ssize_t)lines->used || fsync(fd))
		error = -errno;
	if (error && ftruncate(fd, end))
		message_error("ship: the file of rejected records may end with a part of a line");
	return error;
}

int ship_reject_append(const char *path, const struct text_buffer *lines)
{
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, REJECTED_MODE);
	int error = fd < 0 ? -errno : write_lines(fd, lines);

	if (fd >= 0)
		close(fd);
	return error;
}
