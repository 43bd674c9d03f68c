/* The parser with the link layers, the fragments and the short ways that only hosts in the kernel take.
 *
 * Input: struct parser_input, then frames, each behind struct parser_frame.
 */
#include "tests/fuzz/fuzz.h"

#include "core/buffer.h"
#include "core/packet.h"
#include "core/waiting.h"
#include "src/capture_link.h"
#include "src/replay_fragments.h"
#include "tests/fuzz/parser_input.h"

static void check_segment(const struct nt_packet *packet, __u32 frame_length)
{
	MUST(packet->network_offset <= frame_length);
	MUST(packet->payload_length <= frame_length - packet->network_offset);
	MUST(packet->segments == 1);
}

static enum nt_parse parse(const struct nt_buffer *frame, __u32 offset, __u16 ethertype, __u32 length, __u32 options,
			   struct nt_packet *packet)
{
	enum nt_parse result;

	memset(packet, 0, sizeof(*packet));
	packet->vlan = NT_NO_VLAN;
	result = nt_parse_ip((void *)frame, offset, ethertype, length, options, packet);
	if (result == NT_PACKET_TCP)
		check_segment(packet, length);
	return result;
}

/* What is put together is one whole packet. */
static void join_fragments(struct replay_fragments *fragments, const struct nt_buffer *frame, __u32 offset,
			   __u32 frame_length)
{
	struct nt_buffer whole;
	struct nt_packet packet;
	__u32 length = replay_fragments_add(fragments, frame, offset, frame_length, &whole);

	if (!length)
		return;
	MUST(whole.length && whole.length <= length);
	parse(&whole, 0, whole.data[0] >> 4 == 4 ? NT_ETHERTYPE_IPV4 : NT_ETHERTYPE_IPV6, length, NT_PARSE_TUNNELS, &packet);
}

/* The short way knows less than the whole parse, but nothing else. */
static void check_plain(const struct nt_buffer *frame, const struct capture_place *place, __u32 length)
{
	struct nt_packet plain = {.vlan = NT_NO_VLAN}, whole;
	__u32 slot = NT_WAITING_SLOTS;
	enum nt_parse result = parse(frame, place->offset, place->ethertype, length, 0, &whole);
	enum nt_look look = nt_peek_slot((void *)frame, place->offset, place->ethertype, &slot);
	struct nt_key key;

	if (nt_parse_plain((void *)frame, place->offset, place->ethertype, length, &plain)) {
		MUST(result == NT_PACKET_TCP);
		MUST(!memcmp(&plain, &whole, sizeof(plain)));
	}
	if (result != NT_PACKET_TCP)
		return;
	MUST(look != NT_LOOK_DONE);
	nt_key_from_packet(&key, &whole, 0);
	MUST(look != NT_LOOK_SLOT || slot == nt_waiting_slot(&key));
	MUST(look != NT_LOOK_SLOT || !(whole.flags & (NT_SYN | NT_FIN | NT_RST)));
}

static void take_frame(struct replay_fragments *fragments, const struct parser_input *header, const struct nt_buffer *frame,
		       __u32 length)
{
	struct capture_place place;
	struct nt_packet packet = {.vlan = NT_NO_VLAN};
	enum nt_parse result;

	if (nt_parse_ethernet((void *)frame, length, header->options, &packet) == NT_PACKET_TCP)
		check_segment(&packet, length);
	if (capture_link_locate(header->link_type, frame, &place))
		return;
	MUST(place.offset <= frame->length);
	check_plain(frame, &place, length);
	result = parse(frame, place.offset, place.ethertype, length, header->options, &packet);
	if (result == NT_PACKET_FRAGMENT || (result == NT_PACKET_TCP && packet.marks & NT_PACKET_FIRST_FRAGMENT))
		join_fragments(fragments, frame, packet.network_offset, length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {data, size};
	struct replay_fragments *fragments = replay_fragments_new();
	struct parser_input header;

	fuzz_take(&input, &header, sizeof(header));
	while (fragments && input.size) {
		struct parser_frame said;
		struct nt_buffer frame;
		__u8 *copy;

		fuzz_take(&input, &said, sizeof(said));
		frame.length = said.captured < input.size ? said.captured : input.size;
		copy = malloc(frame.length ? frame.length : 1); /* so that a byte too far is found */
		fuzz_take(&input, copy, frame.length);
		frame.data = copy;
		take_frame(fragments, &header, &frame, frame.length + said.not_captured);
		free(copy);
	}
	replay_fragments_free(fragments);
	return 0;
}
