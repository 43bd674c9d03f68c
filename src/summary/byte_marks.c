// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/byte_marks.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct byte_mark {
	char id[NT_ID_SIZE];
	__u64 bytes[2];
};

static const int has_bytes[2] = { [NT_SRC] = NT_HAS_SRC_BYTES, [NT_DST] = NT_HAS_DST_BYTES };

static int compare_ids(const void *one, const void *other)
{
	return memcmp(((const struct byte_mark *)one)->id, ((const struct byte_mark *)other)->id, NT_ID_SIZE);
}

static struct byte_mark *find_mark(const struct byte_marks *marks, const struct nt_record *record)
{
	struct byte_mark key;
	struct byte_mark *const *found;

	if (!marks->count)
		return NULL;
	memcpy(key.id, record->id, sizeof(key.id));
	found = tfind(&key, &marks->tree, compare_ids);
	return found ? *found : NULL;
}

static struct byte_mark *add_mark(struct byte_marks *marks, const struct nt_record *record)
{
	struct byte_mark *mark = marks->count < BYTE_MARKS_MOST ? calloc(1, sizeof(*mark)) : NULL;

	if (!mark)
		return NULL;
	memcpy(mark->id, record->id, sizeof(mark->id));
	if (tsearch(mark, &marks->tree, compare_ids)) {
		marks->count++;
		return mark;
	}
	free(mark);
	return NULL;
}

static void remove_mark(struct byte_marks *marks, struct byte_mark *mark)
{
	if (!mark)
		return;
	tdelete(mark, &marks->tree, compare_ids);
	free(mark);
	marks->count--;
}

void byte_marks_clear(struct byte_marks *marks)
{
	tdestroy(marks->tree, free);
	*marks = (struct byte_marks){ 0 };
}

static void raise_mark(struct byte_mark *mark, const struct nt_record *record)
{
	int side;

	for (side = NT_SRC; side <= NT_DST; side++)
		if (nt_record_has(record, has_bytes[side]) && record->bytes[side] > mark->bytes[side])
			mark->bytes[side] = record->bytes[side];
}

void byte_marks_set(struct byte_marks *marks, const struct nt_record *record)
{
	struct byte_mark *mark = find_mark(marks, record);

	if (!mark)
		mark = add_mark(marks, record);
	if (mark)
		raise_mark(mark, record);
}

/* A socket's own counts include what it moved before the tracker started; counts of packets do not. */
static bool has_unseen_bytes(const struct nt_record *record)
{
	return record->gaps & NT_GAP_START && record->seen & NT_SEEN_SOCKET;
}

static struct bytes_moved bytes_since_mark(const struct byte_mark *mark, const struct nt_record *record)
{
	struct bytes_moved moved = { .is_new = !mark };
	int side;

	for (side = NT_SRC; side <= NT_DST; side++) {
		__u64 before = mark ? mark->bytes[side] : 0;

		moved.known[side] = nt_record_has(record, has_bytes[side]) && (mark || !has_unseen_bytes(record));
		if (moved.known[side] && record->bytes[side] > before)
			moved.bytes[side] = record->bytes[side] - before;
	}
	return moved;
}

struct bytes_moved byte_marks_advance(struct byte_marks *marks, const struct nt_record *record)
{
	struct byte_mark *mark = find_mark(marks, record);
	struct bytes_moved moved = bytes_since_mark(mark, record);

	if (record->event == NT_EVENT_CLOSE || record->event == NT_EVENT_EXIT) {
		remove_mark(marks, mark);
		return moved;
	}
	if (!mark)
		mark = add_mark(marks, record);
	if (mark)
		raise_mark(mark, record);
	else
		moved = (struct bytes_moved){ .is_new = true };
	return moved;
}

void byte_marks_remove(struct byte_marks *marks, const struct nt_record *record)
{
	remove_mark(marks, find_mark(marks, record));
}
