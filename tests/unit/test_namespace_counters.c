// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of /proc/net/netstat, as the kernel writes that file, and this machine's own. */
#include "src/kernel/namespace_counters.h"

#include "tests/unit/check.h"

static const char text[] = "TcpExt: SyncookiesSent ListenOverflows ListenDrops TCPHPHits\n"
			   "TcpExt: 1 22 18446744073709551615 4\n"
			   "IpExt: InNoRoutes ListenOverflows\n"
			   "IpExt: 5 6\n";

static void test_text(void)
{
	FILE *file = fmemopen((void *)text, sizeof(text) - 1, "r");
	__u64 value = 0;

	CHECK(namespace_counter_find(file, "TcpExt:", "ListenOverflows", &value) && value == 22);
	CHECK(namespace_counter_find(file, "TcpExt:", "ListenDrops", &value) && value == ~0ULL);
	CHECK(namespace_counter_find(file, "IpExt:", "ListenOverflows", &value) && value == 6);
	CHECK(!namespace_counter_find(file, "TcpExt:", "Listen", &value));
	CHECK(!namespace_counter_find(file, "MPTcpExt:", "ListenDrops", &value));
	fclose(file);
}

static void test_own(void)
{
	__u64 overflows, drops;
	__u16 first, last;

	CHECK(namespace_counters_read_listen(&overflows, &drops) && drops >= overflows);
	CHECK(namespace_counters_read_ports(&first, &last) && first && first <= last);
}

int main(void)
{
	test_text();
	test_own();
	return check_finish();
}
