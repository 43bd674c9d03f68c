// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_reader.h"

#include <pcap/dlt.h>
#include <stdlib.h>

#include "src/capture/tunnel.h"
#include "src/capture/capture_link.h"
#include "src/capture/fragments.h"

struct capture_reader {
	struct capture_reader_host host;
	struct fragment_table *fragments;
	struct interface_names *interfaces;
	struct passed_over passed_over;
	__u64 unread; /* frames of unsupported link types */
	int unread_type;
	__u32 options; /* enum nt_parse_option */
};

struct capture_reader *capture_reader_new(bool tunnels, const struct capture_reader_host *host)
{
	const struct fragment_rules rules = { .tunnels = tunnels, .for_ever = host->keeps_fragments };
	struct capture_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	reader->host = *host;
	reader->options = tunnels ? NT_PARSE_TUNNELS : 0;
	reader->options |= host->trusts_frame_lengths ? 0 : NT_PARSE_BEYOND_FRAME;
	reader->fragments = fragment_table_new(&rules);
	reader->interfaces = interface_names_new();
	if (reader->fragments && reader->interfaces)
		return reader;
	capture_reader_free(reader);
	return NULL;
}

void capture_reader_free(struct capture_reader *reader)
{
	if (!reader)
		return;
	fragment_table_free(reader->fragments);
	interface_names_free(reader->interfaces);
	free(reader);
}

struct interface_names *capture_reader_interfaces(struct capture_reader *reader)
{
	return reader->interfaces;
}

bool capture_reader_parse_plain(const struct capture_packet *captured, struct capture_segment *segment)
{
	const struct nt_buffer frame = { .data = captured->data, .length = captured->captured };
	__u16 ethertype;

	if (captured->link_type != DLT_EN10MB || captured->process ||
	    NT_LOAD(&frame, NT_ETHERNET_HEADER - sizeof(ethertype), &ethertype, sizeof(ethertype)) < 0)
		return false;
	segment->packet.vlan = NT_NO_VLAN;
	segment->result = NT_PACKET_TCP;
	segment->ns = captured->ns;
	segment->interface = captured->interface;
	segment->direction = captured->direction;
	segment->process = NULL;
	return nt_parse_plain((void *)&frame, NT_ETHERNET_HEADER, nt_network16(ethertype), captured->length,
			      &segment->packet);
}

static void parse_all_layers(struct capture_reader *reader, struct nt_layer *layer, struct capture_segment *segment,
			     int depth);

static bool is_fragment(const struct capture_segment *segment)
{
	return segment->result == NT_PACKET_FRAGMENT ||
	       (segment->result == NT_PACKET_TCP && segment->packet.marks & NT_PACKET_FIRST_FRAGMENT);
}

/* Adds a fragment of CAPWAP or IP. If it completes a packet, *inner is its first layer. */
static enum fragment_result join_fragment_of_layer(struct capture_reader *reader, const struct nt_layer *layer,
						   const struct capture_segment *segment, struct nt_buffer *whole,
						   struct nt_layer *inner)
{
	inner->type = layer->type == NT_LAYER_CAPWAP_ETHERNET  ? NT_ETHERTYPE_BRIDGED :
		      layer->type == NT_LAYER_CAPWAP_IEEE80211 ? NT_LAYER_IEEE80211_SWAPPED :
								 NT_LAYER_IP;
	if (inner->type != NT_LAYER_IP)
		return fragment_table_add_capwap(reader->fragments, segment->frame, &segment->packet, layer,
						 segment->ns, whole, &inner->end);
	return fragment_table_add(reader->fragments, segment->frame, segment->packet.network_offset, segment->ns, whole,
				  &inner->end);
}

/* Only fragments that were captured whole can be reassembled. A first fragment that was cut is parsed on its own,
 * because it holds the TCP header. Returns false if the caller shall do so.
 */
static bool add_fragment(struct capture_reader *reader, const struct nt_layer *layer,
			 const struct capture_segment *segment, int depth)
{
	struct nt_layer inner = { .vlan = layer->vlan, .is_end_doubtful = true };
	struct capture_segment joined = *segment;
	enum fragment_result result;
	struct nt_buffer whole;

	if (depth > NT_MOST_TUNNELS)
		return false;
	result = join_fragment_of_layer(reader, layer, segment, &whole, &inner);
	joined.frame = &whole;
	joined.reassembled = true;
	joined.is_whole = false; /* only the beginning of its payload is kept */
	if (result == FRAGMENT_COMPLETES)
		parse_all_layers(reader, &inner, &joined, depth + 1);
	return result != FRAGMENT_CUT;
}

static bool is_packet_accepted(const struct capture_reader *reader, const struct nt_layer *layer,
			       const struct capture_segment *segment)
{
	return !reader->host.accepts || segment->reassembled ||
	       reader->host.accepts(reader->host.context, segment->frame, layer->offset);
}

/* The packet is no TCP; its layer is after the IP header. */
static void take_icmp_error(struct capture_reader *reader, const struct nt_layer *layer,
			    struct capture_segment *segment)
{
	int error;

	if (!reader->host.take_error || (layer->type != NT_LAYER_ICMP && layer->type != NT_LAYER_ICMPV6))
		return;
	error = nt_parse_icmp_error((void *)segment->frame, layer, &segment->packet);
	if (error)
		reader->host.take_error(reader->host.context, segment, error);
}

static void parse_layer(struct capture_reader *reader, struct nt_layer *layer, struct capture_segment *segment,
			int depth)
{
	void *frame = (void *)segment->frame;

	segment->packet.transport_offset = 0;
	segment->result = nt_pass_layers(frame, layer);
	if (segment->result == NT_PACKET_TCP) {
		if (!is_packet_accepted(reader, layer, segment))
			return;
		segment->result = nt_parse_layers(frame, layer, reader->options, &segment->packet);
	}
	if (is_fragment(segment) && add_fragment(reader, layer, segment, depth))
		return;
	passed_over_add_layer(&reader->passed_over, layer, segment->result, segment->is_whole);
	if (segment->result == NT_PACKET_NOT_TCP)
		take_icmp_error(reader, layer, segment);
	if (segment->result == NT_PACKET_TCP || segment->packet.transport_offset)
		reader->host.take(reader->host.context, segment);
}

/* Parses all subframes of a frame or of a reassembled packet. */
static void parse_all_layers(struct capture_reader *reader, struct nt_layer *layer, struct capture_segment *segment,
			     int depth)
{
	do {
		parse_layer(reader, layer, segment, depth);
	} while (nt_next_subframe(layer));
}

/* The interface of the packet's header is one of several that the file describes as one. */
static struct capture_interface find_interface(const struct capture_reader *reader,
					       const struct capture_packet *captured, const struct capture_place *place)
{
	if (place->ifname_size && *place->ifname)
		return interface_names_find(reader->interfaces, INTERFACE_OF_HEADER, place->ifname, place->ifname_size);
	if (place->interface)
		return (struct capture_interface){ place->interface, captured->interface.name };
	return captured->interface;
}

void capture_reader_take(struct capture_reader *reader, const struct capture_packet *captured)
{
	const struct nt_buffer frame = { .data = captured->data, .length = captured->captured };
	struct capture_segment segment = {
		.frame = &frame,
		.ns = captured->ns,
		.is_whole = captured->captured >= captured->length,
	};
	struct capture_place place;
	__u32 length = captured->length;
	enum nt_parse result;

	if (!reader->host.trusts_frame_lengths && length < captured->captured)
		length = captured->captured;
	if (!capture_link_is_known(captured->link_type)) {
		if (!reader->unread++)
			reader->unread_type = captured->link_type;
		passed_over_add(&reader->passed_over, NT_OVER_LINK, (__u32)captured->link_type, 1);
		return;
	}
	result = capture_link_locate(captured->link_type, &frame, length, &place);
	if (result != NT_PACKET_TCP) {
		passed_over_add_layer(&reader->passed_over, &place.layer, result, segment.is_whole);
		return;
	}
	place.layer.is_end_doubtful = !reader->host.trusts_frame_lengths;
	segment.interface = find_interface(reader, captured, &place);
	segment.direction = place.direction | captured->direction;
	segment.process = place.process.pid ? &place.process : captured->process;
	parse_all_layers(reader, &place.layer, &segment, 0);
}

struct passed_over capture_reader_passed_over(const struct capture_reader *reader)
{
	struct passed_over passed_over = reader->passed_over;

	passed_over_add(&passed_over, NT_OVER_INCOMPLETE, 0, fragment_table_incomplete(reader->fragments));
	return passed_over;
}

__u64 capture_reader_take_unread(struct capture_reader *reader, int *link_type)
{
	__u64 unread = reader->unread;

	*link_type = reader->unread_type;
	reader->unread = 0;
	return unread;
}
