// SPDX-License-Identifier: GPL-2.0-or-later
/* src/zeek/zeek_connection.h: timers that remove a connection, against the defaults in Zeek's base/init-bare.zeek. */
#include "tests/unit/zeek_driver.h"

#define CLIENT 40000
#define SERVER 80
#define SSH 22

static void test_attempt(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	from_a(&driver, NT_SYN, 0, 0, 0);
	CHECK(!is_forgotten_after(&driver, 4999));
	CHECK(is_forgotten_after(&driver, 1)); /* tcp_attempt_delay */
	forget(&driver);
}

static void test_close(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	from_b(&driver, NT_FIN | NT_ACK, 1, 2, 0);
	CHECK(!is_forgotten_after(&driver, 4999));
	CHECK(is_forgotten_after(&driver, 1)); /* tcp_close_delay */
	forget(&driver);
	shake_hands(&driver);
	from_b(&driver, NT_RST, 1, 0, 0);
	CHECK(is_forgotten_after(&driver, 5000));
	forget(&driver);
}

static void test_inactivity(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	CHECK(!is_forgotten_after(&driver, 299999));
	CHECK(is_forgotten_after(&driver, 1)); /* tcp_inactivity_timeout */
	forget(&driver);
	shake_hands(&driver);
	CHECK(!is_forgotten_after(&driver, 200000));
	from_a(&driver, NT_ACK, 1, 1, 1);
	CHECK(!is_forgotten_after(&driver, 299999));
	CHECK(is_forgotten_after(&driver, 1));
	forget(&driver);
	/* A FIN of one side does not change the limit. */
	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 1, 1, 0);
	CHECK(!is_forgotten_after(&driver, 299999));
	CHECK(is_forgotten_after(&driver, 1));
	forget(&driver);
}

/* While only SYNs were seen, the limit is that of UDP. */
static void test_inactivity_before(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	from_a(&driver, NT_SYN, 0, 0, 0);
	from_b(&driver, NT_ACK, 0, 1, 0); /* an ACK without a SYN-ACK: no state yet, but no longer an attempt */
	CHECK_EQUAL(driver.connection.timers.inactivity_limit, 60000 * MS);
	forget(&driver);
}

static void test_interactive_port(void)
{
	struct driver driver = driver_of(CLIENT, SSH);

	shake_hands(&driver);
	CHECK(!is_forgotten_after(&driver, 3599999));
	CHECK(is_forgotten_after(&driver, 1)); /* Conn::port_inactivity_timeouts */
	forget(&driver);
}

/* Bytes before the RST are missing: Zeek waits for them, and then for the inactivity limit. */
static void test_pending_reset(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_ACK, 101, 1, 100); /* 100 bytes before it were not captured */
	from_a(&driver, NT_RST, 201, 0, 0);
	CHECK_LETTERS(&driver, "RSTO", "ShADR");
	CHECK(!driver.connection.endpoint[A].closed);
	CHECK(!is_forgotten_after(&driver, 20000));
	CHECK(is_forgotten_after(&driver, 280000));
	forget(&driver);
}

/* Bytes before the FIN are missing: the side counts as closed once they were acknowledged. */
static void test_pending_fin(void)
{
	struct driver driver = driver_of(CLIENT, SERVER);

	shake_hands(&driver);
	from_a(&driver, NT_FIN | NT_ACK, 101, 1, 100);
	CHECK(!driver.connection.endpoint[A].closed);
	from_b(&driver, NT_ACK, 1, 202, 0);
	CHECK(driver.connection.endpoint[A].closed);
	CHECK_EQUAL(driver.connection.missed_bytes, 100);
	from_b(&driver, NT_FIN | NT_ACK, 1, 202, 0);
	CHECK(is_forgotten_after(&driver, 5000));
	forget(&driver);
}

int main(void)
{
	test_attempt();
	test_close();
	test_inactivity();
	test_inactivity_before();
	test_interactive_port();
	test_pending_reset();
	test_pending_fin();
	return check_finish();
}
