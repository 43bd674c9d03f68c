/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last exchange of a connection, for hosts that follow every packet: the last time that one side sent payload after
 * the other, and the first payload that the other has sent since. Only payload that was not seen before counts, so a
 * retransmission begins nothing.
 */
#ifndef NETRACKER_CORE_LAST_EXCHANGE_H
#define NETRACKER_CORE_LAST_EXCHANGE_H

#include "stream.h"

struct nt_last_exchange {
	__u64 ns[2];     /* by the key's side: when its last run of payload began; 0: it sent none */
	__u64 latest_ns; /* the last payload of all */
	__u32 speaker;   /* 1 + the side that sent it; 0: none did */
	__u32 runs;      /* of both sides, in turn */
};

/* Takes the time of new payload. Returns whether the time of a side changed. A capture may have the two sides in the
 * wrong order: payload that is older than the last of the other side came before that, which then begins a run.
 */
NT_INLINE int nt_last_exchange_add(struct nt_last_exchange *exchange, int source, __u64 now)
{
	int is_older = exchange->speaker && now < exchange->latest_ns;

	source &= 1;
	if (exchange->speaker == 1U + source) {
		if (!is_older)
			exchange->latest_ns = now;
		return 0;
	}
	exchange->runs++;
	if (is_older) {
		/* The other side's run was two, unless it began with its last payload. */
		exchange->runs += exchange->ns[!source] != exchange->latest_ns;
		exchange->ns[!source] = exchange->latest_ns;
	} else {
		exchange->speaker = 1U + source;
		exchange->latest_ns = now;
	}
	exchange->ns[source] = now;
	return 1;
}

/* Returns whether there is an exchange besides the first payload of each side. */
NT_INLINE int nt_last_exchange_is_later(const struct nt_last_exchange *exchange)
{
	return exchange->runs > 2;
}

/* Returns whether both sides' last runs began after this time. */
NT_INLINE int nt_last_exchange_is_after(const struct nt_last_exchange *exchange, __u64 ns)
{
	return exchange->ns[0] > ns && exchange->ns[1] > ns;
}

/* Returns whether dst sent last: its time is the response. Otherwise the last request had no response. */
NT_INLINE int nt_last_exchange_has_response(const struct nt_last_exchange *exchange, int dst)
{
	return exchange->speaker == 1U + (dst & 1);
}

/* The streams of both sides, by the key's side, and their last exchange. */
struct nt_streams {
	struct nt_stream of[2];
	struct nt_last_exchange exchange;
};

/* Takes one packet: nt_stream_step(). */
NT_INLINE void nt_streams_step(struct nt_streams *streams, int source, const struct nt_packet *packet,
			       const struct nt_place *place, __u64 now)
{
	struct nt_stream *stream = source & 1 ? &streams->of[1] : &streams->of[0];
	const struct nt_stream *peer = source & 1 ? &streams->of[0] : &streams->of[1];
	__u64 bytes = stream->core.bytes;

	nt_stream_step(stream, peer, packet, place);
	if (stream->core.bytes != bytes)
		nt_last_exchange_add(&streams->exchange, source, now);
}

#endif
