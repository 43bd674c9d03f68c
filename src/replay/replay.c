// SPDX-License-Identifier: GPL-2.0-or-later
/* netracker replay FILE...: runs the tracker on captures, with the packets' times as its clock. Several files are one
 * stream of packets.
 */
#include "src/replay/replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/replay/record_lines.h"
#include "src/replay/replay_tracker.h"

#include "src/capture/capture_file.h"
#include "src/capture/capture_link.h"
#include "src/capture/capture_reader.h"
#include "src/cli/options.h"
#include "src/record/record_reader.h"
#include "src/util/hangup.h"
#include "src/util/message.h"
#include "src/util/progress.h"
#include "src/replay/packet_source.h"
#include "src/util/stop.h"
#include "src/zeek/zeek_replay.h"

/* This many packets are read before the first of them is tracked, so that prefetching has loaded the entries of all by
 * then: with short connections, three of four entries are in no cache.
 */
#define READ_AHEAD 16
#define PACKETS_BETWEEN_CLOCKS 4096
/* The checksums of all segments with SYN, FIN or RST are verified. To verify all others would take a tenth of the time and
 * more: of their bytes, headers included, the first VERIFIED_FIRST are verified, and then VERIFIED_EACH for each segment
 * that is not. So later most of those that are verified have no payload.
 */
#define VERIFIED_FIRST (1024 * 1024)
#define VERIFIED_EACH 1

struct replay {
	const struct options *options;
	const char *name; /* of the current file */
	struct capture_file *file;
	bool is_pipe;  /* or the like: the next packet may arrive late, so records are written at once */
	bool is_first; /* the next packet is the file's first */
	struct progress progress;
	struct progress_view read; /* totals of the previous files; size: of all files, 0 if one has none */
	struct packet_source source;
	struct packet_time time; /* of the packet that the reader takes */
	struct duplicates *duplicates;
	__u64 duplicate_count;
	__u32 verifiable; /* bytes that may be verified */
	struct capture_reader *reader;
	struct replay_tracker *tracker; /* NULL with Zeek's rules */
	struct zeek_replay *zeek;       /* NULL with NeTracker's rules */
	struct delivery delivery;
	__u64 now;                  /* the capture's clock, nanoseconds since the Unix epoch */
	struct history_span *spans; /* of the captures so far */
	unsigned int span_count;
	bool has_lines; /* a file of records was read */
	struct hangup hangup;
	__u64 evicted;   /* connections, for lack of memory */
	bool broken;     /* a file was broken or unreadable */
	bool is_refused; /* a filter does not fit a file */
	struct record_lines lines;
};

static volatile sig_atomic_t hung_up;

static void on_hangup_signal(int signal_number)
{
	(void)signal_number;
	hung_up = 1;
}

/* A SIGHUP that only reopens the output (log rotation) must not interrupt read() of a pipe: hence SA_RESTART. */
static void replay_handle_signals(const struct hangup *hangup)
{
	struct sigaction on_hangup = { .sa_handler = on_hangup_signal, .sa_flags = hangup->to_file ? SA_RESTART : 0 };

	stop_on_signals();
	if (hangup->to_file || !hangup->ignored)
		sigaction(SIGHUP, &on_hangup, NULL);
}

static void handle_hangup(struct replay *replay)
{
	enum hangup_meaning meaning = hangup_meaning(&replay->hangup);

	hung_up = 0;
	if (meaning == HANGUP_REOPEN)
		sink_reopen(replay->delivery.output.records);
	else if (meaning == HANGUP_END)
		stop_request();
}

static bool is_over(const struct replay *replay)
{
	return stop_is_requested() || delivery_is_over(&replay->delivery);
}

static void report_no_memory_for_connections(struct replay *replay)
{
	message_error("%s: no memory for more connections; the records up to here are written", replay->name);
	replay->delivery.error = -ENOMEM;
	replay->delivery.accounting.opened++;
	replay->delivery.accounting.lost[ACCOUNTING_LOST_NO_MEMORY]++;
}

/* The capture that is read lasts from its first packet to now. */
static void extend_span(struct replay *replay)
{
	struct history_span *span = replay->span_count ? &replay->spans[replay->span_count - 1] : NULL;

	if (!span)
		return;
	if (!span->end_ns)
		span->begin_ns = replay->now;
	span->end_ns = replay->now;
}

/* Returns false without memory. A capture without packets has no span. */
static bool begin_span(struct replay *replay)
{
	struct history_span *larger;

	if (replay->span_count && !replay->spans[replay->span_count - 1].end_ns)
		return true;
	larger = reallocarray(replay->spans, replay->span_count + 1, sizeof(*larger));
	if (!larger)
		return false;
	replay->spans = larger;
	larger[replay->span_count++] = (struct history_span){ 0 };
	return true;
}

static void advance_clock(struct replay *replay, const struct packet_time *time)
{
	replay_tracker_clock(replay->tracker, time);
	replay->now = time->now;
	extend_span(replay);
	output_tick(&replay->delivery.output, replay->now, 0);
}

/* Zeek's clock is the time of the latest packet, whatever that is. */
static void advance_zeek_clock(struct replay *replay, __u64 ns)
{
	zeek_replay_clock(replay->zeek, ns);
	if (ns > replay->now)
		replay->now = ns;
	extend_span(replay);
	output_tick(&replay->delivery.output, replay->now, 0);
}

static void count_duplicate(struct replay *replay, const struct replay_located *located, enum duplicate duplicate)
{
	replay->duplicate_count++;
	if (duplicate == DUPLICATE_ELSEWHERE)
		replay_tracker_take_copy(replay->tracker, located);
}

#define REFUSED_PRINT 0x55555555U

/* A segment that is refused for its checksum may be a copy of any other, but only one of its kind is a copy of it: it
 * must not hide the true one.
 */
static enum duplicate find_duplicate(struct replay *replay, struct replay_located *located)
{
	enum duplicate duplicate;

	if (located->checksum != CHECKSUM_WRONG || !replay_tracker_refuses_checksum(replay->tracker, located))
		return duplicates_take(replay->duplicates, &located->segment, &located->fingerprint);
	duplicate = duplicates_find(replay->duplicates, &located->segment, &located->fingerprint);
	if (duplicate != NO_DUPLICATE)
		return duplicate;
	located->fingerprint.print ^= REFUSED_PRINT;
	return duplicates_take(replay->duplicates, &located->segment, &located->fingerprint);
}

static void track_located(struct replay *replay, struct replay_located *located)
{
	enum duplicate duplicate = find_duplicate(replay, located);

	if (duplicate != NO_DUPLICATE) {
		count_duplicate(replay, located, duplicate);
		return;
	}
	/* A router may have changed the options of a SYN: the MSS. */
	if (located->fingerprint.is_unique && !(located->segment.packet.flags & NT_SYN))
		located->segment.packet.marks |= NT_PACKET_SINGLE;
	if (replay_tracker_take(replay->tracker, located))
		report_no_memory_for_connections(replay);
}

static void track_ahead(struct replay *replay, struct replay_located *located, int count)
{
	int i;

	for (i = 0; i < count; i++)
		replay_tracker_prefetch(replay->tracker, &located[i]);
	for (i = 0; i < count && !is_over(replay); i++) {
		advance_clock(replay, &located[i].time);
		track_located(replay, &located[i]);
	}
}

static enum checksum judge_checksum(struct replay *replay, const struct nt_buffer *frame,
				    const struct nt_packet *packet)
{
	__u32 cost = NT_TCP_HEADER + packet->payload_length;

	if (packet->flags & (NT_SYN | NT_FIN | NT_RST))
		return checksum_judge(frame, packet);
	if (cost > replay->verifiable) {
		replay->verifiable += VERIFIED_EACH;
		return CHECKSUM_UNKNOWN;
	}
	if (frame->length - packet->transport_offset >= cost)
		replay->verifiable -= cost;
	return checksum_judge(frame, packet);
}

static void examine(struct replay *replay, struct replay_located *located, const struct nt_buffer *frame)
{
	duplicates_compute(replay->duplicates, &located->segment, located->hash ^ (__u32)located->source, frame,
			   &located->fingerprint);
	located->checksum = judge_checksum(replay, frame, &located->segment.packet);
}

static void track_segment(void *context, struct capture_segment *segment)
{
	struct replay *replay = context;
	struct replay_located located = { .segment = *segment, .time = replay->time };

	if (segment->result != NT_PACKET_TCP)
		return;
	replay_tracker_locate(replay->tracker, &located);
	examine(replay, &located, segment->frame);
	track_located(replay, &located);
}

static void track_error(void *context, const struct capture_segment *segment, int error)
{
	struct replay *replay = context;
	struct replay_located located = { .segment = *segment, .time = replay->time };

	replay_tracker_locate(replay->tracker, &located);
	replay_tracker_take_error(replay->tracker, &located, error);
}

static void track_like_zeek(void *context, struct capture_segment *segment)
{
	struct replay *replay = context;

	if (zeek_replay_take(replay->zeek, segment))
		report_no_memory_for_connections(replay);
}

static bool accept_like_zeek(void *context, const struct nt_buffer *frame, __u32 offset)
{
	return zeek_replay_accepts(((struct replay *)context)->zeek, frame, offset);
}

static void count_opened(void *context)
{
	((struct replay *)context)->delivery.accounting.opened++;
}

static void deliver_open_record(void *context, struct nt_record *record)
{
	delivery_write(&((struct replay *)context)->delivery, record);
}

static void count_evicted(struct replay *replay)
{
	if (!replay->evicted++)
		message_error(
			"connections are being evicted: they do not fit into %llu MiB; their records have the gap "
			"evicted; give more memory with --memory",
			(unsigned long long)(replay->options->most_memory >> 20));
}

/* A close record counts as filtered if --events excludes close. An exit record counts as open. */
static void write_last_record(void *context, struct nt_record *record)
{
	struct replay *replay = context;
	struct delivery *delivery = &replay->delivery;

	if (record->gaps & NT_GAP_EVICTED)
		count_evicted(replay);
	delivery_write(delivery, record);
	delivery->accounting.open += record->event == NT_EVENT_EXIT;
}

static void finish_tracker(struct replay *replay)
{
	struct packet_clock *clock = &replay->source.clock;

	packet_clock_finish(clock, &replay->time);
	advance_clock(replay, &replay->time);
	replay_tracker_finish(replay->tracker);
	if (replay->duplicate_count)
		message_note("%llu duplicate%s: packets that were captured more than once count once",
			     (unsigned long long)replay->duplicate_count, replay->duplicate_count == 1 ? "" : "s");
	if (clock->wrong)
		message_note("%llu %s far from those of the packets around; %s not used",
			     (unsigned long long)clock->wrong,
			     clock->wrong == 1 ? "packet has a time" : "packets have times",
			     clock->wrong == 1 ? "this time was" : "these times were");
}

static void report_passed_over(const struct replay *replay)
{
	const struct passed_over passed_over = capture_reader_passed_over(replay->reader);
	__u64 total = passed_over_total(&passed_over);
	char text[1024];

	passed_over_describe(&passed_over, text, sizeof(text));
	if (total)
		message_note("passed over %llu packet%s: %s", (unsigned long long)total, total == 1 ? "" : "s", text);
}

static void report_evicted(const struct replay *replay)
{
	if (replay->evicted)
		message_note("%llu connection%s evicted for lack of memory", (unsigned long long)replay->evicted,
			     replay->evicted == 1 ? " was" : "s were");
}

/* Files of records say nothing of the times that they cover: then a run lasts as the records do. */
static void set_spans(struct replay *replay)
{
	if (replay->span_count && !replay->spans[replay->span_count - 1].end_ns)
		replay->span_count--;
	if (!replay->has_lines)
		delivery_set_spans(&replay->delivery, replay->spans, replay->span_count);
}

static void finish_replay(struct replay *replay)
{
	if (replay->zeek)
		zeek_replay_finish(replay->zeek);
	else if (replay->read.count)
		finish_tracker(replay);
	set_spans(replay);
	delivery_finish(&replay->delivery, replay->now, 0);
	delivery_print_accounting(&replay->delivery);
	report_evicted(replay);
	report_passed_over(replay);
	record_lines_report(&replay->lines);
}

static const char *link_name(int link_type)
{
	const char *name = pcap_datalink_val_to_name(link_type);

	return name ? name : "unknown";
}

static void show_progress(struct replay *replay)
{
	__u64 packets = capture_file_packets(replay->file);
	struct progress_view view;

	if (packets % PACKETS_BETWEEN_CLOCKS || !progress_is_due(&replay->progress))
		return;
	view = replay->read;
	view.count += packets;
	view.unit = "packets";
	view.position += capture_file_position(replay->file);
	progress_show(&replay->progress, &view);
}

/* Warns if a file begins before the previous ones end: connections that are in both may have expired already, and are
 * split.
 */
static void check_order(struct replay *replay, __u64 ns)
{
	replay->is_first = false;
	if (ns < replay->now)
		message_note(
			"%s: begins %.6f s before the end of the previous files; give the pieces of a capture in the "
			"order of their times, and merge simultaneous captures with mergecap",
			replay->name, (double)(replay->now - ns) / 1e9);
}

static int read_packet(struct replay *replay, struct capture_packet *captured)
{
	if (replay->zeek)
		return capture_file_next(replay->file, captured);
	return packet_source_next(&replay->source, replay->file, !replay->is_pipe, captured, &replay->time);
}

/* Returns 1 if there is a packet; 0 at the end of the file, or if the replay is over; -1 if the file is broken. */
static int next_packet(struct replay *replay, struct capture_packet *captured)
{
	int result;

	if (hung_up)
		handle_hangup(replay);
	show_progress(replay);
	result = is_over(replay) ? 0 : read_packet(replay, captured);
	if (replay->is_first && result == 1)
		check_order(replay, captured->ns);
	return result;
}

/* Returns false if the packet is not of the most frequent kind. */
static bool locate_plain(struct replay *replay, const struct capture_packet *captured, struct replay_located *located)
{
	const struct nt_buffer frame = { .data = captured->data, .length = captured->captured };

	if (!capture_reader_parse_plain(captured, &located->segment))
		return false;
	located->time = replay->time;
	replay_tracker_locate(replay->tracker, located);
	examine(replay, located, &frame);
	return true;
}

/* Reads until next_packet() returns 0 or -1, and returns that, as read_like_zeek() does. */
static int read_packets(struct replay *replay)
{
	struct replay_located ahead[READ_AHEAD];
	struct capture_packet captured;
	int most = replay->is_pipe ? 1 : READ_AHEAD;
	int result, count = 0;

	while ((result = next_packet(replay, &captured)) == 1) {
		bool is_plain;

		captured.ns = replay->time.ns;
		is_plain = locate_plain(replay, &captured, &ahead[count]);
		count += is_plain;
		if (is_plain && count < most)
			continue;
		track_ahead(replay, ahead, count);
		count = 0;
		if (!is_plain && !is_over(replay)) {
			advance_clock(replay, &replay->time);
			capture_reader_take(replay->reader, &captured);
		}
		if (replay->is_pipe)
			delivery_flush(&replay->delivery);
	}
	track_ahead(replay, ahead, count);
	return result;
}

static int read_like_zeek(struct replay *replay)
{
	struct capture_packet captured;
	int result;

	while ((result = next_packet(replay, &captured)) == 1) {
		advance_zeek_clock(replay, captured.ns);
		capture_reader_take(replay->reader, &captured);
		if (replay->is_pipe)
			delivery_flush(&replay->delivery);
	}
	return result;
}

/* Packets of unsupported link types are counted at the end. A file that has no other packets is an error. */
static void report_unread(struct replay *replay)
{
	int link_type;
	__u64 unread = capture_reader_take_unread(replay->reader, &link_type);

	if (!unread || unread != capture_file_packets(replay->file))
		return;
	message_error("%s: cannot read: all packets are of unsupported link types, the first of type %s (%d); "
		      "docs/captures.md lists the supported ones",
		      replay->name, link_name(link_type), link_type);
	replay->broken = true;
}

/* Returns the field of a condition that is unknown for every connection of a capture. NULL if there is none. */
static const char *find_field_of_sockets(const struct filter *filter)
{
	static const char *const keys[] = { "uid", "exe", "cgroup", "container", "netns", "netns_name", "state" };
	const char *found = filter_has_option(filter, "role") ? "role" : NULL;
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]) && !found; i++)
		found = filter_condition_on(filter, keys[i]);
	return found;
}

/* Packets show neither users nor namespaces, every role is observer, and there are no records between the first and the
 * last of a connection.
 */
static bool is_refused_for_capture(struct replay *replay)
{
	const char *field = find_field_of_sockets(replay->options->delivery.filter);

	if (field)
		message_error(
			"%s: a capture cannot answer conditions on %s: it has processes by id and name at most, no "
			"network namespaces, no states, and only observers; filter records of -f json by it",
			replay->name, field);
	else if (delivery_wants_event(&replay->options->delivery, NT_EVENT_UPDATE))
		message_error("%s: a capture gives no update records; leave out --events update", replay->name);
	else
		return false;
	return replay->is_refused = true;
}

static bool is_over_for_records(void *context)
{
	struct replay *replay = context;

	if (hung_up)
		handle_hangup(replay);
	return is_over(replay);
}

/* A signal that ends the program may interrupt a read from a pipe. */
static void read_records(struct replay *replay)
{
	struct record_lines *lines = &replay->lines;
	const char *error;

	if (replay->zeek) {
		message_error("%s: cannot read: it has records, and --like zeek needs packets", replay->name);
		replay->broken = true;
		return;
	}
	record_reader_begin("replay");
	lines->delivery = &replay->delivery;
	lines->name = replay->name;
	lines->flushes = replay->is_pipe;
	lines->is_over = is_over_for_records;
	lines->context = replay;
	if (!record_lines_read(lines, capture_file_lines(replay->file)) && !is_over(replay)) {
		error = capture_file_error(replay->file);
		message_error("%s: broken: %s; the records up to there are written", replay->name,
			      error ? error : strerror(errno));
		replay->broken = true;
	}
	if (lines->now > replay->now)
		replay->now = lines->now;
}

static void read_opened_file(struct replay *replay)
{
	int link_type = capture_file_lines(replay->file) ? -1 : capture_file_link_type(replay->file);

	if (link_type >= 0 && !capture_link_is_known(link_type)) {
		message_error(
			"%s: cannot read: unsupported link type %s (%d); docs/captures.md lists the supported ones",
			replay->name, link_name(link_type), link_type);
		replay->broken = true;
		return;
	}
	if (!capture_file_lines(replay->file) && is_refused_for_capture(replay))
		return;
	if (!delivery_open(&replay->delivery, &replay->options->delivery))
		return;
	if (capture_file_lines(replay->file)) {
		replay->has_lines = true;
		read_records(replay);
		return;
	}
	if (!begin_span(replay)) {
		message_error("%s: out of memory", replay->name);
		replay->broken = true;
		return;
	}
	if ((replay->zeek ? read_like_zeek(replay) : read_packets(replay)) < 0)
		replay->broken = true;
	message_clear();
	report_unread(replay);
}

static bool is_regular_file(const char *name, struct stat *status)
{
	return !(strcmp(name, "-") ? stat(name, status) : fstat(STDIN_FILENO, status)) && S_ISREG(status->st_mode);
}

/* Only the file's own name counts: the folder may be called records.json too. */
static bool is_named_as_records(const char *path)
{
	const char *slash = strrchr(path, '/');

	return strstr(slash ? slash : path, ".json");
}

/* Log rotation leaves an empty file of records. A capture has a header at least. */
static void read_no_records(struct replay *replay)
{
	message_note("%s: the file is empty", replay->name);
	delivery_open(&replay->delivery, &replay->options->delivery);
}

static void read_capture(struct replay *replay, const char *name)
{
	struct stat status;
	int error;

	replay->name = name;
	replay->is_pipe = !is_regular_file(name, &status);
	if (!replay->is_pipe && !status.st_size && is_named_as_records(name)) {
		read_no_records(replay);
		return;
	}
	replay->is_first = true;
	error = capture_file_open(&replay->file, name, capture_reader_interfaces(replay->reader));
	if (error) {
		replay->broken = replay->broken || error != -EINTR;
		return;
	}
	read_opened_file(replay);
	replay->read.count += capture_file_packets(replay->file);
	replay->read.position += capture_file_position(replay->file);
	capture_file_close(replay->file);
	replay->file = NULL;
}

/* Returns the size of all files in bytes, or 0 if one is no regular file. */
static __u64 total_size(const struct options *options)
{
	struct stat status;
	__u64 size = 0;
	unsigned int i;

	for (i = 0; i < options->file_count; i++) {
		if (!is_regular_file(options->files[i], &status))
			return 0;
		size += (__u64)status.st_size;
	}
	return size;
}

static void read_files(struct replay *replay)
{
	const struct options *options = replay->options;
	unsigned int i;

	replay->read.size = total_size(options);
	progress_begin(&replay->progress, options->delivery.quiet);
	for (i = 0; i < options->file_count && !replay->is_refused && !is_over(replay); i++)
		read_capture(replay, options->files[i]);
}

/* Returns false without memory. */
static bool set_up_zeek(struct replay *replay)
{
	const struct zeek_replay_host host = {
		.began = count_opened,
		.ended = write_last_record,
		.context = replay,
		.ignore_checksums = replay->options->ignore_checksums,
		.most_bytes = replay->options->most_memory,
	};
	const struct capture_reader_host reader_host = {
		.take = track_like_zeek,
		.accepts = accept_like_zeek,
		.context = replay,
		.trusts_frame_lengths = true,
		.keeps_fragments = true,
	};

	replay->zeek = zeek_replay_new(&host);
	replay->reader = capture_reader_new(true, &reader_host);
	return replay->zeek && replay->reader;
}

static bool set_up_own(struct replay *replay)
{
	bool report_established = delivery_wants_event(&replay->options->delivery, NT_EVENT_OPEN);
	const struct replay_tracker_host host = {
		.began = count_opened,
		.established = report_established ? deliver_open_record : NULL,
		.ended = write_last_record,
		.context = replay,
	};
	const struct capture_reader_host reader_host = {
		.take = track_segment,
		.take_error = track_error,
		.context = replay,
	};
	__u64 memory = replay->options->most_memory, for_duplicates = memory / 4;

	if (for_duplicates > DUPLICATES_MOST_BYTES)
		for_duplicates = DUPLICATES_MOST_BYTES;
	replay->duplicates = duplicates_new(for_duplicates);
	replay->tracker = replay_tracker_new(&host, memory - for_duplicates);
	replay->reader = capture_reader_new(replay->options->tunnels, &reader_host);
	return replay->duplicates && replay->tracker && replay->reader;
}

/* Returns the exit status. */
static int replay_all(struct replay *replay)
{
	if (!(replay->options->rules == RULES_ZEEK ? set_up_zeek(replay) : set_up_own(replay))) {
		message_error("cannot start: out of memory; free some memory and try again");
		return EXIT_STATUS_BROKEN;
	}
	read_files(replay);
	if (replay->delivery.is_open)
		finish_replay(replay);
	if (replay->is_refused)
		return EXIT_STATUS_USAGE;
	return replay->broken || replay->lines.rejected ? EXIT_STATUS_BROKEN : delivery_status(&replay->delivery);
}

int replay_run(const struct options *options)
{
	struct replay replay = {
		.options = options,
		.delivery.options = &options->delivery,
		.verifiable = VERIFIED_FIRST,
	};
	int status;

	hangup_init(&replay.hangup, options->delivery.output.sink.path);
	replay_handle_signals(&replay.hangup);
	status = replay_all(&replay);
	delivery_close(&replay.delivery);
	capture_reader_free(replay.reader);
	replay_tracker_free(replay.tracker);
	packet_source_free(&replay.source);
	duplicates_free(replay.duplicates);
	zeek_replay_free(replay.zeek);
	free(replay.spans);
	return status;
}
