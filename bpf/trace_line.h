/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats a trace line byte by byte: before 5.13 (bpf_snprintf, 7b15523a989b) the kernel formats no addresses, and it
 * does not shorten IPv6 addresses (RFC 5952).
 *
 * Values that a loop carries from one iteration to the next are volatile and in struct line, so that the verifier does
 * not follow each possible value.
 */
#ifndef NETRACKER_BPF_TRACE_LINE_H
#define NETRACKER_BPF_TRACE_LINE_H

#define LINE_SIZE 256 /* the longest trace line has 167 bytes; a power of two, so that a mask limits the index */
#define DIGITS 20     /* of a 64-bit number */
#define GREATEST_POWER 10000000000000000000ULL

struct line {
	char text[LINE_SIZE];
	__u32 used;
	/* groups of zeros in an IPv6 address: the current run's length, the longest run's, the group after that one */
	__u32 zeros, longest, after;
};

static __always_inline void put_byte(struct line *line, char byte)
{
	line->text[line->used & (LINE_SIZE - 1)] = byte;
	line->used++;
}

/* Appends eight characters; the line's length must be a multiple of eight. The compiler makes a number of them. Longer
 * strings would need a section .rodata.str1.1, which ecli does not load. */
#define PUT_EIGHT(line, constant) \
	do { \
		__builtin_memcpy((line)->text + ((line)->used & (LINE_SIZE - 8)), (constant), 8); \
		(line)->used += 8; \
	} while (0)

static __always_inline void put_decimal(struct line *line, __u64 number)
{
	__u64 power = GREATEST_POWER;
	_Bool began = 0;
	int i;

	for (i = 0; i < DIGITS; i++) {
		__u64 digit = number / power;

		began |= digit || i == DIGITS - 1;
		if (began)
			put_byte(line, '0' + digit);
		number -= digit * power;
		power /= 10;
	}
}

static __always_inline __u32 group_of(const __u8 *address, int i)
{
	return address[2 * i] << 8 | address[2 * i + 1];
}

static __always_inline void put_group(struct line *line, __u32 group)
{
	_Bool began = 0;
	int shift;

	for (shift = 12; shift >= 0; shift -= 4) {
		__u32 digit = group >> shift & 15;

		began |= digit || !shift;
		if (began)
			put_byte(line, digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
}

/* RFC 5952 section 4.2: "::" stands for the longest run of two or more zero groups, for the first of equal ones. */
static __always_inline void find_zero_run(struct line *line, const __u8 *address)
{
	volatile struct line *found = line;
	int i;

	found->zeros = found->longest = found->after = 0;
	for (i = 0; i < 8; i++) {
		found->zeros = group_of(address, i) ? 0 : found->zeros + 1;
		if (found->zeros <= found->longest)
			continue;
		found->longest = found->zeros;
		found->after = i + 1;
	}
	if (found->longest < 2)
		found->longest = found->after = 0;
}

static __always_inline void put_ipv6(struct line *line, const __u8 *address)
{
	volatile struct line *found = line;
	int i;

	find_zero_run(line, address);
	for (i = 0; i < 8; i++) {
		_Bool left_out = i < found->after && i + found->longest >= found->after;

		/* the run writes the first of its two colons where it begins; the next group writes the second */
		if (left_out ? i + found->longest == found->after : i > 0)
			put_byte(line, ':');
		if (!left_out)
			put_group(line, group_of(address, i));
		else if (i == 7) /* there is no next group */
			put_byte(line, ':');
	}
}

/* Terminates the text. Returns its length with the NUL. */
static __always_inline __u32 terminate_line(struct line *line)
{
	__u32 last = line->used & (LINE_SIZE - 1);

	line->text[last] = '\0';
	return last + 1;
}

#endif
