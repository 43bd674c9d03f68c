/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives src/zeek/zeek_step.h with segments between two sides, A and B (RFC 9293), on a clock in milliseconds. */
#ifndef NETRACKER_TESTS_ZEEK_DRIVER_H
#define NETRACKER_TESTS_ZEEK_DRIVER_H

#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "src/zeek/zeek_step.h"

#include "tests/unit/check.h"

#define MS 1000000ULL
#define A 0
#define B 1
#define ISN_A 1000
#define ISN_B 0xfffff000 /* wraps around 2^32 within the test */

struct driver {
	struct nt_zeek_connection connection;
	__u16 port[2];
	__u16 window;
	__u32 marks;
	__u64 now;
	int begun, forgotten, reused; /* counts of connections */
};

static struct driver driver_of(__u16 port_a, __u16 port_b)
{
	return (struct driver){ .port = { port_a, port_b }, .window = 1000, .now = 1000 * MS };
}

static void forget(struct driver *driver)
{
	if (driver->begun)
		driver->forgotten++;
	driver->begun = 0;
	free(driver->connection.history.text);
	free(driver->connection.endpoint[A].stream.blocks);
	free(driver->connection.endpoint[B].stream.blocks);
	memset(&driver->connection, 0, sizeof(driver->connection));
}

/* Advances the clock as a packet of another connection does. Returns true as soon as a timer removes the connection,
 * which stays in the driver for the caller to check.
 */
__attribute__((unused)) static int is_forgotten_after(struct driver *driver, __u64 ms)
{
	driver->now += ms * MS;
	while (nt_zeek_next_timer(&driver->connection) <= driver->now)
		if (nt_zeek_timer(&driver->connection, driver->now))
			return 1;
	return 0;
}

static void segment(struct driver *driver, int from, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 payload)
{
	struct nt_packet packet = {
		.source_port = driver->port[from],
		.destination_port = driver->port[1 - from],
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.payload_length = payload,
		.network_length = 40 + payload,
		.window = driver->window,
		.flags = flags,
	};

	driver->now += MS;
	if (driver->begun && nt_zeek_is_reuse(&driver->connection, &packet)) {
		driver->reused++;
		forget(driver);
	}
	if (!driver->begun)
		nt_zeek_begin(&driver->connection, &packet, from, 0, driver->now, driver->now);
	driver->begun = 1;
	nt_zeek_take(&driver->connection, &packet, from, driver->marks, driver->now);
}

/* Sequence and acknowledgement numbers are relative to the ISNs. */
static void from_a(struct driver *driver, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 payload)
{
	segment(driver, A, flags, ISN_A + sequence, ISN_B + acknowledgement, payload);
}

static void from_b(struct driver *driver, __u8 flags, __u32 sequence, __u32 acknowledgement, __u32 payload)
{
	segment(driver, B, flags, ISN_B + sequence, ISN_A + acknowledgement, payload);
}

__attribute__((unused)) static void shake_hands(struct driver *driver)
{
	from_a(driver, NT_SYN, 0, 0, 0);
	from_b(driver, NT_SYN | NT_ACK, 0, 1, 0);
	from_a(driver, NT_ACK, 1, 1, 0);
}

#define CHECK_LETTERS(driver, state, letters) check_letters((driver), (state), (letters), __FILE__, __LINE__)

__attribute__((unused)) static void check_letters(const struct driver *driver, const char *state, const char *letters,
						  const char *file, int line)
{
	const char *history = driver->connection.history.text;

	check_string(nt_zeek_conn_state(&driver->connection), state, "conn_state", file, line);
	check_string(history ? history : "", letters, "history", file, line);
}

__attribute__((unused)) static __u64 bytes_of(const struct driver *driver, int side)
{
	return nt_zeek_size(&driver->connection.endpoint[side], &driver->connection.endpoint[1 - side]);
}

#endif
