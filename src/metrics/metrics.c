// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/metrics/metrics.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NS_PER_SECOND 1000000000ULL
#define US 1000ULL
#define MS 1000000ULL
#define SECOND NS_PER_SECOND
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* From a round trip in one machine to several retransmissions of a SYN. */
static const __u64 wait_bounds[] = {
	100 * US, 250 * US, 500 * US, 1 * MS,   2500 * US,  5 * MS,    10 * MS,    25 * MS,
	50 * MS,  100 * MS, 250 * MS, 500 * MS, 1 * SECOND, 2500 * MS, 5 * SECOND, 10 * SECOND,
};
static const __u64 duration_bounds[] = {
	1 * MS,     10 * MS,    100 * MS,    1 * SECOND, 5 * SECOND, 30 * SECOND,
	1 * MINUTE, 5 * MINUTE, 15 * MINUTE, 1 * HOUR,   6 * HOUR,   24 * HOUR,
};

#define BUCKETS(bounds) \
	{ \
		sizeof(bounds) / sizeof((bounds)[0]), bounds \
	}

const struct metrics_buckets metrics_buckets[METRICS_HISTOGRAMS] = {
	[METRICS_HANDSHAKE] = BUCKETS(wait_bounds),
	[METRICS_RESPONSE] = BUCKETS(wait_bounds),
	[METRICS_DURATION] = BUCKETS(duration_bounds),
};

_Static_assert(sizeof(wait_bounds) / sizeof(__u64) < METRICS_MOST_BUCKETS, "the last bucket has no bound");
_Static_assert(sizeof(duration_bounds) / sizeof(__u64) < METRICS_MOST_BUCKETS, "the last bucket has no bound");

struct metrics {
	pthread_mutex_t mutex; /* for all below */
	struct accounting accounting;
	unsigned int program_count, most_count;
	struct metrics_program programs[];
};

struct metrics *metrics_new(unsigned int most_programs)
{
	unsigned int most_count = METRICS_FIRST_PROGRAM + most_programs;
	struct metrics *metrics = calloc(1, sizeof(*metrics) + most_count * sizeof(metrics->programs[0]));

	if (!metrics)
		return NULL;
	metrics->program_count = METRICS_FIRST_PROGRAM;
	metrics->most_count = most_count;
	pthread_mutex_init(&metrics->mutex, NULL);
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics)
		pthread_mutex_destroy(&metrics->mutex);
	free(metrics);
}

/* Admits the program if it is new and there is room. */
static struct metrics_program *find_program(struct metrics *metrics, const struct nt_record *record)
{
	struct metrics_program *program = metrics->programs + METRICS_FIRST_PROGRAM;
	struct metrics_program *end = metrics->programs + metrics->program_count;

	if (!nt_record_has(record, NT_HAS_COMM) || !*record->comm)
		return &metrics->programs[METRICS_PROGRAM_UNKNOWN];
	if (!strncmp(record->comm, METRICS_OTHER, NT_COMM_SIZE))
		return &metrics->programs[METRICS_PROGRAM_OTHER]; /* two series may not have the same labels */
	while (program < end && strncmp(program->comm, record->comm, NT_COMM_SIZE))
		program++;
	if (program < end)
		return program;
	if (metrics->program_count == metrics->most_count)
		return &metrics->programs[METRICS_PROGRAM_OTHER];
	metrics->program_count++;
	memcpy(program->comm, record->comm, NT_COMM_SIZE);
	return program;
}

static void observe(struct metrics_row *row, enum metrics_histogram_kind kind, __u64 ns)
{
	struct metrics_histogram *histogram = &row->histograms[kind];
	const struct metrics_buckets *buckets = &metrics_buckets[kind];
	unsigned int bucket = 0;
	__u64 below_second;

	while (bucket < buckets->count && ns > buckets->most_ns[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->count++;
	below_second = histogram->sum_ns + ns % NS_PER_SECOND;
	histogram->sum_seconds += ns / NS_PER_SECOND + below_second / NS_PER_SECOND;
	histogram->sum_ns = (__u32)(below_second % NS_PER_SECOND);
}

static void observe_times(struct metrics_row *row, const struct nt_record *record)
{
	if (nt_record_has(record, NT_HAS_HANDSHAKE) && record->handshake_ns >= 0)
		observe(row, METRICS_HANDSHAKE, (__u64)record->handshake_ns);
	if (nt_record_has(record, NT_HAS_REQUEST) && nt_record_has(record, NT_HAS_RESPONSE) &&
	    record->response_ns >= record->request_ns)
		observe(row, METRICS_RESPONSE, record->response_ns - record->request_ns);
	if (nt_record_has(record, NT_HAS_DURATION))
		observe(row, METRICS_DURATION, record->duration_ns);
}

static void add_amounts(struct metrics_row *row, const struct nt_record *record)
{
	enum nt_side local = nt_record_local_side(record);
	unsigned int received;

	for (received = 0; received < 2; received++) {
		unsigned int side = received ? !local : local;

		if (nt_record_has(record, NT_HAS_SRC_BYTES + (int)side))
			row->bytes[received] += record->bytes[side];
		if (nt_record_has(record, NT_HAS_SRC_RETRANSMITS + (int)side))
			row->retransmits[received] += record->retransmits[side];
	}
}

static void add_to_row(struct metrics_row *row, const struct nt_record *record)
{
	unsigned int ender = nt_record_has(record, NT_HAS_ENDED_BY) ? record->ended_by : METRICS_ENDER_UNKNOWN;

	row->connections++;
	row->closed[record->outcome][ender]++;
	add_amounts(row, record);
	observe_times(row, record);
}

void metrics_add(struct metrics *metrics, const struct nt_record *record)
{
	if (record->event != NT_EVENT_CLOSE)
		return;
	pthread_mutex_lock(&metrics->mutex);
	add_to_row(&find_program(metrics, record)->roles[record->role], record);
	pthread_mutex_unlock(&metrics->mutex);
}

void metrics_set_accounting(struct metrics *metrics, const struct accounting *accounting)
{
	__u64 opened;

	pthread_mutex_lock(&metrics->mutex);
	opened = metrics->accounting.opened;
	metrics->accounting = *accounting;
	if (opened > accounting->opened)
		metrics->accounting.opened = opened;
	pthread_mutex_unlock(&metrics->mutex);
}

bool metrics_take_snapshot(struct metrics *metrics, struct metrics_snapshot *snapshot)
{
	size_t size = metrics->most_count * sizeof(snapshot->programs[0]);

	snapshot->programs = malloc(size);
	if (!snapshot->programs)
		return false;
	memset(snapshot->programs, 0xff, size); /* so that the kernel maps pages now, not under the lock */
	snapshot->has_states = false;
	pthread_mutex_lock(&metrics->mutex);
	snapshot->accounting = metrics->accounting;
	snapshot->program_count = metrics->program_count;
	memcpy(snapshot->programs, metrics->programs, metrics->program_count * sizeof(snapshot->programs[0]));
	pthread_mutex_unlock(&metrics->mutex);
	return true;
}

void metrics_snapshot_free(struct metrics_snapshot *snapshot)
{
	free(snapshot->programs);
	snapshot->programs = NULL;
}
