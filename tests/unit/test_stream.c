// SPDX-License-Identifier: GPL-2.0-or-later
/* core/stream.h against sequences written by hand, and against a model with a flag for each byte. */
#include <linux/types.h>
#include <stdlib.h>

#include "core/buffer.h"
#include "core/stream.h"
#ifdef TEST_GROWING_STREAM
#include "src/replay/growing_stream.h"
#endif

#include "tests/unit/check.h"

#ifdef TEST_GROWING_STREAM
#define MOST_HOLES GROWING_STREAM_MOST_HOLES
#define stream_is_incomplete growing_stream_is_incomplete
static struct growing_stream stream, peer;
static struct nt_range memory[GROWING_STREAM_MOST_HOLES];

static void stream_step(struct growing_stream *stepped, const struct growing_stream *other,
			const struct nt_packet *packet, const struct nt_place *place)
{
	struct nt_range hole = growing_stream_step(stepped, other, packet, place);

	stepped->hole = memory;
	if (hole.start != hole.end)
		growing_stream_add_hole(stepped, hole);
}
#else
#define MOST_HOLES NT_STREAM_RANGES
#define stream_step nt_stream_step
#define stream_is_incomplete nt_stream_is_incomplete
static struct nt_stream stream, peer;
#endif

static __u64 now;

static void step(const struct nt_packet *packet, __u32 interface, __u8 direction)
{
	const struct nt_place place = nt_place_at(interface, direction, now);

	stream_step(&stream, &peer, packet, &place);
}

static void reset(void)
{
	memset(&stream, 0, sizeof(stream));
	memset(&peer, 0, sizeof(peer));
}

static void take_many(__u8 flags, __u32 sequence, __u32 length, __u16 segments)
{
	struct nt_packet packet = {
		.flags = flags, .sequence = sequence, .payload_length = length, .segments = segments
	};

	step(&packet, 1, 0);
}

static void take(__u8 flags, __u32 sequence, __u32 length)
{
	take_many(flags, sequence, length, 1);
}

static void data(__u32 sequence, __u32 length)
{
	take(NT_ACK, sequence, length);
}

/* Begins with a SYN of sequence number isn; the payload starts at isn + 1. */
static void begin(__u32 isn)
{
	reset();
	take(NT_SYN, isn, 0);
}

static void check(__u64 packets, __u64 bytes, __u64 retransmits)
{
	CHECK_EQUAL(stream.core.packets, packets);
	CHECK_EQUAL(stream.core.bytes, bytes);
	CHECK_EQUAL(stream.core.retransmits, retransmits);
}

static void in_order(void)
{
	begin(99);
	data(100, 10);
	data(110, 20);
	data(130, 0);
	take(NT_FIN | NT_ACK, 130, 5);
	data(136, 0); /* the ACK of the peer's FIN */
	check(6, 35, 0);
	CHECK(!stream_is_incomplete(&stream));
}

static void retransmits(void)
{
	begin(99);
	data(100, 10);
	data(100, 10);
	check(3, 10, 1);
	data(105, 10); /* in part */
	check(4, 15, 2);
	data(100, 4);
	check(5, 15, 3);
	take(NT_FIN | NT_ACK, 115, 0);
	take(NT_FIN | NT_ACK, 115, 0);
	check(7, 15, 4);
	take(NT_FIN | NT_ACK | NT_PSH, 105, 10); /* data and FIN: one segment */
	check(8, 15, 5);
}

/* Offload keeps several segments in one packet. Each counts as a packet, and as a retransmit if none has a new byte. */
static void offloaded_segments(void)
{
	begin(99);
	take_many(NT_ACK, 100, 3000, 3);
	check(4, 3000, 0);
	take_many(NT_ACK, 100, 3000, 3);
	check(7, 3000, 3);
	take_many(NT_ACK, 1100, 4000, 4); /* it is unknown how many of the four were retransmitted */
	check(11, 5000, 4);
	take_many(NT_FIN | NT_ACK, 5100, 2000, 2);
	take_many(NT_FIN | NT_ACK, 5100, 2000, 2);
	check(15, 7000, 6);
}

static void handshake_retransmits(void)
{
	begin(99);
	take(NT_SYN, 99, 0);
	check(2, 0, 1);
	reset();
	take(NT_SYN | NT_ACK, 99, 0);
	take(NT_SYN | NT_ACK, 99, 0);
	check(2, 0, 0);
}

static void out_of_order(void)
{
	begin(99);
	data(120, 10);
	CHECK(stream_is_incomplete(&stream));
	data(110, 10);
	data(100, 10);
	check(4, 30, 0);
	CHECK(!stream_is_incomplete(&stream));
	data(100, 30);
	check(5, 30, 1);
}

static void holes_filled_in_part(void)
{
	begin(99);
	data(200, 100); /* the hole is 100 to 200 */
	data(140, 20);  /* two holes: 100 to 140, 160 to 200 */
	check(3, 120, 0);
	data(130, 40); /* 10 new, 20 old, 10 new */
	check(4, 140, 1);
	data(100, 200);
	check(5, 200, 2);
	CHECK(!stream_is_incomplete(&stream));
}

static void a_segment_over_many_holes(void)
{
	__u32 i;

	begin(99);
	for (i = 1; i <= MOST_HOLES; i++)
		data(100 + i * 20, 10);
	data(100, MOST_HOLES * 20 + 60);
	check(MOST_HOLES + 2, MOST_HOLES * 20 + 60, 1);
	CHECK(!stream_is_incomplete(&stream));
}

static void keep_alives(void)
{
	begin(99);
	data(99, 0); /* before any payload */
	data(99, 1);
	check(3, 0, 0);
	data(100, 10);
	data(109, 0);
	data(109, 1);
	check(6, 10, 0);
	data(108, 2); /* two bytes are no keep-alive */
	check(7, 10, 1);
}

static void sequence_numbers_wrap_around(void)
{
	begin(0xfffffff0u - 1);
	data(0xfffffff0u, 32);
	check(2, 32, 0);
	data(0xfffffff8u, 16);
	check(3, 32, 1);
	data(48, 16);
	data(16, 32);
	check(5, 80, 1);
	CHECK(!stream_is_incomplete(&stream));
}

static void more_than_four_gigabytes(void)
{
	const __u32 size = 65000;
	__u64 i, count = 5ull * 1024 * 1024 * 1024 / size;

	begin(12345);
	for (i = 0; i < count; i++)
		data(12346 + (__u32)(i * size), size);
	check(count + 1, count * size, 0);
	data(12346 + (__u32)((count - 1) * size), size);
	check(count + 2, count * size, 1);
	CHECK(!stream_is_incomplete(&stream));
}

/* Most packets are missing from the capture: only bytes that were seen count. */
static void large_gaps(void)
{
	__u32 i;

	begin(0);
	for (i = 1; i <= 40; i++)
		data(1 + i * 300000000u, 1000);
	check(41, 40000, 0);
	CHECK(stream_is_incomplete(&stream));
}

/* A segment further behind than any window does not move the stream; a gap of more than 2 GiB does not end it. */
static void far_behind(void)
{
	begin(0);
	data(1, 1000);
	data(1 + 0x90000000u, 1000);
	check(3, 2000, 0);
	CHECK(stream_is_incomplete(&stream));
	data(1001, 1000);
	data(1, 1000);
	check(5, 3000, 1);
	data(2001 + 0x80000000u, 1000); /* at half of the sequence space */
	data(3001 + 0x80000000u, 1000); /* the stream continues there */
	data(4001 + 0x80000000u, 1000);
	check(8, 6000, 1);
	data(3001 + 0x80000000u, 1000);
	check(9, 6000, 2);
}

/* After a segment far ahead of any window the stream returns to its previous position. */
static void far_ahead(void)
{
	begin(0);
	data(1, 1000);
	data(0x60000000, 10);
	data(1001, 1000);
	data(2001, 1000);
	data(3001, 1000);
	data(3001, 1000);
	check(7, 4010, 1);
}

static void begins_in_the_middle(void)
{
	reset();
	data(1000, 10);
	data(980, 20); /* was in flight when the capture began */
	check(2, 30, 0);
	data(900, 10); /* leaves a hole */
	check(3, 40, 0);
	CHECK(stream_is_incomplete(&stream));
	data(905, 100);
	check(4, 110, 1);
	CHECK(!stream_is_incomplete(&stream));
	take(NT_FIN, 1010, 0);
	check(5, 110, 1);
}

/* Payload below the SYN counts, but not the byte of a keep-alive. */
static void before_the_syn(void)
{
	begin(1000);
	data(1000, 1);
	check(2, 0, 0);
	CHECK(!stream_is_incomplete(&stream));
	data(1001, 9);
	data(1000, 9); /* one byte of it is new */
	check(4, 10, 1);
	data(900, 50);
	check(5, 60, 1);
	CHECK(stream_is_incomplete(&stream));
}

static void too_many_holes(void)
{
	__u32 i;

	begin(99);
	for (i = 1; i <= MOST_HOLES; i++)
		data(100 + i * 20, 10);
	CHECK(!(stream.core.flags & NT_STREAM_OVERFLOW));
	data(1000, 10);
	CHECK(stream.core.flags & NT_STREAM_OVERFLOW);
	CHECK(stream_is_incomplete(&stream));
	CHECK_EQUAL(stream.core.bytes, (MOST_HOLES + 1) * 10);
	data(100, 20); /* the oldest hole was evicted: too few bytes, flagged as overflow */
	CHECK_EQUAL(stream.core.bytes, (MOST_HOLES + 1) * 10);
	data(130, 10); /* the others are still known */
	CHECK_EQUAL(stream.core.bytes, (MOST_HOLES + 2) * 10);
}

static void fin_with_a_hole_before_it(void)
{
	begin(99);
	take(NT_FIN | NT_ACK, 150, 0);
	CHECK(stream_is_incomplete(&stream));
	data(100, 50);
	check(3, 50, 0);
	CHECK(!stream_is_incomplete(&stream));
}

static void payload_of_syn_and_rst(void)
{
	reset();
	take(NT_SYN, 99, 10); /* Fast Open */
	check(1, 10, 0);
	data(100, 10); /* the server did not accept it */
	data(110, 5);
	check(3, 15, 1);
	take(NT_RST | NT_ACK, 115, 20);
	check(4, 15, 1);
}

static void syn_cookies(void)
{
	reset();
	take(NT_SYN | NT_ACK, 5000, 0);
	take(NT_SYN | NT_ACK, 900000, 0);
	data(900001, 10);
	check(3, 10, 0);
	CHECK(!stream_is_incomplete(&stream));
}

/* The hole before the FIN is filled once, in spite of the second SYN. */
static void same_syn_after_a_fin(void)
{
	begin(100);
	take(NT_FIN | NT_ACK, 512, 0);
	take(NT_SYN, 100, 0);
	data(6144, 256);
	data(101, 256);
	check(5, 512, 1);
	CHECK(stream_is_incomplete(&stream));
	data(357, 6144 - 357);
	check(6, 6144 - 101 + 256, 1);
	CHECK(!stream_is_incomplete(&stream));
}

/* Another SYN before any payload discards the FIN of the earlier one. */
static void another_syn_after_a_fin(void)
{
	begin(100);
	take(NT_FIN | NT_ACK, 512, 0);
	take(NT_SYN | NT_ACK, 300, 0);
	data(301, 300);
	check(4, 300, 0);
	CHECK(!stream_is_incomplete(&stream));
}

static void first_fragments(void)
{
	struct nt_packet packet = {
		.flags = NT_ACK, .sequence = 1, .payload_length = 4, .segments = 1, .marks = NT_PACKET_FIRST_FRAGMENT
	};

	reset();
	step(&packet, 1, 0);
	CHECK(stream_is_incomplete(&stream));
}

static void other_interfaces(void)
{
	struct nt_packet packet = { .flags = NT_ACK, .sequence = 1, .payload_length = 10, .segments = 1 };
	__u32 i;

	reset();
	for (i = 0; i < 3; i++) {
		step(&packet, 3, 1);
		step(&packet, 3, 0); /* lo: outgoing, then incoming */
		step(&packet, 4, 1);
		packet.sequence += 10;
	}
	check(3, 30, 0);
}

/* The first interface was removed, or the route changed: packets that it did not see count on another interface. */
static void changed_path(void)
{
	struct nt_packet packet = { .flags = NT_ACK, .sequence = 1, .payload_length = 10, .segments = 1 };

	reset();
	step(&packet, 3, 1);
	step(&packet, 4, 1);
	CHECK(!stream_is_incomplete(&stream));
	packet.sequence = 11;
	step(&packet, 7, 1);
	step(&packet, 4, 1); /* a bridge behind it */
	check(2, 20, 0);
	CHECK(stream_is_incomplete(&stream));
	step(&packet, 7, 1);
	check(3, 20, 1);
	packet.flags = NT_ACK | NT_FIN;
	packet.sequence = 21;
	packet.payload_length = 0;
	step(&packet, 8, 1);
	step(&packet, 4, 1);
	check(4, 20, 1);
	packet.flags = NT_ACK;
	step(&packet, 9, 1);
	packet.flags = NT_RST;
	packet.payload_length = 10; /* no part of the stream */
	step(&packet, 9, 1);
	check(4, 20, 1);
}

/* ---- the model ---- */

#define SPAN 4000

/* Random segments over a stream of SPAN bytes. Returns early if there are more holes than can be kept. */
static void check_against_model(__u32 isn, unsigned int number)
{
	static __u8 seen[SPAN];
	__u64 bytes = 0, retransmits = 0;
	__u32 at = 0, i, k;

	srand(number);
	memset(seen, 0, sizeof(seen));
	begin(isn);
	for (i = 0; i < 300; i++) {
		__u32 start = at > 300 ? at - 300 + rand() % 320 : rand() % (at + 20);
		__u32 length = 2 + rand() % 60, fresh = 0;

		if (start + length > SPAN)
			break;
		for (k = start; k < start + length; k++) {
			fresh += !seen[k];
			seen[k] = 1;
		}
		bytes += fresh;
		retransmits += fresh < length;
		at = start + length > at ? start + length : at;
		data(isn + 1 + start, length);
		if (stream.core.flags & NT_STREAM_OVERFLOW)
			return;
		if (stream.core.bytes != bytes || stream.core.retransmits != retransmits)
			break;
	}
	CHECK_EQUAL(stream.core.bytes, bytes);
	CHECK_EQUAL(stream.core.retransmits, retransmits);
}

static void compare_with_model(void)
{
	unsigned int number;

	for (number = 1; number <= 2000; number++)
		check_against_model(number % 2 ? number : 0u - number, number);
}

/* Random segments: bytes never exceed what was sent, and the sanitizer finds nothing. */
static void random_segments(void)
{
	__u64 sent = 0;
	__u32 i;

	srand(3);
	reset();
	for (i = 0; i < 300000; i++) {
		__u32 length = rand() % 3 ? rand() % 2000 : 0;
		__u32 sequence = rand() % 4 ? (__u32)(i * 1000) : (__u32)rand() * 2 + (rand() & 1);

		sent += length;
		take(rand() & (NT_SYN | NT_FIN | NT_ACK), sequence, length);
		if (stream.core.bytes > sent)
			break;
	}
	CHECK(stream.core.bytes <= sent);
	CHECK_EQUAL(stream.core.packets, 300000);
}

/* A packet without new bytes, in every state of the stream, is no sign of another path when it is seen again. */
static void nothing_new_on_another_interface(void)
{
	static const struct nt_packet packets[] = {
		{ .flags = NT_SYN, .sequence = 99 },
		{ .flags = NT_ACK, .sequence = 100 },
		{ .flags = NT_ACK, .sequence = 99, .payload_length = 1 }, /* keep-alives */
		{ .flags = NT_ACK, .sequence = 99 },
		{ .flags = NT_ACK, .sequence = 100, .payload_length = 10 },
		{ .flags = NT_ACK, .sequence = 100, .payload_length = 10 },
		{ .flags = NT_ACK, .sequence = 109, .payload_length = 1 },
		{ .flags = NT_FIN | NT_ACK, .sequence = 110, .payload_length = 5 },
		{ .flags = NT_FIN | NT_ACK, .sequence = 115 },
		{ .flags = NT_FIN | NT_ACK, .sequence = 110, .payload_length = 5 },
		{ .flags = NT_ACK, .sequence = 116 },                      /* the ACK of the peer's FIN */
		{ .flags = NT_ACK, .sequence = 115, .payload_length = 1 }, /* keep-alives in FIN_WAIT2 */
		{ .flags = NT_ACK, .sequence = 115 },
		{ .flags = NT_RST | NT_ACK, .sequence = 116 },
	};
	__u32 count = sizeof(packets) / sizeof(packets[0]), i;

	reset();
	for (i = 0; i < count; i++) {
		struct nt_packet packet = packets[i];

		packet.segments = 1;
		step(&packet, 1, 0);
		step(&packet, 2, 0);
		step(&packet, 1, 1);
	}
	check(count, 15, 3);
	CHECK(!stream_is_incomplete(&stream));
}

/* The same without the beginning: the first packet of the side holds nothing that could be compared. */
static void path_changes_after_a_bare_ack(void)
{
	struct nt_packet packet = { .flags = NT_ACK, .sequence = 500, .segments = 1 };

	reset();
	step(&packet, 1, 0);
	step(&packet, 2, 0);
	check(1, 0, 0);
	packet.payload_length = 500;
	step(&packet, 2, 0);
	step(&packet, 3, 0);
	check(2, 500, 0);
	CHECK(stream_is_incomplete(&stream));
}

static void peer_window(__u16 window)
{
	struct nt_packet packet = { .flags = NT_ACK, .sequence = 7000, .window = window, .segments = 1 };
	const struct nt_place place = nt_place_at(1, 0, now);

	stream_step(&peer, &stream, &packet, &place);
}

/* A packet on either of two interfaces. ago: since the one before, in microseconds. */
static void take_on(__u32 interface, __u32 ago, struct nt_packet packet)
{
	now += ago * 1000ULL;
	packet.segments = 1;
	step(&packet, interface, 0);
}

/* The packets of one side take two paths, and none is seen twice: all count. */
static void two_paths_in_turn(void)
{
	static const struct nt_packet syn = { .flags = NT_SYN, .sequence = 99 },
				      ack = { .flags = NT_ACK, .sequence = 100, .acknowledgement = 500 },
				      data = { .flags = NT_ACK,
					       .sequence = 100,
					       .acknowledgement = 500,
					       .payload_length = 10 };
	struct nt_packet later = ack;
	__u32 i;

	reset();
	take_on(1, 0, syn);
	take_on(2, 1000000, syn); /* retransmitted */
	take_on(1, 100, ack);
	take_on(2, 100, data);
	take_on(1, 200000, data);
	for (i = 1; i <= 10; i++) {
		later.sequence = 110;
		later.acknowledgement = 500 + 100 * i;
		take_on(1 + i % 2, 10, later);
	}
	take_on(2, 20000, later); /* a keep-alive is answered */
	take_on(1, 20000, later);
	check(17, 10, 2);
	CHECK(!stream_is_incomplete(&stream));
}

/* Within 10 ms it may be a copy, unless the host knows better. From the first copy on, the counts are in doubt. */
static void copies_on_two_paths(void)
{
	struct nt_packet data = { .flags = NT_ACK, .sequence = 100, .acknowledgement = 500, .payload_length = 10 };

	reset();
	take_on(1, 0, data);
	take_on(2, 10002, data);
	check(2, 10, 1);
	data.marks = NT_PACKET_SINGLE;
	take_on(1, 100, data);
	check(3, 10, 2);
	CHECK(!stream_is_incomplete(&stream));
	data.marks = 0;
	take_on(2, 9998, data);
	check(3, 10, 2);
	CHECK(stream_is_incomplete(&stream));
	take_on(2, 20000, data); /* a late copy */
	check(3, 10, 2);
}

/* A side that only acknowledges, and whose packets are seen twice, takes another path. */
static void acknowledgements_change_path(void)
{
	struct nt_packet ack = { .flags = NT_ACK, .sequence = 100, .acknowledgement = 500 };

	reset();
	take_on(1, 0, ack);
	take_on(2, 5, ack);
	ack.acknowledgement = 600;
	take_on(3, 100, ack);
	take_on(2, 5, ack);
	check(2, 0, 0);
	CHECK(stream_is_incomplete(&stream));
	ack.marks = NT_PACKET_REFUSED;
	ack.acknowledgement = 0x10000000;
	take_on(2, 100, ack);
	check(2, 0, 0);
}

/* The host compares packets, and has found that this side's are seen in several places: nothing was left out. */
static void path_changes_between_compared_packets(void)
{
	struct nt_packet data = { .flags = NT_ACK, .sequence = 100, .payload_length = 10, .marks = NT_PACKET_SINGLE };

	reset();
	take_on(1, 0, data);
	stream.core.flags |= NT_STREAM_REPEATED;
	data.sequence = 110;
	take_on(2, 100, data);
	check(2, 20, 0);
	CHECK(!stream_is_incomplete(&stream));
	take_on(1, 100, data);
	check(2, 20, 0);
	CHECK(stream_is_incomplete(&stream));
}

/* RFC 9293 3.8.6.1: the byte of a probe is sent until the window opens, then once more with what follows. */
static void zero_window_probes(void)
{
	begin(99);
	data(100, 10);
	peer_window(0);
	data(110, 1);
	data(110, 1);
	data(110, 1);
	peer_window(0);
	data(109, 0); /* the probes of other systems: no payload, before the next byte */
	check(6, 11, 0);
	peer_window(100);
	data(110, 100);
	check(7, 110, 0);
	data(110, 100);
	check(8, 110, 1);
	CHECK(!stream_is_incomplete(&stream));
}

static void zero_window_probe_is_accepted(void)
{
	begin(99);
	peer_window(0);
	data(100, 1);
	peer_window(100);
	data(101, 10);
	check(3, 11, 0);
	data(100, 11);
	check(4, 11, 1);
}

/* The byte that is probed with was sent before, and the window was closed behind it. */
static void zero_window_probe_below_the_highest(void)
{
	begin(99);
	data(100, 100);
	peer_window(0);
	data(150, 1);
	data(150, 1);
	check(4, 100, 0);
	peer_window(100);
	data(150, 50);
	check(5, 100, 1);
}

static void zero_window_probe_before_the_fin(void)
{
	begin(99);
	peer_window(0);
	data(100, 1);
	peer_window(1000);
	take(NT_FIN | NT_ACK, 100, 1);
	check(3, 1, 0);
}

/* One byte that is sent while the window is open is data, which a longer segment repeats after a loss. */
static void one_byte_in_an_open_window(void)
{
	begin(99);
	peer_window(1000);
	data(100, 1);
	data(100, 20);
	check(3, 20, 1);
}

int main(void)
{
	in_order();
	retransmits();
	offloaded_segments();
	handshake_retransmits();
	out_of_order();
	holes_filled_in_part();
	a_segment_over_many_holes();
	keep_alives();
	sequence_numbers_wrap_around();
	more_than_four_gigabytes();
	large_gaps();
	far_behind();
	far_ahead();
	begins_in_the_middle();
	before_the_syn();
	too_many_holes();
	fin_with_a_hole_before_it();
	payload_of_syn_and_rst();
	syn_cookies();
	same_syn_after_a_fin();
	another_syn_after_a_fin();
	first_fragments();
	other_interfaces();
	nothing_new_on_another_interface();
	two_paths_in_turn();
	copies_on_two_paths();
	acknowledgements_change_path();
	path_changes_between_compared_packets();
	path_changes_after_a_bare_ack();
	zero_window_probes();
	zero_window_probe_is_accepted();
	zero_window_probe_below_the_highest();
	zero_window_probe_before_the_fin();
	one_byte_in_an_open_window();
	changed_path();
	compare_with_model();
	random_segments();
	return check_finish();
}
