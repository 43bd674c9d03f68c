// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/newest_records.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

void newest_records_free(struct newest_records *newest)
{
	free(newest->places);
	*newest = (struct newest_records){ .most = newest->most };
}

/* Returns the place of the id, or the empty one where it belongs. There is an empty one. */
static struct newest_place *find_place(const struct newest_records *newest, __u64 id)
{
	size_t index = id & (newest->capacity - 1);

	while (newest->places[index].id && newest->places[index].id != id)
		index = (index + 1) & (newest->capacity - 1);
	return &newest->places[index];
}

static bool grow_places(struct newest_records *newest)
{
	struct newest_records larger = { .capacity = newest->capacity ? 2 * newest->capacity : FIRST_CAPACITY };
	size_t i;

	larger.places = calloc(larger.capacity, sizeof(*larger.places));
	if (!larger.places)
		return false;
	for (i = 0; i < newest->capacity; i++)
		if (newest->places[i].id)
			*find_place(&larger, newest->places[i].id) = newest->places[i];
	free(newest->places);
	newest->places = larger.places;
	newest->capacity = larger.capacity;
	return true;
}

/* At most two thirds of the places are in use. */
static bool reserve_place(struct newest_records *newest)
{
	newest->is_full = newest->is_full || newest->count == newest->most;
	if (newest->is_full)
		return false;
	if (3 * newest->count >= 2 * newest->capacity && !grow_places(newest))
		newest->failed = true;
	return !newest->failed;
}

bool newest_records_add(struct newest_records *newest, __u64 id, __u64 position)
{
	if (newest->count && find_place(newest, id)->id)
		return false;
	if (reserve_place(newest)) {
		*find_place(newest, id) = (struct newest_place){ id, position };
		newest->count++;
	}
	return true;
}

bool newest_records_raise(const struct newest_records *newest, __u64 id, __u64 position)
{
	struct newest_place *place = newest->count ? find_place(newest, id) : NULL;
	__u64 before;

	if (!place || !place->id)
		return false;
	before = __atomic_load_n(&place->position, __ATOMIC_RELAXED);
	while (before < position && !__atomic_compare_exchange_n(&place->position, &before, position, true,
								 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
	return true;
}

__u64 newest_records_position(const struct newest_records *newest, __u64 id)
{
	return newest->count ? find_place(newest, id)->position : 0;
}
