// SPDX-License-Identifier: GPL-2.0-or-later
/* src/zeek/zeek_*.h: conn_state, history, roles and reuse against Zeek's documentation of conn.log. */
#include "tests/unit/zeek_driver.h"

#define CLIENT 40000
#define SERVER 80
#define OTHER 30000 /* not among Zeek's server ports */

static void test_orderly(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	CHECK_LETTERS(&driver, "S1", "ShA");
	from_a(&driver, NT_ACK, 1, 1, 100);
	from_b(&driver, NT_ACK, 1, 101, 0);
	from_b(&driver, NT_ACK, 1, 101, 5000); /* wraps around 2^32 */
	from_a(&driver, NT_FIN | NT_ACK, 101, 5001, 0);
	CHECK_LETTERS(&driver, "S2", "ShADadF");
	from_b(&driver, NT_FIN | NT_ACK, 5001, 102, 0);
	CHECK_LETTERS(&driver, "SF", "ShADadFf");
	/* Eight packets so far, 1 ms apart: 7 ms. The last ACK is no part of the duration. */
	CHECK_EQUAL(driver.connection.last - driver.connection.start, 7 * MS);
	from_a(&driver, NT_ACK, 102, 5002, 0);
	CHECK_EQUAL(driver.connection.last - driver.connection.start, 7 * MS);
	CHECK_EQUAL(driver.connection.endpoint[A].packets, 5);
	CHECK_EQUAL(driver.connection.endpoint[A].network_bytes, 5 * 40 + 100);
	CHECK_EQUAL(driver.connection.endpoint[B].packets, 4);
	CHECK_EQUAL(bytes_of(&driver, A), 100);
	CHECK_EQUAL(bytes_of(&driver, B), 5000);
	CHECK_EQUAL(driver.connection.missed_bytes, 0);
	forget(&driver);
}

static void test_closed_by_responder(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_b(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	CHECK_LETTERS(&driver, "S3", "ShAf");
	forget(&driver);
}

static void test_attempts(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_LETTERS(&driver, "S0", "S");
	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_LETTERS(&driver, "S0", "S");
	from_b(&driver, NT_RST | NT_ACK, 0, 1, 0);
	CHECK_LETTERS(&driver, "REJ", "Sr");
	forget(&driver);
	from_a(&driver, NT_SYN, 0, 0, 0);
	from_a(&driver, NT_RST, 1, 0, 0);
	CHECK_LETTERS(&driver, "RSTOS0", "SR");
	forget(&driver);
	from_a(&driver, NT_SYN, 0, 0, 0);
	from_a(&driver, NT_FIN, 1, 0, 0);
	CHECK_LETTERS(&driver, "SH", "SF");
	forget(&driver);
}

static void test_resets(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_RST, 1, 0, 0);
	CHECK_LETTERS(&driver, "RSTO", "ShAR");
	from_a(&driver, NT_RST, 1, 0, 0); /* the same sequence number: no new letter */
	from_a(&driver, NT_RST, 2, 0, 0);
	CHECK_LETTERS(&driver, "RSTO", "ShARR");
	forget(&driver);
	shake_hands(&driver);
	from_b(&driver, NT_RST, 1, 0, 0);
	CHECK_LETTERS(&driver, "RSTR", "ShAr");
	forget(&driver);
	/* After both FINs nothing changes the state. */
	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	from_b(&driver, NT_FIN | NT_ACK, 1, 2, 0);
	from_a(&driver, NT_RST, 2, 0, 0);
	CHECK_LETTERS(&driver, "SF", "ShAFfR");
	forget(&driver);
	/* A RST answers the FIN. */
	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	from_b(&driver, NT_RST, 1, 0, 0);
	CHECK_LETTERS(&driver, "RSTR", "ShAFr");
	forget(&driver);
	/* FIN and RST of one side, then the FIN of the other. */
	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	from_a(&driver, NT_RST, 2, 0, 0);
	from_b(&driver, NT_FIN | NT_ACK, 1, 2, 0);
	CHECK_LETTERS(&driver, "SF", "ShAFRf");
	forget(&driver);
}

/* A known server port swaps the roles, and so does the packet after a SYN-ACK that came first. */
static void test_roles(void)
{
	struct driver driver = driver_of(SERVER, CLIENT);

	from_a(&driver, NT_ACK, 1, 1, 10);
	CHECK_LETTERS(&driver, "OTH", "^d");
	CHECK_EQUAL(driver.connection.orig, B);
	forget(&driver);
	driver = driver_of(OTHER, CLIENT);
	from_a(&driver, NT_ACK, 1, 1, 10);
	CHECK_LETTERS(&driver, "OTH", "D");
	CHECK_EQUAL(driver.connection.orig, A);
	forget(&driver);
	/* The lower one of two server ports is the server's, unless a SYN-ACK may belong to a scan. */
	driver = driver_of(80, 443);
	from_a(&driver, NT_ACK, 1, 1, 10);
	CHECK_EQUAL(driver.connection.orig, B);
	forget(&driver);
	from_a(&driver, NT_SYN | NT_ACK, 0, 1, 0);
	CHECK_EQUAL(driver.connection.orig, A);
	forget(&driver);
	driver = driver_of(OTHER, CLIENT);
	from_a(&driver, NT_SYN | NT_ACK, 0, 1, 0);
	CHECK_LETTERS(&driver, "OTH", "H");
	from_b(&driver, NT_ACK, 1, 1, 0);
	CHECK_LETTERS(&driver, "OTH", "^hA");
	CHECK_EQUAL(driver.connection.orig, B);
	forget(&driver);
	from_a(&driver, NT_SYN | NT_ACK, 0, 1, 0);
	from_b(&driver, NT_RST, 1, 0, 0);
	CHECK_LETTERS(&driver, "REJ", "Hr");
	forget(&driver);
}

static void test_synack_before_syn(void)
{
	struct driver driver = driver_of(OTHER, CLIENT);

	segment(&driver, A, NT_SYN | NT_ACK, 5000, 701, 0);
	segment(&driver, B, NT_SYN, 700, 0, 0);
	CHECK_EQUAL(driver.reused, 0);
	CHECK_EQUAL(driver.connection.orig, B);
	CHECK_LETTERS(&driver, "S1", "Hs^");
	forget(&driver);
}

static void test_midstream_end(void)
{
	struct driver driver = driver_of(SERVER, CLIENT);

	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	CHECK_LETTERS(&driver, "SHR", "^f");
	from_b(&driver, NT_FIN | NT_ACK, 1, 2, 0);
	CHECK_LETTERS(&driver, "SF", "^fF");
	forget(&driver);
	from_a(&driver, NT_RST | NT_ACK, 1, 1, 0);
	CHECK_LETTERS(&driver, "RSTRH", "^r");
	forget(&driver);
}

static void test_several_flags(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_RST, 1, 0, 0);
	from_a(&driver, NT_FIN | NT_RST, 2, 0, 0);
	CHECK_LETTERS(&driver, "RSTO", "ShAI");
	forget(&driver);
	from_a(&driver, NT_SYN | NT_FIN, 0, 0, 0);
	CHECK_LETTERS(&driver, "SH", "Q");
	forget(&driver);
}

static void test_most_letters(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);
	__u32 i;

	from_a(&driver, NT_SYN, 0, 0, 0);
	for (i = 0; i < 2 * NT_ZEEK_MOST_LETTERS; i++)
		from_b(&driver, NT_RST, 1 + i * 3, 0, 0);
	CHECK_EQUAL(driver.connection.history.length, NT_ZEEK_MOST_LETTERS);
	CHECK_EQUAL(strlen(driver.connection.history.text), NT_ZEEK_MOST_LETTERS);
	forget(&driver);
}

static void test_scaled_letters(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);
	int i;

	shake_hands(&driver);
	driver.window = 0;
	for (i = 0; i < 10; i++)
		from_a(&driver, NT_ACK, 1, 1, 0);
	CHECK_LETTERS(&driver, "S1", "ShAWW");
	driver.window = 1000;
	for (i = 0; i < 11; i++)
		from_a(&driver, NT_ACK, 1, 1, 5); /* the first of them is new */
	CHECK_LETTERS(&driver, "S1", "ShAWWDTT");
	forget(&driver);
}

/* An invalid packet is not counted, but begins a connection. */
static void test_wrong_packets(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	driver.marks = NT_ZEEK_BAD_CHECKSUM;
	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_LETTERS(&driver, "OTH", "C");
	CHECK_EQUAL(driver.connection.endpoint[A].packets, 0);
	CHECK_EQUAL(driver.connection.last, driver.connection.start);
	forget(&driver);
	driver.marks = NT_ZEEK_BAD_HEADER;
	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_LETTERS(&driver, "OTH", "");
	CHECK(!is_forgotten_after(&driver, 5000));
	CHECK(is_forgotten_after(&driver, 6000));
	forget(&driver);
}

static void test_reuse(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_EQUAL(driver.reused, 0);
	from_a(&driver, NT_SYN, 7000, 0, 0);
	CHECK_EQUAL(driver.reused, 1);
	CHECK_LETTERS(&driver, "S0", "S");
	/* A SYN of the responder also opens another connection. */
	from_b(&driver, NT_SYN, 9000, 0, 0);
	CHECK_EQUAL(driver.reused, 2);
	CHECK_EQUAL(driver.connection.orig, B);
	forget(&driver);
	/* After one side has closed any SYN opens another, even with the same sequence number. */
	driver.reused = 0;
	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK_EQUAL(driver.reused, 1);
	forget(&driver);
}

int main(void)
{
	test_orderly();
	test_closed_by_responder();
	test_attempts();
	test_resets();
	test_roles();
	test_synack_before_syn();
	test_midstream_end();
	test_several_flags();
	test_most_letters();
	test_scaled_letters();
	test_wrong_packets();
	test_reuse();
	return check_finish();
}
