/* src/capture_link.c: where IP begins in frames of every link type that is read, and in frames cut anywhere. Frames are
 * written by hand from libpcap's descriptions of link types (https://www.tcpdump.org/linktypes.html).
 */
#include "src/capture_link.h"

#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>

#include "core/packet.h"

#include "tests/unit/check.h"

#define MACS "\x02\0\0\0\0\1\x02\0\0\0\0\2"

struct sample {
	int link_type;
	const char *bytes;
	__u32 offset; /* of IP: all before it is needed */
	__u16 ethertype;
	__u16 vlan;
};

#define NO_VLAN NT_NO_VLAN
static const struct sample samples[] = {
	{ DLT_EN10MB, MACS "\x08\x00", 14, 0x0800, NO_VLAN },
	{ DLT_EN10MB, MACS "\x86\xdd", 14, 0x86dd, NO_VLAN },
	{ DLT_EN10MB, MACS "\x00\x30\xaa\xaa\x03\0\0\0\x08\x00", 22, 0x0800, NO_VLAN }, /* LLC and SNAP */
	{ DLT_EN10MB, MACS "\x81\x00\x60\x2a\x08\x00", 18, 0x0800, 42 },
	{ DLT_EN10MB, MACS "\x88\xa8\x00\x07\x81\x00\x00\x08\x86\xdd", 22, 0x86dd, 7 },
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\x00\x21", 22, 0x0800, NO_VLAN }, /* PPPoE */
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\x21", 21, 0x0800, NO_VLAN },
	{ DLT_EN10MB, MACS "\x81\x00\x00\x05\x88\x64\x11\0\0\1\0\x30\x00\x57", 26, 0x86dd, 5 },
	{ DLT_LINUX_SLL, "\0\0\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00", 16, 0x0800, NO_VLAN },
	{ DLT_LINUX_SLL2, "\x86\xdd\0\0\0\0\0\2\0\1\0\6\2\0\0\0\0\1\0\0", 20, 0x86dd, NO_VLAN },
	{ DLT_NULL, "\2\0\0\0", 4, 0x0800, NO_VLAN }, /* either byte order */
	{ DLT_NULL, "\0\0\0\2", 4, 0x0800, NO_VLAN },
	{ DLT_NULL, "\x18\0\0\0", 4, 0x86dd, NO_VLAN },
	{ DLT_NULL, "\x1c\0\0\0", 4, 0x86dd, NO_VLAN },
	{ DLT_LOOP, "\0\0\0\x1e", 4, 0x86dd, NO_VLAN },
	{ DLT_PPP, "\xff\x03\x00\x21", 4, 0x0800, NO_VLAN },
	{ DLT_PPP, "\x00\x57", 2, 0x86dd, NO_VLAN },
	{ DLT_C_HDLC, "\x0f\x00\x08\x00", 4, 0x0800, NO_VLAN },
	{ DLT_FDDI, "\x50" MACS "\xaa\xaa\x03\0\0\0\x08\x00", 21, 0x0800, NO_VLAN },
};

/* What has no IP below it, or none that is looked for. */
static const struct sample others[] = {
	{ DLT_EN10MB, MACS "\x00\x26\x42\x42\x03\0\0\0", 0, 0, NO_VLAN }, /* spanning tree */
	{ DLT_EN10MB, MACS "\x08\x06\0\1\x08\0\6\4", 0, 0, NO_VLAN },
	{ DLT_EN10MB, MACS "\x88\x64\x11\0\0\1\0\x30\xc0\x21\1\1\0\4", 0, 0, NO_VLAN }, /* LCP */
	{ DLT_NULL, "\7\0\0\0\0\0\0\0", 0, 0, NO_VLAN },
	{ DLT_PPP, "\xff\x03\xc0\x21\1\1\0\4", 0, 0, NO_VLAN },
};

/* The link layer's bytes in a block of their own, with what follows cut or not. */
static int locate(const struct sample *sample, __u32 header, __u32 length, struct capture_place *place)
{
	__u8 *block = malloc(length ? length : 1);
	struct nt_buffer frame = { .data = block, .length = length };
	int result;

	memset(block, 0x45, length);
	memcpy(block, sample->bytes, length < header ? length : header);
	result = capture_link_locate(sample->link_type, &frame, place);
	free(block);
	return result;
}

static void check_sample(const struct sample *sample)
{
	struct capture_place place;
	__u32 length;

	CHECK(capture_link_is_known(sample->link_type));
	for (length = 0; length < sample->offset; length++)
		CHECK_EQUAL(locate(sample, sample->offset, length, &place), -1);
	CHECK_EQUAL(locate(sample, sample->offset, sample->offset + 40, &place), 0);
	CHECK_EQUAL(place.offset, sample->offset);
	CHECK_EQUAL(place.ethertype, sample->ethertype);
	CHECK_EQUAL(place.vlan, sample->vlan);
}

static void check_raw(void)
{
	static const int types[] = { DLT_RAW, DLT_IPV4, DLT_IPV6 };
	struct capture_place place;
	unsigned int i, six;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (six = 0; six < 2; six++) {
			struct sample sample = { types[i], six ? "\x60" : "\x45", 0, 0, 0 };

			CHECK_EQUAL(locate(&sample, 1, 0, &place), -1);
			CHECK_EQUAL(locate(&sample, 1, 40, &place), 0);
			CHECK_EQUAL(place.offset, 0);
			CHECK_EQUAL(place.ethertype, six ? 0x86dd : 0x0800);
		}
	}
}

/* One label to six; then what never ends. */
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
			CHECK_EQUAL(locate(&sample, 14 + labels * 4, length, &place), -1);
		CHECK_EQUAL(locate(&sample, 14 + labels * 4, length, &place), 0);
		CHECK_EQUAL(place.offset, 14 + labels * 4);
		CHECK_EQUAL(place.ethertype, 0x0800);
	}
	memset(bytes + 14, 0, sizeof(bytes) - 14);
	CHECK_EQUAL(locate(&sample, sizeof(bytes), sizeof(bytes), &place), 0);
	CHECK_EQUAL(place.ethertype, 0);
}

static void check_directions(void)
{
	struct sample cooked = { DLT_LINUX_SLL, "\0\4\0\1\0\6\2\0\0\0\0\1\0\0\x08\x00", 16, 0, 0 };
	struct sample cooked_v2 = { DLT_LINUX_SLL2, "\x08\x00\0\0\0\0\1\2\0\1\4\6\2\0\0\0\0\1\0\0", 20, 0, 0 };
	struct capture_place place;

	CHECK_EQUAL(locate(&cooked, 16, 40, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(locate(&cooked_v2, 20, 60, &place), 0);
	CHECK_EQUAL(place.direction, 1);
	CHECK_EQUAL(place.interface, 0x0102);
}

static void check_others(void)
{
	struct capture_place place;
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		CHECK_EQUAL(locate(&others[i], others[i].link_type == DLT_EN10MB ? 20 : 8, 60, &place), 0);
		CHECK(place.ethertype != NT_ETHERTYPE_IPV4 && place.ethertype != NT_ETHERTYPE_IPV6);
	}
	CHECK(!capture_link_is_known(DLT_IEEE802_11));
	CHECK(!capture_link_is_known(DLT_NFLOG));
}

int main(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		check_sample(&samples[i]);
	check_raw();
	check_mpls();
	check_directions();
	check_others();
	return check_finish();
}
