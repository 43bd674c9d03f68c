// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the state machine and the streams on arbitrary packets between two sides, and checks the record.
 *
 * Input: a sequence of struct connection_input. A model of the stream, a map of the bytes seen, checks the core.
 */
#include "tests/fuzz/fuzz.h"

#include "core/buffer.h"
#include "core/connection.h"
#include "core/key.h"
#include "core/stream.h"
#include "core/result.h"
#include "src/record/packet_record.h"
#include "tests/fuzz/connection_input.h"

#define MOST_BYTES (1 << 17)

struct sent {
	__u64 packets, payload;
	__u8 seen[MOST_BYTES]; /* index: distance from ISN */
	__u32 beyond;          /* one beyond the last seen byte */
	__u32 base;            /* one beyond the SYN's sequence number, relative to ISN; 0: no SYN was seen */
	int has_fin;
	int plain; /* no packet exceeds the model: no jumps, fragments, other interfaces */
};

struct tracked {
	struct nt_key key;
	struct nt_connection connection;
	struct nt_stream streams[2];
	struct sent *sent; /* array of two */
	__u64 now;
};

static struct nt_packet packet_of(const struct connection_input *input, int self)
{
	struct nt_packet packet = packet_of_input(input, self);

	packet.segments = input->segments ? input->segments : 1;
	packet.marks = input->bits & CONNECTION_FRAGMENT ? NT_PACKET_FIRST_FRAGMENT : 0;
	return packet;
}

static void clear_sent(struct sent *sent)
{
	memset(sent->seen, 0, sent->beyond);
	sent->packets = sent->payload = 0;
	sent->beyond = sent->base = 0;
	sent->plain = 1;
}

static void begin_tracked(struct tracked *tracked, const struct nt_packet *packet, int source, int first)
{
	struct nt_connection previous = tracked->connection;

	memset(tracked->streams, 0, sizeof(tracked->streams));
	clear_sent(&tracked->sent[0]);
	clear_sent(&tracked->sent[1]);
	if (first)
		nt_connection_begin(&tracked->connection, packet, source, tracked->now);
	else
		nt_connection_begin_next(&tracked->connection, &previous, packet, source, tracked->now);
}

static void check_connection(const struct nt_connection *connection)
{
	__u32 i;

	MUST(connection->history_length <= NT_CONNECTION_HISTORY);
	MUST(connection->src_index <= 1);
	for (i = 0; i < connection->history_length; i++)
		MUST(connection->history[i] > ' ' && connection->history[i] < 0x7f);
	MUST(nt_connection_state(connection) <= NT_STATE_RESET);
}

/* A closed connection stays closed, and a RST can only be taken back after the handshake; an established connection does
 * not become half-open. */
static void check_step(enum nt_state before, enum nt_state after, __u32 step)
{
	MUST(!(step & NT_STEP_NEW) || after == before);
	MUST(before != NT_STATE_CLOSED || after == before);
	MUST(before < NT_STATE_ESTABLISHED || after >= NT_STATE_ESTABLISHED);
	MUST(!(step & NT_STEP_ENDED) || after >= NT_STATE_CLOSED);
}

/* The model knows a SYN as the first packet, and its retransmission. */
static int is_plain_syn(struct sent *sent, const struct nt_packet *packet)
{
	__u32 base = packet->sequence + 1 - ISN;

	if (!sent->packets)
		sent->base = base;
	return sent->base == base && !packet->payload_length;
}

static int is_plain(struct sent *sent, const struct nt_packet *packet, const struct connection_input *input)
{
	if (packet->flags & NT_RST || packet->marks ||
	    input->bits & (CONNECTION_FAR | CONNECTION_SECOND_INTERFACE | CONNECTION_LEAVING))
		return 0;
	if (packet->flags & NT_SYN)
		return is_plain_syn(sent, packet);
	if (sent->has_fin && packet->payload_length == 1) /* it may be a keep-alive in the place of the FIN */
		return 0;
	/* Not plain, before the SYN: a FIN of an older connection, a keep-alive (RFC 1122 section 4.2.3.6). */
	return packet->sequence - ISN >= sent->base || (packet->payload_length > 1 && !(packet->flags & NT_FIN));
}

static void record_sent(struct sent *sent, const struct nt_packet *packet, const struct connection_input *input)
{
	__u32 start = packet->sequence - ISN, i;

	sent->plain = sent->plain && is_plain(sent, packet, input);
	sent->has_fin |= packet->flags & NT_FIN;
	sent->packets += packet->segments;
	sent->payload += packet->payload_length;
	if (!sent->plain || !packet->payload_length)
		return;
	if (start + packet->payload_length > sent->beyond)
		sent->beyond = start + packet->payload_length;
	for (i = 0; i < packet->payload_length; i++)
		sent->seen[start + i] = 1;
}

static void check_stream(const struct nt_stream_core *stream, const struct sent *sent)
{
	__u64 bytes = 0;
	__u32 i;

	MUST(stream->packets <= sent->packets);
	MUST(stream->retransmits <= stream->packets);
	MUST(stream->bytes <= sent->payload);
	if (!sent->plain || stream->flags & NT_STREAM_OVERFLOW)
		return;
	for (i = 0; i < sent->beyond; i++)
		bytes += sent->seen[i];
	MUST(stream->bytes == bytes);
	MUST(stream->packets == sent->packets);
}

static void check_records(const struct tracked *tracked)
{
	const struct packet_traffic traffic[2] = {
		traffic_of_stream(&tracked->streams[0]),
		traffic_of_stream(&tracked->streams[1]),
	};
	struct packet_account account = { .key = &tracked->key,
					  .connection = &tracked->connection,
					  .now = tracked->now };
	struct nt_result summary;
	struct nt_record record;

	for (account.cause = NT_WIRE_ENDED; account.cause <= NT_WIRE_EXIT; account.cause++) {
		account.traffic = NULL;
		record_fill_from_packets(&record, &account);
		fuzz_check_record(&record);
		account.traffic = traffic;
		record_fill_from_packets(&record, &account);
		fuzz_check_record(&record);
	}
	nt_result_fill(&summary, &tracked->connection);
	MUST(summary.outcome <= NT_OUTCOME_OPEN && summary.index[0] <= 1 && summary.index[1] <= 1);
}

static void apply_packet(struct tracked *tracked, const struct connection_input *input, struct nt_packet *packet,
			 int first)
{
	const struct nt_place place = nt_place_at(!!(input->bits & CONNECTION_SECOND_INTERFACE),
						  !!(input->bits & CONNECTION_LEAVING), tracked->now);
	int source = nt_key_from_packet(&tracked->key, packet, 0);
	enum nt_state before = nt_connection_state(&tracked->connection);
	__u32 step = first ? NT_STEP_NEW : nt_connection_step(&tracked->connection, packet, source, tracked->now);

	if (!first)
		check_step(before, nt_connection_state(&tracked->connection), step);
	if (step & NT_STEP_NEW)
		begin_tracked(tracked, packet, source, first);
	if (step & NT_STEP_REFUSED)
		packet->marks |= NT_PACKET_REFUSED;
	nt_connection_add_packet(&tracked->connection, packet, source);
	nt_stream_step(&tracked->streams[source], &tracked->streams[!source], packet, &place);
	record_sent(&tracked->sent[source], packet, input);
	check_connection(&tracked->connection);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct sent sent[2];
	struct tracked tracked = { .sent = sent, .now = 1000 * NS_PER_MS };
	struct fuzz_input input = { data, size };
	struct connection_input one;
	int first = 1, self = 0;

	while (input.size) {
		struct nt_packet packet;

		fuzz_take(&input, &one, sizeof(one));
		if (first)
			self = one.bits & CONNECTION_SELF;
		packet = packet_of(&one, self);
		tracked.now += one.milliseconds * NS_PER_MS;
		if (one.bits & CONNECTION_BACK)
			tracked.now -= tracked.now > 300 * NS_PER_MS ? 300 * NS_PER_MS : 0;
		apply_packet(&tracked, &one, &packet, first);
		first = 0;
	}
	if (first)
		return 0;
	check_stream(&tracked.streams[0].core, &sent[0]);
	check_stream(&tracked.streams[1].core, &sent[1]);
	check_records(&tracked);
	return 0;
}
