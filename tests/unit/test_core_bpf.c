// SPDX-License-Identifier: GPL-2.0-or-later
/* core/ as a BPF object (core_bpf.c): it compiles without global data, the verifier accepts it, and in the kernel it
 * gives the same results as in user space.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/buffer.h"
#include "core/connection.h"
#include "core/key.h"
#include "core/stream.h"

#include "tests/unit/check.h"

#define OBJECT "build/tests/unit/core_bpf.o"
#define COMPILE \
	"clang -target bpf -O2 -g -Wall -Wextra -Werror -I. -idirafter /usr/include/$(cc -print-multiarch) " \
	"-c tests/unit/core_bpf.c -o " OBJECT

struct tracked {
	struct nt_connection connection;
	struct nt_stream streams[2];
};

struct frame {
	__u8 bytes[14 + 40 + 20 + 200];
	__u32 length;
};

static unsigned int skipped;

static void skip(const char *reason)
{
	printf("skip: %s\n", reason);
	skipped++;
}

/* BCC cannot load data of any kind (docs/architecture.md). */
static void check_no_data(void)
{
	struct bpf_object *object = bpf_object__open(OBJECT);
	struct bpf_map *map;

	if (!CHECK(object != NULL))
		return;
	bpf_object__for_each_map (map, object)
		CHECK(!bpf_map__is_internal(map));
	bpf_object__close(object);
}

/* IPv4 for even connections, IPv6 for odd ones. */
static struct frame segment(int number, int from_client, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 size)
{
	struct nt_tcp_header tcp = { .sequence = htonl(sequence),
				     .acknowledgement = htonl(acknowledgement),
				     .data_offset = 5 << 4,
				     .flags = flags,
				     .window = htons(1000) };
	struct nt_ipv4_header ipv4 = {
		.version_and_length = 0x45, .total_length = htons(40 + size), .time_to_live = 64, .protocol = 6
	};
	struct nt_ipv6_header ipv6 = {
		.version_and_class = 0x60, .payload_length = htons(20 + size), .next_header = 6, .hop_limit = 64
	};
	struct frame frame = { .length = 14 };
	__u32 addresses[2] = { htonl(0xc6120001), htonl(0xc6120002) };
	__u16 ports[2] = { htons(40000 + number), htons(80) };
	int v6 = number & 1;

	tcp.source_port = ports[!from_client];
	tcp.destination_port = ports[!!from_client];
	ipv4.source = addresses[!from_client];
	ipv4.destination = addresses[!!from_client];
	ipv6.addresses[0] = ipv6.addresses[4] = htonl(0xfd000000);
	ipv6.addresses[3] = ipv4.source;
	ipv6.addresses[7] = ipv4.destination;
	frame.bytes[12] = v6 ? 0x86 : 0x08;
	frame.bytes[13] = v6 ? 0xdd : 0x00;
	memcpy(frame.bytes + 14, v6 ? (void *)&ipv6 : (void *)&ipv4, v6 ? 40 : 20);
	frame.length += v6 ? 40 : 20;
	memcpy(frame.bytes + frame.length, &tcp, sizeof(tcp));
	frame.length += sizeof(tcp) + size;
	return frame;
}

/* Finds the entry by addresses and ports: the kernel's key holds the ifindex as its namespace. Returns 0, or -1. */
static int find_tracked(int map, const struct nt_key *wanted, struct tracked *tracked)
{
	struct nt_key key, *before = NULL;

	while (!bpf_map_get_next_key(map, before, &key)) {
		if (!memcmp(&key, wanted, sizeof(key) - sizeof(key.netns)))
			return bpf_map_lookup_elem(map, &key, tracked);
		before = &key;
	}
	return -1;
}

static void run_in_kernel(int program, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame->bytes, .data_size_in = frame->length, .repeat = 1);

	CHECK_EQUAL(bpf_prog_test_run_opts(program, &run), 0);
	CHECK_EQUAL((int)run.retval, -1); /* TC_ACT_UNSPEC */
}

static void run_in_user_space(struct tracked *tracked, struct nt_key *key, const struct frame *frame, int first)
{
	struct nt_buffer buffer = { .data = frame->bytes, .length = frame->length };
	const struct nt_place place = nt_place_at(0, 0, 0);
	struct nt_packet packet = { .vlan = NT_NO_VLAN };
	int source;

	CHECK_EQUAL(nt_parse_ethernet(&buffer, frame->length, 0, &packet), NT_PACKET_TCP);
	source = nt_key_from_packet(key, &packet, 0);
	if (first)
		nt_connection_begin(&tracked->connection, &packet, source, 1);
	else
		nt_connection_step(&tracked->connection, &packet, source, 1);
	nt_connection_add_packet(&tracked->connection, &packet, source);
	nt_stream_step(&tracked->streams[source], &tracked->streams[!source], &packet, &place);
}

static void check_same(const struct tracked *kernel, const struct tracked *user)
{
	const struct nt_connection *a = &kernel->connection, *b = &user->connection;
	int i;

	CHECK(!memcmp(a->history, b->history, sizeof(a->history)));
	CHECK_EQUAL(a->history_length, b->history_length);
	CHECK(!memcmp(a->side, b->side, sizeof(a->side)));
	CHECK(!memcmp(a->isn, b->isn, sizeof(a->isn)));
	CHECK(!memcmp(a->fin_sequence, b->fin_sequence, sizeof(a->fin_sequence)));
	CHECK_EQUAL(nt_connection_state(a), nt_connection_state(b));
	CHECK_EQUAL(a->src_index, b->src_index);
	CHECK_EQUAL(a->marks, b->marks);
	CHECK_EQUAL(!a->ack_ns, !b->ack_ns);
	for (i = 0; i < 2; i++) {
		CHECK_EQUAL(kernel->streams[i].core.packets, user->streams[i].core.packets);
		CHECK_EQUAL(kernel->streams[i].core.bytes, user->streams[i].core.bytes);
		CHECK_EQUAL(kernel->streams[i].core.retransmits, user->streams[i].core.retransmits);
		CHECK(!memcmp(kernel->streams[i].hole, user->streams[i].hole, sizeof(user->streams[i].hole)));
	}
}

/* Runs 30 random packets, most of them with plausible flags and numbers. */
static void check_connection(int program, int map, int number)
{
	struct tracked user = { 0 }, kernel;
	struct frame frame = segment(number, 1, NT_SYN, 1000, 0, 0);
	struct nt_key key;
	int i, from_client;

	srand(number);
	run_in_kernel(program, &frame);
	run_in_user_space(&user, &key, &frame, 1);
	for (i = 0; i < 30; i++) {
		__u8 flags = rand() % 8 ? NT_ACK : i == 0 ? NT_SYN | NT_ACK : rand() % 2 ? NT_ACK | NT_FIN : NT_RST;
		__u32 sequence = 1001 + rand() % 10 * 50, acknowledgement = 1001 + rand() % 500;

		from_client = i == 0 ? 0 : rand() % 2;
		if (i == 0) {
			flags = NT_SYN | NT_ACK;
			sequence = 1000;
			acknowledgement = 1001;
		}
		frame = segment(number, from_client, flags, sequence, acknowledgement, i ? rand() % 3 * 50 : 0);
		run_in_kernel(program, &frame);
		run_in_user_space(&user, &key, &frame, 0);
	}
	if (CHECK_EQUAL(find_tracked(map, &key, &kernel), 0))
		check_same(&kernel, &user);
}

static int print_warnings_only(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vprintf(format, arguments) : 0;
}

static void check_in_kernel(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	struct bpf_object *object = bpf_object__open(OBJECT);
	int error, number, program, map;

	setrlimit(RLIMIT_MEMLOCK, &unlimited); /* BPF maps count against it before Linux 5.11 */
	error = bpf_object__load(object);
	if (error == -EPERM) {
		skip("the kernel does not let us load BPF programs");
		bpf_object__close(object);
		return;
	}
	if (CHECK_EQUAL(error, 0)) {
		program = bpf_program__fd(bpf_object__find_program_by_name(object, "follow_ethernet"));
		map = bpf_object__find_map_fd_by_name(object, "connections");
		for (number = 0; number < 50; number++)
			check_connection(program, map, number);
	}
	bpf_object__close(object);
}

int main(void)
{
	libbpf_set_print(print_warnings_only);
	if (CHECK_EQUAL(system(COMPILE), 0)) {
		check_no_data();
		check_in_kernel();
	}
	printf("%u passed, %u failed, %u skipped\n", check_passed, check_failed, skipped);
	return check_failed ? 1 : 0;
}
