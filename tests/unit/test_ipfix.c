// SPDX-License-Identifier: GPL-2.0-or-later
/* src/ship/ipfix_flow.h and ipfix_message.h: numbers of elements are those of IANA's registry, layouts those of RFC 7011
 * and RFC 5103, written here by hand. */
#include "check.h"
#include "sample_record.h"
#include "src/ship/ipfix_message.h"

#define NOW_NS 1700000100000000000ULL

static struct nt_record plain_record(void)
{
	struct nt_record record = sample_record();

	nt_record_unset(&record, NT_HAS_IFNAME);
	nt_record_unset(&record, NT_HAS_VLAN);
	record.gaps = 0;
	return record;
}

static void check_bytes(const __u8 *bytes, unsigned int size, const __u8 *expected, unsigned int expected_size,
			const char *name)
{
	unsigned int i;

	if (size == expected_size && check_true(!memcmp(bytes, expected, size), name, __FILE__, __LINE__))
		return;
	check_equal(size, expected_size, name, __FILE__, __LINE__);
	for (i = 0; i < size; i++)
		printf("%02x%s", bytes[i], i % 16 == 15 ? "\n" : " ");
	printf("\n");
}

static void test_uniflow(void)
{
	static const __u8 expected[] = {
		198,  18,   0,    1,    198,  18,   0,    2,    /* source, destination */
		0x88, 0x27, 0,    80,   6,                      /* ports, protocol */
		0,    0,    0x01, 0x8b, 0xcf, 0xe5, 0x68, 0x01, /* start */
		0,    0,    0x01, 0x8b, 0xcf, 0xe5, 0x6d, 0xdd, /* end: 1500 ms later */
		3,    0,                                        /* end detected; a server's record, so ingress */
		0,    0,    0,    0,    0,    0,    0,    77,   /* octets */
		0,    0,    0,    0,    0,    0,    0,    6,    /* packets */
		0,    0x12,                                     /* SYN and ACK */
	};
	static const __u8 template[] = {
		0x01, 0x7d, 0, 12, /* 256 + the set of groups; fields */
		0,    8,    0, 4,  0, 12,  0, 4, 0, 7,  0, 2, 0, 11, 0, 2, 0, 4, 0, 1, 0, 152, 0, 8,
		0,    153,  0, 8,  0, 136, 0, 1, 0, 61, 0, 1, 0, 1,  0, 8, 0, 2, 0, 8, 0, 6,   0, 2,
	};
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];
	__u8 bytes[IPFIX_TEMPLATE_SIZE];

	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 2);
	check_bytes(flows[0].bytes, flows[0].size, expected, sizeof(expected), "src to dst");
	CHECK_EQUAL(flows[0].template_id, 0x17d);
	check_bytes(bytes, ipfix_write_template(bytes, flows[0].template_id), template, sizeof(template), "template");
	CHECK_EQUAL(flows[1].template_id, flows[0].template_id);
	CHECK(!memcmp(flows[1].bytes, expected + 4, 4) && !memcmp(flows[1].bytes + 4, expected, 4));
	CHECK_EQUAL(flows[1].bytes[30], 1); /* egress */
	CHECK_EQUAL(flows[1].bytes[34], 1); /* 4294967297 octets */
	CHECK_EQUAL(flows[1].bytes[38], 1);
	CHECK_EQUAL(flows[1].bytes[48], 0x16); /* SYN, ACK, RST */
}

static void test_biflow(void)
{
	static const __u8 reverse[] = {
		0x80, 1, 0, 8, 0, 0, 0x72, 0x79, 0x80, 2, 0, 8, 0, 0, 0x72, 0x79, 0x80, 6, 0, 2, 0, 0, 0x72, 0x79,
	};
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];
	__u8 bytes[IPFIX_TEMPLATE_SIZE];
	unsigned int size;

	CHECK_EQUAL(ipfix_fill_flows(flows, &record, true), 1);
	size = ipfix_write_template(bytes, flows[0].template_id);
	CHECK_EQUAL(size, 4 + 13 * 4 + sizeof(reverse));
	CHECK(!memcmp(bytes + size - sizeof(reverse), reverse, sizeof(reverse)));
	CHECK_EQUAL(flows[0].size, 49 + 1 + 8 + 8 + 2);
	CHECK_EQUAL(flows[0].bytes[49], 1);             /* biflowDirection: the initiator */
	CHECK_EQUAL(flows[0].bytes[49 + 1 + 8 + 7], 5); /* reverse packets */
	CHECK_EQUAL(flows[0].bytes[49 + 1 + 16 + 1], 0x16);
	record.gaps = NT_GAP_DIRECTION;
	ipfix_fill_flows(flows, &record, true);
	CHECK_EQUAL(flows[0].bytes[49], 0);
}

static void test_interface_and_ipv6(void)
{
	struct nt_record record = sample_record();
	struct ipfix_flow flows[2];

	memset(record.src_ip, 0x20, sizeof(record.src_ip));
	memset(record.dst_ip, 0x21, sizeof(record.dst_ip));
	ipfix_fill_flows(flows, &record, false);
	CHECK_EQUAL(flows[0].size, 49 + 24 + 2 + 1 + 4); /* longer addresses, VLAN, a length and "eth0" */
	CHECK_EQUAL(flows[0].bytes[16], 0x21);
	CHECK_EQUAL(flows[0].bytes[74], 100);
	CHECK(!memcmp(flows[0].bytes + 75, "\4eth0", 5));
	memset(record.ifname, 'x', sizeof(record.ifname) - 1);
	ipfix_fill_flows(flows, &record, true);
	CHECK(flows[0].size <= IPFIX_FLOW_SIZE);
}

/* Without values their elements are missing, and no zero stands for them. */
static void test_unknown(void)
{
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];

	record.present = NT_PRESENT(NT_HAS_DST_BYTES);
	record.role = NT_ROLE_OBSERVER;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 2);
	CHECK_EQUAL(flows[0].size, 8 + 4 + 1 + 8 + 1);
	CHECK_EQUAL(flows[1].size, 8 + 4 + 1 + 8 + 1 + 8);
	CHECK(flows[0].template_id != flows[1].template_id);
	CHECK_EQUAL(flows[0].bytes[20], 0xdd); /* the end is the time of the record */
}

static void test_records_without_flows(void)
{
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];

	record.event = NT_EVENT_UPDATE;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 0);
	record.event = NT_EVENT_OPEN;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, true), 0);
	record.event = NT_EVENT_EXIT;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 0);
	record.seen = NT_SEEN_WIRE;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 2);
	record.event = NT_EVENT_CLOSE;
	record.packets[NT_DST] = 0;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 1);
	nt_record_unset(&record, NT_HAS_DST_PACKETS);
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 2);
	nt_record_unset(&record, NT_HAS_HANDSHAKE);
	record.outcome = NT_OUTCOME_TIMEOUT;
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, false), 1);
	CHECK_EQUAL(ipfix_fill_flows(flows, &record, true), 1);
}

static int end_reason(struct nt_record record)
{
	struct ipfix_flow flows[2];

	ipfix_fill_flows(flows, &record, false);
	return flows[0].bytes[29];
}

static void test_end_reasons(void)
{
	struct nt_record record = plain_record();

	record.outcome = NT_OUTCOME_TIMEOUT;
	CHECK_EQUAL(end_reason(record), 1);
	nt_record_unset(&record, NT_HAS_HANDSHAKE);
	CHECK_EQUAL(end_reason(record), 3);
	record.outcome = NT_OUTCOME_EXPIRED;
	CHECK_EQUAL(end_reason(record), 1);
	record.gaps = NT_GAP_EVICTED;
	CHECK_EQUAL(end_reason(record), 5);
	record.event = NT_EVENT_EXIT;
	record.seen = NT_SEEN_WIRE;
	CHECK_EQUAL(end_reason(record), 4);
}

/* ---- messages ---- */

static struct ipfix_message message;

static unsigned int number(const __u8 *bytes, unsigned int size)
{
	unsigned int result = 0;

	while (size--)
		result = result << 8 | *bytes++;
	return result;
}

static void test_message(void)
{
	struct ipfix_session session = { .most_bytes = IPFIX_MESSAGE_SIZE, .domain = 7, .sequence = 0xfffffffe };
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];

	ipfix_fill_flows(flows, &record, false);
	CHECK_EQUAL(ipfix_make_message(&message, &session, flows, 2, NOW_NS), 2);
	CHECK_EQUAL(number(message.bytes, 2), 10);
	CHECK_EQUAL(number(message.bytes + 2, 2), message.size);
	CHECK_EQUAL(message.size, 16 + 4 + 52 + 4 + 2 * 49);
	CHECK_EQUAL(number(message.bytes + 4, 4), 1700000100);
	CHECK_EQUAL(number(message.bytes + 8, 4), 0xfffffffe);
	CHECK_EQUAL(number(message.bytes + 12, 4), 7);
	CHECK_EQUAL(number(message.bytes + 16, 4), 2 << 16 | 56);       /* the template set */
	CHECK_EQUAL(number(message.bytes + 72, 4), 0x17d << 16 | 102U); /* the data set */
	CHECK_EQUAL(session.sequence, 0);
	CHECK_EQUAL(ipfix_make_message(&message, &session, flows, 1, NOW_NS), 1);
	CHECK_EQUAL(message.size, 16 + 4 + 49); /* its template is known */
}

static void test_message_size(void)
{
	struct ipfix_session session = { .most_bytes = 1400 };
	struct ipfix_flow flows[100];
	struct nt_record record = sample_record();
	unsigned int i, sent = 0, messages = 0;

	for (i = 0; i < 100; i += 2) {
		record.vlan = (__u16)i;
		record.present ^= NT_PRESENT(i % 3 ? NT_HAS_VLAN : NT_HAS_IFNAME); /* other templates */
		ipfix_fill_flows(&flows[i], &record, false);
	}
	while (sent < 100) {
		sent += ipfix_make_message(&message, &session, flows + sent, 100 - sent, NOW_NS);
		CHECK(message.size <= 1400 && (message.size > 1200 || sent == 100));
		messages++;
	}
	CHECK_EQUAL(session.sequence, 100);
	CHECK(messages >= 4 && messages < 10);
}

static bool has_template(struct ipfix_session *session, __u64 now_ns)
{
	struct nt_record record = plain_record();
	struct ipfix_flow flows[2];

	ipfix_fill_flows(flows, &record, false);
	ipfix_make_message(&message, session, flows, 1, now_ns);
	return number(message.bytes + 16, 2) == 2;
}

static void test_repetition(void)
{
	struct ipfix_session udp = { .most_bytes = 512, .repeats_templates = true }, tcp = { .most_bytes = 512 };
	unsigned int i, repeated = 0;

	CHECK(has_template(&udp, NOW_NS));
	CHECK(!has_template(&udp, NOW_NS + 59999999999ULL));
	CHECK(has_template(&udp, NOW_NS + 60000000000ULL));
	CHECK(!has_template(&udp, NOW_NS + 60000000001ULL));
	CHECK(has_template(&udp, NOW_NS)); /* the clock was set back */
	for (i = 0; i < 1000; i++)
		repeated += has_template(&udp, NOW_NS);
	CHECK_EQUAL(repeated, 10);
	CHECK(has_template(&tcp, NOW_NS));
	for (i = 0; i < 1000; i++)
		if (has_template(&tcp, NOW_NS + i * 60000000000ULL))
			break;
	CHECK_EQUAL(i, 1000);
}

int main(void)
{
	test_uniflow();
	test_biflow();
	test_interface_and_ipv6();
	test_unknown();
	test_records_without_flows();
	test_end_reasons();
	test_message();
	test_message_size();
	test_repetition();
	return check_finish();
}
