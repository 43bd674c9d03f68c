/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock of a capture: the times of its packets, without those that are wrong.
 *
 * A packet may have a time that is far from that of its neighbours: an interrupted write, a faulty driver, corrupt
 * nanoseconds. Such a time must not age all connections. But the clock of the machine that captured may really have been
 * set, and links are quiet for hours. The packets that follow decide: PACKET_CLOCK_WINDOW packets are compared with the
 * times before and after the jump.
 */
#ifndef NETRACKER_PACKET_CLOCK_H
#define NETRACKER_PACKET_CLOCK_H

#include <linux/types.h>
#include <stdbool.h>

/* A packet and those that follow it. Up to four wrong times in a row are recognised. */
#define PACKET_CLOCK_WINDOW 16
/* Less than any idle limit, more than the longest interval of a SYN's retransmissions, which is 64 s. Packets that were
 * captured on several processors differ by far less.
 */
#define PACKET_CLOCK_FAR_NS (68 * 1000000000ULL)

struct packet_clock {
	__u64 now; /* the highest time since the clock was last set back, nanoseconds since the Unix epoch; 0: none */
	__u64 elapsed; /* nanoseconds by this clock; does not go back when `now` does */
	__u8 epoch;    /* how often the clock was set back, modulo 256 */
	__u64 wrong;   /* number of packets with a wrong time */
	__u64 set_back;
	__u64 candidate;   /* the time that the clock will have if more packets agree; 0: none */
	__u32 agreeing;    /* packets in a row that agree with it */
	__u32 after_pause; /* packets for which it is in doubt whether there was a pause after the first packet */
};

/* A packet's time, and the clock at that packet. */
struct packet_time {
	__u64 ns;  /* if is_wrong, the clock's */
	__u64 own; /* the packet's, right or wrong */
	__u64 now, elapsed;
	__u8 epoch;
	bool is_wrong;       /* the packet's own time is unknown */
	bool is_pending;     /* the packet is far, and it is not known yet whether the clock follows it */
	bool is_after_pause; /* after the first packet there was a pause, or that packet's time is wrong */
};

/* Returns whether packet_clock_take() needs the times of the packets that follow. */
static inline bool packet_clock_is_far(const struct packet_clock *clock, __u64 ns)
{
	return ns - clock->now + PACKET_CLOCK_FAR_NS > 2 * PACKET_CLOCK_FAR_NS || !clock->now;
}

/* Sets *time to that of a packet whose time is not wrong. */
static inline void packet_clock_describe(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	*time = (struct packet_time){
		.ns = ns, .own = ns, .now = clock->now, .elapsed = clock->elapsed, .epoch = clock->epoch
	};
	if (clock->after_pause) {
		clock->after_pause--;
		time->is_after_pause = true;
	}
}

/* Takes a packet that is not far. */
static inline void packet_clock_take_near(struct packet_clock *clock, __u64 ns, struct packet_time *time)
{
	if (ns > clock->now) {
		clock->elapsed += ns - clock->now;
		clock->now = ns;
	}
	clock->agreeing = 0;
	packet_clock_describe(clock, ns, time);
}

/* Takes a packet that is far: times[0]. times[1] to times[count - 1] are those of the packets that follow, up to the end
 * of the file.
 */
void packet_clock_take_far(struct packet_clock *clock, const __u64 *times, int count, struct packet_time *time);

/* The same if no packet after it can be waited for. Until three more packets agree, the clock does not follow it. */
void packet_clock_take_unseen(struct packet_clock *clock, __u64 ns, struct packet_time *time);

/* Called after the packet's time was taken: it is known to the second only. Its time is wrong, and that of the clock right.
 */
void packet_clock_doubt(struct packet_clock *clock, struct packet_time *time);

/* At the end of the last file: a last packet that is far moves the clock. Sets *time to the clock. */
void packet_clock_finish(struct packet_clock *clock, struct packet_time *time);

#endif
