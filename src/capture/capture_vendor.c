// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/capture_vendor.h"

#include <pcap/dlt.h>
#include <stddef.h>

#include "src/capture/frame_relay.h"
#include "src/capture/l2tp.h"

/* Juniper: a magic number, flags, extensions, then for some interface cards a cookie. */
#define JUNIPER_HEADER 4
#define JUNIPER_INCOMING 0x01
#define JUNIPER_NO_LINK 0x02 /* an IP packet follows a word */
#define JUNIPER_EXTENSIONS 0x80
#define COOKIE_LINK_SERVICES 0x54 /* first byte of a cookie that is two bytes longer */
#define COOKIE_SERVICES 0x47
#define SERVICES_COOKIE_LENGTH 8
#define ES_HEADER 16

#define SLIP_HEADER 16
#define SLIP_SENT 1
#define SLIP_BSDOS_HEADER 24

/* PFLOG: the header's length, the address family, ..., the name of the interface at 4. */
#define PFLOG_LEAST_HEADER 45
#define PFLOG_NAME 4
#define PFLOG_NAME_SIZE 16
#define PFLOG_OLD_DIRECTION 44
#define PFLOG_DIRECTION 60
#define PFLOG_OUT 2

static const struct juniper_link {
	int link_type;
	__u32 cookie;
	__u16 type; /* NT_LAYER_UNKNOWN: the payload is guessed */
} juniper_links[] = {
	{ DLT_JUNIPER_MLPPP, 2, NT_LAYER_UNKNOWN },       { DLT_JUNIPER_MLFR, 2, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_ES, 0, NT_LAYER_UNKNOWN },          { DLT_JUNIPER_GGSN, 8, NT_LAYER_IP },
	{ DLT_JUNIPER_MFR, 4, NT_LAYER_UNKNOWN },         { DLT_JUNIPER_ATM2, 8, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_SERVICES, 8, NT_LAYER_UNKNOWN },    { DLT_JUNIPER_ATM1, 4, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_MONITOR, 8, NT_LAYER_UNKNOWN },     { DLT_JUNIPER_PPPOE, 0, NT_ETHERTYPE_BRIDGED },
	{ DLT_JUNIPER_PPPOE_ATM, 0, NT_LAYER_ETHERTYPE }, { DLT_JUNIPER_ETHER, 0, NT_ETHERTYPE_BRIDGED },
	{ DLT_JUNIPER_PPP, 0, NT_ETHERTYPE_PPP },         { DLT_JUNIPER_FRELAY, 0, NT_LAYER_FRAME_RELAY },
	{ DLT_JUNIPER_CHDLC, 0, NT_LAYER_HDLC },          { DLT_JUNIPER_VP, 0, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_ST, 0, NT_LAYER_UNKNOWN },          { DLT_JUNIPER_ISM, 0, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_VS, 0, NT_LAYER_UNKNOWN },          { DLT_JUNIPER_SRX_E2E, 0, NT_LAYER_UNKNOWN },
	{ DLT_JUNIPER_ATM_CEMIC, 8, NT_LAYER_UNKNOWN },
};

static const struct juniper_link *find_juniper_link(int link_type)
{
	unsigned int i;

	for (i = 0; i < sizeof(juniper_links) / sizeof(juniper_links[0]); i++)
		if (juniper_links[i].link_type == link_type)
			return &juniper_links[i];
	return NULL;
}

bool capture_vendor_is_juniper(int link_type)
{
	return find_juniper_link(link_type);
}

/* Sets the layer `at` bytes further if a known header or IP begins there. */
static bool guess_layer_at(const struct nt_buffer *frame, struct nt_layer *layer, __u32 at)
{
	__u8 bytes[4], ethernet[3];
	__u32 header = 0;

	if (NT_LOAD(frame, layer->offset + at, bytes, sizeof(bytes)) < 0)
		return false;
	layer->type = nt_serial_type(bytes);
	if (layer->type == NT_LAYER_UNKNOWN &&
	    NT_LOAD(frame, layer->offset + at + 12, ethernet, sizeof(ethernet)) == 0 &&
	    nt_is_plausible_payload(ethernet[0] << 8 | ethernet[1], ethernet[2]))
		layer->type = NT_ETHERTYPE_BRIDGED;
	if (layer->type == NT_LAYER_UNKNOWN && bytes[0] == NT_LLC_SNAP && bytes[1] == NT_LLC_SNAP)
		layer->type = NT_LAYER_LLC;
	if (layer->type == NT_LAYER_UNKNOWN && bytes[0] == NT_LLC_NLPID && bytes[1] == NT_LLC_NLPID)
		layer->type = NT_LAYER_LLC;
	if (layer->type == NT_LAYER_UNKNOWN && bytes[0] == NT_FRAME_RELAY_UI && nt_nlpid_leads_to_ip(bytes[1])) {
		layer->type = NT_LAYER_NLPID;
		header = 1;
	}
	if (layer->type == NT_LAYER_UNKNOWN && (nt_is_plausible_payload(NT_ETHERTYPE_IPV4, bytes[0]) ||
						nt_is_plausible_payload(NT_ETHERTYPE_IPV6, bytes[0])))
		layer->type = NT_LAYER_IP;
	if (layer->type == NT_LAYER_UNKNOWN)
		return false;
	layer->offset += at + header;
	return true;
}

/* Tries the offset without a cookie (a link of a bundle), behind the cookie, and one and two bytes further,
 * where frame relay may have a protocol's number.
 */
static enum nt_parse guess_juniper_layer(const struct juniper_link *link, const struct nt_buffer *frame,
					 struct nt_layer *layer, __u32 cookie)
{
	__u8 bytes[3];

	if (NT_LOAD(frame, layer->offset, bytes, sizeof(bytes)) < 0)
		return NT_PACKET_TRUNCATED;
	if (link->link_type == DLT_JUNIPER_MFR && (bytes[0] & NT_MULTILINK_WHOLE) == NT_MULTILINK_WHOLE)
		return nt_pass_frame_relay_piece((void *)frame, layer, NT_LAYER_FRAME_RELAY);
	if (bytes[0] == NT_PPP_ADDRESS && bytes[1] == NT_PPP_CONTROL)
		cookie = 0;
	if (guess_layer_at(frame, layer, cookie) || guess_layer_at(frame, layer, cookie + 1) ||
	    guess_layer_at(frame, layer, cookie + 2) ||
	    (link->link_type == DLT_JUNIPER_ES && guess_layer_at(frame, layer, ES_HEADER)))
		return NT_PACKET_TCP;
	return nt_pass_over(layer, NT_OVER_ENCAPSULATION, (__u32)link->link_type);
}

static enum nt_parse pass_cookie(const struct juniper_link *link, const struct nt_buffer *frame, struct nt_layer *layer)
{
	__u32 cookie = link->cookie;
	__u8 first;

	if (NT_LOAD(frame, layer->offset, &first, sizeof(first)) < 0)
		return NT_PACKET_TRUNCATED;
	if (cookie && first == COOKIE_SERVICES)
		cookie = SERVICES_COOKIE_LENGTH;
	else if (cookie && first == COOKIE_LINK_SERVICES)
		cookie += 2;
	if (link->type == NT_LAYER_UNKNOWN)
		return guess_juniper_layer(link, frame, layer, cookie);
	layer->offset += cookie;
	layer->type = link->type;
	return NT_PACKET_TCP;
}

enum nt_parse capture_vendor_juniper(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	const struct juniper_link *link = find_juniper_link(link_type);
	__u8 header[JUNIPER_HEADER];
	__u16 extensions;

	if (NT_LOAD(frame, 0, header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	if (header[0] != 'M' || header[1] != 'G' || header[2] != 'C')
		return NT_PACKET_MALFORMED;
	place->direction = !(header[3] & JUNIPER_INCOMING);
	place->layer.offset = sizeof(header);
	if (header[3] & JUNIPER_EXTENSIONS) {
		if (NT_LOAD(frame, sizeof(header), &extensions, sizeof(extensions)) < 0)
			return NT_PACKET_TRUNCATED;
		place->layer.offset += sizeof(extensions) + nt_network16(extensions);
	}
	if (!(header[3] & JUNIPER_NO_LINK))
		return pass_cookie(link, frame, &place->layer);
	place->layer.offset += 4;
	place->layer.type = NT_LAYER_IP;
	return NT_PACKET_TCP;
}

/* The length excludes padding to a multiple of four bytes. Systems append members; older ones have none between the
 * number of the rule and the direction.
 */
enum nt_parse capture_vendor_pflog(const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 header[2], direction;

	if (NT_LOAD(frame, 0, header, sizeof(header)) < 0)
		return NT_PACKET_TRUNCATED;
	if (header[0] < PFLOG_LEAST_HEADER)
		return NT_PACKET_MALFORMED;
	if (NT_LOAD(frame, header[0] > PFLOG_DIRECTION ? PFLOG_DIRECTION : PFLOG_OLD_DIRECTION, &direction, 1) < 0)
		return NT_PACKET_TRUNCATED;
	place->direction = direction == PFLOG_OUT;
	place->ifname = (const char *)frame->data + PFLOG_NAME;
	place->ifname_size = PFLOG_NAME_SIZE;
	return capture_link_set_family(place, (header[0] + 3U) & ~3U, header[1]);
}

static bool is_ip_at(const struct nt_buffer *frame, __u32 offset)
{
	__u8 first;

	return NT_LOAD(frame, offset, &first, sizeof(first)) == 0 &&
	       (nt_is_plausible_payload(NT_ETHERTYPE_IPV4, first) || nt_is_plausible_payload(NT_ETHERTYPE_IPV6, first));
}

/* The header says how the packet was compressed on the line; the packet itself is not. BSD/OS has a longer header,
 * which programs that write captures do not all have. Some write none at all.
 */
enum nt_parse capture_vendor_slip(int link_type, const struct nt_buffer *frame, struct capture_place *place)
{
	__u8 direction;

	if (NT_LOAD(frame, 0, &direction, sizeof(direction)) < 0)
		return NT_PACKET_TRUNCATED;
	place->layer.type = NT_LAYER_IP;
	if (direction > SLIP_SENT && is_ip_at(frame, 0))
		return NT_PACKET_TCP;
	place->direction = direction == SLIP_SENT;
	place->layer.offset = SLIP_HEADER;
	if (link_type == DLT_SLIP_BSDOS && !is_ip_at(frame, SLIP_HEADER))
		place->layer.offset = SLIP_BSDOS_HEADER;
	return NT_PACKET_TCP;
}
