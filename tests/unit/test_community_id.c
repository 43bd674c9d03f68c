// SPDX-License-Identifier: GPL-2.0-or-later
/* src/record/community_id.c against the specification's vectors: github.com/corelight/community-id-spec,
 * baseline/baseline_deflt.json.
 */
#include "src/record/community_id.h"

#include <arpa/inet.h>

#include "tests/unit/check.h"

static void parse(__u8 out[16], const char *text)
{
	static const __u8 mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (inet_pton(AF_INET6, text, out) == 1)
		return;
	memcpy(out, mapped, sizeof(mapped));
	CHECK(inet_pton(AF_INET, text, out + 12) == 1);
}

/* Both directions give the same ID. */
static void check_id(const char *src, __u16 src_port, const char *dst, __u16 dst_port, const char *expected)
{
	char forth[COMMUNITY_ID_SIZE], back[COMMUNITY_ID_SIZE];
	__u8 src_ip[16], dst_ip[16];

	parse(src_ip, src);
	parse(dst_ip, dst);
	community_id(forth, src_ip, src_port, dst_ip, dst_port);
	community_id(back, dst_ip, dst_port, src_ip, src_port);
	CHECK_STRING(forth, expected);
	CHECK_STRING(back, expected);
}

int main(void)
{
	check_id("128.232.110.120", 34855, "66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	check_id("2001:470:e5bf:dead:4957:2174:e82c:4887", 63943, "2607:f8b0:400c:c03::1a", 25,
		 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=");
	/* an IPv4-mapped address is IPv4 */
	check_id("::ffff:128.232.110.120", 34855, "::ffff:66.35.250.204", 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
	return check_finish();
}
