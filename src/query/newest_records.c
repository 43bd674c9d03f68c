// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/newest_records.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

void newest_records_free(struct newest_records *newest)
{
	free(newest->places);
	*newest = (struct newest_records){ 0 };
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
bool newest_records_note(struct newest_records *newest, __u64 id, __u64 position)
{
	struct newest_place *place;
	bool is_new;

	if (3 * newest->count >= 2 * newest->capacity && !grow_places(newest)) {
		newest->failed = true;
		return true;
	}
	place = find_place(newest, id);
	is_new = !place->id;
	newest->count += is_new;
	place->id = id;
	if (is_new || place->position < position)
		place->position = position;
	return is_new;
}

void newest_records_merge(struct newest_records *newest, const struct newest_records *other)
{
	size_t i;

	/* In the order of their places, ids fill a smaller table from one side, where they would then collide. */
	while (newest->capacity < other->capacity && grow_places(newest))
		;
	for (i = 0; i < other->capacity; i++)
		if (other->places[i].id)
			newest_records_note(newest, other->places[i].id, other->places[i].position);
	newest->failed = newest->failed || other->failed;
}

bool newest_records_has(const struct newest_records *newest, __u64 id)
{
	return newest->count && find_place(newest, id)->id;
}
