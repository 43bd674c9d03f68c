/* Runs captures through the loaded kernel programs, and writes the records of what they track.
 *
 * kernel_replay [--tables] DIRECTORY CAPTURE...
 *
 * For the Nth capture, counted from 0, DIRECTORY/N.records.jsonl has the records, made by the same code as live ones,
 * and DIRECTORY/N.left_out.jsonl has each segment that replay takes and the kernel side does not, with the reason.
 * --tables: no slot is free, so that all connections are in the hash tables. Exit status as netracker's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "src/capture/capture_file.h"
#include "src/capture/capture_link.h"
#include "src/capture/capture_reader.h"
#include "src/live/join.h"
#include "src/record/socket_record.h"
#include "src/kernel/loader.h"
#include "src/util/message.h"
#include "src/output/sink.h"
#include "src/kernel/sweep.h"

#include "src/capture/layer.h"
#include "tests/replay/capture_clock.h"

/* Of BPF_PROG_TEST_RUN: a page, less the kernel's own room around a frame. */
#define MOST_BYTES 3500
#define LEAST_BYTES (ETH_HLEN + NT_IPV4_HEADER)
#define SWEEP_EVERY_NS 1000000000ULL
#define VLAN_TAG 4

struct frame {
	__u8 bytes[MOST_BYTES];
	__u32 size;   /* of bytes */
	__u32 length; /* that it had */
};

struct kernel_replay {
	struct loader loader;
	volatile struct capture_clock *clock;
	struct ring_buffer *ring;
	struct join *join;
	struct live_names names;

	/* of one capture */
	struct capture_file *file;
	struct capture_reader *reader;
	struct capture_segment segment; /* of this frame, as replay finds it; ns 0: none */
	bool is_cut; /* its TCP header was not captured whole: such a frame no kernel ever sees */
	struct sweep *sweep;
	struct sink *sink;
	FILE *left_out;
	char records_path[4096];
	__u64 now, swept_ns;
};

/* ---- records out ---- */

static void write_record(void *context, const struct nt_wire_event *event, enum join_passage passage)
{
	struct kernel_replay *run = context;
	struct nt_record record;

	(void)passage;
	live_record_observer(&record, event, &run->names);
	sink_write(run->sink, &record);
}

static int handle_event(void *context, void *data, size_t size)
{
	struct kernel_replay *run = context;
	struct nt_wire_event whole = {};

	memcpy(&whole, data, size < sizeof(whole) ? size : sizeof(whole));
	if (whole.header.type == NT_EVENT_TYPE_WIRE_END)
		join_wire(run->join, &whole);
	return 0;
}

static const char *no_name(void *context, __u32 ifindex)
{
	(void)context;
	(void)ifindex;
	return NULL;
}

/* ---- what replay takes ---- */

static void note_segment(void *context, struct capture_segment *segment)
{
	struct kernel_replay *run = context;

	if (segment->result == NT_PACKET_TCP && !run->segment.ns)
		run->segment = *segment;
	run->is_cut |= segment->result == NT_PACKET_TRUNCATED;
}

/* An Ethernet frame is given to the kernel as it is: what lies between it and IP may be unknown there. */
static bool kernel_knows_link(const struct capture_packet *captured)
{
	struct nt_buffer frame = {.data = captured->data, .length = captured->captured};
	struct nt_packet packet = {.vlan = NT_NO_VLAN};

	return captured->link_type != DLT_EN10MB ||
	       nt_parse_ethernet(&frame, captured->length, 0, &packet) != NT_PACKET_NOT_IP;
}

static bool is_tracked(const struct kernel_replay *run, const struct nt_key *key)
{
	const struct nt_slot *slot = slots_of_key(&run->loader.slots, key);
	struct nt_wire wire;

	return slots_has(slot, key) || !bpf_map_lookup_elem(run->loader.half_open_fd, key, &wire) ||
	       !bpf_map_lookup_elem(run->loader.overflow_fd, key, &wire) ||
	       !bpf_map_lookup_elem(run->loader.established_fd, key, &wire);
}

static void print_address(FILE *out, const __u8 address[16])
{
	static const __u8 mapped[12] = {[10] = 0xff, [11] = 0xff};
	bool is_ipv4 = !memcmp(address, mapped, sizeof(mapped));
	char text[INET6_ADDRSTRLEN];

	inet_ntop(is_ipv4 ? AF_INET : AF_INET6, is_ipv4 ? address + sizeof(mapped) : address, text, sizeof(text));
	fprintf(out, "\"%s\"", text);
}

static void tell_left_out(const struct kernel_replay *run, const struct nt_packet *packet, const char *why)
{
	fprintf(run->left_out, "{\"why\":\"%s\",\"ns\":%llu,\"flags\":%u,\"src_ip\":", why,
		(unsigned long long)run->clock->now, packet->flags);
	print_address(run->left_out, packet->source);
	fprintf(run->left_out, ",\"src_port\":%u,\"dst_ip\":", packet->source_port);
	print_address(run->left_out, packet->destination);
	fprintf(run->left_out, ",\"dst_port\":%u}\n", packet->destination_port);
}

/* ---- packets in ---- */

/* Other link layers are made Ethernet, with the VLAN they had. */
static void make_frame(struct frame *frame, const struct capture_packet *captured,
		       const struct nt_layer *layer)
{
	bool is_ethernet = captured->link_type == DLT_EN10MB, tagged = !is_ethernet && layer->vlan != NT_NO_VLAN;
	__u32 skipped = is_ethernet ? 0 : layer->offset;
	__u32 header = is_ethernet ? 0 : ETH_HLEN + (tagged ? VLAN_TAG : 0);
	__u16 type = htons(layer->type);
	__u16 types[] = {tagged ? htons(ETHERTYPE_VLAN) : type, htons(layer->vlan), type};

	frame->length = header + captured->length - skipped;
	frame->size = header + captured->captured - skipped;
	if (frame->size > MOST_BYTES)
		frame->size = MOST_BYTES;
	memset(frame->bytes, 0, ETH_HLEN);
	if (!is_ethernet)
		memcpy(frame->bytes + ETH_HLEN - sizeof(*types), types, sizeof(*types) + (tagged ? VLAN_TAG : 0));
	memcpy(frame->bytes + header, captured->data + skipped, frame->size - header);
}

static int run_program(const struct kernel_replay *run, const struct frame *frame, bool leaving)
{
	LIBBPF_OPTS(bpf_test_run_opts, test, .data_in = frame->bytes, .data_size_in = frame->size, .repeat = 1);

	run->clock->length = frame->length;
	return bpf_prog_test_run_opts(
		bpf_program__fd(loader_program(&run->loader, leaving ? "wire_egress" : "wire_ingress")), &test);
}

static void sweep_if_due(struct kernel_replay *run)
{
	if (run->now - run->swept_ns < SWEEP_EVERY_NS)
		return;
	run->swept_ns = run->now;
	sweep_idle(run->sweep, run->now, handle_event, run);
}

/* 0, or -errno of the kernel's refusal. */
static int take_packet(struct kernel_replay *run, const struct capture_packet *captured)
{
	struct nt_buffer bytes = {.data = captured->data, .length = captured->captured};
	const struct capture_segment *segment = &run->segment;
	struct capture_place place;
	struct nt_key key;
	struct frame frame;
	bool was_tracked = false;
	int error = 0;

	if (captured->ns > run->now)
		run->now = captured->ns;
	run->clock->now = captured->ns;
	sweep_if_due(run);
	run->segment.ns = 0;
	run->is_cut = false;
	capture_reader_take(run->reader, captured);
	if (run->is_cut)
		return 0;
	if (capture_link_locate(captured->link_type, &bytes, captured->length, &place) != NT_PACKET_TCP ||
	    (nt_pass_layers(&bytes, &place.layer) != NT_PACKET_TCP && captured->link_type != DLT_EN10MB))
		return 0;
	if (segment->ns) {
		nt_key_from_packet(&key, &segment->packet, 0);
		was_tracked = is_tracked(run, &key);
	}
	make_frame(&frame, captured, &place.layer);
	if (frame.size >= LEAST_BYTES)
		error = run_program(run, &frame, place.direction);
	ring_buffer__consume(run->ring);
	if (!segment->ns || error)
		return error;
	if (segment->reassembled)
		tell_left_out(run, &segment->packet, "fragments");
	else if (!kernel_knows_link(captured))
		tell_left_out(run, &segment->packet, "link");
	else if (!was_tracked && !is_tracked(run, &key))
		tell_left_out(run, &segment->packet, "not tracked");
	return 0;
}

/* ---- one capture ---- */

static int open_outputs(struct kernel_replay *run, const char *directory, int number)
{
	struct sink_options options = { .format = &format_json, .path = run->records_path };
	char path[4096];

	snprintf(path, sizeof(path), "%s/%d.left_out.jsonl", directory, number);
	run->left_out = fopen(path, "we");
	snprintf(run->records_path, sizeof(run->records_path), "%s/%d.records.jsonl", directory, number);
	if (!run->left_out || sink_open(&run->sink, &options))
		return EXIT_STATUS_BROKEN;
	return EXIT_STATUS_DONE;
}

static int take_all(struct kernel_replay *run)
{
	struct capture_packet packet;
	int error = 0;

	while (!error && capture_file_next(run->file, &packet) == 1)
		error = take_packet(run, &packet);
	if (error) {
		message_error("BPF_PROG_TEST_RUN: %s", strerror(-error));
		return EXIT_STATUS_KERNEL;
	}
	sweep_finish(run->sweep, run->now, handle_event, run);
	return sink_finish(run->sink) || fflush(run->left_out) ? EXIT_STATUS_BROKEN : EXIT_STATUS_DONE;
}

static int run_capture(struct kernel_replay *run, const char *path, const char *directory, int number)
{
	const struct capture_reader_host host = {.take = note_segment, .context = run};
	int status = EXIT_STATUS_BROKEN;

	run->now = run->swept_ns = 0;
	run->sink = NULL;
	run->left_out = NULL;
	run->sweep = sweep_new(&run->loader, true);
	run->reader = NULL;
	if (run->sweep && !capture_file_open(&run->file, path)) {
		run->reader = capture_reader_new(false, &host);
		status = run->reader ? open_outputs(run, directory, number) : EXIT_STATUS_BROKEN;
		if (status == EXIT_STATUS_DONE)
			status = take_all(run);
		capture_file_close(run->file);
	}
	if (run->left_out)
		fclose(run->left_out);
	sink_close(run->sink);
	sweep_free(run->sweep);
	capture_reader_free(run->reader);
	return status;
}

/* ---- set-up ---- */

static int set_up(struct kernel_replay *run)
{
	const struct join_output output = {.context = run, .observer = write_record};
	const struct record_filter no_filter = { 0 };
	const struct loader_options options = {
		.contexts = CONTEXT_WIRE, .every_packet = true, .reports_open = true, .filter = &no_filter,
	};
	int status;

	run->names = (struct live_names){.interface_name = no_name, .every_packet = true};
	run->join = join_new(1, 0, false, &output);
	status = loader_open(&run->loader, &options);
	if (status != EXIT_STATUS_DONE)
		return status;
	run->clock = mmap(NULL, sizeof(*run->clock), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_object__find_map_fd_by_name(run->loader.object, CAPTURE_CLOCK_MAP), 0);
	run->ring = ring_buffer__new(run->loader.events_fd, handle_event, run, NULL);
	if (run->clock == MAP_FAILED || !run->ring || !run->join) {
		message_error("cannot read the kernel side: %s", strerror(errno));
		return EXIT_STATUS_KERNEL;
	}
	return EXIT_STATUS_DONE;
}

static void take_all_slots(const struct slots *slots)
{
	__u32 i;

	for (i = 0; i < slots->count; i++)
		slots->slot[i].claims = 1;
}

static int check_losses(const struct kernel_replay *run)
{
	__u64 counters[NT_COUNTERS];

	loader_counters(&run->loader, counters);
	if (!counters[NT_COUNT_WIRE_RING_FULL] && !counters[NT_COUNT_HALF_OPEN_FULL] &&
	    !counters[NT_COUNT_ESTABLISHED_FULL])
		return EXIT_STATUS_DONE;
	message_error("the kernel side lost connections of the captures");
	return EXIT_STATUS_BROKEN;
}

int main(int argc, char **argv)
{
	bool tables = argc > 1 && !strcmp(argv[1], "--tables");
	struct kernel_replay run = {};
	int status, i;

	argc -= tables;
	argv += tables;
	if (argc < 3) {
		message_error("usage: kernel_replay [--tables] DIRECTORY CAPTURE...");
		return EXIT_STATUS_USAGE;
	}
	status = set_up(&run);
	if (status == EXIT_STATUS_DONE && tables)
		take_all_slots(&run.loader.slots);
	for (i = 2; i < argc && status == EXIT_STATUS_DONE; i++)
		status = run_capture(&run, argv[i], argv[1], i - 2);
	if (status == EXIT_STATUS_DONE)
		status = check_losses(&run);
	ring_buffer__free(run.ring);
	join_free(run.join);
	loader_close(&run.loader);
	return status;
}
