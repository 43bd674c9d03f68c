// SPDX-License-Identifier: GPL-2.0-or-later
/* Fair shares of a table: which connections are one group, and when a group's share is full. */
#include <linux/types.h>
#include <string.h>

#include <arpa/inet.h>

#include "core/buffer.h"
#include "core/share.h"

#include "tests/unit/check.h"

#define NETNS 4026531840U
#define SIZE 1000U

static const __u64 multipliers[] = { 0x9e3779b97f4a7c15ULL, 0xd1342543de82ef95ULL, 0x2545f4914f6cdd1dULL, ~0ULL };

static __u16 share_of(const char *address, __u64 multiplier)
{
	__u32 words[4] = { 0, 0, htonl(0xffff), 0 };

	CHECK(inet_pton(AF_INET, address, &words[3]) == 1 || inet_pton(AF_INET6, address, words) == 1);
	return nt_share_of_peer(words, multiplier);
}

/* Two groups share a count by chance with one multiplier in 8,192, not with all. */
static int are_apart(const char *one, const char *other)
{
	unsigned int i, apart = 0;

	for (i = 0; i < sizeof(multipliers) / sizeof(*multipliers); i++)
		apart += share_of(one, multipliers[i]) != share_of(other, multipliers[i]);
	return apart >= 3;
}

static int are_together(const char *one, const char *other)
{
	unsigned int i, together = 0;

	for (i = 0; i < sizeof(multipliers) / sizeof(*multipliers); i++)
		together += share_of(one, multipliers[i]) == share_of(other, multipliers[i]);
	return together == sizeof(multipliers) / sizeof(*multipliers);
}

static void check_networks(void)
{
	CHECK(are_together("198.18.1.0", "198.18.1.255"));
	CHECK(are_apart("198.18.1.255", "198.18.2.0"));
	CHECK(are_apart("198.18.1.1", "198.19.1.1"));
	CHECK(are_together("2001:db8:0:1::", "2001:db8:0:1:ffff:ffff:ffff:ffff"));
	CHECK(are_apart("2001:db8:0:1::1", "2001:db8:0:2::1"));
	CHECK(are_apart("2001:db8:0:1::1", "2001:db9:0:1::1"));
}

static void check_users(void)
{
	unsigned int i, apart = 0;

	for (i = 0; i < sizeof(multipliers) / sizeof(*multipliers); i++) {
		__u64 multiplier = multipliers[i];

		CHECK(nt_share_of_user(NETNS, 33, multiplier) == nt_share_of_user(NETNS, 33, multiplier));
		apart += nt_share_of_user(NETNS, 33, multiplier) != nt_share_of_user(NETNS, 34, multiplier);
		apart += nt_share_of_user(NETNS, 33, multiplier) != nt_share_of_user(NETNS + 1, 33, multiplier);
	}
	CHECK(apart >= 6);
}

/* Whether one more entry is refused when `taken` entries are in the table, `own` of them of this share. */
static int is_full(__s32 taken, __s32 own)
{
	static struct nt_shares shares;

	shares.taken = taken;
	shares.of[7] = own;
	return nt_share_is_full(&shares, 7, SIZE);
}

static void check_limits(void)
{
	CHECK(!is_full(0, 0));
	CHECK(!is_full(749, 749)); /* the 750th entry: three quarters, not more */
	CHECK(is_full(750, 750));
	CHECK(is_full(750, 250));
	CHECK(!is_full(750, 249)); /* its 250th: a quarter */
	CHECK(!is_full(999, 249));
	CHECK(is_full(999, 250));
	CHECK(!is_full(-1, -1)); /* a deletion was counted before the insertion */
}

int main(void)
{
	check_networks();
	check_users();
	check_limits();
	return check_finish();
}
