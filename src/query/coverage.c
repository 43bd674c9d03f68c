// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/query/coverage.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "src/util/readable.h"

#define NS_PER_SECOND 1000000000ULL
#define SHORTEST_GAP_NS NS_PER_SECOND /* records of the last second of a run may be missing anyway */
#define MOST_GAPS_SHOWN 5

static void add_run(void *context, const struct history_run *run)
{
	struct coverage *coverage = context;
	unsigned int capacity = coverage->run_capacity ? 2 * coverage->run_capacity : 16;
	struct coverage_run *larger;

	if (coverage->run_count == coverage->run_capacity) {
		larger = reallocarray(coverage->runs, capacity, sizeof(*larger));
		if (!larger) {
			coverage->failed = true;
			return;
		}
		coverage->runs = larger;
		coverage->run_capacity = capacity;
	}
	coverage->runs[coverage->run_count++] = (struct coverage_run){ run->begin_ns, run->end_ns };
}

static void add_loss(void *context, const struct history_loss *loss)
{
	struct coverage *coverage = context;
	unsigned int i = 0;

	if (loss->time_ns < coverage->from_ns || loss->time_ns > coverage->to_ns)
		return;
	while (i < coverage->cause_count && strcmp(coverage->causes[i].name, loss->cause))
		i++;
	if (i == COVERAGE_CAUSES)
		i--;
	else if (i == coverage->cause_count)
		snprintf(coverage->causes[coverage->cause_count++].name, COVERAGE_CAUSE_SIZE, "%s", loss->cause);
	coverage->causes[i].records += loss->records;
}

int coverage_add_file(struct coverage *coverage, struct history_reader *reader)
{
	int error = history_reader_runs(reader, add_run, coverage);

	return error ? error : history_reader_losses(reader, add_loss, coverage);
}

void coverage_extend(struct coverage *coverage, __u64 now_ns)
{
	struct coverage_run *last = NULL;
	unsigned int i;

	for (i = 0; i < coverage->run_count; i++)
		if (!last || coverage->runs[i].end_ns > last->end_ns)
			last = &coverage->runs[i];
	if (last && last->end_ns < now_ns)
		last->end_ns = now_ns;
}

static void append_time(struct text_buffer *text, __u64 ns)
{
	time_t seconds = (time_t)(ns / NS_PER_SECOND);
	struct tm local;
	char written[32];

	if (localtime_r(&seconds, &local) && strftime(written, sizeof(written), "%Y-%m-%d %H:%M:%S", &local))
		text_string(text, written);
}

/* A gap between runs, while the text is written. */
struct gap_list {
	struct text_buffer *text;
	unsigned int count;
	__u64 not_shown_ns;
};

static void append_gap(struct gap_list *gaps, __u64 from_ns, __u64 to_ns)
{
	if (to_ns <= from_ns || to_ns - from_ns < SHORTEST_GAP_NS)
		return;
	if (gaps->count++ >= MOST_GAPS_SHOWN) {
		gaps->not_shown_ns += to_ns - from_ns;
		return;
	}
	text_string(gaps->text, gaps->count == 1 ? "not tracking " : ", ");
	append_time(gaps->text, from_ns);
	text_string(gaps->text, " to ");
	append_time(gaps->text, to_ns);
}

static int order_runs(const void *left, const void *right)
{
	const struct coverage_run *one = left, *other = right;

	return (one->begin_ns > other->begin_ns) - (one->begin_ns < other->begin_ns);
}

/* Returns whether a run has any of the span. A point in time that lies in a gap makes no gap that is long enough. */
static bool has_run_within(const struct coverage *coverage)
{
	unsigned int i;

	for (i = 0; i < coverage->run_count; i++)
		if (coverage->runs[i].begin_ns <= coverage->to_ns &&
		    coverage->runs[i].end_ns + SHORTEST_GAP_NS > coverage->from_ns)
			return true;
	return false;
}

static void append_gaps(struct coverage *coverage, struct text_buffer *text)
{
	struct gap_list gaps = { .text = text };
	__u64 covered_ns = coverage->from_ns;
	unsigned int i;

	for (i = 0; i < coverage->run_count && covered_ns < coverage->to_ns; i++) {
		const struct coverage_run *run = &coverage->runs[i];

		append_gap(&gaps, covered_ns, run->begin_ns < coverage->to_ns ? run->begin_ns : coverage->to_ns);
		if (run->end_ns > covered_ns)
			covered_ns = run->end_ns;
	}
	append_gap(&gaps, covered_ns, coverage->to_ns);
	if (gaps.not_shown_ns) {
		text_format(text, " and %u more times, ", gaps.count - MOST_GAPS_SHOWN);
		readable_duration(text, gaps.not_shown_ns);
	}
	if (!gaps.count)
		text_string(text, has_run_within(coverage) ? "tracked all the time" : "not tracking then");
}

static void append_losses(const struct coverage *coverage, struct text_buffer *text)
{
	__u64 records = 0;
	unsigned int i;

	for (i = 0; i < coverage->cause_count; i++)
		records += coverage->causes[i].records;
	if (!records) {
		text_string(text, "nothing lost");
		return;
	}
	text_format(text, "%llu records lost (", (unsigned long long)records);
	for (i = 0; i < coverage->cause_count; i++)
		text_format(text, "%s%s: %llu", i ? ", " : "", coverage->causes[i].name,
			    (unsigned long long)coverage->causes[i].records);
	text_char(text, ')');
}

void coverage_append(struct coverage *coverage, struct text_buffer *text)
{
	if (coverage->run_count)
		qsort(coverage->runs, coverage->run_count, sizeof(*coverage->runs), order_runs);
	if (!coverage->from_ns && coverage->run_count)
		coverage->from_ns = coverage->runs[0].begin_ns;
	text_string(text, "searched ");
	append_time(text, coverage->from_ns);
	text_string(text, " to ");
	append_time(text, coverage->to_ns);
	text_string(text, "; ");
	append_gaps(coverage, text);
	text_string(text, "; ");
	append_losses(coverage, text);
	if (coverage->removed_files)
		text_format(text, "; the retention removed %u %s meanwhile", coverage->removed_files,
			    coverage->removed_files == 1 ? "file" : "files");
}

void coverage_append_of_server(const struct coverage *coverage, struct text_buffer *text)
{
	text_string(text, "searched ");
	if (coverage->from_ns)
		append_time(text, coverage->from_ns);
	else
		text_string(text, "all");
	text_string(text, " to ");
	append_time(text, coverage->to_ns);
	text_string(text, "; a server does not know when nobody tracked, nor what was lost");
}

void coverage_free(struct coverage *coverage)
{
	free(coverage->runs);
	coverage->runs = NULL;
}
