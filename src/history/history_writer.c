// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/history/history_writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "src/history/history_database.h"
#include "src/util/message.h"

#define NS_PER_SECOND 1000000000ULL
#define MOST_QUEUED (64UL << 20)
#define RECORDS_PER_COMMIT 4096
#define COMMIT_EVERY_NS \
	(NS_PER_SECOND / 2) /* a commit itself takes some time, and the last second is all that may be lost */
#define RETRY_EVERY_NS NS_PER_SECOND
#define HEARTBEAT_NS (60 * NS_PER_SECOND) /* without records: a commit that shows that tracking went on */
#define DROPS_WITHIN_NS (60 * NS_PER_SECOND)
#define FINISH_WITHIN_NS (30 * NS_PER_SECOND)
#define EVENTS (NT_EVENT_LISTENER + 1)

struct history_writer {
	struct history_store store; /* the thread's own, while it runs, as the next two */
	__u64 dropping_since_ns, dropped_bytes;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t mutex; /* for all below */
	pthread_cond_t work;   /* there are records, losses, or the end */
	pthread_cond_t done;   /* there is room, or the thread has ended */
	struct history_queue queue;
	struct history_counts counts[EVENTS];
	__u64 tracker_lost[ACCOUNTING_LOSSES]; /* by the tracker, so far */
	__u64 unstored[ACCOUNTING_LOSSES];     /* of both, not committed */
	enum accounting_loss cause;            /* of what finds no room now */
	__u64 begin_ns;                        /* of tracking; 0: not known yet, or stored */
	bool has_news;                         /* losses, or when tracking began */
	const struct history_span *spans;      /* of a replay */
	unsigned int span_count;
	bool stops, is_finished;
	bool has_given_up; /* the counts are final, although the thread has a batch yet */
	int error;         /* of the end of the file */
};

static __u64 read_clock(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

/* ---- what is lost ---- */

static void count_lost(struct history_writer *writer, enum nt_event_kind event, enum accounting_loss cause)
{
	writer->counts[event].lost[cause]++;
	writer->unstored[cause]++;
	writer->has_news = true;
}

static void count_batch_lost(struct history_writer *writer, const struct history_block *batch)
{
	for (; batch; batch = batch->next) {
		const struct nt_record *record;
		size_t place = 0;

		while ((record = history_block_next(batch, &place)))
			count_lost(writer, record->event, writer->cause);
	}
}

static void count_as_done(struct history_writer *writer, const struct history_block *batch)
{
	for (; batch; batch = batch->next) {
		const struct nt_record *record;
		size_t place = 0;

		while ((record = history_block_next(batch, &place)))
			writer->counts[record->event].waiting--;
	}
}

/* ---- the thread ---- */

/* Waits on a condition until a time of CLOCK_MONOTONIC. */
static void wait_until(struct history_writer *writer, pthread_cond_t *condition, __u64 until_ns)
{
	struct timespec until = { (time_t)(until_ns / NS_PER_SECOND), (long)(until_ns % NS_PER_SECOND) };

	pthread_cond_timedwait(condition, &writer->mutex, &until);
}

static bool has_work(const struct history_writer *writer)
{
	return writer->queue.records || writer->has_news;
}

/* Waits for records, then for others that are committed with them. */
static void wait_for_batch(struct history_writer *writer)
{
	__u64 heartbeat_ns = read_clock(CLOCK_MONOTONIC) + HEARTBEAT_NS, commit_ns;

	while (!writer->stops && !has_work(writer) && read_clock(CLOCK_MONOTONIC) < heartbeat_ns)
		wait_until(writer, &writer->work, heartbeat_ns);
	commit_ns = read_clock(CLOCK_MONOTONIC) + COMMIT_EVERY_NS;
	while (!writer->stops && writer->queue.records < RECORDS_PER_COMMIT && read_clock(CLOCK_MONOTONIC) < commit_ns)
		wait_until(writer, &writer->work, commit_ns);
}

static enum accounting_loss cause_of(int error)
{
	switch (error) {
	case 0:
		return ACCOUNTING_LOST_HISTORY_SLOW;
	case -ENOSPC:
		return ACCOUNTING_LOST_HISTORY_DISK_FULL;
	case -ENOMEM:
		return ACCOUNTING_LOST_NO_MEMORY;
	default:
		return ACCOUNTING_LOST_HISTORY_FAILED;
	}
}

static void report_trouble(const struct history_writer *writer, int error)
{
	message_error("history: %s: cannot write: %s; records wait in memory, 64 MiB at most, until it can be written",
		      writer->store.options->folder, history_database_reason(error));
}

static void report_trouble_over(const struct history_writer *writer)
{
	message_error("history: %s: can be written again", writer->store.options->folder);
}

/* Sets the cause of further losses. Reports when the trouble begins and when it ends. */
static void set_trouble(struct history_writer *writer, int error)
{
	enum accounting_loss cause = cause_of(error), before;

	pthread_mutex_lock(&writer->mutex);
	before = writer->cause;
	writer->cause = cause;
	pthread_mutex_unlock(&writer->mutex);
	if (cause == before)
		return;
	if (error)
		report_trouble(writer, error);
	else
		report_trouble_over(writer);
}

/* Removes the oldest file, but no more than the size of one file within a minute: if something else fills the disk, it
 * would take all room that the history gives. */
static bool remove_oldest_for_room(struct history_writer *writer)
{
	__u64 now_ns = read_clock(CLOCK_MONOTONIC), bytes;

	if (now_ns - writer->dropping_since_ns > DROPS_WITHIN_NS) {
		writer->dropping_since_ns = now_ns;
		writer->dropped_bytes = 0;
	}
	if (writer->dropped_bytes >= writer->store.most_of_file)
		return false;
	bytes = history_store_drop_oldest(&writer->store);
	writer->dropped_bytes += bytes;
	return bytes;
}

/* One attempt; on a full disk a second one without the oldest file. A replay removes nothing for what it adds. */
static int try_to_write(struct history_writer *writer, const struct history_block *batch,
			const __u64 lost[ACCOUNTING_LOSSES])
{
	int error = history_store_write(&writer->store, batch, read_clock(CLOCK_REALTIME), lost);

	if (error == -ENOSPC && !writer->store.options->is_replay && remove_oldest_for_room(writer))
		error = history_store_write(&writer->store, batch, read_clock(CLOCK_REALTIME), lost);
	set_trouble(writer, error);
	return error;
}

/* Returns whether to try again. */
static bool wait_before_retry(struct history_writer *writer)
{
	__u64 retry_ns = read_clock(CLOCK_MONOTONIC) + RETRY_EVERY_NS;
	bool retries;

	pthread_mutex_lock(&writer->mutex);
	while (!writer->stops && read_clock(CLOCK_MONOTONIC) < retry_ns)
		wait_until(writer, &writer->work, retry_ns);
	retries = !writer->stops;
	pthread_mutex_unlock(&writer->mutex);
	return retries;
}

/* Tries until the batch is committed. At the end, and in a replay, which cannot wait for somebody who makes room, it tries
 * once. */
static int write_until_done(struct history_writer *writer, const struct history_block *batch,
			    const __u64 lost[ACCOUNTING_LOSSES])
{
	int error;

	do
		error = try_to_write(writer, batch, lost);
	while (error && !writer->store.options->is_replay && wait_before_retry(writer));
	if (error)
		history_store_give_up(&writer->store);
	return error;
}

static void settle_batch(struct history_writer *writer, struct history_block *batch, int error,
			 const __u64 lost[ACCOUNTING_LOSSES])
{
	unsigned int cause;

	if (!writer->has_given_up)
		count_as_done(writer, batch);
	if (error && !writer->has_given_up)
		count_batch_lost(writer, batch);
	for (cause = 0; cause < ACCOUNTING_LOSSES && !error; cause++)
		writer->unstored[cause] -= lost[cause];
	history_queue_release(&writer->queue, batch);
	pthread_cond_broadcast(&writer->done);
}

/* With the mutex held, which it releases while it writes. */
static void write_next_batch(struct history_writer *writer)
{
	struct history_block *batch = history_queue_take(&writer->queue);
	__u64 lost[ACCOUNTING_LOSSES], begin_ns = writer->begin_ns;
	int error;

	memcpy(lost, writer->unstored, sizeof(lost));
	writer->has_news = false;
	writer->begin_ns = 0;
	pthread_mutex_unlock(&writer->mutex);
	if (begin_ns)
		history_store_set_begin(&writer->store, begin_ns);
	error = write_until_done(writer, batch, lost);
	pthread_mutex_lock(&writer->mutex);
	settle_batch(writer, batch, error, lost);
}

static void *run_writer_thread(void *context)
{
	struct history_writer *writer = context;
	int error;

	pthread_mutex_lock(&writer->mutex);
	while (!writer->stops || writer->queue.records) {
		wait_for_batch(writer);
		write_next_batch(writer);
	}
	if (writer->has_news)
		write_next_batch(writer);
	writer->store.writing.spans = writer->spans;
	writer->store.writing.span_count = writer->span_count;
	pthread_mutex_unlock(&writer->mutex);
	error = history_store_finish(&writer->store, read_clock(CLOCK_REALTIME));
	pthread_mutex_lock(&writer->mutex);
	writer->error = error;
	writer->is_finished = true;
	pthread_cond_broadcast(&writer->done);
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

/* ---- for the tracker ---- */

static bool init_conditions(struct history_writer *writer)
{
	pthread_condattr_t attributes;
	bool done = !pthread_condattr_init(&attributes) && !pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) &&
		    !pthread_mutex_init(&writer->mutex, NULL) && !pthread_cond_init(&writer->work, &attributes) &&
		    !pthread_cond_init(&writer->done, &attributes);

	pthread_condattr_destroy(&attributes);
	return done;
}

/* The tracker's thread takes all signals. */
static int start_thread(struct history_writer *writer)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&writer->thread, NULL, run_writer_thread, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	writer->is_running = !error;
	return error;
}

int history_writer_open(struct history_writer **opened, const struct history_options *options)
{
	struct history_writer *writer = calloc(1, sizeof(*writer));
	int error;

	*opened = writer;
	if (!writer || !init_conditions(writer)) {
		message_error("history: out of memory");
		return -ENOMEM;
	}
	writer->queue.most_bytes = MOST_QUEUED;
	writer->cause = ACCOUNTING_LOST_HISTORY_SLOW;
	error = history_store_open(&writer->store, options, read_clock(CLOCK_REALTIME));
	if (error)
		return error;
	error = start_thread(writer);
	if (error)
		message_error("history: cannot start a thread: %s", strerror(error));
	return -error;
}

static enum history_room add_to_queue(struct history_writer *writer, const struct nt_record *record)
{
	enum history_room room = history_queue_add(&writer->queue, record);

	while (room == HISTORY_QUEUE_FULL && writer->store.options->is_replay && writer->queue.bytes) {
		pthread_cond_signal(&writer->work);
		pthread_cond_wait(&writer->done, &writer->mutex);
		room = history_queue_add(&writer->queue, record);
	}
	return room;
}

void history_writer_add(struct history_writer *writer, const struct nt_record *record)
{
	enum history_room room;

	pthread_mutex_lock(&writer->mutex);
	room = add_to_queue(writer, record);
	if (room == HISTORY_ADDED)
		writer->counts[record->event].waiting++;
	else
		count_lost(writer, record->event,
			   room == HISTORY_QUEUE_FULL ? writer->cause : ACCOUNTING_LOST_NO_MEMORY);
	if (writer->queue.records == 1 || writer->queue.records == RECORDS_PER_COMMIT)
		pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
}

void history_writer_set_begin(struct history_writer *writer, __u64 ns)
{
	pthread_mutex_lock(&writer->mutex);
	writer->begin_ns = ns;
	writer->has_news = true;
	pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
}

void history_writer_set_spans(struct history_writer *writer, const struct history_span *spans, unsigned int count)
{
	pthread_mutex_lock(&writer->mutex);
	writer->spans = spans;
	writer->span_count = count;
	pthread_mutex_unlock(&writer->mutex);
}

void history_writer_set_losses(struct history_writer *writer, const __u64 lost[ACCOUNTING_LOSSES])
{
	unsigned int cause;

	pthread_mutex_lock(&writer->mutex);
	for (cause = 0; cause < ACCOUNTING_LOSSES; cause++) {
		if (lost[cause] <= writer->tracker_lost[cause])
			continue;
		writer->unstored[cause] += lost[cause] - writer->tracker_lost[cause];
		writer->tracker_lost[cause] = lost[cause];
		writer->has_news = true;
	}
	if (writer->has_news)
		pthread_cond_signal(&writer->work);
	pthread_mutex_unlock(&writer->mutex);
}

/* Records that a stuck thread has not committed count as lost: the process ends without it. */
static void give_up(struct history_writer *writer)
{
	unsigned int event;

	message_error("history: %s: its disk has taken nothing for 30 s; what waits is lost",
		      writer->store.options->folder);
	for (event = 0; event < EVENTS; event++) {
		writer->counts[event].lost[writer->cause] += writer->counts[event].waiting;
		writer->counts[event].waiting = 0;
	}
	writer->has_given_up = true;
	writer->error = -ETIMEDOUT;
}

int history_writer_finish(struct history_writer *writer)
{
	__u64 until_ns = read_clock(CLOCK_MONOTONIC) + FINISH_WITHIN_NS;
	int error;

	pthread_mutex_lock(&writer->mutex);
	writer->stops = true;
	pthread_cond_signal(&writer->work);
	while (!writer->is_finished && read_clock(CLOCK_MONOTONIC) < until_ns)
		wait_until(writer, &writer->done, until_ns);
	if (!writer->is_finished)
		give_up(writer);
	error = writer->error;
	pthread_mutex_unlock(&writer->mutex);
	return error;
}

struct history_counts history_writer_count(struct history_writer *writer, enum nt_event_kind event)
{
	struct history_counts counts;

	pthread_mutex_lock(&writer->mutex);
	counts = writer->counts[event];
	pthread_mutex_unlock(&writer->mutex);
	return counts;
}

__u64 history_writer_lost_of_all(struct history_writer *writer, enum accounting_loss cause)
{
	__u64 lost = 0;
	unsigned int event;

	pthread_mutex_lock(&writer->mutex);
	for (event = 0; event < EVENTS; event++)
		lost += writer->counts[event].lost[cause];
	pthread_mutex_unlock(&writer->mutex);
	return lost;
}

/* Memory of a thread that is stuck stays: the process ends now. */
void history_writer_close(struct history_writer *writer)
{
	bool is_stuck;

	if (!writer)
		return;
	pthread_mutex_lock(&writer->mutex);
	writer->stops = true;
	pthread_cond_signal(&writer->work);
	is_stuck = writer->is_running && writer->has_given_up;
	pthread_mutex_unlock(&writer->mutex);
	if (is_stuck)
		return;
	if (writer->is_running)
		pthread_join(writer->thread, NULL);
	history_store_close(&writer->store);
	history_queue_free(&writer->queue);
	pthread_cond_destroy(&writer->work);
	pthread_cond_destroy(&writer->done);
	pthread_mutex_destroy(&writer->mutex);
	free(writer);
}
