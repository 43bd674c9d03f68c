// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/zeek/zeek_local.h"

#include <stddef.h>
#include <string.h>

#include "core/record.h"

#define IPV4_OFFSET 12 /* of the IPv4 address in an IPv4-mapped one */
#define PREFIXES(table) (sizeof(table) / sizeof((table)[0]))

struct prefix {
	__u8 address[16];
	unsigned int bits;
};

/* From IANA's registries of special-purpose addresses, without those that are neither private nor routable. */
static const struct prefix ipv4[] = {
	{ { 0 }, 8 },             /* RFC 791: this network */
	{ { 10 }, 8 },            /* RFC 1918 */
	{ { 100, 64 }, 10 },      /* RFC 6598: carrier-grade NAT */
	{ { 127 }, 8 },           /* RFC 1122: loopback */
	{ { 169, 254 }, 16 },     /* RFC 3927: link local */
	{ { 172, 16 }, 12 },      /* RFC 1918 */
	{ { 192, 0, 0 }, 24 },    /* RFC 6890 */
	{ { 192, 0, 2 }, 24 },    /* RFC 5737: documentation */
	{ { 192, 168 }, 16 },     /* RFC 1918 */
	{ { 198, 18 }, 15 },      /* RFC 2544: benchmarks */
	{ { 198, 51, 100 }, 24 }, /* RFC 5737 */
	{ { 203, 0, 113 }, 24 },  /* RFC 5737 */
	{ { 224, 0, 0 }, 24 },    /* RFC 5771: local network control */
	{ { 239 }, 8 },           /* RFC 2365 */
	{ { 240 }, 4 },           /* RFC 1112: reserved, and limited broadcast */
};

static const struct prefix ipv6[] = {
	{ { 0 }, 128 },                                 /* RFC 4291: unspecified */
	{ { [15] = 1 }, 128 },                          /* RFC 4291: loopback */
	{ { 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01 }, 48 }, /* RFC 8215: translation */
	{ { 0x01, 0x00 }, 64 },                         /* RFC 6666: discarded */
	{ { 0x20, 0x01 }, 23 },                         /* RFC 2928 */
	{ { 0x20, 0x01, 0x00, 0x02 }, 48 },             /* RFC 5180: benchmarks */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32 },             /* RFC 3849: documentation */
	{ { 0xfc }, 7 },                                /* RFC 4193: unique local */
	{ { 0xfe, 0x80 }, 10 },                         /* RFC 4291: link local */
	{ { 0xfe, 0xc0 }, 10 },                         /* RFC 3879: site local */
};

static bool has_prefix(const __u8 *address, const struct prefix *prefix)
{
	unsigned int whole = prefix->bits / 8, rest = prefix->bits % 8;

	if (memcmp(address, prefix->address, whole))
		return false;
	return !rest || !((address[whole] ^ prefix->address[whole]) >> (8 - rest));
}

static bool has_any_prefix(const __u8 *address, const struct prefix *prefixes, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (has_prefix(address, &prefixes[i]))
			return true;
	return false;
}

bool zeek_address_is_local(const __u8 address[16])
{
	if (nt_address_family(address) == 4)
		return has_any_prefix(address + IPV4_OFFSET, ipv4, PREFIXES(ipv4));
	/* 6to4 (RFC 3056): the IPv4 address follows its prefix. */
	if (address[0] == 0x20 && address[1] == 0x02)
		return has_any_prefix(address + 2, ipv4, PREFIXES(ipv4));
	return has_any_prefix(address, ipv6, PREFIXES(ipv6));
}
