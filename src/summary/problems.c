// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/summary/problems.h"

#include <stdlib.h>

/* Adds a problem of the kind that begins at `first`. */
static void add_problem(struct problems *problems, unsigned int first, const struct problem *problem)
{
	unsigned int at = problems->count;

	while (at > first && problems->list[at - 1].count < problem->count)
		at--;
	if (problems->count - first == PROBLEMS_EACH)
		problems->omitted++;
	if (at - first == PROBLEMS_EACH)
		return;
	if (problems->count - first < PROBLEMS_EACH)
		problems->count++;
	memmove(&problems->list[at + 1], &problems->list[at], (problems->count - at - 1) * sizeof(*problem));
	problems->list[at] = *problem;
}

static void find_refusals(struct problems *problems, const struct summary_table *refusals)
{
	unsigned int first = problems->count, i;

	for (i = 0; i < refusals->count; i++) {
		const struct summary_row *row = &refusals->rows[i];
		struct problem problem = { .kind = PROBLEM_REFUSED, .count = row->sums.connections, .row = row };

		if (problem.count >= PROBLEM_REFUSALS)
			add_problem(problems, first, &problem);
	}
}

static void find_timeouts(struct problems *problems, const struct summary_table *peers)
{
	unsigned int first = problems->count, i;

	for (i = 0; i < peers->count; i++) {
		const struct summary_row *row = &peers->rows[i];
		struct problem problem = { .kind = PROBLEM_TIMEOUT,
					   .count = row->sums.outcomes[NT_OUTCOME_TIMEOUT] + row->sums.hanging,
					   .row = row };

		if (problem.count >= PROBLEM_TIMEOUTS)
			add_problem(problems, first, &problem);
	}
}

static void find_overflows(struct problems *problems, const struct summary_namespaces *namespaces)
{
	unsigned int first = problems->count, i;

	for (i = 0; i < namespaces->count; i++) {
		const struct summary_namespace *namespace = &namespaces->list[i];
		struct problem problem = { .kind = PROBLEM_LISTEN_OVERFLOW,
					   .count = namespace->now.overflows - namespace->overflows_before,
					   .namespace = namespace };

		if (problem.count)
			add_problem(problems, first, &problem);
	}
}

static void find_close_waits(struct problems *problems, const struct summary_table *leaks)
{
	unsigned int first = problems->count, i;

	for (i = 0; i < leaks->count; i++) {
		const struct summary_row *row = &leaks->rows[i];
		struct problem problem = { .kind = PROBLEM_CLOSE_WAIT, .count = row->sums.connections, .row = row };

		if (problem.count >= PROBLEM_CLOSE_WAITS)
			add_problem(problems, first, &problem);
	}
}

static double retransmit_percent(const struct summary_sums *sums)
{
	return 100.0 * (double)sums->retransmits / (double)sums->packets;
}

static int compare_percents(const void *one, const void *other)
{
	double first = *(const double *)one, second = *(const double *)other;

	return first < second ? -1 : first > second;
}

/* Fills the peers' shares of retransmissions in ascending order. Returns their number. */
static unsigned int sort_percents(const struct summary_table *peers, double percents[SUMMARY_ROWS])
{
	unsigned int count = 0, i;

	for (i = 0; i < peers->count; i++)
		if (peers->rows[i].sums.packets)
			percents[count++] = retransmit_percent(&peers->rows[i].sums);
	qsort(percents, count, sizeof(*percents), compare_percents);
	return count;
}

/* Returns the (lower) median of all but one that is `own`; -1 if there is no other. */
static double median_of_others(const double *percents, unsigned int count, double own)
{
	unsigned int middle = (count - 2) / 2;

	if (count < 2)
		return -1;
	return percents[middle] < own ? percents[middle] : percents[middle + 1];
}

/* Without one established connection the retransmissions are those of SYNs: another problem, which has its own name. */
static bool has_established(const struct summary_sums *sums)
{
	return sums->connections > sums->outcomes[NT_OUTCOME_REFUSED] + sums->outcomes[NT_OUTCOME_TIMEOUT] +
					   sums->outcomes[NT_OUTCOME_UNREACHABLE] +
					   sums->outcomes[NT_OUTCOME_UNANSWERED];
}

static void find_retransmits(struct problems *problems, const struct summary_table *peers)
{
	unsigned int first = problems->count, count, i;
	double percents[SUMMARY_ROWS];

	count = sort_percents(peers, percents);
	for (i = 0; i < peers->count; i++) {
		const struct summary_row *row = &peers->rows[i];
		struct problem problem = { .kind = PROBLEM_RETRANSMITTED, .count = row->sums.retransmits, .row = row };
		double own;

		if (row->sums.retransmits < PROBLEM_RETRANSMITS || !has_established(&row->sums))
			continue;
		own = retransmit_percent(&row->sums);
		problem.median = median_of_others(percents, count, own);
		if (own > PROBLEM_RETRANSMIT_PERCENT && own >= PROBLEM_RETRANSMIT_MEDIANS * problem.median)
			add_problem(problems, first, &problem);
	}
}

static void find_port_use(struct problems *problems, struct summary *summary, __u64 to_ns)
{
	unsigned int first = problems->count, i;

	for (i = 0; i < summary->ports.count; i++) {
		const struct port_use_row *row = &summary->ports.rows[i];
		const struct summary_namespace *namespace = summary_namespaces_find(&summary->namespaces, row->netns);
		struct problem problem = { .kind = PROBLEM_PORTS, .count = port_use_count(row, to_ns), .ports = row };

		if (!namespace || !namespace->now.last_port)
			continue;
		problem.total = (__u64) namespace->now.last_port - namespace->now.first_port + 1;
		if (problem.count * 100 >= problem.total * PROBLEM_PORT_PERCENT)
			add_problem(problems, first, &problem);
	}
}

static void find_losses(struct problems *problems, const struct summary *summary)
{
	struct problem problem = { .kind = PROBLEM_LOST };
	unsigned int first = problems->count, i;

	for (i = 0; i < ACCOUNTING_LOSSES; i++) {
		problem.loss = i;
		problem.count = summary->lost[i] - summary->lost_before[i];
		if (summary->lost[i] > summary->lost_before[i])
			add_problem(problems, first, &problem);
	}
	problem = (struct problem){ .kind = PROBLEM_EVICTED, .count = summary->current.evicted };
	if (problem.count)
		add_problem(problems, problems->count, &problem);
}

void problems_find(struct problems *problems, struct summary *summary, __u64 to_ns)
{
	problems->count = 0;
	problems->omitted = 0;
	find_refusals(problems, &summary->current.refusals);
	find_timeouts(problems, &summary->current.peers);
	find_overflows(problems, &summary->namespaces);
	find_close_waits(problems, &summary->current.leaks);
	find_retransmits(problems, &summary->current.peers);
	find_port_use(problems, summary, to_ns);
	find_losses(problems, summary);
}
