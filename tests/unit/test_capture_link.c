// SPDX-License-Identifier: GPL-2.0-or-later
/* src/capture/capture_link.c and src/capture/layer.h find the IP header in frames of every supported link type, behind
 * every layer, and in frames cut anywhere. The frames are written by hand from libpcap's descriptions of link types
 * (https://www.tcpdump.org/linktypes.html) and the standards that src/capture/layer.h names.
 */
#include "src/capture/capture_link.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

#define MACS "\x02\0\0\0\0\1\x02\0\0\0\0\2"
#define SNAP "\xaa\xaa\x03\0\0\0"
#define REST 60 /* bytes of 0x45 after the sample */

struct sample {
	int link_type;
	const char *bytes;
	__u32 offset; /* of the IP header; every byte before it is needed */
	__u16 ethertype;
	__u16 vlan;
};

/* 802.11: frame control, duration, three addresses, sequence control */
#define RADIO(control) \
	control "\0\0" MACS "\x02\0\0\0\0\3" \
		"\x10\x00"
#define FOURTH "\x02\0\0\0\0\4"

/* PFLOG's header up to the direction: action, reason, the names of interface and rules, numbers */
#define PFLOG(length, direction) \
	length "\2\0\0" \
	       "em0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
	       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
	       "\0\0\0\1\0\0\0\1" direction "\0\0\0"

#define NO_VLAN NT_NO_VLAN
#define FOUR 0x0800
#define SIX 0x86dd
static const struct sample samples[] = {
	{ DLT_EN10MB, MACS "\x08\x00", 14, FOUR, NO_VLAN },
	{ DLT_EN10MB, MACS "\x86\xdd", 14, SIX, NO_VLAN },
	{ DLT_EN10MB, MACS "\x00\x30" SNAP "\x08\x00", 22, FOUR, NO_VLAN },
	{ DLT_EN10MB, MACS "\x00\x30\x06\x06\x03", 17, FOUR, NO_VLAN }, /* LLC's SAP for IP */
	{ DLT_EN10MB, MACS "\x81\x00\x60\x2a\x08\x00", 18, FOUR, 42 },
	{ DLT_EN10MB, MACS "\x81\x00\x60\x2a\x00\x30" SNAP "\x08\x00", 26, FOUR, 42 },
	{ DLT_EN10MB, MACS "\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd", 22, SIX, 7 },
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\x00\x21", 22, FOUR, NO_VLAN }, /* PPPoE */
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\x21", 21, FOUR, NO_VLAN },
	{ DLT_EN10MB, MACS "\x81\x00\x00\x05\x88\x64\x11\0\0\1\0\x30\x00\x57", 26, SIX, 5 },
	{ DLT_EN10MB, MACS "\x88\x47\0\0\x10\x40\0\0\x11\x40", 22, FOUR, NO_VLAN },             /* MPLS */
	{ DLT_EN10MB, MACS "\x88\x47\0\0\x11\x40" MACS "\x08\x00", 32, FOUR, NO_VLAN },         /* Ethernet over MPLS */
	{ DLT_EN10MB, MACS "\x88\x47\0\0\x11\x40\0\0\0\1" MACS "\x08\x00", 36, FOUR, NO_VLAN }, /* control word */
	{ DLT_EN10MB, MACS "\x88\x47\0\0\x11\x40\0\0\0\1" MACS "\x81\0\0\x09\x08\x00", 40, FOUR, 9 },
	{ DLT_EN10MB, MACS "\x88\xe7\0\0\0\1" MACS "\x86\xdd", 32, SIX, NO_VLAN }, /* PBB */
	{ DLT_EN10MB, MACS "\x88\xa8\0\x03\x88\xe7\0\0\0\1" MACS "\x81\0\0\x09\x08\0", 40, FOUR, 3 },
	{ DLT_EN10MB, MACS "\x89\x03\0\x40" MACS "\x08\x00", 30, FOUR, NO_VLAN }, /* FabricPath */
	{ DLT_EN10MB, MACS "\x89\x26\x80\x01\0\0\x08\x00", 20, FOUR, NO_VLAN },   /* VN-tag */
	{ DLT_EN10MB, MACS "\x89\x26\x80\x01\0\0\x81\0\0\x09\x08\x00", 24, FOUR, 9 },
	{ DLT_EN10MB, MACS "\x89\x3f\0\0\0\1\0\0\x08\x00", 22, FOUR, NO_VLAN }, /* E-tag */
	{ DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00", 16, FOUR, NO_VLAN },
	{ DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x00\x04" SNAP "\x08\x00", 24, FOUR, NO_VLAN },
	{ DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x81\x00\0\5\x08\x00", 20, FOUR, 5 },
	{ DLT_LINUX_SLL2, "\x86\xdd\0\0\0\0\0\2\0\1\0\6\2\0\0\0\0\1\0\0", 20, SIX, NO_VLAN },
	{ DLT_NULL, "\2\0\0\0", 4, FOUR, NO_VLAN }, /* either byte order */
	{ DLT_NULL, "\0\0\0\2", 4, FOUR, NO_VLAN },
	{ DLT_NULL, "\x0a\0\0\0", 4, SIX, NO_VLAN },
	{ DLT_NULL, "\x17\0\0\0", 4, SIX, NO_VLAN },
	{ DLT_NULL, "\x18\0\0\0", 4, SIX, NO_VLAN },
	{ DLT_NULL, "\x1c\0\0\0", 4, SIX, NO_VLAN },
	{ DLT_LOOP, "\0\0\0\x1e", 4, SIX, NO_VLAN },
	{ DLT_PPP, "\xff\x03\x00\x21", 4, FOUR, NO_VLAN },
	{ DLT_PPP, "\x00\x57", 2, SIX, NO_VLAN },
	{ DLT_PPP, "\x21", 1, FOUR, NO_VLAN },
	{ DLT_PPP, "\xff\x03\x02\x81\0\0\x11\x40", 8, FOUR, NO_VLAN }, /* MPLS in PPP */
	{ DLT_PPP_SERIAL, "\xff\x03\x00\x57", 4, SIX, NO_VLAN },
	{ DLT_PPP_ETHER, "\x11\0\0\1\0\x30\x00\x21", 8, FOUR, NO_VLAN },
	{ DLT_PPP_PPPD, "\1\x03\x00\x21", 4, FOUR, NO_VLAN }, /* the direction in place of the address */
	{ DLT_PPP_PPPD, "\1\xff\x03\x00\x21", 5, FOUR, NO_VLAN },
	{ DLT_PPP_WITH_DIR, "\0\xff\x03\x00\x57", 5, SIX, NO_VLAN },
	{ DLT_C_HDLC, "\x0f\x00\x08\x00", 4, FOUR, NO_VLAN },
	{ DLT_C_HDLC_WITH_DIR, "\1\x0f\x00\x86\xdd", 5, SIX, NO_VLAN },
	{ DLT_FDDI, "\x50" MACS SNAP "\x08\x00", 21, FOUR, NO_VLAN },
	{ DLT_MPLS, "\0\0\x11\x40", 4, FOUR, NO_VLAN },
	{ DLT_NFLOG, "\2\0\0\x1e\x08\0\1\0\x08\0\3\0\x05\0\x0a\0\0\0\0\0\x54\0\x09\0", 24, FOUR, NO_VLAN },
	{ DLT_NFLOG, "\x0a\0\0\x1e\0\x08\0\1\x08\0\0\3\0\x54\0\x09", 16, SIX, NO_VLAN }, /* big-endian */
	{ DLT_IEEE802_11, RADIO("\x08\x01") SNAP "\x08\x00", 32, FOUR, NO_VLAN },
	{ DLT_IEEE802_11, RADIO("\x08\x03") FOURTH SNAP "\x08\x00", 38, FOUR, NO_VLAN }, /* four addresses */
	{ DLT_IEEE802_11, RADIO("\x88\x02") "\0\0" SNAP "\x86\xdd", 34, SIX, NO_VLAN },  /* QoS */
	{ DLT_IEEE802_11, RADIO("\x88\x83") FOURTH "\0\0\0\0\0\0" SNAP "\x08\x00", 44, FOUR, NO_VLAN }, /* HT control */
	{ DLT_IEEE802_11_RADIO, "\0\0\x0a\0\2\0\0\0\0\0" RADIO("\x08\x01") SNAP "\x08\x00", 42, FOUR, NO_VLAN },
	{ DLT_IEEE802_11_RADIO_AVS, "\x80\x21\x10\1\0\0\0\x0a\0\0" RADIO("\x08\x01") SNAP "\x08\0", 42, FOUR, NO_VLAN },
	{ DLT_PRISM_HEADER, "\x80\x21\x10\1\0\0\0\x0a\0\0" RADIO("\x08\x01") SNAP "\x08\0", 42, FOUR, NO_VLAN },
	{ DLT_EN10MB, MACS "\xda\xda\0\0\x60\0\0\x2a\x08\x00", 22, FOUR, 42 }, /* DSA, tagged */
	{ DLT_DSA_TAG_EDSA, MACS "\xda\xda\0\0\x40\0\0\7\x86\xdd", 22, SIX, NO_VLAN },
	{ DLT_DSA_TAG_DSA, MACS "\xe0\x10\0\7\x08\x00", 18, FOUR, 7 },
	{ DLT_DSA_TAG_BRCM, MACS "\0\0\0\1\x81\0\0\7\x08\x00", 22, FOUR, 7 },
	{ DLT_DSA_TAG_BRCM_PREPEND, "\0\0\0\1" MACS "\x08\x00", 18, FOUR, NO_VLAN },
	{ DLT_FRELAY, "\x18\x41\3\xcc", 4, FOUR, NO_VLAN },
	{ DLT_FRELAY, "\x18\x40\0\1\3\x8e", 6, SIX, NO_VLAN },
	{ DLT_FRELAY, "\x18\x41\3\0\x80\0\0\0\x08\x00", 10, FOUR, NO_VLAN },
	{ DLT_FRELAY, "\x18\x41\3\xcf\0\x57", 6, SIX, NO_VLAN },
	{ DLT_FRELAY, "\x18\x41\x08\x00", 4, FOUR, NO_VLAN }, /* Cisco's */
	{ DLT_FRELAY_WITH_DIR, "\1\x18\x41\3\xcc", 5, FOUR, NO_VLAN },
	{ DLT_JUNIPER_ETHER, "MGC\1" MACS "\x08\x00", 18, FOUR, NO_VLAN },
	{ DLT_JUNIPER_ETHER, "MGC\x80\0\3\4\1\1" MACS "\x08\x00", 23, FOUR, NO_VLAN },
	{ DLT_JUNIPER_PPP, "MGC\0\xff\3\0\x21", 8, FOUR, NO_VLAN },
	{ DLT_JUNIPER_FRELAY, "MGC\0\x18\x41\3\x8e", 8, SIX, NO_VLAN },
	{ DLT_JUNIPER_CHDLC, "MGC\0\x0f\0\x08\0", 8, FOUR, NO_VLAN },
	{ DLT_JUNIPER_PPPOE_ATM, "MGC\0\x88\x64\x11\0\0\1\0\x30\x00\x21", 14, FOUR, NO_VLAN },
	{ DLT_PPI, "\0\0\x0a\0\x69\0\0\0\0\0" RADIO("\x08\x01") SNAP "\x08\x00", 42, FOUR, NO_VLAN },
	{ DLT_PPI, "\0\0\x08\0\1\0\0\0" MACS "\x08\x00", 22, FOUR, NO_VLAN },
};

/* Frames that contain no IP, or in a form that is not parsed. */
static const struct sample others[] = {
	{ DLT_EN10MB, MACS "\x00\x26\x42\x42\x03\0\0\0", 0, 0, NO_VLAN },   /* spanning tree */
	{ DLT_EN10MB, MACS "\x00\x26\xaa\xaa\x03\0\0\x0c", 0, 0, NO_VLAN }, /* another OUI */
	{ DLT_EN10MB, MACS "\x08\x06\0\1\x08\0\6\4", 0, 0, NO_VLAN },
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\xc0\x21\1\1\0\4", 0, 0, NO_VLAN }, /* LCP */
	{ DLT_EN10MB, MACS "\x88\x64\x11\x09\0\1\0\x30\x00\x21", 0, 0, NO_VLAN },       /* discovery */
	{ DLT_EN10MB, MACS "\x88\x47\0\0\x11\x40\x10\0\0\x21", 0, 0, NO_VLAN }, /* a pseudowire's control channel */
	{ DLT_FRELAY, "\x18\x41\3\x08\0\0\0\0", 0, 0, NO_VLAN },                /* Q.933 */
	{ DLT_FRELAY, "\x18\x41\3\xb1\x80\1\3\xcc", 0, 0, NO_VLAN },            /* a fragment */
	{ DLT_MFR, "\xe0\0\1\0\0\0\0\0", 0, 0, NO_VLAN },                       /* control */
	{ DLT_PPP, "\0\x2d\0\0\0\0\0\0", 0, 0, NO_VLAN },                       /* compressed */
	{ DLT_NULL, "\7\0\0\0\0\0\0\0", 0, 0, NO_VLAN },
	{ DLT_PPP, "\xff\x03\xc0\x21\1\1\0\4", 0, 0, NO_VLAN },
	{ DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x00\x0c", 0, 0, NO_VLAN }, /* CAN */
	{ DLT_NFLOG, "\7\0\0\x1e\x54\0\x09\0", 0, 0, NO_VLAN },                   /* family AF_BRIDGE */
	{ DLT_IEEE802_11, RADIO("\x80\x00"), 0, 0, NO_VLAN },                     /* a beacon */
	{ DLT_IEEE802_11, RADIO("\x48\x01"), 0, 0, NO_VLAN },                     /* a null frame */
	{ DLT_IEEE802_11, RADIO("\x08\x41"), 0, 0, NO_VLAN },                     /* encrypted */
	{ DLT_IEEE802_11, RADIO("\x08\x05"), 0, 0, NO_VLAN },                     /* a fragment */
};

/* Copies length bytes of the frame into a block of exactly that size, so that a read beyond it is noticed. */
static enum nt_parse locate(const struct sample *sample, __u32 header, __u32 length, struct capture_place *place)
{
	__u8 *block = malloc(length ? length : 1);
	struct nt_buffer frame = { .data = block, .length = length };
	enum nt_parse result;

	memset(block, 0x45, length);
	memcpy(block, sample->bytes, length < header ? length : header);
	result = capture_link_locate(sample->link_type, &frame, header + REST, place);
	if (result == NT_PACKET_TCP)
		result = nt_pass_layers(&frame, &place->layer);
	free(block);
	return result;
}

static void check_sample(const struct sample *sample)
{
	struct capture_place place;
	__u32 length;

	CHECK(capture_link_is_known(sample->link_type));
	for (length = 0; length < sample->offset; length++)
		CHECK_EQUAL(locate(sample, sample->offset, length, &place), NT_PACKET_TRUNCATED);
	CHECK_EQUAL(locate(sample, sample->offset, sample->offset + REST, &place), NT_PACKET_TCP);
	CHECK_EQUAL(place.layer.offset, sample->offset);
	CHECK_EQUAL(place.layer.type, sample->ethertype);
	CHECK_EQUAL(place.layer.vlan, sample->vlan);
}

static void check_raw(void)
{
	static const int types[] = { DLT_RAW, 14, DLT_IPV4, DLT_IPV6 };
	struct capture_place place;
	unsigned int i, six;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (six = 0; six < 2; six++) {
			struct sample sample = { types[i], six ? "\x60" : "\x45", 0, 0, 0 };

			CHECK_EQUAL(locate(&sample, 1, 0, &place), NT_PACKET_TRUNCATED);
			CHECK_EQUAL(locate(&sample, 1, 40, &place), NT_PACKET_TCP);
			CHECK_EQUAL(place.layer.offset, 0);
			CHECK_EQUAL(place.layer.type, six ? SIX : FOUR);
		}
	}
}

/* One to six labels, then a stack without a bottom. */
static void check_mpls(void)
{
	char bytes[14 + 40 * 4] = MACS "\x88\x47";
	struct sample sample = { DLT_EN10MB, bytes, 0, 0, 0 };
	struct capture_place place;
	__u32 labels, length, i;

	for (labels = 1; labels <= 6; labels++) {
		for (i = 0; i < labels; i++)
			memcpy(bytes + 14 + i * 4, i == labels - 1 ? "\0\0\x11\x40" : "\0\0\x10\x40", 4);
		for (length = 0; length <= 14 + labels * 4; length++)
			CHECK_EQUAL(locate(&sample, 14 + labels * 4, length, &place), NT_PACKET_TRUNCATED);
		CHECK_EQUAL(locate(&sample, 14 + labels * 4, length, &place), NT_PACKET_TCP);
		CHECK_EQUAL(place.layer.offset, 14 + labels * 4);
		CHECK_EQUAL(place.layer.type, FOUR);
	}
	memset(bytes + 14, 0, sizeof(bytes) - 14);
	CHECK_EQUAL(locate(&sample, sizeof(bytes), sizeof(bytes), &place), NT_PACKET_MALFORMED);
}

static void check_prism(void)
{
	char bytes[144 + 32 + 1] = "\0\0\0\x44\0\0\0\x90";
	struct sample sample = { DLT_PRISM_HEADER, bytes, 144 + 32, FOUR, NO_VLAN };

	memcpy(bytes + 144, RADIO("\x08\x01") SNAP "\x08\x00", 32);
	check_sample(&sample);
}

#define SUBFRAME(length) MACS "\0" length SNAP "\x08\x00"
/* Three subframes, the first with padding: 14 + 8 + 1 bytes, then 14 + 8 twice. */
#define AMSDU \
	SUBFRAME("\x09") \
	"\x45" \
	"\0" SUBFRAME("\x08") "\0\0" SUBFRAME("\x08")

static void check_amsdu(void)
{
	static const char bytes[] = RADIO("\x88\x02") "\x80\0" AMSDU;
	__u32 length = sizeof(bytes) - 1;
	struct sample sample = { DLT_IEEE802_11, bytes, length, FOUR, NO_VLAN };
	struct nt_buffer frame = { .data = (const __u8 *)bytes, .length = length };
	struct capture_place place;
	int i;

	CHECK_EQUAL(capture_link_locate(sample.link_type, &frame, length, &place), NT_PACKET_TCP);
	for (i = 0; i < 3; i++) {
		CHECK_EQUAL(nt_pass_layers(&frame, &place.layer), NT_PACKET_TCP);
		CHECK_EQUAL(place.layer.offset, 26 + i * 24 + 22);
		CHECK_EQUAL(place.layer.end, place.layer.offset + (i ? 0 : 1));
		CHECK_EQUAL(nt_next_subframe(&place.layer), i < 2);
	}
	/* A subframe that exceeds its frame. */
	CHECK_EQUAL(capture_link_locate(sample.link_type, &frame, 26 + 22, &place), NT_PACKET_TCP);
	CHECK_EQUAL(nt_pass_layers(&frame, &place.layer), NT_PACKET_MALFORMED);
}

/* PPPoE's length field does not bound its packet, because it may be wrong. */
static void check_pppoe_end(void)
{
	struct sample sample = { DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\1\x00\x21", 0, 0, 0 };
	struct capture_place place;

	CHECK_EQUAL(locate(&sample, 22, 22 + REST, &place), NT_PACKET_TCP);
	CHECK_EQUAL(place.layer.end, 22 + REST);
}

/* The headers of these do not end with a field that the parser needs. */
static void check_vendors(void)
{
	static const struct sample vendors[] = {
		{ DLT_EN10MB, MACS "\x89\x4f\x0f\xc2\2\1\0\0\1\xff", 22, FOUR, NO_VLAN },
		{ DLT_FRELAY, "\x18\x41\3\xb1\xc0\1\3\xcc", 8, FOUR, NO_VLAN },
		{ DLT_MFR, "\xc0\7\x18\x41\3\xcc", 6, FOUR, NO_VLAN },
		{ DLT_IPOIB, "0123456789012345678901234567890123456789\x08\x00\0\0", 44, FOUR, NO_VLAN },
		{ DLT_SLIP, "\1\x40\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, FOUR, NO_VLAN },
		{ DLT_SLIP_BSDOS, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, FOUR, NO_VLAN },
		{ DLT_PFLOG, PFLOG("\x30", "\2"), 48, FOUR, NO_VLAN },
		{ DLT_JUNIPER_ATM1, "MGC\0\1\0\0\7", 8, FOUR, NO_VLAN },
		{ DLT_JUNIPER_MLPPP, "MGC\0\x54\0\0\7", 8, FOUR, NO_VLAN },
		{ DLT_JUNIPER_SERVICES, "MGC\0\x80\0\0\1\0\0\0\7", 12, FOUR, NO_VLAN },
		{ DLT_JUNIPER_VP, "MGC\3\0\0\0\2", 8, FOUR, NO_VLAN },
	};
	struct capture_place place;
	unsigned int i, length;

	for (i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		for (length = 0; length < vendors[i].offset; length++)
			CHECK(locate(&vendors[i], vendors[i].offset, length, &place) != NT_PACKET_TCP ||
			      place.layer.offset >= length);
		CHECK_EQUAL(locate(&vendors[i], vendors[i].offset, vendors[i].offset + REST, &place), NT_PACKET_TCP);
		CHECK_EQUAL(place.layer.offset, vendors[i].offset);
		CHECK_EQUAL(place.layer.type, vendors[i].ethertype);
	}
}

static void check_directions(void)
{
	struct sample cooked = { DLT_LINUX_SLL, "\0\4\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00", 16, 0, 0 };
	struct sample cooked_v2 = { DLT_LINUX_SLL2, "\x08\x00\0\0\0\0\1\2\0\1\4\6\2\0\0\0\0\1\0\0", 20, 0, 0 };
	struct sample pflog = { DLT_PFLOG, PFLOG("\x30", "\2"), 48, 0, 0 };
	struct sample juniper_in = { DLT_JUNIPER_ETHER, "MGC\1" MACS "\x08\x00", 18, 0, 0 };
	struct sample juniper_out = { DLT_JUNIPER_ETHER, "MGC\0" MACS "\x08\x00", 18, 0, 0 };
	struct sample ppp = { DLT_PPP_WITH_DIR, "\1\xff\3\0\x21", 5, 0, 0 };
	struct capture_place place;

	CHECK_EQUAL(locate(&cooked, 16, 40, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(locate(&cooked_v2, 20, 60, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(place.interface, 0x0102);
	CHECK_EQUAL(locate(&ppp, 5, 60, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(locate(&pflog, 48, 108, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(place.ifname_size, 16);
	CHECK_EQUAL(locate(&juniper_in, 18, 78, &place), 0);
	CHECK_EQUAL(place.direction, 0);
	CHECK_EQUAL(locate(&juniper_out, 18, 78, &place), 0);
	CHECK_EQUAL(place.direction, 1);
}

static __u32 size_of(const struct sample *sample)
{
	switch (sample->link_type) {
	case DLT_IEEE802_11:
		return 24;
	case DLT_EN10MB:
		return 20;
	case DLT_LINUX_SLL:
		return 16;
	default:
		return 8;
	}
}

static void check_others(void)
{
	struct capture_place place;
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		CHECK_EQUAL(locate(&others[i], size_of(&others[i]), 60, &place), NT_PACKET_NOT_IP);
	CHECK(!capture_link_is_known(DLT_USB_LINUX));
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i]);
	check_raw();
	check_mpls();
	check_prism();
	check_amsdu();
	check_pppoe_end();
	check_vendors();
	check_directions();
	check_others();
	return check_finish();
}
