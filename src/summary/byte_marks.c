// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/byte_marks.h"

#include <search.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum mark_counter { MARK_BYTES, MARK_PACKETS, MARK_RETRANSMITS, MARK_COUNTERS };

struct byte_mark {
	char id[NT_ID_SIZE];
	__u64 counts[MARK_COUNTERS][2];
};

/* The member of the record, and the bit of its first side. */
static const struct {
	size_t offset;
	int present;
} mark_counters[MARK_COUNTERS] = {
	[MARK_BYTES] = { offsetof(struct nt_record, bytes), NT_HAS_SRC_BYTES },
	[MARK_PACKETS] = { offsetof(struct nt_record, packets), NT_HAS_SRC_PACKETS },
	[MARK_RETRANSMITS] = { offsetof(struct nt_record, retransmits), NT_HAS_SRC_RETRANSMITS },
};

static bool has_count(const struct nt_record *record, enum mark_counter counter, int side)
{
	return nt_record_has(record, mark_counters[counter].present + side);
}

static __u64 count_of(const struct nt_record *record, enum mark_counter counter, int side)
{
	const void *member = (const char *)record + mark_counters[counter].offset;

	return ((const __u64 *)member)[side];
}

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
	int counter, side;

	for (counter = 0; counter < MARK_COUNTERS; counter++)
		for (side = NT_SRC; side <= NT_DST; side++)
			if (has_count(record, counter, side) &&
			    count_of(record, counter, side) > mark->counts[counter][side])
				mark->counts[counter][side] = count_of(record, counter, side);
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

static __u64 count_since_mark(const struct byte_mark *mark, const struct nt_record *record, enum mark_counter counter,
			      int side)
{
	__u64 before = mark ? mark->counts[counter][side] : 0, now = count_of(record, counter, side);

	return now > before ? now - before : 0;
}

static struct bytes_moved bytes_since_mark(const struct byte_mark *mark, const struct nt_record *record)
{
	bool is_countable = mark || !has_unseen_bytes(record);
	struct bytes_moved moved = { .is_new = !mark };
	int side;

	for (side = NT_SRC; side <= NT_DST; side++) {
		moved.known[side] = is_countable && has_count(record, MARK_BYTES, side);
		if (moved.known[side])
			moved.bytes[side] = count_since_mark(mark, record, MARK_BYTES, side);
		moved.packets_known[side] = is_countable && has_count(record, MARK_PACKETS, side) &&
					    has_count(record, MARK_RETRANSMITS, side);
		if (!moved.packets_known[side])
			continue;
		moved.packets[side] = count_since_mark(mark, record, MARK_PACKETS, side);
		moved.retransmits[side] = count_since_mark(mark, record, MARK_RETRANSMITS, side);
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
