// SPDX-License-Identifier: GPL-2.0-or-later
/* A Bloom filter whose bits for one number are in one word, so that a look-up waits for memory once. */
#include "src/query/id_filter.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define RECORDS_PER_WORD 4
#define FEWEST_WORDS 64ULL
#define MOST_WORDS (1ULL << 25) /* 256 MiB */
#define HUGE_PAGE (2UL << 20)
#define BITS_PER_NUMBER 3
#define BIT_MASK 63 /* of a word */
#define BIT_SHIFT 6

/* The finalizer of MurmurHash3: each bit of the input changes half of the output. It is reversible, so that different
 * numbers stay different. */
static __u64 mix(__u64 number)
{
	number = (number ^ number >> 33) * 0xff51afd7ed558ccdULL;
	number = (number ^ number >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return number ^ number >> 33;
}

static __u64 mix_text(const char *text)
{
	__u64 number = 0;

	for (; *text; text++)
		number = mix(number ^ (unsigned char)*text);
	return number;
}

__u64 id_filter_number(const struct history_row *row)
{
	return row->id ? mix(row->id) : mix_text(row->other_id);
}

/* In huge pages if there are any: each look-up is in another page. */
static __u64 *allocate_words(size_t size)
{
	size_t alignment = size < HUGE_PAGE ? sizeof(__u64) : HUGE_PAGE;
	void *words = aligned_alloc(alignment, size);

	if (!words)
		return NULL;
	if (alignment == HUGE_PAGE)
		madvise(words, size, MADV_HUGEPAGE);
	return memset(words, 0, size);
}

unsigned int id_filter_count_rounds(__u64 records, __u64 most)
{
	__u64 rounds = records / (most ? most : MOST_WORDS * RECORDS_PER_WORD) + 1;

	return rounds < ID_FILTER_MOST_ROUNDS ? (unsigned int)rounds : ID_FILTER_MOST_ROUNDS;
}

bool id_filter_init(struct id_filter *filter, __u64 records)
{
	filter->count = FEWEST_WORDS;
	while (filter->count < MOST_WORDS && filter->count * RECORDS_PER_WORD < records)
		filter->count *= 2;
	filter->words = allocate_words(filter->count * sizeof(*filter->words));
	return filter->words;
}

void id_filter_free(struct id_filter *filter)
{
	free(filter->words);
	*filter = (struct id_filter){ 0 };
}

bool id_filter_add(struct id_filter *filter, __u64 number)
{
	__u64 bits = 0, before;
	int i;

	for (i = 0; i < BITS_PER_NUMBER; i++)
		bits |= 1ULL << (number >> i * BIT_SHIFT & BIT_MASK);
	before = __atomic_fetch_or(&filter->words[number >> 32 & (filter->count - 1)], bits, __ATOMIC_RELAXED);
	return (before & bits) == bits;
}
