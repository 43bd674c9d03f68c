// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/quantity.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DURATION_NS 3.15576e18 /* 100 years */
#define NUMBER_SIZE 32

bool quantity_number(const char *text, __u64 least, __u64 most, __u64 *number)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return !errno && *number >= least && *number <= most;
}

/* Parses the number that the text begins with. Returns the text behind it, or NULL if there is no number. */
static const char *parse_decimal(const char *text, double *value)
{
	size_t digits = strspn(text, "0123456789.");
	char number[NUMBER_SIZE], *end;

	if (!digits || digits >= sizeof(number))
		return NULL;
	memcpy(number, text, digits);
	number[digits] = '\0';
	*value = strtod(number, &end);
	return *end || end == number ? NULL : text + digits;
}

/* Returns the nanoseconds of a unit. 0 if there is no such unit. */
static double unit_ns(const char *unit, __u64 bare_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "ns", 1 },   { "us", 1e3 },   { "ms", 1e6 },    { "s", 1e9 },
		{ "m", 6e10 }, { "h", 3.6e12 }, { "d", 8.64e13 },
	};
	size_t i;

	if (!*unit)
		return (double)bare_ns;
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

bool quantity_duration(const char *text, __u64 bare_ns, __u64 *ns)
{
	double value, unit;
	const char *rest = parse_decimal(text, &value);

	unit = rest ? unit_ns(rest, bare_ns) : 0;
	if (!unit || value * unit > MOST_DURATION_NS)
		return false;
	*ns = (__u64)(value * unit + 0.5);
	return true;
}

bool quantity_size(const char *text, __u64 least, __u64 most, __u64 *bytes)
{
	static const char units[] = "KMGT";
	double value;
	const char *rest = parse_decimal(text, &value);
	const char *unit = rest && *rest ? strchr(units, *rest) : NULL;

	if (!rest || (*rest && (!unit || rest[1])) || (!*rest && strchr(text, '.')))
		return false;
	value *= (double)(unit ? 1024ULL << 10 * (unit - units) : 1);
	if (value < (double)least || value > (double)most)
		return false;
	*bytes = (__u64)value;
	return true;
}
