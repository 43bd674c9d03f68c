// SPDX-License-Identifier: GPL-2.0-or-later
/* src/zeek/zeek_stream.h and src/zeek/zeek_endpoint.h: gaps, and byte counts from sequence numbers. */
#include "tests/unit/zeek_driver.h"

#define CLIENT 40000
#define SERVER 80

static struct driver established(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	return driver;
}

/* Segments out of order are no gap. Bytes that were acknowledged but never seen are one, and count once. */
static void test_gaps(void)
{
	struct driver driver = established();

	from_a(&driver, NT_ACK, 101, 1, 100);
	from_a(&driver, NT_ACK, 1, 1, 100);
	from_b(&driver, NT_ACK, 1, 201, 0);
	CHECK_EQUAL(driver.connection.missed_bytes, 0);
	from_a(&driver, NT_ACK, 301, 1, 100);
	from_a(&driver, NT_ACK, 501, 1, 100);
	from_b(&driver, NT_ACK, 1, 601, 0);
	from_b(&driver, NT_ACK, 1, 601, 0);
	CHECK_EQUAL(driver.connection.missed_bytes, 200);
	CHECK_LETTERS(&driver, "S1", "ShADTaG");
	CHECK_EQUAL(bytes_of(&driver, A), 600);
	forget(&driver);
}

/* A payload captured only in part counts as sent, but not as seen. */
static void test_cut_payload(void)
{
	struct driver driver = established();

	driver.marks = NT_ZEEK_CUT_PAYLOAD;
	from_a(&driver, NT_ACK, 1, 1, 1000);
	driver.marks = 0;
	from_b(&driver, NT_ACK, 1, 1001, 0);
	CHECK_LETTERS(&driver, "S1", "ShADaG");
	CHECK_EQUAL(driver.connection.missed_bytes, 1000);
	forget(&driver);
}

/* Without the SYN, sequence numbers are too uncertain for gaps. */
static void test_midstream(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	from_a(&driver, NT_ACK, 1, 1, 10);
	from_b(&driver, NT_ACK, 1, 5001, 10);
	CHECK_LETTERS(&driver, "OTH", "Dd");
	CHECK_EQUAL(driver.connection.missed_bytes, 0);
	CHECK_EQUAL(bytes_of(&driver, A), 5000);
	forget(&driver);
}

/* More than 16 KiB after a hole and no ACK: the other direction takes another path. */
static void test_one_way(void)
{
	struct driver driver = established();
	__u32 i;

	for (i = 1; i < 20; i++)
		from_a(&driver, NT_ACK, 1 + i * 1000, 1, 1000);
	CHECK(driver.connection.endpoint[A].stream.skipped);
	from_a(&driver, NT_FIN | NT_ACK, 20001, 1, 0);
	CHECK(driver.connection.endpoint[A].closed);
	forget(&driver);
	driver = established();
	for (i = 0; i < 40; i++)
		from_a(&driver, NT_ACK, 1 + i * 1000, 1, 1000);
	CHECK(!driver.connection.endpoint[A].stream.skipped);
	CHECK(driver.connection.endpoint[A].stream.held <= 16384);
	CHECK_EQUAL(bytes_of(&driver, A), 40000);
	forget(&driver);
}

/* Random segments and ACKs against a map with a flag for each byte. */
static void test_against_a_map(void)
{
	struct driver driver = established();
	static __u8 seen[4096];
	__u64 random = 1, missed = 0;
	__u32 i, j, acknowledged = 0;

	for (i = 0; i < 3000; i++) {
		__u32 begin, length;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		begin = (random >> 33) % 200 + acknowledged;
		length = (random >> 50) % 60 + 1;
		if (begin + length > sizeof(seen))
			break;
		if ((random >> 20) % 4) {
			from_a(&driver, NT_ACK, 1 + begin, 1, length);
			memset(seen + begin, 1, length);
			continue;
		}
		from_b(&driver, NT_ACK, 1, 1 + begin, 0);
		for (j = acknowledged; j < begin; j++)
			missed += !seen[j];
		acknowledged = begin > acknowledged ? begin : acknowledged;
		CHECK_EQUAL(driver.connection.missed_bytes, missed);
	}
	CHECK(missed > 0);
	CHECK(acknowledged > 3000);
	forget(&driver);
}

/* A stream of more than 4 GiB in segments of a GiB, which no host sends; then one of only a SYN and a FIN. */
static void test_long(void)
{
	struct driver driver = established();
	__u32 i;

	driver.marks = NT_ZEEK_CUT_PAYLOAD;
	for (i = 0; i < 9; i++) {
		from_a(&driver, NT_ACK, 1 + (i << 30), 1, 1 << 30);
		from_b(&driver, NT_ACK, 1, 1 + ((i + 1) << 30), 0);
	}
	CHECK_EQUAL(bytes_of(&driver, A), 9LL << 30);
	forget(&driver);
	from_a(&driver, NT_SYN, 0, 0, 0);
	from_a(&driver, NT_FIN | NT_ACK, 3000000001U, 1, 0);
	CHECK_EQUAL(bytes_of(&driver, A), 3000000000U);
	forget(&driver);
}

/* The sequence number of a RST is ignored if it is far off, and its payload always. */
static void test_reset(void)
{
	struct driver driver = established();

	from_a(&driver, NT_ACK, 1, 1, 10);
	from_a(&driver, NT_RST, 5000000, 0, 0);
	CHECK_EQUAL(bytes_of(&driver, A), 10);
	forget(&driver);
	driver = established();
	from_a(&driver, NT_RST, 1, 0, 500);
	CHECK_EQUAL(bytes_of(&driver, A), 0);
	forget(&driver);
	/* Bytes acknowledged in a half-open connection belong to another one. */
	driver = driver_of(CLIENT, SERVER);
	from_a(&driver, NT_SYN, 0, 0, 0);
	from_b(&driver, NT_ACK, 700, 900000, 0);
	from_a(&driver, NT_RST, 900000, 0, 0);
	CHECK_LETTERS(&driver, "RSTOS0", "SaR");
	CHECK_EQUAL(bytes_of(&driver, A), 0);
	forget(&driver);
}

int main(void)
{
	test_gaps();
	test_cut_payload();
	test_midstream();
	test_one_way();
	test_against_a_map();
	test_long();
	test_reset();
	return check_finish();
}
