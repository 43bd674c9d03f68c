// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/capture/passed_over.h"

#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>

#define ETHERTYPE_MACSEC 0x88e5

enum number_form { NO_NUMBER, DECIMAL, HEXADECIMAL, LINK_TYPE };

static const struct {
	const char *text;
	enum number_form form;
} forms[] = {
	[NT_OVER_LINK] = { "of link type ", LINK_TYPE },
	[NT_OVER_ETHERTYPE] = { "of EtherType ", HEXADECIMAL },
	[NT_OVER_FAMILY] = { "of address family ", DECIMAL },
	[NT_OVER_PPP] = { "of PPP protocol ", HEXADECIMAL },
	[NT_OVER_NLPID] = { "of NLPID ", HEXADECIMAL },
	[NT_OVER_ENCAPSULATION] = { "of unknown encapsulation under link type ", LINK_TYPE },
	[NT_OVER_GRE] = { "of GRE with unknown flags ", HEXADECIMAL },
	[NT_OVER_PORT] = { "of unknown format at tunnel port ", DECIMAL },
	[NT_OVER_L2TP] = { "of unknown format in L2TP over IP", NO_NUMBER },
	[NT_OVER_NSH] = { "of NSH protocol ", DECIMAL },
	[NT_OVER_ERSPAN] = { "of ERSPAN frame type ", DECIMAL },
	[NT_OVER_ENCRYPTED_80211] = { "in encrypted 802.11 frames", NO_NUMBER },
	[NT_OVER_FRAGMENT_80211] = { "in 802.11 fragments", NO_NUMBER },
	[NT_OVER_MACSEC] = { "encrypted by MACsec", NO_NUMBER },
	[NT_OVER_ESP] = { "encrypted by ESP", NO_NUMBER },
	[NT_OVER_DTLS] = { "encrypted by DTLS", NO_NUMBER },
	[NT_OVER_MALFORMED] = { "malformed", NO_NUMBER },
	[NT_OVER_CUT] = { "captured too short", NO_NUMBER },
	[NT_OVER_INCOMPLETE] = { "fragmented with missing fragments", NO_NUMBER },
};

/* EtherTypes of protocols that never hold IP. */
static bool is_ordinary(__u16 ethertype)
{
	static const __u16 ordinary[] = {
		0x0806, 0x8035,                         /* ARP, RARP */
		0x0842, 0x9000,                         /* Wake-on-LAN, configuration testing */
		0x2000, 0x2003, 0x2004,                 /* Cisco's CDP, VTP, DTP */
		0x22ea, 0x22f0, 0x22f4,                 /* stream reservation, AVTP, IS-IS of TRILL */
		0x6000, 0x6001, 0x6002, 0x6003, 0x6004, /* DEC */
		0x809b, 0x80f3, 0x8137, 0x8138,         /* AppleTalk, its ARP, IPX twice */
		0x8863, 0x8808, 0x8809,                 /* PPPoE discovery, MAC control, LACP and the like */
		0x886d, 0x8874, 0x887b, 0x8899, 0x88e1, /* Intel, Broadcom, HomePlug 1.0, Realtek, HomePlug AV */
		0x888e, 0x88c7, 0x890d,                 /* 802.1X, pre-authentication, Wi-Fi's TDLS */
		0x8892, 0x88a2, 0x88a4, 0x88ab, 0x88cd, /* PROFINET, ATA, EtherCAT, POWERLINK, SERCOS */
		0x88b8, 0x88b9, 0x88ba,                 /* IEC 61850 */
		0x88cc, 0x88d9, 0x88e3, 0x88f5, 0x88f6, /* LLDP, LLTD, MRP, MVRP, MMRP */
		0x88f7, 0x8902, 0x8906, 0x8914, 0x8915, /* PTP, CFM, FCoE, FIP, RoCE */
		0x891d, 0x892f, 0x88fb, 0x893a,         /* TTEthernet, HSR, PRP, IEEE 1905 */
	};
	unsigned int i;

	for (i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
		if (ordinary[i] == ethertype)
			return true;
	return false;
}

void passed_over_add(struct passed_over *passed_over, enum nt_passed_over kind, __u32 number, __u64 count)
{
	unsigned int i;

	for (i = 0; i < passed_over->used; i++)
		if (passed_over->kinds[i].kind == kind && passed_over->kinds[i].number == number)
			break;
	if (i == PASSED_OVER_KINDS) {
		passed_over->others += count;
		return;
	}
	if (i == passed_over->used && count)
		passed_over->used++;
	passed_over->kinds[i].kind = kind;
	passed_over->kinds[i].number = number;
	passed_over->kinds[i].count += count;
}

/* The layer's type is an EtherType if nothing else says why it was passed over. */
static void add_type(struct passed_over *passed_over, const struct nt_layer *layer)
{
	if (layer->over)
		passed_over_add(passed_over, layer->over, layer->over_number, 1);
	else if (layer->type == ETHERTYPE_MACSEC)
		passed_over_add(passed_over, NT_OVER_MACSEC, 0, 1);
	else if (layer->type >= NT_ETHERTYPE_LEAST && !is_ordinary(layer->type))
		passed_over_add(passed_over, NT_OVER_ETHERTYPE, layer->type, 1);
}

void passed_over_add_layer(struct passed_over *passed_over, const struct nt_layer *layer, enum nt_parse result,
			   bool is_whole)
{
	switch (result) {
	case NT_PACKET_TCP:
		return;
	case NT_PACKET_NOT_IP:
		add_type(passed_over, layer);
		return;
	case NT_PACKET_NOT_TCP:
		if (layer->over)
			passed_over_add(passed_over, layer->over, layer->over_number, 1);
		return;
	case NT_PACKET_MALFORMED:
		passed_over_add(passed_over, NT_OVER_MALFORMED, 0, 1);
		return;
	case NT_PACKET_FRAGMENT:
		passed_over_add(passed_over, NT_OVER_CUT, 0, 1);
		return;
	case NT_PACKET_TRUNCATED:
		passed_over_add(passed_over, is_whole ? NT_OVER_MALFORMED : NT_OVER_CUT, 0, 1);
	}
}

__u64 passed_over_total(const struct passed_over *passed_over)
{
	__u64 total = passed_over->others;
	unsigned int i;

	for (i = 0; i < passed_over->used; i++)
		total += passed_over->kinds[i].count;
	return total;
}

static void print_number(char *text, size_t size, enum number_form form, __u32 number)
{
	const char *name = pcap_datalink_val_to_name((int)number);

	text[0] = '\0';
	if (form == DECIMAL)
		snprintf(text, size, "%u", number);
	else if (form == HEXADECIMAL)
		snprintf(text, size, "0x%04x", number);
	else if (form == LINK_TYPE)
		snprintf(text, size, "%s (%u)", name ? name : "unknown", number);
}

static void append(char *text, size_t size, __u64 count, const char *what, const char *number)
{
	size_t length = strlen(text);

	snprintf(text + length, size - length, "%s%llu %s%s", length ? ", " : "", (unsigned long long)count, what,
		 number);
}

void passed_over_describe(const struct passed_over *passed_over, char *text, size_t size)
{
	char number[64];
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < passed_over->used; i++) {
		print_number(number, sizeof(number), forms[passed_over->kinds[i].kind].form,
			     passed_over->kinds[i].number);
		append(text, size, passed_over->kinds[i].count, forms[passed_over->kinds[i].kind].text, number);
	}
	if (passed_over->others)
		append(text, size, passed_over->others, "of other kinds", "");
}
