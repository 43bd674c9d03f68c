// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/ship/ship_send.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "src/util/message.h"
#include "src/util/stop.h"

#define NS_PER_SECOND 1000000000ULL
#define LONGEST_BACK_OFF_S 60
#define LONGEST_RETRY_AFTER_S 3600
#define MOST_BAD_FIRST 100 /* of a batch, before one was good: then it is not the records */

bool ship_sender_init(struct ship_sender *sender, const struct ship_url *url)
{
	snprintf(sender->query, sizeof(sender->query), "INSERT INTO %s.%s FORMAT JSONEachRow", url->database,
		 url->table);
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

bool ship_sender_wait(const struct ship_sender *sender, __u64 ns)
{
	__u64 end = monotonic_ns() + ns, now;
	struct timespec rest;

	if (sender->deadline_ns && end > sender->deadline_ns)
		end = sender->deadline_ns;
	while (!stop_is_requested() && (now = monotonic_ns()) < end) {
		rest.tv_sec = (time_t)((end - now) / NS_PER_SECOND);
		rest.tv_nsec = (long)((end - now) % NS_PER_SECOND);
		nanosleep(&rest, NULL);
	}
	return !stop_is_requested() && (!sender->deadline_ns || monotonic_ns() < sender->deadline_ns);
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

/* ---- one request ---- */

static void cut_at_line(struct ship_answer *answer)
{
	answer->text[strcspn(answer->text, "\r\n")] = '\0';
}

static void report_failure(const struct ship_sender *sender, const struct ship_answer *answer)
{
	if (sender->failures > 1)
		message_detail("ship: attempt %u: status %ld: %.300s", sender->failures, answer->status, answer->text);
	else if (answer->status)
		message_error("ship: the server does not take records now (status %ld): %.300s; it is tried again",
			      answer->status, answer->text);
	else
		message_error("ship: no answer: %.300s; it is tried again", answer->text);
}

static void report_refusal(const struct ship_answer *answer)
{
	if (!answer->status)
		message_error("ship: the server's certificate does not fit: %s; see --ca-file", answer->text);
	else if (answer->status == 401 || answer->status == 403)
		message_error(
			"ship: the server refuses this user or password (status %ld): %.300s; see --password-file",
			answer->status, answer->text);
	else if (answer->status == 404)
		message_error(
			"ship: the server has no such table (status 404): %.300s; netracker ship --setup makes it",
			answer->text);
	else
		message_error("ship: it is no ClickHouse server, or of another protocol (status %ld): %.300s",
			      answer->status, answer->text);
}

enum answer_kind { ANSWER_DONE, ANSWER_AGAIN, ANSWER_BAD_RECORD, ANSWER_REFUSED };

static enum answer_kind kind_of(const struct ship_answer *answer)
{
	if (answer->is_not_trusted)
		return ANSWER_REFUSED;
	if (!answer->status || answer->status == 408 || answer->status == 429 || answer->status >= 500)
		return ANSWER_AGAIN;
	if (answer->status / 100 == 2) /* ClickHouse has nothing to say to an INSERT; other servers take any request */
		return *answer->text ? ANSWER_REFUSED : ANSWER_DONE;
	return answer->status == 400 || answer->status == 413 || answer->status == 415 ? ANSWER_BAD_RECORD :
											 ANSWER_REFUSED;
}

/* Repeats a request until it is answered for good. Returns false if a signal or the time limit ended it. */
static bool send_until_answered(struct ship_sender *sender, const char *lines, size_t size, enum answer_kind *kind,
				struct ship_answer *answer)
{
	for (;;) {
		ship_http_post(sender->http, sender->query, lines, size, answer);
		cut_at_line(answer);
		*kind = kind_of(answer);
		if (*kind != ANSWER_AGAIN)
			break;
		if (stop_is_requested())
			return false;
		sender->failures++;
		report_failure(sender, answer);
		if (!ship_sender_wait(sender, back_off_ns(sender->failures, answer->retry_after_s)))
			return false;
		ship_backlog_watch(sender->backlog);
		ship_cursor_save(sender->backlog->cursor); /* of files that come and go meanwhile */
	}
	if (sender->failures)
		message_note("ship: the server answers again, after %u failures", sender->failures);
	sender->failures = 0;
	return true;
}

/* ---- a batch ---- */

static enum ship_result report_all_bad(const struct ship_sender *sender)
{
	message_error(
		"ship: the server takes none of the records, so the table is not the one that --setup makes: %.300s",
		sender->reason);
	return SHIP_REFUSED;
}

/* Halves what the server does not take until the bad records are found. */
static enum ship_result send_part(struct ship_sender *sender, const struct ship_batch *batch, unsigned int first,
				  unsigned int count)
{
	struct ship_answer answer;
	enum answer_kind kind;
	enum ship_result result;
	const char *lines;
	size_t size = ship_batch_lines(batch, first, count, &lines);

	if (!send_until_answered(sender, lines, size, &kind, &answer))
		return SHIP_STOPPED;
	if (kind == ANSWER_REFUSED) {
		report_refusal(&answer);
		return SHIP_REFUSED;
	}
	if (kind == ANSWER_DONE) {
		sender->good_count += count;
		return SHIP_RECEIVED;
	}
	if (count == 1) {
		memcpy(sender->reason, answer.text, sizeof(sender->reason));
		sender->bad[sender->bad_count++] = first;
		return !sender->good_count && sender->bad_count >= MOST_BAD_FIRST ? report_all_bad(sender) :
										    SHIP_RECEIVED;
	}
	result = send_part(sender, batch, first, count / 2);
	return result == SHIP_RECEIVED ? send_part(sender, batch, first + count / 2, count - count / 2) : result;
}

static bool write_rejected(const struct ship_sender *sender, const struct ship_batch *batch)
{
	FILE *file = fopen(sender->rejected_path, "ae");
	const char *line;
	unsigned int i;
	bool is_written;
	size_t size;

	for (i = 0; file && i < sender->bad_count; i++) {
		size = ship_batch_lines(batch, sender->bad[i], 1, &line);
		fwrite(line, 1, size, file);
	}
	is_written = file && !fflush(file) && !ferror(file) && !fsync(fileno(file));
	if (!is_written)
		message_error("ship: %s: cannot write rejected records: %s", sender->rejected_path, strerror(errno));
	if (file)
		fclose(file);
	return is_written;
}

static enum ship_result set_aside(struct ship_sender *sender, const struct ship_batch *batch)
{
	if (batch->count > 1 && !sender->good_count && !sender->received)
		return report_all_bad(sender);
	if (!write_rejected(sender, batch))
		return SHIP_REFUSED;
	message_error("ship: the server does not take %u records, which are in %s now: %.300s", sender->bad_count,
		      sender->rejected_path, sender->reason);
	sender->rejected += sender->bad_count;
	return SHIP_RECEIVED;
}

enum ship_result ship_sender_send(struct ship_sender *sender, const struct ship_batch *batch)
{
	enum ship_result result;

	sender->bad_count = sender->good_count = 0;
	result = send_part(sender, batch, 0, batch->count);
	if (result == SHIP_RECEIVED && sender->bad_count)
		result = set_aside(sender, batch);
	if (result == SHIP_RECEIVED)
		sender->received += sender->good_count;
	return result;
}
