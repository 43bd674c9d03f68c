// SPDX-License-Identifier: GPL-2.0-or-later
/* Measures the time per packet in the wire context by BPF_PROG_TEST_RUN: the minimum of many runs, and that of an empty
 * program for comparison. Needs root.
 *
 *	build/bench/packet_cost [--packets]
 */
#include <arpa/inet.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/kernel/loader.h"

#define REPEAT 200000
#define ROUNDS 15
#define CONNECTIONS 20000

enum { ETHERNET = 14, IPV4 = 20, TCP = 20 };

static size_t make_frame(unsigned char *frame, unsigned int flags, unsigned int payload, unsigned int source_port)
{
	unsigned char *ip = frame + ETHERNET, *tcp = ip + IPV4;
	unsigned int length = IPV4 + TCP + payload;

	memset(frame, 0, ETHERNET + length);
	frame[12] = 0x08;
	ip[0] = 0x45;
	ip[2] = length >> 8;
	ip[3] = length;
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, (unsigned char[]){ 198, 18, 0, 1, 198, 18, 0, 2 }, 8);
	tcp[0] = source_port >> 8;
	tcp[1] = source_port;
	tcp[2] = 0;
	tcp[3] = 80;
	tcp[7] = 1;
	tcp[12] = TCP / 4 << 4;
	tcp[13] = flags;
	return ETHERNET + length;
}

static int minimum_ns(int program, unsigned char *frame, size_t size)
{
	int least = INT_MAX, round;

	for (round = 0; round < ROUNDS; round++) {
		LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = size, .repeat = REPEAT);

		if (bpf_prog_test_run_opts(program, &run)) {
			perror("test run");
			return 0;
		}
		if ((int)run.duration < least)
			least = (int)run.duration;
	}
	return least;
}

struct sample {
	unsigned int flags, sequence, acknowledgement, back, payload;
};

static const struct sample without_payload[] = {
	{ 0x02, 1, 0, 0, 0 }, { 0x12, 7, 2, 1, 0 }, { 0x10, 2, 8, 0, 0 }, { 0x11, 2, 8, 0, 0 }, { 0x11, 8, 3, 1, 0 },
};

/* The first payload of each side, and the ACKs. */
static const struct sample with_payload[] = {
	{ 0x02, 1, 0, 0, 0 },   { 0x12, 7, 2, 1, 0 },   { 0x10, 2, 8, 0, 0 },
	{ 0x18, 2, 8, 0, 80 },  { 0x10, 8, 82, 1, 0 },  { 0x18, 8, 82, 1, 90 },
	{ 0x10, 82, 98, 0, 0 }, { 0x11, 82, 98, 0, 0 }, { 0x11, 98, 83, 1, 0 },
};

/* Returns the time of one run. */
static unsigned int run_once(int program, unsigned char *frame, const struct sample *packet, unsigned int source_port,
			     unsigned int destination_port)
{
	size_t size = make_frame(frame, packet->flags, packet->payload, source_port);
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = size, .repeat = 1);
	unsigned char *ip = frame + ETHERNET, *tcp = ip + IPV4, swap[4];

	tcp[3] = destination_port;
	tcp[7] = packet->sequence;
	tcp[11] = packet->acknowledgement;
	if (packet->back) {
		memcpy(swap, ip + 12, 4);
		memcpy(ip + 12, ip + 16, 4);
		memcpy(ip + 16, swap, 4);
		memcpy(swap, tcp, 2);
		memcpy(tcp, tcp + 2, 2);
		memcpy(tcp + 2, swap, 2);
	}
	bpf_prog_test_run_opts(program, &run);
	return run.duration;
}

/* Runs the packets of a connection once each. Returns the mean over many connections. */
static int connection_ns(int program, unsigned char *frame, const struct sample *packets, unsigned int count)
{
	unsigned int i, port, total = 0;

	for (port = 1024; port < 1024 + CONNECTIONS; port++)
		for (i = 0; i < count; i++)
			total += run_once(program, frame, &packets[i], port, 80);
	return (int)(total / CONNECTIONS);
}

static int load_empty_program(void)
{
	static const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = -1 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code, 2, NULL);
}

static void report_connection(struct loader *loader, const char *name, const struct sample *packets, unsigned int count)
{
	unsigned char frame[2000];
	int program = bpf_program__fd(loader_wire_program(loader, false, true));
	int ns = connection_ns(program, frame, packets, count) -
		 connection_ns(load_empty_program(), frame, packets, count);

	printf("%-16s %4d ns over the empty program, %u packets, each run once\n", name, ns, count);
}

/* A connection that never sends begins, with the ports of the busy one exchanged by one bit each: both have one slot. */
static void report_shared_slot(struct loader *loader)
{
	unsigned char frame[2000];
	int program = bpf_program__fd(loader_wire_program(loader, false, true)), empty = load_empty_program();
	unsigned int i;
	size_t size;

	for (i = 0; i < 3; i++)
		run_once(program, frame, &without_payload[i], 1000 ^ 1, 80 ^ 1);
	size = make_frame(frame, 0x18, 1400, 1000);
	printf("%-16s %4d ns over the empty program, data in the slot of a connection that waits for payload\n",
	       "shared slot", minimum_ns(program, frame, size) - minimum_ns(empty, frame, size));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		unsigned int flags, payload;
	} packets[] = {
		{ "data", 0x18, 1400 },
		{ "pure ACK", 0x10, 0 },
		{ "repeated SYN", 0x02, 0 },
	};
	const struct loader_options options = {
		.contexts = CONTEXT_WIRE,
		.every_packet = argc > 1 && !strcmp(argv[1], "--packets"),
		.own_netns = 1,
	};
	unsigned char frame[2000];
	struct loader loader;
	unsigned int i;
	int empty;

	if (loader_open(&loader, &options))
		return 1;
	empty = minimum_ns(load_empty_program(), frame, make_frame(frame, 0x10, 0, 1000));
	printf("%-16s %4d ns\n", "empty program", empty);
	for (i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
		size_t size = make_frame(frame, packets[i].flags, packets[i].payload, 1000);
		int ns = minimum_ns(bpf_program__fd(loader_wire_program(&loader, false, true)), frame, size);

		printf("%-16s %4d ns, %d over the empty program\n", packets[i].name, ns, ns - empty);
	}
	report_connection(&loader, "connection", without_payload, sizeof(without_payload) / sizeof(*without_payload));
	report_connection(&loader, "with payload", with_payload, sizeof(with_payload) / sizeof(*with_payload));
	report_shared_slot(&loader);
	loader_close(&loader);
	return 0;
}
