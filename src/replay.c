/* netracker replay FILE: the tracker over a capture, with the capture's own clock. */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/replay_tracker.h"

#include "src/books.h"
#include "src/capture_file.h"
#include "src/capture_link.h"
#include "src/capture_reader.h"
#include "src/commands.h"
#include "src/filter.h"
#include "src/hangup.h"
#include "src/message.h"
#include "src/output.h"
#include "src/progress.h"
#include "src/record_fields.h"
#include "src/zeek_replay.h"

/* So many packets are read before the first of them is followed, so that the entries of all are on their way from memory
 * by then: three of four short connections are in no cache.
 */
#define LOOK_AHEAD 16
#define PACKETS_BETWEEN_CLOCKS 4096

struct replay {
	const struct options *options;
	struct capture_file *file;
	struct progress progress;
	struct capture_reader *reader;
	struct replay_tracker *tracker; /* one of the two */
	struct zeek_replay *zeek;
	struct output output;
	struct hangup hangup;
	struct books books;
	__u64 now; /* the capture's clock, where it stood highest */
	__u64 records;
	int error; /* of the sink; -ENOMEM */
};

static volatile sig_atomic_t stopped, hung_up;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void hang_up(int signal_number)
{
	(void)signal_number;
	hung_up = 1;
}

/* A SIGHUP that only asks for the output to be opened again must not break off the reading of a pipe. */
static void stop_on_signals(const struct hangup *hangup)
{
	struct sigaction action = { .sa_handler = stop };
	struct sigaction on_hangup = { .sa_handler = hang_up, .sa_flags = hangup->to_file ? SA_RESTART : 0 };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (hangup->to_file || !hangup->ignored)
		sigaction(SIGHUP, &on_hangup, NULL);
}

static void take_hangup(struct replay *replay)
{
	enum hangup_meaning meaning = hangup_meaning(&replay->hangup);

	hung_up = 0;
	if (meaning == HANGUP_REOPEN)
		sink_reopen(replay->output.records);
	else if (meaning == HANGUP_END)
		stopped = 1;
}

static bool is_full(const struct replay *replay)
{
	return replay->options->max_records && replay->records >= replay->options->max_records;
}

static bool is_over(const struct replay *replay)
{
	return stopped || replay->error || is_full(replay);
}

/* True where the record was wanted. */
static bool write_record(struct replay *replay, const struct nt_record *record)
{
	if (is_full(replay) || !options_want_event(replay->options, record->event) ||
	    !filter_accepts(replay->options, record))
		return false;
	replay->records++;
	message_clear();
	if (output_write(&replay->output, record) == -EPIPE)
		replay->error = -EPIPE;
	return true;
}

/* Writes the last record of a connection. */
static void write_last(struct replay *replay, const struct nt_record *record)
{
	bool wanted = write_record(replay, record);

	if (record->event == NT_EVENT_EXIT)
		replay->books.open++;
	else if (wanted)
		replay->books.written++;
	else
		replay->books.filtered[BOOKS_FILTERED_OPTION]++;
}

static void tell_no_memory(struct replay *replay)
{
	message_error("%s: no memory for more connections; the records up to here are written",
		      replay->options->file);
	replay->error = -ENOMEM;
}

static void advance(struct replay *replay, __u64 ns)
{
	if (ns > replay->now)
		replay->now = ns;
	if (replay->zeek)
		zeek_replay_clock(replay->zeek, ns);
	else
		replay_tracker_clock(replay->tracker, ns);
	output_tick(&replay->output, replay->now, 0);
}

static void take(struct replay *replay, const struct replay_located *located)
{
	if (replay_tracker_take(replay->tracker, located))
		tell_no_memory(replay);
}

static void take_ahead(struct replay *replay, const struct replay_located *located, int count)
{
	int i;

	for (i = 0; i < count; i++)
		replay_tracker_prefetch(replay->tracker, &located[i]);
	for (i = 0; i < count && !is_over(replay); i++) {
		advance(replay, located[i].segment.ns);
		take(replay, &located[i]);
	}
}

static void take_found(void *context, struct capture_segment *segment)
{
	struct replay_located located = { .segment = *segment };
	struct replay *replay = context;

	if (segment->result != NT_PACKET_TCP)
		return;
	replay_tracker_locate(replay->tracker, &located);
	take(replay, &located);
}

static void take_like_zeek(void *context, struct capture_segment *segment)
{
	struct replay *replay = context;

	if (zeek_replay_take(replay->zeek, segment))
		tell_no_memory(replay);
}

static bool accept_like_zeek(void *context, const struct nt_buffer *frame, __u32 offset)
{
	return zeek_replay_accepts(((struct replay *)context)->zeek, frame, offset);
}

static void finish_all(struct replay *replay)
{
	if (replay->zeek)
		zeek_replay_finish(replay->zeek);
	else
		replay_tracker_finish(replay->tracker);
}

static const char *link_name(int link_type)
{
	const char *name = pcap_datalink_val_to_name(link_type);

	return name ? name : "of no name";
}

static void tell_books(struct replay *replay)
{
	__u64 lost = output_lost(&replay->output, NT_EVENT_CLOSE);
	const struct capture_odd odd = capture_reader_odd(replay->reader);

	replay->books.written -= lost;
	replay->books.lost[BOOKS_LOST_SINK_FAILED] += lost;
	if (odd.unread)
		message_error("%s: left out %llu packets of link type %s (%d) or others that cannot be read; "
			      "docs/captures.md lists those that can be", replay->options->file,
			      (unsigned long long)odd.unread, link_name(odd.unread_type), odd.unread_type);
	if (!replay->options->quiet)
		books_print(&replay->books, stderr);
	message_detail("packets that were malformed %llu, captured too short %llu; fragmented packets with parts "
		       "missing %llu",
		       (unsigned long long)odd.malformed, (unsigned long long)odd.truncated,
		       (unsigned long long)odd.incomplete);
}

static void flush(struct replay *replay)
{
	if (output_flush(&replay->output) == -EPIPE)
		replay->error = -EPIPE;
}

/* A pipe's next packet may be long in coming. */
static bool is_stream(const char *name)
{
	struct stat status;

	return (strcmp(name, "-") ? stat(name, &status) : fstat(STDIN_FILENO, &status)) || !S_ISREG(status.st_mode);
}

static void show_progress(struct replay *replay)
{
	struct progress_view view = { .packets = capture_file_packets(replay->file) };

	if (view.packets % PACKETS_BETWEEN_CLOCKS || !progress_is_due(&replay->progress))
		return;
	capture_file_position(replay->file, &view.position, &view.size);
	progress_show(&replay->progress, &view);
}

/* 1: there is one. 0: the file has ended, or no more is wanted. -1: the file is broken. */
static int next_packet(struct replay *replay, struct capture_packet *captured)
{
	if (hung_up)
		take_hangup(replay);
	show_progress(replay);
	return is_over(replay) ? 0 : capture_file_next(replay->file, captured);
}

/* What next_packet() gave last. So does read_like_zeek(). */
static int read_packets(struct replay *replay)
{
	struct replay_located ahead[LOOK_AHEAD];
	struct capture_packet captured;
	bool streams = is_stream(replay->options->file);
	int most = streams ? 1 : LOOK_AHEAD;
	int result, count = 0;

	while ((result = next_packet(replay, &captured)) == 1) {
		bool is_plain = capture_reader_plain(&captured, &ahead[count].segment);

		if (is_plain)
			replay_tracker_locate(replay->tracker, &ahead[count++]);
		if (is_plain && count < most)
			continue;
		take_ahead(replay, ahead, count);
		count = 0;
		if (!is_plain && !is_over(replay)) {
			advance(replay, captured.ns);
			capture_reader_take(replay->reader, &captured);
		}
		if (streams)
			flush(replay);
	}
	take_ahead(replay, ahead, count);
	return result;
}

static int read_like_zeek(struct replay *replay)
{
	bool streams = is_stream(replay->options->file);
	struct capture_packet captured;
	int result;

	while ((result = next_packet(replay, &captured)) == 1) {
		advance(replay, captured.ns);
		capture_reader_take(replay->reader, &captured);
		if (streams)
			flush(replay);
	}
	return result;
}

/* Returns the exit status. */
static int read_all(struct replay *replay)
{
	__u64 unread;
	bool broken;
	int error;

	progress_begin(&replay->progress, replay->options->quiet);
	broken = (replay->zeek ? read_like_zeek(replay) : read_packets(replay)) < 0;
	message_clear();
	unread = capture_reader_odd(replay->reader).unread;
	finish_all(replay);
	error = output_finish(&replay->output, replay->now, 0);
	replay->error = replay->error ? replay->error : error;
	tell_books(replay);
	if (broken || (replay->error && replay->error != -EPIPE) || (unread && unread == capture_file_packets(replay->file)))
		return EXIT_STATUS_BROKEN;
	return EXIT_STATUS_DONE;
}

static void note_began(void *context)
{
	((struct replay *)context)->books.opened++;
}

static void write_established(void *context, struct nt_record *record)
{
	struct replay *replay = context;

	record_name_host(record, replay->options->host);
	write_record(replay, record);
}

static void write_ended(void *context, struct nt_record *record)
{
	struct replay *replay = context;

	record_name_host(record, replay->options->host);
	write_last(replay, record);
}

/* Without memory for it, false. */
static bool set_up_zeek(struct replay *replay)
{
	const struct zeek_replay_host host = {
		.began = note_began,
		.ended = write_ended,
		.context = replay,
		.ignore_checksums = replay->options->ignore_checksums,
	};
	const struct capture_reader_host reader_host = { take_like_zeek, accept_like_zeek, replay };

	replay->zeek = zeek_replay_new(&host);
	replay->reader = capture_reader_new(true, &reader_host);
	return replay->zeek && replay->reader;
}

static bool set_up_own(struct replay *replay)
{
	bool tell_established = options_want_event(replay->options, NT_EVENT_OPEN);
	const struct replay_tracker_host host = {
		.began = note_began,
		.established = tell_established ? write_established : NULL,
		.ended = write_ended,
		.context = replay,
	};
	const struct capture_reader_host reader_host = { take_found, NULL, replay };

	replay->tracker = replay_tracker_new(&host);
	replay->reader = capture_reader_new(replay->options->tunnels, &reader_host);
	return replay->tracker && replay->reader;
}

static int run(struct replay *replay)
{
	bool like_zeek = replay->options->rules == RULES_ZEEK;
	const char *name = replay->options->file;
	int link_type, error;

	error = capture_file_open(&replay->file, name);
	if (error)
		return error == -EINTR ? EXIT_STATUS_DONE : EXIT_STATUS_BROKEN;
	link_type = capture_file_link_type(replay->file);
	if (link_type >= 0 && !capture_link_is_known(link_type)) {
		message_error("%s: cannot read link type %s (%d); docs/captures.md lists those that can be read", name,
			      link_name(link_type), link_type);
		return EXIT_STATUS_BROKEN;
	}
	if (!(like_zeek ? set_up_zeek(replay) : set_up_own(replay))) {
		message_error("%s: cannot begin: %s", name, strerror(ENOMEM));
		return EXIT_STATUS_BROKEN;
	}
	if (output_open(&replay->output, replay->options))
		return EXIT_STATUS_BROKEN;
	return read_all(replay);
}

int replay_run(const struct options *options)
{
	struct replay replay = { .options = options };
	int status;

	hangup_init(&replay.hangup, options->output);
	stop_on_signals(&replay.hangup);
	status = run(&replay);
	output_close(&replay.output);
	capture_reader_free(replay.reader);
	replay_tracker_free(replay.tracker);
	zeek_replay_free(replay.zeek);
	capture_file_close(replay.file);
	return status;
}
