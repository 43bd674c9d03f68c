// SPDX-License-Identifier: GPL-2.0-or-later
/* src/replay/packet_clock.h: which times of a capture's packets move its clock. */
#include "src/replay/packet_clock.h"

#include <string.h>

#include "tests/unit/check.h"

#define SECOND 1000000000ULL
#define HOUR (3600 * SECOND)
#define YEAR (365 * 24 * HOUR)
#define T0 (1700000000 * SECOND)
#define MOST 64

static struct packet_clock clock;
static struct packet_time seen[MOST];
static __u64 times[MOST];
static int count;

static void begin(void)
{
	memset(&clock, 0, sizeof(clock));
	count = 0;
}

/* Adds packets, one each second. */
static void add(int packets, __u64 first)
{
	int i;

	for (i = 0; i < packets && count < MOST; i++)
		times[count++] = first + (__u64)i * SECOND;
}

/* Takes all packets as a file's are taken. */
static void take_file(void)
{
	int i, window;

	for (i = 0; i < count; i++) {
		window = count - i < PACKET_CLOCK_WINDOW ? count - i : PACKET_CLOCK_WINDOW;
		if (packet_clock_is_far(&clock, times[i]))
			packet_clock_take_far(&clock, times + i, window, &seen[i]);
		else
			packet_clock_take_near(&clock, times[i], &seen[i]);
	}
}

static void take_pipe(void)
{
	int i;

	for (i = 0; i < count; i++) {
		if (packet_clock_is_far(&clock, times[i]))
			packet_clock_take_unseen(&clock, times[i], &seen[i]);
		else
			packet_clock_take_near(&clock, times[i], &seen[i]);
	}
}

static void wrong_times_in_a_row(void)
{
	static const __u64 wrong[] = { T0 + YEAR, T0 - YEAR, T0 - 150 * SECOND, T0 + 4294 * SECOND, 1, ~0ULL - SECOND };
	unsigned int i;
	int run, each;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		for (run = 1; run <= 4; run++) {
			begin();
			add(5, T0);
			add(run, wrong[i]);
			add(20, T0 + 5 * SECOND);
			take_file();
			for (each = 5; each < 5 + run; each++) {
				CHECK(seen[each].is_wrong);
				CHECK_EQUAL(seen[each].own, times[each]);
				CHECK_EQUAL(seen[each].ns, T0 + 4 * SECOND);
			}
			CHECK(!seen[5 + run].is_wrong);
			CHECK_EQUAL(clock.now, T0 + 24 * SECOND);
			CHECK_EQUAL(clock.elapsed, 24 * SECOND);
			CHECK_EQUAL(clock.epoch, 0);
			CHECK_EQUAL(clock.wrong, (__u64)run);
		}
	}
}

static void quiet_link(void)
{
	begin();
	add(1, T0);
	add(1, T0 + 100 * SECOND);
	add(1, T0 + 200 * SECOND);
	add(1, T0 + 2 * HOUR);
	take_file();
	CHECK(!seen[0].is_wrong && !seen[1].is_wrong && !seen[2].is_wrong && !seen[3].is_wrong);
	CHECK_EQUAL(seen[2].now, T0 + 200 * SECOND);
	/* Nothing follows the last packet: its own time is used, but ages nothing before the end. */
	CHECK_EQUAL(seen[3].ns, T0 + 2 * HOUR);
	CHECK_EQUAL(seen[3].now, T0 + 200 * SECOND);
	packet_clock_finish(&clock, &seen[3]);
	CHECK_EQUAL(seen[3].now, T0 + 2 * HOUR);
}

static void clock_set(void)
{
	begin();
	add(5, T0);
	add(20, T0 + YEAR);
	add(20, T0 - YEAR);
	take_file();
	CHECK_EQUAL(seen[5].now, T0 + YEAR);
	CHECK_EQUAL(seen[5].epoch, 0);
	CHECK_EQUAL(seen[25].now, T0 - YEAR);
	CHECK_EQUAL(seen[25].epoch, 1);
	CHECK_EQUAL(seen[25].elapsed, seen[24].elapsed);
	CHECK_EQUAL(clock.elapsed, YEAR + (19 + 19) * SECOND);
	CHECK_EQUAL(clock.wrong, 0);
	CHECK_EQUAL(clock.set_back, 1);
}

static void first_and_last(void)
{
	begin();
	add(1, T0 + YEAR);
	add(20, T0);
	add(1, T0 - YEAR);
	take_file();
	CHECK(seen[0].is_wrong && seen[21].is_wrong);
	CHECK_EQUAL(clock.now, T0 + 19 * SECOND);
	CHECK_EQUAL(clock.elapsed, 19 * SECOND);
	begin();
	add(20, T0);
	add(1, T0 + YEAR);
	take_file();
	packet_clock_finish(&clock, &seen[0]);
	CHECK(seen[20].is_wrong);
	CHECK_EQUAL(clock.now, T0 + 19 * SECOND);
}

/* Packets that a merge took from a second machine, whose clock is 10 minutes off. */
static void two_clocks(void)
{
	int i;

	begin();
	for (i = 0; i < 20; i++) {
		add(1, T0 + (__u64)i * SECOND);
		add(1, T0 + 600 * SECOND + (__u64)i * SECOND);
	}
	take_file();
	CHECK(clock.wrong <= 1); /* near the end few packets are left to decide */
}

static void pipes(void)
{
	begin();
	add(5, T0);
	add(1, T0 + YEAR);
	add(5, T0 + 5 * SECOND);
	add(6, T0 + HOUR);
	take_pipe();
	CHECK(seen[5].is_wrong);
	CHECK_EQUAL(seen[10].now, T0 + 9 * SECOND);
	CHECK_EQUAL(seen[11].ns, T0 + HOUR);
	CHECK_EQUAL(seen[13].now, T0 + 9 * SECOND);
	CHECK_EQUAL(seen[14].now, T0 + HOUR + 3 * SECOND);
	CHECK_EQUAL(clock.elapsed, HOUR + 5 * SECOND);
}

int main(void)
{
	wrong_times_in_a_row();
	quiet_link();
	clock_set();
	first_and_last();
	two_clocks();
	pipes();
	return check_finish();
}
