// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "src/filter/filter_implied.h"

#include "tests/unit/check.h"

/* A record must have one, and all records of its id the other. */
static const struct {
	const char *text, *of_record;
	bool is_exact;
	const char *of_id, *of_reduced_id;
} cases[] = {
	{ "port 443", " AND (src_port BETWEEN 443 AND 443 OR dst_port BETWEEN 443 AND 443)", true,
	  " AND (src_port BETWEEN 443 AND 443 OR dst_port BETWEEN 443 AND 443)",
	  " AND (src_port BETWEEN 443 AND 443 OR dst_port BETWEEN 443 AND 443)" },
	{ "dport 443", " AND (dst_port BETWEEN 443 AND 443)", true,
	  " AND (src_port BETWEEN 443 AND 443 OR dst_port BETWEEN 443 AND 443)",
	  " AND (src_port BETWEEN 443 AND 443 OR dst_port BETWEEN 443 AND 443)" },
	{ "lport 8000-8080", " AND (if(role = 'server', dst_port, src_port) BETWEEN 8000 AND 8080)", true,
	  " AND (src_port BETWEEN 8000 AND 8080 OR dst_port BETWEEN 8000 AND 8080)",
	  " AND (src_port BETWEEN 8000 AND 8080 OR dst_port BETWEEN 8000 AND 8080)" },
	{ "host 10.0.0.1",
	  " AND (src_ip BETWEEN toIPv6('::ffff:10.0.0.1') AND toIPv6('::ffff:10.0.0.1') OR "
	  "dst_ip BETWEEN toIPv6('::ffff:10.0.0.1') AND toIPv6('::ffff:10.0.0.1'))",
	  true,
	  " AND (src_ip BETWEEN toIPv6('::ffff:10.0.0.1') AND toIPv6('::ffff:10.0.0.1') OR "
	  "dst_ip BETWEEN toIPv6('::ffff:10.0.0.1') AND toIPv6('::ffff:10.0.0.1'))",
	  " AND (src_ip = '10.0.0.1' OR dst_ip = '10.0.0.1')" },
	{ "remote 10.3.0.0/16",
	  " AND (if(role = 'server', src_ip, dst_ip) BETWEEN toIPv6('::ffff:10.3.0.0') AND toIPv6('::ffff:10.3.255.255'))",
	  true,
	  " AND (src_ip BETWEEN toIPv6('::ffff:10.3.0.0') AND toIPv6('::ffff:10.3.255.255') OR "
	  "dst_ip BETWEEN toIPv6('::ffff:10.3.0.0') AND toIPv6('::ffff:10.3.255.255'))",
	  " AND (position(src_ip, ':') = 0 AND IPv4StringToNum(src_ip) BETWEEN 167968768 AND 168034303 OR "
	  "position(dst_ip, ':') = 0 AND IPv4StringToNum(dst_ip) BETWEEN 167968768 AND 168034303)" },
	{ "src fd00::/64", " AND (src_ip BETWEEN toIPv6('fd00::') AND toIPv6('fd00::ffff:ffff:ffff:ffff'))", true,
	  " AND (src_ip BETWEEN toIPv6('fd00::') AND toIPv6('fd00::ffff:ffff:ffff:ffff') OR "
	  "dst_ip BETWEEN toIPv6('fd00::') AND toIPv6('fd00::ffff:ffff:ffff:ffff'))",
	  " AND (position(src_ip, ':') > 0 AND IPv6StringToNum(src_ip) BETWEEN unhex('fd000000000000000000000000000000') AND "
	  "unhex('fd00000000000000ffffffffffffffff') OR "
	  "position(dst_ip, ':') > 0 AND IPv6StringToNum(dst_ip) BETWEEN unhex('fd000000000000000000000000000000') AND "
	  "unhex('fd00000000000000ffffffffffffffff'))" },
	/* The table has IPv4 addresses within ::ffff:0:0/96, and a network of IPv6 has none of them. */
	{ "dst ::/0",
	  " AND (dst_ip BETWEEN toIPv6('::') AND toIPv6('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') AND NOT "
	  "(dst_ip BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')))",
	  true,
	  " AND (src_ip BETWEEN toIPv6('::') AND toIPv6('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') AND NOT "
	  "(src_ip BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')) OR "
	  "dst_ip BETWEEN toIPv6('::') AND toIPv6('ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff') AND NOT "
	  "(dst_ip BETWEEN toIPv6('::ffff:0.0.0.0') AND toIPv6('::ffff:255.255.255.255')))",
	  " AND (position(src_ip, ':') > 0 AND IPv6StringToNum(src_ip) BETWEEN unhex('00000000000000000000000000000000') AND "
	  "unhex('ffffffffffffffffffffffffffffffff') OR "
	  "position(dst_ip, ':') > 0 AND IPv6StringToNum(dst_ip) BETWEEN unhex('00000000000000000000000000000000') AND "
	  "unhex('ffffffffffffffffffffffffffffffff'))" },
	{ "dst fd00::7", " AND (dst_ip BETWEEN toIPv6('fd00::7') AND toIPv6('fd00::7'))", true,
	  " AND (src_ip BETWEEN toIPv6('fd00::7') AND toIPv6('fd00::7') OR dst_ip BETWEEN toIPv6('fd00::7') AND toIPv6('fd00::7'))",
	  " AND (src_ip = 'fd00::7' OR dst_ip = 'fd00::7')" },
	{ "outcome refused", " AND (outcome IN ('refused'))", true, "", "" },
	{ "comm curl", " AND (comm = 'curl')", true, "", "" },
	{ "duration > 5s", " AND (duration_ns > 5000000000)", true, "", "" },
	{ "min_rtt_us >= 2ms", " AND (min_rtt_us * 1000 >= 2000000)", true, "", "" },
	{ "pid 7", " AND (pid BETWEEN 7 AND 7)", true, "", "" },
	{ "port 80 and comm curl",
	  " AND ((src_port BETWEEN 80 AND 80 OR dst_port BETWEEN 80 AND 80) AND (comm = 'curl'))", true,
	  " AND ((src_port BETWEEN 80 AND 80 OR dst_port BETWEEN 80 AND 80))",
	  " AND ((src_port BETWEEN 80 AND 80 OR dst_port BETWEEN 80 AND 80))" },
	{ "comm curl and user 7 and role client", " AND (((comm = 'curl')) AND (role IN ('client')))", false, "", "" },
	{ "comm curl or role client", " AND ((comm = 'curl') OR (role IN ('client')))", true, "", "" },
	/* A part that only one side of `or` can be tested by is not tested. */
	{ "user 7 or comm curl", "", false, "", "" },
	{ "not comm curl", "", false, "", "" },
	{ "outcome != refused", "", false, "", "" },
	{ "comm matches '^c'", "", false, "", "" },
	{ "retrans > 1%", "", false, "", "" },
	/* Longer names than the kernel keeps. */
	{ "comm = 'a-name-of-16-byt'", "", false, "", "" },
	/* Text never ends the quotes. */
	{ "exe = \"/a'b\"", "", false, "", "" },
	{ "exe = \"/a\\\\\"", "", false, "", "" },
	{ "wire_dst_port 80", "", false, "", "" },
	{ "community_id = x", "", false, "", "" },
};

/* Returns whether the SQL is as strict as the filter. */
static bool check_part(const char *text, enum filter_part part, bool is_reduced, const char *expected)
{
	struct filter *filter = filter_new();
	struct filter_error error;
	struct text_buffer sql = { 0 };
	bool is_exact = false;

	if (!CHECK(filter_add_text(filter, text, &error)))
		printf("  %s: %s\n", text, error.message);
	else
		is_exact = filter_append_implied(filter, part, is_reduced, &sql);
	text_char(&sql, '\0');
	if (!CHECK_STRING(sql.bytes, expected))
		printf("  %s\n", text);
	text_free(&sql);
	filter_free(filter);
	return is_exact;
}

int main(void)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_part(cases[i].text, FILTER_OF_ID, false, cases[i].of_id);
		if (!CHECK(check_part(cases[i].text, FILTER_OF_RECORD, false, cases[i].of_record) == cases[i].is_exact))
			printf("  %s\n", cases[i].text);
		check_part(cases[i].text, FILTER_OF_ID, true, cases[i].of_reduced_id);
	}
	return check_finish();
}
