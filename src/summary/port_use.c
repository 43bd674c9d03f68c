// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/port_use.h"

#include <search.h>
#include <string.h>

#define VICTIMS_COMPARED 8

static int compare_rows(const void *one, const void *other)
{
	const struct port_use_row *first = one, *second = other;
	int order = memcmp(first->dst_ip, second->dst_ip, sizeof(first->dst_ip));

	if (!order)
		order = memcmp(first->src_ip, second->src_ip, sizeof(first->src_ip));
	if (!order)
		order = (int)first->dst_port - (int)second->dst_port;
	if (!order)
		order = first->netns < second->netns ? -1 : first->netns > second->netns;
	return order;
}

static void keep_row(void *row)
{
	(void)row;
}

void port_use_clear(struct port_use *use)
{
	tdestroy(use->tree, keep_row);
	use->tree = NULL;
	use->count = 0;
}

static __u64 sum_up(const struct port_use_row *row)
{
	__u64 sum = row->open;
	unsigned int i;

	for (i = 0; i < PORT_USE_SLOTS; i++)
		sum += row->time_waits[i];
	return sum;
}

/* Returns the least of the next rows in turn, after removing it from the tree. */
static struct port_use_row *take_victim(struct port_use *use)
{
	struct port_use_row *least = NULL;
	unsigned int i;

	for (i = 0; i < VICTIMS_COMPARED; i++) {
		struct port_use_row *row = &use->rows[use->victim++ % PORT_USE_ROWS];

		if (!least || sum_up(row) < sum_up(least))
			least = row;
	}
	tdelete(least, &use->tree, compare_rows);
	return least;
}

/* Returns NULL without memory. */
static struct port_use_row *find_use(struct port_use *use, const struct port_use_row *key)
{
	struct port_use_row *const *found = tfind(key, &use->tree, compare_rows);
	struct port_use_row *row;

	if (found)
		return *found;
	row = use->count < PORT_USE_ROWS ? &use->rows[use->count++] : take_victim(use);
	*row = *key;
	return tsearch(row, &use->tree, compare_rows) ? row : NULL;
}

/* Clears the slots of the time that has passed since the last one. A time far behind is that of the last slot. */
static unsigned int advance_slots(struct port_use_row *row, __u64 slot)
{
	if (slot > row->latest + PORT_USE_SLOTS) {
		memset(row->time_waits, 0, sizeof(row->time_waits));
		row->latest = slot;
	}
	while (row->latest < slot)
		row->time_waits[++row->latest % PORT_USE_SLOTS] = 0;
	return (unsigned int)(row->latest - slot < PORT_USE_SLOTS ? slot : row->latest) % PORT_USE_SLOTS;
}

void port_use_add(struct port_use *use, const struct summary_item *item)
{
	struct port_use_row key = { .dst_port = item->dst_port, .netns = item->netns }, *row;

	if (item->outcome != NT_OUTCOME_OPEN && !item->leaves_time_wait)
		return;
	memcpy(key.src_ip, item->src_ip, sizeof(key.src_ip));
	memcpy(key.dst_ip, item->dst_ip, sizeof(key.dst_ip));
	row = find_use(use, &key);
	if (!row)
		return;
	if (item->outcome == NT_OUTCOME_OPEN)
		row->open++;
	else
		row->time_waits[advance_slots(row, item->end_ns / PORT_USE_SLOT_NS)]++;
}

__u64 port_use_count(const struct port_use_row *row, __u64 now_ns)
{
	__u64 now = now_ns / PORT_USE_SLOT_NS, count = row->open, slot;

	for (slot = row->latest; slot + PORT_USE_SLOTS > now && slot + PORT_USE_SLOTS > row->latest && slot; slot--)
		count += row->time_waits[slot % PORT_USE_SLOTS];
	return count;
}

void port_use_begin_next(struct port_use *use)
{
	unsigned int i;

	for (i = 0; i < use->count; i++)
		use->rows[i].open = 0;
}
