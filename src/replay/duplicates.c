// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/duplicates.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WAYS 8
/* Enough for 100,000 packets a second. The table grows before it forgets a packet too early. */
#define FEWEST_SETS_BITS 9
#define FEWEST_SETS (1U << FEWEST_SETS_BITS)
#define SECRETS 16 /* one for each word that is hashed */
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_TIMESTAMP 8

/* When and where a packet was seen: 25 bits of its time, 6 of its interface and direction, and one that is always set. */
#define TIME_SHIFT 7
#define PLACE_SHIFT 1
#define SEEN 1U
#define TIME_MASK 0x1ffffffU
#define PLACES 64
#define PLACE_MASK ((PLACES - 1U) << PLACE_SHIFT)

typedef __u32 prints __attribute__((vector_size(WAYS / 2 * sizeof(__u32))));

/* Packets that were seen. A set is one cache line. */
struct packet_set {
	union {
		prints vectors[2];
		__u32 of[WAYS];
	} print;
	__u32 seen[WAYS]; /* 0: none */
} __attribute__((aligned(64)));

struct duplicates {
	struct packet_set *sets;
	__u32 mask;  /* number of sets minus 1 */
	__u32 added; /* number of packets, modulo 2^32 */
	__u64 most_bytes;
	__u64 secret[SECRETS];
};

static struct packet_set *new_sets(__u32 count)
{
	struct packet_set *sets = aligned_alloc(sizeof(*sets), count * sizeof(*sets));

	if (sets)
		memset(sets, 0, count * sizeof(*sets));
	return sets;
}

/* The lowest bits of a set's number are no part of the prints in it. */
static struct packet_set *set_of(const struct duplicates *duplicates, __u32 print, __u32 lowest)
{
	return &duplicates->sets[(print << FEWEST_SETS_BITS | lowest) & duplicates->mask];
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
static __u16 ip_id(const struct nt_packet *packet, const struct nt_buffer *frame)
{
	__u32 at = packet->network_offset;
	__u16 id;

	if (at + NT_IPV4_HEADER > frame->length || frame->data[at] >> 4 != 4)
		return 0;
	memcpy(&id, frame->data + at + 4, sizeof(id));
	return id;
}

static __u64 load_word(const void *bytes)
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

/* Reads 16 bytes. */
static unsigned __int128 multiply(const __u64 *secret, const void *bytes)
{
	return (unsigned __int128)(load_word(bytes) + secret[0]) * (load_word((const __u8 *)bytes + 8) + secret[1]);
}

/* Hashes more than 16 bytes: the first and the last 16, and 16 in the middle. Up to 48 bytes that is all. Of more, the
 * first 48 are hashed, which hold the options.
 */
static unsigned __int128 hash_pieces(const __u64 *secret, const __u8 *bytes, __u32 size)
{
	const __u8 *middle = bytes + size / 2 - 8, *last = bytes + size - 16;
	unsigned __int128 sum = multiply(secret, bytes) + multiply(secret + 2, middle) + multiply(secret + 4, last);

	if (size <= 48)
		return sum;
	return sum + multiply(secret + 6, bytes + 16) + multiply(secret + 8, bytes + 32);
}

static unsigned __int128 hash_rest(const __u64 *secret, const __u8 *bytes, __u32 size)
{
	__u64 word[2];

	if (size > 16)
		return hash_pieces(secret, bytes, size);
	load_ends(bytes, size, word);
	return multiply(secret, word);
}

/* Returns the bytes of options that were captured. */
static __u32 options_length(const struct nt_packet *packet, const struct nt_buffer *frame)
{
	__u32 at = packet->transport_offset, left, size;

	if (at + NT_TCP_HEADER > frame->length)
		return 0;
	left = frame->length - at - NT_TCP_HEADER;
	size = (frame->data[at + 12] >> 4) * 4U - NT_TCP_HEADER;
	return size < left ? size : left;
}

/* Returns the number of bytes of options and payload that were captured. */
static __u32 rest_length(const struct nt_packet *packet, const struct nt_buffer *frame, __u32 options)
{
	__u32 from = packet->transport_offset + NT_TCP_HEADER + options;
	__u32 left = from < frame->length ? frame->length - from : 0;

	return options + (packet->payload_length < left ? packet->payload_length : left);
}

/* Multilinear hashing of pairs (NH; Black and others, "UMAC", 1999): its multiplications are independent. */
void duplicates_compute(const struct duplicates *duplicates, const struct capture_segment *segment, __u32 side_hash,
			const struct nt_buffer *frame, struct packet_fingerprint *fingerprint)
{
	const struct nt_packet *packet = &segment->packet;
	const __u64 *secret = duplicates->secret;
	__u32 options = options_length(packet, frame), rest = rest_length(packet, frame, options);
	const __u8 *bytes = frame->data + packet->transport_offset + NT_TCP_HEADER;
	__u16 id = ip_id(packet, frame);
	__u64 numbers = (__u64)packet->sequence << 32 | packet->acknowledgement;
	__u64 side = (__u64)side_hash << 32 | (__u32)packet->source_port << 16 | id;
	__u64 shape = (__u64)packet->payload_length << 32 | (__u32)packet->window << 16 | options << 8 | packet->flags;
	unsigned __int128 sum = (unsigned __int128)(numbers + secret[0]) * (side + secret[1]) +
				(unsigned __int128)shape * secret[2];
	__u64 hash;

	if (rest)
		sum += hash_rest(secret + 4, bytes, rest);
	hash = (__u64)(sum >> 64) ^ (__u64)sum;
	fingerprint->print = (__u32)(hash >> 32);
	fingerprint->lowest = hash & (FEWEST_SETS - 1);
	fingerprint->is_unique = id || has_timestamp(bytes, options);
	__builtin_prefetch(set_of(duplicates, fingerprint->print, fingerprint->lowest));
}

/* Returns the time between a packet and one seen before or, in a disordered capture, after it. */
static __u32 compute_age(__u32 seen, __u32 time)
{
	__u32 age = (time - (seen >> TIME_SHIFT)) & TIME_MASK, ahead = (TIME_MASK + 1 - age) & TIME_MASK;

	return age < ahead ? age : ahead;
}

static bool is_recent(__u32 seen, __u32 time)
{
	return seen && compute_age(seen, time) < NT_COPY_UNITS;
}

static __u32 hash_place(const struct capture_segment *segment)
{
	__u32 place = segment->interface.number << 1 | segment->direction;

	return place < PLACES ? place : place * 0x9e3779b9U >> 26;
}

/* Hardly any packet's print is found. */
static bool has_print(const struct packet_set *set, __u32 print)
{
	const prints wanted = { print, print, print, print };
	union {
		prints vector;
		__u64 words[2];
	} found = { .vector = (set->print.vectors[0] == wanted) | (set->print.vectors[1] == wanted) };

	return found.words[0] | found.words[1];
}

/* Returns a way whose packet is forgotten, or -1 if there is none. */
static int find_free_way(const struct packet_set *set, __u32 time)
{
	int way;

	for (way = 0; way < WAYS; way++)
		if (!is_recent(set->seen[way], time))
			return way;
	return -1;
}

/* Each packet of a set of the smaller table goes to one of two sets, in its way. */
static void move_set(struct duplicates *duplicates, const struct packet_set *from, __u32 number)
{
	struct packet_set *to;
	int way;

	for (way = 0; way < WAYS; way++) {
		if (!from->seen[way])
			continue;
		to = set_of(duplicates, from->print.of[way], number & (FEWEST_SETS - 1));
		to->print.of[way] = from->print.of[way];
		to->seen[way] = from->seen[way];
	}
}

/* Doubles the table. Returns false if it is at its limit, or without memory. */
static bool grow_duplicates(struct duplicates *duplicates)
{
	__u32 count = duplicates->mask + 1, i;
	struct packet_set *old = duplicates->sets;
	/* While the packets are moved, both tables exist. */
	bool has_bytes = 3 * count * sizeof(*old) <= duplicates->most_bytes;
	struct packet_set *sets = has_bytes ? new_sets(count * 2) : NULL;

	if (!sets)
		return false;
	duplicates->sets = sets;
	duplicates->mask = count * 2 - 1;
	for (i = 0; i < count; i++)
		move_set(duplicates, &old[i], i);
	free(old);
	return true;
}

/* Adds a packet where the way whose turn it is holds one that must not be forgotten yet. */
static __attribute__((noinline)) void insert_elsewhere(struct duplicates *duplicates,
						       const struct packet_fingerprint *fingerprint, __u32 seen)
{
	struct packet_set *set;
	int way;

	do {
		set = set_of(duplicates, fingerprint->print, fingerprint->lowest);
		way = find_free_way(set, seen >> TIME_SHIFT);
	} while (way < 0 && grow_duplicates(duplicates));
	if (way < 0)
		way = (int)(duplicates->added % WAYS);
	set->print.of[way] = fingerprint->print;
	set->seen[way] = seen;
}

/* All sets take their ways in the same turn. */
static void insert(struct duplicates *duplicates, const struct packet_fingerprint *fingerprint, struct packet_set *set,
		   __u32 seen)
{
	__u32 way = ++duplicates->added % WAYS;

	if (is_recent(set->seen[way], seen >> TIME_SHIFT)) {
		insert_elsewhere(duplicates, fingerprint, seen);
		return;
	}
	set->print.of[way] = fingerprint->print;
	set->seen[way] = seen;
}

/* Returns where the packet was seen within NT_COPY_NS, or NULL. */
static __attribute__((noinline)) __u32 *find_seen(struct packet_set *set, __u32 print, __u32 time)
{
	int way;

	for (way = 0; way < WAYS; way++)
		if (set->print.of[way] == print && is_recent(set->seen[way], time))
			return &set->seen[way];
	return NULL;
}

static __u32 describe_sighting(const struct capture_segment *segment)
{
	__u32 time = (__u32)(segment->ns >> NT_COPY_UNIT_BITS) & TIME_MASK;

	return time << TIME_SHIFT | hash_place(segment) << PLACE_SHIFT | SEEN;
}

static __u32 *find_in_set(struct packet_set *set, const struct packet_fingerprint *fingerprint, __u32 now)
{
	return has_print(set, fingerprint->print) ? find_seen(set, fingerprint->print, now >> TIME_SHIFT) : NULL;
}

/* Takes a packet that was seen before, and remembers the later time. */
static enum duplicate take_again(__u32 *seen, const struct packet_fingerprint *fingerprint, __u32 now)
{
	__u32 elsewhere = (*seen ^ now) & PLACE_MASK;

	*seen = now ^ elsewhere;
	if (elsewhere)
		return DUPLICATE_ELSEWHERE;
	return fingerprint->is_unique ? DUPLICATE_HERE : NO_DUPLICATE;
}

enum duplicate duplicates_find(struct duplicates *duplicates, const struct capture_segment *segment,
			       const struct packet_fingerprint *fingerprint)
{
	struct packet_set *set = set_of(duplicates, fingerprint->print, fingerprint->lowest);
	__u32 now = describe_sighting(segment), *seen = find_in_set(set, fingerprint, now);

	return seen ? take_again(seen, fingerprint, now) : NO_DUPLICATE;
}

enum duplicate duplicates_take(struct duplicates *duplicates, const struct capture_segment *segment,
			       const struct packet_fingerprint *fingerprint)
{
	struct packet_set *set = set_of(duplicates, fingerprint->print, fingerprint->lowest);
	__u32 now = describe_sighting(segment), *seen = find_in_set(set, fingerprint, now);

	if (seen)
		return take_again(seen, fingerprint, now);
	insert(duplicates, fingerprint, set, now);
	return NO_DUPLICATE;
}
