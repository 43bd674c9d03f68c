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

/* Returns false unless the id is 16 digits, as netracker writes them. */
static bool parse_digits(const char *id, __u64 *number)
{
	int i, digit;

	*number = 0;
	for (i = 0; i < NT_ID_SIZE - 1; i++) {
		digit = digit_of_id(id[i]);
		if (digit < 0)
			return false;
		*number = *number << 4 | (__u64)digit;
	}
	return !id[i];
}

static __u64 mix_text(const char *text)
{
	__u64 number = 0;

	for (; *text; text++)
		number = mix(number ^ (unsigned char)*text);
	return number;
}

__u64 newest_records_number(const char *id)
{
	__u64 number;

	return parse_digits(id, &number) ? newest_records_mix(number, "") : newest_records_mix(0, id);
}

__u64 newest_records_mix(__u64 id, const char *other)
{
	return *other ? mix_text(other) : id ? mix(id) : 0;
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

void newest_records_note(struct newest_records *newest, __u64 number, __u64 position)
{
	struct newest_place *place;

	if (!number || !test_and_set(newest, number))
		return;
	place = place_for(newest, number);
	if (!place)
		return;
	newest->count += !place->id;
	*place = (struct newest_place){ number, position };
}

bool newest_records_has(const struct newest_records *newest, __u64 number, __u64 position)
{
	const struct newest_place *place;

	if (!number || !newest->capacity)
		return true;
	place = find_place(newest, number);
	return !place->id || place->position == position;
}

bool newest_records_add(struct newest_records *newest, __u64 number)
{
	struct newest_place *place = number ? place_for(newest, number) : NULL;

	if (!place || place->id)
		return !place;
	place->id = number;
	newest->count++;
	return true;
}
