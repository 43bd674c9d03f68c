// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker replay FILE...: the tracker over captures, with their own clock. Several are one stream of packets. */
#include "src/replay/replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/replay/replay_tracker.h"

#include "src/capture/capture_file.h"
#include "src/capture/capture_link.h"
#include "src/capture/capture_reader.h"
#include "src/cli/options.h"
#include "src/util/hangup.h"
#include "src/util/message.h"
#include "src/replay/progress.h"
#include "src/zeek/zeek_replay.h"

/* So many packets are read before the first of them is followed, so that the entries of all are on their way from memory
 * by then: three of four short connections are in no cache.
 */
#define LOOK_AHEAD 16
#define PACKETS_BETWEEN_CLOCKS 4096

struct replay {
	const struct options *options;
	const char *name; /* of the file that is read */
	struct capture_file *file;
	bool streams;  /* its next packet may be long in coming */
	bool is_first; /* of its packets */
	struct progress progress;
	struct progress_view read; /* of the files before it; the size is that of all, 0 where one has none */
	struct capture_reader *reader;
	struct replay_tracker *tracker; /* one of the two */
	struct zeek_replay *zeek;
	struct delivery delivery;
	__u64 now; /* the captures' clock, where it stood highest; nanoseconds since the Unix epoch */
	struct hangup hangup;
	bool broken; /* a file was, or could not be read at all */
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
		sink_reopen(replay->delivery.output.records);
	else if (meaning == HANGUP_END)
		stopped = 1;
}

static bool is_over(const struct replay *replay)
{
	return stopped || delivery_is_over(&replay->delivery);
}

static void report_no_memory_for_connections(struct replay *replay)
{
	message_error("%s: no memory for more connections; the records up to here are written", replay->name);
	replay->delivery.error = -ENOMEM;
}

static void advance(struct replay *replay, __u64 ns)
{
	if (replay->zeek)
		zeek_replay_clock(replay->zeek, ns);
	else
		replay_tracker_clock(replay->tracker, ns);
	if (ns > replay->now)
		replay->now = ns;
	output_tick(&replay->delivery.output, replay->now, 0);
}

static void take(struct replay *replay, const struct replay_located *located)
{
	if (replay_tracker_take(replay->tracker, located))
		report_no_memory_for_connections(replay);
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

static void take_segment(void *context, struct capture_segment *segment)
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
		report_no_memory_for_connections(replay);
}

static bool accept_like_zeek(void *context, const struct nt_buffer *frame, __u32 offset)
{
	return zeek_replay_accepts(((struct replay *)context)->zeek, frame, offset);
}

static void record_began(void *context)
{
	((struct delivery *)context)->accounting.opened++;
}

static void record_established(void *context, struct nt_record *record)
{
	delivery_write(context, record);
}

/* Without close among the events that are wanted, a close record is counted as filtered; an exit record is open. */
static void record_ended(void *context, struct nt_record *record)
{
	struct delivery *delivery = context;

	delivery_write(delivery, record);
	delivery->accounting.open += record->event == NT_EVENT_EXIT;
}

static void finish(struct replay *replay)
{
	struct capture_unparsed unparsed;
	int error;

	if (replay->zeek)
		zeek_replay_finish(replay->zeek);
	else
		replay_tracker_finish(replay->tracker);
	error = delivery_finish(&replay->delivery, replay->now, 0);
	if (!error && output_lost_any(&replay->delivery.output))
		error = -ENOMEM; /* a write that failed is an error of its own */
	replay->delivery.error = replay->delivery.error ? replay->delivery.error : error;
	delivery_print_accounting(&replay->delivery);
	unparsed = capture_reader_unparsed(replay->reader);
	message_detail("packets that were malformed %llu, captured too short %llu; fragmented packets with parts "
		       "missing %llu",
		       (unsigned long long)unparsed.malformed, (unsigned long long)unparsed.truncated,
		       (unsigned long long)unparsed.incomplete);
}

static const char *link_name(int link_type)
{
	const char *name = pcap_datalink_val_to_name(link_type);

	return name ? name : "of no name";
}

static void show_progress(struct replay *replay)
{
	__u64 packets = capture_file_packets(replay->file);
	struct progress_view view;

	if (packets % PACKETS_BETWEEN_CLOCKS || !progress_is_due(&replay->progress))
		return;
	view = replay->read;
	view.packets += packets;
	view.position += capture_file_position(replay->file);
	progress_show(&replay->progress, &view);
}

/* What is over by the clock of the files before is over: connections that went on meanwhile are in pieces. */
static void check_order(struct replay *replay, __u64 ns)
{
	replay->is_first = false;
	if (ns < replay->now)
		message_note("%s: begins %.6f s before what was read before it; give the pieces of a capture in the order "
			     "of their times, captures of the same time through mergecap", replay->name,
			     (double)(replay->now - ns) / 1e9);
}

/* 1: there is one. 0: the file has ended, or no more is wanted. -1: the file is broken. */
static int next_packet(struct replay *replay, struct capture_packet *captured)
{
	int result;

	if (hung_up)
		take_hangup(replay);
	show_progress(replay);
	result = is_over(replay) ? 0 : capture_file_next(replay->file, captured);
	if (replay->is_first && result == 1)
		check_order(replay, captured->ns);
	return result;
}

/* What next_packet() gave last. So does read_like_zeek(). */
static int read_packets(struct replay *replay)
{
	struct replay_located ahead[LOOK_AHEAD];
	struct capture_packet captured;
	int most = replay->streams ? 1 : LOOK_AHEAD;
	int result, count = 0;

	while ((result = next_packet(replay, &captured)) == 1) {
		bool is_plain = capture_reader_parse_plain(&captured, &ahead[count].segment);

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
		if (replay->streams)
			delivery_flush(&replay->delivery);
	}
	take_ahead(replay, ahead, count);
	return result;
}

static int read_like_zeek(struct replay *replay)
{
	struct capture_packet captured;
	int result;

	while ((result = next_packet(replay, &captured)) == 1) {
		advance(replay, captured.ns);
		capture_reader_take(replay->reader, &captured);
		if (replay->streams)
			delivery_flush(&replay->delivery);
	}
	return result;
}

/* Packets that cannot be read are no reason to stop, but no file may pass unread without a word. */
static void report_unread(struct replay *replay)
{
	const struct capture_unparsed unparsed = capture_reader_unparsed(replay->reader);

	if (unparsed.unread)
		message_error("%s: left out %llu packets of link type %s (%d) or others that cannot be read; "
			      "docs/captures.md lists those that can be", replay->name,
			      (unsigned long long)unparsed.unread, link_name(unparsed.unread_type), unparsed.unread_type);
	if (unparsed.unread && unparsed.unread == capture_file_packets(replay->file))
		replay->broken = true;
	capture_reader_clear_unread(replay->reader);
}

static void read_opened(struct replay *replay)
{
	int link_type = capture_file_link_type(replay->file);

	if (link_type >= 0 && !capture_link_is_known(link_type)) {
		message_error("%s: cannot read link type %s (%d); docs/captures.md lists those that can be read",
			      replay->name, link_name(link_type), link_type);
		replay->broken = true;
		return;
	}
	if (!delivery_open(&replay->delivery, &replay->options->delivery))
		return;
	if ((replay->zeek ? read_like_zeek(replay) : read_packets(replay)) < 0)
		replay->broken = true;
	message_clear();
	report_unread(replay);
}

static bool stat_file(const char *name, struct stat *status)
{
	return !(strcmp(name, "-") ? stat(name, status) : fstat(STDIN_FILENO, status)) && S_ISREG(status->st_mode);
}

static void read_file(struct replay *replay, const char *name)
{
	struct stat status;
	int error;

	replay->name = name;
	replay->streams = !stat_file(name, &status);
	replay->is_first = true;
	error = capture_file_open(&replay->file, name);
	if (error) {
		replay->broken = replay->broken || error != -EINTR;
		return;
	}
	read_opened(replay);
	replay->read.packets += capture_file_packets(replay->file);
	replay->read.position += capture_file_position(replay->file);
	capture_file_close(replay->file);
	replay->file = NULL;
}

/* In bytes; 0 where one is no file, whose size nobody knows. */
static __u64 size_of_all(const struct options *options)
{
	struct stat status;
	__u64 size = 0;
	unsigned int i;

	for (i = 0; i < options->file_count; i++) {
		if (!stat_file(options->files[i], &status))
			return 0;
		size += (__u64)status.st_size;
	}
	return size;
}

static void read_files(struct replay *replay)
{
	const struct options *options = replay->options;
	unsigned int i;

	replay->read.size = size_of_all(options);
	progress_begin(&replay->progress, options->delivery.quiet);
	for (i = 0; i < options->file_count && !is_over(replay); i++)
		read_file(replay, options->files[i]);
}

/* Without memory for it, false. */
static bool set_up_zeek(struct replay *replay)
{
	const struct zeek_replay_host host = {
		.began = record_began,
		.ended = record_ended,
		.context = &replay->delivery,
		.ignore_checksums = replay->options->ignore_checksums,
	};
	const struct capture_reader_host reader_host = { take_like_zeek, accept_like_zeek, replay };

	replay->zeek = zeek_replay_new(&host);
	replay->reader = capture_reader_new(true, &reader_host);
	return replay->zeek && replay->reader;
}

static bool set_up_own(struct replay *replay)
{
	bool report_established = delivery_wants_event(&replay->options->delivery, NT_EVENT_OPEN);
	const struct replay_tracker_host host = {
		.began = record_began,
		.established = report_established ? record_established : NULL,
		.ended = record_ended,
		.context = &replay->delivery,
	};
	const struct capture_reader_host reader_host = { take_segment, NULL, replay };

	replay->tracker = replay_tracker_new(&host);
	replay->reader = capture_reader_new(replay->options->tunnels, &reader_host);
	return replay->tracker && replay->reader;
}

/* Returns the exit status. */
static int run(struct replay *replay)
{
	int error;

	if (!(replay->options->rules == RULES_ZEEK ? set_up_zeek(replay) : set_up_own(replay))) {
		message_error("replay: cannot begin: %s", strerror(ENOMEM));
		return EXIT_STATUS_BROKEN;
	}
	read_files(replay);
	if (replay->delivery.is_open)
		finish(replay);
	error = replay->delivery.error;
	return replay->broken || (error && error != -EPIPE) ? EXIT_STATUS_BROKEN : EXIT_STATUS_DONE;
}

int replay_run(const struct options *options)
{
	struct replay replay = { .options = options, .delivery.options = &options->delivery };
	int status;

	hangup_init(&replay.hangup, options->delivery.output.sink.path);
	stop_on_signals(&replay.hangup);
	status = run(&replay);
	delivery_close(&replay.delivery);
	capture_reader_free(replay.reader);
	replay_tracker_free(replay.tracker);
	zeek_replay_free(replay.zeek);
	return status;
}
