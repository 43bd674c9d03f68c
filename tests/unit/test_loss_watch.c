// SPDX-License-Identifier: GPL-2.0-or-later
/* Announcements of losses: what is written to stderr, and when. */
#include "src/record/loss_watch.h"

#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define SECOND 1000000000ULL
#define RING "ring buffer full; "
#define BEGIN "netracker: records are being lost: "
#define END "netracker: records are no longer lost: "

static struct loss_watch watch;
static __u64 lost[ACCOUNTING_LOSSES];
static int messages;

/* Returns what was written to stderr since the last call. */
static const char *written(void)
{
	static char text[4096];
	static off_t from;
	ssize_t size;

	fflush(stderr);
	size = pread(messages, text, sizeof(text) - 1, from);
	from += size > 0 ? size : 0;
	text[size > 0 ? size : 0] = '\0';
	return text;
}

static const char *written_at(__u64 now_ns)
{
	loss_watch_update(&watch, lost, now_ns);
	return written();
}

static unsigned int count_lines(const char *text)
{
	unsigned int lines = 0;

	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void check_one_cause(void)
{
	const char *text;

	CHECK_STRING(written_at(SECOND), "");
	lost[ACCOUNTING_LOST_RING_FULL] = 3;
	text = written_at(2 * SECOND);
	CHECK(!strncmp(text, BEGIN RING, strlen(BEGIN RING)) && count_lines(text) == 1);
	lost[ACCOUNTING_LOST_RING_FULL] = 10;
	CHECK_STRING(written_at(6 * SECOND), "");
	CHECK_STRING(written_at(11 * SECOND - 1), "");
	CHECK_STRING(written_at(11 * SECOND), END RING "10 were lost\n");
	CHECK_STRING(written_at(100 * SECOND), "");
	lost[ACCOUNTING_LOST_RING_FULL] = 11;
	CHECK(!strncmp(written_at(101 * SECOND), BEGIN RING, strlen(BEGIN RING)));
	CHECK_STRING(written_at(106 * SECOND), END RING "1 was lost\n");
}

static void check_several_causes(void)
{
	const char *text;

	lost[ACCOUNTING_LOST_RING_FULL]++;
	lost[ACCOUNTING_LOST_SOCKETS_FULL]++;
	lost[ACCOUNTING_LOST_SINK_FAILED]++;
	text = written_at(200 * SECOND);
	CHECK_EQUAL(count_lines(text), 2);
	CHECK(strstr(text, BEGIN "socket table full; ") && strstr(text, BEGIN RING));
	lost[ACCOUNTING_LOST_NO_MEMORY] += 2;
	loss_watch_finish(&watch, lost, 201 * SECOND);
	text = written();
	CHECK_EQUAL(count_lines(text), 4);
	CHECK(strstr(text, END "socket table full; 1 was lost\n") && strstr(text, END RING "1 was lost\n"));
	CHECK(strstr(text, BEGIN "out of memory; ") && strstr(text, END "out of memory; 2 were lost\n"));
}

/* Every cause has a name and a remedy. */
static void check_all_causes(void)
{
	unsigned int cause;

	for (cause = 0; cause < ACCOUNTING_LOSSES; cause++) {
		const char *text;

		lost[cause]++;
		text = written_at((300 + cause) * SECOND);
		lost[cause] -= cause == ACCOUNTING_LOST_SINK_FAILED;
		CHECK(accounting_loss_name(cause) != NULL && !strstr(text, "(null)"));
		loss_watch_finish(&watch, lost, (300 + cause) * SECOND);
		written();
	}
}

int main(void)
{
	FILE *file = tmpfile();
	int terminal = dup(STDERR_FILENO);

	CHECK(file != NULL);
	if (!file)
		return check_finish();
	messages = fileno(file);
	dup2(messages, STDERR_FILENO);
	check_one_cause();
	check_several_causes();
	check_all_causes();
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	fclose(file);
	return check_finish();
}
