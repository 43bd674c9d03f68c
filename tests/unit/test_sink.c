// SPDX-License-Identifier: GPL-2.0-or-later
/* The sink writes to files, full disks, pipes without a reader, and terminals. */
#include "src/output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/zeek/conn_log.h"
#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

#define LINES_BEYOND_THE_BUFFER 3000

static char path[] = "/tmp/netracker-test-XXXXXX";

static struct sink *open_sink(const struct format *format, const char *path_or_null)
{
	const struct sink_options options = { .format = format, .path = path_or_null };
	struct sink *sink = NULL;

	CHECK_EQUAL(sink_open(&sink, &options), 0);
	return sink;
}

static int write_records(struct sink *sink, unsigned int count)
{
	struct nt_record record = sample_record();
	int error = 0;

	while (count--) {
		int result = sink_write(sink, &record);

		error = result ? result : error;
	}
	return error;
}

static void set_file(const char *text)
{
	FILE *file = fopen(path, "w");

	fputs(text, file);
	fclose(file);
}

struct content {
	unsigned int headings, dates, json, text, other;
	char last; /* byte */
};

static struct content read_file(void)
{
	struct content content = { 0 };
	FILE *file = fopen(path, "r");
	char line[4096];

	while (fgets(line, sizeof(line), file)) {
		size_t length = strlen(line);

		content.last = line[length - 1];
		if (!strncmp(line, "TIME ", 5))
			content.headings++;
		else if (line[0] == '{' && length > 2 && !strcmp(line + length - 2, "}\n"))
			content.json++;
		else if (!strcmp(line, "-- 2023-11-14 --\n"))
			content.dates++;
		else if (!strncmp(line, "22:13:21 ", 9) && content.last == '\n')
			content.text++;
		else
			content.other++;
	}
	fclose(file);
	return content;
}

static void test_append(void)
{
	struct sink *sink;

	set_file("");
	for (int run = 0; run < 2; run++) {
		sink = open_sink(&format_text, path);
		CHECK_EQUAL(write_records(sink, 2), 0);
		CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 2);
		CHECK_EQUAL(sink_flush(sink), 0);
		CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
		sink_close(sink);
	}
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().dates, 2); /* the file was changed today, the records are older */
	CHECK_EQUAL(read_file().text, 4);
	CHECK_EQUAL(read_file().other, 0);
}

/* An earlier writer was killed in the middle of a line. */
static void test_append_to_half_a_line(void)
{
	struct sink *sink;

	set_file("{\"v\":1,\"id\"");
	sink = open_sink(&format_json, path);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	sink_close(sink);
	CHECK_EQUAL(read_file().json, 1);
	CHECK_EQUAL(read_file().other, 1);
}

static void test_flushed_when_full(void)
{
	struct sink *sink;

	set_file("");
	sink = open_sink(&format_json, path);
	CHECK_EQUAL(write_records(sink, 200), 0);
	CHECK(sink_lost(sink, NT_EVENT_CLOSE) < 200);
	sink_close(sink);
	CHECK(read_file().json > 0);
	CHECK_EQUAL(read_file().other, 0);
}

static void limit_file_size(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	setrlimit(RLIMIT_FSIZE, &limit);
}

/* A size limit cuts a line in two; later it is lifted. */
static void test_no_room_then_room(void)
{
	struct sink *sink;

	signal(SIGXFSZ, SIG_IGN);
	set_file("");
	sink = open_sink(&format_json, path);
	limit_file_size(5000);
	write_records(sink, 20);
	CHECK_EQUAL(sink_flush(sink), -EFBIG);
	CHECK(sink_lost(sink, NT_EVENT_CLOSE) > 0);
	CHECK_EQUAL(read_file().json + sink_lost(sink, NT_EVENT_CLOSE), 20);
	CHECK_EQUAL(read_file().other, 0);
	CHECK_EQUAL(read_file().last, '\n');

	limit_file_size(RLIM_INFINITY);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	CHECK_EQUAL(read_file().json, 21);
	CHECK_EQUAL(read_file().other, 0);
	sink_close(sink);
}

/* Records that do not fit into the buffer are lost and counted; all others are written later. */
static void test_no_room_for_long(void)
{
	struct sink *sink;
	__u64 lost;

	set_file("");
	sink = open_sink(&format_json, path);
	limit_file_size(0);
	CHECK_EQUAL(write_records(sink, LINES_BEYOND_THE_BUFFER), -EFBIG);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), LINES_BEYOND_THE_BUFFER);
	limit_file_size(RLIM_INFINITY);
	CHECK_EQUAL(sink_flush(sink), 0);
	lost = sink_lost(sink, NT_EVENT_CLOSE);
	CHECK(lost > 0 && lost < LINES_BEYOND_THE_BUFFER);
	CHECK_EQUAL(read_file().json + lost, LINES_BEYOND_THE_BUFFER);
	CHECK_EQUAL(read_file().other, 0);
	sink_close(sink);
}

static void test_full_device(void)
{
	struct sink *sink = open_sink(&format_json, "/dev/full");
	struct nt_record record = sample_record();

	record.event = NT_EVENT_OPEN;
	CHECK_EQUAL(sink_write(sink, &record), 0);
	write_records(sink, 2);
	CHECK_EQUAL(sink_flush(sink), -ENOSPC);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 2);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_OPEN), 1);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_EXIT), 0);
	sink_close(sink);
}

static void test_cannot_open(void)
{
	struct sink_options options = { .format = &format_text, .path = "/nonexistent/file" };
	struct sink *sink;

	CHECK_EQUAL(sink_open(&sink, &options), -ENOENT);
	options.path = "/";
	CHECK_EQUAL(sink_open(&sink, &options), -EISDIR);
}

/* Opens a sink on standard output while that is fd. */
static struct sink *open_on(int fd, int *saved)
{
	fflush(stdout);
	*saved = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
	return open_sink(&format_text, NULL);
}

static void restore(int saved)
{
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void test_reader_leaves(void)
{
	struct sink *sink;
	int ends[2], saved;

	CHECK_EQUAL(pipe(ends), 0);
	sink = open_on(ends[1], &saved);
	restore(saved);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	close(ends[0]);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), -EPIPE);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	CHECK_EQUAL(sink_unwanted(sink, NT_EVENT_CLOSE), 1);
	sink_close(sink);
	close(ends[1]);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Reads all that is available. Returns the number of lines. */
static unsigned int drain(int fd)
{
	unsigned int lines = 0;
	char bytes[4096];
	ssize_t size;

	while ((size = read(fd, bytes, sizeof(bytes))) > 0)
		while (size)
			lines += bytes[--size] == '\n';
	return lines;
}

/* A live tracker continues while nobody reads its pipe, and loses only records that exceed the buffer. */
static void test_reader_sleeps(void)
{
	unsigned int lines = 0;
	struct sink *sink;
	double began;
	int ends[2], saved, error;

	CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0);
	fcntl(ends[1], F_SETFL, 0);
	sink = open_on(ends[1], &saved);
	restore(saved);
	began = seconds();
	CHECK_EQUAL(write_records(sink, 4 * LINES_BEYOND_THE_BUFFER), -EAGAIN);
	CHECK(seconds() - began < 2);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_OPEN), 0);
	do {
		error = sink_flush(sink);
		lines += drain(ends[0]);
	} while (error == -EAGAIN);
	CHECK_EQUAL(error, 0);
	CHECK(sink_lost(sink, NT_EVENT_CLOSE) > 0);
	CHECK_EQUAL(lines + sink_lost(sink, NT_EVENT_CLOSE), 4 * LINES_BEYOND_THE_BUFFER + 2); /* heading, date */
	sink_close(sink);
	close(ends[0]);
	close(ends[1]);
}

static const char *read_terminal(int fd)
{
	static char text[4096];
	ssize_t size = read(fd, text, sizeof(text) - 1);

	text[size > 0 ? size : 0] = '\0';
	return text;
}

static void set_width(int fd, unsigned short columns)
{
	const struct winsize size = { .ws_row = 24, .ws_col = columns };

	ioctl(fd, TIOCSWINSZ, &size);
}

static unsigned int lines_in(const char *file)
{
	char command[128];
	unsigned int lines = 0;
	FILE *counter;

	snprintf(command, sizeof(command), "wc -l < %s", file);
	counter = popen(command, "r");
	CHECK_EQUAL(fscanf(counter, "%u", &lines), 1);
	pclose(counter);
	return lines;
}

/* A file has the columns of 132 characters, without colour; --width and --no-header change that. */
static void test_width_of_a_file(void)
{
	struct sink_options options = { .format = &format_text, .path = path };
	struct sink *sink = NULL;
	char line[256];
	FILE *file;

	set_file("");
	CHECK_EQUAL(sink_open(&sink, &options), 0);
	CHECK_EQUAL(sink_flush(sink), 0);
	sink_close(sink);
	file = fopen(path, "r");
	CHECK(fgets(line, sizeof(line), file) && strstr(line, "HANDSHAKE") && strlen(line) == 132);
	fclose(file);
	set_file("");
	options.width = 40;
	CHECK_EQUAL(sink_open(&sink, &options), 0);
	CHECK_EQUAL(sink_flush(sink), 0);
	sink_close(sink);
	CHECK_EQUAL(lines_in(path), 2);
	set_file("");
	options.no_header = true;
	options.width = 100;
	CHECK_EQUAL(sink_open(&sink, &options), 0);
	write_records(sink, 3);
	CHECK_EQUAL(sink_flush(sink), 0);
	sink_close(sink);
	CHECK_EQUAL(lines_in(path), 3);
}

static void test_terminal(void)
{
	int controller, terminal, saved;
	struct sink *sink;
	const char *text;

	setenv("TERM", "xterm", 1);
	setenv("NO_COLOR", "1", 1);
	CHECK_EQUAL(openpty(&controller, &terminal, NULL, NULL, NULL), 0);
	set_width(terminal, 100);
	sink = open_on(terminal, &saved);
	restore(saved);
	CHECK_EQUAL(sink_flush(sink), 0);
	text = read_terminal(controller);
	CHECK(strstr(text, "LASTED\r\n") && !strchr(text, '\033'));

	/* The window grows: another heading, with the columns that now fit. */
	set_width(terminal, 132);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	text = read_terminal(controller);
	CHECK(strstr(text, "GAPS\r\n") && strstr(text, "reset:dst") && !strchr(text, '\033'));
	sink_close(sink);

	/* An empty value counts as unset: https://no-color.org */
	setenv("NO_COLOR", "", 1);
	sink = open_on(terminal, &saved);
	restore(saved);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	CHECK(strstr(read_terminal(controller), "\033[31mreset:dst\033[0m") != NULL);
	sink_close(sink);
	close(terminal);
	close(controller);
}

#define LINES_BEYOND_A_NARROW_BUFFER 20000

static void *count_lines(void *controller)
{
	return (void *)(uintptr_t)drain(*(int *)controller);
}

/* A record takes two lines; the loss is counted in records. */
static void test_narrow_terminal(void)
{
	int controller, terminal, saved;
	struct sink *sink;
	pthread_t reader;
	void *lines;
	__u64 lost;

	CHECK_EQUAL(openpty(&controller, &terminal, NULL, NULL, NULL), 0);
	set_width(terminal, 40);
	sink = open_on(terminal, &saved);
	restore(saved);
	CHECK_EQUAL(write_records(sink, LINES_BEYOND_A_NARROW_BUFFER), -EAGAIN);
	CHECK(!(fcntl(terminal, F_GETFL) & O_NONBLOCK));
	CHECK_EQUAL(pthread_create(&reader, NULL, count_lines, &controller), 0);
	CHECK_EQUAL(sink_finish(sink), 0);
	lost = sink_lost(sink, NT_EVENT_CLOSE);
	CHECK(lost > 0);
	sink_close(sink);
	close(terminal);
	pthread_join(reader, &lines);
	CHECK_EQUAL((uintptr_t)lines, 2 * (LINES_BEYOND_A_NARROW_BUFFER + 1 - lost));
	close(controller);
}

static char moved[] = "/tmp/netracker-test-moved-XXXXXX";

/* Each file of a Zeek log has eight lines before its records and one after. */
static void test_rotation_of_zeek(void)
{
	struct sink *sink;

	set_file("");
	sink = open_sink(&conn_log_format, path);
	write_records(sink, 2);
	rename(path, moved);
	write_records(sink, 3);
	sink_reopen(sink);
	CHECK_EQUAL(lines_in(moved), 8 + 2 + 3 + 1);
	write_records(sink, 4);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(lines_in(path), 8 + 4 + 1);
	CHECK_EQUAL(lines_in(moved), 8 + 2 + 3 + 1);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	sink_close(sink);
	remove(moved);
}

/* The file is renamed while lines are buffered for it, and again later. */
static void test_rotation(void)
{
	struct sink *sink;

	set_file("");
	sink = open_sink(&format_text, path);
	write_records(sink, 2);
	rename(path, moved);
	write_records(sink, 3);
	sink_reopen(sink);
	CHECK_EQUAL(lines_in(moved), 1 + 1 + 2 + 3); /* heading, date, records */
	write_records(sink, 4);
	CHECK_EQUAL(sink_flush(sink), 0);
	CHECK_EQUAL(lines_in(moved), 1 + 1 + 2 + 3);
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().dates, 1);
	CHECK_EQUAL(read_file().text, 4);
	CHECK_EQUAL(read_file().other, 0);

	/* The file was not moved: no second heading. */
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().text, 5);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);

	/* The file was truncated in place: another heading. */
	CHECK_EQUAL(truncate(path, 0), 0);
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().text, 1);
	sink_close(sink);
}

/* Lines that the full disk did not take go to the new file, after its heading. Neither has a line twice or in part. */
static void test_rotation_off_a_full_disk(void)
{
	unsigned int before;
	struct sink *sink;

	signal(SIGXFSZ, SIG_IGN);
	set_file("");
	sink = open_sink(&format_text, path);
	limit_file_size(1000);
	write_records(sink, 20);
	CHECK_EQUAL(sink_flush(sink), -EFBIG);
	before = read_file().text;
	CHECK(before > 0 && before < 20);
	CHECK_EQUAL(read_file().other, 0);
	rename(path, moved);
	sink_reopen(sink);
	limit_file_size(RLIM_INFINITY);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(lines_in(moved), 1 + 1 + before);
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().text, 20 - before);
	CHECK_EQUAL(read_file().other, 0);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	sink_close(sink);
}

/* Not even the heading was written before the rotation. */
static void test_rotation_with_nothing_written(void)
{
	struct sink *sink;

	set_file("");
	sink = open_sink(&format_text, path);
	limit_file_size(0);
	write_records(sink, 2);
	CHECK_EQUAL(sink_flush(sink), -EFBIG);
	rename(path, moved);
	sink_reopen(sink);
	limit_file_size(RLIM_INFINITY);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(read_file().headings, 1);
	CHECK_EQUAL(read_file().text, 2);
	sink_close(sink);
}

/* While the path does not exist the sink keeps the old file; once it exists again, the sink opens it. */
static void test_rotation_fails(void)
{
	char directory[] = "/tmp/netracker-test-dir-XXXXXX", elsewhere[64], file[64];
	struct sink *sink;

	CHECK(mkdtemp(directory) != NULL);
	snprintf(file, sizeof(file), "%s/records", directory);
	snprintf(elsewhere, sizeof(elsewhere), "%s.moved", directory);
	sink = open_sink(&format_json, file);
	write_records(sink, 1);
	CHECK_EQUAL(rename(directory, elsewhere), 0);
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_flush(sink), 0);
	CHECK_EQUAL(rename(elsewhere, directory), 0);
	CHECK_EQUAL(lines_in(file), 2);
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(lines_in(file), 3);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	sink_close(sink);
	unlink(file);
	rmdir(directory);
}

/* A FIFO whose reader stopped took half a line. The new file does not begin with the other half. */
static void test_rotation_off_a_fifo(void)
{
	unsigned int read_lines;
	struct sink *sink;
	int reader;

	unlink(path);
	CHECK_EQUAL(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK);
	sink = open_sink(&format_json, path);
	CHECK_EQUAL(write_records(sink, 300), -EAGAIN);
	unlink(path);
	sink_reopen(sink);
	CHECK_EQUAL(sink_finish(sink), 0);
	read_lines = drain(reader);
	CHECK(read_lines > 0 && read_file().json > 0);
	CHECK_EQUAL(read_file().other, 0);
	CHECK(sink_lost(sink, NT_EVENT_CLOSE) <= 1);
	CHECK_EQUAL(read_lines + read_file().json + sink_lost(sink, NT_EVENT_CLOSE), 300);
	sink_close(sink);
	close(reader);
}

/* Standard output and devices are not opened again. */
static void test_not_opened_again(void)
{
	struct sink *sink;
	int ends[2], saved;

	CHECK_EQUAL(pipe2(ends, O_NONBLOCK), 0);
	sink = open_on(ends[1], &saved);
	restore(saved);
	write_records(sink, 1);
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(drain(ends[0]), 1 + 1 + 2);
	sink_close(sink);
	close(ends[0]);
	close(ends[1]);

	sink = open_sink(&format_json, "/dev/null");
	write_records(sink, 1);
	sink_reopen(sink);
	write_records(sink, 1);
	CHECK_EQUAL(sink_finish(sink), 0);
	CHECK_EQUAL(sink_lost(sink, NT_EVENT_CLOSE), 0);
	sink_close(sink);
}

int main(void)
{
	int fd = mkstemp(path);

	if (!CHECK(fd >= 0))
		return check_finish();
	test_append();
	test_append_to_half_a_line();
	test_flushed_when_full();
	test_no_room_then_room();
	test_no_room_for_long();
	test_full_device();
	test_cannot_open();
	test_reader_leaves();
	test_reader_sleeps();
	test_width_of_a_file();
	test_terminal();
	test_narrow_terminal();
	close(mkstemp(moved));
	test_rotation();
	test_rotation_of_zeek();
	test_rotation_off_a_full_disk();
	test_rotation_with_nothing_written();
	test_rotation_fails();
	test_rotation_off_a_fifo();
	test_not_opened_again();
	close(fd);
	unlink(path);
	unlink(moved);
	return check_finish();
}
