// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "src/ship/ship_reject.h"
#include "src/util/message.h"
#include "src/util/stop.h"

#define NS_PER_SECOND 1000000000ULL
#define LONGEST_BACK_OFF_S 60
#define LONGEST_RETRY_AFTER_S 3600
#define MOST_BAD_IN_A_ROW 100 /* without one that was taken: then it is not the records */
#define MOST_BAD 1000         /* and a tenth of a batch: then it is the table, not the records */
#define MOST_NAMED 1000       /* rows of a batch that answers name */
#define REPEATED_REPORT_NS (3600 * NS_PER_SECOND)
#define ATTEMPTS_BEFORE_DOUBT 3 /* of a batch whose records may be the cause of the server's error */

bool ship_sender_init(struct ship_sender *sender)
{
	sender->bad = malloc(SHIP_MOST_RECORDS * sizeof(*sender->bad));
	if (!sender->bad)
		message_error("ship: out of memory");
	return sender->bad;
}

void ship_sender_free(struct ship_sender *sender)
{
	free(sender->bad);
	sender->bad = NULL;
}

/* ---- waiting ---- */

static __u64 monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * NS_PER_SECOND + (__u64)now.tv_nsec;
}

bool ship_wait(__u64 ns)
{
	__u64 end = monotonic_ns() + ns, now;
	struct timespec rest;

	while (!stop_is_requested() && (now = monotonic_ns()) < end) {
		rest.tv_sec = (time_t)((end - now) / NS_PER_SECOND);
		rest.tv_nsec = (long)((end - now) % NS_PER_SECOND);
		nanosleep(&rest, NULL);
	}
	return !stop_is_requested();
}

/* Doubles from 1 s to 60 s. Half of it is random, so that machines which one server refused do not return at the same
 * moment. The server's own Retry-After is the least. */
static __u64 back_off_ns(unsigned int failures, long retry_after_s)
{
	__u64 seconds = failures > 6 ? LONGEST_BACK_OFF_S : 1ULL << (failures - 1), least, random = 0;

	if (seconds > LONGEST_BACK_OFF_S)
		seconds = LONGEST_BACK_OFF_S;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (__u64)getpid() * 2654435761U;
	least = retry_after_s > LONGEST_RETRY_AFTER_S ? LONGEST_RETRY_AFTER_S : (__u64)retry_after_s;
	if (least >= seconds)
		return least * NS_PER_SECOND + random % NS_PER_SECOND;
	return seconds * NS_PER_SECOND / 2 + random % (seconds * NS_PER_SECOND / 2);
}

/* ---- a part ---- */

/* Each reason is said when it begins, and again each hour: a log of days ago may be gone. */
static void report_failure(struct ship_sender *sender, const struct ship_answer *answer)
{
	__u64 now_ns = monotonic_ns();

	if (sender->failures > 1 && !strcmp(sender->reported, answer->reason) &&
	    now_ns - sender->reported_ns < REPEATED_REPORT_NS) {
		message_detail("ship: attempt %u: %s", sender->failures, answer->reason);
		return;
	}
	memcpy(sender->reported, answer->reason, sizeof(sender->reported));
	sender->reported_ns = now_ns;
	message_error("ship: %s; it is tried again (attempt %u)", answer->reason, sender->failures);
}

/* A server's own error may come from a record. Parts of a batch are sent to find it, so their answers are final. */
static bool doubts_records(const struct ship_sender *sender, const struct ship_batch *batch, unsigned int count,
			   unsigned int attempts)
{
	return count < batch->count ? sender->is_doubtful : attempts >= ATTEMPTS_BEFORE_DOUBT;
}

/* Sends a part again and again until it is answered for good. Returns false if a signal or the time limit ended it. */
static bool send_until_answered(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				unsigned int count, struct ship_answer *answer)
{
	unsigned int attempts = 0;

	for (;;) {
		*answer = (struct ship_answer){ 0 };
		batch->destination->send(batch->connection, batch, first, count, answer);
		if (answer->verdict != SHIP_AGAIN)
			break;
		if (stop_is_requested())
			return false;
		if (answer->may_be_records && doubts_records(sender, batch, count, ++attempts)) {
			sender->is_doubtful = true;
			answer->verdict = SHIP_BAD;
			return true;
		}
		sender->failures++;
		report_failure(sender, answer);
		if (!ship_wait(back_off_ns(sender->failures, answer->retry_after_s)))
			return false;
		ship_backlog_watch(sender->backlog);
		ship_cursor_save(sender->backlog->cursor); /* of files that come and go meanwhile */
	}
	if (sender->failures && answer->verdict != SHIP_REFUSED)
		message_note("ship: the server answers again, after %u failures", sender->failures);
	sender->failures = 0;
	return true;
}

static enum ship_result take_part(struct ship_sender *sender, const struct ship_answer *answer, unsigned int count)
{
	unsigned int dropped = answer->dropped < count ? answer->dropped : count;

	if (dropped)
		message_error("ship: the server has dropped %u records: %s", dropped, answer->reason);
	else if (*answer->reason && strcmp(sender->warned, answer->reason))
		message_note("ship: the server has taken records and says: %s", answer->reason);
	memcpy(sender->warned, answer->reason, sizeof(sender->warned));
	sender->good_count += count - dropped;
	sender->bad_in_a_row = 0;
	sender->rejected += dropped;
	return SHIP_RECEIVED;
}

/* ---- a batch ---- */

static enum ship_result report_all_bad(const struct ship_sender *sender)
{
	if (sender->is_doubtful)
		return SHIP_FAILED; /* it is the server, as was reported; the batch is sent again */
	message_error("ship: none of the records is taken, so it is not the records: %s", sender->reason);
	return SHIP_FAILED;
}

/* A table that was changed may refuse some records of all hosts; then none of them is set aside. */
static bool are_too_many_bad(const struct ship_sender *sender, const struct ship_batch *batch)
{
	return sender->bad_count > MOST_BAD && sender->bad_count > batch->count / 10;
}

static enum ship_result note_bad(struct ship_sender *sender, const struct ship_batch *batch,
				 const struct ship_answer *answer, unsigned int index)
{
	memcpy(sender->reason, answer->reason, sizeof(sender->reason));
	sender->bad[sender->bad_count++] = index;
	sender->are_records &= answer->is_record;
	if (++sender->bad_in_a_row >= MOST_BAD_IN_A_ROW && !sender->good_count)
		return report_all_bad(sender);
	if (!are_too_many_bad(sender, batch))
		return SHIP_RECEIVED;
	message_error("ship: more than %u records of %u are not taken, so it is not the records: %s",
		      sender->bad_count - 1, batch->count, sender->reason);
	return SHIP_FAILED;
}

static enum ship_result send_part(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				  unsigned int count);

/* Sends the records before a place, and those from it on. */
static enum ship_result send_parts(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				   unsigned int count, unsigned int place)
{
	enum ship_result result = place ? send_part(sender, batch, first, place) : SHIP_RECEIVED;

	return result == SHIP_RECEIVED ? send_part(sender, batch, first + place, count - place) : result;
}

/* A row that the answer names is sent alone, since the name may be wrong; else the part is halved. Calls within calls are
 * bounded, whatever a server names. */
static enum ship_result search_part(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				    unsigned int count, const struct ship_answer *answer)
{
	unsigned int before = answer->bad_row - 1;
	enum ship_result result;

	if (!answer->bad_row || answer->bad_row > count || sender->named++ >= MOST_NAMED)
		return send_parts(sender, batch, first, count, count / 2);
	result = send_part(sender, batch, first + before, 1);
	if (result == SHIP_RECEIVED && before)
		result = send_part(sender, batch, first, before);
	if (result == SHIP_RECEIVED && before + 1 < count)
		result = send_part(sender, batch, first + before + 1, count - before - 1);
	return result;
}

static bool is_over_size(const struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
			 unsigned int count)
{
	const char *bytes;

	return sender->most_bytes && count > 1 && ship_batch_bytes(batch, first, count, &bytes) >= sender->most_bytes;
}

/* Divides what the destination does not take until the bad records are found. */
static enum ship_result send_part(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				  unsigned int count)
{
	struct ship_answer answer;
	const char *bytes;

	if (is_over_size(sender, batch, first, count))
		return send_parts(sender, batch, first, count, count / 2);
	if (stop_is_requested() || !send_until_answered(sender, batch, first, count, &answer))
		return SHIP_STOPPED;
	if (answer.verdict == SHIP_TAKEN)
		return take_part(sender, &answer, count);
	if (answer.verdict == SHIP_REFUSED) {
		message_error("ship: %s", answer.reason);
		return SHIP_FAILED;
	}
	if (count == 1)
		return note_bad(sender, batch, &answer, first);
	if (answer.is_too_large)
		sender->most_bytes = ship_batch_bytes(batch, first, count, &bytes);
	return search_part(sender, batch, first, count, &answer);
}

/* `found`: how many of them the history still had. */
static void count_bad(struct ship_sender *sender, unsigned int found)
{
	const struct ship_cursor *cursor = sender->backlog->cursor;

	if (found)
		message_error("ship: %u records are in %s now: %s", found, cursor->rejected_path, sender->reason);
	if (found < sender->bad_count)
		message_error("ship: %s: retention removed it before %u bad records could be set aside: %s",
			      cursor->segment, sender->bad_count - found, sender->reason);
	sender->rejected += found;
	sender->backlog->removed += sender->bad_count - found;
}

static void report_reject(const char *path, int error)
{
	message_error("ship: %s: cannot write rejected records: %s", path,
		      error == -EFBIG ? "it would be larger than 1 GiB; move it to another place" : strerror(-error));
}

/* A full disk has room later; meanwhile the batch stays as it is. */
static enum ship_result write_rejected(const struct ship_sender *sender, const struct text_buffer *lines)
{
	const char *path = sender->backlog->cursor->rejected_path;
	unsigned int failures = 0;
	int error;

	while ((error = ship_reject_append(path, lines))) {
		if (!failures++)
			report_reject(path, error);
		if (sender->is_once || !ship_cursor_may_heal(error))
			return SHIP_FAILED;
		if (!ship_wait(back_off_ns(failures, 0)))
			return SHIP_STOPPED;
	}
	return SHIP_RECEIVED;
}

static enum ship_result set_aside(struct ship_sender *sender, const struct ship_batch *batch)
{
	const struct ship_cursor *cursor = sender->backlog->cursor;
	struct text_buffer lines = { 0 };
	enum ship_result result = SHIP_FAILED;
	int found;

	if (!sender->good_count && !sender->are_records)
		return report_all_bad(sender);
	found = ship_reject_read(&lines, cursor, batch, sender->bad, sender->bad_count);
	if (found >= 0)
		result = found ? write_rejected(sender, &lines) : SHIP_RECEIVED;
	text_free(&lines);
	if (result == SHIP_RECEIVED)
		count_bad(sender, (unsigned int)found);
	return result;
}

static enum ship_result try_batch(struct ship_sender *sender, const struct ship_batch *batch)
{
	enum ship_result result;

	sender->bad_count = sender->good_count = sender->named = 0;
	sender->is_doubtful = false;
	sender->are_records = true;
	result = send_part(sender, batch, 0, batch->count);
	if (result == SHIP_RECEIVED && sender->bad_count)
		result = set_aside(sender, batch);
	return result;
}

enum ship_result ship_sender_send(struct ship_sender *sender, const struct ship_batch *batch)
{
	enum ship_result result = try_batch(sender, batch);

	while (result == SHIP_FAILED && sender->is_doubtful && !sender->good_count) {
		sender->bad_in_a_row = 0;
		if (!ship_wait(back_off_ns(++sender->failures, 0)))
			return SHIP_STOPPED;
		result = try_batch(sender, batch);
	}
	if (result == SHIP_RECEIVED)
		sender->received += sender->good_count;
	return result;
}
