// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/accounting.h"

/* Holds all causes, with numbers of 20 digits. */
#define ACCOUNTING_LINE 4096

static const char *const filter_names[ACCOUNTING_FILTERS] = {
	[ACCOUNTING_FILTERED_OPTION] = "by options",
	[ACCOUNTING_FILTERED_FORWARDED] = "forwarded",
};

static const char *const loss_names[ACCOUNTING_LOSSES] = {
	[ACCOUNTING_LOST_HALF_OPEN_FULL] = "half-open table full",
	[ACCOUNTING_LOST_HALF_OPEN_SHARE] = "one user's or network's share of the half-open table full",
	[ACCOUNTING_LOST_HALF_OPEN_NO_MEMORY] = "half-open table out of memory",
	[ACCOUNTING_LOST_HALF_OPEN_LOCK] = "half-open table lock contended",
	[ACCOUNTING_LOST_HALF_OPEN_OTHER] = "half-open table failed",
	[ACCOUNTING_LOST_ESTABLISHED_FULL] = "established table full",
	[ACCOUNTING_LOST_ESTABLISHED_SHARE] = "one user's or network's share of the established table full",
	[ACCOUNTING_LOST_ESTABLISHED_NO_MEMORY] = "established table out of memory",
	[ACCOUNTING_LOST_ESTABLISHED_LOCK] = "established table lock contended",
	[ACCOUNTING_LOST_ESTABLISHED_OTHER] = "established table failed",
	[ACCOUNTING_LOST_SOCKETS_FULL] = "socket table full",
	[ACCOUNTING_LOST_SOCKETS_SHARE] = "one user's share of the socket table full",
	[ACCOUNTING_LOST_SOCKETS_NO_MEMORY] = "socket table out of memory",
	[ACCOUNTING_LOST_SOCKETS_LOCK] = "socket table lock contended",
	[ACCOUNTING_LOST_SOCKETS_OTHER] = "socket table failed",
	[ACCOUNTING_LOST_RING_FULL] = "ring buffer full",
	[ACCOUNTING_LOST_RING_LOCK] = "ring buffer lock contended",
	[ACCOUNTING_LOST_EVICTED] = "evicted",
	[ACCOUNTING_LOST_SINK_FAILED] = "output failed",
	[ACCOUNTING_LOST_NO_MEMORY] = "out of memory",
	[ACCOUNTING_LOST_HISTORY_SLOW] = "history too slow",
	[ACCOUNTING_LOST_HISTORY_DISK_FULL] = "no room for the history",
	[ACCOUNTING_LOST_HISTORY_FAILED] = "history failed",
};

static __u64 sum(const __u64 *counts, unsigned int size)
{
	__u64 total = 0;

	while (size--)
		total += counts[size];
	return total;
}

const char *accounting_loss_name(enum accounting_loss cause)
{
	return loss_names[cause];
}

const char *accounting_filter_name(enum accounting_filter cause)
{
	return filter_names[cause];
}

__u64 accounting_filtered(const struct accounting *accounting)
{
	return sum(accounting->filtered, ACCOUNTING_FILTERS);
}

__u64 accounting_lost(const struct accounting *accounting)
{
	return sum(accounting->lost, ACCOUNTING_LOSSES);
}

__s64 accounting_difference(const struct accounting *accounting)
{
	__u64 accounted = accounting->written + accounting_filtered(accounting) + accounting->open +
			  accounting_lost(accounting);

	return (__s64)(accounted - (accounting->opened + accounting->preexisting));
}

/* Appends " (3 ring buffer full, 1 evicted)", or nothing if all counts are 0. */
static void format_causes(struct text_buffer *text, const __u64 *counts, const char *const *names, unsigned int size)
{
	const char *separator = " (";
	unsigned int i;

	for (i = 0; i < size; i++) {
		if (!counts[i])
			continue;
		text_format(text, "%s%llu %s", separator, (unsigned long long)counts[i], names[i]);
		separator = ", ";
	}
	if (separator[0] == ',')
		text_char(text, ')');
}

static const char *plural(__u64 count)
{
	return count == 1 ? "" : "s";
}

static void print_difference(const struct accounting *accounting, FILE *stream)
{
	__s64 difference = accounting_difference(accounting);
	__u64 records = difference < 0 ? -(__u64)difference : (__u64)difference;

	if (difference)
		fprintf(stream, "netracker: the accounting is wrong: %llu record%s %s; please report it\n",
			(unsigned long long)records, plural(records), difference < 0 ? "unaccounted for" : "too many");
}

void accounting_format(struct text_buffer *text, const struct accounting *accounting)
{
	__u64 records = accounting->opened + accounting->preexisting;

	text_format(text, "%llu record%s: %llu written, %llu filtered", (unsigned long long)records, plural(records),
		    (unsigned long long)accounting->written, (unsigned long long)accounting_filtered(accounting));
	format_causes(text, accounting->filtered, filter_names, ACCOUNTING_FILTERS);
	text_format(text, ", %llu open, %llu lost", (unsigned long long)accounting->open,
		    (unsigned long long)accounting_lost(accounting));
	format_causes(text, accounting->lost, loss_names, ACCOUNTING_LOSSES);
	if (accounting->preexisting)
		text_format(text, "; %llu pre-existing", (unsigned long long)accounting->preexisting);
	if (accounting->recursion_misses)
		text_format(text, "; the kernel skipped %llu events", (unsigned long long)accounting->recursion_misses);
}

/* Allocates nothing: memory may be what is short. */
void accounting_print(const struct accounting *accounting, FILE *stream)
{
	char bytes[ACCOUNTING_LINE];
	struct text_buffer text = { .bytes = bytes, .capacity = sizeof(bytes) };

	accounting_format(&text, accounting);
	fprintf(stream, "netracker: %.*s\n", (int)text.used, text.bytes);
	print_difference(accounting, stream);
}
