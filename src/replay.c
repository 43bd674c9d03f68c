/* netracker replay FILE: the tracker over a capture, with the capture's own clock. */
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "src/replay_table.h"

#include "core/packet.h"
#include "src/books.h"
#include "src/capture_file.h"
#include "src/capture_link.h"
#include "src/commands.h"
#include "src/filter.h"
#include "src/message.h"
#include "src/observer.h"
#include "src/record_fields.h"
#include "src/replay_fragments.h"
#include "src/sink.h"
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

struct replay {
	const struct options *options;
	struct capture_file *file;
	struct replay_table *table;
	struct replay_fragments *fragments;
	struct zeek_replay *zeek; /* NULL: by our own rules */
	struct sink *sink;
	struct books books;
	__u64 now; /* the capture's clock, where it stood highest */
	__u64 records;
	__u64 malformed, truncated;
	int link_type;
	int error; /* of the sink; -ENOMEM */
};

/* A packet as it was read. What stands below result only where that is NT_PACKET_TCP. */
struct parsed {
	__u64 ns;
	enum nt_parse result;
	int source; /* as nt_key_from_packet() tells */
	__u32 hash;
	struct nt_key key;
	struct nt_packet packet;
	struct capture_place place;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
	(void)signal_number;
	stopped = 1;
}

static void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
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
	if (sink_write(replay->sink, record) == -EPIPE)
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

static struct replay_entry *begin(struct replay *replay, const struct parsed *parsed)
{
	struct replay_entry *entry = replay_table_add(replay->table, &parsed->key, parsed->hash, REPLAY_HALF_OPEN);

	if (!entry) {
		tell_no_memory(replay);
		return NULL;
	}
	replay->books.opened++;
	nt_connection_begin(&entry->connection, &parsed->packet, parsed->source, parsed->ns);
	return entry;
}

static void follow_stream(struct nt_stream *stream, const struct parsed *parsed)
{
	nt_stream_step(stream, &parsed->packet, parsed->place.interface, parsed->place.direction);
	if (nt_stream_wants_room(stream))
		replay_table_give_room(stream);
}

static void take_segment(struct replay *replay, const struct parsed *parsed)
{
	struct replay_entry *entry = replay_table_find(replay->table, &parsed->key, parsed->hash);
	enum replay_queue queue;
	__u32 step = 0;

	if (entry)
		step = nt_connection_step(&entry->connection, &parsed->packet, parsed->source, parsed->ns);
	if (step & NT_STEP_NEW)
		finish(replay, entry, NT_WIRE_REPLACED);
	if (!entry || step & NT_STEP_NEW)
		entry = begin(replay, parsed);
	if (!entry)
		return;
	nt_connection_note(&entry->connection, &parsed->packet, parsed->source);
	follow_stream(&entry->streams[parsed->source], parsed);
	queue = queue_of(&entry->connection);
	/* Of what is established none is the oldest: it may last. */
	if (queue != REPLAY_ESTABLISHED || entry->queue != queue)
		replay_table_move(replay->table, entry, queue);
	if (step & NT_STEP_ESTABLISHED)
		tell_open(replay, entry);
}

/* Where the packet is whole now, *frame is that. */
static enum nt_parse parse_fragment(struct replay *replay, struct nt_buffer *frame, __u32 frame_length,
				    __u32 options, struct nt_packet *packet)
{
	struct nt_buffer whole;
	__u32 length;
	__u16 ethertype;

	length = replay_fragments_add(replay->fragments, frame, packet->network_offset, frame_length, &whole);
	if (!length)
		return NT_PACKET_FRAGMENT;
	ethertype = whole.data[0] >> 4 == 4 ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6;
	*frame = whole;
	packet->transport_offset = 0;
	return nt_parse_ip(&whole, 0, ethertype, length, options, packet);
}

/* What most packets of most captures are: TCP right behind IP, right behind Ethernet. 1, or 0 where only the whole parse
 * can tell.
 */
static int parse_plain(const struct replay *replay, const struct nt_buffer *frame, __u32 frame_length,
		       struct capture_place *place, struct nt_packet *packet)
{
	__u16 ethertype;

	if (replay->link_type != DLT_EN10MB ||
	    NT_LOAD(frame, NT_ETHERNET_HEADER - sizeof(ethertype), &ethertype, sizeof(ethertype)) < 0)
		return 0;
	*place = (struct capture_place){
		.offset = NT_ETHERNET_HEADER,
		.ethertype = nt_network16(ethertype),
		.vlan = NT_NO_VLAN,
	};
	packet->vlan = NT_NO_VLAN;
	return nt_parse_plain((void *)frame, NT_ETHERNET_HEADER, place->ethertype, frame_length, packet);
}

static bool is_fragment(enum nt_parse result, const struct nt_packet *packet)
{
	return result == NT_PACKET_FRAGMENT || (result == NT_PACKET_TCP && packet->marks & NT_PACKET_FIRST_FRAGMENT);
}

/* *frame becomes the whole packet where this is the fragment that completes it. */
static enum nt_parse parse(struct replay *replay, struct nt_buffer *frame, __u32 frame_length,
			   struct capture_place *place, struct nt_packet *packet)
{
	__u32 options = replay->options->tunnels ? NT_PARSE_TUNNELS : 0;
	enum nt_parse result;

	if (!replay->zeek && parse_plain(replay, frame, frame_length, place, packet))
		return NT_PACKET_TCP;
	if (capture_link_locate(replay->link_type, frame, place))
		return NT_PACKET_TRUNCATED;
	if (replay->zeek && !zeek_replay_accepts(replay->zeek, frame, place->offset, place->ethertype))
		return NT_PACKET_NOT_IP;
	packet->vlan = place->vlan;
	packet->transport_offset = 0;
	result = nt_parse_ip(frame, place->offset, place->ethertype, frame_length, options, packet);
	if (!is_fragment(result, packet) || (replay->zeek && !zeek_replay_reassembles(frame, packet)))
		return result;
	return parse_fragment(replay, frame, frame_length, options, packet);
}

static void parse_captured(struct replay *replay, const struct capture_packet *captured, struct parsed *parsed)
{
	struct nt_buffer frame = { .data = captured->data, .length = captured->captured };

	parsed->ns = captured->ns;
	parsed->result = parse(replay, &frame, captured->length, &parsed->place, &parsed->packet);
	if (parsed->result != NT_PACKET_TCP)
		return;
	parsed->source = nt_key_from_packet(&parsed->key, &parsed->packet, 0);
	parsed->hash = replay_table_hash(replay->table, &parsed->key);
}

static void count_odd(struct replay *replay, enum nt_parse result)
{
	replay->malformed += result == NT_PACKET_MALFORMED;
	replay->truncated += result == NT_PACKET_TRUNCATED;
}

static void take_packet(struct replay *replay, const struct parsed *parsed)
{
	if (parsed->ns > replay->now)
		replay->now = parsed->ns;
	expire(replay);
	if (parsed->result == NT_PACKET_TCP)
		take_segment(replay, parsed);
	count_odd(replay, parsed->result);
}

static void take_packets(struct replay *replay, const struct parsed *parsed, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (parsed[i].result == NT_PACKET_TCP)
			replay_table_prefetch(replay->table, parsed[i].hash);
	for (i = 0; i < count && !is_over(replay); i++)
		take_packet(replay, &parsed[i]);
}

static void take_like_zeek(struct replay *replay, const struct capture_packet *captured)
{
	struct nt_buffer frame = { .data = captured->data, .length = captured->captured };
	struct capture_place place;
	struct nt_packet packet = { 0 };
	enum nt_parse result;

	zeek_replay_clock(replay->zeek, captured->ns);
	result = parse(replay, &frame, captured->length, &place, &packet);
	if (zeek_replay_take(replay->zeek, &frame, result, &packet, frame.data != captured->data))
		tell_no_memory(replay);
	count_odd(replay, result);
}

static void finish_all(struct replay *replay)
{
	struct replay_entry *entry;

	if (replay->zeek)
		zeek_replay_finish(replay->zeek);
	while ((entry = replay_table_oldest(replay->table, REPLAY_ENDED)))
		finish(replay, entry, NT_WIRE_ENDED);
	while ((entry = replay_table_oldest(replay->table, REPLAY_ESTABLISHED)))
		finish(replay, entry, NT_WIRE_EXIT);
	while ((entry = replay_table_oldest(replay->table, REPLAY_HALF_OPEN)))
		finish(replay, entry, NT_WIRE_EXIT);
}

static void tell_books(struct replay *replay)
{
	__u64 lost = sink_lost(replay->sink, NT_EVENT_CLOSE);

	replay->books.written -= lost;
	replay->books.lost[BOOKS_LOST_SINK_FAILED] += lost;
	if (!replay->options->quiet)
		books_print(&replay->books, stderr);
	message_detail("packets that were malformed %llu, captured too short %llu; fragmented packets with parts "
		       "missing %llu",
		       (unsigned long long)replay->malformed, (unsigned long long)replay->truncated,
		       (unsigned long long)replay_fragments_given_up(replay->fragments));
}

/* 0 at the end of the file or where no more is wanted, -1 where the file is broken. So does read_like_zeek(). */
static int read_packets(struct replay *replay)
{
	struct parsed parsed[LOOK_AHEAD];
	struct capture_packet captured;
	int result = 1, count;

	while (!is_over(replay) && result == 1) {
		for (count = 0; count < LOOK_AHEAD && (result = capture_file_next(replay->file, &captured)) == 1; count++)
			parse_captured(replay, &captured, &parsed[count]);
		take_packets(replay, parsed, count);
	}
	return result < 0 ? -1 : 0;
}

static int read_like_zeek(struct replay *replay)
{
	struct capture_packet captured;
	int result = 1;

	while (!is_over(replay) && (result = capture_file_next(replay->file, &captured)) == 1)
		take_like_zeek(replay, &captured);
	return result < 0 ? -1 : 0;
}

/* Returns the exit status. */
static int read_all(struct replay *replay)
{
	int result = replay->zeek ? read_like_zeek(replay) : read_packets(replay);

	finish_all(replay);
	replay->error = replay->error ? replay->error : sink_finish(replay->sink);
	tell_books(replay);
	if (result < 0 || (replay->error && replay->error != -EPIPE))
		return EXIT_STATUS_BROKEN;
	return EXIT_STATUS_DONE;
}

static void zeek_began(void *context)
{
	((struct replay *)context)->books.opened++;
}

static void zeek_ended(void *context, const struct nt_record *record)
{
	write_last(context, record);
}

/* Without memory for it, false. */
static bool choose_rules(struct replay *replay)
{
	const struct zeek_replay_host host = {
		.began = zeek_began,
		.ended = zeek_ended,
		.context = replay,
		.ignore_checksums = replay->options->ignore_checksums,
	};

	if (replay->options->rules == RULES_ZEEK)
		replay->zeek = zeek_replay_new(&host);
	return replay->zeek || replay->options->rules != RULES_ZEEK;
}

static int run(struct replay *replay)
{
	const char *name = replay->options->file;
	const char *link;

	if (capture_file_open(&replay->file, name))
		return EXIT_STATUS_BROKEN;
	replay->link_type = capture_file_link_type(replay->file);
	if (!capture_link_is_known(replay->link_type)) {
		link = pcap_datalink_val_to_name(replay->link_type);
		message_error("%s: cannot read link type %s (%d); Ethernet, raw IP, null, loop, Linux cooked, PPP, FDDI "
			      "and Cisco HDLC captures can be read",
			      name, link ? link : "of no name", replay->link_type);
		return EXIT_STATUS_BROKEN;
	}
	replay->table = replay_table_new();
	replay->fragments = replay_fragments_new();
	if (!replay->table || !replay->fragments || !choose_rules(replay)) {
		message_error("%s: cannot begin: %s", name, strerror(ENOMEM));
		return EXIT_STATUS_BROKEN;
	}
	if (sink_open(&replay->sink, replay->options))
		return EXIT_STATUS_BROKEN;
	return read_all(replay);
}

int replay_run(const struct options *options)
{
	struct replay replay = { .options = options };
	int status;

	stop_on_signals();
	status = run(&replay);
	sink_close(replay.sink);
	replay_fragments_free(replay.fragments);
	replay_table_free(replay.table);
	zeek_replay_free(replay.zeek);
	capture_file_close(replay.file);
	return status;
}
