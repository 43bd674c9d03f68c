/* netracker replay FILE: the tracker over a capture, with the capture's own clock. */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/replay_table.h"

#include "src/books.h"
#include "src/capture_file.h"
#include "src/capture_link.h"
#include "src/capture_reader.h"
#include "src/commands.h"
#include "src/filter.h"
#include "src/hangup.h"
#include "src/message.h"
#include "src/observer.h"
#include "src/output.h"
#include "src/progress.h"
#include "src/record_fields.h"
#include "src/zeek_replay.h"

#define NS_PER_SECOND 1000000000ULL
/* Longer than the largest gap between two retransmissions of a SYN (docs/record.md). */
#define HALF_OPEN_NS (70 * NS_PER_SECOND)
/* The last ACKs and retransmitted FINs belong to what has ended: RFC 9293's 2 MSL is four minutes, systems use one. */
#define ENDED_NS (120 * NS_PER_SECOND)
/* So many that have ended may wait, whatever the time: memory grows only with what is open. */
#define MOST_ENDED 65536
/* So many packets are read before the first of them is followed, so that the entries of all are on their way from memory
 * by then: three of four short connections are in no cache.
 */
#define LOOK_AHEAD 16
#define PACKETS_BETWEEN_CLOCKS 4096

struct replay {
	const struct options *options;
	struct capture_file *file;
	struct progress progress;
	struct replay_table *table;
	struct capture_reader *reader;
	struct zeek_replay *zeek; /* NULL: by our own rules */
	struct output output;
	struct hangup hangup;
	struct books books;
	__u64 now; /* the capture's clock, where it stood highest */
	__u64 records;
	int error; /* of the sink; -ENOMEM */
};

struct located {
	struct capture_segment segment;
	struct nt_key key;
	__u32 hash;
	int source; /* as nt_key_from_packet() tells */
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

static void fill_record(const struct replay *replay, struct nt_record *record, const struct replay_entry *entry,
			enum nt_wire_why why)
{
	const struct observer_traffic traffic[2] = {
		observer_traffic_of(&entry->streams[0]),
		observer_traffic_of(&entry->streams[1]),
	};
	const struct observer_view view = {
		.key = &entry->key,
		.connection = &entry->connection,
		.traffic = traffic,
		.why = why,
		.now = replay->now,
	};

	observer_record(record, &view);
	record_name_host(record, replay->options->host);
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

static void finish(struct replay *replay, struct replay_entry *entry, enum nt_wire_why why)
{
	struct nt_record record;

	fill_record(replay, &record, entry, why);
	write_last(replay, &record);
	replay_table_remove(replay->table, entry);
}

static void tell_open(struct replay *replay, const struct replay_entry *entry)
{
	struct nt_record record;

	if (!options_want_event(replay->options, NT_EVENT_OPEN))
		return;
	fill_record(replay, &record, entry, NT_WIRE_EXIT);
	record.event = NT_EVENT_OPEN;
	write_record(replay, &record);
}

static bool has_waited(const struct replay *replay, const struct replay_entry *entry, __u64 limit)
{
	return entry && replay->now > entry->connection.last_seen_ns + limit;
}

static void expire(struct replay *replay)
{
	struct replay_entry *entry;

	while (entry = replay_table_oldest(replay->table, REPLAY_HALF_OPEN), has_waited(replay, entry, HALF_OPEN_NS))
		finish(replay, entry, NT_WIRE_IDLE);
	while (entry = replay_table_oldest(replay->table, REPLAY_ENDED),
	       has_waited(replay, entry, ENDED_NS) || replay_table_count(replay->table, REPLAY_ENDED) > MOST_ENDED)
		finish(replay, entry, NT_WIRE_ENDED);
}

static enum replay_queue queue_of(const struct nt_connection *connection)
{
	switch (nt_connection_state(connection)) {
	case NT_STATE_SYN_SENT:
	case NT_STATE_SYN_RECEIVED:
		return REPLAY_HALF_OPEN;
	case NT_STATE_CLOSED:
	case NT_STATE_RESET:
		return REPLAY_ENDED;
	default:
		return REPLAY_ESTABLISHED;
	}
}

static void tell_no_memory(struct replay *replay)
{
	message_error("%s: no memory for more connections; the records up to here are written",
		      replay->options->file);
	replay->error = -ENOMEM;
}

static struct replay_entry *begin(struct replay *replay, const struct located *located)
{
	struct replay_entry *entry = replay_table_add(replay->table, &located->key, located->hash, REPLAY_HALF_OPEN);

	if (!entry) {
		tell_no_memory(replay);
		return NULL;
	}
	replay->books.opened++;
	nt_connection_begin(&entry->connection, &located->segment.packet, located->source, located->segment.ns);
	return entry;
}

static void follow_stream(struct nt_stream *stream, const struct located *located)
{
	nt_stream_step(stream, &located->segment.packet, located->segment.interface, located->segment.direction);
	if (nt_stream_wants_room(stream))
		replay_table_give_room(stream);
}

static void take_segment(struct replay *replay, const struct located *located)
{
	struct replay_entry *entry = replay_table_find(replay->table, &located->key, located->hash);
	enum replay_queue queue;
	__u32 step = 0;

	if (entry)
		step = nt_connection_step(&entry->connection, &located->segment.packet, located->source, located->segment.ns);
	/* Packets may stand in another order than they were sent in. */
	if (entry && located->segment.ns < entry->connection.first_ns)
		entry->connection.first_ns = located->segment.ns;
	if (step & NT_STEP_NEW)
		finish(replay, entry, NT_WIRE_REPLACED);
	if (!entry || step & NT_STEP_NEW)
		entry = begin(replay, located);
	if (!entry)
		return;
	nt_connection_note(&entry->connection, &located->segment.packet, located->source);
	follow_stream(&entry->streams[located->source], located);
	queue = queue_of(&entry->connection);
	/* Of what is established none is the oldest: it may last. */
	if (queue != REPLAY_ESTABLISHED || entry->queue != queue)
		replay_table_move(replay->table, entry, queue);
	if (step & NT_STEP_ESTABLISHED)
		tell_open(replay, entry);
}

static void locate(const struct replay *replay, struct located *located)
{
	located->source = nt_key_from_packet(&located->key, &located->segment.packet, 0);
	located->hash = replay_table_hash(replay->table, &located->key);
}

static void advance(struct replay *replay, __u64 ns)
{
	if (ns > replay->now)
		replay->now = ns;
	expire(replay);
	output_tick(&replay->output, replay->now, 0);
}

static void take_ahead(struct replay *replay, const struct located *located, int count)
{
	int i;

	for (i = 0; i < count; i++)
		replay_table_prefetch(replay->table, located[i].hash);
	for (i = 0; i < count && !is_over(replay); i++) {
		advance(replay, located[i].segment.ns);
		take_segment(replay, &located[i]);
	}
}

static void take_found(void *context, struct capture_segment *segment)
{
	struct located located = { .segment = *segment };

	if (segment->result != NT_PACKET_TCP)
		return;
	locate(context, &located);
	take_segment(context, &located);
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
	struct replay_entry *entry;

	if (replay->zeek)
		return zeek_replay_finish(replay->zeek);
	while ((entry = replay_table_oldest(replay->table, REPLAY_ENDED)))
		finish(replay, entry, NT_WIRE_ENDED);
	while ((entry = replay_table_oldest(replay->table, REPLAY_ESTABLISHED)))
		finish(replay, entry, NT_WIRE_EXIT);
	while ((entry = replay_table_oldest(replay->table, REPLAY_HALF_OPEN)))
		finish(replay, entry, NT_WIRE_EXIT);
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
	struct located ahead[LOOK_AHEAD];
	struct capture_packet captured;
	bool streams = is_stream(replay->options->file);
	int most = streams ? 1 : LOOK_AHEAD;
	int result, count = 0;

	while ((result = next_packet(replay, &captured)) == 1) {
		bool is_plain = capture_reader_plain(&captured, &ahead[count].segment);

		if (is_plain)
			locate(replay, &ahead[count++]);
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
		zeek_replay_clock(replay->zeek, captured.ns);
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

static void zeek_began(void *context)
{
	((struct replay *)context)->books.opened++;
}

static void zeek_ended(void *context, struct nt_record *record)
{
	struct replay *replay = context;

	record_name_host(record, replay->options->host);
	write_last(replay, record);
}

/* Without memory for it, false. */
static bool set_up_zeek(struct replay *replay)
{
	const struct zeek_replay_host host = {
		.began = zeek_began,
		.ended = zeek_ended,
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
	const struct capture_reader_host reader_host = { take_found, NULL, replay };

	replay->table = replay_table_new();
	replay->reader = capture_reader_new(replay->options->tunnels, &reader_host);
	return replay->table && replay->reader;
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
	replay_table_free(replay.table);
	zeek_replay_free(replay.zeek);
	capture_file_close(replay.file);
	return status;
}
