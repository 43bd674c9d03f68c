// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/record/record_filter.h"

#include "tests/unit/check.h"
#include "tests/unit/sample_record.h"

static bool accepts(const struct record_filter *filter, const struct nt_record *record)
{
	return record_filter_accepts(filter, record);
}

static void test_family(void)
{
	struct nt_record ipv4 = sample_record(), ipv6 = sample_record();

	memset(ipv6.src_ip, 0xfd, sizeof(ipv6.src_ip));
	CHECK(accepts(&(struct record_filter){ 0 }, &ipv4) && accepts(&(struct record_filter){ 0 }, &ipv6));
	CHECK(accepts(&(struct record_filter){ .ipv4_only = true }, &ipv4));
	CHECK(!accepts(&(struct record_filter){ .ipv4_only = true }, &ipv6));
	CHECK(accepts(&(struct record_filter){ .ipv6_only = true }, &ipv6));
	CHECK(!accepts(&(struct record_filter){ .ipv6_only = true }, &ipv4));
}

static void test_owner(void)
{
	struct nt_record record = sample_record();

	CHECK(accepts(&(struct record_filter){ .pid = 1234 }, &record));
	CHECK(!accepts(&(struct record_filter){ .pid = 1200 }, &record));
	CHECK(accepts(&(struct record_filter){ .comm = "nginx" }, &record));
	CHECK(!accepts(&(struct record_filter){ .comm = "ngin" }, &record));
	CHECK(!accepts(&(struct record_filter){ .comm = "nginx2" }, &record));
	nt_record_unset(&record, NT_HAS_PID);
	nt_record_unset(&record, NT_HAS_COMM);
	CHECK(!accepts(&(struct record_filter){ .pid = 1234 }, &record));
	CHECK(!accepts(&(struct record_filter){ .comm = "nginx" }, &record));
}

static void test_user_and_namespace(void)
{
	struct nt_record record = sample_record();

	CHECK(accepts(&(struct record_filter){ .uid_given = true, .uid = 33 }, &record));
	CHECK(!accepts(&(struct record_filter){ .uid_given = true, .uid = 0 }, &record));
	CHECK(accepts(&(struct record_filter){ .netns = 4026531840 }, &record));
	CHECK(!accepts(&(struct record_filter){ .netns = 4026531841 }, &record));
	nt_record_unset(&record, NT_HAS_UID);
	nt_record_unset(&record, NT_HAS_NETNS);
	record.uid = 0;
	CHECK(!accepts(&(struct record_filter){ .uid_given = true, .uid = 0 }, &record));
	CHECK(!accepts(&(struct record_filter){ .netns = 4026531840 }, &record));
}

static bool cgroup_accepts(const char *path, const struct nt_record *record)
{
	struct record_filter filter = { .cgroup = path, .cgroup_length = strlen(path) };

	return accepts(&filter, record);
}

static void test_cgroup(void)
{
	struct nt_record record = sample_record(); /* /system.slice/nginx.service */

	CHECK(cgroup_accepts("/system.slice/nginx.service", &record));
	CHECK(cgroup_accepts("/system.slice", &record));
	CHECK(cgroup_accepts("", &record)); /* the root */
	CHECK(!cgroup_accepts("/system.slice/nginx", &record));
	CHECK(!cgroup_accepts("/system", &record));
	CHECK(!cgroup_accepts("/system.slice/nginx.service/worker", &record));
	CHECK(!cgroup_accepts("/nginx.service", &record));
	nt_record_unset(&record, NT_HAS_CGROUP);
	CHECK(!cgroup_accepts("", &record));
}

static void test_container(void)
{
	struct nt_record record = sample_record(); /* abc */

	CHECK(accepts(&(struct record_filter){ .container = "abc" }, &record));
	CHECK(accepts(&(struct record_filter){ .container = "AB" }, &record));
	CHECK(!accepts(&(struct record_filter){ .container = "bc" }, &record));
	CHECK(!accepts(&(struct record_filter){ .container = "abcd" }, &record));
	nt_record_unset(&record, NT_HAS_CONTAINER);
	CHECK(!accepts(&(struct record_filter){ .container = "abc" }, &record));
}

static struct nt_network network(__u8 first_of_ipv4)
{
	__u8 address[16] = { [10] = 0xff, 0xff, first_of_ipv4 }, mask[16];
	struct nt_network network = { .family = 4 };

	memset(mask, 0xff, sizeof(mask));
	memset(mask + 13, 0, 3);
	memcpy(network.address, address, sizeof(address));
	memcpy(network.mask, mask, sizeof(mask));
	return network;
}

/* The address of either side may match. */
static void test_networks(void)
{
	struct nt_record record = sample_record(); /* 198.18.0.1 to 198.18.0.2 */
	struct record_filter filter = { .networks = { .count = 2, .network = { network(10), network(198) } } };

	CHECK(accepts(&filter, &record));
	record.src_ip[12] = 11;
	CHECK(accepts(&filter, &record));
	record.dst_ip[12] = 11;
	CHECK(!accepts(&filter, &record));
	record.dst_ip[12] = 10;
	CHECK(accepts(&filter, &record));
}

/* -L matches src's port in the record of a client or an observer, and dst's port in that of a server. */
static void test_ports(void)
{
	struct nt_record record = sample_record(); /* 34855 to 80 */
	struct record_filter local = { 0 }, remote = { 0 };

	nt_port_set_add(&local.local_ports, 80);
	nt_port_set_add(&remote.remote_ports, 80);
	record.role = NT_ROLE_SERVER;
	CHECK(accepts(&local, &record) && !accepts(&remote, &record));
	record.role = NT_ROLE_CLIENT;
	CHECK(!accepts(&local, &record) && accepts(&remote, &record));
	record.role = NT_ROLE_OBSERVER;
	CHECK(!accepts(&local, &record) && accepts(&remote, &record));
	nt_port_set_add(&local.local_ports, 34855);
	CHECK(accepts(&local, &record));
}

static void test_role_and_outcome(void)
{
	struct nt_record record = sample_record(); /* server, reset */

	CHECK(accepts(&(struct record_filter){ .roles = 1 << NT_ROLE_SERVER | 1 << NT_ROLE_CLIENT }, &record));
	CHECK(!accepts(&(struct record_filter){ .roles = 1 << NT_ROLE_CLIENT }, &record));
	CHECK(accepts(&(struct record_filter){ .outcomes = 1 << NT_OUTCOME_RESET }, &record));
	CHECK(!accepts(&(struct record_filter){ .outcomes = 1 << NT_OUTCOME_CLOSED }, &record));
}

static void test_duration(void)
{
	struct nt_record record = sample_record(); /* 1.5 s */

	CHECK(accepts(&(struct record_filter){ .min_duration_ns = 1500000000 }, &record));
	CHECK(!accepts(&(struct record_filter){ .min_duration_ns = 1500000001 }, &record));
	nt_record_unset(&record, NT_HAS_DURATION);
	CHECK(!accepts(&(struct record_filter){ .min_duration_ns = 1 }, &record));
	CHECK(accepts(&(struct record_filter){ 0 }, &record));
}

int main(void)
{
	test_family();
	test_owner();
	test_user_and_namespace();
	test_cgroup();
	test_container();
	test_networks();
	test_ports();
	test_role_and_outcome();
	test_duration();
	return check_finish();
}
