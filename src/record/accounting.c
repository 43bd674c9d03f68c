#include "src/record/accounting.h"

static const char *const filter_names[BOOKS_FILTERS] = {
	[BOOKS_FILTERED_OPTION] = "by options",
	[BOOKS_FILTERED_FORWARDED] = "forwarded",
};

static const char *const loss_names[BOOKS_LOSSES] = {
	[BOOKS_LOST_HALF_OPEN_FULL] = "half-open table full",
	[BOOKS_LOST_HALF_OPEN_NO_MEMORY] = "half-open table out of memory",
	[BOOKS_LOST_HALF_OPEN_LOCK] = "half-open table lock contended",
	[BOOKS_LOST_HALF_OPEN_OTHER] = "half-open table failed",
	[BOOKS_LOST_ESTABLISHED_FULL] = "established table full",
	[BOOKS_LOST_ESTABLISHED_NO_MEMORY] = "established table out of memory",
	[BOOKS_LOST_ESTABLISHED_LOCK] = "established table lock contended",
	[BOOKS_LOST_ESTABLISHED_OTHER] = "established table failed",
	[BOOKS_LOST_SOCKETS_FULL] = "socket table full",
	[BOOKS_LOST_SOCKETS_NO_MEMORY] = "socket table out of memory",
	[BOOKS_LOST_SOCKETS_LOCK] = "socket table lock contended",
	[BOOKS_LOST_SOCKETS_OTHER] = "socket table failed",
	[BOOKS_LOST_RING_FULL] = "ring buffer full",
	[BOOKS_LOST_RING_LOCK] = "ring buffer lock contended",
	[BOOKS_LOST_EVICTED] = "evicted",
	[BOOKS_LOST_SINK_FAILED] = "output failed",
	[BOOKS_LOST_NO_MEMORY] = "out of memory",
};

static __u64 sum(const __u64 *counts, unsigned int size)
{
	__u64 total = 0;

	while (size--)
		total += counts[size];
	return total;
}

__s64 books_difference(const struct books *books)
{
	__u64 accounted = books->written + sum(books->filtered, BOOKS_FILTERS) + books->open +
			  sum(books->lost, BOOKS_LOSSES);

	return (__s64)(accounted - (books->opened + books->found));
}

/* " (3 ring buffer full, 1 evicted)"; nothing where all are 0. */
static void print_causes(FILE *stream, const __u64 *counts, const char *const *names, unsigned int size)
{
	const char *separator = " (";
	unsigned int i;

	for (i = 0; i < size; i++) {
		if (!counts[i])
			continue;
		fprintf(stream, "%s%llu %s", separator, (unsigned long long)counts[i], names[i]);
		separator = ", ";
	}
	if (separator[0] == ',')
		fputs(")", stream);
}

static void print_balance(const struct books *books, FILE *stream)
{
	__s64 difference = books_difference(books);

	if (!difference)
		fputs("netracker: the books balance", stream);
	else if (difference < 0)
		fprintf(stream, "netracker: the books do NOT balance: %llu unaccounted for",
			-(unsigned long long)difference);
	else
		fprintf(stream, "netracker: the books do NOT balance: %lld more than began", (long long)difference);
	if (books->recursion_misses)
		fprintf(stream, "; the kernel skipped %llu events", (unsigned long long)books->recursion_misses);
	fputc('\n', stream);
}

void books_print(const struct books *books, FILE *stream)
{
	fprintf(stream, "netracker: %llu opened + %llu found at start = %llu written + %llu filtered",
		(unsigned long long)books->opened, (unsigned long long)books->found,
		(unsigned long long)books->written, (unsigned long long)sum(books->filtered, BOOKS_FILTERS));
	print_causes(stream, books->filtered, filter_names, BOOKS_FILTERS);
	fprintf(stream, " + %llu still open + %llu lost", (unsigned long long)books->open,
		(unsigned long long)sum(books->lost, BOOKS_LOSSES));
	print_causes(stream, books->lost, loss_names, BOOKS_LOSSES);
	fputc('\n', stream);
	print_balance(books, stream);
}
