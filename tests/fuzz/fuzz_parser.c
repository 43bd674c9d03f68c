// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the parser with link layers, tunnels and fragments, and the fast paths that only some hosts use.
 *
 * Input: struct parser_input, then frames, each preceded by struct parser_frame.
 */
#include "tests/fuzz/fuzz.h"

#include "core/buffer.h"
#include "src/capture/layer.h"
#include "core/fast_path.h"
#include "src/capture/capture_link.h"
#include "src/capture/capture_reader.h"
#include "tests/fuzz/parser_input.h"

static void check_segment(const struct nt_packet *packet, __u32 frame_length)
{
	MUST(packet->network_offset <= frame_length);
	MUST(packet->payload_length <= frame_length - packet->network_offset);
	MUST(packet->segments == 1);
}

static void check_parsed_segment(void *context, struct capture_segment *segment)
{
	(void)context;
	if (segment->result == NT_PACKET_TCP && !segment->reassembled)
		check_segment(&segment->packet, ~0U);
	if (segment->result == NT_PACKET_TCP)
		MUST(segment->packet.transport_offset < segment->frame->length);
}

static void check_icmp_error(void *context, const struct capture_segment *segment, int error)
{
	(void)context;
	MUST(error > 0);
	MUST(segment->packet.network_offset < segment->frame->length);
}

/* The fast paths may decline a packet, but must not contradict the full parser. */
static void check_plain(const struct nt_buffer *frame, const struct nt_layer *layer, __u32 length)
{
	struct nt_packet plain, whole;
	__u32 slot = NT_FAST_PATH_SLOTS;
	enum nt_fast_path fast_path = nt_peek_slot((void *)frame, layer->offset, layer->type, &slot);
	enum nt_parse result;
	struct nt_key key;

	memset(&plain, 0, sizeof(plain));
	memset(&whole, 0, sizeof(whole));
	plain.vlan = whole.vlan = NT_NO_VLAN;
	result = nt_parse_ip((void *)frame, layer->offset, layer->type, length, 0, &whole);
	if (nt_parse_plain((void *)frame, layer->offset, layer->type, length, &plain)) {
		MUST(result == NT_PACKET_TCP);
		MUST(!memcmp(&plain, &whole, sizeof(plain)));
	}
	if (result != NT_PACKET_TCP)
		return;
	check_segment(&whole, length);
	MUST(fast_path != NT_FAST_PATH_DONE);
	nt_key_from_packet(&key, &whole, 0);
	MUST(fast_path != NT_FAST_PATH_SLOT || slot == nt_fast_path_slot(&key));
	MUST(fast_path != NT_FAST_PATH_SLOT || !(whole.flags & (NT_SYN | NT_FIN | NT_RST)));
}

static void parse_frame(struct capture_reader *reader, const struct parser_input *header, const struct nt_buffer *frame,
			__u32 length)
{
	const struct capture_packet captured = {
		.data = frame->data,
		.captured = frame->length,
		.length = length,
		.ns = 1,
		.link_type = header->link_type,
	};
	struct capture_place place;
	struct nt_packet packet = { .vlan = NT_NO_VLAN };

	if (nt_parse_ethernet((void *)frame, length, header->options, &packet) == NT_PACKET_TCP)
		check_segment(&packet, length);
	if (capture_link_locate(header->link_type, frame, length, &place) == NT_PACKET_TCP &&
	    nt_pass_layers((void *)frame, &place.layer) == NT_PACKET_TCP)
		check_plain(frame, &place.layer, length);
	capture_reader_take(reader, &captured);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct capture_reader_host host = { .take = check_parsed_segment, .take_error = check_icmp_error };
	struct fuzz_input input = { data, size };
	struct parser_input header;
	struct capture_reader *reader;

	fuzz_take(&input, &header, sizeof(header));
	reader = capture_reader_new(header.options & NT_PARSE_TUNNELS, &host);
	while (reader && input.size) {
		struct parser_frame lengths;
		struct nt_buffer frame;
		__u8 *copy;

		fuzz_take(&input, &lengths, sizeof(lengths));
		frame.length = lengths.captured < input.size ? lengths.captured : input.size;
		copy = malloc(frame.length ?
				      frame.length :
				      1); /* an own allocation, so that the address sanitizer detects overreads */
		fuzz_take(&input, copy, frame.length);
		frame.data = copy;
		parse_frame(reader, &header, &frame, frame.length + lengths.not_captured);
		free(copy);
	}
	capture_reader_free(reader);
	return 0;
}
