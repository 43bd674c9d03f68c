// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_queue.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256 * 1024)
#define ALIGNMENT 8

/* The members that point to strings. */
static const struct {
	size_t offset;
	int present;
} pointers[] = {
	{ offsetof(struct nt_record, netns_name), NT_HAS_NETNS_NAME },
	{ offsetof(struct nt_record, exe), NT_HAS_EXE },
	{ offsetof(struct nt_record, cgroup), NT_HAS_CGROUP },
	{ offsetof(struct nt_record, host), NT_HAS_HOST },
	{ offsetof(struct nt_record, long_history), NT_HAS_HISTORY },
};
#define POINTER_COUNT (sizeof(pointers) / sizeof(pointers[0]))

struct entry {
	size_t size; /* of the entry with its strings */
	struct nt_record record;
};

static const char **pointer_of(const struct nt_record *record, size_t index)
{
	return (const char **)((char *)record + pointers[index].offset);
}

/* A member that is absent may point anywhere. */
static const char *string_of(const struct nt_record *record, size_t index)
{
	return nt_record_has(record, pointers[index].present) ? *pointer_of(record, index) : NULL;
}

static struct history_block *new_block(struct history_queue *queue, size_t least)
{
	struct history_block *block = queue->spare;

	if (block && block->capacity >= least) {
		queue->spare = NULL;
		block->used = 0;
	} else {
		size_t capacity = least > BLOCK_BYTES ? least : BLOCK_BYTES;

		block = malloc(sizeof(*block) + capacity);
		if (!block)
			return NULL;
		block->used = 0;
		block->capacity = capacity;
	}
	block->next = NULL;
	block->records = 0;
	queue->bytes += block->capacity;
	return block;
}

static enum history_room find_room(struct history_queue *queue, size_t size)
{
	struct history_block *block;

	if (queue->last && queue->last->capacity - queue->last->used >= size)
		return HISTORY_ADDED;
	if (queue->bytes + (size > BLOCK_BYTES ? size : BLOCK_BYTES) > queue->most_bytes)
		return HISTORY_QUEUE_FULL;
	block = new_block(queue, size);
	if (!block)
		return HISTORY_NO_MEMORY;
	if (queue->last)
		queue->last->next = block;
	else
		queue->first = block;
	queue->last = block;
	return HISTORY_ADDED;
}

static void copy_record(struct entry *entry, const struct nt_record *record, const char *const strings[POINTER_COUNT],
			const size_t sizes[POINTER_COUNT])
{
	char *place = (char *)(entry + 1);
	size_t i;

	entry->record = *record;
	for (i = 0; i < POINTER_COUNT; i++) {
		*pointer_of(&entry->record, i) = strings[i] ? place : NULL;
		if (strings[i])
			memcpy(place, strings[i], sizes[i]);
		place += sizes[i];
	}
}

enum history_room history_queue_add(struct history_queue *queue, const struct nt_record *record)
{
	size_t sizes[POINTER_COUNT], size = sizeof(struct entry), i;
	const char *strings[POINTER_COUNT];
	enum history_room room;
	struct entry *entry;

	for (i = 0; i < POINTER_COUNT; i++) {
		strings[i] = string_of(record, i);
		sizes[i] = strings[i] ? strlen(strings[i]) + 1 : 0;
		size += sizes[i];
	}
	size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	room = find_room(queue, size);
	if (room != HISTORY_ADDED)
		return room;
	entry = (struct entry *)(queue->last->bytes + queue->last->used);
	entry->size = size;
	copy_record(entry, record, strings, sizes);
	queue->last->used += size;
	queue->last->records++;
	queue->records++;
	return HISTORY_ADDED;
}

struct history_block *history_queue_take(struct history_queue *queue)
{
	struct history_block *blocks = queue->first;

	queue->first = queue->last = NULL;
	queue->records = 0;
	return blocks;
}

void history_queue_release(struct history_queue *queue, struct history_block *blocks)
{
	while (blocks) {
		struct history_block *block = blocks;

		blocks = block->next;
		queue->bytes -= block->capacity;
		if (!queue->spare && block->capacity == BLOCK_BYTES)
			queue->spare = block;
		else
			free(block);
	}
}

void history_queue_free(struct history_queue *queue)
{
	history_queue_release(queue, history_queue_take(queue));
	free(queue->spare);
	queue->spare = NULL;
}

const struct nt_record *history_block_next(const struct history_block *block, size_t *place)
{
	const struct entry *entry = (const struct entry *)(block->bytes + *place);

	if (*place >= block->used)
		return NULL;
	*place += entry->size;
	return &entry->record;
}
