// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/readable.h"

#define NS_PER_SECOND 1000000000ULL

/* Prints three significant digits. The caller scales `value` to 1 or more. */
static void print_scaled(struct text_buffer *text, double value, const char *unit)
{
	text_format(text, value < 9.995 ? "%.2f%s" : value < 99.95 ? "%.1f%s" : "%.0f%s", value, unit);
}

static void print_two_units(struct text_buffer *text, __u64 value, unsigned int divisor, char large, char small)
{
	text_format(text, "%llu%c%02llu%c", (unsigned long long)(value / divisor), large,
		    (unsigned long long)(value % divisor), small);
}

void readable_duration(struct text_buffer *text, __u64 ns)
{
	__u64 seconds = (ns + NS_PER_SECOND / 2) / NS_PER_SECOND;

	if (ns < 1000)
		text_format(text, "%lluns", (unsigned long long)ns);
	else if (ns < 999500)
		print_scaled(text, (double)ns / 1e3, "us");
	else if (ns < 999500000)
		print_scaled(text, (double)ns / 1e6, "ms");
	else if (ns < 59950000000)
		print_scaled(text, (double)ns / 1e9, "s");
	else if (seconds < 3600)
		print_two_units(text, seconds, 60, 'm', 's');
	else if (seconds < 86400)
		print_two_units(text, seconds / 60, 60, 'h', 'm');
	else if (seconds < 100 * 86400)
		print_two_units(text, seconds / 3600, 24, 'd', 'h');
	else
		text_format(text, "%llud", (unsigned long long)(seconds / 86400));
}

void readable_count(struct text_buffer *text, __u64 count)
{
	static const char *const units[] = { "K", "M", "G", "T", "P", "E" };
	double value = (double)count / 1024;
	unsigned int unit = 0;

	if (count < 1000)
		return text_integer(text, count);
	for (; value >= 999.5 && unit < 5; unit++)
		value /= 1024;
	print_scaled(text, value, units[unit]);
}
