// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/newest_records.h"

#include <stdlib.h>
#include <string.h>

#define BITS_PER_RECORD 16
#define LEAST_BITS 4096ULL
#define MOST_BITS (1ULL << 30) /* 128 MiB */
#define BITS_PER_WORD 64
#define FIRST_CAPACITY 256

/* The finalizer of MurmurHash3: each bit of the input changes half of the output. It is reversible, so that different
 * numbers stay different. */
static __u64 mix(__u64 number)
{
	number = (number ^ number >> 33) * 0xff51afd7ed558ccdULL;
	number = (number ^ number >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return number ^ number >> 33;
}

static int digit_of_id(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* Returns a number for the id, not 0: 16 digits as netracker writes them are the number itself, mixed. */
static __u64 number_of(const char *id)
{
	__u64 number = 0, other = 0;
	bool is_hex = strlen(id) == NT_ID_SIZE - 1;
	int digit;

	for (; *id; id++) {
		digit = digit_of_id(*id);
		is_hex = is_hex && digit >= 0;
		number = number << 4 | (__u64)(digit & 0xf);
		other = mix(other ^ (unsigned char)*id);
	}
	number = mix(is_hex ? number : other);
	return number ? number : 1;
}

bool newest_records_init(struct newest_records *newest, __u64 records)
{
	__u64 bits = LEAST_BITS;

	*newest = (struct newest_records){ 0 };
	while (bits < MOST_BITS && bits / BITS_PER_RECORD < records)
		bits *= 2;
	newest->bit_count = bits;
	newest->bits = calloc(bits / BITS_PER_WORD, sizeof(*newest->bits));
	newest->failed = !newest->bits;
	return newest->bits;
}

void newest_records_free(struct newest_records *newest)
{
	free(newest->places);
	free(newest->bits);
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

/* At most two thirds of the places are in use. Returns NULL without memory. */
static struct newest_place *place_for(struct newest_records *newest, __u64 id)
{
	if (3 * newest->count >= 2 * newest->capacity && !grow_places(newest)) {
		newest->failed = true;
		return NULL;
	}
	return find_place(newest, id);
}

/* Returns whether an id with this hash was noted, and notes it. */
static bool test_and_set(struct newest_records *newest, __u64 id)
{
	__u64 bit = id >> 32 & (newest->bit_count - 1), mask = 1ULL << bit % BITS_PER_WORD;
	__u64 *word = &newest->bits[bit / BITS_PER_WORD];
	bool was_set = *word & mask;

	*word |= mask;
	return was_set;
}

void newest_records_note(struct newest_records *newest, const char id[NT_ID_SIZE], __u64 position)
{
	__u64 number = number_of(id);
	struct newest_place *place;

	if (!*id || !test_and_set(newest, number))
		return;
	place = place_for(newest, number);
	if (!place)
		return;
	newest->count += !place->id;
	*place = (struct newest_place){ number, position };
}

bool newest_records_has(const struct newest_records *newest, const char id[NT_ID_SIZE], __u64 position)
{
	const struct newest_place *place;

	if (!*id || !newest->capacity)
		return true;
	place = find_place(newest, number_of(id));
	return !place->id || place->position == position;
}

bool newest_records_add(struct newest_records *newest, const char id[NT_ID_SIZE])
{
	__u64 number = number_of(id);
	struct newest_place *place = place_for(newest, number);

	if (!*id || !place || place->id)
		return !*id || !place;
	place->id = number;
	newest->count++;
	return true;
}
