// SPDX-License-Identifier: GPL-2.0-or-later
#include "src/replay/packet_clock.h"

/* Without following packets a shorter gap is a quiet link, a longer one a wrong time. */
#define MOST_GAP_NS (24 * 3600 * 1000000000ULL)
/* Packets in a row, if none can be waited for. */
#define ENOUGH_AGREEING 4
/* Stands for a time of 0 (src/capture/capture_file.c), which a driver or a program left out. */
#define NO_TIME_NS 1

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

static void reject(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	clock->wrong++;
	packet_clock_describe(clock, clock->now, time);
	time->own = ns;
	time->is_wrong = true;
}

/* Takes a packet whose time may be right, but does not move the clock. */
static void suspend(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	if (distance(ns, clock->now) <= MOST_GAP_NS)
		packet_clock_describe(clock, ns, time);
	else
		reject(clock, ns, time);
	time->is_pending = true;
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
static bool is_quarter(int part, int count)
{
	return part * 3 > count - part;
}

static bool is_lasting(const __u64 *following, int count, __u64 ns, __u64 now)
{
	return is_quarter(count_nearer(following, count, ns, now), count);
}

static bool has_neighbours(const __u64 *times, int count, __u64 ns)
{
	int near = -1, i; /* not itself */

	for (i = 0; i < count; i++)
		near += distance(times[i], ns) <= PACKET_CLOCK_FAR_NS / 2;
	return is_quarter(near, count - 1);
}

/* Returns the first time that is not alone, or the first of all. */
static __u64 find_first_right(const __u64 *times, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (has_neighbours(times, count, times[i]))
			return times[i];
	return times[0];
}

/* A first packet long before the others may be followed by a pause: its connection decides. One long after them is wrong,
 * and one without a time.
 */
static void take_first(struct packet_clock *clock, const __u64 *times, int count, struct packet_time *time)
{
	__u64 right = find_first_right(times, count);
	bool is_far = distance(times[0], right) > PACKET_CLOCK_FAR_NS;

	if (is_far && (times[0] > right || right - times[0] > MOST_GAP_NS)) {
		set_clock(clock, right);
		return reject(clock, times[0], time);
	}
	set_clock(clock, times[0]);
	packet_clock_describe(clock, times[0], time);
	if (is_far)
		clock->after_pause = (__u32)count - 1;
}

void packet_clock_take_far(struct packet_clock *clock, const __u64 *times, int count, struct packet_time *time)
{
	if (!clock->now)
		return take_first(clock, times, count, time);
	if (is_lasting(times + 1, count - 1, times[0], clock->now)) {
		set_clock(clock, times[0]);
		return packet_clock_describe(clock, times[0], time);
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

	if (clock->now <= NO_TIME_NS) {
		clock->after_pause = clock->now ? PACKET_CLOCK_WINDOW : 0;
		clock->now = 0;
		set_clock(clock, ns);
		return packet_clock_describe(clock, ns, time);
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
	packet_clock_describe(clock, clock->now, time);
}
