// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/util/time_point.h"

#include <string.h>
#include <time.h>

#include "src/util/quantity.h"

#define NS_PER_SECOND 1000000000ULL
#define LAST_YEAR 2261 /* nanoseconds since the epoch fit into 63 bits */

/* A time as it is written. */
struct written_time {
	struct tm tm;
	__u64 fraction_ns;
	__u64 unit_ns; /* of the last part; 0: a day */
	bool has_zone;
	long east_seconds; /* of Greenwich */
};

/* Parses up to nine digits behind the point. Returns the text behind them. */
static const char *parse_fraction(const char *text, struct written_time *time)
{
	for (text++; *text >= '0' && *text <= '9'; text++) {
		time->unit_ns /= 10;
		time->fraction_ns += time->unit_ns * (__u64)(*text - '0');
	}
	if (!time->unit_ns)
		time->unit_ns = 1;
	return text;
}

/* Parses "14:05", "14:05:09" and "14:05:09.5". Returns the text behind it, or NULL. */
static const char *parse_clock(const char *text, struct written_time *time)
{
	const char *rest = strptime(text, "%H:%M", &time->tm);

	time->tm.tm_sec = 0;
	time->unit_ns = 60 * NS_PER_SECOND;
	if (!rest || *rest != ':')
		return rest;
	rest = strptime(rest, ":%S", &time->tm);
	time->unit_ns = NS_PER_SECOND;
	return rest && *rest == '.' ? parse_fraction(rest, time) : rest;
}

static bool parse_today(const char *text, struct written_time *time)
{
	const char *rest;

	if (!strcmp(text, "today") || !strcmp(text, "yesterday")) {
		time->tm.tm_mday -= *text == 'y';
		return true;
	}
	rest = parse_clock(text, time);
	return rest && !*rest;
}

/* Parses "Z", "+01:00" and "-0130". */
static bool parse_zone(const char *text, struct written_time *time)
{
	struct tm zone = { 0 };
	const char *rest = strptime(text, "%z", &zone);

	time->has_zone = true;
	time->east_seconds = zone.tm_gmtoff;
	return rest && !*rest;
}

static bool parse_date(const char *text, struct written_time *time)
{
	const char *rest = strptime(text, "%Y-%m-%d", &time->tm);

	if (rest && (*rest == 'T' || *rest == ' '))
		rest = parse_clock(rest + 1, time);
	return rest && (!*rest || parse_zone(rest, time));
}

static time_t seconds_of(const struct written_time *time, int days_later)
{
	struct tm tm = time->tm;

	tm.tm_mday += days_later;
	return time->has_zone ? timegm(&tm) - time->east_seconds : mktime(&tm);
}

/* strptime() accepts the 31st of every month. */
static bool is_valid_date(const struct written_time *time)
{
	struct tm tm = time->tm;

	tm.tm_hour = 12;
	timegm(&tm);
	return tm.tm_mday == time->tm.tm_mday && tm.tm_mon == time->tm.tm_mon && tm.tm_year + 1900 <= LAST_YEAR;
}

static bool fill_span(const struct written_time *time, struct time_span *span)
{
	time_t seconds = seconds_of(time, 0);
	__u64 unit_ns = time->unit_ns;

	if (seconds < 0)
		return false;
	if (!unit_ns) /* a day of 23 to 25 hours */
		unit_ns = (__u64)(seconds_of(time, 1) - seconds) * NS_PER_SECOND;
	span->first_ns = (__u64)seconds * NS_PER_SECOND + time->fraction_ns;
	span->last_ns = span->first_ns + unit_ns - 1;
	return true;
}

static bool parse_before_now(const char *text, __u64 now_ns, struct time_span *span)
{
	__u64 before_ns = 0;

	if (strcmp(text, "now") &&
	    (*text != '-' || !quantity_duration(text + 1, NS_PER_SECOND, &before_ns) || before_ns > now_ns))
		return false;
	span->first_ns = span->last_ns = now_ns - before_ns;
	return true;
}

bool time_point_parse(const char *text, struct time_span *span)
{
	struct written_time today = { 0 }, time;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (parse_before_now(text, (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec, span))
		return true;
	localtime_r(&now.tv_sec, &today.tm);
	today.tm.tm_hour = today.tm.tm_min = today.tm.tm_sec = 0;
	today.tm.tm_isdst = -1; /* of that day, not of now */
	time = today;
	if (parse_today(text, &time))
		return fill_span(&time, span);
	time = today;
	return parse_date(text, &time) && is_valid_date(&time) && fill_span(&time, span);
}
