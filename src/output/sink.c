// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/output/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "src/util/message.h"
#include "src/util/stop.h"

#define FLUSH_AT (64 * 1024)
#define BUFFER_LIMIT (1024 * 1024) /* bytes that wait at most while the output takes none */
#define FLUSH_WAIT_MS 200
/* An end that the user asked for comes within 5 s, with two sinks and all that is to be detached. */
#define FINISH_WAIT_MS 1500
#define WAIT_FOREVER (-1)
#define RETRY_MS 10
#define EVENT_KINDS (NT_EVENT_LISTENER + 1)
#define WIDTH_UNKNOWN 132 /* of a file or a pipe, and of a terminal that does not report it */

struct sink {
	const struct format *format; /* NULL: lines only */
	const char *name;            /* for messages */
	int fd;
	bool regular, terminal;
	bool named;          /* -o: can be opened again */
	bool half_out;       /* the first waiting line was written in part */
	bool awaits_reader;  /* nobody has opened the FIFO for reading yet; fd is -1 */
	bool patient;        /* sink_options.waits */
	bool no_header;      /* sink_options.no_header */
	bool fixed_width;    /* sink_options.width is given */
	bool pages;          /* sink_options.pages */
	bool has_page;       /* sink_begin_page() was called */
	unsigned int rows;   /* of the terminal; 0: no limit */
	size_t page_lines;   /* since sink_begin_page() */
	size_t record_lines; /* of the last record */
	bool stuck;          /* the last wait for the reader timed out */
	bool refused;        /* the last flush failed, or records were lost; reported already */
	bool gone;           /* the reader of the pipe has closed it */
	struct format_view view;
	struct text_buffer waiting; /* lines; the first may have been written in part */
	struct text_buffer kinds;   /* a byte for each waiting line: enum nt_event_kind, or KIND_HEADER */
	__u64 dropped[EVENT_KINDS];
	__u64 unwanted[EVENT_KINDS];  /* refused after the reader had gone */
	__u64 no_memory[EVENT_KINDS]; /* the part of `dropped` that is for lack of memory */
	__u64 reported_drops;         /* records of `dropped`, for other causes, whose number was reported */
	bool reported_no_memory;
};

#define KIND_HEADER EVENT_KINDS

/* Records say who talks to whom: not for every user of the machine. The umask applies too. */
#define FILE_MODE 0640

static int open_named(const char *name, int flags)
{
	return open(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | flags, FILE_MODE);
}

static bool is_fifo(const char *path)
{
	struct stat status;

	return !stat(path, &status) && S_ISFIFO(status.st_mode);
}

/* Writing more than a terminal has room for blocks, even if poll() reported it writable; so does a pipe that another
 * process has filled since. A file description of our own can be O_NONBLOCK without changing the one that is shared
 * with the shell.
 */
static int open_standard_output(void)
{
	struct stat status;
	bool may_block = isatty(STDOUT_FILENO) || (!fstat(STDOUT_FILENO, &status) && S_ISFIFO(status.st_mode));
	int fd = may_block ? open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;

	return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
}

/* Opens without waiting: for the reader of a FIFO, or for the carrier of a line. */
static int open_output(struct sink *sink, const struct sink_options *options)
{
	int error;

	sink->name = options->path ? options->path : "standard output";
	if (!options->path)
		sink->fd = open_standard_output();
	else
		sink->fd = open_named(options->path, O_NONBLOCK);
	sink->named = options->path;
	if (sink->fd >= 0)
		return 0;
	error = errno;
	sink->awaits_reader = error == ENXIO && sink->named && is_fifo(sink->name);
	if (sink->awaits_reader)
		return 0;
	message_error("%s: cannot write: %s; name another file with -o", sink->name, strerror(error));
	return -error;
}

/* Returns whether a killed writer left the file in the middle of a line: a newline must then precede our first line. */
static bool ends_in_half_line(const struct sink *sink, off_t size)
{
	char path[32], last = '\n';
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sink->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (pread(fd, &last, 1, size - 1) != 1)
		last = '\n';
	close(fd);
	return last != '\n';
}

static bool is_colour_wanted(void)
{
	const char *no_colour = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return !(no_colour && *no_colour) && terminal && strcmp(terminal, "dumb");
}

static unsigned int sink_terminal_width(int fd)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col)
		return WIDTH_UNKNOWN;
	return size.ws_col;
}

/* Adds the kinds of the lines from `begin` on. A record counts with its last line; lines before it count as header. */
static void add_kinds(struct sink *sink, size_t begin, unsigned int kind)
{
	const char *newline, *bytes = sink->waiting.bytes;

	while (begin + 1 < sink->waiting.used &&
	       (newline = memchr(bytes + begin, '\n', sink->waiting.used - begin - 1))) {
		text_char(&sink->kinds, KIND_HEADER);
		begin = newline + 1 - bytes;
	}
	text_char(&sink->kinds, (char)kind);
}

static void add_header(struct sink *sink)
{
	size_t begin = sink->waiting.used;

	if (!sink->format || !sink->format->header || sink->no_header)
		return;
	sink->format->header(&sink->waiting, &sink->view);
	add_kinds(sink, begin, KIND_HEADER);
}

static void set_view(struct sink *sink)
{
	sink->terminal = isatty(sink->fd);
	if (!sink->fixed_width)
		sink->view.width = sink->terminal ? sink_terminal_width(sink->fd) : WIDTH_UNKNOWN;
	sink->view.wraps = sink->terminal || sink->fixed_width;
	sink->view.colour = sink->terminal && is_colour_wanted();
}

static void begin_output(struct sink *sink)
{
	struct stat status;
	off_t size = 0;

	sink->regular = !fstat(sink->fd, &status) && S_ISREG(status.st_mode);
	if (sink->regular)
		size = status.st_size;
	set_view(sink);
	sink->view.day = format_day(size ? status.st_mtime : time(NULL));
	if (size && ends_in_half_line(sink, size)) {
		text_char(&sink->waiting, '\n');
		add_kinds(sink, sink->waiting.used, KIND_HEADER);
	}
	if (!sink->pages && (!size || (sink->format && sink->format->always_header)))
		add_header(sink);
}

static int report_no_memory(struct sink *sink, const char *consequence)
{
	if (!sink->reported_no_memory)
		message_error("%s: out of memory%s", sink->name, consequence);
	sink->reported_no_memory = true;
	return -ENOMEM;
}

static bool has_failed(const struct sink *sink)
{
	return sink->waiting.failed || sink->kinds.failed;
}

/* Removes all but the first `used` bytes and `kinds` kinds, so that a later line may succeed. */
static void sink_truncate(struct sink *sink, size_t used, size_t kinds)
{
	sink->waiting.failed = sink->kinds.failed = false;
	sink->waiting.used = used;
	sink->kinds.used = kinds;
}

int sink_open(struct sink **sink, const struct sink_options *options)
{
	struct sink *opened = calloc(1, sizeof(*opened));
	int error;

	if (!opened) {
		message_error("output: out of memory");
		return -ENOMEM;
	}
	opened->format = options->format;
	opened->patient = options->waits;
	opened->no_header = options->no_header;
	opened->pages = options->pages && options->format->follows_width;
	opened->fixed_width = options->width;
	opened->view.width = options->width;
	opened->view.rows = options->rows;
	opened->view.chosen = options->chosen;
	opened->view.names = options->names;
	error = open_output(opened, options);
	if (error) {
		free(opened);
		return error;
	}
	signal(SIGPIPE, SIG_IGN);
	begin_output(opened);
	if (has_failed(opened)) {
		error = report_no_memory(opened, "");
		sink_close(opened);
		return error;
	}
	*sink = opened;
	return 0;
}

/* Repeats the heading after a change of the terminal's width: the columns depend on it. */
static void update_width(struct sink *sink)
{
	unsigned int width;

	if (!sink->terminal || sink->fixed_width || sink->pages || sink->waiting.used || !sink->format ||
	    !sink->format->follows_width)
		return;
	width = sink_terminal_width(sink->fd);
	if (width == sink->view.width)
		return;
	sink->view.width = width;
	add_header(sink);
}

/* Both are asked for before one is awaited. */
static void await_names(struct sink *sink, const struct nt_record *record)
{
	resolver_ask(sink->view.names, record->src_ip);
	resolver_await(sink->view.names, record->dst_ip);
	resolver_await(sink->view.names, record->src_ip);
}

static void append_record(struct sink *sink, const struct nt_record *record)
{
	size_t begin = sink->waiting.used, lines = sink->kinds.used;

	if (sink->format->before_record && !sink->no_header)
		sink->format->before_record(&sink->waiting, record, &sink->view);
	if (sink->view.names && sink->patient)
		await_names(sink, record);
	sink->format->record(&sink->waiting, record, &sink->view);
	add_kinds(sink, begin, record->event);
	sink->record_lines = sink->kinds.used - lines;
	sink->page_lines += sink->record_lines;
}

/* Homes the cursor and clears what is below it: nothing of the page before stays. */
#define CLEAR_TERMINAL "\033[H\033[J"
#define LINES_AFTER_ROWS 2 /* how many rows are missing, and the cursor's line */

static void print_time_of_page(struct sink *sink)
{
	time_t now = time(NULL);
	struct tm local;
	char text[32];

	localtime_r(&now, &local);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local);
	text_format(&sink->waiting, "%s%s\n", sink->terminal ? CLEAR_TERMINAL : sink->has_page ? "\n" : "", text);
}

void sink_begin_page(struct sink *sink)
{
	size_t begin = sink->waiting.used, kinds = sink->kinds.used;
	struct winsize size;

	if (!sink->pages)
		return;
	if (sink->terminal && !sink->fixed_width)
		sink->view.width = sink_terminal_width(sink->fd);
	sink->rows = sink->terminal && !ioctl(sink->fd, TIOCGWINSZ, &size) ? size.ws_row : 0;
	if (!sink->no_header || sink->terminal) {
		print_time_of_page(sink);
		add_kinds(sink, begin, KIND_HEADER);
	}
	add_header(sink);
	sink->has_page = true;
	sink->page_lines = sink->kinds.used - kinds;
	if (!has_failed(sink))
		return;
	sink_truncate(sink, begin, kinds);
	report_no_memory(sink, "; the heading is missing");
}

bool sink_page_is_full(const struct sink *sink)
{
	size_t next = sink->record_lines ? sink->record_lines : 1;

	return sink->rows && sink->page_lines + next + LINES_AFTER_ROWS > sink->rows;
}

static __u64 count_events(const __u64 counts[EVENT_KINDS])
{
	__u64 count = 0;
	unsigned int event;

	for (event = 0; event < EVENT_KINDS; event++)
		count += counts[event];
	return count;
}

static int count_no_memory(struct sink *sink, enum nt_event_kind event)
{
	sink->dropped[event]++;
	sink->no_memory[event]++;
	return report_no_memory(sink, "; records are lost");
}

static void count_dropped(struct sink *sink, const struct nt_record *record)
{
	if (sink->gone) {
		sink->unwanted[record->event]++;
		return;
	}
	sink->dropped[record->event]++;
	if (!sink->refused)
		message_error("%s: its reader is too slow; records are lost until it catches up", sink->name);
	sink->refused = true;
}

int sink_write(struct sink *sink, const struct nt_record *record)
{
	size_t used = sink->waiting.used, lines = sink->kinds.used;
	unsigned int day = sink->view.day;
	int error = 0;

	update_width(sink);
	if (used < BUFFER_LIMIT)
		append_record(sink, record);
	if (has_failed(sink)) {
		sink_truncate(sink, used, lines);
		sink->view.day = day;
		error = count_no_memory(sink, record->event);
	} else if (sink->kinds.used == lines)
		count_dropped(sink, record);
	if (sink->waiting.used >= FLUSH_AT)
		return sink_flush(sink);
	return error;
}

int sink_write_lines(struct sink *sink, const struct text_buffer *lines)
{
	size_t used = sink->waiting.used, kinds = sink->kinds.used;

	if (used >= BUFFER_LIMIT)
		return -EAGAIN;
	text_append(&sink->waiting, lines->bytes, lines->used);
	add_kinds(sink, used, KIND_HEADER);
	if (!lines->failed && !has_failed(sink))
		return 0;
	sink_truncate(sink, used, kinds);
	return report_no_memory(sink, "; tables are delayed");
}

/* Removes bytes from the front, and the kinds of the lines that end in them. */
static void remove_front(struct sink *sink, size_t bytes)
{
	size_t lines = 0, i;

	if (!bytes)
		return;
	sink->half_out = sink->waiting.bytes[bytes - 1] != '\n';
	if (bytes == sink->waiting.used) {
		sink->waiting.used = sink->kinds.used = 0;
		return;
	}
	for (i = 0; i < bytes; i++)
		lines += sink->waiting.bytes[i] == '\n';
	sink->waiting.used -= bytes;
	memmove(sink->waiting.bytes, sink->waiting.bytes + bytes, sink->waiting.used);
	sink->kinds.used -= lines;
	memmove(sink->kinds.bytes, sink->kinds.bytes + lines, sink->kinds.used);
}

/* Truncates a regular file after the last whole line, unless someone else appended to it. Returns how many of the
 * written bytes stay in the output.
 */
static size_t keep_whole_lines(struct sink *sink, size_t written)
{
	const char *last = memrchr(sink->waiting.bytes, '\n', written);
	size_t whole = last ? (size_t)(last - sink->waiting.bytes) + 1 : 0;
	off_t end = lseek(sink->fd, 0, SEEK_CUR);
	struct stat status;

	if (whole == written || !sink->regular)
		return written;
	if (end < 0 || fstat(sink->fd, &status) || status.st_size != end)
		return written;
	if (ftruncate(sink->fd, end - (off_t)(written - whole)) || lseek(sink->fd, 0, SEEK_END) < 0)
		return written;
	return whole;
}

/* Returns how long to wait for the reader. A request to end the program ends all patience. */
static int find_patience_ms(int wait_ms)
{
	int elapsed_ms;

	if (wait_ms != WAIT_FOREVER || !stop_is_requested())
		return wait_ms;
	elapsed_ms = stop_elapsed_ms();
	return elapsed_ms < FINISH_WAIT_MS ? FINISH_WAIT_MS - elapsed_ms : 0;
}

/* Opens a FIFO as soon as it has a reader. A sink that is not patient does not wait here. */
static int await_reader_of_fifo(struct sink *sink, int wait_ms)
{
	const struct timespec retry_pause = { .tv_nsec = RETRY_MS * 1000000 };

	while (sink->awaits_reader) {
		sink->fd = open_named(sink->name, O_NONBLOCK);
		sink->awaits_reader = sink->fd < 0;
		if (!sink->awaits_reader)
			return 0;
		if (errno != ENXIO)
			return -errno;
		if (!sink->patient || !find_patience_ms(wait_ms))
			return -EAGAIN;
		if (nanosleep(&retry_pause, NULL) && !stop_is_requested())
			return -EINTR;
	}
	return 0;
}

/* Returns 0 if a write of PIPE_BUF bytes does not block (pipe(7)), else -errno; -EAGAIN after the timeout. */
static int await_reader(struct sink *sink, int wait_ms)
{
	struct pollfd writable = { .events = POLLOUT };
	int ready, error = await_reader_of_fifo(sink, wait_ms);

	if (error || sink->regular)
		return error;
	writable.fd = sink->fd;
	do
		ready = poll(&writable, 1, find_patience_ms(wait_ms));
	while (ready < 0 && errno == EINTR && stop_is_requested());
	if (ready < 0)
		return -errno;
	return ready ? 0 : -EAGAIN;
}

/* Writes at most PIPE_BUF bytes: a pipe that poll() reports as writable may have room for one page only. A terminal
 * that poll() reports as writable may still take nothing: if it has room for one byte, a newline, which becomes two,
 * does not fit.
 */
static ssize_t write_piece(struct sink *sink, size_t from, int wait_ms)
{
	const struct timespec retry_pause = { .tv_nsec = RETRY_MS * 1000000 };
	size_t size = sink->waiting.used - from;
	int waited_ms, patience_ms, error;
	ssize_t taken;

	if (!sink->regular && size > PIPE_BUF)
		size = PIPE_BUF;
	for (waited_ms = 0;; waited_ms += RETRY_MS) {
		error = await_reader(sink, wait_ms);
		if (error)
			return error;
		taken = write(sink->fd, sink->waiting.bytes + from, size);
		if (taken >= 0)
			return taken;
		patience_ms = find_patience_ms(wait_ms);
		if (errno != EAGAIN || (patience_ms != WAIT_FOREVER && waited_ms >= patience_ms))
			return -errno;
		nanosleep(&retry_pause, NULL);
	}
}

/* Writes as much as possible. Returns 0, or the -errno that stopped it. */
static int write_waiting(struct sink *sink, size_t *written, int wait_ms)
{
	while (*written < sink->waiting.used) {
		ssize_t taken = write_piece(sink, *written, sink->stuck ? 0 : wait_ms);

		sink->stuck = taken == -EAGAIN;
		if (taken < 0)
			return (int)taken;
		*written += (size_t)taken;
	}
	return 0;
}

static void report_lost(const struct sink *sink, __u64 lost, const char *cause)
{
	message_error("%s: can be written again; %llu %s lost%s", sink->name, (unsigned long long)lost,
		      lost == 1 ? "record was" : "records were", cause);
}

/* Reports that all waiting lines were written after a failure or a loss. Losses for lack of memory are left to
 * report_lack_of_memory(): while memory is short, each line may find some or none. */
static void report_recovery(struct sink *sink)
{
	__u64 dropped = count_events(sink->dropped) - count_events(sink->no_memory);

	if (dropped > sink->reported_drops)
		report_lost(sink, dropped - sink->reported_drops, "");
	else if (sink->refused)
		message_error("%s: can be written again", sink->name);
	sink->reported_drops = dropped;
	sink->refused = false;
}

static void report_lack_of_memory(const struct sink *sink)
{
	__u64 lost = count_events(sink->no_memory);

	if (lost)
		report_lost(sink, lost, " for lack of memory");
}

static void report_error(struct sink *sink, int error)
{
	sink->gone = error == -EPIPE;
	if (error == -EPIPE || error == -EAGAIN || error == -EINTR)
		return;
	if (!error) {
		report_recovery(sink);
		return;
	}
	if (!sink->refused)
		message_error("%s: cannot write: %s; make room, or name another file with -o", sink->name,
			      strerror(-error));
	sink->refused = true;
}

static int sink_flush_within(struct sink *sink, int wait_ms)
{
	size_t written = 0;
	int error;

	if (!sink->waiting.used)
		return 0;
	error = write_waiting(sink, &written, wait_ms);
	if (error)
		written = keep_whole_lines(sink, written);
	remove_front(sink, written);
	report_error(sink, error);
	return error;
}

int sink_flush(struct sink *sink)
{
	return sink_flush_within(sink, sink->patient ? WAIT_FOREVER : FLUSH_WAIT_MS);
}

/* Returns 0, or -ENOMEM: the footer is left out. */
static int add_footer(struct sink *sink)
{
	size_t begin = sink->waiting.used, kinds = sink->kinds.used;

	if (!sink->format || !sink->format->footer || begin >= BUFFER_LIMIT)
		return 0;
	sink->format->footer(&sink->waiting);
	add_kinds(sink, begin, KIND_HEADER);
	if (!has_failed(sink))
		return 0;
	sink_truncate(sink, begin, kinds);
	return report_no_memory(sink, "; the last line is missing");
}

__u64 sink_waiting(const struct sink *sink, enum nt_event_kind event)
{
	__u64 waiting = 0;
	size_t i;

	for (i = 0; i < sink->kinds.used; i++)
		waiting += sink->kinds.bytes[i] == (char)event;
	return waiting;
}

/* Reports at the end what is lost because nobody reads. */
static void report_no_reader(struct sink *sink)
{
	__u64 lost = count_events(sink->dropped) - count_events(sink->no_memory) - sink->reported_drops;
	unsigned int event;

	for (event = 0; event < EVENT_KINDS; event++)
		lost += sink_waiting(sink, event);
	message_error("%s: %s, and %llu %s lost; %s", sink->name,
		      sink->awaits_reader ? "nobody has opened this FIFO to read it" : "its reader takes nothing",
		      (unsigned long long)lost, lost == 1 ? "record is" : "records are",
		      sink->awaits_reader ? "start its reader first" : "see why it does not read");
}

int sink_finish(struct sink *sink)
{
	int footer, error;

	sink->stuck = false;
	footer = add_footer(sink);
	error = sink_flush_within(sink, sink->patient ? WAIT_FOREVER : FINISH_WAIT_MS);
	if (!error && sink->awaits_reader)
		error = await_reader_of_fifo(sink, sink->patient ? WAIT_FOREVER : 0);
	if (error == -EAGAIN || error == -EINTR)
		report_no_reader(sink);
	else if (!error)
		report_lack_of_memory(sink);
	return error ? error : footer;
}

/* Removes lines that must not get into another file: the rest of a line that was written in part, and headings. */
static void remove_leftovers(struct sink *sink)
{
	while (sink->kinds.used && (sink->half_out || sink->kinds.bytes[0] == KIND_HEADER)) {
		const char *end = memchr(sink->waiting.bytes, '\n', sink->waiting.used);

		if (sink->kinds.bytes[0] < EVENT_KINDS)
			sink->dropped[(int)sink->kinds.bytes[0]]++;
		remove_front(sink, (size_t)(end - sink->waiting.bytes) + 1);
	}
}

static void swap_buffers(struct text_buffer *one, struct text_buffer *other)
{
	struct text_buffer buffer = *one;

	*one = *other;
	*other = buffer;
}

/* Puts the new file's heading before the waiting lines. Without memory for both, the heading is left out. */
static void begin_new_file(struct sink *sink)
{
	struct text_buffer waiting = sink->waiting, kinds = sink->kinds;

	sink->waiting = sink->kinds = (struct text_buffer){ 0 };
	begin_output(sink);
	sink->view.day = 0; /* it may be read on another day: it begins with the date */
	text_append(&sink->waiting, waiting.bytes, waiting.used);
	text_append(&sink->kinds, kinds.bytes, kinds.used);
	if (has_failed(sink)) {
		swap_buffers(&sink->waiting, &waiting);
		swap_buffers(&sink->kinds, &kinds);
		report_no_memory(sink, "; the heading is missing");
	}
	text_free(&waiting);
	text_free(&kinds);
}

static bool is_same_file(int one, int other)
{
	struct stat of_one, of_other;

	return !fstat(one, &of_one) && !fstat(other, &of_other) && of_one.st_dev == of_other.st_dev &&
	       of_one.st_ino == of_other.st_ino;
}

void sink_reopen(struct sink *sink)
{
	int fd;

	if (!sink->named || sink->awaits_reader)
		return;
	sink_flush_within(sink, 0);
	fd = open_named(sink->name, O_NONBLOCK); /* as open_output() */
	if (fd < 0) {
		message_error("%s: cannot open again: %s; records still go to the file that was open", sink->name,
			      strerror(errno));
		return;
	}
	if (!sink->regular && is_same_file(fd, sink->fd)) {
		close(fd);
		return;
	}
	if (!sink->waiting.used) {
		add_footer(sink);
		sink_flush_within(sink, 0);
	}
	close(sink->fd);
	sink->fd = fd;
	sink->stuck = false;
	remove_leftovers(sink);
	begin_new_file(sink);
	message_detail("%s: opened again", sink->name);
}

__u64 sink_lost(const struct sink *sink, enum nt_event_kind event)
{
	return sink->dropped[event] + (sink->gone ? 0 : sink_waiting(sink, event));
}

__u64 sink_unwanted(const struct sink *sink, enum nt_event_kind event)
{
	return sink->unwanted[event] + (sink->gone ? sink_waiting(sink, event) : 0);
}

__u64 sink_lost_for_memory(const struct sink *sink, enum nt_event_kind event)
{
	return sink->no_memory[event];
}

bool sink_lost_any(const struct sink *sink)
{
	unsigned int event;

	for (event = 0; event < EVENT_KINDS; event++)
		if (sink_lost(sink, event))
			return true;
	return false;
}

bool sink_has_failed(const struct sink *sink)
{
	unsigned int event;

	for (event = 0; event < EVENT_KINDS; event++)
		if (sink_lost(sink, event) > sink->no_memory[event])
			return true;
	return false;
}

void sink_close(struct sink *sink)
{
	if (!sink)
		return;
	if (sink->fd >= 0)
		close(sink->fd);
	text_free(&sink->waiting);
	text_free(&sink->kinds);
	free(sink);
}
