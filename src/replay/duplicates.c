// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/duplicates.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS 8 /* one cache line */
/* Enough for 100,000 packets a second. The table grows before it forgets a packet too early. */
#define FEWEST_SETS 512
#define SECRETS 16 /* one for each word that is hashed */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_TIMESTAMP 8

/* A packet that was seen: 40 bits of its fingerprint, never 0, 20 of its time, 4 of the interface and direction. Small
 * entries keep the table in the CPU's cache.
 */
#define PRINT_SHIFT 24
#define TIME_SHIFT 4
#define TIME_UNIT_BITS 14 /* of a nanosecond: 16 microseconds */
#define TIME_MASK 0xfffffU
#define TIME_LIMIT (DUPLICATE_NS >> TIME_UNIT_BITS)
#define PLACE_MASK 0xfU

struct duplicates {
	__u64 (*sets)[WAYS];
	__u32 mask; /* number of sets minus 1 */
	__u64 most_bytes;
	__u64 secret[SECRETS];
};

static __u64 (*new_sets(__u32 count))[WAYS]
{
	__u64(*sets)[WAYS] = aligned_alloc(sizeof(*sets), count * sizeof(*sets));

	if (sets)
		memset(sets, 0, count * sizeof(*sets));
	return sets;
}

/* The lowest bit of a print is always set. */
static __u64 *set_of(const struct duplicates *duplicates, __u64 print)
{
	return duplicates->sets[print >> 1 & duplicates->mask];
}

struct duplicates *duplicates_new(__u64 most_bytes)
{
	struct duplicates *duplicates = calloc(1, sizeof(*duplicates));

	if (!duplicates)
		return NULL;
	duplicates->most_bytes = most_bytes;
	duplicates->mask = FEWEST_SETS - 1;
	duplicates->sets = new_sets(FEWEST_SETS);
	if (duplicates->sets &&
	    getrandom(duplicates->secret, sizeof(duplicates->secret), 0) == sizeof(duplicates->secret))
		return duplicates;
	duplicates_free(duplicates);
	return NULL;
}

void duplicates_free(struct duplicates *duplicates)
{
	if (!duplicates)
		return;
	free(duplicates->sets);
	free(duplicates);
}

static bool has_timestamp(const __u8 *options, __u32 size)
{
	static const __u8 usual[] = { OPTION_NOP, OPTION_NOP, OPTION_TIMESTAMP, 10 };
	__u32 at = 0;

	if (size >= sizeof(usual) && !memcmp(options, usual, sizeof(usual)))
		return true;
	while (at < size && options[at] != OPTION_END) {
		if (options[at] == OPTION_TIMESTAMP)
			return true;
		if (options[at] == OPTION_NOP)
			at++;
		else if (at + 1 < size && options[at + 1] >= 2)
			at += options[at + 1];
		else
			return false;
	}
	return false;
}

/* Returns 0 for IPv6, and if it was not captured. */
static __u16 ip_id(const struct capture_segment *segment, const struct nt_buffer *frame)
{
	__u32 at = segment->packet.network_offset;
	__u16 id;

	if (at + NT_IPV4_HEADER > frame->length || frame->data[at] >> 4 != 4)
		return 0;
	memcpy(&id, frame->data + at + 4, sizeof(id));
	return id;
}

static __u64 load_word(const __u8 *bytes)
{
	__u64 word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

/* Loads the first and the last eight bytes of `size`, which overlap if there are less than 16. */
static void load_ends(const __u8 *bytes, __u32 size, __u64 word[2])
{
	__u32 first;

	word[0] = word[1] = 0;
	if (size >= sizeof(__u64)) {
		word[0] = load_word(bytes);
		word[1] = load_word(bytes + size - sizeof(__u64));
	} else if (size >= sizeof(first)) {
		memcpy(&first, bytes, sizeof(first));
		memcpy(&word[1], bytes + size - sizeof(first), sizeof(first));
		word[0] = first;
	} else if (size) {
		word[0] = (__u64)bytes[0] << 16 | (__u64)bytes[size / 2] << 8 | bytes[size - 1];
	}
}

static unsigned __int128 multiply(const __u64 *secret, const __u64 word[2])
{
	return (unsigned __int128)(word[0] + secret[0]) * (word[1] + secret[1]);
}

/* Adds the first and the last 16 bytes, and 16 in the middle. Up to 48 bytes that is all. */
static unsigned __int128 hash_pieces(const __u64 *secret, const __u8 *bytes, __u32 size)
{
	unsigned __int128 sum;
	__u64 word[2];

	load_ends(bytes, size, word);
	sum = multiply(secret, word);
	if (size <= 16)
		return sum;
	word[0] = load_word(bytes + 8);
	word[1] = load_word(bytes + size - 16);
	sum += multiply(secret + 2, word);
	load_ends(bytes + size / 2 - 8, 16, word);
	return sum + multiply(secret + 4, word);
}

/* Adds the options and the payload, as far as they were captured. Returns whether the packet has a timestamp. */
static bool hash_rest(const __u64 *secret, const struct nt_packet *packet, const struct nt_buffer *frame,
		      unsigned __int128 *sum)
{
	__u32 at = packet->transport_offset, left, options, payload;
	const __u8 *header = frame->data + at;

	if (at + NT_TCP_HEADER > frame->length)
		return false;
	left = frame->length - at - NT_TCP_HEADER;
	options = (header[12] >> 4) * 4U - NT_TCP_HEADER;
	options = options < left ? options : left;
	payload = left - options < packet->payload_length ? left - options : packet->payload_length;
	*sum += hash_pieces(secret, header + NT_TCP_HEADER, options);
	*sum += hash_pieces(secret + 6, header + NT_TCP_HEADER + options, payload);
	return has_timestamp(header + NT_TCP_HEADER, options);
}

/* Multilinear hashing of pairs (NH; Black and others, "UMAC", 1999): its multiplications are independent. */
void duplicates_compute(const struct duplicates *duplicates, const struct capture_segment *segment, __u32 key_hash,
			const struct nt_buffer *frame, struct packet_fingerprint *fingerprint)
{
	const struct nt_packet *packet = &segment->packet;
	const __u64 *secret = duplicates->secret;
	__u16 id = ip_id(segment, frame);
	const __u64 header[4] = {
		(__u64)packet->sequence << 32 | packet->acknowledgement,
		(__u64)packet->source_port << 48 | (__u64)packet->destination_port << 32 | (__u64)packet->window << 16 |
			id,
		(__u64)packet->payload_length << 32 | packet->flags,
		key_hash,
	};
	unsigned __int128 sum = multiply(secret, header) + multiply(secret + 2, header + 2);

	fingerprint->is_unique = hash_rest(secret + 4, packet, frame, &sum) || id;
	fingerprint->hash = ((__u64)(sum >> 64) ^ (__u64)sum) >> PRINT_SHIFT | 1;
	__builtin_prefetch(set_of(duplicates, fingerprint->hash));
}

/* Returns the time between a packet and one seen before or, in a disordered capture, after it. */
static __u32 compute_age(__u64 seen, __u32 time)
{
	__u32 age = (time - (__u32)(seen >> TIME_SHIFT)) & TIME_MASK, ahead = (TIME_MASK + 1 - age) & TIME_MASK;

	return age < ahead ? age : ahead;
}

/* The newest is the first of its set, so the last is the oldest. */
static void insert(__u64 *set, __u64 added)
{
	memmove(set + 1, set, (WAYS - 1) * sizeof(*set));
	set[0] = added;
}

/* Doubles the table. Returns false if it is at its limit, or without memory. */
static bool grow_duplicates(struct duplicates *duplicates)
{
	__u32 count = duplicates->mask + 1, i;
	__u64(*old)[WAYS] = duplicates->sets, *entry;
	/* While the entries are moved, both tables exist. */
	bool has_bytes = 3 * count * sizeof(*old) <= duplicates->most_bytes;
	__u64(*sets)[WAYS] = has_bytes ? new_sets(count * 2) : NULL;

	if (!sets)
		return false;
	duplicates->sets = sets;
	duplicates->mask = count * 2 - 1;
	for (i = count * WAYS; i-- > 0;) {
		entry = &old[i / WAYS][i % WAYS];
		if (*entry)
			insert(set_of(duplicates, *entry >> PRINT_SHIFT), *entry);
	}
	free(old);
	return true;
}

static bool forgets_too_early(const __u64 *set, __u32 time)
{
	return set[WAYS - 1] && compute_age(set[WAYS - 1], time) < TIME_LIMIT;
}

bool duplicates_take(struct duplicates *duplicates, const struct capture_segment *segment,
		     const struct packet_fingerprint *fingerprint)
{
	__u64 print = fingerprint->hash, *set = set_of(duplicates, print), place, added;
	__u32 time = (__u32)(segment->ns >> TIME_UNIT_BITS) & TIME_MASK;
	bool is_elsewhere;
	int i;

	place = ((segment->interface.number << 1 | segment->direction) * 0x9e3779b9U) >> 28 & PLACE_MASK;
	added = print << PRINT_SHIFT | (__u64)time << TIME_SHIFT | place;
	for (i = 0; i < WAYS; i++) {
		if (set[i] >> PRINT_SHIFT != print || compute_age(set[i], time) >= TIME_LIMIT)
			continue;
		is_elsewhere = (set[i] & PLACE_MASK) != place;
		set[i] = (added & ~(__u64)PLACE_MASK) | (set[i] & PLACE_MASK);
		return fingerprint->is_unique || is_elsewhere;
	}
	while (forgets_too_early(set, time) && grow_duplicates(duplicates))
		set = set_of(duplicates, print);
	insert(set, added);
	return false;
}
