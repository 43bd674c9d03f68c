// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/time_point.h"

#include <string.h>
#include <time.h>

#include "src/util/quantity.h"

#define NS_PER_SECOND 1000000000ULL

static bool is_at_midnight(const char *text, struct tm *local)
{
	if (strcmp(text, "today") && strcmp(text, "yesterday"))
		return false;
	local->tm_mday -= *text == 'y';
	local->tm_hour = local->tm_min = local->tm_sec = 0;
	return true;
}

/* Parses up to nine digits behind the point. Returns the text behind them. */
static const char *parse_fraction(const char *text, __u64 *ns)
{
	__u64 unit = NS_PER_SECOND / 10;

	for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
		*ns += unit * (__u64)(*text - '0');
	return text;
}

/* Parses "14:05", "14:05:09" and "14:05:09.5". Returns the text behind it, or NULL. */
static const char *parse_clock(const char *text, struct tm *local, __u64 *ns)
{
	const char *rest;

	local->tm_sec = 0;
	rest = strptime(text, "%H:%M", local);
	if (!rest || *rest != ':')
		return rest;
	rest = strptime(rest, ":%S", local);
	return rest && *rest == '.' ? parse_fraction(rest, ns) : rest;
}

/* Returns the seconds of "Z", "+01:00" or "-0130" east of Greenwich. False if the text is none of these. */
static bool parse_zone(const char *text, long *east)
{
	struct tm zone = { 0 };
	const char *rest = strptime(text, "%z", &zone);

	*east = zone.tm_gmtoff;
	return rest && !*rest;
}

static bool parse_date(const char *text, struct tm *local, time_t *seconds, __u64 *ns)
{
	const char *rest = strptime(text, "%Y-%m-%d", local);
	long east;

	local->tm_hour = local->tm_min = local->tm_sec = 0;
	if (rest && (*rest == 'T' || *rest == ' '))
		rest = parse_clock(rest + 1, local, ns);
	if (!rest)
		return false;
	if (!*rest) {
		*seconds = mktime(local);
		return true;
	}
	if (!parse_zone(rest, &east))
		return false;
	*seconds = timegm(local) - east;
	return true;
}

bool time_point_parse(const char *text, __u64 *epoch_ns)
{
	struct timespec now;
	struct tm local;
	time_t seconds;
	__u64 ns = 0;
	const char *rest;

	clock_gettime(CLOCK_REALTIME, &now);
	*epoch_ns = (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
	if (!strcmp(text, "now"))
		return true;
	if (*text == '-') {
		if (!quantity_duration(text + 1, NS_PER_SECOND, &ns) || ns > *epoch_ns)
			return false;
		*epoch_ns -= ns;
		return true;
	}
	localtime_r(&now.tv_sec, &local);
	local.tm_isdst = -1; /* of that day, not of now */
	rest = parse_clock(text, &local, &ns);
	if (rest && !*rest) {
		seconds = mktime(&local);
	} else {
		localtime_r(&now.tv_sec, &local);
		local.tm_isdst = -1;
		ns = 0;
		if (is_at_midnight(text, &local))
			seconds = mktime(&local);
		else if (!parse_date(text, &local, &seconds, &ns))
			return false;
	}
	if (seconds < 0)
		return false;
	*epoch_ns = (__u64)seconds * NS_PER_SECOND + ns;
	return true;
}
