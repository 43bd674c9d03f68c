/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text, put together byte by byte, since the kernel formats no addresses before 5.13 (bpf_snprintf, 7b15523a989b), and
 * does not shorten IPv6 ones (RFC 5952).
 *
 * What a loop carries on is kept in struct line, volatile: the verifier then does not follow each value that it can have.
 */
#ifndef NETRACKER_BPF_TRACE_LINE_H
#define NETRACKER_BPF_TRACE_LINE_H

#define LINE_SIZE 256 /* the seed's longest line has 167 bytes; a power of two, so that a mask keeps within */
#define DIGITS 20 /* of a 64-bit number */
#define GREATEST_POWER 10000000000000000000ULL

struct line {
	char text[LINE_SIZE];
	__u32 used;
	/* the groups of zeros that IPv6 addresses are shortened by */
	__u32 zeros, longest, after;
};

static __always_inline void put(struct line *line, char byte)
{
	line->text[line->used & (LINE_SIZE - 1)] = byte;
	line->used++;
}

/* Eight characters at once, where the line's length is a multiple of eight: they are a number, where longer strings would
 * need a section .rodata.str1.1, which ecli does not load. */
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
			put(line, '0' + digit);
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
			put(line, digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
}

/* RFC 5952 section 4.2: "::" stands for the longest run of two zero groups or more, for the first where two are as
 * long. */
static __always_inline void find_zeros(struct line *line, const __u8 *address)
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

	find_zeros(line, address);
	for (i = 0; i < 8; i++) {
		_Bool left_out = i < found->after && i + found->longest >= found->after;

		/* of the run's two colons the first stands where it begins, the second is that of the next group */
		if (left_out ? i + found->longest == found->after : i > 0)
			put(line, ':');
		if (!left_out)
			put_group(line, group_of(address, i));
		else if (i == 7) /* there is none */
			put(line, ':');
	}
}

/* As text that ends there; its length with the NUL. */
static __always_inline __u32 end_line(struct line *line)
{
	__u32 last = line->used & (LINE_SIZE - 1);

	line->text[last] = '\0';
	return last + 1;
}

#endif
