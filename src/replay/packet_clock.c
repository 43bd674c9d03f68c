// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/packet_clock.h"

/* Without following packets a shorter gap is a quiet link, a longer one a wrong time. */
#define MOST_GAP_NS (24 * 3600 * 1000000000ULL)
/* Packets in a row, if none can be waited for. */
#define ENOUGH_AGREEING 4

static __u64 distance(__u64 a, __u64 b)
{
	return a > b ? a - b : b - a;
}

static void set_clock(struct packet_clock *clock, __u64 ns)
{
	if (clock->now && ns < clock->now) {
		clock->epoch++;
		clock->set_back++;
	} else if (clock->now) {
		clock->elapsed += ns - clock->now;
	}
	clock->now = ns;
	clock->candidate = 0;
	clock->agreeing = 0;
}

static void describe(const struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	*time = (struct packet_time){
		.ns = ns, .own = ns, .now = clock->now, .elapsed = clock->elapsed, .epoch = clock->epoch
	};
}

static void reject(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	clock->wrong++;
	describe(clock, clock->now, time);
	time->own = ns;
	time->is_wrong = true;
}

/* Takes a packet whose time may be right, but does not move the clock. */
static void suspend(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	if (distance(ns, clock->now) <= MOST_GAP_NS)
		describe(clock, ns, time);
	else
		reject(clock, ns, time);
}

/* Returns how many of the times are nearer to `ns` than to `other`. */
static int count_nearer(const __u64 *times, int count, __u64 ns, __u64 other)
{
	int nearer = 0, i;

	for (i = 0; i < count; i++)
		nearer += distance(times[i], ns) < distance(times[i], other);
	return nearer;
}

/* A quarter is enough: where two clocks were mixed into one capture, none of them is wrong. */
static bool is_lasting(const __u64 *following, int count, __u64 ns, __u64 now)
{
	int nearer = count_nearer(following, count, ns, now);

	return nearer * 3 > count - nearer;
}

/* A first packet long before the others may be followed by a pause; one long after them is wrong. */
static void take_first(struct packet_clock *clock, const __u64 *times, int count, struct packet_time *time)
{
	bool is_alone = count > 1 && distance(times[0], times[1]) > PACKET_CLOCK_FAR_NS &&
			!is_lasting(times + 2, count - 2, times[0], times[1]);

	if (is_alone && count > 2 && (times[0] > times[1] || times[1] - times[0] > MOST_GAP_NS)) {
		set_clock(clock, times[1]);
		return reject(clock, times[0], time);
	}
	set_clock(clock, times[0]);
	describe(clock, times[0], time);
}

void packet_clock_take_far(struct packet_clock *clock, const __u64 *times, int count, struct packet_time *time)
{
	if (!clock->now)
		return take_first(clock, times, count, time);
	if (is_lasting(times + 1, count - 1, times[0], clock->now)) {
		set_clock(clock, times[0]);
		return describe(clock, times[0], time);
	}
	if (count > 1)
		return reject(clock, times[0], time);
	clock->candidate = times[0];
	clock->agreeing = 1;
	suspend(clock, times[0], time);
}

void packet_clock_take_unseen(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	bool agrees = clock->agreeing && distance(ns, clock->candidate) < distance(ns, clock->now);

	if (!clock->now) {
		set_clock(clock, ns);
		return describe(clock, ns, time);
	}
	if (!agrees || distance(ns, clock->now) < distance(clock->candidate, clock->now))
		clock->candidate = ns;
	clock->agreeing = agrees ? clock->agreeing + 1 : 1;
	if (clock->agreeing < ENOUGH_AGREEING)
		return suspend(clock, ns, time);
	set_clock(clock, clock->candidate);
	if (packet_clock_is_far(clock, ns))
		return suspend(clock, ns, time);
	packet_clock_take_near(clock, ns, time);
}

void packet_clock_doubt(struct packet_clock *clock, struct packet_time *time)
{
	clock->wrong += !time->is_wrong;
	time->is_wrong = true;
	time->ns = clock->now;
}

void packet_clock_finish(struct packet_clock *clock, struct packet_time *time)
{
	if (clock->agreeing && clock->candidate > clock->now && clock->candidate - clock->now <= MOST_GAP_NS)
		set_clock(clock, clock->candidate);
	describe(clock, clock->now, time);
}
