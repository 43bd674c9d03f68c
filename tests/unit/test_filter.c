#include "src/filter.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static bool accepts(const struct options *options, const struct nt_record *record)
{
	return filter_accepts(options, record);
}

static void add_port(struct port_set *set, __u16 port)
{
	set->given = true;
	set->bits[port >> 3] |= 1U << (port & 7);
}

static void test_family(void)
{
	struct nt_record ipv4 = sample_record(), ipv6 = sample_record();

	memset(ipv6.src_ip, 0xfd, sizeof(ipv6.src_ip));
	CHECK(accepts(&(struct options){ 0 }, &ipv4) && accepts(&(struct options){ 0 }, &ipv6));
	CHECK(accepts(&(struct options){ .ipv4_only = true }, &ipv4));
	CHECK(!accepts(&(struct options){ .ipv4_only = true }, &ipv6));
	CHECK(accepts(&(struct options){ .ipv6_only = true }, &ipv6));
	CHECK(!accepts(&(struct options){ .ipv6_only = true }, &ipv4));
}

static void test_owner(void)
{
	struct nt_record record = sample_record();

	CHECK(accepts(&(struct options){ .pid = 1234 }, &record));
	CHECK(!accepts(&(struct options){ .pid = 1200 }, &record));
	CHECK(accepts(&(struct options){ .comm = "nginx" }, &record));
	CHECK(!accepts(&(struct options){ .comm = "ngin" }, &record));
	CHECK(!accepts(&(struct options){ .comm = "nginx2" }, &record));
	nt_record_unset(&record, NT_HAS_PID);
	nt_record_unset(&record, NT_HAS_COMM);
	CHECK(!accepts(&(struct options){ .pid = 1234 }, &record));
	CHECK(!accepts(&(struct options){ .comm = "nginx" }, &record));
}

/* The local port is src's of a client and dst's of a server; an observer's -L is src's. */
static void test_ports(void)
{
	struct nt_record record = sample_record(); /* 34855 to 80 */
	struct options local = { 0 }, remote = { 0 };

	add_port(&local.local_ports, 80);
	add_port(&remote.remote_ports, 80);
	record.role = NT_ROLE_SERVER;
	CHECK(accepts(&local, &record) && !accepts(&remote, &record));
	record.role = NT_ROLE_CLIENT;
	CHECK(!accepts(&local, &record) && accepts(&remote, &record));
	record.role = NT_ROLE_OBSERVER;
	CHECK(!accepts(&local, &record) && accepts(&remote, &record));
	add_port(&local.local_ports, 34855);
	CHECK(accepts(&local, &record));
}

static void test_role_and_outcome(void)
{
	struct nt_record record = sample_record(); /* server, reset */

	CHECK(accepts(&(struct options){ .roles = 1 << NT_ROLE_SERVER | 1 << NT_ROLE_CLIENT }, &record));
	CHECK(!accepts(&(struct options){ .roles = 1 << NT_ROLE_CLIENT }, &record));
	CHECK(accepts(&(struct options){ .outcomes = 1 << NT_OUTCOME_RESET }, &record));
	CHECK(!accepts(&(struct options){ .outcomes = 1 << NT_OUTCOME_CLOSED }, &record));
}

static void test_duration(void)
{
	struct nt_record record = sample_record(); /* 1.5 s */

	CHECK(accepts(&(struct options){ .min_duration_ns = 1500000000 }, &record));
	CHECK(!accepts(&(struct options){ .min_duration_ns = 1500000001 }, &record));
	nt_record_unset(&record, NT_HAS_DURATION);
	CHECK(!accepts(&(struct options){ .min_duration_ns = 1 }, &record));
	CHECK(accepts(&(struct options){ 0 }, &record));
}

int main(void)
{
	test_family();
	test_owner();
	test_ports();
	test_role_and_outcome();
	test_duration();
	return check_finish();
}
