// SPDX-License-Identifier: GPL-2.0-or-later
/* Makes captures for bench/replay. The same arguments give the same bytes.
 *
 *	make_capture long PACKETS FILE     64 long connections, interleaved, with loss and retransmissions
 *	make_capture short PACKETS FILE    connections of ten packets, 5,000 open at any time
 *	make_capture mixed PACKETS FILE    both, with IPv6, VLANs, UDP, scans, refused and reset connections
 *
 * Ethernet; 96 bytes of each frame, as in a capture of headers; microseconds; 100,000 packets per second.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SNAP_LENGTH 96
#define NS_BETWEEN_PACKETS 10000
#define SEGMENT 1448
#define LONG_FLOWS 64
#define SHORT_FLOWS 5000
#define FIN 1
#define SYN 2
#define RST 4
#define PSH 8
#define ACK 16
/* Per thousand data segments: those lost before the capture point, and those lost after it. */
#define LOST_BEFORE 2
#define LOST_BEHIND 2
#define SEGMENTS_UNTIL_RETRANSMIT 20

enum kind { SHORT, SCAN, REFUSED, RESET, LONG, KINDS };

struct flow {
	enum kind kind;
	bool ipv6, vlan;
	uint32_t client; /* number of the client; determines its address and port */
	uint32_t sequence[2];
	uint32_t step;
	uint32_t retransmit;    /* sequence number of the segment to retransmit */
	uint32_t retransmit_in; /* number of segments before that; 0: no retransmission is pending */
};

struct frame {
	uint8_t bytes[SNAP_LENGTH];
	uint32_t used, length; /* bytes captured; bytes as it was sent */
};

static uint64_t now_ns = 1700000000000000000ULL;
static uint64_t random_state = 88172645463325252ULL;
static uint32_t clients;
static uint64_t packets_left;
static FILE *out;

/* Marsaglia, Xorshift RNGs, 2003. Gives the same numbers in each run. */
static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 32) * limit >> 32);
}

static void append(struct frame *frame, const void *bytes, uint32_t size)
{
	memcpy(frame->bytes + frame->used, bytes, size);
	frame->used += size;
}

static void append16(struct frame *frame, uint32_t value)
{
	uint16_t big = htons((uint16_t)value);

	append(frame, &big, sizeof(big));
}

static void append32(struct frame *frame, uint32_t value)
{
	uint32_t big = htonl(value);

	append(frame, &big, sizeof(big));
}

static uint32_t sum(const uint8_t *bytes, uint32_t size)
{
	uint32_t total = 0, i;

	for (i = 0; i + 1 < size; i += 2)
		total += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	return total;
}

static void set_checksum(uint8_t *at, uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	total = ~total;
	at[0] = (uint8_t)(total >> 8);
	at[1] = (uint8_t)total;
}

/* A client has an address in 198.18.0.0/16 or fd00::/8 and its own port, a server one of 250 in 198.19.0.0/16. */
static void append_address(struct frame *frame, const struct flow *flow, bool client)
{
	uint32_t number = client ? 0xc6120000 + (flow->client / 50000 & 0xffff) : 0xc6130001 + flow->client % 250;

	if (flow->ipv6) {
		append32(frame, 0xfd000000);
		append32(frame, client);
		append32(frame, 0);
	}
	append32(frame, number);
}

static uint32_t port_of(const struct flow *flow, bool client)
{
	return client ? 10000 + flow->client % 50000 : flow->client % 3 ? 443 : 80;
}

static void append_ethernet(struct frame *frame, const struct flow *flow, int side)
{
	static const uint8_t macs[3][6] = { { 2, 0, 0, 0, 0, 1 }, { 2, 0, 0, 0, 0, 2 }, { 2, 0, 0, 0, 0, 1 } };

	append(frame, macs[side], 12);
	if (flow->vlan) {
		append16(frame, 0x8100);
		append16(frame, 100);
	}
	append16(frame, flow->ipv6 ? 0x86dd : 0x0800);
}

/* side: the sender; 0 is the client. Returns the sum of the pseudo-header for the checksum of TCP or UDP. */
static uint32_t append_ip(struct frame *frame, const struct flow *flow, int side, uint32_t protocol, uint32_t size)
{
	uint32_t start = frame->used, addresses;

	if (flow->ipv6) {
		append32(frame, 0x60000000);
		append16(frame, size);
		append16(frame, protocol << 8 | 64);
	} else {
		append32(frame, 0x45000000 | (size + 20));
		append32(frame, 0x4000);
		append32(frame, 64U << 24 | protocol << 16);
	}
	addresses = frame->used;
	append_address(frame, flow, side == 0);
	append_address(frame, flow, side == 1);
	if (!flow->ipv6)
		set_checksum(frame->bytes + start + 10, sum(frame->bytes + start, 20));
	return sum(frame->bytes + addresses, frame->used - addresses) + protocol + size;
}

static void write_frame(struct frame *frame, uint32_t payload)
{
	uint32_t room = SNAP_LENGTH - frame->used;
	uint32_t header[4];

	frame->length = frame->used + payload;
	frame->used += payload < room ? payload : room;
	header[0] = (uint32_t)(now_ns / 1000000000);
	header[1] = (uint32_t)(now_ns % 1000000000 / 1000);
	header[2] = frame->used;
	header[3] = frame->length;
	fwrite(header, sizeof(header), 1, out);
	fwrite(frame->bytes, frame->used, 1, out);
	now_ns += NS_BETWEEN_PACKETS;
	if (packets_left)
		packets_left--;
}

/* The payload is zero, and so is its part of the checksum. */
static void send_tcp(const struct flow *flow, int side, uint32_t flags, uint32_t sequence, uint32_t payload)
{
	static const uint8_t syn_options[12] = { 2, 4, 5, 180, 1, 1, 1, 1, 1, 3, 3, 7 };
	static const uint8_t timestamps[12] = { 1, 1, 8, 10, 0, 1, 2, 3, 0, 1, 2, 3 };
	struct frame frame = { .used = 0 };
	uint32_t start, total;

	append_ethernet(&frame, flow, side);
	total = append_ip(&frame, flow, side, 6, 32 + payload);
	start = frame.used;
	append16(&frame, port_of(flow, side == 0));
	append16(&frame, port_of(flow, side == 1));
	append32(&frame, sequence);
	append32(&frame, flags & ACK ? flow->sequence[1 - side] : 0);
	append16(&frame, 0x8000 | flags);
	append16(&frame, 8192);
	append32(&frame, 0);
	append(&frame, flags & SYN ? syn_options : timestamps, 12);
	set_checksum(frame.bytes + start + 16, total + sum(frame.bytes + start, 32));
	write_frame(&frame, payload);
}

/* Sends the side's next segment and advances its sequence number. */
static void send_next(struct flow *flow, int side, uint32_t flags, uint32_t payload)
{
	uint32_t sequence = flow->sequence[side];

	flow->sequence[side] += payload + !!(flags & (SYN | FIN));
	send_tcp(flow, side, flags, sequence, payload);
}

static void send_udp(void)
{
	struct flow flow = { .client = random_below(100000), .ipv6 = random_below(2) };
	struct frame frame = { .used = 0 };
	int side = (int)random_below(2);
	uint32_t size = 40 + random_below(400);

	append_ethernet(&frame, &flow, side);
	append_ip(&frame, &flow, side, 17, 8 + size);
	append16(&frame, side ? 53 : port_of(&flow, true));
	append16(&frame, side ? port_of(&flow, true) : 53);
	append16(&frame, 8 + size);
	append16(&frame, 0);
	write_frame(&frame, size);
}

/* Ten packets: handshake, request, answer, close. As the other step functions, returns true after the last packet. */
static bool step_short(struct flow *flow)
{
	switch (flow->step++) {
	/* clang-format off */
	case 0: send_next(flow, 0, SYN, 0); return false;
	case 1: send_next(flow, 1, SYN | ACK, 0); return false;
	case 2: send_next(flow, 0, ACK, 0); return false;
	case 3: send_next(flow, 0, PSH | ACK, 100 + flow->client % 300); return false;
	case 4: send_next(flow, 1, ACK, 0); return false;
	case 5: send_next(flow, 1, PSH | ACK, 200 + flow->client % 1200); return false;
	case 6: send_next(flow, 0, ACK, 0); return false;
	case 7: send_next(flow, 0, FIN | ACK, 0); return false;
	case 8: send_next(flow, 1, FIN | ACK, 0); return false;
	default: send_next(flow, 0, ACK, 0); return true;
		/* clang-format on */
	}
}

static bool step_reset(struct flow *flow)
{
	if (flow->step < 6)
		return step_short(flow);
	send_next(flow, 0, RST | ACK, 0);
	return true;
}

static bool step_refused(struct flow *flow)
{
	if (!flow->step++)
		return send_next(flow, 0, SYN, 0), false;
	flow->sequence[1] = 0;
	send_next(flow, 1, RST | ACK, 0);
	return true;
}

static bool step_scan(struct flow *flow)
{
	send_next(flow, 0, SYN, 0);
	return true;
}

/* Four of five segments are the server's; an ACK follows two segments. */
static bool step_long(struct flow *flow)
{
	int side = flow->step % 15 < 12;
	uint32_t chance, sequence = flow->sequence[side];

	if (flow->step < 3)
		return step_short(flow);
	if (flow->step++ % 3 == 2) {
		send_next(flow, 1 - side, ACK, 0);
		return false;
	}
	if (side && flow->retransmit_in && !--flow->retransmit_in) {
		send_tcp(flow, side, ACK, flow->retransmit, SEGMENT);
		return false;
	}
	chance = random_below(1000);
	if (side && !flow->retransmit_in && chance < LOST_BEFORE + LOST_BEHIND) {
		flow->retransmit = sequence;
		flow->retransmit_in = SEGMENTS_UNTIL_RETRANSMIT;
		if (chance < LOST_BEFORE)
			flow->sequence[side] += SEGMENT;
	}
	send_next(flow, side, ACK, SEGMENT);
	return false;
}

static bool step(struct flow *flow)
{
	static bool (*const steps[KINDS])(struct flow *) = {
		[SHORT] = step_short, [SCAN] = step_scan, [REFUSED] = step_refused,
		[RESET] = step_reset, [LONG] = step_long,
	};

	return steps[flow->kind](flow);
}

static void begin_flow(struct flow *flow, enum kind kind, bool plain)
{
	*flow = (struct flow){
		.kind = kind,
		.client = clients++,
		.sequence = { random_below(UINT32_MAX), random_below(UINT32_MAX) },
		.ipv6 = !plain && !random_below(3),
		.vlan = !plain && !random_below(10),
	};
}

static enum kind random_kind(void)
{
	uint32_t chance = random_below(100);

	return chance < 70 ? SHORT : chance < 80 ? SCAN : chance < 90 ? REFUSED : RESET;
}

/* Steps a random flow, and replaces it when it has ended. Long flows never end. */
static void step_random_flow(struct flow *flows, uint32_t count, bool plain)
{
	struct flow *flow = &flows[random_below(count)];

	if (step(flow))
		begin_flow(flow, plain ? SHORT : random_kind(), plain);
}

static void finish_short(struct flow *flows, uint32_t count)
{
	uint32_t i;

	for (i = 0; i < count; i++)
		while (flows[i].step && !step(&flows[i]))
			;
}

static void make_packets(bool with_long, bool with_short)
{
	static struct flow long_flows[LONG_FLOWS], short_flows[SHORT_FLOWS];
	bool plain = !(with_long && with_short);
	uint32_t i;

	for (i = 0; i < LONG_FLOWS; i++)
		begin_flow(&long_flows[i], LONG, plain);
	for (i = 0; i < SHORT_FLOWS; i++)
		begin_flow(&short_flows[i], plain ? SHORT : random_kind(), plain);
	while (packets_left) {
		if (!plain && !random_below(20))
			send_udp();
		else if (with_long && (!with_short || random_below(2)))
			step_random_flow(long_flows, LONG_FLOWS, plain);
		else
			step_random_flow(short_flows, SHORT_FLOWS, plain);
	}
	if (with_short)
		finish_short(short_flows, SHORT_FLOWS);
}

static void write_file_header(void)
{
	/* Magic, version 2.4, UTC, snap length, Ethernet: draft-ietf-opsawg-pcap section 4. */
	const uint32_t header[6] = { 0xa1b2c3d4, 4 << 16 | 2, 0, 0, SNAP_LENGTH, 1 };

	fwrite(header, sizeof(header), 1, out);
}

int main(int count, char **arguments)
{
	bool with_long = count == 4 && strcmp(arguments[1], "short"),
	     with_short = count == 4 && strcmp(arguments[1], "long");

	if (count != 4 || (with_long && with_short && strcmp(arguments[1], "mixed"))) {
		fprintf(stderr, "usage: make_capture long|short|mixed PACKETS FILE\n");
		return 2;
	}
	packets_left = strtoull(arguments[2], NULL, 10);
	out = fopen(arguments[3], "wb");
	if (!out) {
		perror(arguments[3]);
		return 1;
	}
	write_file_header();
	make_packets(with_long, with_short);
	if (fclose(out)) {
		perror(arguments[3]);
		return 1;
	}
	return 0;
}
