// SPDX-License-Identifier: GPL-2.0-or-later
/* core/first_payload.h: which packet is the first payload of its side (docs/record.md, "First payloads"). */
#include <linux/types.h>
#include <string.h>

#include "core/buffer.h"
#include "core/first_payload.h"

#include "tests/unit/check.h"
#include "tests/unit/side_segment.h"

#define MS 1000000ULL
#define BEGIN (5000 * MS)

/* Offsets from the sides' SYNs: 0 is the SYN, 1 the first byte. The client's numbers wrap around. */
#define C(offset) (0xfffffff0U + (offset))
#define S(offset) (7000U + (offset))

static struct nt_connection connection;
static int follows;  /* every packet is passed in */
static __u16 window; /* of the next packets */
static __u8 marks;   /* of the next packets */

static void take(__u64 ms, int source, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 length)
{
	struct nt_packet packet = side_segment(source, flags, sequence, acknowledgement, length);
	__u64 now = BEGIN + ms * MS;
	__u32 step = 0;

	packet.window = window;
	packet.marks = marks;
	if (connection.first_ns)
		step = nt_connection_step(&connection, &packet, source, now);
	else
		nt_connection_begin(&connection, &packet, source, now);
	if (!(step & NT_STEP_REFUSED))
		nt_first_payload_add(&connection, &packet, source, now);
	if (step & NT_STEP_REFUSED)
		packet.marks |= NT_PACKET_REFUSED;
	if (follows)
		nt_connection_add_packet(&connection, &packet, source);
}

static void clear(void)
{
	memset(&connection, 0, sizeof(connection));
	window = 65535;
	marks = 0;
}

/* The SYN is at 0 ms, the SYN-ACK at 20, the ACK at 21. */
static void handshake(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	take(21, CLIENT, NT_ACK, C(1), S(1), 0);
}

/* Returns the side's time in milliseconds after BEGIN, or -1 if it is unknown. */
static int time_of(int side)
{
	__u64 ns = nt_first_payload_ns(&connection, side);

	return ns ? (int)((ns - BEGIN) / MS) : -1;
}

static void check_times(int request, int response)
{
	CHECK_EQUAL(time_of(CLIENT), request);
	CHECK_EQUAL(time_of(SERVER), response);
}

static void client_first(void)
{
	handshake();
	check_times(-1, -1);
	CHECK(!nt_first_payloads_are_settled(&connection));
	take(22, CLIENT, NT_ACK | NT_PSH, C(1), S(1), 100);
	check_times(22, -1);
	CHECK(!nt_first_payloads_are_settled(&connection));
	take(42, SERVER, NT_ACK, S(1), C(101), 0);
	take(322, SERVER, NT_ACK, S(1), C(101), 1400);
	CHECK(nt_first_payloads_are_settled(&connection));
	take(323, SERVER, NT_ACK, S(1401), C(101), 1400);
	take(400, CLIENT, NT_ACK, C(101), S(2801), 100);
	check_times(22, 322);
}

static void server_first(void)
{
	handshake();
	take(150, SERVER, NT_ACK | NT_PSH, S(1), C(1), 30);
	check_times(-1, 150);
	take(170, CLIENT, NT_ACK | NT_PSH, C(1), S(31), 20);
	check_times(170, 150);
}

static void handshake_ack_with_payload(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	take(21, CLIENT, NT_ACK | NT_PSH, C(1), S(1), 100);
	check_times(21, -1);
}

static void fin_with_payload(void)
{
	handshake();
	take(30, CLIENT, NT_ACK | NT_FIN, C(1), S(1), 100);
	check_times(30, -1);
	take(60, SERVER, NT_ACK | NT_FIN, S(1), C(102), 0);
	check_times(30, -1);
	CHECK(nt_first_payloads_are_settled(&connection));
}

static void retransmission(void)
{
	handshake();
	take(22, CLIENT, NT_ACK, C(1), S(1), 100);
	take(230, CLIENT, NT_ACK, C(1), S(1), 100);
	take(231, CLIENT, NT_ACK, C(1), S(1), 50);
	check_times(22, -1);
}

/* The first segment was lost before the place of capture: the second one is not the first payload. */
static void segment_before_the_first_byte(void)
{
	handshake();
	take(22, CLIENT, NT_ACK, C(101), S(1), 100);
	check_times(-1, -1);
	take(230, CLIENT, NT_ACK, C(1), S(1), 200);
	check_times(230, -1);
}

static void captured_out_of_order(void)
{
	handshake();
	take(25, CLIENT, NT_ACK, C(1), S(1), 100);
	take(24, CLIENT, NT_ACK, C(1), S(1), 200);
	check_times(24, -1);
	marks = NT_PACKET_OTHER_CLOCK;
	take(3, CLIENT, NT_ACK, C(1), S(1), 100);
	check_times(24, -1);
}

static void captured_before_the_syn_ack(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	take(31, SERVER, NT_ACK, S(101), C(11), 100);
	take(30, SERVER, NT_ACK, S(1), C(11), 100);
	take(32, CLIENT, NT_ACK, C(11), S(201), 0);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	take(22, CLIENT, NT_ACK, C(1), S(1), 10);
	check_times(22, 30);
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	take(31, SERVER, NT_ACK, S(101), C(11), 100);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	check_times(-1, -1);
}

/* A capture may have an acknowledgement before what it acknowledges; 10 ms later it is a retransmission. */
static void acknowledged_before(void)
{
	handshake();
	take(40, SERVER, NT_ACK, S(1), C(101), 0);
	take(39, CLIENT, NT_ACK, C(1), S(1), 100);
	check_times(39, -1);
	handshake();
	take(40, SERVER, NT_ACK, S(1), C(101), 0);
	take(50, CLIENT, NT_ACK, C(1), S(1), 100);
	check_times(50, -1);
	handshake();
	take(40, SERVER, NT_ACK, S(1), C(101), 0);
	take(51, CLIENT, NT_ACK, C(1), S(1), 100);
	take(60, CLIENT, NT_ACK, C(101), S(1), 100);
	check_times(-1, -1);
}

static void missing_first_payload(void)
{
	handshake();
	take(3000, CLIENT, NT_ACK, C(501), S(1), 100);
	take(3020, SERVER, NT_ACK, S(301), C(601), 1000);
	check_times(-1, -1);
}

/* RFC 1122 4.2.3.6: the byte before the next one, also before anything was sent. */
static void keepalive_probe(void)
{
	handshake();
	take(1000, CLIENT, NT_ACK, C(0), S(1), 1);
	check_times(-1, -1);
	take(1001, SERVER, NT_ACK, S(1), C(1), 0);
	take(1200, CLIENT, NT_ACK, C(1), S(1), 1);
	check_times(1200, -1);
}

/* The SYN-ACK's window is 0, so the client sends a probe. */
static void probe_zero_window(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	window = 0;
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	window = 65535;
	take(21, CLIENT, NT_ACK, C(1), S(1), 0);
	take(221, CLIENT, NT_ACK, C(1), S(1), 1);
}

static void zero_window_probe(void)
{
	probe_zero_window();
	check_times(-1, -1);
	take(300, SERVER, NT_ACK, S(1), C(1), 0);
	take(301, CLIENT, NT_ACK, C(1), S(1), 100);
	check_times(301, -1);
}

/* The receiver took the probe's byte. Who does not see every packet cannot know that nothing followed before. */
static void zero_window_probe_that_was_taken(void)
{
	probe_zero_window();
	take(300, SERVER, NT_ACK, S(1), C(2), 0);
	take(350, CLIENT, NT_ACK, C(2), S(1), 99);
	check_times(follows ? 350 : -1, -1);
}

static void fast_open(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 80);
	check_times(0, -1);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(81), 0);
	take(120, SERVER, NT_ACK | NT_PSH, S(1), C(81), 500);
	check_times(0, 120);
}

/* The server takes the payload of the SYN only with a valid cookie; then the client sends it again. */
static void fast_open_refused(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 80);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	check_times(-1, -1);
	take(21, CLIENT, NT_ACK | NT_PSH, C(1), S(1), 80);
	take(25, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	check_times(21, -1);
}

static void refused_segments(void)
{
	handshake();
	take(22, CLIENT, NT_PSH, C(1), 0, 100); /* without ACK: RFC 9293 3.10.7.4 */
	take(23, CLIENT, NT_ACK, C(0), S(1) + 0x50000000U, 101);
	take(24, CLIENT, NT_ACK | NT_RST, C(1), S(1), 20);
	marks = NT_PACKET_REFUSED;
	take(25, CLIENT, NT_ACK, C(1), S(1), 100);
	check_times(-1, -1);
}

/* An upload of more than a quarter of the sequence numbers comes before the answer. */
static void late_answer(void)
{
	__u32 sent;

	handshake();
	for (sent = 0; sent < 0x60000000U; sent += 0x8000000U) {
		take(30, CLIENT, NT_ACK, C(1) + sent, S(1), 0x8000000U);
		take(31, SERVER, NT_ACK, S(1), C(1) + sent + 0x8000000U, 0);
	}
	take(9000, SERVER, NT_ACK, S(1), C(1) + sent, 10);
	check_times(30, follows ? 9000 : -1);
}

static void without_syn(void)
{
	clear();
	take(0, CLIENT, NT_ACK, C(1), S(1), 100);
	take(20, SERVER, NT_ACK, S(1), C(101), 100);
	check_times(-1, -1);
}

static void syn_cookies(void)
{
	clear();
	take(0, CLIENT, NT_SYN, C(0), 0, 0);
	take(20, SERVER, NT_SYN | NT_ACK, S(0), C(1), 0);
	take(1020, SERVER, NT_SYN | NT_ACK, S(90000), C(1), 0);
	take(1021, CLIENT, NT_ACK, C(1), S(1), 0);
	take(1100, SERVER, NT_ACK, S(1), C(1), 10);
	check_times(-1, 1100);
}

int main(void)
{
	static void (*const tests[])(void) = {
		client_first,
		server_first,
		handshake_ack_with_payload,
		fin_with_payload,
		retransmission,
		segment_before_the_first_byte,
		captured_out_of_order,
		captured_before_the_syn_ack,
		acknowledged_before,
		missing_first_payload,
		keepalive_probe,
		zero_window_probe,
		zero_window_probe_that_was_taken,
		fast_open,
		fast_open_refused,
		refused_segments,
		late_answer,
		without_syn,
		syn_cookies,
	};
	unsigned int i;

	for (i = 0; i < 2 * sizeof(tests) / sizeof(tests[0]); i++) {
		follows = i & 1;
		tests[i / 2]();
	}
	return check_finish();
}
