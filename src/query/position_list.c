// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/position_list.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 128

static bool reserve_positions(struct position_list *list, size_t count)
{
	size_t capacity = list->capacity ? list->capacity : FIRST_CAPACITY;
	__u64 *larger;

	while (capacity < list->count + count)
		capacity *= 2;
	if (capacity == list->capacity)
		return true;
	larger = reallocarray(list->positions, capacity, sizeof(*larger));
	if (!larger) {
		list->failed = true;
		return false;
	}
	list->positions = larger;
	list->capacity = capacity;
	return true;
}

bool position_list_add(struct position_list *list, __u64 position)
{
	if (!reserve_positions(list, 1))
		return false;
	list->positions[list->count++] = position;
	return true;
}

static int order_positions(const void *left, const void *right)
{
	const __u64 *one = left, *other = right;

	return (*one > *other) - (*one < *other);
}

void position_lists_join(struct position_list *lists, unsigned int count)
{
	unsigned int i;

	for (i = 1; i < count; i++) {
		if (lists[i].count && reserve_positions(&lists[0], lists[i].count)) {
			memcpy(lists[0].positions + lists[0].count, lists[i].positions,
			       lists[i].count * sizeof(*lists[i].positions));
			lists[0].count += lists[i].count;
		}
		lists[0].failed = lists[0].failed || lists[i].failed;
		lists[i].count = 0;
	}
	if (lists[0].count)
		qsort(lists[0].positions, lists[0].count, sizeof(*lists[0].positions), order_positions);
}

void position_list_free(struct position_list *list)
{
	free(list->positions);
	*list = (struct position_list){ 0 };
}
