/* The packets of a capture by Zeek's rules: what the tracker of src/replay.c is for those of NeTracker. */
#ifndef NETRACKER_ZEEK_REPLAY_H
#define NETRACKER_ZEEK_REPLAY_H

#include <linux/types.h>
#include <stdbool.h>

#include "core/buffer.h"
#include "core/packet.h"
#include "core/record.h"

/* Who is told of connections. */
struct zeek_replay_host {
	void (*began)(void *context);
	void (*ended)(void *context, const struct nt_record *record);
	void *context;
	bool ignore_checksums;
};

struct zeek_replay;

/* NULL: no memory. */
struct zeek_replay *zeek_replay_new(const struct zeek_replay_host *host);

/* NULL is allowed. */
void zeek_replay_free(struct zeek_replay *replay);

/* A packet of any kind was captured, at so many nanoseconds since the Unix epoch: ends what is over by then. */
void zeek_replay_clock(struct zeek_replay *replay, __u64 ns);

/* False where Zeek does not look into a packet whose outermost IP header is at `offset`, of that EtherType. */
bool zeek_replay_accepts(const struct zeek_replay *replay, const struct nt_buffer *frame, __u32 offset,
			 __u16 ethertype);

/* Zeek puts fragments together only if they were captured whole; of others it takes the first as if it were all. */
bool zeek_replay_reassembles(const struct nt_buffer *frame, const struct nt_packet *fragment);

/* One that nt_parse_ip() found to be TCP, or whose TCP header it found to be wrong; transport_offset was 0 before.
 * reassembled: from fragments, `frame` may then lack the end of the payload. 0, or -ENOMEM.
 */
int zeek_replay_take(struct zeek_replay *replay, const struct nt_buffer *frame, enum nt_parse result,
		     struct nt_packet *packet, bool reassembled);

/* Ends all connections. */
void zeek_replay_finish(struct zeek_replay *replay);

#endif
