#include "src/option_values.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MAX_NS 3.15576e18 /* 100 years */

bool parse_number(const char *text, __u64 least, __u64 most, __u64 *number)
{
	if (!*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	*number = strtoull(text, NULL, 10);
	return !errno && *number >= least && *number <= most;
}

/* Nanoseconds in a unit; 0: there is no such unit. */
static double unit_ns(const char *unit)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		{ "", 1e9 }, { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 6e10 }, { "h", 3.6e12 },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(unit, units[i].name))
			return units[i].ns;
	return 0;
}

bool parse_duration(const char *text, __u64 *ns)
{
	size_t digits = strspn(text, "0123456789.");
	char number[32], *end;
	double value;

	if (!digits || digits >= sizeof(number))
		return false;
	memcpy(number, text, digits);
	number[digits] = '\0';
	value = strtod(number, &end) * unit_ns(text + digits);
	if (*end || !unit_ns(text + digits) || value > DURATION_MAX_NS)
		return false;
	*ns = (__u64)(value + 0.5);
	return true;
}

/* Calls `add` with each item of a list; false at the first that it refuses, or that is empty. */
static bool for_each_item(const char *text, bool (*add)(const char *item, void *context, const void *valid),
			  void *context, const void *valid)
{
	char item[32];

	for (;;) {
		size_t length = strcspn(text, ",");

		if (!length || length >= sizeof(item))
			return false;
		memcpy(item, text, length);
		item[length] = '\0';
		if (!add(item, context, valid))
			return false;
		if (!text[length])
			return true;
		text += length + 1;
	}
}

static bool add_port(const char *item, void *context, const void *valid)
{
	struct port_set *set = context;
	__u64 port;

	(void)valid;
	if (!parse_number(item, 1, 65535, &port))
		return false;
	set->bits[port >> 3] |= 1U << (port & 7);
	return true;
}

bool parse_ports(const char *text, struct port_set *set)
{
	set->given = true;
	return for_each_item(text, add_port, set, NULL);
}

static bool add_word(const char *item, void *context, const void *valid)
{
	const struct field_names *names = valid;
	unsigned int *bits = context, i;

	for (i = 0; i < names->count; i++) {
		if (!strcmp(item, names->names[i])) {
			*bits |= 1U << i;
			return true;
		}
	}
	return false;
}

bool parse_words(const char *text, const struct field_names *names, unsigned int *bits)
{
	return for_each_item(text, add_word, bits, names);
}
