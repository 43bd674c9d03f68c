// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/fragments.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/packet.h"
#include "src/capture/access_point.h"

#define UNIT 8 /* bytes; each fragment begins at a multiple (RFC 791 section 3.2) */
#define MOST_PAYLOAD 65535
#define ANY_LENGTH (~0U) /* of a frame: the captured bytes limit what is read */
#define CAPWAP 0         /* in place of IP's version */
#define KEPT_PAYLOAD 512 /* bytes; enough for a few tunnel headers and TCP's header */

struct fragment_key {
	__u32 address[8];
	__u32 identification;
	__u8 protocol;
	__u8 version;
	__u8 zero[2];
};

struct fragment {
	struct fragment_key key;
	__u32 start, length; /* bytes; position in the payload of the whole packet */
	__u32 data;          /* offset of the payload in the frame */
	bool more;
};

struct fragment_slot {
	struct fragment_key key;
	__u64 age;      /* 0: unused */
	__u64 began_ns; /* capture time of the first fragment to arrive */
	bool complete;  /* the packet stays valid, but no more fragments are added */
	bool repeated;  /* its fragments may be those of a complete packet, captured again */
	__u32 total;    /* bytes of payload; 0: unknown, the last fragment is missing */
	__u32 end;      /* of the fragment that extends farthest */
	__u32 units_seen;
	__u8 seen[MOST_PAYLOAD / UNIT / 8 + 1];
	__u8 packet[NT_IPV6_HEADER + KEPT_PAYLOAD];
};

struct fragment_table {
	struct fragment_slot slot[FRAGMENT_TABLE_SLOTS];
	struct fragment_rules rules;
	__u64 clock;
	__u64 given_up;
};

struct fragment_table *fragment_table_new(const struct fragment_rules *rules)
{
	struct fragment_table *fragments = calloc(1, sizeof(*fragments));

	if (fragments)
		fragments->rules = *rules;
	return fragments;
}

void fragment_table_free(struct fragment_table *fragments)
{
	free(fragments);
}

static bool is_waiting(const struct fragment_slot *slot)
{
	return slot->age && !slot->complete;
}

static bool is_missed(const struct fragment_slot *slot)
{
	return is_waiting(slot) && !slot->repeated;
}

__u64 fragment_table_incomplete(const struct fragment_table *fragments)
{
	__u64 count = fragments->given_up;
	int i;

	for (i = 0; i < FRAGMENT_TABLE_SLOTS; i++)
		count += is_missed(&fragments->slot[i]);
	return count;
}

static bool read_ipv4_fragment(const struct nt_buffer *frame, __u32 offset, struct nt_cursor *cursor,
			       struct fragment *fragment)
{
	struct nt_ipv4_header header;

	if (NT_LOAD(frame, offset, &header, sizeof(header)) < 0)
		return false;
	fragment->key.identification = header.identification;
	fragment->key.protocol = header.protocol;
	fragment->start = (ntohs(header.fragment) & 0x1fff) * UNIT;
	fragment->more = ntohs(header.fragment) & 0x2000;
	fragment->data = cursor->offset;
	return true;
}

/* Extension headers before the fragment header are not part of the fragmented payload (RFC 8200 section 4.5). */
static bool read_ipv6_fragment(const struct nt_buffer *frame, struct nt_cursor *cursor, struct fragment *fragment)
{
	struct {
		__u8 next_header, reserved;
		__u16 fragment;
		__u32 identification;
	} header;
	int i;

	for (i = 0; i < NT_MOST_EXTENSION_HEADERS && cursor->protocol != NT_PROTOCOL_FRAGMENT; i++)
		if (nt_pass_extension_header((void *)frame, cursor) != NT_PACKET_TCP)
			return false;
	if (cursor->protocol != NT_PROTOCOL_FRAGMENT || cursor->end - cursor->offset < sizeof(header) ||
	    NT_LOAD(frame, cursor->offset, &header, sizeof(header)) < 0)
		return false;
	fragment->key.identification = header.identification;
	fragment->key.protocol = header.next_header;
	fragment->start = ntohs(header.fragment) & 0xfff8;
	fragment->more = ntohs(header.fragment) & 1;
	fragment->data = cursor->offset + sizeof(header);
	return true;
}

/* Returns false if the packet is no fragment, or malformed. */
static bool read_fragment(const struct nt_buffer *frame, __u32 offset, struct fragment *fragment)
{
	struct nt_cursor cursor = { .offset = offset };
	struct nt_packet packet;
	__u8 version;

	memset(fragment, 0, sizeof(*fragment));
	if (NT_LOAD(frame, offset, &version, sizeof(version)) < 0)
		return false;
	fragment->key.version = version >> 4;
	if (fragment->key.version == 4 ? nt_parse_ipv4_header((void *)frame, ANY_LENGTH, &cursor, &packet) :
					 nt_parse_ipv6_header((void *)frame, ANY_LENGTH, &cursor, &packet))
		return false;
	memcpy(fragment->key.address, packet.address_parts, sizeof(fragment->key.address));
	if (!(fragment->key.version == 4 ? read_ipv4_fragment(frame, offset, &cursor, fragment) :
					   read_ipv6_fragment(frame, &cursor, fragment)))
		return false;
	fragment->length = cursor.end - fragment->data;
	return true;
}

/* A packet of extension headers alone may hold TCP behind them. */
static bool can_hold_tcp(const struct fragment_table *fragments, __u8 protocol)
{
	switch (protocol) {
	case NT_PROTOCOL_TCP:
	case NT_PROTOCOL_HOP_BY_HOP:
	case NT_PROTOCOL_ROUTING:
	case NT_PROTOCOL_FRAGMENT:
	case NT_PROTOCOL_AUTHENTICATION:
	case NT_PROTOCOL_DESTINATION:
		return true;
	default:
		return fragments->rules.tunnels;
	}
}

/* Only the last fragment may have a length that is no multiple of UNIT; the whole packet has at most 65535 bytes. */
static bool is_valid(const struct fragment *fragment)
{
	if (fragment->more && fragment->length % UNIT)
		return false;
	return fragment->length && fragment->start + fragment->length <= MOST_PAYLOAD - NT_IPV6_HEADER;
}

static __u32 ip_header_length(const struct fragment_slot *slot)
{
	return slot->key.version == CAPWAP ? 0 : slot->key.version == 4 ? NT_IPV4_HEADER : NT_IPV6_HEADER;
}

/* The times may run backwards, so the difference counts either way. */
static bool is_expired(const struct fragment_slot *slot, __u64 ns)
{
	__u64 age = ns > slot->began_ns ? ns - slot->began_ns : slot->began_ns - ns;

	return age > FRAGMENT_EXPIRES_NS;
}

static bool has_unit(const struct fragment_slot *slot, __u32 unit)
{
	return slot->seen[unit / 8] & (1 << unit % 8);
}

/* False if a unit that both have differs, as far as the payload is kept. */
static bool has_same_bytes(const struct fragment_slot *slot, const struct nt_buffer *frame,
			   const struct fragment *fragment)
{
	__u32 at, size, from;

	for (at = 0; at < fragment->length; at += UNIT) {
		from = ip_header_length(slot) + fragment->start + at;
		size = fragment->length - at < UNIT ? fragment->length - at : UNIT;
		if (from + size > sizeof(slot->packet))
			return true;
		if (has_unit(slot, (fragment->start + at) / UNIT) &&
		    memcmp(slot->packet + from, frame->data + fragment->data + at, size))
			return false;
	}
	return true;
}

/* True if the fragment can be of the same packet as those of the slot. Bytes are compared in first fragments only:
 * they hold the TCP header, which differs in the next packet with the same identification.
 */
static bool fits(const struct fragment_slot *slot, const struct nt_buffer *frame, const struct fragment *fragment)
{
	__u32 end = fragment->start + fragment->length;

	if (slot->total && (fragment->more ? end > slot->total : end != slot->total))
		return false;
	if (!fragment->more && slot->end > end)
		return false;
	return fragment->start || has_same_bytes(slot, frame, fragment);
}

static bool has_key(const struct fragment_slot *slot, const struct fragment_key *key)
{
	return slot->age && !memcmp(&slot->key, key, sizeof(*key));
}

static void begin_slot(struct fragment_table *fragments, struct fragment_slot *slot, const struct fragment_key *key,
		       __u64 ns, bool repeated)
{
	fragments->given_up += is_missed(slot);
	memset(slot, 0, sizeof(*slot));
	slot->key = *key;
	slot->began_ns = ns;
	slot->repeated = repeated;
}

/* Returns the slot of the fragment's packet: the one that waits for it, else the oldest slot, cleared. */
static struct fragment_slot *find_slot(struct fragment_table *fragments, const struct nt_buffer *frame,
				       const struct fragment *fragment, __u64 ns)
{
	struct fragment_slot *oldest = &fragments->slot[0], *waiting = NULL;
	bool repeated = false;
	int i;

	for (i = 0; i < FRAGMENT_TABLE_SLOTS; i++) {
		struct fragment_slot *slot = &fragments->slot[i];

		if (has_key(slot, &fragment->key) && !slot->complete)
			waiting = slot;
		else if (has_key(slot, &fragment->key) && !is_expired(slot, ns))
			repeated |= fits(slot, frame, fragment);
		if (slot->age < oldest->age)
			oldest = slot;
	}
	if (!waiting)
		begin_slot(fragments, oldest, &fragment->key, ns, repeated);
	else if (!fragments->rules.for_ever && (is_expired(waiting, ns) || !fits(waiting, frame, fragment)))
		begin_slot(fragments, waiting, &fragment->key, ns, repeated);
	return waiting ? waiting : oldest;
}

/* Stores one unit of payload. A unit beyond KEPT_PAYLOAD is only marked as seen. */
static void store_unit(struct fragment_slot *slot, const struct nt_buffer *frame, const struct fragment *fragment,
		       __u32 at)
{
	__u32 unit = (fragment->start + at) / UNIT, to = ip_header_length(slot) + fragment->start + at;
	__u32 size = fragment->length - at < UNIT ? fragment->length - at : UNIT;

	if (has_unit(slot, unit))
		return;
	slot->seen[unit / 8] |= 1 << unit % 8;
	slot->units_seen++;
	if (to + size <= sizeof(slot->packet))
		memcpy(slot->packet + to, frame->data + fragment->data + at, size);
}

static void store_fragment(struct fragment_slot *slot, const struct nt_buffer *frame, const struct fragment *fragment)
{
	__u32 at;

	for (at = 0; at < fragment->length; at += UNIT)
		store_unit(slot, frame, fragment, at);
	if (!fragment->more && !slot->total)
		slot->total = fragment->start + fragment->length;
	if (fragment->start + fragment->length > slot->end)
		slot->end = fragment->start + fragment->length;
}

static void write_header(struct fragment_slot *slot)
{
	struct nt_ipv4_header ipv4 = { .version_and_length = 0x45, .protocol = slot->key.protocol };
	struct nt_ipv6_header ipv6 = { .version_and_class = 0x60, .next_header = slot->key.protocol };

	if (slot->key.version == CAPWAP)
		return;
	if (slot->key.version == 4) {
		ipv4.total_length = htons(NT_IPV4_HEADER + slot->total);
		ipv4.identification = slot->key.identification;
		ipv4.source = slot->key.address[3];
		ipv4.destination = slot->key.address[7];
		memcpy(slot->packet, &ipv4, sizeof(ipv4));
		return;
	}
	ipv6.payload_length = htons(slot->total);
	memcpy(ipv6.addresses, slot->key.address, sizeof(ipv6.addresses));
	memcpy(slot->packet, &ipv6, sizeof(ipv6));
}

static enum fragment_result join_fragment(struct fragment_table *fragments, const struct nt_buffer *frame,
					  const struct fragment *fragment, __u64 ns, struct nt_buffer *whole,
					  __u32 *length)
{
	struct fragment_slot *slot;

	if (fragment->length > frame->length || fragment->data > frame->length - fragment->length)
		return FRAGMENT_CUT;
	if (!is_valid(fragment))
		return FRAGMENT_WAITS;
	slot = find_slot(fragments, frame, fragment, ns);
	slot->age = ++fragments->clock;
	store_fragment(slot, frame, fragment);
	if (!slot->total || slot->units_seen != (slot->total + UNIT - 1) / UNIT)
		return FRAGMENT_WAITS;
	write_header(slot);
	slot->complete = true;
	*length = ip_header_length(slot) + slot->total;
	whole->data = slot->packet;
	whole->length = *length < sizeof(slot->packet) ? *length : sizeof(slot->packet);
	return FRAGMENT_COMPLETES;
}

enum fragment_result fragment_table_add(struct fragment_table *fragments, const struct nt_buffer *frame, __u32 offset,
					__u64 ns, struct nt_buffer *whole, __u32 *length)
{
	struct fragment fragment;

	if (!read_fragment(frame, offset, &fragment) || !can_hold_tcp(fragments, fragment.key.protocol))
		return FRAGMENT_WAITS;
	return join_fragment(fragments, frame, &fragment, ns, whole, length);
}

enum fragment_result fragment_table_add_capwap(struct fragment_table *fragments, const struct nt_buffer *frame,
					       const struct nt_packet *packet, const struct nt_layer *layer, __u64 ns,
					       struct nt_buffer *whole, __u32 *length)
{
	struct fragment fragment = { .key.version = CAPWAP };
	__u8 header[NT_CAPWAP_HEADER];

	if (NT_LOAD(frame, layer->offset, header, sizeof(header)) < 0)
		return FRAGMENT_WAITS;
	memcpy(fragment.key.address, packet->address_parts, sizeof(fragment.key.address));
	fragment.key.identification = header[4] << 8 | header[5];
	fragment.key.protocol = header[2] & NT_CAPWAP_NATIVE;
	fragment.start = (header[6] << 8 | header[7]) & 0xfff8;
	fragment.more = !(header[3] & NT_CAPWAP_LAST);
	fragment.data = layer->offset + (header[1] >> 3) * 4;
	if (layer->end <= fragment.data)
		return FRAGMENT_WAITS;
	fragment.length = layer->end - fragment.data;
	return join_fragment(fragments, frame, &fragment, ns, whole, length);
}
